/*
 * The store by itself, in one process: what each call gives back and leaves behind. test_gate.c has the gate, and
 * tests/crash what happens when processes die.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/admin.h"
#include "store/internal.h"

struct fixture {
    char home[64];
    struct config config;
    struct store *store;
    struct arena arena;
};

static const struct text micro = {"micro", 5};

static int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    snprintf(f->home, sizeof f->home, "/tmp/chats-store.XXXXXX");
    if (mkdtemp(f->home) == NULL) {
        return -1;
    }
    config_defaults(&f->config, f->home);
    if (store_open(&f->config, &f->store, problem) != STORE_OK) {
        print_error("%s\n", problem);
        return -1;
    }
    *state = f;
    return 0;
}

static int fixture_close(void **state)
{
    struct fixture *f = *state;
    char command[128];
    store_close(f->store);
    arena_clear(&f->arena);
    config_clear(&f->config);
    snprintf(command, sizeof command, "rm -rf '%s'", f->home);
    int status = system(command);
    free(f);
    return status;
}

static struct chat_ref ref_of(const char *id)
{
    return (struct chat_ref){.namespace = micro, .id = text_of(id), .member = {NULL, 0}};
}

static enum store_status create(struct fixture *f, struct text namespace, const char *id, const char *a, const char *b,
                                struct chat *ret)
{
    struct text members[] = {text_of(a), text_of(b)};
    struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
    enum store_status status = store_chat_create(f->store, namespace, &draft, &f->arena, ret, NULL);
    if (status == STORE_OK) {
        ret->members = NULL; /* the draft's: gone when this returns */
    }
    return status;
}

static enum store_status append(struct fixture *f, const char *chat, const char *id, const char *text,
                                struct message *ret)
{
    struct chat_ref ref = ref_of(chat);
    struct message draft = {.id = text_of(id), .author = text_of("a"), .text = text_of(text)};
    return store_message_append(f->store, &ref, &draft, ret, NULL);
}

struct listed {
    unsigned count;
    uint64_t times[2048];
    char ids[2048][16];
};

static bool listed_take(void *context, const struct message *message)
{
    struct listed *listed = context;
    listed->times[listed->count] = message->sent_at_ns;
    snprintf(listed->ids[listed->count], sizeof listed->ids[0], "%.*s", (int)message->id.bytes, message->id.data);
    listed->count++;
    return true;
}

static struct listed *list(struct fixture *f, const char *chat, const struct page_query *query)
{
    struct listed *listed = arena_alloc(&f->arena, sizeof *listed);
    struct chat_ref ref = ref_of(chat);
    struct store_page page;
    assert_non_null(listed);
    assert_int_equal(store_page_open(f->store, &ref, query, &page, NULL), STORE_OK);
    assert_int_equal(store_page_read(f->store, &page, listed_take, listed), STORE_OK);
    assert_int_equal(listed->count, page.count);
    unsigned first = listed->count;
    store_page_rewind(&page);
    assert_int_equal(store_page_read(f->store, &page, listed_take, listed), STORE_OK);
    assert_int_equal(listed->count, 2 * first);
    for (unsigned i = 0; i < first; i++) {
        assert_string_equal(listed->ids[i], listed->ids[first + i]);
    }
    listed->count = first;
    store_page_clear(&page);
    return listed;
}

static uint64_t fixed_clock_ns(void)
{
    return UINT64_C(1000000000);
}

static uint64_t earlier_clock_ns(void)
{
    return UINT64_C(5);
}

static void the_same_members_are_the_same_chat(void **state)
{
    struct fixture *f = *state;
    struct chat first;
    struct chat second;
    assert_int_equal(create(f, micro, "c1", "a", "b", &first), STORE_OK);
    assert_int_equal(create(f, micro, "other", "a", "b", &second), STORE_EXISTS);
    assert_true(text_equal(second.id, text_of("c1")));
    assert_int_equal(second.created_at_ns, first.created_at_ns);
    assert_int_equal(second.members_count, 2);
    assert_true(text_equal(second.members[1], text_of("b")));
    /* Also where the digests of the two sets are the same: CHATS_FAULTS=weak_digest. */
    assert_int_equal(create(f, micro, "other", "a", "c", &second), STORE_OK);
    assert_int_equal(create(f, micro, "third", "a", "c", &second), STORE_EXISTS);
    assert_true(text_equal(second.id, text_of("other")));
}

static void an_id_of_another_chat_is_a_conflict_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct store_stats stats;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(create(f, micro, "c1", "a", "c", &chat), STORE_CONFLICT);
    assert_int_equal(store_stats_read(f->store, &stats), STORE_OK);
    assert_int_equal(stats.chats, 1);
}

static void namespaces_share_nothing(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(create(f, text_of("other"), "c1", "a", "b", &chat), STORE_OK);
    struct chat_ref ref = {.namespace = text_of("third"), .id = text_of("c1"), .member = {NULL, 0}};
    struct page_query query = {.limit = 1};
    struct store_page page;
    assert_int_equal(store_page_open(f->store, &ref, &query, &page, NULL), STORE_NOT_FOUND);
    store_page_clear(&page);
}

static void a_chat_without_the_member_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    struct message draft = {.id = text_of("m"), .author = text_of("x"), .text = text_of("t")};
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    struct chat_ref ref = ref_of("c1");
    ref.member = text_of("x");
    assert_int_equal(store_message_append(f->store, &ref, &draft, &message, NULL), STORE_NOT_FOUND);
    ref.member = text_of("b");
    assert_int_equal(store_message_append(f->store, &ref, &draft, &message, NULL), STORE_OK);
}

/* True if appending this ends a process at once, by an assertion. */
static bool append_aborts(struct fixture *f, struct text chat, struct text id, struct text author, struct text text)
{
    struct chat_ref ref = {.namespace = micro, .id = chat, .member = {NULL, 0}};
    struct message draft = {.id = id, .author = author, .text = text};
    struct message message;
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        int quiet = open("/dev/null", O_WRONLY | O_CLOEXEC);
        (void)dup2(quiet, STDERR_FILENO);
        (void)setrlimit(RLIMIT_CORE, &no_core);
        (void)signal(SIGABRT, SIG_DFL);
        _exit((int)store_message_append(f->store, &ref, &draft, &message, NULL));
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void what_callers_must_check_is_asserted(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    char bytes[STORE_TEXT_BYTES_MAX + 1];
    struct text none = {NULL, 0};
    struct text one = {bytes, 1};
    struct text id = {bytes, TEXT_ID_BYTES_MAX};
    struct text long_id = {bytes, TEXT_ID_BYTES_MAX + 1};
    memset(bytes, 'x', sizeof bytes);
    assert_true(append_aborts(f, none, one, one, one));
    assert_true(append_aborts(f, long_id, one, one, one));
    assert_true(append_aborts(f, one, none, one, one));
    assert_true(append_aborts(f, one, long_id, one, one));
    assert_true(append_aborts(f, one, one, none, one));
    assert_true(append_aborts(f, one, one, long_id, one));
    assert_true(append_aborts(f, one, one, one, none));
    assert_true(append_aborts(f, one, one, one, (struct text){bytes, sizeof bytes}));
    struct text members[] = {text_of("a"), id};
    struct chat draft = {.id = id, .members = members, .members_count = 2};
    assert_int_equal(store_chat_create(f->store, micro, &draft, &f->arena, &chat, NULL), STORE_OK);
    struct chat_ref ref = {.namespace = micro, .id = id, .member = {NULL, 0}};
    struct message longest = {.id = id, .author = id, .text = {bytes, STORE_TEXT_BYTES_MAX}};
    assert_int_equal(store_message_append(f->store, &ref, &longest, &message, NULL), STORE_OK);
}

static void a_repeated_send_is_the_first_one(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message first;
    struct message again;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(append(f, "c1", "m1", "hello", &first), STORE_OK);
    assert_int_equal(append(f, "c1", "m2", "hello", &again), STORE_OK);
    assert_int_equal(append(f, "c1", "m1", "hello", &again), STORE_EXISTS);
    assert_int_equal(again.sent_at_ns, first.sent_at_ns);
    assert_int_equal(append(f, "c1", "m1", "other", &again), STORE_CONFLICT);
    assert_int_equal(append(f, "none", "m1", "hello", &again), STORE_NOT_FOUND);
}

static void times_rise_although_the_clock_stands_or_falls(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    f->store->now_ns = fixed_clock_ns;
    assert_int_equal(append(f, "c1", "m1", "t", &message), STORE_OK);
    assert_int_equal(message.sent_at_ns, 1000000000);
    assert_int_equal(append(f, "c1", "m2", "t", &message), STORE_OK);
    assert_int_equal(message.sent_at_ns, 1000000001);
    f->store->now_ns = earlier_clock_ns;
    assert_int_equal(append(f, "c1", "m3", "t", &message), STORE_OK);
    assert_int_equal(message.sent_at_ns, 1000000002);
}

static void pages_are_what_a_plain_slice_would_be(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    enum { COUNT = 40 };
    assert_int_equal(create(f, micro, "before", "a", "y", &chat), STORE_OK);
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(create(f, micro, "behind", "a", "z", &chat), STORE_OK);
    f->store->now_ns = fixed_clock_ns;
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "c1", id, "t", &message), STORE_OK);
        assert_int_equal(append(f, "before", id, "t", &message), STORE_OK);
        assert_int_equal(append(f, "behind", id, "t", &message), STORE_OK);
    }
    uint64_t base = fixed_clock_ns();
    for (int low = -1; low <= COUNT; low += 7) {
        for (int high = -1; high <= COUNT; high += 6) {
            for (uint64_t offset = 0; offset < COUNT + 2; offset += 9) {
                for (int order = 0; order < 2; order++) {
                    struct page_query query = {
                        .order = (enum store_order)order,
                        .offset = offset,
                        .limit = 10,
                        .has_after = low >= 0,
                        .after_ns = base + (uint64_t)(low >= 0 ? low : 0),
                        .has_before = high >= 0,
                        .before_ns = base + (uint64_t)(high >= 0 ? high : 0),
                    };
                    const struct listed *listed = list(f, "c1", &query);
                    unsigned count = 0;
                    for (int i = 0; i < COUNT; i++) {
                        int at = order == STORE_OLDEST_FIRST ? i : COUNT - 1 - i;
                        bool within = (low < 0 || at > low) && (high < 0 || at < high);
                        if (within && query.offset > 0) {
                            query.offset--;
                        } else if (within && count < 10) {
                            char id[16];
                            snprintf(id, sizeof id, "m%d", at);
                            assert_true(count < listed->count);
                            assert_string_equal(listed->ids[count], id);
                            count++;
                        }
                    }
                    assert_int_equal(listed->count, count);
                }
            }
        }
    }
}

static uint64_t many_clock_ns(void)
{
    static uint64_t now_ns = UINT64_C(0xffffff00);
    return now_ns++;
}

static void numbers_of_more_than_a_byte_keep_the_order(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    f->store->now_ns = many_clock_ns;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    for (int i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "c1", id, "t", &message), STORE_OK);
    }
    struct page_query query = {.order = STORE_OLDEST_FIRST, .limit = 300};
    const struct listed *listed = list(f, "c1", &query);
    assert_int_equal(listed->count, 300);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(atoi(listed->ids[i] + 1), i);
    }
}

static void a_long_page_comes_in_batches_and_whole(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    char *text = arena_alloc(&f->arena, STORE_TEXT_BYTES_MAX + 1);
    assert_non_null(text);
    memset(text, 'x', STORE_TEXT_BYTES_MAX);
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "c1", id, text, &message), STORE_OK);
    }
    struct page_query query = {.order = STORE_OLDEST_FIRST, .limit = 1000};
    const struct listed *listed = list(f, "c1", &query);
    assert_int_equal(listed->count, 20);
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_string_equal(listed->ids[i], id);
    }
}

static void a_page_does_not_shift_when_messages_follow(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    struct store_page page;
    struct page_query query = {.limit = 2};
    struct chat_ref ref = ref_of("c1");
    struct listed *listed = arena_alloc(&f->arena, sizeof *listed);
    assert_non_null(listed);
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(append(f, "c1", "m1", "t", &message), STORE_OK);
    assert_int_equal(append(f, "c1", "m2", "t", &message), STORE_OK);
    assert_int_equal(store_page_open(f->store, &ref, &query, &page, NULL), STORE_OK);
    assert_int_equal(append(f, "c1", "m3", "t", &message), STORE_OK);
    assert_int_equal(store_page_read(f->store, &page, listed_take, listed), STORE_OK);
    store_page_clear(&page);
    assert_int_equal(listed->count, 2);
    assert_string_equal(listed->ids[0], "m2");
    assert_string_equal(listed->ids[1], "m1");
}

static void what_was_stored_is_there_when_opened_again(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(append(f, "c1", "m1", "t", &message), STORE_OK);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(store_open(&f->config, &f->store, problem), STORE_OK);
    struct page_query query = {.limit = 5};
    assert_int_equal(list(f, "c1", &query)->count, 1);
    assert_int_equal(store_recover(f->store), STORE_OK);
    assert_true(store_wants_renewal(f->store));
    assert_int_equal(list(f, "c1", &query)->count, 1);
}

static void check_is_good_and_counts(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    struct store_check check = {0};
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    for (int i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "c1", id, "t", &message), STORE_OK);
    }
    assert_int_equal(store_check(f->store, &check), STORE_OK);
    assert_int_equal(check.problems, 0);
    assert_int_equal(check.chats, 1);
    assert_int_equal(check.messages, 300);
}

static enum store_status break_body(struct txn *txn, void *args)
{
    /* Behind the secondary's back: its entry goes, the message stays. */
    (void)args;
    struct env *env = txn->env;
    DB *plain = NULL;
    DBC *cursor = NULL;
    DBT key = {0};
    DBT value = {0};
    int error = db_create(&plain, env->handle, 0);
    if (error == 0) {
        error = plain->open(plain, txn->handle, "messages_by_time.db", NULL, DB_BTREE, 0, 0);
    }
    if (error == 0) {
        error = plain->cursor(plain, txn->handle, &cursor, 0);
    }
    if (error == 0) {
        error = cursor->get(cursor, &key, &value, DB_FIRST);
    }
    if (error == 0) {
        error = cursor->del(cursor, 0);
    }
    if (cursor != NULL) {
        (void)cursor->close(cursor);
    }
    if (plain != NULL) {
        (void)plain->close(plain, DB_NOSYNC);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "breaking an index");
}

static void check_finds_a_missing_index_entry(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    struct store_check check = {0};
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(append(f, "c1", "m1", "t", &message), STORE_OK);
    assert_int_equal(append(f, "c1", "m2", "t", &message), STORE_OK);
    assert_int_equal(txn_write(f->store->env, break_body, NULL), STORE_OK);
    assert_int_equal(store_check(f->store, &check), STORE_OK);
    assert_int_equal(check.problems, 1);
}

struct said {
    char lines[1024];
};

static void said_take(void *context, const char *problem)
{
    struct said *said = context;
    size_t bytes = strlen(said->lines);
    snprintf(said->lines + bytes, sizeof said->lines - bytes, "%s\n", problem);
}

/* Overwrites a page of a tree's file, behind everybody's back. */
static void page_write(const struct fixture *f, const char *tree, unsigned number, const char *bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.db", f->home, tree);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, ENV_PAGE_BYTES, (off_t)number * ENV_PAGE_BYTES), ENV_PAGE_BYTES);
    assert_int_equal(close(fd), 0);
}

static void check_names_the_pages_that_are_damaged_on_the_disk_only(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    struct message message;
    struct said said = {""};
    struct store_check check = {.say = said_take, .context = &said};
    char random[ENV_PAGE_BYTES];
    char zeros[ENV_PAGE_BYTES] = {0};
    uint64_t seed = 1;
    for (size_t i = 0; i < sizeof random; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1;
        random[i] = (char)(seed >> 56);
    }
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    for (int i = 0; i < 300; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "c1", id, "t", &message), STORE_OK);
    }
    assert_int_equal(store_check(f->store, &check), STORE_OK);
    uint64_t pages = check.pages;
    assert_true(pages > 20);
    uint64_t generation = f->store->env->gate->page->generation;
    page_write(f, "messages", 2, random);
    page_write(f, "messages", 3, random);
    page_write(f, "messages", 5, zeros);
    page_write(f, "chats", 0, random);
    page_write(f, "logins", 0, zeros);
    check.pages = 0;
    assert_int_equal(store_check(f->store, &check), STORE_CORRUPT);
    assert_string_equal(said.lines, "page 0 of the tree 'chats' is damaged\n"
                                    "page 2 of the tree 'messages' is damaged\n"
                                    "page 3 of the tree 'messages' is damaged\n"
                                    "page 5 of the tree 'messages' is damaged\n"
                                    "page 0 of the tree 'logins' is damaged\n");
    assert_int_equal(check.problems, 5);
    assert_true(check.pages == pages);
    /* What is cached is served on. */
    struct page_query query = {.limit = 300};
    assert_int_equal(list(f, "c1", &query)->count, 300);
    assert_int_equal(append(f, "c1", "last", "t", &message), STORE_OK);
    assert_true(f->store->env->gate->page->generation == generation);
    assert_false(gate_recovery_wanted(f->store->env->gate));
}

static void a_home_of_a_newer_format_is_refused(void **state)
{
    struct fixture *f = *state;
    struct chat chat;
    assert_int_equal(create(f, micro, "c1", "a", "b", &chat), STORE_OK);
    assert_int_equal(env_enter(f->store->env, GATE_WRITING), STORE_OK);
    DB *meta = NULL;
    assert_int_equal(env_tree_to_write(f->store->env, TREE_META, &meta), 0);
    DBT key = store_dbt("format", 6);
    DBT value = store_dbt("\0\0\0\3", 4); /* as a newer program would leave it */
    assert_int_equal(meta->put(meta, NULL, &key, &value, 0), 0);
    env_leave(f->store->env);
    assert_int_equal(store_recover(f->store), STORE_CORRUPT);
    assert_int_equal(store_ping(f->store), STORE_UNAVAILABLE); /* the pause before recovery is tried again */
}

static void a_home_that_others_may_enter_is_refused(void **state)
{
    (void)state;
    char home[] = "/tmp/chats-store.XXXXXX";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    struct store *store = NULL;
    assert_non_null(mkdtemp(home));
    config_defaults(&config, home);
    assert_int_equal(chmod(home, 0750), 0);
    assert_int_equal(store_open(&config, &store, problem), STORE_UNAVAILABLE);
    assert_non_null(strstr(problem, "0700"));
    assert_int_equal(rmdir(home), 0);
    assert_int_equal(store_open(&config, &store, problem), STORE_UNAVAILABLE);
    config_clear(&config);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        CASE(the_same_members_are_the_same_chat),
        CASE(an_id_of_another_chat_is_a_conflict_and_changes_nothing),
        CASE(namespaces_share_nothing),
        CASE(a_chat_without_the_member_is_not_there),
        CASE(what_callers_must_check_is_asserted),
        CASE(a_repeated_send_is_the_first_one),
        CASE(times_rise_although_the_clock_stands_or_falls),
        CASE(pages_are_what_a_plain_slice_would_be),
        CASE(numbers_of_more_than_a_byte_keep_the_order),
        CASE(a_long_page_comes_in_batches_and_whole),
        CASE(a_page_does_not_shift_when_messages_follow),
        CASE(what_was_stored_is_there_when_opened_again),
        CASE(check_is_good_and_counts),
        CASE(check_finds_a_missing_index_entry),
        CASE(check_names_the_pages_that_are_damaged_on_the_disk_only),
        CASE(a_home_of_a_newer_format_is_refused),
        cmocka_unit_test(a_home_that_others_may_enter_is_refused),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
