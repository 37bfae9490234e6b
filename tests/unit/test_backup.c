/*
 * backup and restore, in one process: what happens between the holds of a backup, and what is to be seen meanwhile.
 * tests/crash/backup kills and loads them, tests/crash/order looks at what is on the disk when.
 */
#include "prunebench.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MESSAGES 40u
#define TEXT_BYTES 60000u /* 15 pages each, so that a tree takes several holds and not many syncs */
#define BUSY_STEPS 20u    /* of a backup: while its trees are copied */

struct bench {
    struct fixture *f;
    char backup[96];
    char restored[96];
    unsigned steps;
    unsigned recover_at; /* the step at which there is a recovery; 0: at none */
};

static bool bench_has(const char *folder, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return access(path, F_OK) == 0;
}

/* Whether a checkpoint could remove log files now. */
static bool logs_may_go(const struct fixture *f)
{
    char path[160];
    snprintf(path, sizeof path, "%s/" ENV_BACKUP_LOCK, f->home);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    bool may = flock(fd, LOCK_EX | LOCK_NB) == 0;
    assert_true(may || errno == EWOULDBLOCK);
    close(fd);
    return may;
}

static void file_make(const char *folder, const char *name)
{
    char path[160];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static void bench_open(struct bench *bench, struct fixture *f)
{
    static char text[TEXT_BYTES];
    file_make(f->home, CONFIG_FILE);
    memset(text, 'x', sizeof text);
    f->text = (struct text){text, sizeof text};
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "c1", "a", "b");
    grow(f, MESSAGES);
    bench->f = f;
    snprintf(bench->backup, sizeof bench->backup, "%s-backup", f->home);
    snprintf(bench->restored, sizeof bench->restored, "%s-restored", f->home);
}

static void bench_close(const struct bench *bench)
{
    char command[256];
    snprintf(command, sizeof command, "rm -rf '%s' '%s'", bench->backup, bench->restored);
    assert_int_equal(system(command), 0);
}

/* Between two holds of a backup; each of these is a transaction of somebody else's. */
static void backup_step(void *context, uint64_t done, uint64_t total)
{
    struct bench *bench = context;
    struct fixture *f = bench->f;
    assert_true(done <= total);
    assert_false(logs_may_go(f));
    assert_false(bench_has(bench->backup, "manifest"));
    unsigned step = ++bench->steps;
    if (step > BUSY_STEPS) {
        return;
    }
    grow(f, 1);
    if (step == bench->recover_at) {
        gate_plan_recovery(f->store->env->gate, "the test asked for it");
    }
    if (step % 4 == 0) {
        assert_int_equal(env_checkpoint(f->store->env, true), STORE_OK);
    }
}

static void back_up(struct bench *bench)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    const struct store_backup order = {.folder = bench->backup, .progress = backup_step, .context = bench};
    enum store_status status = store_backup(bench->f->store, &order, problem);
    assert_string_equal(problem, "");
    assert_int_equal(status, STORE_OK);
    assert_true(bench->steps > BUSY_STEPS);
    assert_true(logs_may_go(bench->f));
}

static void restore_step(void *context, const char *verb, uint64_t done, uint64_t total)
{
    const struct bench *bench = context;
    assert_true(done <= total);
    assert_int_equal(bench_has(bench->restored, CONFIG_RESTORING_FILE), strcmp(verb, "restoring") == 0);
}

static void restore(const struct bench *bench)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    const struct store_restore order = {
        .home = bench->restored, .folder = bench->backup, .progress = restore_step, .context = (void *)bench};
    enum store_status status = store_restore(&order, problem);
    assert_string_equal(problem, "");
    assert_int_equal(status, STORE_OK);
    assert_false(bench_has(bench->restored, CONFIG_RESTORING_FILE));
}

/* The restored home has the messages of the model up to some that was sent while the backup was made. */
static void the_restored_home_is_the_models(const struct bench *bench)
{
    struct fixture *f = bench->f;
    struct store *own = f->store;
    unsigned next = f->next;
    struct config config;
    struct store_stats stats;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    config_defaults(&config, bench->restored);
    assert_int_equal(store_open(&config, &f->store, problem), STORE_OK);
    assert_int_equal(store_stats_read(f->store, &stats), STORE_OK);
    assert_in_range(stats.messages, MESSAGES, next);
    f->next = (unsigned)stats.messages;
    check(f, 1, stats.messages);
    all_pages_are_the_models(f);
    store_close(f->store);
    config_clear(&config);
    f->store = own;
    f->next = next;
}

static void what_changes_while_a_backup_is_made_the_log_makes_whole(void **state)
{
    struct bench bench = {.recover_at = 0};
    bench_open(&bench, *state);
    back_up(&bench);
    restore(&bench);
    the_restored_home_is_the_models(&bench);
    bench_close(&bench);
}

static void a_recovery_while_a_backup_is_made_changes_nothing(void **state)
{
    struct bench bench = {.recover_at = 5};
    bench_open(&bench, *state);
    back_up(&bench);
    restore(&bench);
    the_restored_home_is_the_models(&bench);
    bench_close(&bench);
}

static void a_home_with_the_mark_of_a_restoring_does_not_open(void **state)
{
    struct fixture *f = *state;
    struct store *store = NULL;
    char path[160];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    file_make(f->home, CONFIG_RESTORING_FILE);
    snprintf(path, sizeof path, "%s/" CONFIG_RESTORING_FILE, f->home);
    assert_int_equal(store_open(&f->config, &store, problem), STORE_UNAVAILABLE);
    assert_non_null(strstr(problem, CONFIG_RESTORING));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(store_open(&f->config, &store, problem), STORE_OK);
    store_close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_changes_while_a_backup_is_made_the_log_makes_whole),
        CASE(a_recovery_while_a_backup_is_made_changes_nothing),
        CASE(a_home_with_the_mark_of_a_restoring_does_not_open),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
