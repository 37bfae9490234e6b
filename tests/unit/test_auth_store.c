/*
 * Accounts, tokens and failed logins in one process: what each call gives back and leaves behind. What several
 * processes see of each other is in test_tokens_shared.c.
 */
#include "authbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const address = "192.0.2.1";

/* --- accounts */

static void an_account_is_found_as_it_was_added(void **state)
{
    struct bench *b = *state;
    struct account found;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "hash of alice"), STORE_OK);
    assert_int_equal(bench_add(b, "shop", ACCOUNT_SERVICE, ""), STORE_OK);
    assert_int_equal(store_account_find(b->store, NAMESPACE, text_of("alice"), &b->arena, &found), STORE_OK);
    assert_true(text_equal(found.id, text_of("alice")));
    assert_true(text_equal(found.hash, text_of("hash of alice")));
    assert_int_equal(found.type, ACCOUNT_USER);
    assert_int_equal(found.created_at_ns, bench_now_ns());
    assert_int_equal(store_account_find(b->store, NAMESPACE, text_of("shop"), &b->arena, &found), STORE_OK);
    assert_int_equal(found.type, ACCOUNT_SERVICE);
    assert_int_equal(found.hash.bytes, 0);
    assert_int_equal(store_account_find(b->store, NAMESPACE, text_of("alic"), &b->arena, &found), STORE_NOT_FOUND);
    assert_int_equal(store_account_find(b->store, text_of("other"), text_of("alice"), &b->arena, &found),
                     STORE_NOT_FOUND);
    assert_int_equal(bench_stats(b).accounts, 2);
}

static void an_id_that_is_taken_is_a_conflict_and_changes_nothing(void **state)
{
    struct bench *b = *state;
    struct account found;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "first"), STORE_OK);
    assert_int_equal(bench_add(b, "alice", ACCOUNT_SERVICE, "second"), STORE_CONFLICT);
    assert_int_equal(store_account_find(b->store, NAMESPACE, text_of("alice"), &b->arena, &found), STORE_OK);
    assert_int_equal(found.type, ACCOUNT_USER);
    assert_true(text_equal(found.hash, text_of("first")));
    const struct account elsewhere = {.id = text_of("alice"), .type = ACCOUNT_SERVICE};
    assert_int_equal(store_account_add(b->store, text_of("other"), &elsewhere), STORE_OK);
}

static void a_hash_is_replaced_only_if_it_is_still_the_old_one(void **state)
{
    struct bench *b = *state;
    struct account found;
    struct text none = {NULL, 0};
    struct text alice = text_of("alice");
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "one"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a1", "r1"), STORE_OK);
    assert_int_equal(store_account_set_hash(b->store, NAMESPACE, alice, text_of("one"), text_of("two"), false),
                     STORE_OK);
    assert_int_equal(store_account_set_hash(b->store, NAMESPACE, alice, text_of("one"), text_of("three"), true),
                     STORE_CONFLICT);
    assert_int_equal(bench_check(b->store, "a1"), STORE_OK);
    assert_int_equal(store_account_find(b->store, NAMESPACE, alice, &b->arena, &found), STORE_OK);
    assert_true(text_equal(found.hash, text_of("two")));
    assert_int_equal(store_account_set_hash(b->store, NAMESPACE, alice, none, text_of("four"), true), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_NOT_FOUND);
    assert_int_equal(store_account_set_hash(b->store, NAMESPACE, text_of("bob"), none, text_of("x"), true),
                     STORE_NOT_FOUND);
    assert_int_equal(bench_stats(b).tokens, 0);
}

static void a_removed_account_takes_all_its_tokens_and_nobody_elses(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_add(b, "alice2", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a1", "r1"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a2", "r2"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice2", "b1", "s1"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_OK);
    assert_int_equal(store_account_remove(b->store, NAMESPACE, text_of("alice")), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_NOT_FOUND);
    assert_int_equal(bench_check(b->store, "a2"), STORE_NOT_FOUND);
    assert_int_equal(bench_refresh(b, "r1", "a3", "r3"), STORE_NOT_FOUND);
    assert_int_equal(bench_check(b->store, "b1"), STORE_OK);
    assert_int_equal(store_account_remove(b->store, NAMESPACE, text_of("alice")), STORE_NOT_FOUND);
    /* Made anew, it is another account. */
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_NOT_FOUND);
    assert_int_equal(bench_stats(b).tokens, 2);
}

struct names {
    unsigned count;
    unsigned stop_at; /* 0: never */
    char last[TEXT_ID_BYTES_MAX + 1];
    bool sorted;
};

static bool names_take(void *context, const struct account *account)
{
    struct names *names = context;
    char name[TEXT_ID_BYTES_MAX + 1];
    snprintf(name, sizeof name, "%.*s", (int)account->id.bytes, account->id.data);
    names->sorted = names->sorted && strcmp(names->last, name) < 0;
    memcpy(names->last, name, sizeof name);
    names->count++;
    return names->count != names->stop_at;
}

static void a_list_has_all_accounts_of_the_namespace_by_id(void **state)
{
    struct bench *b = *state;
    const struct account elsewhere = {.id = text_of("elsewhere")};
    const struct text others[] = {text_of("micr"), text_of("micro2"), text_of("a"), text_of("zzzzz")};
    char id[16];
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(store_account_add(b->store, others[i], &elsewhere), STORE_OK);
    }
    for (unsigned count = 0; count <= 130; count++) {
        /* Beyond two batches, and a batch's end exactly. */
        if (count == 0 || count == 64 || count == 130) {
            struct names names = {.sorted = true};
            assert_int_equal(store_account_list(b->store, NAMESPACE, names_take, &names), STORE_OK);
            assert_int_equal(names.count, count);
            assert_true(names.sorted);
        }
        snprintf(id, sizeof id, "u%03u", count * 7 % 131);
        assert_int_equal(bench_add(b, id, ACCOUNT_USER, "h"), STORE_OK);
    }
    struct names stopped = {.sorted = true, .stop_at = 70};
    assert_int_equal(store_account_list(b->store, NAMESPACE, names_take, &stopped), STORE_OK);
    assert_int_equal(stopped.count, 70);
}

/* --- tokens */

static void an_access_token_says_whose_it_is_until_it_expires(void **state)
{
    struct bench *b = *state;
    struct token_holder holder;
    const struct token_pair pair = bench_pair("access", "refresh");
    assert_int_equal(bench_add(b, "shop", ACCOUNT_SERVICE, "h"), STORE_OK);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("shop"), false, &pair), STORE_OK);
    for (int i = 0; i < 2; i++) { /* read, then remembered */
        assert_int_equal(store_token_check(b->store, pair.access_digest, &b->arena, &holder), STORE_OK);
        assert_true(text_equal(holder.namespace, NAMESPACE));
        assert_true(text_equal(holder.account, text_of("shop")));
        assert_int_equal(holder.type, ACCOUNT_SERVICE);
    }
    assert_int_equal(store_token_check(b->store, pair.refresh_digest, &b->arena, &holder), STORE_NOT_FOUND);
    assert_int_equal(bench_check(b->store, "nonsense"), STORE_NOT_FOUND);
    bench_set_ns(pair.access_expiry_ns - 1);
    assert_int_equal(bench_check(b->store, "access"), STORE_OK);
    bench_set_ns(pair.access_expiry_ns);
    assert_int_equal(bench_check(b->store, "access"), STORE_NOT_FOUND);
}

static void a_token_is_issued_to_an_account_that_is_there(void **state)
{
    struct bench *b = *state;
    struct account made;
    struct token_holder holder;
    struct token_pair pair = bench_pair("a", "r");
    assert_int_equal(bench_issue(b, "nobody", "a", "r"), STORE_NOT_FOUND);
    assert_int_equal(bench_add(b, "shop", ACCOUNT_SERVICE, "h"), STORE_OK);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("shop"), true, &pair), STORE_CONFLICT);
    assert_int_equal(bench_stats(b).tokens, 0);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("carol"), true, &pair), STORE_OK);
    assert_int_equal(store_account_find(b->store, NAMESPACE, text_of("carol"), &b->arena, &made), STORE_OK);
    assert_int_equal(made.type, ACCOUNT_USER);
    assert_int_equal(made.hash.bytes, 0);
    assert_int_equal(made.created_at_ns, bench_now_ns());
    assert_int_equal(store_token_check(b->store, pair.access_digest, &b->arena, &holder), STORE_OK);
    assert_int_equal(holder.type, ACCOUNT_USER);
    pair = bench_pair("a2", "r2");
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("carol"), true, &pair), STORE_OK);
    assert_int_equal(bench_stats(b).accounts, 2);
}

static void a_login_under_way_when_the_password_changes_gets_nothing(void **state)
{
    struct bench *b = *state;
    struct token_pair pair = bench_pair("a", "r");
    pair.verified_hash = text_of("old");
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "old"), STORE_OK);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("alice"), false, &pair), STORE_OK);
    assert_int_equal(
        store_account_set_hash(b->store, NAMESPACE, text_of("alice"), (struct text){NULL, 0}, text_of("new"), true),
        STORE_OK);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("alice"), false, &pair), STORE_NOT_FOUND);
    assert_int_equal(bench_stats(b).tokens, 0);
}

static void a_refresh_token_works_once(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a1", "r1"), STORE_OK);
    assert_int_equal(bench_refresh(b, "r1", "a2", "r2"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a2"), STORE_OK);
    assert_int_equal(bench_refresh(b, "r2", "a3", "r3"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a3"), STORE_OK);
    /* Another login of the same account is another family. */
    assert_int_equal(bench_issue(b, "alice", "b1", "s1"), STORE_OK);
    assert_int_equal(bench_refresh(b, "r1", "a4", "r4"), STORE_CONFLICT);
    const char *const ended[] = {"a1", "a2", "a3", "a4"};
    for (size_t i = 0; i < sizeof ended / sizeof ended[0]; i++) {
        assert_int_equal(bench_check(b->store, ended[i]), STORE_NOT_FOUND);
    }
    assert_int_equal(bench_refresh(b, "r3", "a5", "r5"), STORE_NOT_FOUND);
    assert_int_equal(bench_refresh(b, "r1", "a5", "r5"), STORE_NOT_FOUND);
    assert_int_equal(bench_check(b->store, "b1"), STORE_OK);
    assert_int_equal(bench_stats(b).tokens, 2);
}

static void only_a_living_refresh_token_of_the_namespace_refreshes(void **state)
{
    struct bench *b = *state;
    const struct token_pair pair = bench_pair("a2", "r2");
    const struct token_pair first = bench_pair("a1", "r1");
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(store_token_issue(b->store, NAMESPACE, text_of("alice"), false, &first), STORE_OK);
    assert_int_equal(bench_refresh(b, "a1", "a2", "r2"), STORE_NOT_FOUND);
    assert_int_equal(bench_refresh(b, "unknown", "a2", "r2"), STORE_NOT_FOUND);
    assert_int_equal(store_token_refresh(b->store, first.refresh_digest, text_of("other"), &pair), STORE_NOT_FOUND);
    bench_set_ns(first.refresh_expiry_ns);
    assert_int_equal(bench_refresh(b, "r1", "a2", "r2"), STORE_NOT_FOUND);
    bench_set_ns(first.refresh_expiry_ns - 1);
    assert_int_equal(bench_refresh(b, "r1", "a2", "r2"), STORE_OK);
    /* Where none is named, the token's own holds. */
    const struct token_pair third = bench_pair("a3", "r3");
    struct token_holder holder;
    assert_int_equal(store_token_refresh(b->store, pair.refresh_digest, (struct text){NULL, 0}, &third), STORE_OK);
    assert_int_equal(store_token_check(b->store, third.access_digest, &b->arena, &holder), STORE_OK);
    assert_true(text_equal(holder.namespace, NAMESPACE));
}

static void revoking_any_token_of_a_family_ends_the_family(void **state)
{
    struct bench *b = *state;
    const char *const named[] = {"a1", "r1", "a2", "r2"};
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "b1", "s1"), STORE_OK);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        assert_int_equal(bench_issue(b, "alice", "a1", "r1"), STORE_OK);
        assert_int_equal(bench_refresh(b, "r1", "a2", "r2"), STORE_OK);
        assert_int_equal(bench_check(b->store, "a1"), STORE_OK);
        assert_int_equal(bench_check(b->store, "a2"), STORE_OK);
        bench_advance(1000); /* expired ones revoke as well */
        assert_int_equal(bench_revoke(b, named[i]), STORE_OK);
        assert_int_equal(bench_revoke(b, named[i]), STORE_NOT_FOUND);
        assert_int_equal(bench_refresh(b, "r2", "a3", "r3"), STORE_NOT_FOUND);
        assert_int_equal(bench_stats(b).tokens, 2);
    }
}

static void a_family_larger_than_a_batch_ends_whole(void **state)
{
    struct bench *b = *state;
    char names[3][16] = {"r0", "", ""};
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(bench_issue(b, "alice", "a0", "r0"), STORE_OK);
        snprintf(names[0], sizeof names[0], "r0");
        for (unsigned i = 1; i <= TOKENS_BATCH; i++) {
            snprintf(names[1], sizeof names[1], "a%u", i);
            snprintf(names[2], sizeof names[2], "r%u", i);
            assert_int_equal(bench_refresh(b, names[0], names[1], names[2]), STORE_OK);
            memcpy(names[0], names[2], sizeof names[0]);
        }
        assert_int_equal(bench_stats(b).tokens, 2 * (TOKENS_BATCH + 1));
        if (round == 0) {
            assert_int_equal(bench_revoke(b, names[1]), STORE_OK);
        } else if (round == 1) {
            assert_int_equal(bench_refresh(b, "r0", "x", "y"), STORE_CONFLICT);
        } else {
            assert_int_equal(store_account_remove(b->store, NAMESPACE, text_of("alice")), STORE_OK);
        }
        assert_int_equal(bench_check(b->store, names[1]), STORE_NOT_FOUND);
        assert_int_equal(bench_stats(b).tokens, 0);
    }
}

static void a_token_checked_before_needs_no_gate(void **state)
{
    struct bench *b = *state;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a1", "r1"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_OK);
    assert_int_equal(env_enter(b->store->env, GATE_WRITING), STORE_OK);
    assert_int_equal(bench_check(b->store, "a1"), STORE_OK); /* whoever waited for the gate would wait for itself */
    env_leave(b->store->env);
}

static void a_sweep_removes_what_has_expired_a_few_at_a_time(void **state)
{
    struct bench *b = *state;
    char access[16];
    char refresh[16];
    unsigned retry_s = 0;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(access, sizeof access, "a%u", i);
        snprintf(refresh, sizeof refresh, "r%u", i);
        assert_int_equal(bench_issue(b, "alice", access, refresh), STORE_OK);
    }
    for (unsigned i = 0; i < 20; i++) {
        snprintf(access, sizeof access, "user%u", i);
        assert_int_equal(store_login_attempt(b->store, NAMESPACE, text_of(access), text_of(address), &retry_s),
                         STORE_OK);
    }
    store_auth_sweep(b->store);
    assert_int_equal(bench_stats(b).tokens, 200);
    bench_advance(900);
    store_auth_sweep(b->store);
    assert_int_equal(bench_stats(b).tokens, 136);
    store_auth_sweep(b->store);
    assert_int_equal(bench_stats(b).tokens, 100);
    store_auth_sweep(b->store);
    assert_int_equal(bench_stats(b).tokens, 100); /* refresh tokens live on */
    DB_BTREE_STAT *stat = NULL;
    assert_int_equal(env_enter(b->store->env, GATE_READING), STORE_OK);
    DB *logins = NULL;
    assert_int_equal(env_tree_to_read(b->store->env, TREE_LOGINS, &logins), 0);
    assert_int_equal(logins->stat(logins, NULL, &stat, 0), 0);
    env_leave(b->store->env);
    assert_int_equal(stat->bt_ndata, 0);
    free(stat);
}

/* Inside, behind the secondary's back: one entry of the index goes, its token stays. args: the index's file. */
static enum store_status break_index_body(struct txn *txn, void *args)
{
    DB *plain = NULL;
    DBC *cursor = NULL;
    DBT key = {0};
    DBT value = {0};
    int error = db_create(&plain, txn->env->handle, 0);
    if (error != 0) {
        return txn_failed(txn, error, "breaking an index");
    }
    error = plain->open(plain, txn->handle, args, NULL, DB_BTREE, 0, 0);
    if (error == 0) {
        error = plain->cursor(plain, txn->handle, &cursor, 0);
    }
    if (error == 0) {
        error = cursor->get(cursor, &key, &value, DB_FIRST);
    }
    if (error == 0) {
        error = cursor->del(cursor, 0);
    }
    if (cursor != NULL) {
        (void)cursor->close(cursor);
    }
    (void)plain->close(plain, DB_NOSYNC);
    return error == 0 ? STORE_OK : txn_failed(txn, error, "breaking an index");
}

static enum store_status lose_account_body(struct txn *txn, void *args)
{
    (void)args;
    DB *accounts = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(NAMESPACE, text_of("alice"), name));
    int error = txn_tree_to_write(txn, TREE_ACCOUNTS, &accounts);
    if (error == 0) {
        error = accounts->del(accounts, txn->handle, &key, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "losing an account");
}

static uint64_t problems(const struct bench *b)
{
    struct store_check check = {0};
    assert_int_equal(store_check(b->store, &check), STORE_OK);
    return check.problems;
}

static void check_finds_a_missing_index_entry_and_a_token_of_nobody(void **state)
{
    struct bench *b = *state;
    char by_account[] = "tokens_by_account.db";
    char by_expiry[] = "tokens_by_expiry.db";
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(problems(b), 0);
    assert_int_equal(txn_write(b->store->env, break_index_body, by_account), STORE_OK);
    assert_int_equal(problems(b), 1);
    assert_int_equal(txn_write(b->store->env, break_index_body, by_expiry), STORE_OK);
    assert_int_equal(problems(b), 2);
    assert_int_equal(txn_write(b->store->env, lose_account_body, NULL), STORE_OK);
    assert_int_equal(problems(b), 4);
    /* And a token of nobody lets nobody in. */
    assert_int_equal(bench_check(b->store, "a"), STORE_NOT_FOUND);
}

/* --- failed logins */

static enum store_status attempt(struct bench *b, const char *account, const char *from, unsigned *ret_retry_s)
{
    return store_login_attempt(b->store, NAMESPACE, text_of(account), text_of(from), ret_retry_s);
}

static void ten_failures_of_one_account_from_one_address(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    for (unsigned i = 0; i < LOGIN_FAILURES_MAX; i++) {
        assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
        bench_advance(10);
    }
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, LOGIN_WINDOW_S - 100);
    assert_int_equal(attempt(b, "bob", address, &retry_s), STORE_OK);
    assert_int_equal(attempt(b, "alice", "192.0.2.2", &retry_s), STORE_OK);
    assert_int_equal(store_login_attempt(b->store, text_of("other"), text_of("alice"), text_of(address), &retry_s),
                     STORE_OK);
    /* The first one leaves the window, and only it. */
    bench_advance(LOGIN_WINDOW_S - 101);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, 1);
    bench_advance(1);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, 10);
}

static void refused_attempts_do_not_prolong_the_wait(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    for (unsigned i = 0; i < LOGIN_FAILURES_MAX; i++) {
        assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
    }
    for (unsigned i = 0; i < LOGIN_WINDOW_S; i += 30) {
        assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
        assert_int_equal(retry_s, LOGIN_WINDOW_S - i);
        bench_advance(30);
    }
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
}

static void a_hundred_failures_from_one_address_over_all_accounts(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    char account[16];
    for (unsigned i = 0; i < LOGIN_ADDRESS_FAILURES_MAX; i++) {
        snprintf(account, sizeof account, "user%u", i);
        assert_int_equal(attempt(b, account, address, &retry_s), STORE_OK);
    }
    assert_int_equal(attempt(b, "one more", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, LOGIN_WINDOW_S);
    assert_int_equal(attempt(b, "user0", "192.0.2.2", &retry_s), STORE_OK);
    bench_advance(LOGIN_WINDOW_S);
    assert_int_equal(attempt(b, "one more", address, &retry_s), STORE_OK);
}

static void a_right_password_takes_its_attempt_back_and_forgets_the_accounts_failures(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    for (unsigned round = 0; round < 11; round++) {
        for (unsigned i = 0; i < LOGIN_FAILURES_MAX - 1; i++) {
            assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
        }
        assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
        assert_int_equal(store_login_succeeded(b->store, NAMESPACE, text_of("alice"), text_of(address)), STORE_OK);
    }
    /* The address's count has kept the 99 that failed: a good account is no licence to try others. */
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    /* Also when nothing was counted. */
    assert_int_equal(store_login_succeeded(b->store, NAMESPACE, text_of("bob"), text_of("192.0.2.9")), STORE_OK);
}

static void a_subscriber_is_one_address(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    char from[64];
    for (unsigned i = 0; i < LOGIN_FAILURES_MAX; i++) {
        snprintf(from, sizeof from, "2001:db8:1:2:%x::%x", i, i);
        assert_int_equal(attempt(b, "alice", from, &retry_s), STORE_OK);
        snprintf(from, sizeof from, i % 2 == 0 ? "198.51.100.7" : "::ffff:198.51.100.7");
        assert_int_equal(attempt(b, "alice", from, &retry_s), STORE_OK);
        assert_int_equal(attempt(b, "alice", "unix:", &retry_s), STORE_OK);
    }
    assert_int_equal(attempt(b, "alice", "2001:db8:1:2::", &retry_s), STORE_CONFLICT);
    assert_int_equal(attempt(b, "alice", "2001:db8:1:3::", &retry_s), STORE_OK);
    assert_int_equal(attempt(b, "alice", "198.51.100.7", &retry_s), STORE_CONFLICT);
    assert_int_equal(attempt(b, "alice", "198.51.100.8", &retry_s), STORE_OK);
    assert_int_equal(attempt(b, "alice", "unix:", &retry_s), STORE_CONFLICT);
}

static void a_clock_set_back_neither_forgets_failures_nor_locks_for_long(void **state)
{
    struct bench *b = *state;
    unsigned retry_s = 0;
    for (unsigned i = 0; i < LOGIN_FAILURES_MAX; i++) {
        assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
    }
    bench_set_ns(bench_now_ns() - 86400 * SECOND_NS);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, LOGIN_WINDOW_S);
    bench_advance(LOGIN_WINDOW_S - 1);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_CONFLICT);
    assert_int_equal(retry_s, 1);
    bench_advance(1);
    assert_int_equal(attempt(b, "alice", address, &retry_s), STORE_OK);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(an_account_is_found_as_it_was_added),
        CASE(an_id_that_is_taken_is_a_conflict_and_changes_nothing),
        CASE(a_hash_is_replaced_only_if_it_is_still_the_old_one),
        CASE(a_removed_account_takes_all_its_tokens_and_nobody_elses),
        CASE(a_list_has_all_accounts_of_the_namespace_by_id),
        CASE(an_access_token_says_whose_it_is_until_it_expires),
        CASE(a_token_is_issued_to_an_account_that_is_there),
        CASE(a_login_under_way_when_the_password_changes_gets_nothing),
        CASE(a_refresh_token_works_once),
        CASE(only_a_living_refresh_token_of_the_namespace_refreshes),
        CASE(revoking_any_token_of_a_family_ends_the_family),
        CASE(a_family_larger_than_a_batch_ends_whole),
        CASE(a_token_checked_before_needs_no_gate),
        CASE(a_sweep_removes_what_has_expired_a_few_at_a_time),
        CASE(check_finds_a_missing_index_entry_and_a_token_of_nobody),
        CASE(ten_failures_of_one_account_from_one_address),
        CASE(refused_attempts_do_not_prolong_the_wait),
        CASE(a_hundred_failures_from_one_address_over_all_accounts),
        CASE(a_right_password_takes_its_attempt_back_and_forgets_the_accounts_failures),
        CASE(a_subscriber_is_one_address),
        CASE(a_clock_set_back_neither_forgets_failures_nor_locks_for_long),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests_name("auth store", tests, NULL, NULL);
}
