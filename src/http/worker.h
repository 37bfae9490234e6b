/*
 * worker: the life of a process: responder threads, signals, drain, renewal.
 *
 * SIGTERM, SIGINT, SIGHUP and SIGUSR1 are taken between requests only: finish what runs, close, leave. A peer that
 * stalls in the middle of its request is waited for 10 s, one that does not take its answer 20 s. SIGPIPE is ignored.
 * When the store wants renewal (its generation died), the worker drains, closes and executes itself anew with the
 * listening socket kept, so that abandoned handles do not pile up.
 */
#ifndef CHATS_HTTP_WORKER_H
#define CHATS_HTTP_WORKER_H

#include "base/config.h"
#include "store/store.h"

/* To be called before anything else is opened: from then on signals wait for the worker, and SIGPIPE is ignored. */
void worker_hold_signals(void);

/* Serves one CGI request and returns the process's exit status. store may be NULL. Signals wait until it is done. */
int worker_run_cgi(const struct config *config, struct store *store);

enum worker_end {
    WORKER_STOPPED, /* a signal asked for it */
    WORKER_RENEW    /* all threads are joined: close the store and execute the program anew */
};

/*
 * Serves FastCGI requests on listen_fd with config->threads threads until a signal, or until the store wants renewal.
 * With store NULL every request is answered 503 and WORKER_RENEW returned a second after the start, at the first
 * request served from then on, so that a home that has been mended is found.
 */
enum worker_end worker_run_fastcgi(const struct config *config, struct store *store, int listen_fd);

#endif
