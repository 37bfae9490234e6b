/*
 * Pages as they lie in the files of a home: the library's are good, changed ones are not, and no bytes at all lead
 * the reader astray. Run under the sanitizers by tests/run.
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
#include <unistd.h>

#include "base/crypto.h"
#include "store/admin.h"
#include "store/pagefile.h"

#define MESSAGES 400u
#define GARBAGE_ROUNDS 20000u
#define SEED 20261123u /* fixed: a failure can be had again */

struct fixture {
    char home[64];
};

static const struct text micro = {"micro", 5};

static void send_messages(struct store *store, struct text chat)
{
    char *text = malloc(STORE_TEXT_BYTES_MAX);
    assert_non_null(text);
    memset(text, 'x', STORE_TEXT_BYTES_MAX);
    for (unsigned i = 0; i < MESSAGES; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%u", i);
        struct chat_ref ref = {.namespace = micro, .id = chat};
        struct message draft = {.id = text_of(id), .author = text_of("jane"), .text = {text, 1 + i * i % 20000}};
        struct message stored;
        assert_int_equal(store_message_append(store, &ref, &draft, &stored, NULL), STORE_OK);
    }
    free(text);
}

/* A home with messages short and long, all of it in the files. */
static int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct config config;
    struct store *store = NULL;
    struct arena arena = {0};
    struct chat chat;
    struct text members[] = {text_of("jane"), text_of("john")};
    struct chat draft = {.id = text_of("room"), .members = members, .members_count = 2};
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    snprintf(f->home, sizeof f->home, "/tmp/chats-pagefile.XXXXXX");
    if (mkdtemp(f->home) == NULL) {
        return -1;
    }
    config_defaults(&config, f->home);
    if (store_open(&config, &store, problem) != STORE_OK ||
        store_chat_create(store, micro, &draft, &arena, &chat, NULL) != STORE_OK) {
        print_error("%s\n", problem);
        return -1;
    }
    send_messages(store, draft.id);
    struct store_check check = {0};
    assert_int_equal(store_check(store, &check), STORE_OK); /* it writes all pages to the files */
    store_close(store);
    arena_clear(&arena);
    config_clear(&config);
    *state = f;
    return 0;
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

static int tree_open(const struct fixture *f, const char *name, uint32_t *ret_count)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s.db", f->home, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(pagefile_count(fd, ret_count));
    return fd;
}

static void the_librarys_pages_are_good(void **state)
{
    static const char *const trees[] = {"meta",          "chats", "chats_by_members", "messages", "messages_by_time",
                                        "messages_by_id"};
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        uint8_t page[PAGEFILE_BYTES];
        uint32_t count = 0;
        int fd = tree_open(*state, trees[i], &count);
        assert_true(count >= 2);
        for (uint32_t number = 0; number < count; number++) {
            assert_int_equal(pagefile_read(fd, number, page), PAGEFILE_GOOD);
        }
        assert_int_equal(pagefile_read(fd, count, page), PAGEFILE_DAMAGED);
        close(fd);
    }
}

static void every_message_is_found_on_the_leaves_as_it_was_stored(void **state)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    unsigned found = 0;
    unsigned long_ones = 0;
    struct buffer value;
    int fd = tree_open(*state, "messages", &count);
    buffer_init(&value, 100000);
    for (uint32_t number = 0; number < count; number++) {
        assert_int_equal(pagefile_read(fd, number, page), PAGEFILE_GOOD);
        for (unsigned i = 0; pagefile_type(page) == PAGEFILE_LEAF && i + 1 < pagefile_items(page); i += 2) {
            struct pagefile_item key;
            struct pagefile_item item;
            uint32_t bad = 0;
            assert_true(pagefile_item(page, i, &key) && pagefile_item(page, i + 1, &item));
            assert_int_equal(key.size, 16);
            assert_false(item.deleted);
            unsigned sequence = (unsigned)(uint8_t)key.bytes.data[15] + 256u * (uint8_t)key.bytes.data[14];
            buffer_reset(&value);
            assert_true(pagefile_item_read(fd, &item, &value, &bad));
            unsigned text_bytes = 1 + (sequence - 1) * (sequence - 1) % 20000;
            assert_true(value.bytes > text_bytes);
            assert_int_equal(value.bytes, item.size);
            for (unsigned byte = 0; byte < text_bytes; byte++) {
                assert_int_equal(value.data[value.bytes - 1 - byte], 'x');
            }
            found++;
            long_ones += item.overflow != 0;
        }
    }
    assert_int_equal(found, MESSAGES);
    assert_true(long_ones > MESSAGES / 2);
    buffer_clear(&value);
    close(fd);
}

/* A flipped bit changes the sum whatever it is in: 33 is odd. A tear is shown by what it mixes. */
static void a_changed_page_is_damaged(void **state)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    int fd = tree_open(*state, "messages", &count);
    for (uint32_t number = 0; number < 3; number++) {
        assert_int_equal(pagefile_read(fd, number, page), PAGEFILE_GOOD);
        size_t bytes = number == 0 ? 512 : PAGEFILE_BYTES;
        for (size_t bit = 0; bit < bytes * 8; bit += 5) {
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_int_equal(pagefile_examine(page, number), PAGEFILE_DAMAGED);
            page[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_int_equal(pagefile_examine(page, number), PAGEFILE_GOOD);
        assert_int_equal(pagefile_examine(page, number + 1), PAGEFILE_DAMAGED);
    }
    memset(page, 0, sizeof page);
    assert_int_equal(pagefile_examine(page, 7), PAGEFILE_BLANK);
    close(fd);
}

static void a_sealed_page_is_good_again(void **state)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    int fd = tree_open(*state, "chats", &count);
    for (uint32_t number = 0; number < 2; number++) {
        assert_int_equal(pagefile_read(fd, number, page), PAGEFILE_GOOD);
        page[100] ^= 1;
        pagefile_seal(page);
        assert_int_equal(pagefile_examine(page, number), PAGEFILE_GOOD);
    }
    close(fd);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* All that the reader can be asked about these bytes; the answers only have to stay within them. */
static void read_all_items(int fd, const uint8_t page[PAGEFILE_BYTES], struct buffer *value)
{
    for (unsigned i = 0; i < pagefile_items(page); i++) {
        struct pagefile_item item;
        uint32_t bad;
        if (!pagefile_item(page, i, &item)) {
            continue;
        }
        if (item.overflow == 0) {
            assert_true(item.bytes.data >= (const char *)page);
            assert_true(item.bytes.data + item.bytes.bytes <= (const char *)page + PAGEFILE_BYTES);
        }
        buffer_reset(value);
        if (pagefile_item_read(fd, &item, value, &bad)) {
            assert_int_equal(value->bytes, item.size);
        }
    }
}

static void no_bytes_lead_the_reader_out_of_its_page(void **state)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    uint32_t seed = SEED;
    struct buffer value;
    int fd = tree_open(*state, "messages", &count);
    buffer_init(&value, 100000);
    for (unsigned round = 0; round < GARBAGE_ROUNDS; round++) {
        assert_int_equal(pagefile_read(fd, next_random(&seed) % count, page), PAGEFILE_GOOD);
        unsigned changes = 1 + next_random(&seed) % 20;
        for (unsigned i = 0; i < changes; i++) {
            /* Half of them in the head and the index, where it hurts. */
            uint32_t at = next_random(&seed) % (next_random(&seed) % 2 == 0 ? 64 : PAGEFILE_BYTES);
            page[at] = (uint8_t)next_random(&seed);
        }
        read_all_items(fd, page, &value);
    }
    for (unsigned round = 0; round < GARBAGE_ROUNDS / 20; round++) {
        crypto_random(page, sizeof page);
        read_all_items(fd, page, &value);
    }
    buffer_clear(&value);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_librarys_pages_are_good, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(every_message_is_found_on_the_leaves_as_it_was_stored, fixture_open,
                                        fixture_close),
        cmocka_unit_test_setup_teardown(a_changed_page_is_damaged, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(a_sealed_page_is_good_again, fixture_open, fixture_close),
        cmocka_unit_test_setup_teardown(no_bytes_lead_the_reader_out_of_its_page, fixture_open, fixture_close),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
