/* How a line of the log is written: the three formats, what is escaped, where it is cut; and the line of a call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "http/calllog.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LINE_BYTES_MAX 1000u

/* What a function puts out on descriptor 2, as a string. */
struct said {
    size_t bytes;
    char data[8192];
};

static void catch (void (*say)(const void *), const void *argument, struct said *ret)
{
    int file = memfd_create("said", MFD_CLOEXEC);
    int before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    say(argument);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    ssize_t bytes = pread(file, ret->data, sizeof ret->data - 1, 0);
    close(file);
    assert_true(bytes > 0);
    ret->bytes = (size_t)bytes;
    ret->data[bytes] = '\0';
}

static void say_error(const void *text)
{
    log_error("%s", (const char *)text);
}

static void say_warning(const void *text)
{
    log_warning("%s", (const char *)text);
}

struct facts {
    const char *message;
    const struct log_pair *pairs;
    size_t count;
};

static void say_facts(const void *argument)
{
    const struct facts *facts = argument;
    log_pairs(facts->message, facts->pairs, facts->count);
}

static void say_pairs(const struct log_pair *pairs, size_t count, struct said *ret)
{
    const struct facts facts = {"facts", pairs, count};
    catch (say_facts, &facts, ret);
}

static int set_text(void **state)
{
    (void)state;
    log_set_format(LOG_FORMAT_TEXT);
    log_set_level(LOG_LEVEL_WARNING);
    return 0;
}

/* The line as JSON, which it must be to its last byte but the newline. To be put. */
static struct json_object *parsed(const struct said *said)
{
    struct json_tokener *tokener = json_tokener_new();
    assert_non_null(tokener);
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    assert_int_equal(said->data[said->bytes - 1], '\n');
    struct json_object *object = json_tokener_parse_ex(tokener, said->data, (int)said->bytes - 1);
    if (object == NULL || json_tokener_get_parse_end(tokener) != said->bytes - 1) {
        fail_msg("no JSON: %s", said->data);
    }
    json_tokener_free(tokener);
    return object;
}

static const char *string_of(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    if (!json_object_object_get_ex(object, name, &member)) {
        fail_msg("there is no '%s' in %s", name, json_object_to_json_string(object));
    }
    return json_object_get_string(member);
}

static enum json_type type_of(struct json_object *object, const char *name)
{
    struct json_object *member = NULL;
    assert_true(json_object_object_get_ex(object, name, &member));
    return json_object_get_type(member);
}

static void a_line_of_json_is_an_object_with_time_level_process_and_message(void **state)
{
    struct said said;
    uint64_t ns;
    (void)state;
    log_set_format(LOG_FORMAT_JSON);
    catch (say_error, "the disk is \"full\" of C:\\", &said);
    struct json_object *object = parsed(&said);
    assert_true(timestamp_parse(text_of(string_of(object, "time")), &ns));
    assert_string_equal(string_of(object, "level"), "error");
    assert_int_equal(type_of(object, "pid"), json_type_int);
    char pid[32];
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_string_equal(string_of(object, "pid"), pid);
    assert_string_equal(string_of(object, "message"), "the disk is \"full\" of C:\\");
    assert_int_equal(json_object_object_length(object), 4);
    json_object_put(object);
}

static void a_line_for_the_journal_has_a_priority_and_no_time(void **state)
{
    struct said said;
    (void)state;
    log_set_format(LOG_FORMAT_JOURNAL);
    catch (say_error, "the disk is full", &said);
    assert_string_equal(said.data, "<3>the disk is full\n");
    catch (say_warning, "two\nlines", &said);
    assert_string_equal(said.data, "<4>two?lines\n");
    const struct log_pair pair = {"a", LOG_NUMBER, {NULL, 0}, 1};
    say_pairs(&pair, 1, &said);
    assert_string_equal(said.data, "<6>facts a=1\n");
}

/* Of every length around the limit, with characters of one to four bytes, quotes, and bytes that are none. */
static void a_line_that_is_cut_is_of_its_format_still(void **state)
{
    static const char *const fillings[] = {"a",  "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\"",
                                           "\\", "\x01",     "\xff",         "\xe2\x82"};
    static const enum log_format formats[] = {LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL};
    char text[1200];
    struct said said;
    (void)state;
    for (size_t f = 0; f < COUNT(formats); f++) {
        log_set_format(formats[f]);
        for (size_t i = 0; i < COUNT(fillings); i++) {
            for (size_t begin = 0; begin < 8; begin++) {
                size_t bytes = begin;
                memset(text, 'x', bytes);
                while (bytes + strlen(fillings[i]) < sizeof text) {
                    memcpy(text + bytes, fillings[i], strlen(fillings[i]));
                    bytes += strlen(fillings[i]);
                }
                text[bytes] = '\0';
                catch (say_error, text, &said);
                /* The message itself is cut at 999 bytes, which may leave a part of a character. */
                assert_in_range(said.bytes, LINE_BYTES_MAX - 4, LINE_BYTES_MAX);
                assert_ptr_equal(memchr(said.data, '\n', said.bytes), said.data + said.bytes - 1);
                if (formats[f] == LOG_FORMAT_JSON) {
                    json_object_put(parsed(&said));
                }
            }
        }
    }
}

static void pairs_are_quoted_where_they_have_to_be(void **state)
{
    static const struct {
        const char *value;
        const char *shown;
    } rows[] = {
        {"plain", "plain"},
        {"J\xc3\xb6rg", "J\xc3\xb6rg"},
        {"192.0.2.1", "192.0.2.1"},
        {"two words", "\"two words\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"x\nstatus=200", "\"x?status=200\""},
        {"\x7f", "\"?\""},
    };
    struct said said;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct log_pair pairs[] = {{"id", LOG_TEXT, text_of(rows[i].value), 0},
                                         {"none", LOG_TEXT, {NULL, 0}, 0},
                                         {"ms", LOG_MILLISECONDS, {NULL, 0}, 1234567},
                                         {"n", LOG_NUMBER, {NULL, 0}, UINT64_MAX}};
        char expected[200];
        log_set_format(LOG_FORMAT_TEXT);
        say_pairs(pairs, COUNT(pairs), &said);
        snprintf(expected, sizeof expected, "] info: facts id=%s ms=1.234 n=18446744073709551615\n", rows[i].shown);
        assert_non_null(strstr(said.data, expected));
        log_set_format(LOG_FORMAT_JSON);
        say_pairs(pairs, COUNT(pairs), &said);
        struct json_object *object = parsed(&said);
        assert_string_equal(string_of(object, "message"), "facts");
        assert_int_equal(type_of(object, "ms"), json_type_double);
        assert_int_equal(type_of(object, "n"), json_type_int);
        assert_int_equal(strlen(string_of(object, "id")), strlen(rows[i].value));
        assert_false(json_object_object_get_ex(object, "none", NULL));
        json_object_put(object);
    }
}

/* Whatever the first pairs leave room for: a pair is there whole, with its value cut, or not at all. */
static void pairs_that_do_not_fit_are_cut_or_left_out(void **state)
{
    char filler[900];
    char quotes[600];
    struct said said;
    (void)state;
    memset(filler, 'f', sizeof filler);
    memset(quotes, '"', sizeof quotes);
    for (int format = LOG_FORMAT_TEXT; format <= LOG_FORMAT_JOURNAL; format++) {
        log_set_format((enum log_format)format);
        for (size_t bytes = 1; bytes < sizeof filler; bytes++) {
            const struct log_pair pairs[] = {{"first", LOG_TEXT, {filler, bytes}, 0},
                                             {"quotes", LOG_TEXT, {quotes, sizeof quotes}, 0},
                                             {"a_name_of_20_letters", LOG_NUMBER, {NULL, 0}, UINT64_MAX}};
            say_pairs(pairs, COUNT(pairs), &said);
            assert_true(said.bytes <= LINE_BYTES_MAX);
            assert_ptr_equal(memchr(said.data, '\n', said.bytes), said.data + said.bytes - 1);
            if (format == LOG_FORMAT_JSON) {
                json_object_put(parsed(&said));
                continue;
            }
            const char *value = strstr(said.data, " quotes=");
            assert_true(value == NULL || said.data[said.bytes - 2] == '"');
            const char *number = strstr(said.data, " a_name");
            assert_true(number == NULL || strstr(number, "=18446744073709551615\n") != NULL);
        }
    }
}

/* C0, DEL and C1, as bytes and as UTF-8: CSI is ESC [, U+009B and 0x9B. What is no UTF-8 may be any of them. */
static void nothing_that_moves_a_terminals_cursor_gets_through(void **state)
{
    static const char *const rows[][2] = {
        {"\x1b[2J", "?[2J"},
        {"\x9b"
         "2J",
         "?2J"},
        {"\x80\x84\x85\x9f", "????"},
        {"\xc2\x9b"
         "2J",
         "?2J"},
        {"\xc2\x80\xc2\x85\xc2\x9f", "???"},
        {"\xc2\xa0\xc3\x9b\xe2\x80\x9b", "\xc2\xa0\xc3\x9b\xe2\x80\x9b"},
        {"caf\xe9\xff", "caf??"},
        {"cut\xe2\x80", "cut??"},
        {"\x7f\r\n", "???"},
    };
    struct said said;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct log_pair pair = {"id", LOG_TEXT, text_of(rows[i][0]), 0};
        char expected[200];
        snprintf(expected, sizeof expected, "<3>%s\n", rows[i][1]);
        log_set_format(LOG_FORMAT_JOURNAL);
        catch (say_error, rows[i][0], &said);
        assert_string_equal(said.data, expected);
        log_set_format(LOG_FORMAT_TEXT);
        catch (say_error, rows[i][0], &said);
        assert_non_null(strstr(said.data, expected + 3));
        say_pairs(&pair, 1, &said);
        assert_non_null(strstr(said.data, rows[i][1]));
        log_set_format(LOG_FORMAT_JSON);
        say_pairs(&pair, 1, &said);
        struct json_object *object = parsed(&said);
        assert_string_equal(string_of(object, "id"), rows[i][1]);
        json_object_put(object);
    }
}

static void facts_are_told_whatever_the_level(void **state)
{
    struct said said;
    const struct log_pair pair = {"a", LOG_NUMBER, {NULL, 0}, 1};
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    say_pairs(&pair, 1, &said);
    assert_non_null(strstr(said.data, " info: facts a=1\n"));
}

/* the line of a call */

struct called {
    struct request request;
    struct reply reply;
    uint64_t sent_bytes;
    bool complete;
};

static void say_call(const void *argument)
{
    const struct called *called = argument;
    calllog_write(&called->request, &called->reply, called->sent_bytes, called->complete);
}

static struct called a_call(void)
{
    return (struct called){
        .request = {.address = TEXT_LITERAL("192.0.2.1"),
                    .bearer = TEXT_LITERAL("a canary"),
                    .query = TEXT_LITERAL("a canary"),
                    .body = TEXT_LITERAL("{\"text\":\"a canary\"}"),
                    .began_ns = timestamp_monotonic_ns()},
        .reply = {.code = 200,
                  .called = FIGURES_OPERATION + 1,
                  .caller = {TEXT_LITERAL("shop"), TEXT_LITERAL("Jane Doe"), ACCOUNT_USER}},
        .sent_bytes = 123,
        .complete = true,
    };
}

static void a_call_is_one_line_without_what_was_said_in_it(void **state)
{
    struct called called = a_call();
    struct said said;
    (void)state;
    catch (say_call, &called, &said);
    assert_non_null(strstr(said.data, "] info: call operation=Chats.SendMessage status=200 duration_ms=0."));
    assert_non_null(
        strstr(said.data, " bytes_in=19 bytes_out=123 address=192.0.2.1 namespace=shop account=\"Jane Doe\"\n"));
    assert_null(strstr(said.data, "canary"));
    assert_null(strstr(said.data, "error="));
    assert_null(strstr(said.data, "broken_off"));
    called.reply.result = ERROR_NOT_FOUND;
    called.reply.called = FIGURES_UNKNOWN;
    called.reply.caller = (struct caller){{NULL, 0}, {NULL, 0}, ACCOUNT_USER};
    called.complete = false;
    catch (say_call, &called, &said);
    assert_non_null(
        strstr(said.data, " call operation=unknown status=404 error=NOT_FOUND broken_off=yes duration_ms="));
    assert_null(strstr(said.data, "namespace"));
    assert_null(strstr(said.data, "account"));
}

/* The longest ids that there are, all of them to be escaped. */
static void the_longest_names_leave_a_calls_line_whole_but_for_themselves(void **state)
{
    char name[TEXT_ID_BYTES_MAX];
    struct called called = a_call();
    struct said said;
    (void)state;
    memset(name, '"', sizeof name);
    called.request.address = (struct text){name, sizeof name};
    called.reply.caller = (struct caller){{name, sizeof name}, {name, sizeof name}, ACCOUNT_USER};
    log_set_format(LOG_FORMAT_JSON);
    catch (say_call, &called, &said);
    struct json_object *object = parsed(&said);
    assert_string_equal(string_of(object, "operation"), "Chats.SendMessage");
    assert_string_equal(string_of(object, "status"), "200");
    assert_string_equal(string_of(object, "bytes_out"), "123");
    assert_int_equal(type_of(object, "duration_ms"), json_type_double);
    json_object_put(object);
}

static void what_the_transport_owns_is_kept_for_the_line(void **state)
{
    char address[] = "192.0.2.1";
    char namespace[] = "shop";
    struct called called = a_call();
    struct arena arena = {0};
    struct said said;
    (void)state;
    called.request.address = text_of(address);
    called.reply.caller.namespace = text_of(namespace);
    calllog_keep(&called.request, &called.reply, &arena);
    memset(address, 'x', sizeof address - 1);
    memset(namespace, 'x', sizeof namespace - 1);
    catch (say_call, &called, &said);
    assert_non_null(strstr(said.data, " address=192.0.2.1 namespace=shop account=\"Jane Doe\"\n"));
    arena_clear(&arena);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_text, set_text)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_line_of_json_is_an_object_with_time_level_process_and_message),
        TEST(a_line_for_the_journal_has_a_priority_and_no_time),
        TEST(a_line_that_is_cut_is_of_its_format_still),
        TEST(pairs_are_quoted_where_they_have_to_be),
        TEST(pairs_that_do_not_fit_are_cut_or_left_out),
        TEST(nothing_that_moves_a_terminals_cursor_gets_through),
        TEST(facts_are_told_whatever_the_level),
        TEST(a_call_is_one_line_without_what_was_said_in_it),
        TEST(the_longest_names_leave_a_calls_line_whole_but_for_themselves),
        TEST(what_the_transport_owns_is_kept_for_the_line),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
