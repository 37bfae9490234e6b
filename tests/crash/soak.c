/*
 * soak: mixed load for hours, with kills, backups that are restored, and prunes; what must be bounded is.
 *
 *   soak [--build DIR] [--seconds N | --minutes N] [--rate N] [--processes N] [--clients N] [--seed N] [--compact]
 *
 * The load is paced (--rate: calls a second), so that hours of it fit on a machine that does other things. A worker is
 * killed every 2 to 5 s, half of them inside the gate if somebody is caught there. Every minute a backup is made; every
 * fifth is restored, checked and read back: all that was acknowledged before it began is there. Every third minute all
 * chats are read back, and then what is older than a minute is pruned. Below two minutes all of this comes faster.
 *
 * A line a minute, a sentence for each broken promise, and one line of figures. Exit status 0: all were kept; 1: not;
 * 2: it could not be tried.
 */
#include "soak.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "base/timestamp.h"

#define LEAVE_MS 10000u
#define SHORT_S 120u
#define LINE_S 60u
#define LINE_SHORT_S 5u

static const struct soak_pace pace_long = {
    .kill_ms_min = 2000, .kill_ms_max = 5000, .backup_s = 60, .restore_every = 5, .prune_every = 3, .keep_s = 60};
static const struct soak_pace pace_short = {
    .kill_ms_min = 200, .kill_ms_max = 600, .backup_s = 3, .restore_every = 2, .prune_every = 3, .keep_s = 6};

/* Where a kill aims; -1: anywhere. */
static const int aims[] = {-1, -1, -1, GATE_COMMITTING, GATE_WRITING, GATE_CHECKPOINTING};

/* The dice's number from `low` to `high`. */
static unsigned between(uint64_t dice, unsigned low, unsigned high)
{
    return low + (unsigned)(dice % (high - low + 1));
}

static void *killer(void *argument)
{
    struct soak *k = argument;
    struct storm *s = &k->storm;
    uint64_t random = s->options.seed;
    prctl(PR_SET_TIMERSLACK, 1ul); /* the short sleeps are to be short */
    while (s->killing && !s->giving_up) {
        uint64_t dice = storm_random(&random);
        unsigned wait_ms = between(dice, k->pace.kill_ms_min, k->pace.kill_ms_max);
        for (unsigned waited_ms = 0; waited_ms < wait_ms && s->killing; waited_ms += 10)
            storm_sleep_us(10000);
        storm_kill(s, SOAK_SPARED, aims[(dice >> 20) % (sizeof aims / sizeof *aims)], dice);
        storm_refill(s);
    }
    return NULL;
}

static void summary(const struct soak *k, double seconds, const struct ledger_totals *t)
{
    const struct storm *s = &k->storm;
    const struct gate_page *page = s->fleet.page;
    printf(
        "soak: %.0f s, %u kills, %llu recoveries (longest %.0f ms), longest pause %.0f ms (machine's own %.0f ms), "
        "answers %llu, refused 503 %llu, broken off %llu, backups %u, restored and read %u, prunes %u, messages sent "
        "%llu, acknowledged %llu, read back %llu, lost %llu, log at most %.1f MB, trees %.1f then %.1f MB, largest "
        "worker %.1f then %.1f MB (own %.1f then %.1f), descriptors %u then %u, broken promises %u\n",
        seconds, s->kills, (unsigned long long)page->recoveries, (double)page->recovery_longest_ns / 1e6,
        (double)k->pause_ns / 1e6, (double)k->stall_ns / 1e6, (unsigned long long)s->answers,
        (unsigned long long)s->unavailable, (unsigned long long)s->broken_off, k->backups, k->restores, k->prunes,
        (unsigned long long)t->sent, (unsigned long long)t->acknowledged, (unsigned long long)k->read,
        (unsigned long long)t->lost, (double)k->log_bytes_max / 1e6, (double)k->first.tree_bytes / 1e6,
        (double)k->second.tree_bytes / 1e6, (double)k->first.resident_bytes / 1e6,
        (double)k->second.resident_bytes / 1e6, (double)k->first.private_bytes / 1e6,
        (double)k->second.private_bytes / 1e6, k->first.descriptors, k->second.descriptors, s->promises_broken);
}

/* Load, kills and the keeper for the time; then all stand still, and everything is read once more. */
static int soak_run(struct soak *k)
{
    struct storm *s = &k->storm;
    unsigned clients = s->options.clients;
    struct storm_thread threads[LEDGER_CLIENTS_MAX + 1] = {{.client = 0}};
    pthread_t killing;
    pthread_t keeping;
    struct answer answer;
    answer_init(&answer);
    for (unsigned i = 0; i < s->options.processes; i++)
        if (!fleet_start(&s->fleet, i))
            return 2;
    if (!storm_create_chats(s, &answer) || !fleet_map(&s->fleet))
        return 2;
    uint64_t began_ns = timestamp_monotonic_ns();
    s->last_answer_ns = began_ns;
    s->killing = s->loading = k->keeping = true;
    for (unsigned i = 0; i <= clients; i++) {
        threads[i] = (struct storm_thread){.storm = s, .client = i};
        if (pthread_create(&threads[i].thread, NULL, i < clients ? storm_client : storm_cgi_client, &threads[i]) != 0)
            abort();
    }
    if (pthread_create(&killing, NULL, killer, k) != 0 || pthread_create(&keeping, NULL, soak_keeper, k) != 0)
        abort();
    soak_watch(k, s->options.seconds, s->options.seconds < SHORT_S ? LINE_SHORT_S : LINE_S);
    k->keeping = false;
    pthread_join(keeping, NULL); /* what it has begun it ends, and under kills */
    s->killing = false;
    pthread_join(killing, NULL);
    s->loading = false;
    for (unsigned i = 0; i <= clients; i++)
        pthread_join(threads[i].thread, NULL);

    char problem[FLEET_PROBLEM_BYTES_MAX];
    struct ledger_totals totals = {.sent = 0};
    double seconds = (double)(timestamp_monotonic_ns() - began_ns) / 1e9;
    soak_judge(k);
    ledger_read(s->ledger);
    storm_verify(s, true, &answer, &totals);
    k->read += totals.due - totals.lost;
    if (totals.acknowledged == 0 || k->backups == 0 || k->restores == 0 || k->prunes == 0 || s->kills == 0)
        storm_broken(s, "something was never tried: see the figures");
    if (fleet_leave(&s->fleet, LEAVE_MS, problem) > 0)
        storm_broken(s, "%s", problem);
    if (fleet_control(&s->fleet, "check") != 0)
        storm_broken(s, "chatsctl check found the home damaged");
    summary(k, seconds, &totals);
    answer_clear(&answer);
    return s->promises_broken > 0 ? 1 : 0;
}

static bool options_read(int argc, char **argv, struct soak *k)
{
    static const struct option names[] = {
        {"build", required_argument, NULL, 'b'},
        {"seconds", required_argument, NULL, 's'},
        {"minutes", required_argument, NULL, 'm'},
        {"rate", required_argument, NULL, 'r'},
        {"processes", required_argument, NULL, 'p'},
        {"clients", required_argument, NULL, 'c'},
        {"seed", required_argument, NULL, 'd'},
        {"compact", no_argument, NULL, 'n'},
        {NULL, 0, NULL, 0},
    };
    struct storm_options *o = &k->storm.options;
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
        case 'm':
            o->seconds = 60 * number;
            break;
        case 'r':
            o->rate = number;
            break;
        case 'p':
            o->processes = number;
            break;
        case 'c':
            o->clients = number;
            break;
        case 'd':
            o->seed = strtoull(value, NULL, 10);
            break;
        case 'n':
            k->compacts = true;
            break;
        default:
            return false;
        }
    }
    k->pace = o->seconds < SHORT_S ? pace_short : pace_long;
    return optind == argc && o->processes > SOAK_SPARED && o->processes <= FLEET_WORKERS_MAX && o->clients > 0 &&
           o->clients < LEDGER_CLIENTS_MAX && o->seconds > 0 && o->rate > 0;
}

int main(int argc, char **argv)
{
    static struct soak k = {.storm.promises_lock = PTHREAD_MUTEX_INITIALIZER};
    struct storm *s = &k.storm;
    char settings[128];
    char problem[FLEET_PROBLEM_BYTES_MAX];
    int status = 2;
    s->options = (struct storm_options){.build = "build",
                                        .seconds = 20,
                                        .rate = 400,
                                        .processes = 6,
                                        .clients = 16,
                                        .seed = 1,
                                        .phase = -1,
                                        .resend_last = 16};
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, &k)) {
        fprintf(stderr, "soak: unknown option, or a number out of range\n");
        return 2;
    }
    s->ledger = ledger_new(s->options.seed, STORM_CHATS, s->options.clients + 1);
    if (s->ledger == NULL)
        return 2;
    snprintf(settings, sizeof settings, "threads = 4\ncheckpoint_bytes = %uM\ncheckpoint_seconds = %u\n",
             SOAK_CHECKPOINT_BYTES >> 20, SOAK_CHECKPOINT_S);
    if (!fleet_open(&s->fleet, s->options.build, NULL, s->options.processes, settings, problem)) {
        fprintf(stderr, "soak: %s\n", problem);
    } else {
        s->service = (struct service){.socket_path = s->fleet.socket_path, .deadline_ms = STORM_DEADLINE_MS};
        status = soak_run(&k);
    }
    if (status != 0 && s->fleet.log_fd >= 0)
        fleet_show_log(&s->fleet);
    fleet_close(&s->fleet, status != 0);
    ledger_free(s->ledger);
    return status;
}
