/*
 * storm: what the parts of the kill storm and of the soak share. storm.c sets up, judges and sums up; storm_load.c is
 * the clients, storm_kill.c the killer, storm_read.c what is read back.
 */
#ifndef CHATS_TESTS_STORM_H
#define CHATS_TESTS_STORM_H

#include <pthread.h>
#include <stdatomic.h>

#include "fcgi_client.h"
#include "fleet.h"
#include "ledger.h"

#define STORM_CHATS 16u
#define STORM_PAIRS 2000u
#define STORM_DEADLINE_MS 15000u /* of each request: later is a hang */

struct storm_options {
    const char *build;
    const char *faults;
    unsigned seconds;
    unsigned kills_at_least;
    unsigned processes;
    unsigned clients;
    unsigned pause_max_ms;
    uint64_t seed;
    unsigned rate;        /* calls a second of all clients together; 0: as many as they can */
    unsigned resend_last; /* an earlier message that is sent again is one of the client's last so many; 0: any */
    bool outside;         /* kill only processes that hold nothing */
    int phase;            /* kill only holders of the gate in this phase; -1: all sorts */
    bool fail_fast;       /* end at the first broken promise */
    bool slow;            /* a sanitizer's build: how many of the kills are inside a commit is not judged */
};

struct storm {
    struct storm_options options;
    struct fleet fleet;
    struct ledger *ledger;
    struct service service;

    _Atomic bool killing;   /* the killer works */
    _Atomic bool loading;   /* the clients begin new calls */
    _Atomic bool giving_up; /* a promise is broken, and that is enough */

    _Atomic uint64_t last_answer_ns;
    _Atomic uint64_t longest_pause_ns;
    _Atomic uint64_t answers;
    _Atomic uint64_t unavailable; /* answers 503 */
    _Atomic uint64_t broken_off;  /* connections */
    _Atomic uint64_t slowest_ns;  /* call that was answered */

    _Atomic unsigned kills;
    _Atomic unsigned kills_by_phase[GATE_PHASES]; /* the victim held the gate, as seen when it stood still */
    _Atomic unsigned kills_with_old_logs;         /* it was removing log files, and there were some */
    _Atomic unsigned kills_syncing;               /* it led the log's sync */
    _Atomic unsigned cgi_runs;
    _Atomic unsigned cgi_kills;

    pthread_mutex_t promises_lock;
    unsigned promises_broken;
};

/* Says that a promise is broken: one sentence. */
void storm_broken(struct storm *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The next number of a stream: *state is any seed. */
uint64_t storm_random(uint64_t *state);

/* Sleeps; a signal does not shorten it. */
void storm_sleep_us(uint64_t us);

/*
 * One call, counted and judged: true if it was answered 200. False: it is worth trying again if *ret_again, else a
 * promise was broken and said to be.
 */
bool storm_call(struct storm *s, const char *operation, struct text body, struct answer *answer, bool *ret_again)
    __attribute__((warn_unused_result));

/* As storm_call, again and again until it is answered 200. False: a promise was broken and said to be. */
bool storm_insist(struct storm *s, const char *operation, struct text body, struct answer *answer)
    __attribute__((warn_unused_result));

/* A page of a chat, checked. `query` is the rest of the request's fields, or "". */
bool storm_list(struct storm *s, unsigned chat, const char *query, bool ascending, bool final, struct answer *answer,
                struct ledger_page *ret) __attribute__((warn_unused_result));

/* The chat of a pair of users, checked against the first answer. */
bool storm_pair(struct storm *s, unsigned pair, struct answer *answer);

/* Makes the chats, all of them or those that are not there yet. False: a promise was broken and said to be. */
bool storm_create_chats(struct storm *s, struct answer *answer) __attribute__((warn_unused_result));

/* Reads all chats from their beginning, and every pair if `pairs`, against the ledger; ledger_read begun it. */
void storm_verify(struct storm *s, bool pairs, struct answer *answer, struct ledger_totals *ret);

/*
 * Kills the worker that is in this phase of the gate, or, if phase < 0 or nobody is caught there in 20 ms, one by the
 * dice, wherever it is. Slots before `first` are spared.
 */
void storm_kill(struct storm *s, unsigned first, int phase, uint64_t dice);

/* Starts a worker in each slot whose process is gone, and says so if one ended that was not killed. */
void storm_refill(struct storm *s);

/* Threads: argument is a struct storm_thread. */
struct storm_thread {
    struct storm *storm;
    unsigned client; /* its number in the ledger */
    pthread_t thread;
};
void *storm_client(void *argument);
void *storm_cgi_client(void *argument);
void *storm_killer(void *argument);

#endif
