/*
 * Who sends the answers that wait for the disk: the exchanges are made up, the disk is a condition of the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "http/answers.h"

#define THREADS 4u
#define PLACES 6u
#define CALLS 2000u

struct exchange {
    atomic_bool waits;
    atomic_bool sweeps;
    atomic_uint answered;
    atomic_bool busy; /* somebody is answering it */
    unsigned order;   /* among all that were answered */
};

static pthread_mutex_t disk_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t disk_moves = PTHREAD_COND_INITIALIZER;
static bool disk_stands;
static atomic_uint disk_waiting; /* who waits for it */
static atomic_uint answered;

bool exchange_waits(struct exchange *x)
{
    return atomic_load(&x->waits);
}

bool exchange_answer(struct exchange *x)
{
    if (atomic_exchange(&x->busy, true)) {
        abort(); /* two at once; not an assertion, which would jump out of its thread */
    }
    if (atomic_load(&x->waits)) {
        pthread_mutex_lock(&disk_mutex);
        atomic_fetch_add(&disk_waiting, 1);
        while (disk_stands) {
            pthread_cond_wait(&disk_moves, &disk_mutex);
        }
        atomic_fetch_sub(&disk_waiting, 1);
        pthread_mutex_unlock(&disk_mutex);
    }
    x->order = atomic_fetch_add(&answered, 1);
    atomic_fetch_add(&x->answered, 1);
    atomic_store(&x->busy, false);
    return atomic_load(&x->sweeps);
}

static void disk_set(bool stands)
{
    pthread_mutex_lock(&disk_mutex);
    disk_stands = stands;
    pthread_cond_broadcast(&disk_moves);
    pthread_mutex_unlock(&disk_mutex);
}

static void await(atomic_uint *value, unsigned wanted)
{
    while (atomic_load(value) != wanted) {
        sched_yield();
    }
}

struct leaving {
    struct answers *answers;
    struct exchange *exchange;
    bool sweeps;
    pthread_t thread;
};

static void *leave(void *context)
{
    struct leaving *l = context;
    l->exchange = answers_leave(l->answers, l->exchange, &l->sweeps);
    return NULL;
}

static void an_answer_that_does_not_wait_is_sent_at_once(void **state)
{
    (void)state;
    struct answers answers;
    struct exchange x = {0};
    bool sweeps = true;
    assert_true(answers_init(&answers, 0));
    assert_ptr_equal(answers_leave(&answers, &x, &sweeps), &x);
    assert_int_equal(x.answered, 1);
    assert_false(sweeps);
    x.sweeps = true;
    assert_ptr_equal(answers_leave(&answers, &x, &sweeps), &x);
    assert_true(sweeps);
    answers_clear(&answers);
}

static void the_first_waits_and_sends_what_others_left_in_their_order(void **state)
{
    (void)state;
    struct answers answers;
    struct exchange spares[2] = {{.waits = true}, {.waits = true}};
    struct exchange own[4] = {{.waits = true}, {.waits = true}, {.waits = true}, {.waits = true}};
    struct leaving first = {.answers = &answers, .exchange = &own[0]};
    struct leaving last = {.answers = &answers, .exchange = &own[3]};
    bool sweeps = true;
    assert_true(answers_init(&answers, 2));
    answers_add_spare(&answers, &spares[0]);
    answers_add_spare(&answers, &spares[1]);
    atomic_store(&answered, 0);
    disk_set(true);
    assert_int_equal(pthread_create(&first.thread, NULL, leave, &first), 0);
    await(&disk_waiting, 1);
    /* Two find a spare exchange, and do not wait. */
    assert_ptr_equal(answers_leave(&answers, &own[1], &sweeps), &spares[1]);
    assert_false(sweeps);
    assert_ptr_equal(answers_leave(&answers, &own[2], &sweeps), &spares[0]);
    assert_int_equal(atomic_load(&answered), 0);
    /* The next finds none, and waits for itself. */
    assert_int_equal(pthread_create(&last.thread, NULL, leave, &last), 0);
    await(&disk_waiting, 2);
    disk_set(false);
    pthread_join(first.thread, NULL);
    pthread_join(last.thread, NULL);
    assert_ptr_equal(first.exchange, &own[0]);
    assert_ptr_equal(last.exchange, &own[3]);
    assert_false(first.sweeps);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(own[i].answered, 1);
    }
    assert_true(own[0].order < own[1].order && own[1].order < own[2].order);
    /* What was answered is free again. */
    disk_set(true);
    first.exchange = &own[0];
    assert_int_equal(pthread_create(&first.thread, NULL, leave, &first), 0);
    await(&disk_waiting, 1);
    assert_ptr_equal(answers_leave(&answers, &spares[0], &sweeps), &own[2]);
    disk_set(false);
    pthread_join(first.thread, NULL);
    assert_int_equal(spares[0].answered, 1);
    answers_clear(&answers);
}

static void *call_often(void *context)
{
    struct leaving *l = context;
    for (unsigned i = 0; i < CALLS; i++) {
        bool sweeps;
        atomic_store(&l->exchange->waits, i % 5 != 0);
        l->exchange = answers_leave(l->answers, l->exchange, &sweeps);
    }
    return NULL;
}

static void when_all_have_come_back_every_answer_has_left_once(void **state)
{
    (void)state;
    struct answers answers;
    struct exchange all[THREADS + PLACES] = {{0}};
    struct leaving callers[THREADS];
    unsigned sent = 0;
    assert_true(answers_init(&answers, PLACES));
    for (size_t i = 0; i < PLACES; i++) {
        answers_add_spare(&answers, &all[THREADS + i]);
    }
    for (size_t i = 0; i < THREADS; i++) {
        callers[i] = (struct leaving){.answers = &answers, .exchange = &all[i]};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(callers[i].thread, NULL);
    }
    for (size_t i = 0; i < THREADS + PLACES; i++) {
        sent += all[i].answered;
    }
    assert_int_equal(sent, THREADS * CALLS);
    assert_int_equal(answers.spare_count, PLACES);
    assert_int_equal(answers.waiting_count, 0);
    answers_clear(&answers);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_that_does_not_wait_is_sent_at_once),
        cmocka_unit_test(the_first_waits_and_sends_what_others_left_in_their_order),
        cmocka_unit_test(when_all_have_come_back_every_answer_has_left_once),
    };
    return cmocka_run_group_tests_name("answers", tests, NULL, NULL);
}
