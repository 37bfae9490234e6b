/*
 * authbench: a home with an open store and a clock of the test's own, for tests of accounts, tokens and logins.
 */
#ifndef CHATS_TESTS_AUTHBENCH_H
#define CHATS_TESTS_AUTHBENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/admin.h"
#include "store/internal.h"

#define SECOND_NS UINT64_C(1000000000)
#define NAMESPACE TEXT_LITERAL("micro")

struct bench {
    char home[64];
    struct config config;
    struct store *store;
    struct arena arena;
};

/* cmocka's setup and teardown; *state is a struct bench. The clock starts at 1,000,000 s. */
int bench_open(void **state);
int bench_close(void **state);

/* Opens another store on the same home, with the same clock. */
struct store *bench_store(const struct bench *b);

void bench_advance(uint64_t seconds);
uint64_t bench_now_ns(void);
void bench_set_ns(uint64_t time_ns);

/* A pair of tokens whose digests are of these texts; access for 900 s, refresh for 30 days from now on. */
struct token_pair bench_pair(const char *access, const char *refresh);

/* Calls with texts for digests, in NAMESPACE. */
enum store_status bench_add(const struct bench *b, const char *id, enum account_type type, const char *hash);
enum store_status bench_issue(const struct bench *b, const char *account, const char *access, const char *refresh);
enum store_status bench_check(struct store *store, const char *access);
enum store_status bench_refresh(const struct bench *b, const char *old, const char *access, const char *refresh);
enum store_status bench_revoke(const struct bench *b, const char *token);

/* How many tokens and accounts are stored; checks that the store finds itself good. */
struct store_stats bench_stats(const struct bench *b);

#endif
