/*
 * answers: the answers of one process that are ready but wait for the disk. A thread whose answer waits does not: it
 * leaves the answer here, and goes on with another exchange, so that as many calls share one sync as there are
 * exchanges, and no thread sleeps and is woken for each.
 *
 * Nobody is employed to send them. The first that leaves an answer here waits for the disk after all, as it would
 * alone; then it sends its own and, in their order, what others have left meanwhile, until there is nothing left. Where
 * no exchange is free to go on with, a thread waits for its own answer.
 */
#ifndef CHATS_HTTP_ANSWERS_H
#define CHATS_HTTP_ANSWERS_H

#include <pthread.h>

#include "http/http.h"

struct answers {
    pthread_mutex_t mutex;
    struct exchange **spare; /* a stack: the one that was used last is the warmest */
    size_t spare_count;
    struct exchange **waiting; /* a ring of as many places as there are spares */
    size_t places;
    size_t first; /* of those that wait */
    size_t waiting_count;
    bool has_sender; /* a thread is sending them */
};

/* For up to `places` answers. False when out of memory: nothing is to be freed. */
bool answers_init(struct answers *a, size_t places) __attribute__((warn_unused_result));

/* One exchange more to go on with, up to `places` in all. Borrowed. Before any other thread calls. */
void answers_add_spare(struct answers *a, struct exchange *x);

/*
 * After exchange_run: sees to it that the answer of x leaves once it is on the disk; returns the exchange that the
 * caller goes on with, which may be x. *ret_sweeps: store_auth_sweep is due. Any number of threads may call it at once;
 * when all have come back every answer has left.
 */
struct exchange *answers_leave(struct answers *a, struct exchange *x, bool *ret_sweeps);

/* Frees it; the exchanges are their owner's. Nobody may be in a call. */
void answers_clear(struct answers *a);

#endif
