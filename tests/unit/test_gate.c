/* The gate and the environment behind it: src/bdb against its own headers, with one small tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "envbench.h"

#define LIBRARY 50328u

/* --- the page --- */

static void a_new_page_is_allocated_and_wants_recovery(void **state)
{
    struct bench *b = *state;
    char path[96];
    struct stat info = {.st_size = 0};
    struct gate *gate = bench_gate(b, LIBRARY);
    struct gate *other = bench_gate(b, LIBRARY);
    snprintf(path, sizeof path, "%s/%s", b->home, GATE_FILE);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, GATE_PAGE_BYTES);
    assert_true(info.st_blocks * 512 >= GATE_PAGE_BYTES);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_true(gate_recovery_wanted(gate));
    assert_memory_equal(gate->page->identity.magic, "chatgate", 8);
    assert_int_equal(gate->page->identity.inode, info.st_ino);
    assert_true(gate->page->generation == other->page->generation);
    gate_close(other);
    gate_close(gate);
}

/* Ways in which a page can be somebody else's. */
static void spoil_inode(struct gate_identity *i)
{
    i->inode++;
}
static void spoil_birth(struct gate_identity *i)
{
    i->born_ns++;
}
static void spoil_device(struct gate_identity *i)
{
    i->device++;
}
static void spoil_boot(struct gate_identity *i)
{
    i->boot_id[0] ^= 1;
}
static void spoil_layout(struct gate_identity *i)
{
    i->layout++;
}
static void spoil_library(struct gate_identity *i)
{
    i->library++;
}
static void spoil_magic(struct gate_identity *i)
{
    memset(i->magic, 0, sizeof i->magic);
}
static void (*const spoils[])(struct gate_identity *) = {spoil_inode,  spoil_birth,   spoil_device, spoil_boot,
                                                         spoil_layout, spoil_library, spoil_magic};

static void a_page_of_another_identity_is_set_up_anew_in_place(void **state)
{
    struct bench *b = *state;
    struct gate *gate = bench_gate(b, LIBRARY);
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        uint64_t generation = gate->page->generation;
        struct gate_identity ours = gate->page->identity;
        gate->page->ticket = 77;
        figures_add(&gate->page->figures.log_bytes, 77);
        spoils[i](&gate->page->identity);
        gate_close(gate);
        gate = bench_gate(b, LIBRARY);
        assert_true(gate->page->generation != generation);
        assert_true(gate->page->ticket == 0);
        assert_int_equal(figures_read(&gate->page->figures.log_bytes), 0);
        assert_true(gate_recovery_wanted(gate));
        assert_memory_equal(&gate->page->identity, &ours, sizeof ours);
        assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
        gate_unlock(gate);
    }
    gate_close(gate);
}

static void a_page_in_use_is_not_set_up_under_its_users(void **state)
{
    struct bench *b = *state;
    struct gate *old = bench_gate(b, LIBRARY);
    struct gate *newcomer = NULL;
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    struct gate_page before;
    memcpy(&before, old->page, sizeof before);
    assert_int_equal(gate_open(b->home, LIBRARY + 1, &newcomer, problem), STORE_UNAVAILABLE);
    assert_non_null(strstr(problem, "older workers are still running"));
    assert_memory_equal(&before, old->page, sizeof before);
    gate_close(old);
    newcomer = bench_gate(b, LIBRARY + 1);
    assert_int_equal(newcomer->page->identity.library, LIBRARY + 1);
    gate_close(newcomer);
}

static void a_home_that_is_missing_is_refused_with_its_name(void **state)
{
    struct gate *gate = NULL;
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    (void)state;
    assert_int_equal(gate_open("/nowhere/at/all", LIBRARY, &gate, problem), STORE_UNAVAILABLE);
    assert_non_null(strstr(problem, "/nowhere/at/all"));
    assert_null(gate);
}

static void hold_committing(struct gate *gate)
{
    gate->pid = getpid(); /* a child: its parent opened the gate */
    if (gate_lock(gate, GATE_COMMITTING) != STORE_OK)
        _exit(2);
}

static void the_death_of_a_holder_makes_recovery_wanted(void **state)
{
    struct gate *gate = bench_gate(*state, LIBRARY);
    atomic_store(&gate->page->recovery_done, gate->page->recovery_wanted);
    bench_child_kill(bench_child_holding(hold_committing, gate));
    assert_false(gate_recovery_wanted(gate));
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    assert_true(gate_recovery_wanted(gate));
    assert_true(gate->page->deaths[GATE_COMMITTING] == 1);
    assert_int_equal(gate->page->holder_pid, getpid());
    gate_unlock(gate);
    assert_int_equal(gate->page->holder_pid, 0);
    /* The mutex is consistent again. */
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    gate_unlock(gate);
    assert_true(gate->page->deaths[GATE_COMMITTING] == 1);
    gate_close(gate);
}

static void the_death_of_one_who_holds_nothing_changes_nothing(void **state)
{
    struct gate *gate = bench_gate(*state, LIBRARY);
    atomic_store(&gate->page->recovery_done, gate->page->recovery_wanted);
    pid_t child = bench_child_holding(hold_committing, gate);
    bench_child_kill(child);
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    atomic_store(&gate->page->recovery_done, gate->page->recovery_wanted);
    gate_unlock(gate);
    pid_t idle = fork();
    assert_true(idle >= 0);
    if (idle == 0) {
        pause();
        _exit(0);
    }
    bench_child_kill(idle);
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    assert_false(gate_recovery_wanted(gate));
    gate_unlock(gate);
    gate_close(gate);
}

static void a_living_holder_that_does_not_leave_is_waited_for_and_named(void **state)
{
    struct bench *b = *state;
    struct gate *gate = bench_gate(b, LIBRARY);
    char path[96];
    char said[4096] = "";
    char pid_text[32];
    pid_t child = bench_child_holding(hold_committing, gate);
    snprintf(path, sizeof path, "%s/said", b->home);
    int log = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int standard_error = dup(2);
    assert_true(log >= 0 && standard_error >= 0);
    uint64_t began_ns = timestamp_monotonic_ns();
    assert_int_equal(dup2(log, 2), 2);
    enum store_status status = gate_lock(gate, GATE_READING);
    assert_int_equal(dup2(standard_error, 2), 2);
    uint64_t took_ms = (timestamp_monotonic_ns() - began_ns) / 1000000;
    ssize_t bytes = pread(log, said, sizeof said - 1, 0);
    close(log);
    close(standard_error);
    bench_child_kill(child);
    assert_int_equal(status, STORE_UNAVAILABLE);
    assert_in_range(took_ms, GATE_WAIT_MS - 100, GATE_WAIT_MS + 3000);
    assert_true(bytes > 0);
    snprintf(pid_text, sizeof pid_text, "process %d", (int)child);
    assert_non_null(strstr(said, pid_text));
    assert_int_equal(figures_read(&gate->page->figures.gate_timeouts), 1);
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    gate_unlock(gate);
    gate_close(gate);
}

#define HOLD_MS 30u

static void hold_for_a_while(const struct bench *b)
{
    struct gate *gate = bench_gate(b, LIBRARY);
    if (gate_lock(gate, GATE_WRITING) != STORE_OK) {
        _exit(1);
    }
    gate->page->ticket = 1;
    bench_sleep_ms(HOLD_MS);
    gate_unlock(gate);
    gate_close(gate);
}

static void waits_and_holds_are_counted_with_their_times(void **state)
{
    struct bench *b = *state;
    struct gate *gate = bench_gate(b, LIBRARY);
    const struct figures *figures = &gate->page->figures;
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    gate_unlock(gate);
    assert_int_equal(figures_read(&figures->gate_waited_ns.buckets[0]), 1);
    assert_int_equal(figures_read(&figures->gate_waited_ns.sum), 0); /* it was free */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        hold_for_a_while(b);
        _exit(0);
    }
    while (atomic_load(&gate->page->ticket) == 0) {
        bench_sleep_ms(1);
    }
    assert_int_equal(gate_lock(gate, GATE_READING), STORE_OK);
    gate_unlock(gate);
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    uint64_t waited_ns = figures_read(&figures->gate_waited_ns.sum);
    uint64_t longest_ns = figures_read(&figures->gate_longest_wait_ns);
    assert_true(waited_ns > 0 && waited_ns == longest_ns); /* by one of three */
    assert_true(figures_read(&figures->gate_held_ns.sum) >= HOLD_MS * UINT64_C(1000000));
    uint64_t waits = 0;
    uint64_t holds = 0;
    for (size_t i = 0; i <= figures_gate_ns.count; i++) {
        waits += figures_read(&figures->gate_waited_ns.buckets[i]);
        holds += figures_read(&figures->gate_held_ns.buckets[i]);
    }
    assert_int_equal(waits, 3);
    assert_int_equal(holds, 3);
    assert_int_equal(figures_read(&figures->gate_timeouts), 0);
    gate_close(gate);
}

static void the_kernel_is_shown_to_hand_on_a_dead_holders_gate(void **state)
{
    struct bench *b = *state;
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    assert_true(gate_prove(b->home, problem));
    assert_false(gate_prove("/nowhere/at/all", problem));
    assert_int_not_equal(problem[0], '\0');
}

/* --- the environment --- */

static void join_and_read(const struct bench *b)
{
    struct env *env = bench_env(b, false);
    if (bench_get(env, 1) != STORE_OK || bench_get(env, 2) != STORE_NOT_FOUND)
        _exit(1);
    env_close(env);
}

static void the_first_enters_by_recovery_and_the_next_only_joins(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    assert_true(page->recoveries == 1);
    assert_false(gate_recovery_wanted(env->gate));
    assert_true(page->joins == 1 && page->leaves == 0);
    bench_child_run(join_and_read, b);
    assert_true(page->recoveries == 1);
    assert_true(page->joins == 2 && page->leaves == 1);
    assert_false(env_wants_renewal(env));
    env_close(env);
}

static void want_and_recover(const struct bench *b)
{
    struct env *env = bench_env(b, false);
    gate_want_recovery(env->gate, "a test said so");
    if (bench_put(env, 3, 10) != STORE_OK)
        _exit(1);
    env_close(env);
}

static void handles_of_a_dead_generation_are_dropped_and_opened_anew(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    uint64_t generation = env->gate->page->generation;
    bench_child_run(want_and_recover, b);
    assert_true(env->gate->page->generation == generation + 1);
    assert_true(env->generation == generation);
    assert_int_equal(bench_get(env, 3), STORE_OK);
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(env->generation == generation + 1);
    assert_true(env_wants_renewal(env));
    env_close(env);
}

static void a_reason_that_turns_up_during_recovery_is_not_lost(void **state)
{
    struct bench *b = *state;
    b->wants_while_recovering = true;
    struct env *env = bench_env(b, false);
    assert_int_equal(env_enter(env, GATE_READING), STORE_OK);
    env_leave(env);
    assert_true(gate_recovery_wanted(env->gate));
    assert_int_equal(env_enter(env, GATE_READING), STORE_OK);
    env_leave(env);
    assert_false(gate_recovery_wanted(env->gate));
    assert_true(env->gate->page->recoveries == 2);
    env_close(env);
}

static void a_failed_recovery_changes_nothing_and_backs_off(void **state)
{
    struct bench *b = *state;
    char path[96];
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    uint64_t generation = page->generation;
    /* A log file that cannot be synced. */
    snprintf(path, sizeof path, "%s/log.0000000099", b->home);
    assert_int_equal(mkdir(path, 0700), 0);
    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_put(env, 2, 10), STORE_UNAVAILABLE);
    assert_true(gate_recovery_wanted(env->gate));
    assert_true(page->generation == generation);
    assert_true(page->recoveries == 1);
    assert_int_equal(page->recovery_failures, 1);
    assert_int_equal(page->holder_pid, 0);
    assert_true(page->recovery_retry_at_ns > 0);
    /* Not tried again before its time, not even when it would work. */
    assert_int_equal(rmdir(path), 0);
    page->recovery_retry_at_ns = timestamp_monotonic_ns() + UINT64_C(60000000000);
    assert_int_equal(bench_put(env, 2, 10), STORE_UNAVAILABLE);
    assert_int_equal(page->recovery_failures, 1);
    page->recovery_retry_at_ns = timestamp_monotonic_ns();
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    assert_int_equal(page->recovery_failures, 0);
    assert_int_equal(figures_read(&page->figures.recovery_failures), 1);
    assert_true(page->generation == generation + 1);
    assert_int_equal(bench_get(env, 1), STORE_OK);
    env_close(env);
}

static void joins_beyond_the_bound_renew_the_environment(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    const uint64_t living = 2; /* this process and its child, which have not left and are not lost */
    assert_true(gate_live_processes(env->gate) == 1);
    page->joins = ENV_LEAKED_JOINS_MAX + page->leaves + living - 1;
    bench_child_run(join_and_read, b); /* the last that is allowed; it leaves again */
    assert_true(page->recoveries == 1);
    page->joins = ENV_LEAKED_JOINS_MAX + page->leaves + living;
    bench_child_run(join_and_read, b);
    assert_true(page->recoveries == 2);
    assert_true(page->joins == 1 && page->leaves == 1);
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(page->joins == 2);
    env_close(env);
}

static void a_process_killed_while_it_recovers_is_no_obstacle(void **state)
{
    struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    page->recovery_wanted++;
    pid_t child = bench_child_holding(hold_committing, env->gate);
    page->holder_phase = GATE_RECOVERING;
    bench_child_kill(child);
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_true(page->deaths[GATE_RECOVERING] == 1);
    assert_false(gate_recovery_wanted(env->gate));
    env_close(env);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_page_is_allocated_and_wants_recovery),
        TEST(a_page_of_another_identity_is_set_up_anew_in_place),
        TEST(a_page_in_use_is_not_set_up_under_its_users),
        TEST(a_home_that_is_missing_is_refused_with_its_name),
        TEST(the_death_of_a_holder_makes_recovery_wanted),
        TEST(the_death_of_one_who_holds_nothing_changes_nothing),
        TEST(a_living_holder_that_does_not_leave_is_waited_for_and_named),
        TEST(waits_and_holds_are_counted_with_their_times),
        TEST(the_kernel_is_shown_to_hand_on_a_dead_holders_gate),
        TEST(the_first_enters_by_recovery_and_the_next_only_joins),
        TEST(handles_of_a_dead_generation_are_dropped_and_opened_anew),
        TEST(a_reason_that_turns_up_during_recovery_is_not_lost),
        TEST(a_failed_recovery_changes_nothing_and_backs_off),
        TEST(joins_beyond_the_bound_renew_the_environment),
        TEST(a_process_killed_while_it_recovers_is_no_obstacle),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
