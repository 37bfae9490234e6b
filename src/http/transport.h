/*
 * transport: how requests come in and replies go out. FastCGI and CGI are two of them behind one vtable; nothing above
 * this header knows which it is.
 *
 * A transport serves one request at a time and belongs to one thread at a time: once the request has been
 * read, another may write the answer.
 */
#ifndef CHATS_HTTP_TRANSPORT_H
#define CHATS_HTTP_TRANSPORT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "http/docroot.h"

struct transport;

struct transport_ops {
    /*
     * Waits for the next request. True: there is one, until finish. False: there will be none: the transport was told
     * to stop, or it has served all it can. What getenv returns lives until finish.
     */
    bool (*next)(struct transport *t);
    /* A CGI meta-variable (RFC 3875 section 4.1), or NULL. Borrowed until finish; the caller copies what it keeps. */
    const char *(*getenv)(struct transport *t, const char *name);
    /* Up to bytes_max bytes of the request body: bytes read, 0 at its end, -1 if the peer is gone. */
    ssize_t (*read)(struct transport *t, void *data, size_t bytes_max);
    /* Sends all of it. False: the peer is gone. */
    bool (*write)(struct transport *t, const void *data, size_t bytes);
    /*
     * True if `write` of what fits into a socket's buffer, and `finish` after that, do not wait for the peer, once its
     * body has been read to the end; and the transport is free for the next request, of whomever, afterwards. NULL:
     * they may wait.
     */
    bool (*answers_at_once)(struct transport *t);
    /* Ends the request. complete == false: the peer must be able to tell that the answer is not whole. */
    void (*finish)(struct transport *t, bool complete);
    /*
     * Called from another thread, at any time until free: a `read` that waits, or is still to come, finds that the peer
     * is gone; with both_ways, so does `write`. It ends what waits now: an operation that begins a new connection at
     * that moment may need another call. NULL where the process serves one request only.
     */
    void (*interrupt)(struct transport *t, bool both_ways);
    void (*free)(struct transport *t);
};

struct transport {
    const struct transport_ops *ops;
    struct docroot docroots[3]; /* http.c's: what its server's folders turned out to be */
};

/* What the responders of one process share. See worker.h. */
struct transport_stop {
    int fd;                    /* an eventfd that becomes readable when they are to stop */
    pthread_mutex_t accepting; /* held by the one that waits for a connection */
};

/*
 * True if this process was started as a CGI program, false if its standard input is a FastCGI listening socket: one
 * that has no peer (FastCGI 1.0 section 2.2).
 */
bool transport_is_cgi(void);

/*
 * One request, from the process's environment, standard input and output; its `read` ends at once where no body was
 * announced (RFC 3875 section 4.2). NULL when out of memory.
 */
struct transport *transport_cgi(void);

/*
 * FastCGI requests from the listening socket, which is made non-blocking. Acceptors of one process take turns; `stop`
 * must live as long. NULL when out of memory.
 */
struct transport *transport_fastcgi(int listen_fd, struct transport_stop *stop);

#endif
