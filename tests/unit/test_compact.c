/*
 * compact, in one process: nothing changes, whatever happens between its steps. tests/e2e/test_admin kills it.
 */
#include "prunebench.h"

#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bdb/ballast.h"
#include "bdb/replace.h"
#include "store/transfer.h"

/* What happens between the steps of a compact; each is a transaction of somebody else's. */
struct meanwhile {
    struct fixture *f;
    unsigned steps;
    unsigned recover_at; /* the step at which there is a recovery, or the disk is full; 0: at none */
    unsigned flood_at;   /* the step at which more chats change than the gate page lists */
    unsigned restarts;
    uint64_t copied;
};

static void meanwhile_step(void *context, const struct store_compact *report)
{
    struct meanwhile *meanwhile = context;
    struct fixture *f = meanwhile->f;
    char id[16];
    struct message message;
    meanwhile->restarts += report->copied < meanwhile->copied ? 1 : 0;
    meanwhile->copied = report->copied;
    unsigned step = ++meanwhile->steps;
    if (step == meanwhile->recover_at) {
        gate_plan_recovery(f->store->env->gate, "the test asked for it");
    }
    for (unsigned i = 0; step == meanwhile->flood_at && i <= GATE_CHATS_CHANGED; i++) {
        snprintf(id, sizeof id, "f%u", i);
        assert_int_equal(append(f, "micro", id, "m1", text_of("t"), &message), STORE_OK);
    }
    if (step > 20) {
        return;
    }
    grow(f, step % 3);
    if (step % 5 == 0) {
        f->first += step % 10 == 0 ? 20 : 1;
        f->first = f->first < f->next ? f->first : f->next;
        (void)prune(f, "", BASE_NS + f->first);
    }
    if (step % 7 == 0) {
        snprintf(id, sizeof id, "m%u", step);
        assert_int_equal(append(f, "micro", "z", id, text_of("t"), &message), STORE_OK);
        create(f, "gone", id, "a", id);
        assert_int_equal(append(f, "gone", id, "m", text_of("t"), &message), STORE_OK);
    }
    if (step % 14 == 0) {
        struct store_removal removal = {.namespace = text_of("gone")};
        assert_int_equal(store_namespace_remove(f->store, &removal), STORE_OK);
    }
    if (step == 17) { /* a marker, and one that is replaced */
        (void)prune(f, "micro", UINT64_MAX);
        f->first = f->next;
    }
}

static void compact_beside(struct fixture *f, struct meanwhile *meanwhile)
{
    struct store_stats stats;
    meanwhile->f = f;
    struct store_compact report = {.step = meanwhile_step, .context = meanwhile};
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    all_pages_are_the_models(f);
    assert_int_equal(store_stats_read(f->store, &stats), STORE_OK);
    check(f, stats.chats, stats.messages);
}

static void room_for_a_compact(struct fixture *f, unsigned messages)
{
    static char text[1000];
    memset(text, 'x', sizeof text);
    f->text = (struct text){text, sizeof text};
    f->store->now_ns = fixed_clock_ns;
    create(f, "micro", "a", "a", "x");
    create(f, "micro", "c1", "a", "b");
    create(f, "micro", "z", "a", "z");
    grow(f, messages);
    f->first = messages / 2;
    (void)prune(f, "", BASE_NS + f->first);
}

static void a_compact_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct store_compact report = {.step = NULL};
    room_for_a_compact(f, 600);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    assert_int_equal(report.copied, report.messages);
    assert_int_equal(report.messages, 300);
    all_pages_are_the_models(f);
    check(f, 3, 300);
    grow(f, 3);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    all_pages_are_the_models(f);
    (void)prune(f, "", UINT64_MAX);
    f->first = f->next;
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    grow(f, 3);
    all_pages_are_the_models(f);
    check(f, 3, 3);
}

static void a_compact_follows_what_happens_meanwhile(void **state)
{
    struct meanwhile meanwhile = {.recover_at = 0};
    room_for_a_compact(*state, 1300);
    compact_beside(*state, &meanwhile);
    assert_true(meanwhile.steps > 17);
    assert_int_equal(meanwhile.restarts, 0);
}

/* Imports the chat "marked" as one whose messages have all been pruned; how much of that was stored. */
static uint64_t import_marker(struct fixture *f)
{
    struct text members[] = {text_of("a"), text_of("c")};
    const struct import_row row = {.namespace = text_of("old"),
                                   .chat = {.id = text_of("marked"), .members = members, .members_count = 2},
                                   .last_sent_at_ns = BASE_NS};
    struct import_result result;
    assert_int_equal(store_import(f->store, &row, 1, &result), STORE_OK);
    assert_int_equal(result.refusal, IMPORT_TAKEN);
    return result.stored;
}

/* At the second step: a message for a chat that has been copied by then, and that nothing else happens to. */
static void late_step(void *context, const struct store_compact *report)
{
    struct meanwhile *meanwhile = context;
    struct message message;
    (void)report;
    if (++meanwhile->steps == 2) {
        assert_int_equal(append(meanwhile->f, "micro", "a", "late", text_of("t"), &message), STORE_OK);
    }
}

static void a_send_to_a_chat_that_has_been_copied_is_kept(void **state)
{
    struct fixture *f = *state;
    struct meanwhile meanwhile = {.f = f};
    struct store_compact report = {.step = late_step, .context = &meanwhile};
    struct message message;
    room_for_a_compact(f, 200);
    assert_int_equal(append(f, "micro", "a", "early", text_of("t"), &message), STORE_OK);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    assert_int_equal(append(f, "micro", "a", "late", text_of("t"), &message), STORE_EXISTS);
    check(f, 3, 102);
}

/* At the second step: a chat that has been copied loses all its messages, another gets the marker of a pruned one. */
static void removing_step(void *context, const struct store_compact *report)
{
    struct meanwhile *meanwhile = context;
    (void)report;
    if (++meanwhile->steps == 2) {
        assert_int_equal(prune(meanwhile->f, "old", UINT64_MAX), 3);
        assert_int_equal(import_marker(meanwhile->f), 1);
    }
}

static void what_is_removed_from_a_chat_that_has_been_copied_is_gone(void **state)
{
    struct fixture *f = *state;
    struct meanwhile meanwhile = {.f = f};
    struct store_compact report = {.step = removing_step, .context = &meanwhile};
    struct message message;
    create(f, "old", "pruned", "a", "b");
    create(f, "old", "marked", "a", "c");
    for (unsigned i = 0; i < 3; i++) {
        char id[16];
        snprintf(id, sizeof id, "m%u", i);
        assert_int_equal(append(f, "old", "pruned", id, text_of("t"), &message), STORE_OK);
    }
    room_for_a_compact(f, 200);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    assert_true(meanwhile.steps > 2);
    check(f, 5, 100);
    assert_int_equal(import_marker(f), 0);
    assert_int_equal(append(f, "old", "pruned", "m0", text_of("t"), &message), STORE_OK);
    check(f, 5, 101);
}

static void a_compact_begins_again_after_a_recovery(void **state)
{
    struct meanwhile meanwhile = {.recover_at = 10};
    room_for_a_compact(*state, 1300);
    compact_beside(*state, &meanwhile);
    assert_int_equal(meanwhile.restarts, 1);
}

static void a_compact_begins_again_when_too_much_changes(void **state)
{
    struct fixture *f = *state;
    struct meanwhile meanwhile = {.flood_at = 10};
    room_for_a_compact(f, 1300);
    for (unsigned i = 0; i <= GATE_CHATS_CHANGED; i++) {
        char id[16];
        snprintf(id, sizeof id, "f%u", i);
        create(f, "micro", id, "a", id);
    }
    compact_beside(f, &meanwhile);
    assert_int_equal(meanwhile.restarts, 1);
}

/* At one step the disk is full, as a write of somebody else's finds out. */
static void full_step(void *context, const struct store_compact *report)
{
    struct meanwhile *meanwhile = context;
    (void)report;
    if (++meanwhile->steps == meanwhile->recover_at) {
        ballast_set_full(meanwhile->f->store->env);
    }
}

static unsigned shadow_files(const struct fixture *f)
{
    glob_t found;
    char pattern[128];
    snprintf(pattern, sizeof pattern, "%s/" REPLACE_PREFIX "*", f->home);
    unsigned count = glob(pattern, 0, NULL, &found) == 0 ? (unsigned)found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static void a_compact_on_a_disk_that_is_full_stops_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct gate_page *page = f->store->env->gate->page;
    struct meanwhile meanwhile = {.f = f, .recover_at = 0};
    struct store_compact report = {.step = full_step, .context = &meanwhile};
    room_for_a_compact(f, 600);
    ballast_set_full(f->store->env);
    assert_int_equal(store_compact(f->store, &report), STORE_FULL);
    assert_int_equal(meanwhile.steps, 0);
    enum store_status status;
    do {
        page->full_retry_at_ns = 0;
        meanwhile.steps = 0;
        meanwhile.recover_at++;
        status = store_compact(f->store, &report);
        assert_true(meanwhile.steps <= meanwhile.recover_at); /* none after it */
        assert_int_equal(shadow_files(f), 0);
    } while (status == STORE_FULL);
    assert_int_equal(status, STORE_OK); /* it was full after the last step */
    page->full_retry_at_ns = 0;
    assert_true(meanwhile.recover_at > 5);
    all_pages_are_the_models(f);
    check(f, 3, 300);
    grow(f, 3);
    all_pages_are_the_models(f);
}

static void a_compact_waits_for_no_backup(void **state)
{
    struct fixture *f = *state;
    struct store_compact report = {.step = NULL};
    char path[128];
    room_for_a_compact(f, 10);
    snprintf(path, sizeof path, "%s/" ENV_BACKUP_LOCK, f->home);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_SH), 0);
    assert_int_equal(store_compact(f->store, &report), STORE_EXISTS);
    close(fd);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    check(f, 3, 5);
}

/* A home whose files are from before a compact and whose log is from after it. */
static void old_files_under_a_new_log_are_refused(void **state)
{
    struct fixture *f = *state;
    struct store_compact report = {.step = NULL};
    struct store *store = NULL;
    char command[512];
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    room_for_a_compact(f, 10);
    assert_int_equal(store_recover(f->store), STORE_OK); /* writes the trees out */
    snprintf(command, sizeof command, "cd '%s' && for f in messages*.db; do cp $f $f.old; done", f->home);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_compact(f->store, &report), STORE_OK);
    store_close(f->store);
    snprintf(command, sizeof command, "cd '%s' && for f in messages*.db; do mv $f $f.new; mv $f.old $f; done; rm gate",
             f->home);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_open(&f->config, &store, problem), STORE_OK);
    assert_int_equal(store_ping(store), STORE_CORRUPT);
    store_close(store);
    snprintf(command, sizeof command, "cd '%s' && for f in messages*.db; do mv $f.new $f; done; rm gate", f->home);
    assert_int_equal(system(command), 0);
    assert_int_equal(store_open(&f->config, &f->store, problem), STORE_OK);
    check(f, 3, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_compact_changes_nothing),
        CASE(a_compact_follows_what_happens_meanwhile),
        CASE(a_send_to_a_chat_that_has_been_copied_is_kept),
        CASE(what_is_removed_from_a_chat_that_has_been_copied_is_gone),
        CASE(a_compact_begins_again_after_a_recovery),
        CASE(a_compact_begins_again_when_too_much_changes),
        CASE(a_compact_on_a_disk_that_is_full_stops_and_changes_nothing),
        CASE(a_compact_waits_for_no_backup),
        CASE(old_files_under_a_new_log_are_refused),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
