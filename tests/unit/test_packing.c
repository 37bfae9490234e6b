/*
 * packing, in one process: leaf pages are full, and nothing else is changed. tests/crash kills it.
 */
#include "prunebench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bdb/txn.h"
#include "store/packing.h"

#define NEIGHBOURS 8u

/* c1 grows, and a message is sent to each of its neighbours in turn with each of its own. */
static void grow_by_turns(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        grow(f, 1);
        for (unsigned n = 0; n < NEIGHBOURS; n++) {
            char chat[16];
            char id[16];
            struct message message;
            snprintf(chat, sizeof chat, "n%u", n);
            snprintf(id, sizeof id, "m%u", f->next);
            assert_int_equal(append(f, "micro", chat, id, f->text, &message), STORE_OK);
        }
    }
}

static void room_for_turns(struct fixture *f, size_t text_bytes)
{
    static char text[2000];
    memset(text, 'x', sizeof text);
    f->text = (struct text){text, text_bytes};
    f->store->now_ns = fixed_clock_ns;
    for (unsigned n = 0; n < NEIGHBOURS; n++) {
        char chat[16];
        snprintf(chat, sizeof chat, "n%u", n);
        create(f, "micro", chat, "a", chat);
        if (n == NEIGHBOURS / 2) {
            create(f, "micro", "c1", "a", "b");
        }
    }
}

struct filling {
    enum tree tree;
    double ret; /* of the leaf pages' bytes */
};

static enum store_status filling_body(struct txn *txn, void *args)
{
    struct filling *filling = args;
    DB *tree = NULL;
    DB_BTREE_STAT *stat = NULL;
    assert_int_equal(txn_tree_to_read(txn, (int)filling->tree, &tree), 0);
    assert_int_equal(tree->stat(tree, NULL, &stat, 0), 0);
    filling->ret = 1 - (double)stat->bt_leaf_pgfree / ((double)stat->bt_leaf_pg * ENV_PAGE_BYTES);
    free(stat);
    return STORE_OK;
}

static double filling_of(struct fixture *f, enum tree tree)
{
    struct filling filling = {.tree = tree};
    assert_int_equal(txn_read(f->store->env, filling_body, &filling), STORE_OK);
    return filling.ret;
}

static void chats_that_grow_by_turns_fill_their_leaf_pages(void **state)
{
    struct fixture *f = *state;
    room_for_turns(f, 100);
    grow_by_turns(f, 4 * PACKING_SPAN_BY_TIME);
    assert_true(filling_of(f, TREE_MESSAGES) > 0.85); /* else 0.55 */
    assert_true(filling_of(f, TREE_MESSAGES_BY_TIME) > 0.80);
    all_pages_are_the_models(f);
    check(f, NEIGHBOURS + 1, (NEIGHBOURS + 1) * (uint64_t)f->next);
}

static void packing_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const size_t sizes[] = {1, 500, 1000, 37, 2000, 250};
    unsigned sent = 0;
    room_for_turns(f, 1);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        f->text.bytes = sizes[i];
        grow_by_turns(f, 97);
        sent += 97;
        f->first = sent - 60; /* the next spans begin with messages that are gone */
        (void)prune(f, "", BASE_NS + f->first);
        all_pages_are_the_models(f);
    }
    check(f, NEIGHBOURS + 1, (NEIGHBOURS + 1) * (uint64_t)(f->next - f->first));
}

/* A message of c1 with the next sequence number, which is packed; then the transaction fails. */
static enum store_status taken_back_body(struct txn *txn, void *args)
{
    struct fixture *f = args;
    struct record_message last;
    struct buffer record;
    uint64_t number = 0;
    uint64_t sequence = 0;
    assert_int_equal(chat_find(txn, &c1, &number), STORE_OK);
    assert_int_equal(message_last(txn, number, &sequence, &last), STORE_OK);
    assert_int_equal((sequence + 1) % PACKING_SPAN_BY_TIME, 0);
    buffer_init(&record, 4096);
    record_message_encode(&record, text_of("never"), text_of("a"), f->text);
    record_message_stamp(record.data, last.sent_at_ns + 1);
    struct text bytes = {record.data, record.bytes};
    assert_int_equal(message_put_next(txn, number, sequence, &last, bytes), STORE_OK);
    buffer_clear(&record);
    return STORE_CONFLICT;
}

static void a_packing_that_is_taken_back_changes_nothing(void **state)
{
    struct fixture *f = *state;
    room_for_turns(f, 100);
    for (unsigned i = 0; i < 3; i++) {
        grow_by_turns(f, PACKING_SPAN_BY_TIME - 1 - f->next % PACKING_SPAN_BY_TIME);
        assert_int_equal(txn_write(f->store->env, taken_back_body, f), STORE_CONFLICT);
        all_pages_are_the_models(f);
        check(f, NEIGHBOURS + 1, (NEIGHBOURS + 1) * (uint64_t)f->next);
        grow_by_turns(f, 1);
        all_pages_are_the_models(f);
    }
    check(f, NEIGHBOURS + 1, (NEIGHBOURS + 1) * (uint64_t)f->next);
}

static void a_recovery_packs_as_the_log_says(void **state)
{
    struct fixture *f = *state;
    room_for_turns(f, 100);
    grow_by_turns(f, 2 * PACKING_SPAN_BY_TIME + 1);
    gate_plan_recovery(f->store->env->gate, "the test asked for it");
    all_pages_are_the_models(f);
    check(f, NEIGHBOURS + 1, (NEIGHBOURS + 1) * (uint64_t)f->next);
    assert_true(filling_of(f, TREE_MESSAGES) > 0.85);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(chats_that_grow_by_turns_fill_their_leaf_pages),
        CASE(packing_changes_nothing),
        CASE(a_packing_that_is_taken_back_changes_nothing),
        CASE(a_recovery_packs_as_the_log_says),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
