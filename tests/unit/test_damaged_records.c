/*
 * Records that are not what the program writes, on pages that are whole: nothing that was acknowledged is overwritten,
 * nothing is given out that no client sent, and the check tells of it and goes on. Most were found by
 * tests/fuzz/stored.
 */
#include "authbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

struct raw {
    enum tree tree;
    struct text key;
    struct text record;
    const char *file; /* of the tree, to go behind the library's back: its indexes are left as they are */
};

static enum store_status put_body(struct txn *txn, void *args)
{
    const struct raw *raw = args;
    DB *tree = NULL;
    DBT key = store_dbt(raw->key.data, raw->key.bytes);
    DBT value = store_dbt(raw->record.data, raw->record.bytes);
    int error = txn_tree_to_write(txn, (int)raw->tree, &tree);
    if (error == 0) {
        error = tree->put(tree, txn->handle, &key, &value, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "putting a raw record");
}

static enum store_status remove_plain_body(struct txn *txn, void *args)
{
    const struct raw *raw = args;
    DB *plain = NULL;
    DBT key = store_dbt(raw->key.data, raw->key.bytes);
    int error = db_create(&plain, txn->env->handle, 0);
    if (error == 0) {
        error = plain->open(plain, txn->handle, raw->file, NULL, DB_BTREE, 0, 0);
    }
    if (error == 0) {
        error = plain->del(plain, txn->handle, &key, 0);
    }
    if (plain != NULL) {
        (void)plain->close(plain, DB_NOSYNC);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "removing a raw record");
}

static void put(const struct bench *b, enum tree tree, const void *key, size_t key_bytes, struct text record)
{
    struct raw raw = {.tree = tree, .key = {key, key_bytes}, .record = record};
    assert_int_equal(txn_write(b->store->env, put_body, &raw), STORE_OK);
}

static struct chat_ref room(void)
{
    return (struct chat_ref){.namespace = NAMESPACE, .id = TEXT_LITERAL("room")};
}

static enum store_status create(struct bench *b, const char *id)
{
    struct text members[] = {TEXT_LITERAL("jane"), text_of(id)};
    const struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
    struct chat chat;
    return store_chat_create(b->store, NAMESPACE, &draft, &b->arena, &chat, NULL);
}

static enum store_status append(struct bench *b, const char *id)
{
    struct chat_ref chat = room();
    const struct message draft = {.id = text_of(id), .author = TEXT_LITERAL("jane"), .text = TEXT_LITERAL("text")};
    struct message message;
    return store_message_append(b->store, &chat, &draft, &message, NULL);
}

static bool count_message(void *context, const struct message *m)
{
    unsigned *count = context;
    assert_true(m->id.bytes > 0 && m->author.bytes > 0);
    (*count)++;
    return true;
}

static enum store_status list(struct bench *b, unsigned *ret_count)
{
    struct chat_ref chat = room();
    const struct page_query query = {.limit = 25};
    struct store_page page;
    *ret_count = 0;
    enum store_status status = store_page_open(b->store, &chat, &query, &page, NULL);
    if (status == STORE_OK) {
        status = store_page_read(b->store, &page, count_message, ret_count);
    }
    store_page_clear(&page);
    return status;
}

static void remember(void *context, const char *problem)
{
    char *said = context;
    strncat(said, problem, 500);
}

/* The check goes through and finds this many problems, the words among them. */
static void check(const struct bench *b, unsigned problems, const char *words)
{
    char said[4096] = "";
    struct store_check report = {.say = remember, .context = said};
    assert_int_equal(store_check(b->store, &report), STORE_OK);
    assert_int_equal(report.problems, problems);
    assert_non_null(strstr(said, words));
}

/* The chat "room", the first of all, with three messages. */
static void make_room(struct bench *b)
{
    assert_int_equal(create(b, "room"), STORE_OK);
    assert_int_equal(append(b, "m1"), STORE_OK);
    assert_int_equal(append(b, "m2"), STORE_OK);
    assert_int_equal(append(b, "m3"), STORE_OK);
}

/* The chat's record, with another number. */
static void renumber(struct bench *b, uint64_t number)
{
    struct text members[] = {TEXT_LITERAL("jane"), TEXT_LITERAL("room")};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    uint8_t key[RECORD_KEY_NAME_BYTES_MAX];
    struct buffer record;
    buffer_init(&record, 1024);
    crypto_digest_list(members, 2, digest);
    record_chat_encode(&record, members, 2, digest);
    record_chat_stamp(record.data, number, 1);
    put(b, TREE_CHATS, key, record_key_name(NAMESPACE, TEXT_LITERAL("room"), key),
        (struct text){record.data, record.bytes});
    buffer_clear(&record);
}

static void a_marker_among_messages_is_damage_and_not_shown(void **state)
{
    struct bench *b = *state;
    uint8_t key[RECORD_KEY_PAIR_BYTES];
    uint8_t marker[RECORD_MESSAGE_HEAD_BYTES];
    unsigned count = 0;
    make_room(b);
    struct text record = {(const char *)marker, record_marker_encode(5, marker)};
    put(b, TREE_MESSAGES, key, record_key_pair(1, 2, key), record);
    assert_int_equal(list(b, &count), STORE_CORRUPT);
    assert_int_equal(count, 1);
}

static void a_chat_of_no_possible_number_is_damage(void **state)
{
    struct bench *b = *state;
    unsigned count = 0;
    make_room(b);
    renumber(b, RECORD_CHAT_NUMBER_MAX + 1);
    assert_int_equal(append(b, "m4"), STORE_CORRUPT);
    assert_int_equal(list(b, &count), STORE_CORRUPT);
    renumber(b, RECORD_CHAT_NUMBER_MAX);
    assert_int_equal(append(b, "m4"), STORE_OK);
    assert_int_equal(append(b, "m5"), STORE_OK);
    assert_int_equal(list(b, &count), STORE_OK);
    assert_int_equal(count, 2);
}

static void a_counter_at_its_end_makes_no_chat(void **state)
{
    struct bench *b = *state;
    static const char name[] = "next_chat";
    uint8_t number[8];
    record_put_u64(number, RECORD_CHAT_NUMBER_MAX + 1);
    put(b, TREE_META, name, sizeof name - 1, (struct text){(const char *)number, sizeof number});
    assert_int_equal(create(b, "room"), STORE_CORRUPT);
}

static void a_sequence_at_its_end_takes_the_place_of_nothing(void **state)
{
    struct bench *b = *state;
    uint8_t key[RECORD_KEY_PAIR_BYTES];
    struct buffer record;
    make_room(b);
    buffer_init(&record, 1024);
    record_message_encode(&record, TEXT_LITERAL("last"), TEXT_LITERAL("jane"), TEXT_LITERAL("text"));
    record_message_stamp(record.data, bench_now_ns() + 100);
    struct text last = {record.data, record.bytes};
    put(b, TREE_MESSAGES, key, record_key_pair(1, UINT64_MAX, key), last);
    record_message_stamp(record.data, 50); /* it stands where the number after the last one comes round */
    put(b, TREE_MESSAGES, key, record_key_pair(1, 0, key), (struct text){record.data, RECORD_MESSAGE_HEAD_BYTES});
    assert_int_equal(append(b, "m4"), STORE_CORRUPT);
    assert_int_equal(append(b, "m1"), STORE_EXISTS);
    buffer_clear(&record);
}

static void the_check_names_an_index_that_leads_nowhere_and_goes_on(void **state)
{
    struct bench *b = *state;
    uint8_t key[RECORD_KEY_PAIR_BYTES];
    make_room(b);
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "hash"), STORE_OK);
    struct raw raw = {.key = {(const char *)key, record_key_pair(1, 3, key)}, .file = "messages.db"};
    assert_int_equal(txn_write(b->store->env, remove_plain_body, &raw), STORE_OK);
    check(b, 2, "the index 'messages_by_time' leads to a record that is not there");
    check(b, 2, "the index 'messages_by_id' leads to a record that is not there");
}

static void the_check_goes_on_behind_a_key_longer_than_ours(void **state)
{
    struct bench *b = *state;
    char key[2000];
    memset(key, 'k', sizeof key);
    put(b, TREE_LOGINS, key, sizeof key, TEXT_LITERAL("record"));
    put(b, TREE_LOGINS, "z", 1, TEXT_LITERAL("record"));
    check(b, 2, "a record in the tree 'logins' is damaged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_marker_among_messages_is_damage_and_not_shown, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_chat_of_no_possible_number_is_damage, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_counter_at_its_end_makes_no_chat, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_sequence_at_its_end_takes_the_place_of_nothing, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(the_check_names_an_index_that_leads_nowhere_and_goes_on, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(the_check_goes_on_behind_a_key_longer_than_ours, bench_open, bench_close),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
