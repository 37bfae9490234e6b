/*
 * Whose address counts: the server's word, and a proxy's only where chats.conf names that proxy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "http/client.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct row {
    const char *name;
    const char *remote;
    const char *forwarded;
    const char *client;
};

/* 192.0.2.10, 192.0.2.11 and 2001:db8::1 are proxies. */
static const struct row rows[] = {
    {"without a proxy it is the remote address", "198.51.100.1", "", "198.51.100.1"},
    {"a header from anybody else does not count", "198.51.100.1", "203.0.113.7", "198.51.100.1"},
    {"a proxy's header counts", "192.0.2.10", "203.0.113.7", "203.0.113.7"},
    {"a proxy of IPv6 counts, however it is written", "2001:DB8:0::1", "203.0.113.7", "203.0.113.7"},
    {"an IPv4 proxy on an IPv6 socket counts", "::ffff:192.0.2.10", "203.0.113.7", "203.0.113.7"},
    {"what the client wrote before is not believed", "192.0.2.10", "10.0.0.1, 203.0.113.7", "203.0.113.7"},
    {"proxies behind each other are passed over", "192.0.2.10", "10.0.0.1,203.0.113.7 ,192.0.2.11", "203.0.113.7"},
    {"where all are proxies it is the first", "192.0.2.10", "192.0.2.11, 2001:db8::1", "192.0.2.11"},
    {"a proxy without a header is the client", "192.0.2.10", "", "192.0.2.10"},
    {"what is no address is not believed", "192.0.2.10", "203.0.113.7, unknown", "192.0.2.10"},
    {"nor is an empty item", "192.0.2.10", "203.0.113.7, ", "192.0.2.10"},
    {"nor what stands before it", "192.0.2.10", "203.0.113.7, x, 192.0.2.11", "192.0.2.11"},
    {"an IPv6 client", "192.0.2.10", "2001:db8::7", "2001:db8::7"},
    {"a server that names none", "", "203.0.113.7", CLIENT_UNKNOWN},
    {"a server that names no address but something", "unix:", "203.0.113.7", "unix:"},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    static const char *const proxies[] = {"192.0.2.10", "192.0.2.11", "2001:db8::1"};
    struct config config;
    config_defaults(&config, "/nowhere");
    for (size_t i = 0; i < COUNT(proxies); i++) {
        assert_true(address_parse(text_of(proxies[i]), &config.trusted_proxies[config.trusted_proxies_count++]));
    }
    struct text client = client_address(&config, text_of(row->remote), text_of(row->forwarded));
    assert_int_equal(client.bytes, strlen(row->client));
    assert_memory_equal(client.data, row->client, client.bytes);
    config_clear(&config);
}

static void without_configured_proxies_no_header_counts(void **state)
{
    struct config config;
    (void)state;
    config_defaults(&config, "/nowhere");
    struct text client = client_address(&config, text_of("127.0.0.1"), text_of("203.0.113.7"));
    assert_true(text_equal(client, text_of("127.0.0.1")));
    config_clear(&config);
}

static void an_address_of_more_than_255_bytes_is_unknown(void **state)
{
    char remote[257];
    struct config config;
    (void)state;
    memset(remote, 'x', 256);
    remote[256] = '\0';
    config_defaults(&config, "/nowhere");
    assert_true(text_equal(client_address(&config, text_of(remote), text_of("")), text_of(CLIENT_UNKNOWN)));
    assert_true(text_equal(client_address(&config, text_of(remote + 1), text_of("")), text_of(remote + 1)));
    config_clear(&config);
}

/* What a server says of a call. */
struct told {
    const char *name;
    const char *value;
    const char *remote;
    bool is_local;
};

static const char *tell(void *context, const char *name)
{
    const struct told *told = context;
    if (strcmp(name, "REMOTE_ADDR") == 0) {
        return told->remote;
    }
    return strcmp(name, told->name) == 0 ? told->value : "";
}

static void a_program_of_this_machine_is_told_from_who_is_handed_on(void **state)
{
    static struct told calls[] = {
        {"", "", "127.0.0.1", true},
        {"", "", "127.255.255.254", true},
        {"", "", "::1", true},
        {"", "", "0:0:0:0:0:0:0:1", true},
        {"", "", "::ffff:127.0.0.1", true},
        {"", "", "128.0.0.1", false},
        {"", "", "192.0.2.1", false},
        {"", "", "::2", false},
        {"", "", "::", false},
        {"", "", "::7f00:1", false},
        {"", "", "", false},
        {"", "", "unix:", false},
        {"", "", "localhost", false},
        {"", "", "127.0.0.1 ", false},
        {"", "", "127.0.0.9", false}, /* a proxy, by its configuration */
        {"HTTP_FORWARDED", "for=192.0.2.1", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_FOR", "192.0.2.1", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_FOR", "127.0.0.1", "127.0.0.1", false},
        {"HTTP_X_REAL_IP", "192.0.2.1", "::1", false},
        {"HTTP_VIA", "1.1 proxy", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_PROTO", "https", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_HOST", "localhost", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_PORT", "443", "127.0.0.1", false},
        {"HTTP_X_FORWARDED_SERVER", "proxy", "127.0.0.1", false},
        {"HTTP_X_CLIENT_IP", "192.0.2.1", "127.0.0.1", false},
        {"HTTP_TRUE_CLIENT_IP", "192.0.2.1", "127.0.0.1", false},
        {"HTTP_CF_CONNECTING_IP", "192.0.2.1", "127.0.0.1", false},
        {"HTTP_HOST", "localhost", "127.0.0.1", true},
        {"HTTP_HOST", "LocalHost:8080", "127.0.0.1", true},
        {"HTTP_HOST", "chats.localhost:80", "127.0.0.1", true},
        {"HTTP_HOST", "127.0.0.1", "127.0.0.1", true},
        {"HTTP_HOST", "127.0.0.1:8080", "127.0.0.1", true},
        {"HTTP_HOST", "192.0.2.1:8080", "127.0.0.1", true},
        {"HTTP_HOST", "[::1]", "::1", true},
        {"HTTP_HOST", "[::1]:8080", "::1", true},
        {"HTTP_HOST", "example.org", "127.0.0.1", false},
        {"HTTP_HOST", "example.org:8080", "127.0.0.1", false},
        {"HTTP_HOST", "notlocalhost", "127.0.0.1", false},
        {"HTTP_HOST", "localhost.example.org", "127.0.0.1", false},
        {"HTTP_HOST", "127.0.0.1.example.org:80", "127.0.0.1", false},
        {"HTTP_HOST", "1234", "127.0.0.1", false},
        {"HTTP_HOST", ":80", "127.0.0.1", false},
        {"HTTP_HOST", "[", "127.0.0.1", false},
        {"HTTP_HOST", "[]", "127.0.0.1", false},
        {"HTTP_HOST", "[127.0.0.1]", "127.0.0.1", false},
        {"HTTP_HOST", "::1", "127.0.0.1", false},
    };
    struct config config;
    (void)state;
    config_defaults(&config, "/nowhere");
    assert_true(address_parse(text_of("127.0.0.9"), &config.trusted_proxies[config.trusted_proxies_count++]));
    for (size_t i = 0; i < COUNT(calls); i++) {
        if (client_is_local(&config, tell, &calls[i]) != calls[i].is_local) {
            fail_msg("'%s', %s '%s'", calls[i].remote, calls[i].name, calls[i].value);
        }
    }
    config_clear(&config);
}

int main(void)
{
    struct CMUnitTest tests[COUNT(rows) + 3];
    for (size_t i = 0; i < COUNT(rows); i++) {
        tests[i] = (struct CMUnitTest){rows[i].name, test_row, NULL, NULL, (void *)(uintptr_t)&rows[i]};
    }
    tests[COUNT(rows)] = (struct CMUnitTest)cmocka_unit_test(without_configured_proxies_no_header_counts);
    tests[COUNT(rows) + 1] = (struct CMUnitTest)cmocka_unit_test(an_address_of_more_than_255_bytes_is_unknown);
    tests[COUNT(rows) + 2] =
        (struct CMUnitTest)cmocka_unit_test(a_program_of_this_machine_is_told_from_who_is_handed_on);
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
