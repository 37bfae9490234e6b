/* Damaged pages (src/bdb/damage.h): refused, named, counted, and the end of service; with one small tree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bdb/damage.h"
#include "bdb/page.h"
#include "envbench.h"

#define ROOT 1u /* the tree's first page behind the one that describes it */

static int open_tree(const struct bench *b)
{
    char path[128];
    snprintf(path, sizeof path, "%s/items.db", b->home);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void page_get(const struct bench *b, uint32_t number, uint8_t *ret)
{
    int fd = open_tree(b);
    assert_int_equal(pread(fd, ret, ENV_PAGE_BYTES, (off_t)number * ENV_PAGE_BYTES), ENV_PAGE_BYTES);
    assert_int_equal(close(fd), 0);
}

static void page_put(const struct bench *b, uint32_t number, const uint8_t *bytes)
{
    int fd = open_tree(b);
    assert_int_equal(pwrite(fd, bytes, ENV_PAGE_BYTES, (off_t)number * ENV_PAGE_BYTES), ENV_PAGE_BYTES);
    assert_int_equal(close(fd), 0);
}

static uint32_t pages(const struct bench *b)
{
    struct stat st;
    int fd = open_tree(b);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(close(fd), 0);
    return (uint32_t)(st.st_size / ENV_PAGE_BYTES);
}

/* The page's second half is another's: torn. */
static void tear(const struct bench *b, uint32_t number)
{
    uint8_t bytes[ENV_PAGE_BYTES];
    page_get(b, number, bytes);
    assert_int_equal(page_look(bytes, number), PAGE_GOOD);
    for (size_t i = number == 0 ? 40 : ENV_PAGE_BYTES / 2; i < ENV_PAGE_BYTES; i++)
        bytes[i] = (uint8_t)(i * 7 + 1);
    page_put(b, number, bytes);
}

static void blank(const struct bench *b, uint32_t number)
{
    const uint8_t zeros[ENV_PAGE_BYTES] = {0};
    page_put(b, number, zeros);
}

/* Some records, all of them in the file and none in the library's cache. */
static struct env *filled(const struct bench *b, uint32_t records)
{
    struct env *env = bench_env(b, false);
    for (uint32_t i = 1; i <= records; i++)
        assert_int_equal(bench_put(env, i, 900), STORE_OK);
    assert_int_equal(env_checkpoint(env, true), STORE_OK);
    return env;
}

/* As after a crash: the next to come recovers, and reads from the files. */
static void lose_the_cache(struct env *env)
{
    gate_want_recovery(env->gate, "a test wants a new cache");
}

static void is_named(struct env *env, uint32_t number, uint32_t reads)
{
    const struct gate_page *page = env->gate->page;
    assert_int_equal(page->damaged_tree, 0);
    assert_int_equal(page->damaged_page, number);
    assert_int_equal(page->damaged_reads, reads);
    assert_int_equal(page->out_of_service, reads >= DAMAGE_READS_MAX);
}

/* Out of service: answered at once, without the gate, and nothing is recovered. */
static void is_final(struct env *env)
{
    const struct gate_page *page = env->gate->page;
    uint64_t recoveries = page->recoveries;
    assert_true(damage_is_final(env));
    assert_int_equal(pthread_mutex_lock(&env->gate->page->gate), 0);
    assert_int_equal(bench_get(env, 1), STORE_CORRUPT);
    assert_int_equal(bench_put(env, 1, 10), STORE_CORRUPT);
    pthread_mutex_unlock(&env->gate->page->gate);
    assert_int_equal(env_checkpoint(env, true), STORE_CORRUPT);
    assert_true(page->recoveries == recoveries);
}

/* What two reads of the page do, whoever asks. */
static void ends_service(struct env *env, uint32_t number)
{
    assert_int_equal(bench_get(env, 1), STORE_UNAVAILABLE);
    is_named(env, number, 1);
    env->gate->page->recovery_retry_at_ns = 0;
    assert_int_equal(bench_get(env, 1), STORE_CORRUPT);
    is_named(env, number, 2);
    is_final(env);
}

static void a_torn_page_is_named_and_the_second_time_is_the_last(void **state)
{
    struct env *env = filled(*state, 40);
    lose_the_cache(env);
    tear(*state, ROOT);
    ends_service(env, ROOT);
    env_close(env);
}

static void a_page_of_zeros_is_damaged_too(void **state)
{
    struct env *env = filled(*state, 40);
    lose_the_cache(env);
    blank(*state, ROOT);
    ends_service(env, ROOT);
    env_close(env);
}

static void a_page_in_anothers_place_is_damaged_too(void **state)
{
    uint8_t bytes[ENV_PAGE_BYTES];
    struct env *env = filled(*state, 40);
    lose_the_cache(env);
    page_get(*state, 3, bytes);
    page_put(*state, ROOT, bytes);
    ends_service(env, ROOT);
    env_close(env);
}

/* Cut within its last page or before it. */
static void cut(struct env *env, const struct bench *b, off_t bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/items.db", b->home);
    assert_int_equal(truncate(path, bytes), 0);
    assert_int_equal(bench_get(env, 40), STORE_UNAVAILABLE);
    is_named(env, (uint32_t)(bytes / ENV_PAGE_BYTES), 1);
    env->gate->page->recovery_retry_at_ns = 0;
    assert_int_equal(bench_get(env, 40), STORE_CORRUPT);
    is_final(env);
}

static void a_file_cut_short_is_damage(void **state)
{
    struct env *env = filled(*state, 40);
    uint32_t last = pages(*state) - 1;
    lose_the_cache(env);
    cut(env, *state, (off_t)last * ENV_PAGE_BYTES);
    damage_reset(env);
    cut(env, *state, (off_t)last * ENV_PAGE_BYTES - 512);
    env_close(env);
}

static void a_page_that_describes_the_tree_counts_in_recovery(void **state)
{
    struct env *env = filled(*state, 40);
    lose_the_cache(env);
    tear(*state, 0);
    ends_service(env, 0);
    env_close(env);
}

static void other_records_are_served_after_the_first_time(void **state)
{
    struct env *env = filled(*state, 40);
    uint32_t last = pages(*state) - 1;
    lose_the_cache(env);
    tear(*state, last);
    assert_int_equal(bench_get(env, 40), STORE_UNAVAILABLE);
    is_named(env, last, 1);
    assert_int_equal(bench_get(env, 1), STORE_OK);
    assert_int_equal(bench_put(env, 2, 900), STORE_OK);
    assert_int_equal(bench_put(env, 40, 900), STORE_CORRUPT);
    is_final(env);
    env_close(env);
}

static void a_page_in_the_range_of_recovery_ends_service_too(void **state)
{
    struct env *env = filled(*state, 1);
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    lose_the_cache(env);
    tear(*state, ROOT);
    ends_service(env, ROOT);
    env_close(env);
}

/* The library passes over such a page when it recovers, and would have it in its cache as an empty one of its own. */
static void a_blank_page_in_the_range_of_recovery_is_not_believed(void **state)
{
    struct env *env = filled(*state, 1);
    assert_int_equal(bench_put(env, 2, 10), STORE_OK);
    lose_the_cache(env);
    blank(*state, ROOT);
    ends_service(env, ROOT);
    env_close(env);
}

static void a_blank_page_that_the_log_fills_is_good(void **state)
{
    struct env *env = filled(*state, 1);
    for (uint32_t i = 2; i <= 60; i++)
        assert_int_equal(bench_put(env, i, 900), STORE_OK);
    lose_the_cache(env);
    /* The file has grown, as it may before a crash, and none of what it grew by has been written. */
    for (uint32_t number = 2; number < 12; number++)
        blank(*state, number);
    for (uint32_t i = 1; i <= 60; i++)
        assert_int_equal(bench_get(env, i), STORE_OK);
    assert_int_equal(env->gate->page->damaged_reads, 0);
    env_close(env);
}

static void a_reset_tries_again_from_the_start(void **state)
{
    uint8_t bytes[ENV_PAGE_BYTES];
    struct env *env = filled(*state, 40);
    page_get(*state, ROOT, bytes);
    lose_the_cache(env);
    tear(*state, ROOT);
    ends_service(env, ROOT);
    damage_reset(env);
    ends_service(env, ROOT);
    page_put(*state, ROOT, bytes);
    damage_reset(env);
    for (uint32_t i = 1; i <= 40; i++)
        assert_int_equal(bench_get(env, i), STORE_OK);
    assert_int_equal(env->gate->page->out_of_service, 0);
    env_close(env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_torn_page_is_named_and_the_second_time_is_the_last, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_page_of_zeros_is_damaged_too, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_page_in_anothers_place_is_damaged_too, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_file_cut_short_is_damage, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_page_that_describes_the_tree_counts_in_recovery, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(other_records_are_served_after_the_first_time, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_page_in_the_range_of_recovery_ends_service_too, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_blank_page_in_the_range_of_recovery_is_not_believed, bench_setup,
                                        bench_teardown),
        cmocka_unit_test_setup_teardown(a_blank_page_that_the_log_fills_is_good, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(a_reset_tries_again_from_the_start, bench_setup, bench_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
