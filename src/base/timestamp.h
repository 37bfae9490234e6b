/*
 * timestamp: points in time as unsigned nanoseconds since 1970-01-01T00:00:00Z without leap seconds, and their one
 * written form: RFC 3339 in UTC with nine fraction digits, which sorts as text (contract, section 4).
 * Range: 0 to UINT64_MAX, that is into the year 2554.
 */
#ifndef CHATS_BASE_TIMESTAMP_H
#define CHATS_BASE_TIMESTAMP_H

#include <stdint.h>

#include "base/text.h"

#define TIMESTAMP_BYTES 30 /* 2026-11-23T00:26:47.042000001Z, without a NUL */

/* Writes exactly TIMESTAMP_BYTES bytes, no NUL. */
void timestamp_format(uint64_t time_ns, char ret[TIMESTAMP_BYTES]);

/*
 * Reads an RFC 3339 date-time: any offset, 't' and 'z' too, any number of fraction digits, second 60 only as 23:59:60
 * UTC (read as the second after). What it says finer than nanoseconds is cut off. A time outside the range is clamped
 * to its nearest end. False, ret untouched, if t is anything else.
 */
bool timestamp_parse(struct text t, uint64_t *ret_ns) __attribute__((warn_unused_result));

/*
 * As timestamp_parse, for an exact bound: the last whole nanosecond at or before the time and the first one at or after
 * it. A time in whole ns is before t exactly if it is < *ret_ceiling_ns, and after t exactly if it is > *ret_floor_ns.
 */
bool timestamp_parse_bound(struct text t, uint64_t *ret_floor_ns, uint64_t *ret_ceiling_ns)
    __attribute__((warn_unused_result));

/* The host's real-time clock, ns since 1970. In a test build the fault `clock_offset_s` is added. */
uint64_t timestamp_now_ns(void);

/* The monotonic clock, ns since boot: for waits and ages only. */
uint64_t timestamp_monotonic_ns(void);

#endif
