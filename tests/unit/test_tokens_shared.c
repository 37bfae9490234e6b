/*
 * What several processes of one home see of each other's tokens and failed logins, and homes made before there were
 * any.
 */
#include "authbench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "store/token_cache.h"

/* --- another process that checks tokens when it is asked to */

struct checker {
    pid_t pid;
    int ask;    /* a name of CHECKER_NAME_BYTES goes in */
    int answer; /* an enum store_status comes out */
};

#define CHECKER_NAME_BYTES 16

static void checker_run(const struct bench *b, int ask, int answer)
{
    char name[CHECKER_NAME_BYTES];
    struct store *store = bench_store(b);
    while (store != NULL && read(ask, name, sizeof name) == (ssize_t)sizeof name) {
        enum store_status status = bench_check(store, name);
        if (write(answer, &status, sizeof status) != (ssize_t)sizeof status) {
            break;
        }
    }
    store_close(store);
    _exit(0);
}

static struct checker checker_start(const struct bench *b)
{
    int ask[2];
    int answer[2];
    assert_int_equal(pipe(ask), 0);
    assert_int_equal(pipe(answer), 0);
    pid_t pid = fork();
    if (pid == 0) {
        close(ask[1]);
        close(answer[0]);
        checker_run(b, ask[0], answer[1]);
    }
    assert_true(pid > 0);
    close(ask[0]);
    close(answer[1]);
    return (struct checker){pid, ask[1], answer[0]};
}

static enum store_status checker_check(const struct checker *checker, const char *token)
{
    char name[CHECKER_NAME_BYTES] = "";
    enum store_status status = STORE_CORRUPT;
    snprintf(name, sizeof name, "%s", token);
    assert_int_equal(write(checker->ask, name, sizeof name), sizeof name);
    assert_int_equal(read(checker->answer, &status, sizeof status), sizeof status);
    return status;
}

static void checker_stop(struct checker *checker)
{
    int status = -1;
    close(checker->ask);
    assert_int_equal(waitpid(checker->pid, &status, 0), checker->pid);
    assert_int_equal(status, 0);
    close(checker->answer);
}

static void what_one_process_revokes_no_other_lets_in(void **state)
{
    struct bench *b = *state;
    struct checker checker = checker_start(b);
    const struct text none = {NULL, 0};
    char access[16];
    char refresh[16];
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_add(b, "bob", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "bob", "bob", "bob's"), STORE_OK);
    for (unsigned i = 0; i < 80; i++) {
        enum store_status ended = STORE_CORRUPT;
        snprintf(access, sizeof access, "a%u", i);
        snprintf(refresh, sizeof refresh, "r%u", i);
        assert_int_equal(checker_check(&checker, access), STORE_NOT_FOUND);
        assert_int_equal(bench_issue(b, "alice", access, refresh), STORE_OK);
        /* Read, then remembered. */
        assert_int_equal(checker_check(&checker, access), STORE_OK);
        assert_int_equal(checker_check(&checker, access), STORE_OK);
        switch (i % 4) {
        case 0:
            ended = bench_revoke(b, refresh);
            break;
        case 1:
            assert_int_equal(bench_refresh(b, refresh, "next", "next's"), STORE_OK);
            ended = bench_refresh(b, refresh, "last", "last's") == STORE_CONFLICT ? STORE_OK : STORE_CORRUPT;
            assert_int_equal(checker_check(&checker, "next"), STORE_NOT_FOUND);
            break;
        case 2:
            ended = store_account_set_hash(b->store, NAMESPACE, text_of("alice"), none, text_of("h"), true);
            break;
        default:
            ended = store_account_remove(b->store, NAMESPACE, text_of("alice"));
            assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
        }
        assert_int_equal(ended, STORE_OK);
        assert_int_equal(checker_check(&checker, access), STORE_NOT_FOUND);
        assert_int_equal(checker_check(&checker, "bob"), STORE_OK);
    }
    checker_stop(&checker);
}

static void another_process_remembers_a_token_that_it_checked(void **state)
{
    struct bench *b = *state;
    struct checker checker = checker_start(b);
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(checker_check(&checker, "a"), STORE_OK);
    assert_int_equal(env_enter(b->store->env, GATE_WRITING), STORE_OK);
    uint64_t begun_ns = timestamp_monotonic_ns();
    assert_int_equal(checker_check(&checker, "a"), STORE_OK); /* it did not need the gate, which is held */
    env_leave(b->store->env);
    assert_true(timestamp_monotonic_ns() - begun_ns < GATE_WAIT_MS * UINT64_C(1000000));
    checker_stop(&checker);
}

static void what_one_process_checked_another_need_not_look_up(void **state)
{
    struct bench *b = *state;
    struct checker checker = checker_start(b);
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(bench_check(b->store, "a"), STORE_OK);
    assert_int_equal(env_enter(b->store->env, GATE_WRITING), STORE_OK);
    assert_int_equal(checker_check(&checker, "a"), STORE_OK); /* it did not need the gate, which is held */
    env_leave(b->store->env);
    checker_stop(&checker);
}

/* As bench_check, and whose it is. */
static enum store_status check_for(struct bench *b, const char *token, struct token_holder *ret)
{
    struct token_pair pair = bench_pair(token, "none");
    return store_token_check(b->store, pair.access_digest, &b->arena, ret);
}

static void what_a_killed_process_wrote_of_a_token_is_not_believed(void **state)
{
    struct bench *b = *state;
    struct token_holder holder;
    assert_int_equal(bench_add(b, "alice", ACCOUNT_SERVICE, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(check_for(b, "a", &holder), STORE_OK);
    /* Its place is the only one whose sequence, which comes first, is not 0; it is odd while somebody writes. */
    struct gate_page *page = b->store->env->gate->page;
    size_t stride = GATE_TOKENS_BYTES / TOKEN_CACHE_ENTRIES;
    uint64_t *slot = NULL;
    for (size_t at = 0; at < GATE_TOKENS_BYTES; at += stride) {
        uint64_t *place = (uint64_t *)(void *)&page->tokens[at];
        slot = *place != 0 ? place : slot;
    }
    assert_non_null(slot);
    assert_true(slot[0] % 2 == 0);
    slot[0]++;
    for (char *name = (char *)slot; name < (char *)slot + stride - 5; name++) {
        if (memcmp(name, "alice", 5) == 0) {
            memcpy(name, "carol", 5);
        }
    }
    assert_int_equal(check_for(b, "a", &holder), STORE_OK);
    assert_true(text_equal(holder.account, text_of("alice")));
    assert_int_equal(holder.type, ACCOUNT_SERVICE);
    /* And it has been written anew. */
    assert_true(slot[0] % 2 == 0);
    assert_int_equal(check_for(b, "a", &holder), STORE_OK);
    assert_true(text_equal(holder.account, text_of("alice")));
    assert_int_equal(holder.type, ACCOUNT_SERVICE);
}

static void a_recovery_ends_no_token_and_forgets_no_revocation(void **state)
{
    struct bench *b = *state;
    struct checker checker = checker_start(b);
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "b", "s"), STORE_OK);
    assert_int_equal(checker_check(&checker, "a"), STORE_OK);
    assert_int_equal(checker_check(&checker, "b"), STORE_OK);
    assert_int_equal(bench_revoke(b, "a"), STORE_OK);
    assert_int_equal(store_recover(b->store), STORE_OK);
    assert_int_equal(checker_check(&checker, "a"), STORE_NOT_FOUND);
    assert_int_equal(checker_check(&checker, "b"), STORE_OK);
    checker_stop(&checker);
}

/* --- attempts at once */

/* A child's exit status. */
enum tried { TRIED_LET_IN, TRIED_REFUSED, TRIED_FAILED };

static int try_once(const struct bench *b, int start)
{
    char byte;
    unsigned retry_s = 0;
    struct store *store = bench_store(b);
    if (store == NULL || read(start, &byte, 1) != 0) { /* all start when the pipe's other end is closed */
        return TRIED_FAILED;
    }
    enum store_status status = store_login_attempt(store, NAMESPACE, text_of("alice"), text_of("192.0.2.1"), &retry_s);
    store_close(store);
    if (status == STORE_OK) {
        return TRIED_LET_IN;
    }
    return status == STORE_CONFLICT && retry_s == LOGIN_WINDOW_S ? TRIED_REFUSED : TRIED_FAILED;
}

static void of_64_attempts_at_once_ten_are_let_in(void **state)
{
    struct bench *b = *state;
    enum { ATTEMPTS = 64 };
    pid_t children[ATTEMPTS];
    unsigned counts[TRIED_FAILED + 1] = {0};
    int start[2];
    assert_int_equal(store_ping(b->store), STORE_OK);
    assert_int_equal(pipe(start), 0);
    for (int i = 0; i < ATTEMPTS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            close(start[1]);
            _exit(try_once(b, start[0]));
        }
        assert_true(children[i] > 0);
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < ATTEMPTS; i++) {
        int status = 0;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_in_range(WEXITSTATUS(status), TRIED_LET_IN, TRIED_FAILED);
        counts[WEXITSTATUS(status)]++;
    }
    assert_int_equal(counts[TRIED_FAILED], 0);
    assert_int_equal(counts[TRIED_LET_IN], LOGIN_FAILURES_MAX);
    assert_int_equal(counts[TRIED_REFUSED], ATTEMPTS - LOGIN_FAILURES_MAX);
}

/* --- a home of format 1, as the program before accounts made it */

#define FORMAT_1_TREES (TREE_TOKENS + 1)

static enum store_status format_1_opened(DB_ENV *handle, DB **trees)
{
    (void)handle;
    DBT key = store_dbt("format", 6);
    DBT value = store_dbt("\0\0\0\1", 4);
    return trees[TREE_META]->put(trees[TREE_META], NULL, &key, &value, 0) == 0 ? STORE_OK : STORE_CORRUPT;
}

static void format_1_make(struct bench *b)
{
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    char command[128];
    struct env *env = NULL;
    store_close(b->store);
    b->store = NULL;
    snprintf(command, sizeof command, "rm -rf '%s'/*", b->home);
    assert_int_equal(system(command), 0);
    const struct env_options options = {
        .home = b->home,
        .cache_bytes = b->config.cache_bytes,
        .checkpoint_bytes = b->config.checkpoint_bytes,
        .checkpoint_s = b->config.checkpoint_s,
        .trees = trees_table(),
        .trees_count = FORMAT_1_TREES,
        .opened = format_1_opened,
    };
    assert_int_equal(env_open(&options, &env, problem), STORE_OK);
    assert_int_equal(env_enter(env, GATE_WRITING), STORE_OK);
    env_leave(env);
    env_close(env);
}

static bool file_is_there(const struct bench *b, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", b->home, name);
    return access(path, F_OK) == 0;
}

static void an_older_home_gets_the_trees_that_it_lacks(void **state)
{
    struct bench *b = *state;
    for (int round = 0; round < 2; round++) {
        char command[128];
        format_1_make(b);
        assert_true(file_is_there(b, "tokens.db"));
        assert_false(file_is_there(b, "logins.db"));
        if (round == 1) { /* after a reboot, or another version: the gate page is set up anew */
            snprintf(command, sizeof command, "rm '%s/gate'", b->home);
            assert_int_equal(system(command), 0);
        }
        b->store = bench_store(b);
        assert_non_null(b->store);
        unsigned retry_s = 0;
        assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
        assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
        assert_int_equal(bench_check(b->store, "a"), STORE_OK);
        assert_int_equal(store_login_attempt(b->store, NAMESPACE, text_of("alice"), text_of("192.0.2.1"), &retry_s),
                         STORE_OK);
        assert_int_equal(bench_stats(b).tokens, 2);
        assert_true(file_is_there(b, "logins.db"));
        /* And it is an ordinary home from then on. */
        assert_int_equal(store_recover(b->store), STORE_OK);
        assert_int_equal(bench_check(b->store, "a"), STORE_OK);
    }
}

static void a_home_that_lost_a_tree_is_not_given_an_empty_one(void **state)
{
    struct bench *b = *state;
    char command[256];
    assert_int_equal(bench_add(b, "alice", ACCOUNT_USER, "h"), STORE_OK);
    assert_int_equal(bench_issue(b, "alice", "a", "r"), STORE_OK);
    assert_int_equal(store_recover(b->store), STORE_OK); /* and a checkpoint: the log no longer makes the file */
    store_close(b->store);
    b->store = NULL;
    snprintf(command, sizeof command, "rm '%s/gate' '%s/tokens_by_account.db'", b->home, b->home);
    assert_int_equal(system(command), 0);
    b->store = bench_store(b);
    assert_non_null(b->store);
    assert_int_not_equal(bench_check(b->store, "a"), STORE_OK);
    assert_false(file_is_there(b, "tokens_by_account.db"));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, bench_open, bench_close)
    const struct CMUnitTest tests[] = {
        CASE(what_one_process_revokes_no_other_lets_in),
        CASE(another_process_remembers_a_token_that_it_checked),
        CASE(what_one_process_checked_another_need_not_look_up),
        CASE(what_a_killed_process_wrote_of_a_token_is_not_believed),
        CASE(a_recovery_ends_no_token_and_forgets_no_revocation),
        CASE(of_64_attempts_at_once_ten_are_let_in),
        CASE(an_older_home_gets_the_trees_that_it_lacks),
        CASE(a_home_that_lost_a_tree_is_not_given_an_empty_one),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests_name("tokens shared", tests, NULL, NULL);
}
