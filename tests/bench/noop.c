/*
 * noop: a CGI program that does nothing, for tests/bench/run to measure plain CGI against.
 *
 *     BENCH_REPLIES=DIR noop
 *
 * reads the request's body to its end and answers the contents of DIR/NAME, NAME being the last segment of PATH_INFO:
 * the reply that the service itself gave, headers and all. It links the C library and nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPLY_BYTES_MAX 65536

/* All of fd up to its end, less than bytes_max bytes: their number, or -1. */
static ssize_t noop_read(int fd, char *data, size_t bytes_max)
{
    size_t bytes = 0;
    while (bytes < bytes_max) {
        ssize_t part = read(fd, data + bytes, bytes_max - bytes);
        if (part < 0 && errno == EINTR) {
            continue;
        }
        if (part <= 0) {
            return part < 0 ? -1 : (ssize_t)bytes;
        }
        bytes += (size_t)part;
    }
    return -1;
}

int main(void)
{
    static char data[REPLY_BYTES_MAX];
    char path[4096];
    const char *folder = getenv("BENCH_REPLIES");
    const char *address = getenv("PATH_INFO");
    const char *slash = address == NULL ? NULL : strrchr(address, '/');
    const char *length = getenv("CONTENT_LENGTH");
    if (folder == NULL || slash == NULL || snprintf(path, sizeof path, "%s%s", folder, slash) >= (int)sizeof path) {
        fprintf(stderr, "noop: BENCH_REPLIES and PATH_INFO must say what to answer\n");
        return 2;
    }
    if (length != NULL && *length != '\0' && noop_read(STDIN_FILENO, data, sizeof data) < 0) {
        return 1;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : noop_read(fd, data, sizeof data);
    if (bytes <= 0) {
        fprintf(stderr, "noop: cannot read '%s': %s\n", path, strerror(errno));
        return 1;
    }
    return write(STDOUT_FILENO, data, (size_t)bytes) == bytes ? 0 : 1;
}
