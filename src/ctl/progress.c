#include "ctl/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/timestamp.h"

#define PROGRESS_DRAW_NS UINT64_C(250000000)
#define PROGRESS_SECOND_NS UINT64_C(1000000000)
#define PROGRESS_NUMBER_BYTES 32u
#define PROGRESS_MIB 1048576.0

static bool progress_in_bytes(const struct progress *progress)
{
    return strcmp(progress->unit, "bytes") == 0;
}

static void progress_number(const struct progress *progress, double amount, char ret[PROGRESS_NUMBER_BYTES])
{
    if (progress_in_bytes(progress)) {
        snprintf(ret, PROGRESS_NUMBER_BYTES, "%.1f", amount / PROGRESS_MIB);
    } else {
        snprintf(ret, PROGRESS_NUMBER_BYTES, "%.0f", amount);
    }
}

static void progress_time(double seconds, char ret[PROGRESS_NUMBER_BYTES])
{
    uint64_t whole = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : UINT64_C(1000000000);
    if (whole >= 3600) {
        snprintf(ret, PROGRESS_NUMBER_BYTES, "%" PRIu64 " h %02" PRIu64 " min", whole / 3600, whole / 60 % 60);
    } else if (whole >= 60) {
        snprintf(ret, PROGRESS_NUMBER_BYTES, "%" PRIu64 " min %02" PRIu64 " s", whole / 60, whole % 60);
    } else {
        snprintf(ret, PROGRESS_NUMBER_BYTES, "%" PRIu64 " s", whole);
    }
}

/* "310.2 of 1024.0 MiB (30 %)", or "310.2 MiB" where the whole is not known or less than what is done. */
static void progress_amount(const struct progress *progress, char *ret, size_t bytes)
{
    char done[PROGRESS_NUMBER_BYTES];
    char total[PROGRESS_NUMBER_BYTES];
    const char *unit = progress_in_bytes(progress) ? "MiB" : progress->unit;
    progress_number(progress, (double)progress->done, done);
    if (progress->total == 0 || progress->done > progress->total) {
        snprintf(ret, bytes, "%s %s", done, unit);
        return;
    }
    progress_number(progress, (double)progress->total, total);
    snprintf(ret, bytes, "%s of %s %s (%u %%)", done, total, unit,
             (unsigned)((double)progress->done * 100 / (double)progress->total));
}

static void progress_draw(struct progress *progress, uint64_t now_ns, bool last)
{
    char amount[128];
    char rate[PROGRESS_NUMBER_BYTES];
    char time[PROGRESS_NUMBER_BYTES];
    char line[256];
    double seconds = (double)(now_ns - progress->begun_ns) / (double)PROGRESS_SECOND_NS;
    double speed = seconds > 0 ? (double)progress->done / seconds : 0;
    progress_amount(progress, amount, sizeof amount);
    progress_number(progress, speed, rate);
    int width = snprintf(line, sizeof line, "%s: %s, %s%s/s", progress->verb, amount, rate,
                         progress_in_bytes(progress) ? " MiB" : "");
    if (last) {
        progress_time(seconds, time);
        width += snprintf(line + width, sizeof line - (size_t)width, ", took %s", time);
    } else if (speed > 0 && progress->total >= progress->done) {
        progress_time((double)(progress->total - progress->done) / speed, time);
        width += snprintf(line + width, sizeof line - (size_t)width, ", %s left", time);
    }
    /* What the last line had more is blanked. */
    fprintf(stderr, "\r%-*s%s", (int)progress->width, line, last ? "\n" : "");
    fflush(stderr);
    progress->width = (size_t)width;
    progress->drawn_ns = now_ns;
}

void progress_begin(struct progress *progress, const char *verb, const char *unit, uint64_t total)
{
    uint64_t now_ns = timestamp_monotonic_ns();
    *progress = (struct progress){
        .verb = verb, .unit = unit, .total = total, .begun_ns = now_ns, .shown = isatty(STDERR_FILENO) == 1};
}

void progress_set(struct progress *progress, uint64_t done)
{
    progress->done = done;
    if (progress->shown) {
        uint64_t now_ns = timestamp_monotonic_ns();
        /* The first line comes after a quarter of a second, too: what is that quick needs none. */
        uint64_t since_ns = progress->drawn_ns != 0 ? progress->drawn_ns : progress->begun_ns;
        if (now_ns - since_ns >= PROGRESS_DRAW_NS) {
            progress_draw(progress, now_ns, false);
        }
    }
}

void progress_phase(struct progress *progress, const char *verb, const char *unit, uint64_t done, uint64_t total)
{
    if (progress->verb != verb) {
        progress_end(progress);
        progress_begin(progress, verb, unit, total);
    }
    progress->total = total;
    progress_set(progress, done);
}

void progress_end(struct progress *progress)
{
    if (progress->shown) {
        progress_draw(progress, timestamp_monotonic_ns(), true);
    }
    progress->shown = false;
    progress->verb = NULL;
}
