/*
 * FastCGI 1.0 by libfcgi 2.4.2. The library's own accept is avoided: it cannot be told to stop, and it would keep the
 * other responders waiting while it reads a request. So the connection is accepted here and given to FCGX_Accept_r as
 * if it had been kept open from a request before.
 */
#include "http/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fastcgi.h>
#include <fcgiapp.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"

#define ROLE_RESPONDER 1 /* FastCGI 1.0 section 8, FCGI_RESPONDER */

/* A server sends its request as soon as it has connected: libfcgi gives it 2 s, we give it 1 once we are to stop. */
#define FIRST_BYTES_WAIT_MS 1000

/* Descriptors or memory ran out: others will give some back. */
#define SHORTAGE_WAIT_MS 100

/* What libfcgi allocates for a request: its streams of 8 KiB each, and the parameters. */
#define REQUEST_BYTES 65536u

/* How much of a request that nobody wanted is read, so that the connection ends well or can be kept. */
#define UNREAD_BYTES_MAX 1048576u

struct fastcgi {
    struct transport base;
    FCGX_Request request;
    int listen_fd;
    bool is_local;       /* an AF_UNIX socket */
    atomic_int accepted; /* the connection accepted last, for fastcgi_interrupt; -1: none yet */
    struct transport_stop *stop;
};

/*
 * Waits up to timeout_ms (-1: for ever) for either; fd may be -1. True if fd is readable or broken. Before it sleeps it
 * lets others run once: where no processor is idle, the server is among them, and what it then sends is there without
 * a thread having been put to sleep and woken (tests/bench/README.md, "Four processes").
 */
static bool wait_readable(int fd, int stop_fd, int timeout_ms, bool *ret_stop)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN}, {.fd = stop_fd, .events = POLLIN}};
    int ready = poll(fds, 2, 0);
    if (ready <= 0 && timeout_ms != 0) {
        sched_yield();
        do {
            ready = poll(fds, 2, timeout_ms);
        } while (ready < 0 && errno == EINTR);
    }
    *ret_stop = ready > 0 && fds[1].revents != 0;
    return ready > 0 && fds[0].revents != 0;
}

static bool stop_raised(const struct transport_stop *stop)
{
    bool stopping;
    wait_readable(-1, stop->fd, 0, &stopping);
    return stopping;
}

/* FCGI_WEB_SERVER_ADDRS, FastCGI 1.0 section 3.2: the only IPv4 addresses that may connect, by commas. */
static bool peer_allowed(const struct sockaddr_storage *peer)
{
    const char *list = peer->ss_family == AF_INET ? getenv("FCGI_WEB_SERVER_ADDRS") : NULL;
    char name[INET_ADDRSTRLEN];
    if (!list) {
        return true;
    }
    if (!inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, name, sizeof name)) {
        return false;
    }
    while (*list != '\0') {
        size_t bytes = strcspn(list, ",");
        if (bytes == strlen(name) && memcmp(list, name, bytes) == 0) {
            return true;
        }
        list += bytes;
        list += *list == ',';
    }
    return false;
}

enum accept_error { ACCEPT_AGAIN, ACCEPT_SHORTAGE, ACCEPT_FATAL };

/* accept(2): network errors of the new connection are passed on as the call's own. */
static enum accept_error accept_error(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        return ACCEPT_SHORTAGE;
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
    case EOPNOTSUPP:
    case EFAULT:
        return ACCEPT_FATAL;
    default:
        return ACCEPT_AGAIN;
    }
}

/* The next connection, or -1 if there is to be none. The caller holds stop->accepting. */
static int connection_accept(struct fastcgi *f)
{
    for (;;) {
        bool stopping;
        bool ready = wait_readable(f->listen_fd, f->stop->fd, -1, &stopping);
        if (stopping) {
            return -1;
        }
        if (!ready) {
            continue;
        }
        struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
        socklen_t peer_bytes = sizeof peer;
        int fd = accept4(f->listen_fd, (struct sockaddr *)&peer, &peer_bytes, SOCK_CLOEXEC);
        if (fd >= 0 && peer_allowed(&peer)) {
            return fd;
        }
        if (fd >= 0) {
            close(fd);
            continue;
        }
        int error = errno;
        switch (accept_error(error)) {
        case ACCEPT_AGAIN:
            break;
        case ACCEPT_SHORTAGE:
            log_warning("cannot accept a connection: %s", strerror(error));
            wait_readable(-1, f->stop->fd, SHORTAGE_WAIT_MS, &stopping);
            break;
        case ACCEPT_FATAL:
            log_error("cannot accept connections: %s", strerror(error));
            return -1;
        }
    }
}

/* Waits for the connection's next request. False: the worker is to stop, and none has come. */
static bool connection_wait(struct fastcgi *f, bool is_new)
{
    bool stopping;
    int fd = f->request.ipcFd;
    if (wait_readable(fd, f->stop->fd, -1, &stopping)) {
        return true;
    }
    return is_new && wait_readable(fd, -1, FIRST_BYTES_WAIT_MS, &stopping);
}

/*
 * Closes between requests. libfcgi would wait up to 2 s for the server to close its end, lest unread bytes make the
 * kernel throw away what the server has not read yet. A local socket does not do that, so there it is not waited for.
 */
static void connection_close(struct fastcgi *f)
{
    char unread;
    if (f->is_local && recv(f->request.ipcFd, &unread, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) {
        close(f->request.ipcFd);
        f->request.ipcFd = -1;
    } else {
        FCGX_Free(&f->request, 1);
    }
}

static bool fastcgi_next(struct transport *t)
{
    struct fastcgi *f = (struct fastcgi *)t;
    for (;;) {
        bool is_new = f->request.ipcFd < 0;
        if (is_new) {
            pthread_mutex_lock(&f->stop->accepting);
            f->request.ipcFd = connection_accept(f);
            atomic_store(&f->accepted, f->request.ipcFd);
            pthread_mutex_unlock(&f->stop->accepting);
        }
        if (f->request.ipcFd < 0) {
            return false;
        }
        if (!connection_wait(f, is_new)) {
            connection_close(f);
            return false;
        }
        if (!arena_has_memory(REQUEST_BYTES)) {
            /* libfcgi would end the process. The server answers for us. */
            bool stopping;
            log_error("a connection is closed: out of memory");
            close(f->request.ipcFd);
            f->request.ipcFd = -1;
            wait_readable(-1, f->stop->fd, SHORTAGE_WAIT_MS, &stopping);
            continue;
        }
        /* Or FCGX_Accept_r would close the connection first. It puts what the server asks for in its place. */
        f->request.keepConnection = 1;
        if (FCGX_Accept_r(&f->request) != 0) {
            continue; /* it came to nothing and is closed */
        }
        if (f->request.role == ROLE_RESPONDER) {
            return true;
        }
        log_warning("the server asked for FastCGI role %d; only the responder is played", f->request.role);
        FCGX_Free(&f->request, 1);
    }
}

/* As FCGX_GetParam, which compares whole names with each of some thirty: a twelfth of all that a page costs. */
static const char *fastcgi_getenv(struct transport *t, const char *name)
{
    size_t bytes = strlen(name);
    for (char **at = ((struct fastcgi *)t)->request.envp; *at; at++) {
        const char *entry = *at;
        /* Names differ at their ends more often than at their beginnings: "HTTP_", "SERVER_". */
        if (entry[0] == name[0] && strnlen(entry, bytes) == bytes && entry[bytes] == '=' &&
            memcmp(entry, name, bytes) == 0) {
            return entry + bytes + 1;
        }
    }
    return NULL;
}

static ssize_t fastcgi_read(struct transport *t, void *data, size_t bytes_max)
{
    FCGX_Stream *in = ((struct fastcgi *)t)->request.in;
    int bytes = FCGX_GetStr(data, bytes_max < INT32_MAX ? (int)bytes_max : INT32_MAX, in);
    if (bytes <= 0) {
        return FCGX_GetError(in) != 0 ? -1 : 0;
    }
    return bytes;
}

static bool fastcgi_write(struct transport *t, const void *data, size_t bytes)
{
    FCGX_Stream *out = ((struct fastcgi *)t)->request.out;
    const char *at = data;
    while (bytes > 0) {
        int part = bytes < INT32_MAX ? (int)bytes : INT32_MAX;
        if (FCGX_PutStr(at, part, out) != part) {
            return false;
        }
        at += part;
        bytes -= (size_t)part;
    }
    return FCGX_GetError(out) == 0;
}

/* Reads on to the end of the request's body, which libfcgi leaves in the connection. */
static bool request_read_out(struct fastcgi *f)
{
    char unread[8192];
    size_t total = 0;
    ssize_t bytes;
    while ((bytes = fastcgi_read(&f->base, unread, sizeof unread)) > 0) {
        total += (size_t)bytes;
        if (total > UNREAD_BYTES_MAX) {
            return false;
        }
    }
    return bytes == 0;
}

/*
 * A connection that is kept belongs to the thread that waits for its next request, and a TCP one lingers; so does a
 * local one if the server sends something behind its request's end, which none does.
 */
static bool fastcgi_answers_at_once(struct transport *t)
{
    const struct fastcgi *f = (const struct fastcgi *)t;
    return f->is_local && !f->request.keepConnection;
}

static void fastcgi_finish(struct transport *t, bool complete)
{
    struct fastcgi *f = (struct fastcgi *)t;
    if (!complete) {
        /* A connection that closes without FCGI_END_REQUEST is how a server learns that the answer broke off. */
        FCGX_Free(&f->request, 1);
        return;
    }
    /*
     * Also where the connection is to close: the record that ends the body comes after its last byte, and a server that
     * cannot deliver it any more (lighttpd 1.4.69) throws away what it has not read of the answer.
     */
    bool read_out = request_read_out(f);
    bool kept = f->request.keepConnection && read_out && !stop_raised(f->stop);
    f->request.keepConnection = 1; /* it closes in our way, if the library does not see an error */
    FCGX_Finish_r(&f->request);
    if (!kept && f->request.ipcFd >= 0) {
        connection_close(f);
    }
}

/*
 * The connection may close at this moment, and its number be taken anew: by a file, which shutdown(2) refuses; or by a
 * connection of another responder, which is interrupted too, since the worker interrupts all that have not ended.
 */
static void fastcgi_interrupt(struct transport *t, bool both_ways)
{
    struct fastcgi *f = (struct fastcgi *)t;
    int fd = atomic_load(&f->accepted);
    if (fd >= 0) {
        shutdown(fd, both_ways ? SHUT_RDWR : SHUT_RD);
    }
}

static void fastcgi_free(struct transport *t)
{
    struct fastcgi *f = (struct fastcgi *)t;
    if (f->request.ipcFd >= 0) {
        connection_close(f);
    }
    free(f);
}

bool transport_is_cgi(void)
{
    struct sockaddr_storage peer;
    socklen_t bytes = sizeof peer;
    return getpeername(FCGI_LISTENSOCK_FILENO, (struct sockaddr *)&peer, &bytes) == 0 || errno != ENOTCONN;
}

struct transport *transport_fastcgi(int listen_fd, struct transport_stop *stop)
{
    static const struct transport_ops ops = {
        .next = fastcgi_next,
        .getenv = fastcgi_getenv,
        .read = fastcgi_read,
        .write = fastcgi_write,
        .answers_at_once = fastcgi_answers_at_once,
        .finish = fastcgi_finish,
        .interrupt = fastcgi_interrupt,
        .free = fastcgi_free,
    };
    struct fastcgi *f = calloc(1, sizeof *f);
    if (!f) {
        return NULL;
    }
    f->base.ops = &ops;
    f->listen_fd = listen_fd;
    f->stop = stop;
    atomic_init(&f->accepted, -1);
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t own_bytes = sizeof own;
    f->is_local = getsockname(listen_fd, (struct sockaddr *)&own, &own_bytes) == 0 && own.ss_family == AF_UNIX;
    int flags = fcntl(listen_fd, F_GETFL);
    if (flags < 0 || fcntl(listen_fd, F_SETFL, flags | O_NONBLOCK) < 0 || FCGX_Init() != 0 ||
        FCGX_InitRequest(&f->request, -1, 0) != 0) { /* without the socket, lest the library accept by itself */
        log_error("cannot listen for FastCGI requests: %s", strerror(errno));
        free(f);
        return NULL;
    }
    f->request.ipcFd = -1;
    return &f->base;
}
