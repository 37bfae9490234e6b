/* What `chatsctl doctor` reads: URLs that people type, and answers of whatever is there. A test's name is a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/answer.h"
#include "ctl/fetch.h"
#include "ctl/report.h"
#include "ctl/url.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void a_url_is_taken_as_people_type_it(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        const char *mount;
    } rows[] = {
        {"https://example.org/chats", "https://example.org/chats"},
        {"https://example.org/chats/", "https://example.org/chats"},
        {"https://example.org//", "https://example.org"},
        {"HTTPS://Example.ORG:8443/Chats", "https://example.org:8443/Chats"},
        {"http://example.org", "http://example.org"},
        {"example.org/chats", "https://example.org/chats"},
        {"localhost:8080/chats/", "http://localhost:8080/chats"},
        {"127.0.0.1:8080", "http://127.0.0.1:8080"},
        {"http://[::1]:8080/a/b", "http://[::1]:8080/a/b"},
        {"https://example.org/~jane/caf%C3%A9;v=1@2", "https://example.org/~jane/caf%C3%A9;v=1@2"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct url url;
        char mount[URL_BYTES_MAX];
        char problem[URL_PROBLEM_BYTES_MAX] = "";
        assert_true(url_parse(rows[i].typed, &url, problem));
        url_format(&url, mount);
        assert_string_equal(mount, rows[i].mount);
        assert_string_equal(problem, "");
    }
}

static void what_is_no_place_of_a_service_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *typed;
        const char *says;
    } rows[] = {
        {"", "no host"},
        {"/chats", "no host"},
        {"https://", "no host"},
        {"https://?x", "without '?'"},
        {"ftp://example.org/", "only http and https"},
        {"file:///etc/passwd", "only http and https"},
        {"https://jane:secret@example.org/", "user or password"},
        {"jane@example.org/chats", "user or password"},
        {"https://example.org/chats?x=1", "without '?'"},
        {"https://example.org/chats#x", "without '?'"},
        {"https://example.org:0/", "port"},
        {"https://example.org:65536/", "port"},
        {"https://example.org:/", "port"},
        {"https://example.org:8o/", "path"},
        {"https://exa mple.org/", "path"},
        {"https://exa\"mple.org/", "path"},
        {"https://example.org/a b", "path"},
        {"https://example.org/a\"\nurl", "path"},
        {"https://example.org/a\\b", "path"},
        {"https://example.org/caf\xc3\xa9", "path"},
        {"https://example.org/%zz", "path"},
        {"https://example.org/%4", "path"},
        {"https://[::1/chats", "no host"},
        {"https://[1:2]/chats", "no host"},
        {"https://[::1]x/chats", "path"},
        {"-K/etc/passwd", "no host"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct url url;
        char problem[URL_PROBLEM_BYTES_MAX] = "";
        if (url_parse(rows[i].typed, &url, problem) || strstr(problem, rows[i].says) == NULL) {
            fail_msg("'%s' gives '%s', not '%s'", rows[i].typed, problem, rows[i].says);
        }
    }
}

static void a_url_that_is_too_long_is_refused(void **state)
{
    (void)state;
    char typed[URL_BYTES_MAX + 64];
    char problem[URL_PROBLEM_BYTES_MAX] = "";
    struct url url;
    memset(typed, 'a', sizeof typed);
    typed[URL_HOST_BYTES_MAX - 1] = '\0';
    assert_true(url_parse(typed, &url, problem));
    typed[URL_HOST_BYTES_MAX - 1] = 'a';
    typed[URL_HOST_BYTES_MAX] = '\0';
    assert_false(url_parse(typed, &url, problem));
    memset(typed, 'a', sizeof typed);
    memcpy(typed, "http://h/", 9);
    typed[8 + URL_PATH_BYTES_MAX - 1] = '\0';
    assert_true(url_parse(typed, &url, problem));
    typed[8 + URL_PATH_BYTES_MAX - 1] = 'a';
    typed[8 + URL_PATH_BYTES_MAX] = '\0';
    assert_false(url_parse(typed, &url, problem));
}

static void what_is_near_needs_no_https(void **state)
{
    (void)state;
    static const struct {
        const char *host;
        bool near;
    } rows[] = {
        {"localhost", true},
        {"chats.localhost", true},
        {"127.0.0.1", true},
        {"127.9.9.9", true},
        {"[::1]", true},
        {"[::ffff:127.0.0.1]", true},
        {"10.1.2.3", true},
        {"172.16.0.1", true},
        {"172.31.255.255", true},
        {"192.168.1.1", true},
        {"169.254.1.1", true},
        {"[fd00::1]", true},
        {"[fe80::1]", true},
        {"172.32.0.1", false},
        {"192.169.0.1", false},
        {"8.8.8.8", false},
        {"[2001:db8::1]", false},
        {"example.org", false},
        {"notlocalhost", false},
        {"localhost.example.org", false},
        {"127.0.0.1.example.org", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct url url;
        char problem[URL_PROBLEM_BYTES_MAX] = "";
        assert_true(url_parse(rows[i].host, &url, problem));
        if (url_is_near(&url) != rows[i].near) {
            fail_msg("%s", rows[i].host);
        }
        assert_int_equal(url.tls, !rows[i].near);
    }
}

static void a_time_of_a_header_and_of_a_certificate_is_read(void **state)
{
    (void)state;
    uint64_t s = 0;
    assert_true(fetch_time("Sun, 06 Nov 1994 08:49:37 GMT", &s));
    assert_int_equal(s, 784111777);
    assert_true(fetch_time("Nov  6 08:49:37 1994 GMT", &s));
    assert_int_equal(s, 784111777);
    assert_false(fetch_time("Sun, 06 Nov 1994 08:49:37 GMT and more", &s));
    assert_false(fetch_time("yesterday", &s));
    assert_false(fetch_time("", &s));
}

static struct fetched answered(int status, const char *body)
{
    return (struct fetched){.status = status, .body = text_of(body)};
}

static void the_program_is_known_by_its_words(void **state)
{
    (void)state;
    static const struct {
        int status;
        const char *body;
        bool ours;
        bool well;
        const char *id;
    } rows[] = {
        {200, "{\"status\":\"ok\"}", true, true, ""},
        {500, "{\"status\":\"ok\"}", false, false, ""},
        {200, "{\"status\":\"OK\"}", false, false, ""},
        {503, "{\"Id\":\"UNAVAILABLE\",\"Code\":503,\"Detail\":\"x\",\"Status\":\"y\"}", true, false, "UNAVAILABLE"},
        {404, "{\"Id\":7,\"Detail\":\"x\"}", false, false, ""},
        {404, "{\"Id\":\"a\\u001b[31m\\n\",\"Detail\":\"\\u00e9\"}", true, false, "a?[31m?"},
        {404, "<html>404</html>", false, false, ""},
        {200, "[1]", false, false, ""},
        {200, "{\"status\":", false, false, ""},
        {200, "", false, false, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct fetched fetched = answered(rows[i].status, rows[i].body);
        struct answer answer;
        answer_read(&fetched, &answer);
        if (answer.ours != rows[i].ours || answer.well != rows[i].well) {
            fail_msg("%s", rows[i].body);
        }
        if (rows[i].ours) {
            assert_string_equal(answer.id, rows[i].id);
        }
    }
}

static void a_description_that_is_not_ours_or_lies_is_not_believed(void **state)
{
    (void)state;
    struct answer_build build;
    struct fetched ours = answered(
        200, "{\"info\":{\"title\":\"chats\",\"version\":\"1.2\",\"x-build\":\"00ff00ff00\",\"x-max-body\":99}}");
    assert_true(answer_read_build(&ours, &build));
    assert_string_equal(build.version, "1.2");
    assert_string_equal(build.build, "00ff00ff");
    assert_int_equal(build.body_bytes_max, 99);
    static const char *const sizes[] = {"-1", "1", "67108865", "99999999999999999999", "\"x\"", "null"};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char body[128];
        snprintf(body, sizeof body, "{\"info\":{\"title\":\"chats\",\"version\":\"1\",\"x-max-body\":%s}}", sizes[i]);
        struct fetched lies = answered(200, body);
        assert_true(answer_read_build(&lies, &build));
        assert_int_equal(build.body_bytes_max, 0);
        assert_string_equal(build.build, "");
    }
    static const char *const others[] = {"{\"info\":{\"title\":\"Pets\",\"version\":\"1\"}}", "{\"info\":[]}", "{}",
                                         "x"};
    for (size_t i = 0; i < COUNT(others); i++) {
        struct fetched other = answered(200, others[i]);
        assert_false(answer_read_build(&other, &build));
    }
}

static void headers_are_counted_in_any_case_and_shown_without_control_characters(void **state)
{
    (void)state;
    char value[FETCH_HEADER_BYTES_MAX];
    struct fetched fetched = {
        .head = TEXT_LITERAL("HTTP/1.1 200 OK\r\nserver:  x\x1b[31my\r\nAge: 1\r\nAGE: 2\r\nAgent: 3\r\nBad\r\n")};
    assert_int_equal(fetched_header(&fetched, "Server", value), 1);
    assert_string_equal(value, "x?[31my");
    assert_int_equal(fetched_header(&fetched, "Age", value), 2);
    assert_string_equal(value, "1");
    assert_int_equal(fetched_header(&fetched, "Bad", value), 0);
    assert_string_equal(value, "");
}

static void a_server_is_known_by_its_header(void **state)
{
    (void)state;
    assert_int_equal(report_server_of("Apache/2.4.57 (Debian)"), REPORT_APACHE);
    assert_int_equal(report_server_of("lighttpd/1.4.69"), REPORT_LIGHTTPD);
    assert_int_equal(report_server_of("nginx"), REPORT_NGINX);
    assert_int_equal(report_server_of("cloudflare"), REPORT_UNKNOWN);
    assert_int_equal(report_server_of(""), REPORT_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_is_taken_as_people_type_it),
        cmocka_unit_test(what_is_no_place_of_a_service_is_refused),
        cmocka_unit_test(a_url_that_is_too_long_is_refused),
        cmocka_unit_test(what_is_near_needs_no_https),
        cmocka_unit_test(a_time_of_a_header_and_of_a_certificate_is_read),
        cmocka_unit_test(the_program_is_known_by_its_words),
        cmocka_unit_test(a_description_that_is_not_ours_or_lies_is_not_believed),
        cmocka_unit_test(headers_are_counted_in_any_case_and_shown_without_control_characters),
        cmocka_unit_test(a_server_is_known_by_its_header),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
