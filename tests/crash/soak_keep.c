/* The keeper of the soak: what an administrator does beside living workers, one at a time. */
#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "soak.h"

#define COMMAND_MS 300000u /* longer is a hang */
#define LEAVE_MS 10000u
#define BACKUP "backup"
#define RESTORED "restored"

/* Runs a command of chatsctl; anything but 0 is a broken promise. How long it took, ms. */
static uint64_t run(struct storm *s, struct fleet *f, const char *const *words)
{
    uint64_t began_ns = timestamp_monotonic_ns();
    int status = fleet_control_words(f, words, COMMAND_MS);
    if (status != 0)
        storm_broken(s, "chatsctl %s ended with %d", words[0], status);
    return (timestamp_monotonic_ns() - began_ns) / 1000000;
}

static void raise_to(_Atomic uint64_t *highest, uint64_t value)
{
    if (value > *highest)
        *highest = value;
}

/* A backup into an empty folder. The ledger's reading began before it: all that is due must be in. */
static void back_up(struct soak *k)
{
    char folder[128];
    snprintf(folder, sizeof folder, "%s/" BACKUP, k->storm.fleet.root);
    const char *const words[] = {"backup", folder, NULL};
    fleet_remove(&k->storm.fleet, BACKUP);
    k->backing_up = true;
    raise_to(&k->backup_longest_ms, run(&k->storm, &k->storm.fleet, words));
    k->backing_up = false;
    k->backups++;
}

/* Restores the backup into a home of its own, lets a worker serve it, and reads it against the ledger. */
static void restore_and_read(struct soak *k, struct answer *answer)
{
    static struct storm restored = {.promises_lock = PTHREAD_MUTEX_INITIALIZER};
    char problem[FLEET_PROBLEM_BYTES_MAX];
    char folder[128];
    struct ledger_totals totals;
    restored.options = k->storm.options;
    restored.options.processes = 1;
    restored.ledger = k->storm.ledger;
    restored.promises_broken = 0;
    fleet_remove(&k->storm.fleet, RESTORED);
    snprintf(folder, sizeof folder, "%s/" BACKUP, k->storm.fleet.root);
    if (!fleet_beside(&restored.fleet, &k->storm.fleet, RESTORED, problem)) {
        storm_broken(&k->storm, "%s", problem);
        goto out;
    }
    restored.service = (struct service){.socket_path = restored.fleet.socket_path, .deadline_ms = STORM_DEADLINE_MS};
    (void)run(&restored, &restored.fleet, (const char *const[]){"restore", folder, NULL});
    (void)run(&restored, &restored.fleet, (const char *const[]){"check", NULL});
    if (restored.promises_broken == 0 && fleet_start(&restored.fleet, 0)) {
        storm_verify(&restored, false, answer, &totals);
        k->read += totals.due - totals.lost;
        if (fleet_leave(&restored.fleet, LEAVE_MS, problem) > 0)
            storm_broken(&restored, "%s", problem);
    }
    if (restored.promises_broken > 0)
        storm_broken(&k->storm, "that was backup %u, restored", (unsigned)k->backups);
    k->restores++;
out:
    fleet_close(&restored.fleet, false);
    fleet_remove(&k->storm.fleet, RESTORED);
}

/* The oldest message of each chat is not older than what was pruned. */
static void look_for_pruned(struct soak *k, const char *before, struct answer *answer)
{
    for (unsigned chat = 0; chat < STORM_CHATS; chat++) {
        struct ledger_page page;
        if (storm_list(&k->storm, chat, ",\"limit\":1", true, false, answer, &page) && page.count > 0 &&
            strcmp(page.first, before) < 0)
            storm_broken(&k->storm, "chat %u shows a message of %s, and was pruned up to %s", chat, page.first, before);
    }
}

void soak_read_and_prune(struct soak *k, struct answer *answer)
{
    struct ledger_totals totals;
    ledger_read(k->storm.ledger);
    storm_verify(&k->storm, false, answer, &totals);
    k->read += totals.due - totals.lost;

    char before[TIMESTAMP_BYTES + 1] = "";
    uint64_t before_ns = timestamp_now_ns() - k->pace.keep_s * UINT64_C(1000000000);
    timestamp_format(before_ns, before);
    before[TIMESTAMP_BYTES] = '\0';
    const char *const words[] = {"prune", "--before", before, NULL};
    ledger_prune(k->storm.ledger, before_ns);
    raise_to(&k->prune_longest_ms, run(&k->storm, &k->storm.fleet, words));
    look_for_pruned(k, before, answer);
    if (k->compacts)
        (void)run(&k->storm, &k->storm.fleet, (const char *const[]){"compact", NULL});
    k->prunes++;
}

void *soak_keeper(void *argument)
{
    struct soak *k = argument;
    struct answer answer;
    answer_init(&answer);
    uint64_t due_ns = timestamp_monotonic_ns();
    for (unsigned round = 1; k->keeping; round++) {
        due_ns += k->pace.backup_s * UINT64_C(1000000000);
        while (k->keeping && timestamp_monotonic_ns() < due_ns)
            storm_sleep_us(20000);
        if (!k->keeping)
            break;
        bool restores = round % k->pace.restore_every == 0;
        if (restores)
            ledger_read(k->storm.ledger);
        back_up(k);
        if (restores)
            restore_and_read(k, &answer);
        if (round % k->pace.prune_every == 0)
            soak_read_and_prune(k, &answer);
    }
    fleet_remove(&k->storm.fleet, BACKUP);
    answer_clear(&answer);
    return NULL;
}
