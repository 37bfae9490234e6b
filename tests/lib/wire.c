#include "wire.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"

static enum wire_result wire_wait(int fd, short events, uint64_t deadline_ns)
{
    for (;;) {
        uint64_t now_ns = timestamp_monotonic_ns();
        if (now_ns >= deadline_ns)
            return WIRE_LATE;
        struct pollfd p = {.fd = fd, .events = events};
        int ready = poll(&p, 1, (int)((deadline_ns - now_ns) / 1000000u) + 1);
        if (ready > 0)
            return WIRE_OK;
        if (ready < 0 && errno != EINTR)
            return WIRE_BROKEN;
    }
}

static enum wire_result wire_connect(int fd, const struct sockaddr *address, socklen_t bytes, uint64_t deadline_ns)
{
    if (fd < 0)
        return WIRE_BROKEN;
    for (;;) {
        if (connect(fd, address, bytes) == 0)
            return WIRE_OK;
        if (errno == EINPROGRESS) {
            enum wire_result r = wire_wait(fd, POLLOUT, deadline_ns);
            int error = 0;
            socklen_t error_bytes = sizeof error;
            if (r == WIRE_OK && (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &error_bytes) != 0 || error != 0))
                return WIRE_BROKEN;
            return r;
        }
        if (errno != EAGAIN && errno != EINTR)
            return WIRE_BROKEN;
        /* unix(7): EAGAIN is a full backlog, and poll does not tell when there is room again. */
        if (timestamp_monotonic_ns() >= deadline_ns)
            return WIRE_LATE;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

enum wire_result wire_connect_unix(const char *path, uint64_t deadline_ns, int *ret_fd)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t bytes = strlen(path);
    if (bytes >= sizeof address.sun_path)
        return WIRE_BROKEN;
    memcpy(address.sun_path, path, bytes + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum wire_result r = wire_connect(fd, (const struct sockaddr *)&address, sizeof address, deadline_ns);
    if (r != WIRE_OK && fd >= 0)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}

enum wire_result wire_connect_port(unsigned port, uint64_t deadline_ns, int *ret_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    enum wire_result r = wire_connect(fd, (const struct sockaddr *)&address, sizeof address, deadline_ns);
    if (r != WIRE_OK && fd >= 0)
        close(fd);
    else
        *ret_fd = fd;
    return r;
}

enum wire_result wire_send(int fd, struct text data, uint64_t deadline_ns)
{
    while (data.bytes > 0) {
        ssize_t n = send(fd, data.data, data.bytes, MSG_NOSIGNAL);
        if (n > 0) {
            data.data += n;
            data.bytes -= (size_t)n;
        } else if (n < 0 && errno == EAGAIN) {
            enum wire_result r = wire_wait(fd, POLLOUT, deadline_ns);
            if (r != WIRE_OK)
                return r;
        } else if (n < 0 && errno != EINTR) {
            return WIRE_BROKEN;
        }
    }
    return WIRE_OK;
}

enum wire_result wire_receive(int fd, void *data, size_t bytes_max, uint64_t deadline_ns, size_t *ret_bytes)
{
    for (;;) {
        ssize_t n = recv(fd, data, bytes_max, 0);
        if (n > 0) {
            *ret_bytes = (size_t)n;
            return WIRE_OK;
        }
        if (n == 0)
            return WIRE_END;
        if (errno == EAGAIN) {
            enum wire_result r = wire_wait(fd, POLLIN, deadline_ns);
            if (r != WIRE_OK)
                return r;
        } else if (errno != EINTR) {
            return WIRE_BROKEN;
        }
    }
}
