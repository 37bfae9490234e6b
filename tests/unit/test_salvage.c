/*
 * Salvage of homes whose pages were given any bytes at all, with checksums that are right: it ends, stays within its
 * memory, and gives nothing that the contract forbids. tests/e2e/test_moving and tests/crash/torn show what it brings
 * back. Run under the sanitizers by tests/run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/admin.h"
#include "store/pagefile.h"
#include "store/salvage.h"

#define CHATS 5u
#define MESSAGES 60u
#define ROUNDS 400u
#define CHANGES_MAX 12u
#define SEED 20261123u /* fixed: a failure can be had again */

struct fixture {
    char home[64];
    char scratch[80];
};

struct given {
    unsigned chats;
    unsigned messages;
    unsigned problems;
    unsigned others; /* messages whose texts are none of those that were sent */
};

static const struct text micro = {"micro", 5};

static void fill(struct store *store)
{
    char text[9000];
    struct arena arena = {0};
    memset(text, 'x', sizeof text);
    for (unsigned c = 0; c < CHATS; c++) {
        char id[16];
        snprintf(id, sizeof id, "chat %u", c);
        struct text members[] = {text_of(id), text_of("jane")};
        struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
        struct chat chat;
        assert_int_equal(store_chat_create(store, micro, &draft, &arena, &chat, NULL), STORE_OK);
        for (unsigned i = 0; i < MESSAGES; i++) {
            char message_id[16];
            snprintf(message_id, sizeof message_id, "m%u", i);
            struct chat_ref ref = {.namespace = micro, .id = draft.id};
            struct message message = {
                .id = text_of(message_id), .author = members[1], .text = {text, i % 7 == 0 ? sizeof text : 50}};
            struct message stored;
            assert_int_equal(store_message_append(store, &ref, &message, &stored, NULL), STORE_OK);
        }
    }
    arena_clear(&arena);
}

/* A home with everything in its trees and no log. */
static int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct config config;
    struct store *store = NULL;
    char command[200];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    snprintf(f->home, sizeof f->home, "/tmp/chats-salvage.XXXXXX");
    if (mkdtemp(f->home) == NULL) {
        return -1;
    }
    snprintf(f->scratch, sizeof f->scratch, "%s/scratch", f->home);
    config_defaults(&config, f->home);
    if (store_open(&config, &store, problem) != STORE_OK) {
        print_error("%s\n", problem);
        return -1;
    }
    fill(store);
    struct store_check check = {0};
    assert_int_equal(store_check(store, &check), STORE_OK); /* it writes all pages to the files */
    store_close(store);
    config_clear(&config);
    snprintf(command, sizeof command, "cd '%s' && rm -f log.* && mkdir scratch", f->home);
    *state = f;
    return system(command);
}

static int fixture_close(void **state)
{
    struct fixture *f = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", f->home);
    int status = system(command);
    free(f);
    return status;
}

static bool take_chat(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    struct given *given = context;
    assert_true(text_is_id(namespace) && text_is_id(chat->id));
    assert_true(chat->members_count >= STORE_MEMBERS_MIN && chat->members_count <= STORE_MEMBERS_MAX);
    assert_true(chat->created_at_ns <= STORE_IMPORT_TIME_MAX && last_sent_at_ns <= STORE_IMPORT_TIME_MAX);
    for (size_t i = 0; i < chat->members_count; i++) {
        assert_true(text_is_id(chat->members[i]));
        assert_true(i == 0 || text_compare(chat->members[i - 1], chat->members[i]) < 0);
    }
    given->chats++;
    return true;
}

static bool take_message(void *context, struct text namespace, struct text chat_id, const struct message *message)
{
    struct given *given = context;
    assert_true(text_is_id(namespace) && text_is_id(chat_id) && text_is_id(message->id) && text_is_id(message->author));
    assert_true(message->text.bytes > 0 && message->text.bytes <= STORE_TEXT_BYTES_MAX && text_is_utf8(message->text));
    given->messages++;
    given->others += message->text.data[0] == 'x' ? 0 : 1;
    return true;
}

static void take_problem(void *context, const char *problem)
{
    struct given *given = context;
    assert_true(strlen(problem) > 10);
    given->problems++;
}

static struct given salvage(const struct fixture *f)
{
    struct given given = {0};
    struct store_salvage order = {.give = {take_chat, take_message, &given}, .say = take_problem};
    assert_int_equal(store_salvage(f->home, f->scratch, &order), STORE_OK);
    assert_int_equal(order.problems, given.problems);
    return given;
}

static void a_whole_home_is_given_whole(void **state)
{
    struct given given = salvage(*state);
    assert_int_equal(given.chats, CHATS);
    assert_int_equal(given.messages, CHATS * MESSAGES);
    assert_int_equal(given.problems, 0);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static int tree_open(const struct fixture *f, uint32_t tree, uint32_t *ret_count)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.db", f->home, salvage_trees[tree]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && pagefile_count(fd, ret_count));
    return fd;
}

/* Half of them in the head and the index, where it hurts. */
static void scramble(uint8_t page[PAGEFILE_BYTES], uint32_t *seed)
{
    unsigned changes = 1 + next_random(seed) % CHANGES_MAX;
    for (unsigned i = 0; i < changes; i++) {
        uint32_t at = 12 + next_random(seed) % (next_random(seed) % 2 == 0 ? 64 : PAGEFILE_BYTES - 12);
        page[at] = (uint8_t)next_random(seed);
    }
}

static void whatever_a_page_holds_salvage_ends_and_gives_only_what_fits(void **state)
{
    const struct fixture *f = *state;
    uint32_t seed = SEED;
    unsigned problems = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint8_t was[PAGEFILE_BYTES];
        uint8_t page[PAGEFILE_BYTES];
        uint32_t count = 0;
        uint32_t tree = next_random(&seed) % 4 == 0 ? 0 : 1;
        int fd = tree_open(f, tree, &count);
        uint32_t number = 1 + next_random(&seed) % (count - 1);
        off_t at = (off_t)number * (off_t)PAGEFILE_BYTES;
        assert_int_equal(pread(fd, was, sizeof was, at), sizeof was);
        memcpy(page, was, sizeof page);
        scramble(page, &seed);
        if (next_random(&seed) % 8 != 0) {
            pagefile_seal(page);
        }
        assert_int_equal(pwrite(fd, page, sizeof page, at), sizeof page);
        problems += salvage(f).problems;
        assert_int_equal(pwrite(fd, was, sizeof was, at), sizeof was);
        close(fd);
    }
    assert_true(problems > ROUNDS / 8);
}

static void a_file_cut_short_anywhere_gives_what_is_left(void **state)
{
    const struct fixture *f = *state;
    uint32_t count = 0;
    int fd = tree_open(f, 1, &count);
    unsigned before = CHATS * MESSAGES;
    for (uint32_t left = count; left > 0; left -= left > 10 ? 10 : 1) {
        assert_int_equal(ftruncate(fd, (off_t)left * (off_t)PAGEFILE_BYTES - 100), 0);
        struct given given = salvage(f);
        assert_true(given.messages <= before && given.problems > 0);
        assert_int_equal(given.chats, CHATS);
        before = given.messages;
    }
    assert_int_equal(before, 0);
    close(fd);
}

/* Puts a copy of a page with short texts behind the last page, with other texts and another age. */
static void append_copy(int fd, uint32_t count, bool newer)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t number = 0;
    struct pagefile_item item;
    do {
        number++;
        assert_true(number < count);
        assert_int_equal(pagefile_read(fd, number, page), PAGEFILE_GOOD);
    } while (pagefile_type(page) != PAGEFILE_LEAF || pagefile_items(page) < 4 || !pagefile_item(page, 3, &item) ||
             item.overflow != 0);
    for (size_t i = 0; i + 1 < sizeof page; i++) {
        /* Nothing else in a page has two of them side by side. */
        page[i] = page[i] == 'x' && (page[i + 1] == 'x' || page[i - 1] == 'y') ? 'y' : page[i];
    }
    uint32_t lsn_file = newer ? 9 : 0;
    memcpy(page, &lsn_file, sizeof lsn_file);
    memcpy(page + 8, &count, sizeof count); /* its number */
    pagefile_seal(page);
    assert_int_equal(pwrite(fd, page, sizeof page, (off_t)count * (off_t)sizeof page), sizeof page);
}

static void of_two_records_with_one_key_the_newer_is_given(void **state)
{
    const struct fixture *f = *state;
    for (int newer = 0; newer <= 1; newer++) {
        uint32_t count = 0;
        int fd = tree_open(f, 1, &count);
        append_copy(fd, count, newer == 1);
        struct given given = salvage(f);
        assert_int_equal(given.problems, 0);
        assert_int_equal(given.messages, CHATS * MESSAGES);
        assert_int_equal(given.others > 0, newer);
        assert_int_equal(ftruncate(fd, (off_t)count * (off_t)PAGEFILE_BYTES), 0);
        close(fd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_home_is_given_whole, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(whatever_a_page_holds_salvage_ends_and_gives_only_what_fits, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(a_file_cut_short_anywhere_gives_what_is_left, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(of_two_records_with_one_key_the_newer_is_given, fixture_open, fixture_close),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
