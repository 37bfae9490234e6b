/*
 * storm: kills worker processes under load, and shows that every promise is kept (tests/README.md).
 *
 *   storm [--build DIR] [--seconds N] [--kills-at-least N] [--processes N] [--clients N] [--seed N] [--outside]
 *         [--pause-max-ms N] [--faults LIST] [--fail-fast] [--slow] [--phase recovering|checkpointing|removing]
 *
 * Prints a sentence for each broken promise and one line of figures. Exit status 0: all were kept; 1: not; 2: it could
 * not be tried.
 */
#include "storm.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "bdb/env.h"

#define LEAVE_MS 10000u
#define SETTLE_MS 500u

/* Kills, or those in the phase that was asked for; of those removing logs, such as had any to remove. */
static unsigned kills_that_count(const struct storm *s)
{
    int phase = s->options.phase;
    if (phase == GATE_REMOVING_LOGS)
        return s->kills_with_old_logs;
    return phase < 0 ? s->kills : s->kills_by_phase[phase];
}

/* What the page has counted must agree with what the killer did. */
static void judge_counts(struct storm *s, uint64_t recoveries)
{
    const struct gate_page *page = s->fleet.page;
    unsigned kills = s->kills;
    unsigned committing = s->kills_by_phase[GATE_COMMITTING];
    if (kills_that_count(s) < s->options.kills_at_least)
        storm_broken(s, "only %u kills, of %u", kills_that_count(s), s->options.kills_at_least);
    if (s->options.outside) {
        /* Each of these kills leaked one join. The living are not counted against the bound: workers, CGI runs. */
        uint64_t due = kills / (ENV_LEAKED_JOINS_MAX + 1 + 2 * s->options.processes);
        if (recoveries < due)
            storm_broken(s, "%u processes were lost outside the gate, and the environment renewed %llu times, not %llu",
                         kills, (unsigned long long)recoveries, (unsigned long long)due);
        if (s->unavailable > 0)
            storm_broken(s, "%llu calls were refused although nobody died inside", (unsigned long long)s->unavailable);
        return;
    }
    if (kills > 100 && committing * 10 < kills && !s->options.slow && s->options.phase < 0)
        storm_broken(s, "only %u of %u kills were inside a commit", committing, kills);
    /* Not all: one who finds a dead holder may be killed before it has counted it. */
    if (page->deaths[GATE_COMMITTING] * 10 < (uint64_t)committing * 9)
        storm_broken(s, "%u processes were killed committing, and %llu found dead", committing,
                     (unsigned long long)page->deaths[GATE_COMMITTING]);
    /* Each has a death for its reason: at the gate, or of the log's leader, which the page does not count. */
    uint64_t reasons = s->kills_syncing + s->cgi_kills;
    for (int phase = 0; phase < GATE_PHASES; phase++)
        reasons += page->deaths[phase];
    if (recoveries > reasons)
        storm_broken(s, "%llu recoveries, and only %llu processes died inside", (unsigned long long)recoveries,
                     (unsigned long long)reasons);
    if (committing > 0 && recoveries == 0)
        storm_broken(s, "processes were killed committing, and nobody recovered");
}

static void summary(struct storm *s, double seconds, uint64_t recoveries, uint64_t stall_ns,
                    const struct ledger_totals *t)
{
    const struct gate_page *page = s->fleet.page;
    const _Atomic unsigned *by = s->kills_by_phase;
    printf("%s: %.0f s, %u kills (reading %u, writing %u, committing %u, joining %u, leaving %u, recovering %u, "
           "checkpointing %u, removing logs %u (%u with some to remove), syncing %u), cgi runs %u, of them killed %u, "
           "found dead committing %llu, recoveries %llu, "
           "longest recovery %.0f ms, checkpoints %llu, joins %llu, leaves %llu, answers %llu, refused 503 %llu, "
           "broken off %llu, longest pause %.0f ms (machine's own %.0f ms), slowest call %.0f ms, messages sent %llu, "
           "acknowledged %llu, found %llu, lost %llu, broken promises %u\n",
           s->options.outside ? "storm outside" : "storm", seconds, s->kills, by[GATE_READING], by[GATE_WRITING],
           by[GATE_COMMITTING], by[GATE_JOINING], by[GATE_LEAVING], by[GATE_RECOVERING], by[GATE_CHECKPOINTING],
           by[GATE_REMOVING_LOGS], s->kills_with_old_logs, s->kills_syncing, s->cgi_runs, s->cgi_kills,
           (unsigned long long)page->deaths[GATE_COMMITTING], (unsigned long long)recoveries,
           (double)page->recovery_longest_ns / 1e6, (unsigned long long)page->checkpoints,
           (unsigned long long)page->joins, (unsigned long long)page->leaves, (unsigned long long)s->answers,
           (unsigned long long)s->unavailable, (unsigned long long)s->broken_off, (double)s->longest_pause_ns / 1e6,
           (double)stall_ns / 1e6, (double)s->slowest_ns / 1e6, (unsigned long long)t->sent,
           (unsigned long long)t->acknowledged, (unsigned long long)t->found, (unsigned long long)t->lost,
           s->promises_broken);
}

/* Lets the storm run its time. Returns the longest time that this thread itself was not run when it was due, ns. */
static uint64_t watch(struct storm *s)
{
    const struct storm_options *o = &s->options;
    uint64_t began_ns = timestamp_monotonic_ns();
    uint64_t due_ns = began_ns + UINT64_C(1000000000) * o->seconds;
    uint64_t end_ns = began_ns + UINT64_C(3000000000) * o->seconds; /* if kills are still missing */
    uint64_t stall_ns = 0;
    bool paused = false;
    for (uint64_t now_ns = began_ns; !s->giving_up && now_ns < end_ns;) {
        bool enough_inside =
            o->outside || o->slow || o->phase >= 0 || s->kills_by_phase[GATE_COMMITTING] * 100 >= s->kills * 11;
        if (now_ns >= due_ns && kills_that_count(s) >= o->kills_at_least && enough_inside)
            break;
        storm_sleep_us(5000);
        uint64_t then_ns = now_ns;
        now_ns = timestamp_monotonic_ns();
        if (now_ns - then_ns > 5000000u + stall_ns)
            stall_ns = now_ns - then_ns - 5000000u;
        uint64_t last_ns = s->last_answer_ns;
        if (!paused && now_ns > last_ns && now_ns - last_ns > o->pause_max_ms * UINT64_C(1000000)) {
            storm_broken(s, "nobody had an answer for %u ms", o->pause_max_ms);
            paused = true;
        }
    }
    return stall_ns;
}

static int storm_run(struct storm *s)
{
    const struct storm_options *o = &s->options;
    struct storm_thread threads[LEDGER_CLIENTS_MAX + 1] = {{.client = 0}};
    struct ledger_totals totals = {.sent = 0};
    struct answer answer;
    answer_init(&answer);
    for (unsigned i = 0; i < o->processes; i++)
        if (!fleet_start(&s->fleet, i))
            return 2;
    if (!storm_create_chats(s, &answer) || !fleet_map(&s->fleet))
        return 2;

    uint64_t recoveries_before = s->fleet.page->recoveries;
    uint64_t began_ns = timestamp_monotonic_ns();
    s->last_answer_ns = began_ns;
    s->killing = s->loading = true;
    for (unsigned i = 0; i < o->clients + 2; i++) {
        threads[i] = (struct storm_thread){.storm = s, .client = i};
        void *(*run)(void *) = i < o->clients ? storm_client : i == o->clients ? storm_cgi_client : storm_killer;
        if (pthread_create(&threads[i].thread, NULL, run, &threads[i]) != 0)
            abort();
    }
    uint64_t stall_ns = watch(s);
    s->killing = false;
    pthread_join(threads[o->clients + 1].thread, NULL);
    double seconds = (double)(timestamp_monotonic_ns() - began_ns) / 1e9;
    /* When nobody is killed any more the service must come to rest. */
    storm_sleep_us(s->giving_up ? 0 : SETTLE_MS * UINT64_C(1000));
    uint64_t recoveries_settled = s->fleet.page->recoveries;
    storm_sleep_us(s->giving_up ? 0 : SETTLE_MS * UINT64_C(1000));
    if (!s->options.outside && s->fleet.page->recoveries != recoveries_settled)
        storm_broken(s, "the environment was recovered again when nobody had died for %u ms", SETTLE_MS);
    s->loading = false;
    for (unsigned i = 0; i < o->clients + 1; i++)
        pthread_join(threads[i].thread, NULL);

    uint64_t recoveries = s->fleet.page->recoveries - recoveries_before;
    if (!s->giving_up) {
        char problem[FLEET_PROBLEM_BYTES_MAX];
        judge_counts(s, recoveries);
        ledger_read(s->ledger);
        storm_verify(s, true, &answer, &totals);
        if (totals.acknowledged == 0)
            storm_broken(s, "no message was acknowledged");
        if (s->longest_pause_ns > o->pause_max_ms * UINT64_C(1000000))
            storm_broken(s, "the service paused for %.0f ms", (double)s->longest_pause_ns / 1e6);
        for (unsigned slot = 0; fleet_reap(&s->fleet, &slot, problem);)
            storm_broken(s, "%s, and nobody asked it to", problem);
        if (fleet_leave(&s->fleet, LEAVE_MS, problem) > 0)
            storm_broken(s, "%s", problem);
        if (fleet_control(&s->fleet, "check") != 0)
            storm_broken(s, "chatsctl check found the home damaged");
        /* Of whoever left by a kill, too: its exit status says nothing. */
        static const char *const reports[] = {"Sanitizer", "runtime error:", NULL};
        if (fleet_log_find(&s->fleet, reports, problem))
            storm_broken(s, "a sanitizer's report: %s", problem);
    }
    summary(s, seconds, recoveries, stall_ns, &totals);
    answer_clear(&answer);
    return s->promises_broken > 0 ? 1 : 0;
}

/* The phase that a killer can be told to aim at; -1: not one. */
static int phase_named(const char *name)
{
    if (strcmp(name, "recovering") == 0)
        return GATE_RECOVERING;
    if (strcmp(name, "checkpointing") == 0)
        return GATE_CHECKPOINTING;
    return strcmp(name, "removing") == 0 ? GATE_REMOVING_LOGS : -1;
}

static bool options_read(int argc, char **argv, struct storm_options *o)
{
    static const struct option names[] = {
        {"build", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'},
        {"kills-at-least", required_argument, NULL, 'k'},
        {"processes", required_argument, NULL, 'p'},
        {"clients", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 'r'},
        {"outside", no_argument, NULL, 'o'},
        {"pause-max-ms", required_argument, NULL, 'm'},
        {"faults", required_argument, NULL, 'f'},
        {"fail-fast", no_argument, NULL, 'x'},
        {"slow", no_argument, NULL, 'w'},
        {"phase", required_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char *value = optarg == NULL ? "" : optarg;
        unsigned number = (unsigned)strtoul(value, NULL, 10);
        switch (c) {
        case 'b':
            o->build = value;
            break;
        case 's':
            o->seconds = number;
            break;
        case 'k':
            o->kills_at_least = number;
            break;
        case 'p':
            o->processes = number;
            break;
        case 'c':
            o->clients = number;
            break;
        case 'r':
            o->seed = strtoull(value, NULL, 10);
            break;
        case 'o':
            o->outside = true;
            break;
        case 'm':
            o->pause_max_ms = number;
            break;
        case 'f':
            o->faults = value;
            break;
        case 'x':
            o->fail_fast = true;
            break;
        case 'w':
            o->slow = true;
            break;
        case 'h':
            o->phase = phase_named(value);
            if (o->phase < 0)
                return false;
            break;
        default:
            return false;
        }
    }
    return optind == argc && o->processes > 0 && o->processes <= FLEET_WORKERS_MAX && o->clients > 0 &&
           o->clients < LEDGER_CLIENTS_MAX && o->seconds > 0;
}

int main(int argc, char **argv)
{
    static struct storm s = {.promises_lock = PTHREAD_MUTEX_INITIALIZER};
    static const char settings[] = "threads = 4\ncheckpoint_bytes = 256K\ncheckpoint_seconds = 1\n";
    char problem[FLEET_PROBLEM_BYTES_MAX];
    int status = 2;
    s.options = (struct storm_options){
        .build = "build", .seconds = 30, .processes = 8, .clients = 24, .seed = 1, .phase = -1, .pause_max_ms = 1000};
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, &s.options)) {
        fprintf(stderr, "storm: unknown option, or a number out of range\n");
        return 2;
    }
    s.ledger = ledger_new(s.options.seed, STORM_CHATS, s.options.clients + 1);
    if (s.ledger == NULL)
        return 2;
    if (!fleet_open(&s.fleet, s.options.build, s.options.faults, s.options.processes, settings, problem)) {
        fprintf(stderr, "storm: %s\n", problem);
    } else {
        s.service = (struct service){.socket_path = s.fleet.socket_path, .deadline_ms = STORM_DEADLINE_MS};
        status = storm_run(&s);
    }
    bool keep = status != 0 && !s.options.fail_fast;
    if (keep && s.fleet.log_fd >= 0)
        fleet_show_log(&s.fleet);
    fleet_close(&s.fleet, keep);
    ledger_free(s.ledger);
    return status;
}
