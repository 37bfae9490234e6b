#include "http/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "http/answers.h"
#include "http/http.h"
#include "http/transport.h"
#include "store/auth.h"

/*
 * The default of 8 MiB would count against the address space that shared hosts limit (16 threads: 128 MiB). Tried with
 * less, all operations and recoveries ran with 80 KiB, and a recovery after a failed sync crashed with 64: it rewrites
 * files by way of a block of 64 KiB. Three times what was enough. Sanitizers multiply frames: they get more.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STACK_BYTES ((size_t)4 * 1024 * 1024)
#else
#define STACK_BYTES ((size_t)256 * 1024)
#endif

/* Without a store, this long after the start the program is executed anew to look at the home again. */
#define MENDED_AFTER_NS UINT64_C(1000000000)

/*
 * How long a worker that is to leave waits for its requests, while it accepts none. The gate is what else a request
 * waits for, and for no longer (GATE_WAIT_MS): what is not done by then most likely waits for its peer.
 */
#define DRAIN_NS UINT64_C(10000000000)

/*
 * How many answers may wait for the disk for each thread, while the thread goes on. All of a sync's answers leave after
 * it: 64 calls share one where there are 16 threads. A worker of one thread has nobody to leave an answer to.
 */
#define WAITING_PER_THREAD 3u

/* What the threads of one worker share. */
struct worker {
    const struct config *config;
    struct store *store;
    uint64_t started_ns; /* monotonic */
    struct transport_stop stop;
    struct answers answers;
    struct exchange **exchanges; /* all that there are: the first ones were the responders' at the start */
    size_t exchanges_count;
    int wake_fd;           /* eventfd: the main thread is to look at what stands below */
    atomic_bool renewal;   /* the store wants renewal */
    atomic_size_t running; /* responders that have not ended */
};

struct responder {
    struct worker *worker;
    struct exchange *exchange; /* another after each request, perhaps */
    pthread_t thread;
};

static void leaving_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    sigaddset(ret, SIGUSR1);
}

void worker_hold_signals(void)
{
    sigset_t signals;
    leaving_signals(&signals);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond RLIMIT_FSIZE is to fail: bdb/ballast.h */
}

/*
 * Lets a CGI server see the end of the answer now; descriptor 1 stays taken, so that no file of the home gets it. At
 * once, with what was opened before: then the server mostly finds answer and end together.
 */
static void answer_end(int nothing_fd)
{
    if (nothing_fd >= 0) {
        dup2(nothing_fd, STDOUT_FILENO);
        close(nothing_fd);
    }
}

int worker_run_cgi(const struct config *config, struct store *store)
{
    struct transport *t = transport_cgi();
    struct exchange *x = t ? exchange_new(t, config, store) : NULL;
    if (!x) {
        log_error("out of memory");
        return EXIT_FAILURE;
    }
    if (store) {
        store_serve_one_call(store);
    }
    int nothing_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    bool sweeps = false;
    while (exchange_next(x)) {
        exchange_run(x);
        sweeps |= exchange_answer(x);
    }
    answer_end(nothing_fd);
    exchange_free(x);
    if (store) {
        if (sweeps) {
            store_auth_sweep(store);
        }
        store_housekeeping(store);
    }
    return EXIT_SUCCESS;
}

static void raise_event(int fd)
{
    const uint64_t one = 1;
    /* An eventfd refuses to be raised only when it stands at its maximum, and then it is raised. */
    ssize_t written = write(fd, &one, sizeof one);
    (void)written;
}

static bool wants_renewal(struct worker *w)
{
    if (w->store) {
        return store_wants_renewal(w->store);
    }
    return timestamp_monotonic_ns() - w->started_ns >= MENDED_AFTER_NS;
}

static void *responder_run(void *argument)
{
    struct responder *r = argument;
    struct worker *w = r->worker;
    while (exchange_next(r->exchange)) {
        bool sweeps;
        exchange_run(r->exchange);
        r->exchange = answers_leave(&w->answers, r->exchange, &sweeps);
        if (w->store && sweeps) {
            store_auth_sweep(w->store);
        }
        if (w->store) {
            store_housekeeping(w->store);
        }
        if (wants_renewal(w) && !atomic_exchange(&w->renewal, true)) {
            raise_event(w->wake_fd);
        }
    }
    atomic_fetch_sub(&w->running, 1);
    /* A responder that ended by itself cannot accept any more, and neither can the others. */
    raise_event(w->wake_fd);
    return NULL;
}

/* Makes an exchange for each thread, and the spare ones, as far as there is memory. */
static bool exchanges_make(struct worker *w, int listen_fd)
{
    size_t threads = w->config->threads;
    size_t spares = threads > 1 ? threads * WAITING_PER_THREAD : 0;
    w->exchanges = calloc(threads + spares, sizeof(struct exchange *));
    if (!w->exchanges || !answers_init(&w->answers, spares)) {
        free(w->exchanges);
        w->exchanges = NULL;
        return false;
    }
    for (size_t i = 0; i < threads + spares; i++) {
        struct transport *t = transport_fastcgi(listen_fd, &w->stop);
        struct exchange *x = t ? exchange_new(t, w->config, w->store) : NULL;
        if (!x) {
            break;
        }
        w->exchanges[w->exchanges_count++] = x;
        if (i >= threads) {
            answers_add_spare(&w->answers, x);
        }
    }
    return w->exchanges_count > 0;
}

static void exchanges_free(struct worker *w)
{
    if (w->exchanges) {
        for (size_t i = 0; i < w->exchanges_count; i++) {
            exchange_free(w->exchanges[i]);
        }
        free(w->exchanges);
        answers_clear(&w->answers);
    }
}

/* Starts a responder for each of up to `count` exchanges; returns how many run. */
static size_t responders_start(struct worker *w, struct responder *responders, size_t count)
{
    size_t started = 0;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    int error = pthread_attr_setstacksize(&attr, STACK_BYTES);
    while (error == 0 && started < count && started < w->exchanges_count) {
        struct responder *r = &responders[started];
        *r = (struct responder){.worker = w, .exchange = w->exchanges[started]};
        atomic_fetch_add(&w->running, 1);
        error = pthread_create(&r->thread, &attr, responder_run, r);
        if (error == 0) {
            started++;
        } else {
            atomic_fetch_sub(&w->running, 1);
        }
    }
    if (error != 0) {
        log_warning("%zu of %zu threads could be started: %s", started, count, strerror(error));
    }
    pthread_attr_destroy(&attr);
    return started;
}

/* Waits until a signal came, the store wants renewal, or the responders have ended. */
static enum worker_end worker_wait(struct worker *w, int signal_fd)
{
    struct pollfd fds[2] = {{.fd = signal_fd, .events = POLLIN}, {.fd = w->wake_fd, .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
        ;
    }
    /* The signal stays pending: should it come during a renewal, the program executed anew still finds it. */
    if (fds[0].revents == 0 && atomic_load(&w->renewal)) {
        return WORKER_RENEW;
    }
    return WORKER_STOPPED;
}

/*
 * Ends the responders: none accepts any more, and what runs is finished. A peer that does not go on within DRAIN_NS is
 * not read from any more (its request is then refused as cut short), nor written to after twice that.
 */
static void responders_end(struct worker *w, struct responder *responders, size_t count)
{
    struct pollfd wake = {.fd = w->wake_fd, .events = POLLIN};
    uint64_t deadline_ns = timestamp_monotonic_ns() + DRAIN_NS;
    bool both_ways = false;
    raise_event(w->stop.fd);
    while (atomic_load(&w->running) > 0) {
        uint64_t now_ns = timestamp_monotonic_ns();
        uint64_t raised;
        if (now_ns < deadline_ns) {
            poll(&wake, 1, (int)((deadline_ns - now_ns) / 1000000 + 1));
            /* Read before `running` is looked at again: what ends after that raises it anew. */
            ssize_t bytes = read(w->wake_fd, &raised, sizeof raised);
            (void)bytes;
            continue;
        }
        log_warning("threads that are still not done: %zu; their connections are %s", atomic_load(&w->running),
                    both_ways ? "closed" : "not read from any more");
        for (size_t i = 0; i < w->exchanges_count; i++) {
            exchange_interrupt(w->exchanges[i], both_ways);
        }
        both_ways = true;
        deadline_ns = now_ns + DRAIN_NS;
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(responders[i].thread, NULL);
    }
}

/*
 * mallopt(3). Two arenas: what one thread allocates for a request another frees, and the C library's eight for each
 * processor would keep 14 MiB of that where two keep 7 (64 connections, 16 threads). No bins for small chunks: with
 * them each of the large buffers that libfcgi allocates and frees for a request gathers all that lies there.
 */
static void worker_tune_malloc(void)
{
#if defined M_ARENA_MAX && defined M_MXFAST
    (void)mallopt(M_ARENA_MAX, 2);
    (void)mallopt(M_MXFAST, 0);
#endif
}

enum worker_end worker_run_fastcgi(const struct config *config, struct store *store, int listen_fd)
{
    worker_tune_malloc();
    enum worker_end end = WORKER_STOPPED;
    struct worker w = {
        .config = config,
        .store = store,
        .started_ns = timestamp_monotonic_ns(),
        .stop = {.fd = eventfd(0, EFD_CLOEXEC), .accepting = PTHREAD_MUTEX_INITIALIZER},
        .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
    };
    sigset_t signals;
    leaving_signals(&signals);
    int signal_fd = signalfd(-1, &signals, SFD_CLOEXEC);
    struct responder *responders = calloc(config->threads, sizeof *responders);
    if (w.stop.fd < 0 || w.wake_fd < 0 || signal_fd < 0 || !responders || !exchanges_make(&w, listen_fd)) {
        log_error("cannot start: %s", strerror(errno));
        goto out;
    }

    size_t started = responders_start(&w, responders, config->threads);
    if (started > 0) {
        end = worker_wait(&w, signal_fd);
    }
    responders_end(&w, responders, started);

out:
    exchanges_free(&w);
    free(responders);
    if (signal_fd >= 0) {
        close(signal_fd);
    }
    if (w.wake_fd >= 0) {
        close(w.wake_fd);
    }
    if (w.stop.fd >= 0) {
        close(w.stop.fd);
    }
    return end;
}
