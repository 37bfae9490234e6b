/* Unit tests of base/text and base/timestamp. A test's name is a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/text.h"
#include "base/timestamp.h"

#define T(literal) TEXT_LITERAL(literal)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* text */

static void utf8_is_what_rfc_3629_allows(void **state)
{
    static const struct {
        struct text bytes;
        bool valid;
    } cases[] = {
        {T(""), true},
        {T("ascii"), true},
        {T("\0"), true},
        {T("\x7f"), true},
        {T("\xc2\x80"), true},                  /* U+0080, the first of two bytes */
        {T("\xdf\xbf"), true},                  /* U+07FF, the last */
        {T("\xe0\xa0\x80"), true},              /* U+0800, the first of three */
        {T("\xed\x9f\xbf"), true},              /* U+D7FF, the last before the surrogates */
        {T("\xee\x80\x80"), true},              /* U+E000, the first after them */
        {T("\xef\xbf\xbf"), true},              /* U+FFFF, the last of three */
        {T("\xf0\x90\x80\x80"), true},          /* U+10000, the first of four */
        {T("\xf4\x8f\xbf\xbf"), true},          /* U+10FFFF, the last of all */
        {T("\x80"), false},                     /* a continuation alone */
        {T("\xbf"), false},                     /* another */
        {T("\xc0\x80"), false},                 /* overlong U+0000 */
        {T("\xc0\xaf"), false},                 /* overlong '/' */
        {T("\xc1\xbf"), false},                 /* overlong U+007F */
        {T("\xe0\x80\xaf"), false},             /* overlong '/' in three */
        {T("\xe0\x9f\xbf"), false},             /* overlong U+07FF */
        {T("\xf0\x80\x80\xaf"), false},         /* overlong '/' in four */
        {T("\xf0\x8f\xbf\xbf"), false},         /* overlong U+FFFF */
        {T("\xed\xa0\x80"), false},             /* U+D800 */
        {T("\xed\xbf\xbf"), false},             /* U+DFFF */
        {T("\xed\xa0\xbd\xed\xb8\x80"), false}, /* a surrogate pair, CESU-8 */
        {T("\xf4\x90\x80\x80"), false},         /* U+110000 */
        {T("\xf5\x80\x80\x80"), false},
        {T("\xf8\x88\x80\x80\x80"), false}, /* five bytes */
        {T("\xfe"), false},
        {T("\xff"), false},
        {T("a\xc2"), false},         /* truncated after one of two */
        {T("a\xe2\x82"), false},     /* two of three */
        {T("a\xf0\x9f\x98"), false}, /* three of four */
        {T("\xc2 a"), false},        /* broken off by another character */
        {T("\xe2\x82\x41"), false},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (text_is_utf8(cases[i].bytes) != cases[i].valid)
            fail_msg("case %zu of the UTF-8 table", i);
    }
}

static struct text repeated(char *room, const char *unit, size_t count)
{
    size_t bytes = strlen(unit);
    for (size_t i = 0; i < count; i++)
        memcpy(room + i * bytes, unit, bytes);
    return (struct text){room, count * bytes};
}

static void an_id_is_1_to_255_bytes(void **state)
{
    char room[512];
    (void)state;
    assert_false(text_is_id(T("")));
    assert_false(text_is_id((struct text){NULL, 0}));
    assert_true(text_is_id(T("a")));
    assert_true(text_is_id(repeated(room, "a", 255)));
    assert_false(text_is_id(repeated(room, "a", 256)));
    assert_true(text_is_id(repeated(room, "\xe2\x82\xac", 85)));  /* 255 bytes of U+20AC */
    assert_false(text_is_id(repeated(room, "\xe2\x82\xac", 86))); /* 258 */
}

static void an_id_has_no_control_characters(void **state)
{
    (void)state;
    for (int c = 0; c < 0x20; c++) {
        char z[3] = {'a', (char)c, 'b'};
        assert_false(text_is_id((struct text){z, 3}));
    }
    assert_false(text_is_id(T("a\x7f")));
    for (int c = 0x80; c <= 0x9f; c++) {
        char z[3] = {'a', '\xc2', (char)c};
        assert_false(text_is_id((struct text){z, 3}));
    }
    assert_false(text_is_id(T("\xc2\x85"))); /* U+0085, next line */
    assert_true(text_is_id(T("a\xc2\xa0"))); /* U+00A0, the first that is none */
    assert_true(text_is_id(T(" ~")));
    assert_true(text_is_id(T("\xe0\xa2\x85"))); /* U+0885: a continuation byte 85 is no control character */
}

static void an_id_is_utf8(void **state)
{
    (void)state;
    assert_false(text_is_id(T("\xc0\xaf")));
    assert_false(text_is_id(T("a\xff")));
    assert_false(text_is_id(T("a\xc2")));
}

static void texts_compare_as_bytes_and_a_prefix_sorts_first(void **state)
{
    (void)state;
    assert_true(text_equal(T(""), (struct text){NULL, 0}));
    assert_true(text_equal(T("ab"), T("ab")));
    assert_false(text_equal(T("ab"), T("ac")));
    assert_false(text_equal(T("ab"), T("abc")));
    assert_int_equal(text_compare(T(""), (struct text){NULL, 0}), 0);
    assert_int_equal(text_compare(T("ab"), T("ab")), 0);
    assert_true(text_compare(T("ab"), T("abc")) < 0);
    assert_true(text_compare(T("abc"), T("ab")) > 0);
    assert_true(text_compare(T("\xff"), T("a")) > 0); /* unsigned */
    assert_true(text_compare(T("B"), T("a")) < 0);
    assert_int_equal(text_of(NULL).bytes, 0);
    assert_int_equal(text_of("abc").bytes, 3);
}

/* timestamp */

static void assert_format(uint64_t ns, const char *expected)
{
    char z[TIMESTAMP_BYTES + 1] = {0};
    timestamp_format(ns, z);
    assert_string_equal(z, expected);
}

static void spaces_and_tabs_around_a_text_are_taken_off(void **state)
{
    static const char *const rows[][2] = {
        {"", ""}, {" ", ""}, {"\t \t", ""}, {"a", "a"}, {" \ta b\t ", "a b"}, {"\na\r", "\na\r"},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(text_equal(text_trimmed(text_of(rows[i][0])), text_of(rows[i][1])));
    }
    assert_int_equal(text_trimmed((struct text){NULL, 0}).bytes, 0);
}

static void a_time_has_nine_fraction_digits_in_utc(void **state)
{
    (void)state;
    assert_format(0, "1970-01-01T00:00:00.000000000Z");
    assert_format(1, "1970-01-01T00:00:00.000000001Z");
    assert_format(UINT64_C(1795393607042000001), "2026-11-23T00:26:47.042000001Z");
    assert_format(UINT64_C(951782400) * 1000000000, "2000-02-29T00:00:00.000000000Z");
    assert_format(UINT64_C(951868799) * 1000000000 + 999999999, "2000-02-29T23:59:59.999999999Z");
    assert_format(UINT64_C(4107542400) * 1000000000, "2100-03-01T00:00:00.000000000Z"); /* 2100 has no leap day */
    assert_format(UINT64_C(4107542399) * 1000000000, "2100-02-28T23:59:59.000000000Z");
    assert_format(UINT64_MAX, "2554-07-21T23:34:33.709551615Z");
}

static void what_was_written_is_read_back(void **state)
{
    uint64_t ns = 0;
    (void)state;
    for (unsigned i = 0; i < 20000; i++) {
        char z[TIMESTAMP_BYTES];
        uint64_t back = 0;
        timestamp_format(ns, z);
        assert_true(timestamp_parse((struct text){z, sizeof z}, &back));
        assert_int_equal(back, ns);
        ns += UINT64_C(922337203685477); /* 20,000 steps over the whole range */
    }
    assert_true(ns > UINT64_MAX - UINT64_C(922337203685477) * 2);
}

static void every_day_has_the_date_of_the_c_library(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < UINT64_MAX / 1000000000 / 86400; day++) {
        char z[TIMESTAMP_BYTES];
        char expected[TIMESTAMP_BYTES + 1];
        time_t seconds = (time_t)(day * 86400 + 86399);
        struct tm tm;
        timestamp_format((uint64_t)seconds * 1000000000, z);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_int_not_equal(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S.000000000Z", &tm), 0);
        assert_memory_equal(z, expected, sizeof z);
    }
}

static void a_later_time_sorts_later_as_text(void **state)
{
    static const uint64_t times[] = {0,
                                     1,
                                     999999999,
                                     1000000000,
                                     UINT64_C(86399999999999),
                                     UINT64_C(86400000000000),
                                     UINT64_C(951782399999999999),
                                     UINT64_C(951782400000000000),
                                     UINT64_C(1795393607042000001),
                                     UINT64_MAX};
    (void)state;
    for (size_t i = 1; i < COUNT(times); i++) {
        char earlier[TIMESTAMP_BYTES];
        char later[TIMESTAMP_BYTES];
        timestamp_format(times[i - 1], earlier);
        timestamp_format(times[i], later);
        assert_true(memcmp(earlier, later, sizeof later) < 0);
    }
}

static void every_form_of_rfc_3339_is_read(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01t00:00:00z", 0},
        {"1970-01-01T00:00:00.5Z", 500000000},
        {"1970-01-01T00:00:00.000000001Z", 1},
        {"1970-01-01T00:00:00.123456789Z", 123456789},
        {"1970-01-01T00:00:01+00:00", 1000000000},
        {"1970-01-01T00:00:01-00:00", 1000000000},
        {"1970-01-01T01:30:00+01:30", 0},
        {"1969-12-31T22:30:00-01:30", 0},
        {"1970-01-02T23:59:00+23:59", UINT64_C(86400) * 1000000000},
        {"2000-02-29T12:00:00Z", UINT64_C(951825600) * 1000000000},
        {"2024-02-29T00:00:00Z", UINT64_C(1709164800) * 1000000000},
        {"2016-12-31T23:59:60Z", UINT64_C(1483228800) * 1000000000}, /* read as the second after */
        {"2016-12-31T23:59:60.25Z", UINT64_C(1483228800250000000)},
        {"2017-01-01T00:59:60+01:00", UINT64_C(1483228800) * 1000000000},
        {"2016-12-31T15:59:60-08:00", UINT64_C(1483228800) * 1000000000},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t ns = 42;
        if (!timestamp_parse(text_of(cases[i].text), &ns) || ns != cases[i].ns)
            fail_msg("\"%s\" was read as %" PRIu64, cases[i].text, ns);
    }
}

static void anything_else_is_no_time(void **state)
{
    static const char *const cases[] = {
        "",
        "Z",
        "1970-01-01",
        "1970-01-01T00:00:00",   /* no offset */
        "1970-01-01 00:00:00Z",  /* no T */
        "1970-01-01T00:00Z",     /* no seconds */
        "70-01-01T00:00:00Z",    /* two-digit year */
        "12026-01-01T00:00:00Z", /* five */
        "+1970-01-01T00:00:00Z",
        "1970-1-01T00:00:00Z",
        "1970-00-01T00:00:00Z",
        "1970-13-01T00:00:00Z",
        "1970-01-00T00:00:00Z",
        "1970-01-32T00:00:00Z",
        "1970-04-31T00:00:00Z",
        "1970-02-29T00:00:00Z", /* no leap year */
        "2100-02-29T00:00:00Z", /* nor this */
        "2000-02-30T00:00:00Z",
        "1970-01-01T24:00:00Z",
        "1970-01-01T00:60:00Z",
        "1970-01-01T00:00:61Z",
        "1970-01-01T00:00:60Z", /* a leap second only ends a day */
        "2016-12-31T23:58:60Z",
        "2016-12-31T23:59:60+01:00", /* 22:59:60 UTC */
        "1970-01-01T00:00:00.Z",     /* a point and nothing behind it */
        "1970-01-01T00:00:00,5Z",
        "1970-01-01T00:00:00.1234567890", /* ten digits, and no offset */
        "1970-01-01T00:00:00.123456789xZ",
        "1970-01-01T00:00:00+0000",
        "1970-01-01T00:00:00+00",
        "1970-01-01T00:00:00+24:00",
        "1970-01-01T00:00:00+00:60",
        "1970-01-01T00:00:00+0:00",
        "1970-01-01T00:00:00ZZ",
        "1970-01-01T00:00:00Z ",
        " 1970-01-01T00:00:00Z",
        "1970-01-01T00:00:00UTC",
        "1970/01/01T00:00:00Z",
        "1970-01-01T00.00.00Z",
        "1970-01-01T-1:00:00Z",
        "0",
        "1795393607042000001",
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t ns = 42;
        if (timestamp_parse(text_of(cases[i]), &ns))
            fail_msg("\"%s\" was read as %" PRIu64, cases[i], ns);
        assert_int_equal(ns, 42);
    }
    uint64_t ns = 42;
    assert_false(timestamp_parse(T("1970-01-01T00:00:00Z\0"), &ns));
    assert_false(timestamp_parse((struct text){NULL, 0}, &ns));
    assert_int_equal(ns, 42);
}

static void a_time_outside_the_range_is_its_nearest_end(void **state)
{
    static const struct {
        const char *text;
        uint64_t ns;
    } cases[] = {
        {"1969-12-31T23:59:59Z", 0},
        {"1969-12-31T23:59:59.999999999Z", 0},
        {"1970-01-01T00:00:00+00:01", 0},
        {"0000-01-01T00:00:00Z", 0},
        {"0000-02-29T00:00:00Z", 0},
        {"0001-01-01T00:00:00Z", 0},
        {"2554-07-21T23:34:33.709551615Z", UINT64_MAX},
        {"2554-07-21T23:34:33.709551614Z", UINT64_MAX - 1},
        {"2554-07-21T23:34:33.709551616Z", UINT64_MAX},
        {"2554-07-21T23:34:34Z", UINT64_MAX},
        {"9999-12-31T23:59:60Z", UINT64_MAX},
        {"9999-12-31T23:59:59-23:59", UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t ns = 42;
        if (!timestamp_parse(text_of(cases[i].text), &ns) || ns != cases[i].ns)
            fail_msg("\"%s\" was read as %" PRIu64, cases[i].text, ns);
    }
}

static void a_bound_finer_than_nanoseconds_lies_between_two(void **state)
{
    static const struct {
        const char *text;
        uint64_t floor_ns;
        uint64_t ceiling_ns;
    } cases[] = {
        {"1970-01-01T00:00:00.123456789Z", 123456789, 123456789},
        {"1970-01-01T00:00:00.1234567890Z", 123456789, 123456789},
        {"1970-01-01T00:00:00.0000000000Z", 0, 0},
        {"1970-01-01T00:00:00.1234567891Z", 123456789, 123456790},
        {"1970-01-01T00:00:00.00000000000000000000000000000001Z", 0, 1},
        {"1970-01-01T00:00:00.00000000010000000000000000000000Z", 0, 1},
        {"1970-01-01T01:00:00.9999999999+01:00", 999999999, 1000000000},
        {"2016-12-31T23:59:60.9999999999Z", UINT64_C(1483228800999999999), UINT64_C(1483228801000000000)},
        {"1969-12-31T23:59:59.9999999999Z", 0, 0},
        {"2554-07-21T23:34:33.7095516145Z", UINT64_MAX - 1, UINT64_MAX},
        {"2554-07-21T23:34:33.7095516155Z", UINT64_MAX, UINT64_MAX},
        {"9999-12-31T23:59:59.9999999999Z", UINT64_MAX, UINT64_MAX},
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        uint64_t floor_ns = 42;
        uint64_t ceiling_ns = 42;
        uint64_t ns = 42;
        if (!timestamp_parse_bound(text_of(cases[i].text), &floor_ns, &ceiling_ns) || floor_ns != cases[i].floor_ns ||
            ceiling_ns != cases[i].ceiling_ns || !timestamp_parse(text_of(cases[i].text), &ns) || ns != floor_ns)
            fail_msg("\"%s\" was read as %" PRIu64 " to %" PRIu64, cases[i].text, floor_ns, ceiling_ns);
    }
}

static void the_clocks_run_forwards(void **state)
{
    (void)state;
    uint64_t monotonic = timestamp_monotonic_ns();
    assert_true(timestamp_monotonic_ns() >= monotonic);
    if (fault_value(FAULT_CLOCK_OFFSET_S) == 0 && fault_value(FAULT_CLOCK_FILE) == 0)
        assert_true(timestamp_now_ns() > UINT64_C(1700000000000000000)); /* 2023 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_what_rfc_3629_allows),
        cmocka_unit_test(an_id_is_1_to_255_bytes),
        cmocka_unit_test(an_id_has_no_control_characters),
        cmocka_unit_test(an_id_is_utf8),
        cmocka_unit_test(texts_compare_as_bytes_and_a_prefix_sorts_first),
        cmocka_unit_test(spaces_and_tabs_around_a_text_are_taken_off),
        cmocka_unit_test(a_time_has_nine_fraction_digits_in_utc),
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(every_day_has_the_date_of_the_c_library),
        cmocka_unit_test(a_later_time_sorts_later_as_text),
        cmocka_unit_test(every_form_of_rfc_3339_is_read),
        cmocka_unit_test(anything_else_is_no_time),
        cmocka_unit_test(a_time_outside_the_range_is_its_nearest_end),
        cmocka_unit_test(a_bound_finer_than_nanoseconds_lies_between_two),
        cmocka_unit_test(the_clocks_run_forwards),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
