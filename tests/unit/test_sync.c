/* The group commit and the checkpoints: src/bdb against its own headers, with one small tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "bdb/sync.h"
#include "bdb/txn.h"
#include "envbench.h"

/* --- the group commit --- */

static void a_write_takes_a_ticket_and_waits_until_it_is_synced(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_get(env, 1), STORE_NOT_FOUND);
    uint64_t ticket = page->ticket;
    uint64_t syncs = page->syncs;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    assert_true(page->ticket == ticket + 1);
    assert_true(page->synced == page->ticket);
    assert_true(page->syncs == syncs + 1);
    assert_int_equal(figures_read(&page->figures.synced_tickets.buckets[0]), 1);
    assert_int_equal(figures_read(&page->figures.synced_tickets.sum), 1);
    assert_true(page->synced_log_end == page->log_end && page->log_end != 0);
    /* A read behind it waits for nothing. */
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(page->ticket == ticket + 1);
    assert_true(page->syncs == syncs + 1);
    env_close(env);
}

static void a_read_waits_for_what_it_may_have_seen(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    uint64_t syncs = page->syncs;
    page->ticket++; /* somebody committed and has not synced yet */
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(page->syncs == syncs + 1);
    assert_true(page->synced == page->ticket);
    env_close(env);
}

#define WRITERS 4u
#define WRITES 50ul

static void write_many(const struct bench *b, uint32_t writer)
{
    struct env *env = bench_env(b, false);
    for (uint32_t i = 0; i < WRITES; i++)
        if (bench_put(env, writer << 16 | i, 100) != STORE_OK || env->gate->page->synced == 0)
            _exit(1);
    env_close(env);
}

static void processes_share_their_syncs_and_all_is_there(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    pid_t children[WRITERS];
    assert_int_equal(bench_get(env, 1), STORE_NOT_FOUND);
    uint64_t ticket = page->ticket;
    uint64_t syncs = page->syncs;
    uint64_t log_end = page->log_end; /* in one file: numbers can be subtracted */
    for (uint32_t i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            write_many(b, i);
            _exit(0);
        }
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_true(page->ticket == ticket + WRITERS * WRITES);
    assert_true(page->synced == page->ticket);
    uint64_t synced_times = atomic_load(&page->syncs) - syncs;
    assert_in_range(synced_times, 1, WRITERS * WRITES);
    assert_int_equal(figures_read(&page->figures.synced_tickets.sum), WRITERS * WRITES);
    assert_int_equal(figures_read(&page->figures.log_bytes), page->log_end - log_end);
    for (uint32_t writer = 0; writer < WRITERS; writer++)
        for (uint32_t i = 0; i < WRITES; i++)
            assert_int_equal(bench_get(env, writer << 16 | i), STORE_OK);
    env_close(env);
}

static void hold_leader(struct gate *gate)
{
    if (gate_trylock_robust(&gate->page->leader) != 0)
        _exit(2);
}

static void the_death_of_the_leader_is_noticed_and_recovered_from(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    bench_child_kill(bench_child_holding(hold_leader, env->gate));
    uint64_t began_ns = timestamp_monotonic_ns();
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    assert_true(timestamp_monotonic_ns() - began_ns < UINT64_C(5000000000));
    assert_true(page->recoveries == 2);
    assert_true(page->synced == page->ticket);
    assert_int_equal(bench_get(env, 2), STORE_OK);
    env_close(env);
}

/* Makes the next sync of this process fail: fdatasync of a pipe is EINVAL (fsync(2)). */
static void break_next_sync(struct env *env, int *ret_other_end)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    sync_close(env);
    env->log_fd = ends[0];
    env->log_number = (uint32_t)(env->gate->page->log_end >> 32);
    env->log_generation = env->gate->page->generation;
    *ret_other_end = ends[1];
}

static void a_failed_sync_fails_its_tickets_for_good(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    int other_end = -1;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    uint64_t synced = page->synced;
    break_next_sync(env, &other_end);
    assert_int_equal(bench_put(env, 2, 10), STORE_UNAVAILABLE);
    uint64_t failed = page->ticket;
    assert_true(page->synced == synced);
    assert_true(page->failed_first <= failed && page->failed_last >= failed);
    assert_true(page->failed_first > synced);
    assert_true(gate_recovery_wanted(env->gate));
    assert_int_equal(sync_wait(env, failed), STORE_UNAVAILABLE);
    /* The next one recovers, is acknowledged, and brings back what was not: only its ticket stays failed. */
    assert_int_equal(bench_put(env, 3, 10), STORE_OK);
    assert_true(page->recoveries == 2);
    assert_true(page->synced == page->ticket);
    assert_int_equal(sync_wait(env, failed), STORE_UNAVAILABLE);
    assert_int_equal(sync_wait(env, synced), STORE_OK);
    assert_int_equal(bench_get(env, 2), STORE_OK);
    assert_int_equal(bench_get(env, 3), STORE_OK);
    close(other_end);
    env_close(env);
}

/* Nobody else syncs meanwhile: the child has the lead, and does nothing. */
static void what_waits_for_the_disk_waits_until_its_own_deadline(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    pid_t child = bench_child_holding(hold_leader, env->gate);
    uint64_t began_ns = timestamp_monotonic_ns();
    struct store_ticket late = {.number = atomic_fetch_add(&page->ticket, 1) + 1, .deadline_ns = began_ns};
    struct store_ticket soon = {.number = late.number, .deadline_ns = began_ns + UINT64_C(50000000)};
    enum store_status late_status = txn_wait(env, &late);
    enum store_status soon_status = txn_wait(env, &soon);
    uint64_t ended_ns = timestamp_monotonic_ns();
    bench_child_kill(child); /* first: a test that fails ends here */
    assert_int_equal(late_status, STORE_UNAVAILABLE);
    assert_int_equal(soon_status, STORE_UNAVAILABLE);
    assert_true(ended_ns >= soon.deadline_ns);
    /* Far less than what is waited for where nobody has said how long. */
    assert_true(ended_ns - began_ns < SYNC_WAIT_MS * UINT64_C(500000));
    soon.deadline_ns = UINT64_MAX;
    assert_int_equal(txn_wait(env, &soon), STORE_OK);
    assert_int_equal(txn_wait(env, &late), STORE_OK);
    env_close(env);
}

/* The whole of a file in memory of the caller. */
static char *file_read(const char *path, size_t *ret_bytes)
{
    struct stat info = {.st_size = 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && fstat(fd, &info) == 0);
    char *data = malloc((size_t)info.st_size + 1);
    assert_non_null(data);
    assert_int_equal(read(fd, data, (size_t)info.st_size), info.st_size);
    close(fd);
    *ret_bytes = (size_t)info.st_size;
    return data;
}

static uint64_t file_changed_ns(const char *path)
{
    struct stat info = {.st_size = 0};
    assert_int_equal(stat(path, &info), 0);
    return (uint64_t)info.st_mtim.tv_sec * 1000000000u + (uint64_t)info.st_mtim.tv_nsec;
}

static void the_log_after_the_last_good_sync_is_written_again_as_it_was(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    char path[96];
    size_t before_bytes = 0;
    size_t after_bytes = 0;
    for (uint32_t i = 0; i < 20; i++)
        assert_int_equal(bench_put(env, i, 30000), STORE_OK);
    snprintf(path, sizeof path, "%s/log.0000000001", b->home);
    bench_sleep_ms(30); /* file times tick with the kernel's clock */
    char *before = file_read(path, &before_bytes);
    uint64_t changed_ns = file_changed_ns(path);

    page->synced_log_end = UINT64_C(1) << 32 | 100000;
    assert_int_equal(sync_whole_log(env), 0);
    char *after = file_read(path, &after_bytes);
    assert_int_equal(before_bytes, after_bytes);
    assert_memory_equal(before, after, before_bytes);
    assert_true(file_changed_ns(path) > changed_ns);

    /* A page just set up: what stands in the log is from before, and was synced or lost. */
    changed_ns = file_changed_ns(path);
    bench_sleep_ms(30);
    page->synced_log_end = 0;
    assert_int_equal(sync_whole_log(env), 0);
    assert_true(file_changed_ns(path) == changed_ns);
    free(before);
    free(after);
    env_close(env);
}

static void a_recovery_knows_how_far_the_log_is_synced(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(env_enter(env, GATE_READING), STORE_OK);
    env_leave(env);
    assert_true(page->recoveries == 1);
    /* Else the first sync after it could fail, and nothing would be written again. */
    assert_true(page->synced_log_end != 0);
    env_close(env);
}

static void trees_whose_sync_failed_are_written_again_before_recovery(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s.db", b->home, env->options.trees[0].name);
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    assert_int_equal(env_checkpoint(env, true), STORE_OK);

    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_get(env, 1), STORE_OK);
    bench_sleep_ms(30);
    uint64_t changed_ns = file_changed_ns(path);

    /* With nothing to redo a recovery leaves the trees alone, but for this. */
    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(file_changed_ns(path) == changed_ns);
    page->trees_failed++;
    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(file_changed_ns(path) > changed_ns);
    assert_true(page->trees_again == page->trees_failed);
    env_close(env);
}

/* --- checkpoints --- */

static unsigned log_files(const struct bench *b)
{
    DIR *directory = opendir(b->home);
    assert_non_null(directory);
    unsigned count = 0;
    for (const struct dirent *e; (e = readdir(directory)) != NULL;)
        count += strncmp(e->d_name, "log.", 4) == 0;
    closedir(directory);
    return count;
}

static void write_log_files(struct env *env)
{
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(bench_put(env, i, 60000), STORE_OK);
}

static void a_checkpoint_removes_old_logs_but_not_while_a_backup_runs(void **state)
{
    struct bench *b = *state;
    char path[96];
    struct env *env = bench_env(b, false);
    write_log_files(env);
    unsigned before = log_files(b);
    assert_true(before >= 3);
    snprintf(path, sizeof path, "%s/%s", b->home, ENV_BACKUP_LOCK);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_SH), 0);
    assert_int_equal(env_checkpoint(env, true), STORE_OK);
    assert_true(env->gate->page->checkpoints == 1);
    assert_int_equal(log_files(b), before);
    close(lock);
    assert_int_equal(env_checkpoint(env, true), STORE_OK);
    assert_int_equal(log_files(b), 1);
    for (uint32_t i = 0; i < 300; i++)
        assert_int_equal(bench_get(env, i), STORE_OK);
    env_close(env);
}

static void a_checkpoint_keeps_old_logs_where_the_home_says_so(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, true);
    write_log_files(env);
    unsigned before = log_files(b);
    assert_true(before >= 3);
    assert_int_equal(env_checkpoint(env, true), STORE_OK);
    assert_true(env->gate->page->checkpoints == 1);
    assert_int_equal(log_files(b), before);
    env_close(env);
}

static void a_checkpoint_is_made_when_enough_log_was_written(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 0, 10), STORE_OK);
    assert_int_equal(env_checkpoint(env, false), STORE_OK);
    assert_true(page->checkpoints == 0);
    for (uint32_t i = 0; i < 20 && page->checkpoints == 0; i++) {
        assert_int_equal(bench_put(env, i, 60000), STORE_OK);
        assert_int_equal(env_checkpoint(env, false), STORE_OK);
        assert_true(page->checkpoints == 0 || i >= 8); /* 1 MiB of log is due, not earlier */
    }
    assert_true(page->checkpoints == 1);
    env_close(env);
}

static void recoveries_do_not_put_a_checkpoint_off(void **state)
{
    struct env *env = bench_env(*state, false);
    struct gate_page *page = env->gate->page;
    for (uint32_t i = 0; i < 30 && page->checkpoints == 0; i++) {
        assert_int_equal(bench_put(env, i, 60000), STORE_OK);
        gate_want_recovery(env->gate, "a test said so");
        assert_int_equal(bench_put(env, 100, 10), STORE_OK);
        assert_true(page->recoveries == i + 2);
        assert_int_equal(env_checkpoint(env, false), STORE_OK);
        assert_true(page->checkpoints == 0 || i >= 8); /* 1 MiB of log is due, not earlier */
    }
    assert_true(page->checkpoints == 1);
    env_close(env);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_write_takes_a_ticket_and_waits_until_it_is_synced),
        TEST(a_read_waits_for_what_it_may_have_seen),
        TEST(processes_share_their_syncs_and_all_is_there),
        TEST(the_death_of_the_leader_is_noticed_and_recovered_from),
        TEST(a_failed_sync_fails_its_tickets_for_good),
        TEST(what_waits_for_the_disk_waits_until_its_own_deadline),
        TEST(the_log_after_the_last_good_sync_is_written_again_as_it_was),
        TEST(a_recovery_knows_how_far_the_log_is_synced),
        TEST(trees_whose_sync_failed_are_written_again_before_recovery),
        TEST(a_checkpoint_removes_old_logs_but_not_while_a_backup_runs),
        TEST(a_checkpoint_keeps_old_logs_where_the_home_says_so),
        TEST(a_checkpoint_is_made_when_enough_log_was_written),
        TEST(recoveries_do_not_put_a_checkpoint_off),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
