/*
 * logtail: every byte near the log's end is cut off or flipped in turn, and the home opened as after another boot.
 *
 *   logtail [--every N] [--bytes N] [--jobs N] [--home 1|2]    (--home: one of the two only)
 *
 * A home with some hundred acknowledged messages is left cleanly, once without a checkpoint since the first message and
 * once with one just before. Then, for each place in the last --bytes (65,536) of the log, or each --every'th and those
 * within EDGE_BYTES of a commit's end: the log ends there, or one bit of that byte is another. The home must open with
 * a prefix of the messages in the order in which they were committed, with no commit lost that ended before the place,
 * and check clean and take a message; or refuse with a sentence. Never a hang, a crash, or a wrong message.
 * Prints a line for each broken rule, and one of figures for each home. Exit status 0: all were kept.
 */
#include "logtail.h"

#include <getopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"

#define CASE_LIMIT_S 10u
#define EDGE_BYTES 1u
#define JOBS_MAX 16u
#define BROKEN_SHOWN_MAX 10u
#define SENTENCES_MAX 64u

struct options {
    uint64_t every;
    uint64_t bytes;
    unsigned jobs;
    unsigned home; /* 1 without, 2 with a checkpoint; 0: both */
};

/* What the jobs find, shared between them. */
struct findings {
    _Atomic uint64_t next; /* case to do: 2 * place + what */
    _Atomic uint64_t cases;
    _Atomic uint64_t opened;
    _Atomic uint64_t refused;
    _Atomic uint64_t broken;
    _Atomic uint64_t slowest_ns;
    _Atomic unsigned sentences;
    char sentence[SENTENCES_MAX][LOGTAIL_SENTENCE_BYTES]; /* how it was refused, each once */
    _Atomic uint64_t said[SENTENCES_MAX];
};

static void *shared(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        perror("mmap");
        exit(2);
    }
    return at;
}

static bool is_near_an_edge(const struct base *base, uint64_t place)
{
    for (unsigned i = 0; i < base->told->count; i++) {
        uint64_t edge = base->told->messages[i].log_end;
        if (place + EDGE_BYTES >= edge && place <= edge + EDGE_BYTES) {
            return true;
        }
    }
    return false;
}

/* Digits are alike: offsets and process ids are no other sentence. */
static void count_sentence(struct findings *f, const char *sentence)
{
    char alike[LOGTAIL_SENTENCE_BYTES];
    size_t n = 0;
    for (const char *at = sentence; *at != '\0' && n + 1 < sizeof alike; at++) {
        bool digit = *at >= '0' && *at <= '9';
        if (!digit || n == 0 || alike[n - 1] != '#') {
            alike[n++] = digit ? '#' : *at;
        }
    }
    alike[n] = '\0';
    /* Two jobs may add the same at once: it is only shown twice then. */
    unsigned known = f->sentences;
    for (unsigned i = 0; i < known && i < SENTENCES_MAX; i++) {
        if (strcmp(f->sentence[i], alike) == 0) {
            f->said[i]++;
            return;
        }
    }
    unsigned mine = f->sentences++;
    if (mine < SENTENCES_MAX) {
        memcpy(f->sentence[mine], alike, n + 1);
        f->said[mine] = 1;
    }
}

static void broken(struct findings *f, const struct damage *damage, const char *why)
{
    if (f->broken++ < BROKEN_SHOWN_MAX) {
        printf("broken: %s at %llu: %s\n", damage->flips ? "flipped" : "cut", (unsigned long long)damage->place, why);
        fflush(stdout);
    }
}

/* In a job: one case, opened in a child of its own. */
static void run_case(const struct base *base, const struct damage *damage, const char *home, struct verdict *verdict,
                     struct findings *f)
{
    uint64_t began_ns = timestamp_monotonic_ns();
    *verdict = (struct verdict){.outcome = LOGTAIL_DIED};
    if (!base_lay_out(base, damage, home)) {
        broken(f, damage, "the home cannot be laid out");
        return;
    }
    pid_t child = fork();
    if (child == 0) {
        alarm(CASE_LIMIT_S);
        base_judge(base, damage, home, verdict);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        broken(f, damage, "no child");
        return;
    }
    uint64_t took_ns = timestamp_monotonic_ns() - began_ns;
    uint64_t slowest_ns = f->slowest_ns;
    while (took_ns > slowest_ns && !atomic_compare_exchange_weak(&f->slowest_ns, &slowest_ns, took_ns)) {
    }
    f->cases++;
    if (WIFSIGNALED(status)) {
        char why[64];
        snprintf(why, sizeof why, WTERMSIG(status) == SIGALRM ? "a hang" : "died of signal %d", WTERMSIG(status));
        broken(f, damage, why);
    } else if (verdict->outcome == LOGTAIL_OPENED) {
        f->opened++;
    } else if (verdict->outcome == LOGTAIL_REFUSED && verdict->sentence[0] != '\0') {
        f->refused++;
        count_sentence(f, verdict->sentence);
    } else {
        broken(f, damage, verdict->outcome == LOGTAIL_REFUSED ? "refused without a sentence" : verdict->sentence);
    }
}

static void run_job(const struct base *base, const struct options *options, unsigned job, struct verdict *verdict,
                    struct findings *f)
{
    char home[128];
    snprintf(home, sizeof home, "%s/case-%u", base->folder, job);
    uint64_t first = base->log_end > options->bytes ? base->log_end - options->bytes : 0;
    for (;;) {
        uint64_t n = f->next++;
        struct damage damage = {.place = first + n / 2, .flips = n % 2 == 1};
        if (damage.place >= base->log_end) {
            break;
        }
        if (damage.place % options->every == 0 || (options->every > 1 && is_near_an_edge(base, damage.place))) {
            run_case(base, &damage, home, verdict, f);
        }
    }
    base_remove(home);
}

static bool run_home(bool checkpoint, const struct options *options)
{
    struct findings *f = shared(sizeof *f);
    struct base base;
    if (!base_make(&base, checkpoint)) {
        printf("broken: the home cannot be made\n");
        return false;
    }
    uint64_t began_ns = timestamp_monotonic_ns();
    pid_t jobs[JOBS_MAX];
    for (unsigned i = 0; i < options->jobs; i++) {
        struct verdict *verdict = shared(sizeof *verdict);
        jobs[i] = fork();
        if (jobs[i] == 0) {
            run_job(&base, options, i, verdict, f);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < options->jobs; i++) {
        int status = 0;
        if (jobs[i] < 0 || waitpid(jobs[i], &status, 0) != jobs[i] || status != 0) {
            f->broken++;
        }
    }
    for (unsigned i = 0; i < f->sentences && i < SENTENCES_MAX; i++) {
        printf("refused %llu times: %s\n", (unsigned long long)f->said[i], f->sentence[i]);
    }
    printf("%s: %llu cases in %.1f s over the last %llu bytes of %llu; %llu opened with a prefix, %llu refused, "
           "%llu broken, the slowest %.0f ms\n",
           checkpoint ? "checkpointed" : "not checkpointed", (unsigned long long)f->cases,
           (double)(timestamp_monotonic_ns() - began_ns) / 1e9, (unsigned long long)options->bytes,
           (unsigned long long)base.log_end, (unsigned long long)f->opened, (unsigned long long)f->refused,
           (unsigned long long)f->broken, (double)f->slowest_ns / 1e6);
    fflush(stdout);
    bool good = f->broken == 0 && f->cases > 0 && f->opened > 0;
    base_free(&base);
    return good;
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"every", required_argument, NULL, 'e'},
        {"bytes", required_argument, NULL, 'b'},
        {"jobs", required_argument, NULL, 'j'},
        {"home", required_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct options options = {.every = 1, .bytes = 65536, .jobs = 2};
    int found;
    while ((found = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (found == '?') {
            return 2;
        }
        uint64_t number = strtoull(optarg, NULL, 10);
        if (found == 'e') {
            options.every = number;
        } else if (found == 'b') {
            options.bytes = number;
        } else if (found == 'h') {
            options.home = (unsigned)number;
        } else {
            options.jobs = (unsigned)number;
        }
    }
    if (options.every == 0 || options.jobs == 0 || options.jobs > JOBS_MAX || options.home > 2) {
        fprintf(stderr, "logtail: --every and --jobs are 1 or more, --home is 1 or 2\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    bool good = options.home == 2 || run_home(false, &options);
    good = (options.home == 1 || run_home(true, &options)) && good;
    return good ? 0 : 1;
}
