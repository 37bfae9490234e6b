/* The killer of the storm: ends one worker every 10 to 30 ms, a share of them where it hurts, and starts another. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/timestamp.h"
#include "storm.h"

#define AIM_MS 20u /* how long a round waits for somebody to be in the phase that it aims at */
#define AIM_LOOK_US 40u
#define COMMITTING_PERCENT 16u /* of the kills; a tenth is demanded */
#define INTERVAL_MIN_US 10000u
#define INTERVAL_MAX_US 30000u
#define OUTSIDE_INTERVAL_US 2000u
#define PHASE_AIM_MS 1000u              /* as AIM_MS, for a killer that does nothing else */
#define PHASE_PAUSE_US 30000u           /* between its kills, so that the clients get on */
#define RECOVERIES_IN_A_ROW 3u          /* killed before one is let through */
#define LATE_MAX_NS UINT64_C(200000000) /* a killer that aimed for long catches up on so much */

/* What a round aims at: anybody, or the holder of the gate in one phase. Shares in percent, but for committing. */
static const struct {
    unsigned share;
    int phase; /* -1: anybody */
} aims[] = {
    {78, -1},          {8, GATE_WRITING}, {3, GATE_RECOVERING}, {4, GATE_CHECKPOINTING},
    {3, GATE_JOINING}, {2, GATE_READING}, {2, GATE_LEAVING},
};

static int aim_choose(const struct storm *s, uint64_t dice)
{
    if (s->kills_by_phase[GATE_COMMITTING] * 100 < s->kills * COMMITTING_PERCENT)
        return GATE_COMMITTING;
    unsigned at = (unsigned)(dice % 100);
    for (size_t i = 0; i < sizeof aims / sizeof *aims; i++) {
        if (at < aims[i].share)
            return aims[i].phase;
        at -= aims[i].share;
    }
    return -1;
}

/* The slot of a stopped process that holds the gate in this phase, or -1 if nobody was caught there in time. */
static int catch_in_phase(struct storm *s, int phase, unsigned wait_ms)
{
    const struct gate_page *page = s->fleet.page;
    uint64_t deadline_ns = timestamp_monotonic_ns() + wait_ms * UINT64_C(1000000);
    while (timestamp_monotonic_ns() < deadline_ns) {
        int slot = (int)page->holder_phase == phase ? fleet_slot_of(&s->fleet, page->holder_pid) : -1;
        if (slot < 0) {
            /* A short sleep catches more than a busy look: to wake here is to interrupt a worker wherever it is. */
            storm_sleep_us(AIM_LOOK_US);
        } else if (fleet_stop(&s->fleet, (unsigned)slot)) {
            if ((int)page->holder_phase == phase && fleet_owns(&page->gate, s->fleet.pids[slot]))
                return slot;
            fleet_continue(&s->fleet, (unsigned)slot);
        }
    }
    return -1;
}

static unsigned log_files(const struct storm *s)
{
    unsigned count = 0;
    DIR *home = opendir(s->fleet.home);
    const struct dirent *entry;
    while (home != NULL && (entry = readdir(home)) != NULL)
        count += strncmp(entry->d_name, "log.", 4) == 0;
    if (home != NULL)
        closedir(home);
    return count;
}

/* Kills the stopped process of the slot, noting what it held. */
static void kill_stopped(struct storm *s, unsigned slot)
{
    const struct gate_page *page = s->fleet.page;
    if (fleet_owns(&page->gate, s->fleet.pids[slot]) && page->holder_phase < GATE_PHASES) {
        s->kills_by_phase[page->holder_phase]++;
        s->kills_with_old_logs += page->holder_phase == GATE_REMOVING_LOGS && log_files(s) > 1;
    }
    if (fleet_owns(&page->leader, s->fleet.pids[slot]))
        s->kills_syncing++;
    fleet_kill(&s->fleet, slot);
    s->kills++;
}

void storm_kill(struct storm *s, unsigned first, int phase, uint64_t dice)
{
    int slot = phase < 0 ? -1 : catch_in_phase(s, phase, AIM_MS);
    if (slot >= 0 && (unsigned)slot < first) {
        fleet_continue(&s->fleet, (unsigned)slot);
        slot = -1;
    }
    if (slot < 0) {
        unsigned others = s->options.processes - first;
        if (others == 0)
            return;
        slot = (int)(first + (unsigned)(dice >> 32) % others);
        if (!fleet_stop(&s->fleet, (unsigned)slot))
            return;
    }
    kill_stopped(s, (unsigned)slot);
}

void storm_refill(struct storm *s)
{
    char problem[FLEET_PROBLEM_BYTES_MAX];
    for (unsigned slot = 0; fleet_reap(&s->fleet, &slot, problem);)
        storm_broken(s, "%s, and nobody asked it to", problem);
    for (unsigned slot = 0; slot < s->options.processes; slot++)
        if (s->fleet.pids[slot] == 0 && !fleet_start(&s->fleet, slot))
            storm_broken(s, "a worker could not be started");
}

/* Kills somebody in the phase; who recovers, several times in a row, after a kill that makes it needed. */
static void kill_round_phase(struct storm *s, uint64_t dice)
{
    int phase = s->options.phase;
    unsigned in_a_row = 1;
    if (phase == GATE_RECOVERING) {
        storm_kill(s, 0, dice >> 8 & 1 ? GATE_COMMITTING : GATE_WRITING, dice);
        in_a_row = 1 + (unsigned)(dice >> 16) % RECOVERIES_IN_A_ROW;
    }
    for (unsigned i = 0; i < in_a_row; i++) {
        storm_refill(s);
        int slot = catch_in_phase(s, phase, PHASE_AIM_MS);
        if (slot < 0)
            return;
        kill_stopped(s, (unsigned)slot);
    }
    storm_sleep_us(PHASE_PAUSE_US);
}

/* Kills somebody who has joined the environment and holds nothing. */
static void kill_round_outside(struct storm *s, uint64_t dice)
{
    const struct gate_page *page = s->fleet.page;
    unsigned slot = (unsigned)(dice >> 32) % s->options.processes;
    if (!fleet_stop(&s->fleet, slot))
        return;
    int pid = s->fleet.pids[slot];
    bool inside =
        fleet_owns(&page->gate, pid) || fleet_owns(&page->leader, pid) || fleet_owns(&page->checkpointer, pid);
    if (inside || !fleet_joined(&s->fleet, pid))
        fleet_continue(&s->fleet, slot);
    else
        kill_stopped(s, slot);
}

void *storm_killer(void *argument)
{
    struct storm_thread *t = argument;
    struct storm *s = t->storm;
    uint64_t random = s->options.seed;
    prctl(PR_SET_TIMERSLACK, 1ul); /* the short sleeps are to be short */
    uint64_t next_ns = timestamp_monotonic_ns();
    while (s->killing && !s->giving_up) {
        uint64_t dice = storm_random(&random);
        if (s->options.outside)
            kill_round_outside(s, dice);
        else if (s->options.phase >= 0)
            kill_round_phase(s, dice);
        else
            storm_kill(s, 0, aim_choose(s, dice), dice);
        storm_refill(s);
        uint64_t interval_us = INTERVAL_MIN_US + (dice >> 12) % (INTERVAL_MAX_US - INTERVAL_MIN_US);
        next_ns += (s->options.outside ? OUTSIDE_INTERVAL_US : interval_us) * UINT64_C(1000);
        uint64_t now_ns = timestamp_monotonic_ns();
        if (next_ns > now_ns)
            storm_sleep_us((next_ns - now_ns) / 1000);
        else if (next_ns + LATE_MAX_NS < now_ns)
            next_ns = now_ns - LATE_MAX_NS;
    }
    return NULL;
}
