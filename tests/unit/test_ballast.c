/* The ballast: who makes it, who lets it go, and what a full disk means for those who read and write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "bdb/ballast.h"
#include "envbench.h"

/* In the place of the library's: what is to happen at the next call, once. */
static int (*meanwhile)(int fd, off_t bytes);

// NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc's are reserved names
int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    int (*now)(int, off_t) = meanwhile;
    meanwhile = NULL;
    if (now != NULL) {
        return now(fd, bytes);
    }
    return fallocate(fd, 0, offset, bytes) == 0 ? 0 : errno;
}

static char *path_of(const struct bench *b, const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", b->home, name);
    return path;
}

static uint64_t allocated_bytes(const struct bench *b)
{
    struct stat st;
    return stat(path_of(b, BALLAST_FILE), &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* As a failed write has it; the recovery that follows has run when this returns. */
static void fill(struct env *env, int error)
{
    assert_int_equal(env_enter(env, GATE_WRITING), STORE_OK);
    assert_int_equal(env_failed(env, error, "a test"), STORE_FULL);
    env_leave(env);
    assert_int_equal(bench_get(env, 1), STORE_OK);
}

static void the_first_recovery_allocates_it(void **state)
{
    const struct bench *b = *state;
    struct env *env = bench_env(b, false);
    assert_true(allocated_bytes(b) == 0);
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    assert_true(allocated_bytes(b) >= ballast_bytes(&env->options));
    assert_true(env->gate->page->full == 0);
    env_close(env);
}

static void it_is_of_the_size_of_a_recovery(void **state)
{
    (void)state;
    const uint64_t mib = 1u << 20;
    struct env_options options = {.cache_bytes = 32 * mib, .checkpoint_bytes = 16 * mib};
    assert_true(ballast_bytes(&options) == (40 + 8 + 1) * mib);
    options.checkpoint_bytes = 4 * mib;
    assert_true(ballast_bytes(&options) == (10 + 8 + 1) * mib);
    options.checkpoint_bytes = 1024 * mib; /* no more than the cache can hold */
    assert_true(ballast_bytes(&options) == (40 + 8 + 1) * mib);
}

static void a_copy_with_a_hole_for_it_allocates_it_anew(void **state)
{
    const struct bench *b = *state;
    struct env *env = bench_env(b, false);
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    uint64_t bytes = ballast_bytes(&env->options);
    assert_int_equal(truncate(path_of(b, BALLAST_FILE), 0), 0);
    assert_int_equal(truncate(path_of(b, BALLAST_FILE), (off_t)bytes), 0);
    assert_true(allocated_bytes(b) == 0);
    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    assert_true(allocated_bytes(b) >= bytes);
    env_close(env);
}

static void a_full_disk_refuses_writers_and_serves_readers(void **state)
{
    static const int errors[] = {ENOSPC, EDQUOT, EFBIG};
    const struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        uint64_t recoveries = page->recoveries;
        fill(env, errors[i]);
        assert_true(page->recoveries == recoveries + 1);
        assert_true(page->full == 1);
        assert_true(allocated_bytes(b) == 0);
        uint64_t ticket = page->ticket;
        assert_int_equal(bench_put(env, 2, 10), STORE_FULL);
        assert_int_equal(bench_get(env, 2), STORE_NOT_FOUND);
        assert_int_equal(bench_get(env, 1), STORE_OK);
        assert_int_equal(env_checkpoint(env, true), STORE_OK);
        assert_true(page->ticket == ticket && page->recoveries == recoveries + 1);
        page->full_retry_at_ns = timestamp_monotonic_ns();
        assert_int_equal(bench_put(env, 1, 10), STORE_OK);
        assert_true(page->full == 0);
        assert_true(allocated_bytes(b) >= ballast_bytes(&env->options));
    }
    env_close(env);
}

static void one_writer_a_second_looks_for_room(void **state)
{
    const struct bench *b = *state;
    struct env *env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    fill(env, ENOSPC);
    /* A folder in its place: it cannot be made. */
    assert_int_equal(unlink(path_of(b, BALLAST_FILE)), 0);
    assert_int_equal(mkdir(path_of(b, BALLAST_FILE), 0700), 0);
    page->full_retry_at_ns = timestamp_monotonic_ns();
    uint64_t before_ns = page->full_retry_at_ns;
    assert_int_equal(bench_put(env, 2, 10), STORE_FULL);
    assert_true(page->full_retry_at_ns >= before_ns + BALLAST_RETRY_MS * UINT64_C(1000000));
    assert_int_equal(rmdir(path_of(b, BALLAST_FILE)), 0);
    assert_int_equal(bench_put(env, 2, 10), STORE_FULL); /* too early */
    page->full_retry_at_ns = timestamp_monotonic_ns();
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    env_close(env);
}

static struct env *the_env;

/* While a try takes its time, another writer's succeeds; then there is no room for the first one's margin. */
static int another_makes_it(int fd, off_t bytes)
{
    the_env->gate->page->full_retry_at_ns = timestamp_monotonic_ns();
    assert_int_equal(bench_put(the_env, 2, 10), STORE_OK);
    assert_true(the_env->gate->page->full == 0);
    assert_int_equal(ftruncate(fd, bytes), 0); /* as much of it as there was room for */
    return ENOSPC;
}

static int it_gets_half(int fd, off_t bytes)
{
    assert_int_equal(fallocate(fd, 0, 0, bytes / 2), 0);
    return ENOSPC;
}

static int a_recovery_lets_go(int fd, off_t bytes)
{
    assert_int_equal(fallocate(fd, 0, 0, bytes), 0);
    gate_want_recovery(the_env->gate, "a test said so");
    assert_int_equal(bench_get(the_env, 1), STORE_OK);
    return 0;
}

static void a_late_failure_takes_nothing_from_the_ballast_of_another(void **state)
{
    const struct bench *b = *state;
    struct env *env = the_env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    struct stat st;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    fill(env, ENOSPC);
    page->full_retry_at_ns = timestamp_monotonic_ns();
    meanwhile = another_makes_it;
    assert_int_equal(bench_put(env, 3, 10), STORE_OK);
    assert_int_equal(stat(path_of(b, BALLAST_FILE), &st), 0);
    assert_true((uint64_t)st.st_size == ballast_bytes(&env->options));
    assert_true(allocated_bytes(b) >= ballast_bytes(&env->options));
    env_close(env);
}

static void a_try_that_fails_keeps_nothing(void **state)
{
    static int (*const tries[])(int, off_t) = {it_gets_half, a_recovery_lets_go};
    const struct bench *b = *state;
    struct env *env = the_env = bench_env(b, false);
    struct gate_page *page = env->gate->page;
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    for (size_t i = 0; i < sizeof tries / sizeof tries[0]; i++) {
        fill(env, ENOSPC);
        page->full_retry_at_ns = timestamp_monotonic_ns();
        meanwhile = tries[i];
        assert_int_equal(bench_put(env, 2, 10), STORE_FULL);
        assert_true(page->full == 1);
        assert_true(allocated_bytes(b) == 0);
        page->full_retry_at_ns = timestamp_monotonic_ns();
        assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    }
    env_close(env);
}

static void without_a_ballast_nobody_writes(void **state)
{
    const struct bench *b = *state;
    assert_int_equal(mkdir(path_of(b, BALLAST_FILE), 0700), 0);
    struct env *env = bench_env(b, false);
    assert_int_equal(bench_put(env, 1, 10), STORE_FULL);
    assert_int_equal(bench_get(env, 1), STORE_NOT_FOUND);
    assert_int_equal(rmdir(path_of(b, BALLAST_FILE)), 0);
    env_close(env);
}

static void the_regions_of_a_dead_generation_give_their_blocks_back(void **state)
{
    const struct bench *b = *state;
    struct env *env = bench_env(b, false);
    assert_int_equal(bench_put(env, 1, 10), STORE_OK);
    struct stat before;
    int region = open(path_of(b, "__db.001"), O_RDONLY | O_CLOEXEC);
    assert_true(region >= 0 && fstat(region, &before) == 0 && before.st_blocks > 0);
    gate_want_recovery(env->gate, "a test said so");
    assert_int_equal(bench_get(env, 1), STORE_OK);
    struct stat after;
    assert_int_equal(fstat(region, &after), 0);
    /* ext4 counts a block of its own for the list of extents. */
    assert_true(after.st_nlink == 0 && after.st_blocks <= 16 && before.st_blocks > 1000);
    close(region);
    env_close(env);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_recovery_allocates_it),
        TEST(it_is_of_the_size_of_a_recovery),
        TEST(a_copy_with_a_hole_for_it_allocates_it_anew),
        TEST(a_full_disk_refuses_writers_and_serves_readers),
        TEST(one_writer_a_second_looks_for_room),
        TEST(a_late_failure_takes_nothing_from_the_ballast_of_another),
        TEST(a_try_that_fails_keeps_nothing),
        TEST(without_a_ballast_nobody_writes),
        TEST(the_regions_of_a_dead_generation_give_their_blocks_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
