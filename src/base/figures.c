#include "base/figures.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S UINT64_C(1000000000)

const struct histogram_bounds figures_call_ns = {
    14,
    {500 * US, MS, 2500 * US, 5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, S, 2500 * MS, 5 * S,
     10 * S},
};
const struct histogram_bounds figures_gate_ns = {7, {10 * US, 100 * US, MS, 10 * MS, 100 * MS, S, 10 * S}};
const struct histogram_bounds figures_tickets = {10, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512}};

void figures_add(_Atomic uint64_t *figure, uint64_t value)
{
    atomic_fetch_add_explicit(figure, value, memory_order_relaxed);
}

uint64_t figures_read(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, const struct histogram_bounds *bounds, uint64_t value)
{
    size_t bucket = 0;
    while (bucket < bounds->count && value > bounds->at[bucket]) {
        bucket++;
    }
    figures_add(&histogram->buckets[bucket], 1);
    if (value > 0) {
        figures_add(&histogram->sum, value);
    }
}

void figures_call(struct figures *figures, size_t kind, enum error_kind result, uint64_t took_ns)
{
    struct figures_calls *calls = &figures->calls[kind];
    figures_add(&calls->results[result], 1);
    histogram_add(&calls->took_ns, &figures_call_ns, took_ns);
}
