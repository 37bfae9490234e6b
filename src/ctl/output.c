#include "ctl/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/line.h"

static const char *output_name(const struct output *output)
{
    return output->path != NULL ? output->path : "standard output";
}

static bool output_fail(struct output *output, const char *cause)
{
    (void)command_fail("cannot write %s: %s", output_name(output), cause);
    output->failed = true;
    return false;
}

bool output_begin(struct output *ret, const char *path)
{
    *ret = (struct output){.path = path, .fd = STDOUT_FILENO};
    buffer_init(&ret->pending, OUTPUT_BYTES + LINE_BYTES_MAX);
    if (path == NULL) {
        return true;
    }
    ret->fd = -1;
    if (snprintf(ret->part, sizeof ret->part, "%s.part", path) >= (int)sizeof ret->part) {
        return output_fail(ret, strerror(ENAMETOOLONG));
    }
    ret->fd = open(ret->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (ret->fd < 0 || fchmod(ret->fd, 0600) != 0) {
        return output_fail(ret, strerror(errno));
    }
    return true;
}

static bool output_write(struct output *output)
{
    size_t done = 0;
    if (output->pending.failed) {
        return output_fail(output, "out of memory");
    }
    while (done < output->pending.bytes && !output->failed) {
        ssize_t bytes = write(output->fd, output->pending.data + done, output->pending.bytes - done);
        if (bytes < 0 && errno != EINTR) {
            return output_fail(output, strerror(errno));
        }
        done += bytes > 0 ? (size_t)bytes : 0;
    }
    buffer_reset(&output->pending);
    return !output->failed;
}

bool output_flush(struct output *output)
{
    return output->pending.bytes < OUTPUT_BYTES && !output->pending.failed ? !output->failed : output_write(output);
}

/* A rename is on the disk when its folder is. */
static bool output_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, slash == NULL ? "." : path, bytes);
    folder[bytes] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return synced;
}

bool output_end(struct output *output, bool good)
{
    good = good && !output->failed && output_write(output);
    if (output->path != NULL && output->fd >= 0) {
        if (good &&
            (fsync(output->fd) != 0 || rename(output->part, output->path) != 0 || !output_sync_folder(output->path))) {
            good = output_fail(output, strerror(errno));
        }
        if (!good) {
            (void)unlink(output->part);
        }
        close(output->fd);
    }
    buffer_clear(&output->pending);
    return good;
}
