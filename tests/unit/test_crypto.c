/*
 * Passwords, tokens, addresses, and the slots that bound how many hashes are made at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/address.h"
#include "base/crypto.h"
#include "base/slots.h"
#include "base/timestamp.h"

#define MEMORY (UINT64_C(8) << 20)

/* --- passwords */

static void a_hash_is_its_passwords_only(void **state)
{
    (void)state;
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    char again[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    struct text password = text_of("correct horse");
    assert_true(crypto_password_hash(password, MEMORY, 1, hash));
    assert_true(crypto_password_hash(password, MEMORY, 1, again));
    assert_string_not_equal(hash, again);
    assert_memory_equal(hash, "$argon2id$v=19$m=8192,t=1,p=1$", 30);
    assert_null(strstr(hash, "correct"));
    assert_true(crypto_password_verify(text_of(hash), password));
    assert_true(crypto_password_verify(text_of(again), password));
    assert_false(crypto_password_verify(text_of(hash), text_of("correct horsf")));
    assert_false(crypto_password_verify(text_of(hash), text_of("")));
    assert_false(crypto_password_verify(text_of(""), password));
    assert_false(crypto_password_verify(text_of("no hash at all"), password));
}

static void every_byte_of_a_long_password_counts(void **state)
{
    (void)state;
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    char password[CRYPTO_PASSWORD_BYTES_MAX];
    struct text text = {password, sizeof password};
    memset(password, 'x', sizeof password);
    assert_true(crypto_password_hash(text, MEMORY, 1, hash));
    password[sizeof password - 1] = 'y';
    assert_false(crypto_password_verify(text_of(hash), text));
    password[sizeof password - 1] = 'x';
    assert_true(crypto_password_verify(text_of(hash), text));
}

static void a_hash_of_another_cost_is_outdated_and_still_good(void **state)
{
    (void)state;
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    assert_true(crypto_password_hash(text_of("password"), MEMORY, 1, hash));
    assert_false(crypto_password_outdated(text_of(hash), MEMORY, 1));
    assert_true(crypto_password_outdated(text_of(hash), MEMORY, 2));
    assert_true(crypto_password_outdated(text_of(hash), 2 * MEMORY, 1));
    assert_true(crypto_password_outdated(text_of("no hash"), MEMORY, 1));
    assert_true(crypto_password_outdated(text_of(""), MEMORY, 1));
    assert_true(crypto_password_verify(text_of(hash), text_of("password")));
}

static void a_dummy_is_a_hash_of_that_cost_that_nothing_opens(void **state)
{
    (void)state;
    char dummy[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    crypto_password_dummy(MEMORY, 3, dummy);
    assert_false(crypto_password_outdated(text_of(dummy), MEMORY, 3));
    assert_false(crypto_password_verify(text_of(dummy), text_of("password")));
    assert_true(crypto_password_hash(text_of("password"), MEMORY, 3, hash));
    assert_int_equal(strlen(dummy), strlen(hash));
    /* That it was hashed against, and not refused for its form: both take their time. */
    uint64_t begun_ns = timestamp_monotonic_ns();
    assert_false(crypto_password_verify(text_of(hash), text_of("passwore")));
    uint64_t real_ns = timestamp_monotonic_ns() - begun_ns;
    begun_ns = timestamp_monotonic_ns();
    assert_false(crypto_password_verify(text_of(dummy), text_of("passwore")));
    assert_true(timestamp_monotonic_ns() - begun_ns > real_ns / 10);
}

/* --- tokens */

static void tokens_are_recognised_and_differ(void **state)
{
    (void)state;
    char tokens[64][CRYPTO_TOKEN_BYTES];
    for (size_t i = 0; i < 64; i++) {
        crypto_token(tokens[i]);
        assert_memory_equal(tokens[i], "chats_", 6);
        for (size_t at = 6; at < CRYPTO_TOKEN_BYTES; at++) {
            assert_non_null(
                memchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", tokens[i][at], 64));
        }
        for (size_t other = 0; other < i; other++) {
            assert_memory_not_equal(tokens[i] + 6, tokens[other] + 6, 8);
        }
    }
}

static void a_digest_is_blake2b_256_of_the_characters(void **state)
{
    (void)state;
    /* `printf abc | b2sum -l 256` */
    static const uint8_t expected[CRYPTO_DIGEST_BYTES] = {
        0xbd, 0xdd, 0x81, 0x3c, 0x63, 0x42, 0x39, 0x72, 0x31, 0x71, 0xef, 0x3f, 0xee, 0x98, 0x57, 0x9b,
        0x94, 0x96, 0x4e, 0x3b, 0xb1, 0xcb, 0x3e, 0x42, 0x72, 0x62, 0xc8, 0xc0, 0x68, 0xd5, 0x23, 0x19};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(text_of("abc"), digest);
    assert_memory_equal(digest, expected, sizeof expected);
    crypto_token_digest((struct text){NULL, 0}, digest);
    assert_memory_not_equal(digest, expected, sizeof expected);
}

/* --- addresses */

static void an_address_has_one_form(void **state)
{
    (void)state;
    struct address a;
    struct address b;
    static const char *const none[] = {"",
                                       "1.2.3",
                                       "1.2.3.4.5",
                                       "01.2.3.4x",
                                       "::1%eth0",
                                       "[::1]",
                                       "::1/64",
                                       "1.2.3.4:80",
                                       "host",
                                       " ::1",
                                       "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        assert_false(address_parse(text_of(none[i]), &a));
    }
    assert_false(address_parse((struct text){"1.2.3.4\0", 8}, &a));
    assert_true(address_parse(text_of("192.0.2.1"), &a));
    assert_true(address_parse(text_of("::ffff:192.0.2.1"), &b));
    assert_true(address_equal(&a, &b));
    assert_int_equal(address_subscriber_bytes(&a), 16);
    assert_true(address_parse(text_of("2001:DB8::1"), &a));
    assert_true(address_parse(text_of("2001:db8:0:0:0:0:0:1"), &b));
    assert_true(address_equal(&a, &b));
    assert_int_equal(address_subscriber_bytes(&a), 8);
    assert_true(address_parse(text_of("2001:db8::2"), &b));
    assert_false(address_equal(&a, &b));
}

/* --- slots */

static int home_make(void **state)
{
    char *home = strdup("/tmp/chats-slots.XXXXXX");
    *state = home;
    return home != NULL && mkdtemp(home) != NULL && crypto_init() ? 0 : -1;
}

static int home_remove(void **state)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", (const char *)*state);
    int status = system(command);
    free(*state);
    return status;
}

static void slots_are_two_and_come_back(void **state)
{
    const char *home = *state;
    struct slot slots[SLOTS];
    struct slot third = {-1};
    for (int round = 0; round < 3; round++) {
        assert_true(slots_take(home, 0, &slots[0]));
        assert_true(slots_take(home, 0, &slots[1]));
        uint64_t begun_ns = timestamp_monotonic_ns();
        assert_false(slots_take(home, 100, &third)); /* the same process counts, too */
        assert_true(timestamp_monotonic_ns() - begun_ns >= 100 * UINT64_C(1000000));
        slots_give(&slots[round % SLOTS]);
        assert_true(slots_take(home, 0, &third));
        slots_give(&slots[(round + 1) % SLOTS]);
        slots_give(&third);
        slots_give(&third); /* given once */
    }
    assert_false(slots_take("/nowhere/at/all", 0, &third));
}

/* A child that takes a slot, says so and waits to be killed. */
static pid_t hold_a_slot(const char *home)
{
    int said[2];
    char byte = '-';
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        struct slot slot;
        byte = slots_take(home, 1000, &slot) ? '+' : '-';
        if (write(said[1], &byte, 1) == 1) {
            pause();
        }
        _exit(1);
    }
    assert_true(child > 0);
    assert_int_equal(read(said[0], &byte, 1), 1);
    assert_int_equal(byte, '+');
    close(said[0]);
    close(said[1]);
    return child;
}

static void a_killed_holders_slot_is_free(void **state)
{
    const char *home = *state;
    struct slot slot;
    for (int round = 0; round < 5; round++) {
        pid_t children[SLOTS] = {hold_a_slot(home), hold_a_slot(home)};
        assert_false(slots_take(home, 50, &slot));
        assert_int_equal(kill(children[round % SLOTS], SIGKILL), 0);
        assert_true(slots_take(home, SLOTS_WAIT_MS, &slot));
        slots_give(&slot);
        assert_int_equal(kill(children[(round + 1) % SLOTS], SIGKILL), 0);
        for (int i = 0; i < SLOTS; i++) {
            assert_int_equal(waitpid(children[i], NULL, 0), children[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hash_is_its_passwords_only),
        cmocka_unit_test(every_byte_of_a_long_password_counts),
        cmocka_unit_test(a_hash_of_another_cost_is_outdated_and_still_good),
        cmocka_unit_test(a_dummy_is_a_hash_of_that_cost_that_nothing_opens),
        cmocka_unit_test(tokens_are_recognised_and_differ),
        cmocka_unit_test(a_digest_is_blake2b_256_of_the_characters),
        cmocka_unit_test(an_address_has_one_form),
        cmocka_unit_test_setup_teardown(slots_are_two_and_come_back, home_make, home_remove),
        cmocka_unit_test_setup_teardown(a_killed_holders_slot_is_free, home_make, home_remove),
    };
    return !crypto_init() || cmocka_run_group_tests_name("crypto", tests, NULL, NULL) != 0;
}
