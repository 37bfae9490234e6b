/*
 * export, in one process: what happens to a home between the batches of an export, and what is given then.
 * tests/e2e/test_moving has the rest, and import.
 */
#include "prunebench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/transfer.h"

#define MESSAGES 60u
#define TEXT_BYTES 4000u /* so they take several batches */

/* What an export gave, and what is done to the home meanwhile. */
struct taken {
    struct fixture *f;
    unsigned chats;
    unsigned messages;
    unsigned last; /* number of the message given last */
    uint64_t last_sent_at_ns;
    unsigned stop_after;      /* messages; 0: never */
    bool grows;               /* for each message that is given another one is sent */
    uint64_t prune_before_ns; /* at the first message; 0: not */
};

static bool take_chat(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    struct taken *taken = context;
    assert_true(text_equal(namespace, text_of("micro")) && text_equal(chat->id, text_of("c1")));
    taken->last_sent_at_ns = last_sent_at_ns;
    taken->chats++;
    return true;
}

static bool take_message(void *context, struct text namespace, struct text chat_id, const struct message *message)
{
    struct taken *taken = context;
    struct fixture *f = taken->f;
    assert_true(text_equal(namespace, text_of("micro")) && text_equal(chat_id, text_of("c1")));
    assert_int_equal(message->text.bytes, TEXT_BYTES);
    unsigned number = (unsigned)(message->sent_at_ns - BASE_NS);
    char id[16];
    snprintf(id, sizeof id, "m%u", number);
    assert_true(text_equal(message->id, text_of(id)));
    assert_true(taken->messages == 0 || number > taken->last);
    assert_true(number < f->next);
    taken->last = number;
    taken->messages++;
    assert_true(taken->messages <= MESSAGES); /* it goes on and on */
    if (taken->messages == 1 && taken->prune_before_ns != 0) {
        (void)prune(f, "micro", taken->prune_before_ns);
    }
    if (taken->grows) {
        grow(f, 1);
    }
    return taken->messages != taken->stop_after;
}

static void fill(struct fixture *f)
{
    static char text[TEXT_BYTES];
    memset(text, 'x', sizeof text);
    f->text = (struct text){text, sizeof text};
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    grow(f, MESSAGES);
}

static void export(struct fixture *f, struct taken *taken)
{
    taken->f = f;
    const struct store_export order = {.chat = take_chat, .message = take_message, .context = taken};
    assert_int_equal(store_export(f->store, &order), STORE_OK);
    assert_int_equal(taken->chats, 1);
}

static void an_export_ends_although_messages_are_sent_all_the_time(void **state)
{
    struct taken taken = {.grows = true};
    fill(*state);
    export(*state, &taken);
    assert_int_equal(taken.messages, MESSAGES);
    assert_int_equal(taken.last, MESSAGES - 1);
    assert_int_equal(taken.last_sent_at_ns, 0);
}

/* The batch that was read already is given, then the marker is met. */
static void what_is_pruned_while_an_export_runs_is_left_out(void **state)
{
    struct fixture *f = *state;
    struct taken all = {.prune_before_ns = UINT64_MAX};
    struct taken some = {.prune_before_ns = BASE_NS + MESSAGES + MESSAGES - 5};
    struct taken none = {.grows = false};
    fill(f);
    export(f, &all);
    assert_in_range(all.messages, 1, MESSAGES / 2);
    grow(f, MESSAGES);
    export(f, &some);
    assert_in_range(some.messages, 5, MESSAGES / 2);
    assert_int_equal(some.last, 2 * MESSAGES - 1);
    assert_int_equal(prune(f, "micro", UINT64_MAX), 5);
    export(f, &none);
    assert_int_equal(none.messages, 0);
    assert_int_equal(none.last_sent_at_ns, BASE_NS + MESSAGES + MESSAGES - 1);
}

static void an_export_that_is_told_to_stop_does(void **state)
{
    struct taken taken = {.stop_after = 3};
    fill(*state);
    export(*state, &taken);
    assert_int_equal(taken.messages, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_export_ends_although_messages_are_sent_all_the_time),
        CASE(what_is_pruned_while_an_export_runs_is_left_out),
        CASE(an_export_that_is_told_to_stop_does),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
