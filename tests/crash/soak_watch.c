/* The watch of the soak: sizes, memory and descriptors, every second. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/timestamp.h"
#include "bdb/env.h"
#include "soak.h"

#define LOOK_US 5000u
#define MEGA 1e6

/* What may be added between the two halves of the time: noise of the measure, and the machine's. */
#define MEMORY_MARGIN_BYTES UINT64_C(2000000)
#define RESIDENT_MARGIN_BYTES                                                                                          \
    UINT64_C(4000000) /* what is shared counts: the cache, and regions of a generation dropped */
#define TREES_MARGIN_BYTES UINT64_C(4000000)
#define DESCRIPTORS_MARGIN 20u /* a generation of handles: dropped, not closed, until the worker renews itself */
#define RECOVERY_MAX_NS UINT64_C(2000000000)

static void measure_home(const struct soak *k, uint64_t *ret_log_bytes, uint64_t *ret_tree_bytes)
{
    *ret_log_bytes = *ret_tree_bytes = 0;
    DIR *home = opendir(k->storm.fleet.home);
    const struct dirent *entry;
    while (home != NULL && (entry = readdir(home)) != NULL) {
        struct stat info;
        const char *dot = strrchr(entry->d_name, '.');
        if (fstatat(dirfd(home), entry->d_name, &info, 0) != 0)
            continue;
        if (strncmp(entry->d_name, "log.", 4) == 0)
            *ret_log_bytes += (uint64_t)info.st_size;
        else if (dot != NULL && strcmp(dot, ".db") == 0)
            *ret_tree_bytes += (uint64_t)info.st_size;
    }
    if (home != NULL)
        closedir(home);
}

/* VmRSS and RssAnon of a process, proc(5); 0 if it is gone. */
static void measure_memory(int pid, uint64_t *ret_resident, uint64_t *ret_private)
{
    char path[64];
    char line[256];
    unsigned long long kilo;
    *ret_resident = *ret_private = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *status = fopen(path, "re");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        if (sscanf(line, "VmRSS: %llu", &kilo) == 1)
            *ret_resident = kilo * 1024;
        else if (sscanf(line, "RssAnon: %llu", &kilo) == 1)
            *ret_private = kilo * 1024;
    }
    if (status != NULL)
        fclose(status);
}

static unsigned measure_descriptors(int pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL)
        count++;
    if (folder != NULL)
        closedir(folder);
    return count < 2 ? 0 : count - 2;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static struct soak_highs highs_of(const struct soak_highs *a, const struct soak_highs *b)
{
    return (struct soak_highs){
        .tree_bytes = larger(a->tree_bytes, b->tree_bytes),
        .resident_bytes = larger(a->resident_bytes, b->resident_bytes),
        .private_bytes = larger(a->private_bytes, b->private_bytes),
        .descriptors = a->descriptors > b->descriptors ? a->descriptors : b->descriptors,
    };
}

static uint64_t log_distance(uint64_t from, uint64_t to)
{
    return to <= from ? 0 : ((to >> 32) - (from >> 32)) * ENV_LOG_FILE_BYTES + (to & UINT32_MAX) - (from & UINT32_MAX);
}

/*
 * The log may hold what was written since the checkpoint before last (one checkpoint may be under way, and a time one
 * comes later than a byte one), the file that this begins in, the file that is written, and all that was written since
 * a backup forbade the removal, until a checkpoint after it.
 */
static void judge_log(struct soak *k, uint64_t now_ns)
{
    static uint64_t held_until_ns;
    uint64_t log_end = k->storm.fleet.page->log_end;
    if (k->backing_up)
        held_until_ns = now_ns + UINT64_C(3000000000) * SOAK_CHECKPOINT_S;
    else if (now_ns > held_until_ns)
        k->log_anchor = log_end;
    k->log_bound = 2 * SOAK_CHECKPOINT_BYTES + 2 * ENV_LOG_FILE_BYTES + log_distance(k->log_anchor, log_end);
    if (k->log_bytes > k->log_bytes_max)
        k->log_bytes_max = k->log_bytes;
    static bool said;
    if (k->log_bytes > k->log_bound && !said) {
        storm_broken(&k->storm, "the log has %.1f MB, and %.1f are allowed", (double)k->log_bytes / MEGA,
                     (double)k->log_bound / MEGA);
        said = true;
    }
}

static void measure(struct soak *k, uint64_t now_ns)
{
    struct soak_highs now = {0};
    measure_home(k, &k->log_bytes, &now.tree_bytes);
    for (unsigned slot = 0; slot < k->storm.options.processes; slot++) {
        struct soak_highs one = {0};
        int pid = k->storm.fleet.pids[slot];
        if (pid <= 0)
            continue;
        measure_memory(pid, &one.resident_bytes, &one.private_bytes);
        one.descriptors = measure_descriptors(pid);
        now = highs_of(&now, &one);
    }
    k->now = now;
    judge_log(k, now_ns);
}

static void print_line(struct soak *k, uint64_t elapsed_s)
{
    struct storm *s = &k->storm;
    const struct gate_page *page = s->fleet.page;
    printf(
        "%4llu:%02llu kills %u (inside %u), recoveries %llu (longest %.0f ms), pause %.0f ms (machine's %.0f), "
        "answers %llu, 503 %llu, broken off %llu, checkpoints %llu, backups %u (longest %llu ms), restored %u, "
        "prunes %u (longest %llu ms), read back %llu, log %.1f MB of %.1f, trees %.1f MB, worker %.1f MB (own %.1f), "
        "descriptors %u, broken promises %u\n",
        (unsigned long long)elapsed_s / 60, (unsigned long long)elapsed_s % 60, s->kills,
        s->kills_by_phase[GATE_READING] + s->kills_by_phase[GATE_WRITING] + s->kills_by_phase[GATE_COMMITTING] +
            s->kills_by_phase[GATE_RECOVERING] + s->kills_by_phase[GATE_CHECKPOINTING] + s->kills_syncing,
        (unsigned long long)page->recoveries, (double)page->recovery_longest_ns / 1e6, (double)k->pause_ns / 1e6,
        (double)k->stall_ns / 1e6, (unsigned long long)s->answers, (unsigned long long)s->unavailable,
        (unsigned long long)s->broken_off, (unsigned long long)page->checkpoints, k->backups,
        (unsigned long long)k->backup_longest_ms, k->restores, k->prunes, (unsigned long long)k->prune_longest_ms,
        (unsigned long long)k->read, (double)k->log_bytes / MEGA, (double)k->log_bound / MEGA,
        (double)k->now.tree_bytes / MEGA, (double)k->now.resident_bytes / MEGA, (double)k->now.private_bytes / MEGA,
        k->now.descriptors, s->promises_broken);
    fflush(stdout);
}

void soak_watch(struct soak *k, unsigned seconds, unsigned line_s)
{
    struct storm *s = &k->storm;
    uint64_t began_ns = timestamp_monotonic_ns();
    uint64_t measured_s = 0;
    for (uint64_t now_ns = began_ns;;) {
        storm_sleep_us(LOOK_US);
        uint64_t then_ns = now_ns;
        now_ns = timestamp_monotonic_ns();
        if (now_ns - then_ns > LOOK_US * UINT64_C(1000) + k->stall_ns)
            k->stall_ns = now_ns - then_ns - LOOK_US * UINT64_C(1000);
        k->pause_ns = larger(k->pause_ns, s->longest_pause_ns);
        uint64_t elapsed_s = (now_ns - began_ns) / UINT64_C(1000000000);
        if (elapsed_s >= seconds || s->giving_up)
            break;
        if (elapsed_s == measured_s)
            continue;
        measured_s = elapsed_s;
        measure(k, now_ns);
        if (elapsed_s > seconds / 2)
            k->second = highs_of(&k->second, &k->now);
        else if (elapsed_s > seconds / 10)
            k->first = highs_of(&k->first, &k->now);
        if (elapsed_s % line_s == 0)
            print_line(k, elapsed_s);
    }
    print_line(k, seconds);
}

static void judge_growth(struct soak *k, const char *what, uint64_t first, uint64_t second, uint64_t margin)
{
    if (second > first + first / 10 + margin)
        storm_broken(&k->storm, "%s grew from %.1f MB to %.1f MB between the halves", what, (double)first / MEGA,
                     (double)second / MEGA);
}

void soak_judge(struct soak *k)
{
    uint64_t recovery_ns = k->storm.fleet.page->recovery_longest_ns;
    judge_growth(k, "the trees", k->first.tree_bytes, k->second.tree_bytes, TREES_MARGIN_BYTES);
    judge_growth(k, "a worker", k->first.resident_bytes, k->second.resident_bytes, RESIDENT_MARGIN_BYTES);
    judge_growth(k, "a worker's own memory", k->first.private_bytes, k->second.private_bytes, MEMORY_MARGIN_BYTES);
    if (k->second.descriptors > k->first.descriptors + DESCRIPTORS_MARGIN)
        storm_broken(&k->storm, "a worker had %u descriptors, and in the first half %u", k->second.descriptors,
                     k->first.descriptors);
    if (recovery_ns >= RECOVERY_MAX_NS)
        storm_broken(&k->storm, "a recovery took %.0f ms", (double)recovery_ns / 1e6);
    if (k->pause_ns >= RECOVERY_MAX_NS + k->stall_ns)
        storm_broken(&k->storm, "the service paused for %.0f ms, and the machine for %.0f ms",
                     (double)k->pause_ns / 1e6, (double)k->stall_ns / 1e6);
}
