#include "authbench.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic uint64_t bench_clock_ns;

uint64_t bench_now_ns(void)
{
    return atomic_load(&bench_clock_ns);
}

void bench_set_ns(uint64_t time_ns)
{
    atomic_store(&bench_clock_ns, time_ns);
}

void bench_advance(uint64_t seconds)
{
    atomic_fetch_add(&bench_clock_ns, seconds * SECOND_NS);
}

struct store *bench_store(const struct bench *b)
{
    struct store *store = NULL;
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    if (store_open(&b->config, &store, problem) != STORE_OK) {
        print_error("%s\n", problem);
        return NULL;
    }
    store->now_ns = bench_now_ns;
    return store;
}

int bench_open(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return -1;
    }
    *state = b;
    snprintf(b->home, sizeof b->home, "/tmp/chats-auth.XXXXXX");
    if (mkdtemp(b->home) == NULL) {
        return -1;
    }
    bench_set_ns(1000000 * SECOND_NS);
    config_defaults(&b->config, b->home);
    b->store = bench_store(b);
    return b->store == NULL ? -1 : 0;
}

int bench_close(void **state)
{
    struct bench *b = *state;
    char command[128];
    store_close(b->store);
    arena_clear(&b->arena);
    config_clear(&b->config);
    snprintf(command, sizeof command, "rm -rf '%s'", b->home);
    int status = system(command);
    free(b);
    return status;
}

struct token_pair bench_pair(const char *access, const char *refresh)
{
    struct token_pair pair = {.access_expiry_ns = bench_now_ns() + 900 * SECOND_NS,
                              .refresh_expiry_ns = bench_now_ns() + 2592000 * SECOND_NS};
    crypto_token_digest(text_of(access), pair.access_digest);
    crypto_token_digest(text_of(refresh), pair.refresh_digest);
    return pair;
}

enum store_status bench_add(const struct bench *b, const char *id, enum account_type type, const char *hash)
{
    const struct account account = {
        .id = text_of(id), .type = type, .hash = text_of(hash), .created_at_ns = bench_now_ns()};
    return store_account_add(b->store, NAMESPACE, &account);
}

enum store_status bench_issue(const struct bench *b, const char *account, const char *access, const char *refresh)
{
    const struct token_pair pair = bench_pair(access, refresh);
    return store_token_issue(b->store, NAMESPACE, text_of(account), false, &pair);
}

enum store_status bench_check(struct store *store, const char *access)
{
    struct arena arena = {NULL};
    struct token_holder holder;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(text_of(access), digest);
    enum store_status status = store_token_check(store, digest, &arena, &holder);
    arena_clear(&arena);
    return status;
}

enum store_status bench_refresh(const struct bench *b, const char *old, const char *access, const char *refresh)
{
    const struct token_pair pair = bench_pair(access, refresh);
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(text_of(old), digest);
    return store_token_refresh(b->store, digest, NAMESPACE, &pair);
}

enum store_status bench_revoke(const struct bench *b, const char *token)
{
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(text_of(token), digest);
    return store_token_revoke(b->store, digest);
}

struct store_stats bench_stats(const struct bench *b)
{
    struct store_stats stats = {0};
    struct store_check check = {0};
    assert_int_equal(store_stats_read(b->store, &stats), STORE_OK);
    assert_int_equal(store_check(b->store, &check), STORE_OK);
    assert_int_equal(check.problems, 0);
    assert_int_equal(check.accounts, stats.accounts);
    assert_int_equal(check.tokens, stats.tokens);
    return stats;
}
