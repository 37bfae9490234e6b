/*
 * figures: what all processes of a home count together, for Chats.Metrics. They lie behind the gate page (bdb/gate.h),
 * in memory that every process maps, and begin at zero when that is set up anew: after a boot, or with another layout.
 *
 * Nothing is locked to count or to read: each figure is right by itself, and two that are read one after the other may
 * be some calls apart. A process that is killed takes nothing back; at most what it was about to count is missing.
 */
#ifndef CHATS_BASE_FIGURES_H
#define CHATS_BASE_FIGURES_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define FIGURES_LINE_BYTES 64u /* of a processor's cache: what is counted together shares lines with nothing else */
#define FIGURES_BUCKETS_MAX 15u
#define FIGURES_RESULTS_MAX 24u

/* How many values were up to the first bound and not up to none before it, and so on; the last: above all bounds. */
struct histogram {
    _Atomic uint64_t sum; /* of all values */
    _Atomic uint64_t buckets[FIGURES_BUCKETS_MAX];
};

/* Upper bounds, rising, each within its bucket. There is one bucket more than bounds. */
struct histogram_bounds {
    size_t count; /* at most FIGURES_BUCKETS_MAX - 1 */
    uint64_t at[FIGURES_BUCKETS_MAX - 1];
};

/* The kinds of calls: these, and from FIGURES_OPERATION on an operation each, in the order of service/registry.h. */
enum { FIGURES_UNKNOWN, FIGURES_DESCRIPTION, FIGURES_PREFLIGHT, FIGURES_OPERATION, FIGURES_CALLS_MAX = 32 };

struct figures_calls {
    _Alignas(FIGURES_LINE_BYTES) struct histogram took_ns; /* figures_call_ns */
    _Atomic uint64_t results[FIGURES_RESULTS_MAX];         /* by enum error_kind */
};

_Static_assert(ERROR_KINDS <= FIGURES_RESULTS_MAX, "each kind of error has its figure");

struct figures {
    struct figures_calls calls[FIGURES_CALLS_MAX];
    _Alignas(FIGURES_LINE_BYTES) struct histogram gate_waited_ns; /* by those who got it; figures_gate_ns */
    struct histogram gate_held_ns;                                /* figures_gate_ns */
    _Atomic uint64_t gate_longest_wait_ns;                        /* by those who got it */
    _Atomic uint64_t gate_timeouts;                               /* waited in vain */
    _Atomic uint64_t log_bytes;                                   /* written to the log */
    _Atomic uint64_t recovery_failures;
    _Alignas(FIGURES_LINE_BYTES) struct histogram synced_tickets; /* of each sync of the log; figures_tickets */
};

extern const struct histogram_bounds figures_call_ns; /* 0.5 ms to 10 s */
extern const struct histogram_bounds figures_gate_ns; /* 10 us to 10 s */
extern const struct histogram_bounds figures_tickets; /* 1 to 512 */

/* Counts one value. `bounds` must be the same for all of a histogram's values. */
void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds, uint64_t value);

/* Counts one call: kind is FIGURES_UNKNOWN or another of those, below FIGURES_CALLS_MAX; result is ERROR_NONE where it
 * went well. */
void figures_call(struct figures *figures, size_t kind, enum error_kind result, uint64_t took_ns);

void figures_add(_Atomic uint64_t *figure, uint64_t value);
uint64_t figures_read(const _Atomic uint64_t *figure);

#endif
