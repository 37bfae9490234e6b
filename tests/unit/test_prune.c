/*
 * Retention and the removal of namespaces, in one process: what is left is what a model of arrays says, in every page.
 * tests/e2e/test_admin has the commands, killed and beside workers under load.
 */
#include "prunebench.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/namespaces.h"
#include "store/removal.h"

static void what_is_left_is_what_was_sent_since(void **state)
{
    struct fixture *f = *state;
    enum { COUNT = 20 };
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "before", "a", "y");
    create(f, "micro", "c1", "a", "b");
    create(f, "micro", "behind", "a", "z");
    grow(f, COUNT);
    /* Nothing, one, some, none again, all but one, all, all again, more than all. */
    const unsigned until[] = {0, 1, 7, 7, COUNT - 1, COUNT, COUNT, COUNT + 5};
    for (size_t i = 0; i < sizeof until / sizeof until[0]; i++) {
        unsigned first = until[i] < COUNT ? until[i] : COUNT;
        assert_int_equal(prune(f, "", BASE_NS + until[i]), first - f->first);
        f->first = first;
        all_pages_are_the_models(f);
        check(f, 3, f->next - f->first);
    }
}

static void order_and_numbering_go_on_where_all_was_removed(void **state)
{
    struct fixture *f = *state;
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    /* The clock stands: a time that rises can only come from the marker. */
    for (unsigned round = 1; round <= 3; round++) {
        grow(f, 1);
        all_pages_are_the_models(f);
        grow(f, 9);
        all_pages_are_the_models(f);
        check(f, 1, 10);
        assert_int_equal(prune(f, "", UINT64_MAX), 10);
        f->first = f->next;
        all_pages_are_the_models(f);
        check(f, 1, 0);
    }
}

static void a_removed_id_is_free_again(void **state)
{
    struct fixture *f = *state;
    struct message first;
    struct message message;
    create(f, "micro", "c1", "a", "b");
    assert_int_equal(append(f, "micro", "c1", "m1", text_of("hello"), &first), STORE_OK);
    assert_int_equal(append(f, "micro", "c1", "m2", text_of("hello"), &message), STORE_OK);
    assert_int_equal(prune(f, "", message.sent_at_ns), 1);
    assert_int_equal(append(f, "micro", "c1", "m1", text_of("other"), &message), STORE_OK);
    assert_true(message.sent_at_ns > first.sent_at_ns);
    assert_int_equal(append(f, "micro", "c1", "m2", text_of("hello"), &message), STORE_EXISTS);
    check(f, 1, 2);
}

static void only_the_namespace_that_was_named(void **state)
{
    struct fixture *f = *state;
    struct message message;
    const char *namespaces[] = {"micro", "micr", "microo", "other"};
    for (size_t i = 0; i < 4; i++) {
        create(f, namespaces[i], "c1", "a", "b");
        assert_int_equal(append(f, namespaces[i], "c1", "m1", text_of("t"), &message), STORE_OK);
    }
    assert_int_equal(prune(f, "micro", UINT64_MAX), 1);
    assert_int_equal(prune(f, "none", UINT64_MAX), 0);
    check(f, 4, 3);
    assert_int_equal(prune(f, "", UINT64_MAX), 3);
    check(f, 4, 0);
}

struct steps {
    unsigned count;
    uint64_t removed;
};

static void steps_take(void *context, const struct store_prune *report)
{
    struct steps *steps = context;
    assert_true(report->removed - steps->removed <= REMOVAL_RECORDS);
    assert_true(report->removed <= report->found);
    steps->removed = report->removed;
    steps->count++;
}

static void many_are_removed_in_short_steps(void **state)
{
    struct fixture *f = *state;
    struct steps steps = {0};
    enum { CHATS = 150, LONG = 300 };
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    grow(f, LONG);
    for (int i = 0; i < CHATS; i++) {
        char id[16];
        struct message message;
        snprintf(id, sizeof id, "x%d", i);
        create(f, "micro", id, "a", id);
        for (int j = 0; j < i % 3; j++) {
            assert_int_equal(append(f, "micro", id, j == 0 ? "m0" : "m1", text_of("t"), &message), STORE_OK);
        }
    }
    struct store_prune report = {.before_ns = BASE_NS + 1, .step = steps_take, .context = &steps};
    assert_int_equal(store_prune(f->store, &report), STORE_OK);
    f->first = 1;
    /* One of each chat that has any, as many as fit into a transaction: not one transaction a chat. */
    assert_int_equal(report.removed, 101);
    assert_true(steps.count <= 8);
    check(f, CHATS + 1, LONG - 1 + 50);
    struct steps rest = {0};
    report.context = &rest;
    report.before_ns = UINT64_MAX;
    assert_int_equal(store_prune(f->store, &report), STORE_OK);
    f->first = LONG;
    assert_int_equal(report.removed, LONG - 1 + 50);
    all_pages_are_the_models(f);
    check(f, CHATS + 1, 0);
}

static void long_texts_go_fewer_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct steps steps = {0};
    enum { COUNT = 6 };
    char *bytes = arena_alloc(&f->arena, STORE_TEXT_BYTES_MAX);
    assert_non_null(bytes);
    memset(bytes, 'x', STORE_TEXT_BYTES_MAX);
    create(f, "micro", "c1", "a", "b");
    for (int i = 0; i < COUNT; i++) {
        char id[16];
        struct message message;
        snprintf(id, sizeof id, "m%d", i);
        assert_int_equal(append(f, "micro", "c1", id, (struct text){bytes, STORE_TEXT_BYTES_MAX}, &message), STORE_OK);
    }
    struct store_prune report = {.before_ns = UINT64_MAX, .step = steps_take, .context = &steps};
    assert_int_equal(store_prune(f->store, &report), STORE_OK);
    assert_int_equal(report.removed, COUNT);
    assert_int_equal(steps.count, COUNT);
    check(f, 1, 0);
}

/* Stops after a few, so that the rest of the page comes from the tree after the prune. */
static bool stop_after_3(void *context, const struct message *message)
{
    (void)message;
    unsigned *count = context;
    return ++*count < 3;
}

static void a_page_that_is_open_ends_where_it_was_pruned(void **state)
{
    struct fixture *f = *state;
    static struct listed listed;
    enum { COUNT = 1000 };
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    for (int order = 0; order < 2; order++) {
        for (int left = 0; left < 3; left++) { /* messages that the prune leaves, or that come after it */
            grow(f, COUNT);
            struct store_page page;
            unsigned count = 0;
            const struct page_query query = {.order = (enum store_order)order, .limit = COUNT};
            assert_int_equal(store_page_open(f->store, &c1, &query, &page, NULL), STORE_OK);
            assert_int_equal(page.count, COUNT);
            assert_int_equal(store_page_read(f->store, &page, stop_after_3, &count), STORE_OK);
            assert_int_equal(count, 3);
            (void)prune(f, "", left == 2 ? BASE_NS + f->next - 5 : UINT64_MAX);
            f->first = left == 2 ? f->next - 5 : f->next;
            grow(f, left == 1 ? 4 : 0);
            listed.count = 0;
            assert_int_equal(store_page_read(f->store, &page, listed_take, &listed), STORE_OK);
            /* What was in the batch already, and nothing that is not of the page, nor a marker. */
            assert_true(listed.count < COUNT - 3);
            assert_int_equal(page.count, listed.count + 3);
            listed.count = 0;
            store_page_rewind(&page);
            assert_int_equal(store_page_read(f->store, &page, listed_take, &listed), STORE_OK);
            assert_true(listed.count <= COUNT);
            store_page_clear(&page);
            check(f, 1, f->next - f->first);
            (void)prune(f, "", UINT64_MAX);
            f->first = f->next;
        }
    }
}

static void add_account(struct fixture *f, const char *namespace, const char *id, unsigned tokens)
{
    const struct account account = {.id = text_of(id), .type = ACCOUNT_USER, .created_at_ns = 1};
    assert_int_equal(store_account_add(f->store, text_of(namespace), &account), STORE_OK);
    for (unsigned i = 0; i < tokens; i++) {
        struct token_pair pair = {.access_expiry_ns = UINT64_MAX, .refresh_expiry_ns = UINT64_MAX};
        crypto_random(pair.access_digest, sizeof pair.access_digest);
        crypto_random(pair.refresh_digest, sizeof pair.refresh_digest);
        assert_int_equal(store_token_issue(f->store, text_of(namespace), text_of(id), false, &pair), STORE_OK);
    }
}

struct names {
    unsigned count;
    unsigned max;
    char line[256];
};

static bool names_take(void *context, const struct store_namespace *namespace)
{
    struct names *names = context;
    size_t at = strlen(names->line);
    snprintf(names->line + at, sizeof names->line - at, "%.*s %u %u,", (int)namespace->name.bytes, namespace->name.data,
             (unsigned)namespace->chats, (unsigned)namespace->accounts);
    return ++names->count != names->max;
}

static void namespaces_are(struct fixture *f, const char *line)
{
    struct names names = {.line = ""};
    assert_int_equal(store_namespace_list(f->store, names_take, &names), STORE_OK);
    assert_string_equal(names.line, line);
}

static void namespaces_are_listed_with_their_counts(void **state)
{
    struct fixture *f = *state;
    struct names first = {.max = 1, .line = ""};
    namespaces_are(f, "");
    create(f, "b", "c1", "a", "b");
    create(f, "b", "c2", "a", "c");
    create(f, "long", "c1", "a", "b");
    add_account(f, "a", "x", 0);
    add_account(f, "b", "x", 1);
    add_account(f, "b", "y", 0);
    add_account(f, "bb", "y", 0);
    namespaces_are(f, "a 0 1,b 2 2,bb 0 1,long 1 0,");
    assert_int_equal(store_namespace_list(f->store, names_take, &first), STORE_OK);
    assert_string_equal(first.line, "a 0 1,");
}

struct pages {
    struct buffer text;
    unsigned left; /* to be given; then it is enough */
};

static bool pages_take(void *context, const struct store_namespace *namespace)
{
    struct pages *pages = context;
    buffer_printf(&pages->text, "%.*s %u %u,", (int)namespace->name.bytes, namespace->name.data,
                  (unsigned)namespace->chats, (unsigned)namespace->accounts);
    return --pages->left > 0;
}

static void more_namespaces_than_a_page_are_listed_by_their_bytes(void **state)
{
    static const unsigned wanted[] = {UINT_MAX, 100};
    struct fixture *f = *state;
    struct pages all = {.left = UINT_MAX};
    char name[16];
    char id[16];
    for (unsigned i = 0; i < 300; i++) { /* longer names are behind all shorter ones in the trees */
        snprintf(name, sizeof name, "%u", i * 7919 % 1000);
        for (unsigned chat = 0; chat <= i % 3; chat++) {
            snprintf(id, sizeof id, "c%u", chat);
            create(f, name, id, "a", id);
        }
        snprintf(name, sizeof name, "%u", i * 7907 % 1000);
        add_account(f, name, "someone", 0);
    }
    buffer_init(&all.text, 1u << 16);
    assert_int_equal(namespaces_list(f->store, 100000, pages_take, &all), STORE_OK);
    assert_false(all.text.failed);
    for (size_t page = 1; page < 200; page = page * 3 + 1) {
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            struct pages some = {.left = wanted[i]};
            buffer_init(&some.text, 1u << 16);
            assert_int_equal(namespaces_list(f->store, page, pages_take, &some), STORE_OK);
            assert_true(i == 0 ? some.text.bytes == all.text.bytes
                               : some.text.bytes < all.text.bytes && some.left == 0);
            assert_memory_equal(some.text.data, all.text.data, some.text.bytes);
            buffer_clear(&some.text);
        }
    }
    buffer_clear(&all.text);
}

static uint64_t remove_namespace(struct fixture *f, const char *namespace, uint64_t chats, uint64_t messages)
{
    struct store_removal report = {.namespace = text_of(namespace)};
    assert_int_equal(store_namespace_remove(f->store, &report), STORE_OK);
    assert_int_equal(report.chats, chats);
    assert_int_equal(report.messages, messages);
    return report.accounts;
}

static void a_namespace_is_removed_whole_and_no_other(void **state)
{
    struct fixture *f = *state;
    struct store_stats stats;
    struct message message;
    enum { CHATS = 150, LONG = 100 };
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    grow(f, LONG);
    for (int i = 0; i < CHATS; i++) {
        char id[16];
        snprintf(id, sizeof id, "x%d", i);
        create(f, i % 2 == 0 ? "micro" : "micr", id, "a", id);
        if (i % 3 == 0) {
            assert_int_equal(append(f, i % 2 == 0 ? "micro" : "micr", id, "m", text_of("t"), &message), STORE_OK);
        }
    }
    add_account(f, "micr", "a", 3);
    add_account(f, "micro", "a", 300); /* more tokens than a transaction removes */
    for (int i = 0; i < 20; i++) {
        char id[16];
        snprintf(id, sizeof id, "y%d", i);
        add_account(f, "micro", id, 1);
    }
    (void)prune(f, "micr", UINT64_MAX); /* leaves markers */
    check(f, CHATS + 1, LONG + CHATS / 6);
    assert_int_equal(remove_namespace(f, "none", 0, 0), 0);
    assert_int_equal(remove_namespace(f, "micro", CHATS / 2 + 1, LONG + CHATS / 6), 21);
    namespaces_are(f, "micr 75 1,");
    check(f, CHATS / 2, 0);
    assert_int_equal(store_stats_read(f->store, &stats), STORE_OK);
    assert_int_equal(stats.tokens, 6);
    assert_int_equal(append(f, "micro", "c1", "m", text_of("t"), &message), STORE_NOT_FOUND);
    assert_int_equal(remove_namespace(f, "micro", 0, 0), 0);
    assert_int_equal(remove_namespace(f, "micr", CHATS / 2, 0), 1);
    namespaces_are(f, "");
    check(f, 0, 0);
    /* Its names are free again. */
    create(f, "micro", "c1", "a", "b");
    assert_int_equal(append(f, "micro", "c1", "m0", text_of("other"), &message), STORE_OK);
    check(f, 1, 1);
}

/* Puts a record into the messages by hand, as a program that is wrong would. */
struct planted {
    uint64_t chat;
    uint64_t sequence;
    bool hidden;
};

static enum store_status plant_body(struct txn *txn, void *args)
{
    const struct planted *planted = args;
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    uint8_t record[RECORD_MESSAGE_HEAD_BYTES + 5] = {0};
    DBT key = store_dbt(bytes, record_key_pair(planted->chat, planted->sequence, bytes));
    size_t size = record_marker_encode(BASE_NS + planted->sequence, record);
    if (!planted->hidden) {
        record[1] = 0;
        memcpy(record + size, "\1x\1xt", 5);
        size += 5;
    }
    DBT value = store_dbt(record, size);
    DB *messages = NULL;
    return txn_tree_to_write(txn, TREE_MESSAGES, &messages) == 0 &&
                   messages->put(messages, txn->handle, &key, &value, 0) == 0
               ? STORE_OK
               : STORE_CORRUPT;
}

static void plant(struct fixture *f, uint64_t chat, uint64_t sequence, bool hidden)
{
    struct planted planted = {chat, sequence, hidden};
    assert_int_equal(txn_write(f->store->env, plant_body, &planted), STORE_OK);
}

struct said {
    char line[128];
};

static void remember(void *context, const char *problem)
{
    struct said *said = context;
    snprintf(said->line, sizeof said->line, "%s", problem);
}

static void check_says(struct fixture *f, const char *line)
{
    struct said said = {.line = ""};
    struct store_check report = {.say = remember, .context = &said};
    assert_int_equal(store_check(f->store, &report), STORE_OK);
    assert_int_equal(report.problems, 1);
    assert_string_equal(said.line, line);
}

static void check_finds_a_gap(void **state)
{
    struct fixture *f = *state;
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    grow(f, 2);
    plant(f, 1, 4, false);
    check_says(f, "chat 1: message 4 follows 2");
}

static void check_finds_a_marker_that_is_not_alone(void **state)
{
    struct fixture *f = *state;
    create(f, "micro", "c1", "a", "b");
    plant(f, 1, 1, true);
    check(f, 1, 0);
    plant(f, 1, 2, false);
    check_says(f, "chat 1: a hidden record before others");
}

static void check_finds_messages_without_a_chat(void **state)
{
    struct fixture *f = *state;
    create(f, "micro", "c1", "a", "b");
    plant(f, 9, 1, true);
    check_says(f, "messages of chat 9, which does not exist");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_is_left_is_what_was_sent_since),
        CASE(order_and_numbering_go_on_where_all_was_removed),
        CASE(a_removed_id_is_free_again),
        CASE(only_the_namespace_that_was_named),
        CASE(many_are_removed_in_short_steps),
        CASE(long_texts_go_fewer_at_a_time),
        CASE(a_page_that_is_open_ends_where_it_was_pruned),
        CASE(namespaces_are_listed_with_their_counts),
        CASE(more_namespaces_than_a_page_are_listed_by_their_bytes),
        CASE(a_namespace_is_removed_whole_and_no_other),
        CASE(check_finds_a_gap),
        CASE(check_finds_a_marker_that_is_not_alone),
        CASE(check_finds_messages_without_a_chat),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
