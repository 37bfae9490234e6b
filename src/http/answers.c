#include "http/answers.h"

#include <stdlib.h>

bool answers_init(struct answers *a, size_t places)
{
    *a = (struct answers){.mutex = PTHREAD_MUTEX_INITIALIZER, .places = places};
    a->spare = calloc(places + 1, sizeof(struct exchange *)); /* none would be as good as no memory */
    a->waiting = calloc(places + 1, sizeof(struct exchange *));
    if (a->spare == NULL || a->waiting == NULL) {
        free(a->spare);
        free(a->waiting);
        return false;
    }
    return true;
}

void answers_add_spare(struct answers *a, struct exchange *x)
{
    a->spare[a->spare_count++] = x;
}

void answers_clear(struct answers *a)
{
    free(a->spare);
    free(a->waiting);
}

/* With the mutex: puts x behind those that wait. The exchange to go on with, or NULL: there is none, and x stays. */
static struct exchange *answers_put(struct answers *a, struct exchange *x)
{
    if (a->spare_count == 0) {
        return NULL;
    }
    a->waiting[(a->first + a->waiting_count++) % a->places] = x;
    return a->spare[--a->spare_count];
}

/* With the mutex: the one that has waited longest, or NULL. */
static struct exchange *answers_take(struct answers *a)
{
    if (a->waiting_count == 0) {
        return NULL;
    }
    struct exchange *x = a->waiting[a->first];
    a->first = (a->first + 1) % a->places;
    a->waiting_count--;
    return x;
}

/* By the sender: what others have left, until there is nothing. */
static void answers_send(struct answers *a)
{
    pthread_mutex_lock(&a->mutex);
    struct exchange *x;
    while ((x = answers_take(a)) != NULL) {
        pthread_mutex_unlock(&a->mutex);
        bool sweeps = exchange_answer(x);
        (void)sweeps; /* exchange_waits has said that nothing is due after it */
        pthread_mutex_lock(&a->mutex);
        a->spare[a->spare_count++] = x;
    }
    a->has_sender = false;
    pthread_mutex_unlock(&a->mutex);
}

struct exchange *answers_leave(struct answers *a, struct exchange *x, bool *ret_sweeps)
{
    struct exchange *next = NULL;
    bool sends = false;
    if (exchange_waits(x)) {
        pthread_mutex_lock(&a->mutex);
        if (a->has_sender) {
            next = answers_put(a, x);
        } else {
            a->has_sender = true;
            sends = true;
        }
        pthread_mutex_unlock(&a->mutex);
    }
    if (next != NULL) {
        *ret_sweeps = false;
        return next;
    }
    *ret_sweeps = exchange_answer(x);
    if (sends) {
        answers_send(a);
    }
    return x;
}
