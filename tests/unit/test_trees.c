/*
 * Trees are opened when they are used (bdb/env.h): what a process opens, that no index is ever left behind, and what
 * becomes of a tree that does not open. Each test looks with a second store on the home, which stands for a process
 * that has joined and opened nothing yet; the first has recovered, and opened all.
 */
#include "authbench.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bdb/txn.h"

static enum store_status create(struct store *store, const char *id, const char *other)
{
    struct text members[] = {TEXT_LITERAL("jane"), text_of(other)};
    struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
    struct arena arena = {NULL};
    struct chat chat;
    enum store_status status = store_chat_create(store, NAMESPACE, &draft, &arena, &chat, NULL);
    arena_clear(&arena);
    return status;
}

static enum store_status append(struct store *store, const char *chat, const char *id)
{
    struct chat_ref ref = {.namespace = NAMESPACE, .id = text_of(chat)};
    struct message draft = {.id = text_of(id), .author = TEXT_LITERAL("jane"), .text = TEXT_LITERAL("hello")};
    struct message message;
    return store_message_append(store, &ref, &draft, &message, NULL);
}

static bool count_message(void *context, const struct message *message)
{
    (void)message;
    ++*(unsigned *)context;
    return true;
}

/* How many messages a page has; `before`: by the index of times. */
static unsigned list(struct store *store, const char *chat, bool before)
{
    struct chat_ref ref = {.namespace = NAMESPACE, .id = text_of(chat)};
    struct page_query query = {.limit = 100, .has_before = before, .before_ns = UINT64_MAX};
    struct store_page page;
    unsigned count = 0;
    assert_int_equal(store_page_open(store, &ref, &query, &page, NULL), STORE_OK);
    assert_int_equal(store_page_read(store, &page, count_message, &count), STORE_OK);
    store_page_clear(&page);
    return count;
}

static uint64_t problems(struct store *store)
{
    struct store_check check = {0};
    assert_int_equal(store_check(store, &check), STORE_OK);
    return check.problems;
}

static uint64_t log_end(struct env *env)
{
    uint64_t end = 0;
    assert_int_equal(env_enter(env, GATE_READING), STORE_OK);
    assert_int_equal(env_log_end(env->handle, &end), 0);
    env_leave(env);
    return end;
}

static unsigned opened(DB *const *trees)
{
    unsigned set = 0;
    for (int i = 0; i < TREES; i++) {
        set |= trees[i] != NULL ? 1u << i : 0;
    }
    return set;
}

#define OF(tree) (1u << (tree))
#define MESSAGES (OF(TREE_MESSAGES) | OF(TREE_MESSAGES_BY_TIME) | OF(TREE_MESSAGES_BY_ID))

static void prepare(struct bench *b)
{
    assert_int_equal(create(b->store, "c1", "john"), STORE_OK);
    assert_int_equal(append(b->store, "c1", "m1"), STORE_OK);
    assert_int_equal(bench_add(b, "jane", ACCOUNT_USER, ""), STORE_OK);
    assert_int_equal(bench_issue(b, "jane", "access", "refresh"), STORE_OK);
}

static void who_reads_opens_what_it_reads_and_writes_nothing_to_the_log(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    uint64_t end = log_end(b->store->env);
    assert_int_equal(list(other, "c1", false), 1);
    assert_int_equal(opened(other->env->writers), 0);
    assert_int_equal(opened(other->env->readers), OF(TREE_CHATS) | OF(TREE_MESSAGES));
    assert_int_equal(bench_check(other, "access"), STORE_OK);
    assert_int_equal(list(other, "c1", true), 1);
    assert_int_equal(opened(other->env->writers), 0);
    store_close(other);
    assert_true(log_end(b->store->env) == end);
}

static void a_write_by_who_had_opened_only_part_keeps_all_indexes(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(list(other, "c1", false), 1);
    assert_int_equal(append(other, "c1", "m2"), STORE_OK);
    assert_int_equal(opened(other->env->writers), MESSAGES);
    assert_int_equal(append(other, "c1", "m2"), STORE_EXISTS);
    assert_int_equal(list(other, "c1", true), 2);
    assert_int_equal(create(other, "c2", "jim"), STORE_OK);
    assert_int_equal(create(other, "c3", "jim"), STORE_EXISTS);
    assert_int_equal(append(other, "c2", "m1"), STORE_OK);
    /* The reader's handle of before, too, sees what was written by the other one. */
    assert_int_equal(list(other, "c2", false), 1);
    struct bench second = *b;
    second.store = other;
    assert_int_equal(bench_issue(&second, "jane", "access 2", "refresh 2"), STORE_OK);
    assert_int_equal(bench_revoke(&second, "access"), STORE_OK);
    assert_int_equal(problems(other), 0);
    store_close(other);
    assert_int_equal(problems(b->store), 0);
    assert_int_equal(bench_check(b->store, "access 2"), STORE_OK);
    assert_int_equal(bench_check(b->store, "access"), STORE_NOT_FOUND);
}

static enum store_status write_a_reader_body(struct txn *txn, void *args)
{
    DB *chats = NULL;
    DBT key = store_dbt("k", 1);
    DBT value = store_dbt("v", 1);
    (void)args;
    assert_int_equal(txn_tree_to_read(txn, TREE_CHATS, &chats), 0);
    assert_ptr_equal(chats, txn->env->readers[TREE_CHATS]);
    assert_int_not_equal(chats->put(chats, NULL, &key, &value, 0), 0);
    assert_int_not_equal(chats->put(chats, txn->handle, &key, &value, 0), 0);
    assert_int_not_equal(chats->del(chats, NULL, &key, 0), 0);
    return STORE_NOT_FOUND;
}

static void a_tree_that_was_opened_to_be_read_refuses_to_be_written(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(txn_write(other->env, write_a_reader_body, NULL), STORE_NOT_FOUND);
    assert_int_equal(create(other, "c2", "jim"), STORE_OK);
    assert_int_equal(problems(other), 0);
    store_close(other);
}

static void rename_tree(const struct bench *b, const char *from, const char *to)
{
    char old[128];
    char new[128];
    snprintf(old, sizeof old, "%s/%s", b->home, from);
    snprintf(new, sizeof new, "%s/%s", b->home, to);
    assert_int_equal(rename(old, new), 0);
}

static void a_tree_whose_index_does_not_open_is_not_written(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(list(other, "c1", false), 1);
    rename_tree(b, "messages_by_id.db", "away");
    assert_int_equal(append(other, "c1", "m2"), STORE_UNAVAILABLE);
    assert_null(other->env->writers[TREE_MESSAGES_BY_ID]);
    assert_true(gate_recovery_wanted(other->env->gate));
    rename_tree(b, "away", "messages_by_id.db");
    assert_int_equal(list(other, "c1", true), 1);
    assert_int_equal(append(other, "c1", "m2"), STORE_OK);
    assert_int_equal(problems(other), 0);
    assert_int_equal(list(b->store, "c1", true), 2);
    store_close(other);
}

static void a_tree_that_is_gone_is_an_error_and_not_an_empty_one(void **state)
{
    struct bench *b = *state;
    struct chat_ref ref = {.namespace = NAMESPACE, .id = TEXT_LITERAL("c1")};
    struct page_query query = {.limit = 1};
    struct store_page page;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(bench_check(other, "access"), STORE_OK);
    assert_int_equal(env_checkpoint(b->store->env, true), STORE_OK); /* else recovery makes it anew, of the log */
    rename_tree(b, "chats.db", "away");
    assert_int_equal(store_page_open(other, &ref, &query, &page, NULL), STORE_UNAVAILABLE);
    store_page_clear(&page);
    assert_int_equal(store_page_open(other, &ref, &query, &page, NULL), STORE_UNAVAILABLE);
    store_page_clear(&page);
    rename_tree(b, "away", "chats.db");
    store_close(other);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count;
}

static void a_tree_costs_one_descriptor_and_none_where_it_does_not_open(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(store_ping(other), STORE_OK);
    unsigned before = descriptors();
    assert_int_equal(list(other, "c1", false), 1);
    assert_int_equal(descriptors(), before + 2);
    store_close(other);

    char path[128];
    snprintf(path, sizeof path, "%s/logins.db", b->home);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, 8192), 0);
    other = bench_store(b);
    assert_int_equal(store_ping(other), STORE_OK);
    before = descriptors();
    for (int tries = 0; tries < 3; tries++) {
        DB *trees[TREES] = {NULL};
        assert_int_equal(env_enter(other->env, GATE_READING), STORE_OK);
        assert_int_not_equal(env_open_tree(other->env, trees, TREE_LOGINS, false, DB_RDONLY), 0);
        env_leave(other->env);
    }
    assert_int_equal(descriptors(), before);
    store_close(other);
}

/* A message, as a process does that serves one call: it waits for the disk when it has left. */
static enum store_status append_and_leave(struct store *store, const char *chat)
{
    struct chat_ref ref = {.namespace = NAMESPACE, .id = text_of(chat)};
    struct message draft = {.author = TEXT_LITERAL("jane"), .text = TEXT_LITERAL("hello")};
    struct message message;
    char id[CRYPTO_UUID_BYTES];
    struct store_ticket ticket = {0};
    crypto_uuid(id);
    draft.id = (struct text){id, sizeof id};
    enum store_status status = store_message_append(store, &ref, &draft, &message, &ticket);
    return status == STORE_OK ? store_wait(store, &ticket) : status;
}

static unsigned list_and_leave(struct store *store, const char *chat)
{
    struct chat_ref ref = {.namespace = NAMESPACE, .id = text_of(chat)};
    struct page_query query = {.limit = 1000};
    struct store_page page;
    struct store_ticket ticket = {0};
    unsigned count = 0;
    assert_int_equal(store_page_open(store, &ref, &query, &page, &ticket), STORE_OK);
    assert_int_equal(store_page_read(store, &page, count_message, &count), STORE_OK);
    assert_int_equal(store_wait(store, &ticket), STORE_OK);
    store_page_clear(&page);
    return count;
}

static void who_serves_one_call_leaves_with_it(void **state)
{
    struct bench *b = *state;
    prepare(b);
    const struct gate_page *page = b->store->env->gate->page;
    uint64_t living = page->joins - page->leaves;
    struct store *other = bench_store(b);
    store_serve_one_call(other);
    assert_int_equal(append_and_leave(other, "c1"), STORE_OK);
    assert_null(other->env->handle);
    assert_int_equal(opened(other->env->writers), 0);
    assert_true(page->joins - page->leaves == living);
    /* It comes in again, should there be more. */
    assert_int_equal(list_and_leave(other, "c1"), 2);
    assert_int_equal(append_and_leave(other, "c1"), STORE_OK);
    assert_int_equal(bench_check(other, "access"), STORE_OK);
    assert_true(page->joins - page->leaves == living + 1);
    assert_false(store_wants_renewal(other));
    store_close(other);
    assert_true(page->joins - page->leaves == living);
    assert_false(gate_recovery_wanted(b->store->env->gate));
    assert_int_equal(list(b->store, "c1", true), 3);
    assert_int_equal(problems(b->store), 0);
}

static void who_serves_one_call_stays_for_what_is_left_of_it(void **state)
{
    struct bench *b = *state;
    prepare(b);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(append_and_leave(b->store, "c1"), STORE_OK);
    }
    const struct gate_page *page = b->store->env->gate->page;
    uint64_t joins = page->joins;
    struct store *other = bench_store(b);
    store_serve_one_call(other);
    /* More messages than a hold reads. */
    assert_int_equal(list_and_leave(other, "c1"), 101);
    assert_non_null(other->env->handle);
    store_close(other);
    assert_true(page->joins == joins + 1);
    /* A checkpoint that is due is its. */
    other = bench_store(b);
    other->env->options.checkpoint_s = 0;
    store_serve_one_call(other);
    assert_int_equal(append_and_leave(other, "c1"), STORE_OK);
    assert_non_null(other->env->handle);
    uint64_t checkpoints = page->checkpoints;
    store_housekeeping(other);
    assert_true(page->checkpoints == checkpoints + 1);
    store_close(other);
    /* And one that becomes due when it has left, the next one's. */
    other = bench_store(b);
    other->env->options.checkpoint_s = 3600;
    store_serve_one_call(other);
    assert_int_equal(append_and_leave(other, "c1"), STORE_OK);
    assert_null(other->env->handle);
    other->env->options.checkpoint_s = 0;
    store_housekeeping(other);
    assert_true(page->checkpoints == checkpoints + 1);
    store_close(other);
    assert_true(page->joins == joins + 3);
}

/* Bytes that a checkpoint writes to the log: it names every file that anybody has open to write. */
static uint64_t checkpoint_bytes(const struct bench *b)
{
    uint64_t before = log_end(b->store->env);
    assert_int_equal(env_checkpoint(b->store->env, true), STORE_OK);
    return env_log_distance(before, log_end(b->store->env));
}

static void serve_in_children(const struct bench *b, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            struct store *store = bench_store(b);
            store_serve_one_call(store);
            bool good = i % 2 == 0 ? append_and_leave(store, "c1") == STORE_OK : list_and_leave(store, "c1") > 0;
            store_close(store);
            _exit(good ? 0 : 1);
        }
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

static void who_served_one_call_leaves_nothing_in_the_log(void **state)
{
    struct bench *b = *state;
    prepare(b);
    const struct gate_page *page = b->store->env->gate->page;
    serve_in_children(b, 100);
    uint64_t recoveries = page->recoveries;
    uint64_t living = page->joins - page->leaves;
    uint64_t bytes = checkpoint_bytes(b);
    serve_in_children(b, 300);
    assert_true(page->recoveries == recoveries);
    assert_true(page->joins - page->leaves == living);
    assert_int_equal(checkpoint_bytes(b), bytes);
    assert_int_equal(list_and_leave(b->store, "c1"), 201);
    assert_int_equal(problems(b->store), 0);
}

static void a_damaged_tree_that_is_opened_late_is_named(void **state)
{
    struct bench *b = *state;
    char path[128];
    char noise[512];
    unsigned retry_s = 0;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(list(other, "c1", false), 1);
    snprintf(path, sizeof path, "%s/logins.db", b->home);
    int fd = open(path, O_WRONLY);
    memset(noise, 0x5a, sizeof noise);
    assert_int_equal(pwrite(fd, noise, sizeof noise, 0), sizeof noise);
    assert_int_equal(close(fd), 0);
    assert_int_equal(store_login_attempt(other, NAMESPACE, TEXT_LITERAL("jane"), TEXT_LITERAL("127.0.0.1"), &retry_s),
                     STORE_UNAVAILABLE);
    struct gate_page *page = other->env->gate->page;
    assert_int_equal(page->damaged_tree, TREE_LOGINS);
    assert_int_equal(page->damaged_page, 0);
    assert_true(gate_recovery_wanted(other->env->gate));
    store_close(other);
}

static void who_meets_a_new_generation_opens_its_trees_anew(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct store *other = bench_store(b);
    assert_int_equal(list(other, "c1", false), 1);
    assert_int_equal(append(other, "c1", "m2"), STORE_OK);
    assert_int_equal(store_recover(b->store), STORE_OK);
    assert_int_equal(list(other, "c1", false), 2);
    assert_true(store_wants_renewal(other));
    assert_int_equal(opened(other->env->writers), 0);
    assert_int_equal(append(other, "c1", "m3"), STORE_OK);
    assert_int_equal(opened(other->env->writers), MESSAGES);
    assert_int_equal(append(b->store, "c1", "m3"), STORE_EXISTS);
    assert_int_equal(problems(other), 0);
    store_close(other);
}

static void who_joins_a_home_of_another_format_is_refused_or_recovers(void **state)
{
    struct bench *b = *state;
    prepare(b);
    struct gate_page *page = b->store->env->gate->page;
    assert_int_equal(page->format, TREES_FORMAT);
    page->format = TREES_FORMAT + 1; /* as a newer program's recovery leaves it */
    struct store *other = bench_store(b);
    assert_int_equal(store_ping(other), STORE_CORRUPT);
    store_close(other);
    assert_true(page->recoveries == 1);
    page->format = TREES_FORMAT - 1; /* an older one's */
    other = bench_store(b);
    assert_int_equal(list(other, "c1", false), 1);
    assert_true(page->recoveries == 2);
    assert_int_equal(page->format, TREES_FORMAT);
    store_close(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_reads_opens_what_it_reads_and_writes_nothing_to_the_log, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(a_write_by_who_had_opened_only_part_keeps_all_indexes, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_tree_that_was_opened_to_be_read_refuses_to_be_written, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(a_tree_whose_index_does_not_open_is_not_written, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_tree_that_is_gone_is_an_error_and_not_an_empty_one, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_tree_costs_one_descriptor_and_none_where_it_does_not_open, bench_open,
                                        bench_close),
        cmocka_unit_test_setup_teardown(who_serves_one_call_leaves_with_it, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(who_serves_one_call_stays_for_what_is_left_of_it, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(who_served_one_call_leaves_nothing_in_the_log, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(a_damaged_tree_that_is_opened_late_is_named, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(who_meets_a_new_generation_opens_its_trees_anew, bench_open, bench_close),
        cmocka_unit_test_setup_teardown(who_joins_a_home_of_another_format_is_refused_or_recovers, bench_open,
                                        bench_close),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
