/* Unit tests of base/buffer, arena, json, crypto, error and status. A test's name is a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/crypto.h"
#include "base/error.h"
#include "base/json.h"
#include "base/status.h"
#include "base/text.h"

#define T(literal) TEXT_LITERAL(literal)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void assert_buffer(const struct buffer *b, const char *expected)
{
    assert_false(b->failed);
    assert_int_equal(b->bytes, strlen(expected));
    assert_memory_equal(b->data, expected, b->bytes);
}

/* buffer, arena */

static void a_buffer_grows_to_its_limit_and_no_further(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        buffer_append(&b, "x", 1);
    assert_false(b.failed);
    assert_int_equal(b.bytes, 1000);
    buffer_append(&b, "", 0);
    assert_false(b.failed);
    buffer_append(&b, "y", 1);
    assert_true(b.failed);
    assert_int_equal(b.bytes, 1000);
    assert_int_equal(b.data[999], 'x');
    buffer_reset(&b);
    assert_int_equal(b.bytes, 0);
    buffer_append_z(&b, "again");
    assert_buffer(&b, "again");
    buffer_clear(&b);
    assert_null(b.data);
    assert_int_equal(b.bytes_max, 1000);
}

static void a_failed_buffer_ignores_what_comes_after(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 4);
    buffer_append_z(&b, "ab");
    buffer_append_z(&b, "cde");
    assert_true(b.failed);
    buffer_append_z(&b, "c");
    assert_int_equal(b.bytes, 2);
    assert_null(buffer_reserve(&b, 1));
    buffer_clear(&b);
    buffer_init(&b, 0);
    buffer_append(&b, "", 0);
    assert_false(b.failed);
    buffer_append(&b, "a", 1);
    assert_true(b.failed);
    buffer_clear(&b);
}

static void a_formatted_append_may_end_at_the_limit(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 6);
    buffer_printf(&b, "%d-%s", 12, "abc");
    assert_buffer(&b, "12-abc");
    buffer_printf(&b, "%s", "");
    assert_false(b.failed);
    buffer_printf(&b, "%d", 1);
    assert_true(b.failed);
    assert_int_equal(b.bytes, 6);
    buffer_clear(&b);
}

static void a_reservation_is_filled_by_its_owner(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 100000);
    buffer_append_text(&b, T("a"));
    char *at = buffer_reserve(&b, 50000);
    assert_non_null(at);
    memset(at, 'b', 50000);
    b.bytes += 50000;
    assert_int_equal(b.data[0], 'a');
    assert_int_equal(b.data[50000], 'b');
    buffer_clear(&b);
}

static void arena_memory_is_zeroed_aligned_and_survives_growth(void **state)
{
    struct arena a = {0};
    char *first = arena_alloc(&a, 10);
    (void)state;
    assert_non_null(first);
    memset(first, 'x', 10);
    for (size_t bytes = 0; bytes < 5000; bytes += 7) {
        char *data = arena_alloc(&a, bytes);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(data[i], 0);
        memset(data, 0xff, bytes);
    }
    char *large = arena_alloc(&a, 1000000);
    assert_non_null(large);
    assert_int_equal(large[999999], 0);
    assert_memory_equal(first, "xxxxxxxxxx", 10);
    arena_reset(&a);
    assert_non_null(a.blocks);
    char *again = arena_alloc(&a, 10000);
    assert_non_null(again);
    for (size_t i = 0; i < 10000; i++)
        assert_int_equal(again[i], 0);
    assert_null(arena_alloc(&a, SIZE_MAX));
    arena_clear(&a);
    assert_null(a.blocks);
    arena_clear(&a);
}

static void an_arena_text_is_a_terminated_copy(void **state)
{
    struct arena a = {0};
    char source[] = "abc";
    struct text copy = arena_text(&a, (struct text){source, 3});
    (void)state;
    memset(source, 'z', 3);
    assert_int_equal(copy.bytes, 3);
    assert_string_equal(copy.data, "abc");
    struct text empty = arena_text(&a, (struct text){NULL, 0});
    assert_non_null(empty.data);
    assert_int_equal(empty.bytes, 0);
    arena_clear(&a);
}

/* json */

/* One byte that needs an escape, or none, at each place of texts that are shorter and longer than what is looked at at
 * once. */
static void json_finds_the_escape_at_each_place(void **state)
{
    static const char around[] = "{\"text\":";
    struct buffer b;
    (void)state;
    buffer_init(&b, 4096);
    for (size_t bytes = 0; bytes <= 70; bytes++) {
        for (size_t at = 0; at <= bytes; at++) {
            char text[72];
            char wanted[160];
            memset(text, 0x7f, sizeof text);
            text[at] = '\n';
            int length = snprintf(wanted, sizeof wanted, "%s\"%.*s%s%.*s\"", around, (int)at, text,
                                  at < bytes ? "\\n" : "", (int)(at < bytes ? bytes - at - 1 : 0), text + at + 1);
            buffer_reset(&b);
            json_append_member(&b, TEXT_LITERAL(around), (struct text){text, bytes});
            assert_int_equal(b.bytes, length);
            assert_memory_equal(b.data, wanted, b.bytes);
        }
    }
    buffer_clear(&b);
}

static void json_escapes_what_it_must_and_nothing_else(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 1000);
    json_append_text(&b, T("a\"b\\c/d\x7f\xc3\xa9\xf0\x9f\x98\x80"));
    assert_buffer(&b, "\"a\\\"b\\\\c/d\x7f\xc3\xa9\xf0\x9f\x98\x80\"");
    buffer_reset(&b);
    json_append_text(&b, T("\b\f\n\r\t\0\x01\x0b\x1f"));
    assert_buffer(&b, "\"\\b\\f\\n\\r\\t\\u0000\\u0001\\u000b\\u001f\"");
    buffer_reset(&b);
    json_append_text(&b, (struct text){NULL, 0});
    assert_buffer(&b, "\"\"");
    buffer_clear(&b);
}

static void each_run_that_is_not_utf8_becomes_one_replacement(void **state)
{
    static const struct {
        struct text bytes;
        const char *expected;
    } cases[] = {
        {T(""), "\"\""},
        {T("abc"), "\"abc\""},
        {T("\xff"), "\"\xef\xbf\xbd\""},
        {T("a\xff\xfe\x80z"), "\"a\xef\xbf\xbdz\""},
        {T("a\xffz\xff"), "\"a\xef\xbf\xbdz\xef\xbf\xbd\""},
        {T("\xe2\x82"), "\"\xef\xbf\xbd\""},
        {T("\xed\xa0\x80\"\xc3\xa9"), "\"\xef\xbf\xbd\\\"\xc3\xa9\""},
        {T("\xff\0"), "\"\xef\xbf\xbd\\u0000\""},
    };
    struct buffer b;
    (void)state;
    buffer_init(&b, 1000);
    for (size_t i = 0; i < COUNT(cases); i++) {
        buffer_reset(&b);
        json_append_bytes(&b, cases[i].bytes);
        assert_buffer(&b, cases[i].expected);
    }
    buffer_clear(&b);
}

static void an_int64_is_a_quoted_string(void **state)
{
    struct buffer b;
    (void)state;
    buffer_init(&b, 1000);
    json_append_int64(&b, 0);
    json_append_int64(&b, -1);
    json_append_int64(&b, INT64_MAX);
    json_append_int64(&b, INT64_MIN);
    assert_buffer(&b, "\"0\"\"-1\"\"9223372036854775807\"\"-9223372036854775808\"");
    buffer_clear(&b);
}

/* crypto */

static void a_uuid_is_of_version_4_and_not_repeated(void **state)
{
    char previous[CRYPTO_UUID_BYTES] = {0};
    (void)state;
    assert_true(crypto_init());
    assert_true(crypto_init());
    for (int round = 0; round < 1000; round++) {
        char uuid[CRYPTO_UUID_BYTES + 1] = {0};
        crypto_uuid(uuid);
        assert_int_equal(strspn(uuid, "0123456789abcdef-"), CRYPTO_UUID_BYTES);
        for (size_t i = 0; i < CRYPTO_UUID_BYTES; i++)
            assert_int_equal(uuid[i] == '-', i == 8 || i == 13 || i == 18 || i == 23);
        assert_int_equal(uuid[14], '4');
        assert_non_null(strchr("89ab", uuid[19]));
        assert_memory_not_equal(uuid, previous, CRYPTO_UUID_BYTES);
        memcpy(previous, uuid, CRYPTO_UUID_BYTES);
    }
    uint64_t random = crypto_random_u64();
    assert_true(random != crypto_random_u64() || random != crypto_random_u64());
}

static void assert_digests_differ(const struct text *a, size_t a_count, const struct text *b, size_t b_count)
{
    uint8_t of_a[CRYPTO_DIGEST_BYTES];
    uint8_t of_b[CRYPTO_DIGEST_BYTES];
    crypto_digest_list(a, a_count, of_a);
    crypto_digest_list(b, b_count, of_b);
    assert_memory_not_equal(of_a, of_b, sizeof of_a);
    crypto_digest_list(a, a_count, of_b);
    assert_memory_equal(of_a, of_b, sizeof of_a);
}

static void lists_that_concatenate_alike_have_different_digests(void **state)
{
    const struct text ab_c[] = {T("ab"), T("c")};
    const struct text a_bc[] = {T("a"), T("bc")};
    const struct text abc[] = {T("abc")};
    const struct text abc_empty[] = {T("abc"), T("")};
    const struct text empty_abc[] = {T(""), T("abc")};
    const struct text c_ab[] = {T("c"), T("ab")};
    const struct text forged[] = {T("ab\0\0\0\1c")};
    (void)state;
    assert_true(crypto_init());
    assert_digests_differ(ab_c, 2, a_bc, 2);
    assert_digests_differ(ab_c, 2, abc, 1);
    assert_digests_differ(abc, 1, abc_empty, 2);
    assert_digests_differ(abc_empty, 2, empty_abc, 2);
    assert_digests_differ(ab_c, 2, c_ab, 2);
    assert_digests_differ(ab_c, 2, forged, 1);
    assert_digests_differ(abc, 1, abc, 0);
}

static void a_digest_is_blake2b_256_of_length_and_bytes(void **state)
{
    /* BLAKE2b-256 of no bytes at all, as b2sum -l 256 prints it. */
    static const uint8_t of_nothing[CRYPTO_DIGEST_BYTES] = {
        0x0e, 0x57, 0x51, 0xc0, 0x26, 0xe5, 0x43, 0xb2, 0xe8, 0xab, 0x2e, 0xb0, 0x60, 0x99, 0xda, 0xa1,
        0xd1, 0xe5, 0xdf, 0x47, 0x77, 0x8f, 0x77, 0x87, 0xfa, 0xab, 0x45, 0xcd, 0xf1, 0x2f, 0xe3, 0xa8};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    (void)state;
    assert_true(crypto_init());
    crypto_digest_list(NULL, 0, digest);
    assert_memory_equal(digest, of_nothing, sizeof digest);
}

/* error, status */

static void every_kind_of_error_has_a_whole_row(void **state)
{
    (void)state;
    for (int kind = ERROR_NONE + 1; kind < ERROR_KINDS; kind++) {
        const struct error_row *row = error_row((enum error_kind)kind);
        assert_non_null(row->id);
        assert_true(strlen(row->id) > 0);
        assert_true(row->code >= 400 && row->code <= 599);
        assert_true(strlen(row->status) > 0);
        assert_true(strlen(row->detail) > 0);
        assert_int_equal(row->retry_s > 0, row->code == 429 || row->code == 503);
        for (int other = ERROR_NONE + 1; other < kind; other++)
            assert_string_not_equal(row->id, error_row((enum error_kind)other)->id);
    }
}

static void errors_read_as_the_contract_says(void **state)
{
    static const struct {
        enum error_kind kind;
        int code;
        const char *id;
        const char *status;
        const char *detail; /* NULL: the contract leaves it open */
    } cases[] = {
        {ERROR_MISSING_USER_IDS, 400, "MISSING_USER_IDs", "Bad Request", "Two or more user IDs are required"},
        {ERROR_MISSING_AUTHOR_ID, 400, "MISSING_AUTHOR_ID", "Bad Request", "Missing Author ID"},
        {ERROR_MISSING_CHAT_ID, 400, "MISSING_CHAT_ID", "Bad Request", "Missing Chat ID"},
        {ERROR_MISSING_TEXT, 400, "MISSING_TEXT", "Bad Request", "Missing text"},
        {ERROR_INVALID_REQUEST, 400, "INVALID_REQUEST", "Bad Request", NULL},
        {ERROR_UNAUTHORIZED, 401, "UNAUTHORIZED", "Unauthorized", NULL},
        {ERROR_FORBIDDEN, 403, "FORBIDDEN", "Forbidden", NULL},
        {ERROR_NOT_FOUND, 404, "NOT_FOUND", "Not Found", "Chat not found"},
        {ERROR_UNKNOWN_OPERATION, 404, "UNKNOWN_OPERATION", "Not Found", NULL},
        {ERROR_METHOD_NOT_ALLOWED, 405, "METHOD_NOT_ALLOWED", "Method Not Allowed", NULL},
        {ERROR_CHAT_ID_CONFLICT, 409, "CHAT_ID_CONFLICT", "Conflict", NULL},
        {ERROR_MESSAGE_ID_CONFLICT, 409, "MESSAGE_ID_CONFLICT", "Conflict", NULL},
        {ERROR_ACCOUNT_EXISTS, 409, "ACCOUNT_EXISTS", "Conflict", NULL},
        {ERROR_TOO_LARGE, 413, "TOO_LARGE", "Content Too Large", NULL},
        {ERROR_UNSUPPORTED_MEDIA_TYPE, 415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type", NULL},
        {ERROR_TOO_MANY_REQUESTS, 429, "TOO_MANY_REQUESTS", "Too Many Requests", NULL},
        {ERROR_DATABASE, 500, "DATABASE_ERROR", "Internal Server Error", NULL},
        {ERROR_INTERNAL, 500, "INTERNAL_ERROR", "Internal Server Error", NULL},
        {ERROR_UNAVAILABLE, 503, "UNAVAILABLE", "Service Unavailable", NULL},
        {ERROR_INSUFFICIENT_STORAGE, 507, "INSUFFICIENT_STORAGE", "Insufficient Storage", NULL},
    };
    (void)state;
    assert_int_equal(COUNT(cases), ERROR_KINDS - 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        const struct error_row *row = error_row(cases[i].kind);
        assert_int_equal(row->code, cases[i].code);
        assert_string_equal(row->id, cases[i].id);
        assert_string_equal(row->status, cases[i].status);
        if (cases[i].detail)
            assert_string_equal(row->detail, cases[i].detail);
    }
}

static void a_long_detail_is_cut_at_a_character(void **state)
{
    struct error e = {.kind = ERROR_NONE};
    char text[2000];
    (void)state;
    assert_int_equal(error_set(&e, ERROR_INVALID_REQUEST, "limit is %d", 3), ERROR_INVALID_REQUEST);
    assert_int_equal(e.kind, ERROR_INVALID_REQUEST);
    assert_string_equal(e.detail, "limit is 3");
    for (size_t lead = 0; lead < 4; lead++) {
        /* U+1F600 after 0 to 3 letters: the cut falls on each of its bytes in turn. */
        memset(text, 0, sizeof text);
        memset(text, 'a', lead);
        for (size_t i = 0; i < 200; i++)
            memcpy(text + lead + 4 * i, "\xf0\x9f\x98\x80", 4);
        error_set(&e, ERROR_INVALID_REQUEST, "%s", text);
        size_t bytes = strlen(e.detail);
        assert_true(bytes < ERROR_DETAIL_BYTES_MAX && bytes + 4 >= ERROR_DETAIL_BYTES_MAX);
        assert_true(text_is_utf8(text_of(e.detail)));
        assert_memory_equal(e.detail, text, bytes);
    }
    memset(text, 'a', ERROR_DETAIL_BYTES_MAX - 1);
    text[ERROR_DETAIL_BYTES_MAX - 1] = '\0';
    error_set(&e, ERROR_INVALID_REQUEST, "%s", text);
    assert_string_equal(e.detail, text);
}

static void every_status_has_a_name(void **state)
{
    (void)state;
    for (int status = STORE_OK; status <= STORE_NO_MEMORY; status++) {
        for (int other = STORE_OK; other < status; other++)
            assert_string_not_equal(store_status_name((enum store_status)status),
                                    store_status_name((enum store_status)other));
        assert_string_not_equal(store_status_name((enum store_status)status), "unknown status");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_grows_to_its_limit_and_no_further),
        cmocka_unit_test(a_failed_buffer_ignores_what_comes_after),
        cmocka_unit_test(a_formatted_append_may_end_at_the_limit),
        cmocka_unit_test(a_reservation_is_filled_by_its_owner),
        cmocka_unit_test(arena_memory_is_zeroed_aligned_and_survives_growth),
        cmocka_unit_test(an_arena_text_is_a_terminated_copy),
        cmocka_unit_test(json_escapes_what_it_must_and_nothing_else),
        cmocka_unit_test(json_finds_the_escape_at_each_place),
        cmocka_unit_test(each_run_that_is_not_utf8_becomes_one_replacement),
        cmocka_unit_test(an_int64_is_a_quoted_string),
        cmocka_unit_test(a_uuid_is_of_version_4_and_not_repeated),
        cmocka_unit_test(lists_that_concatenate_alike_have_different_digests),
        cmocka_unit_test(a_digest_is_blake2b_256_of_length_and_bytes),
        cmocka_unit_test(every_kind_of_error_has_a_whole_row),
        cmocka_unit_test(errors_read_as_the_contract_says),
        cmocka_unit_test(a_long_detail_is_cut_at_a_character),
        cmocka_unit_test(every_status_has_a_name),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
