#include "base/fault.h"

#ifdef CHATS_FAULTS

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[FAULTS] = {
    [FAULT_IGNORE_OWNER_DEATH] = "ignore_owner_death",
    [FAULT_SKIP_GENERATION] = "skip_generation",
    [FAULT_UNCOUNTED_JOINS] = "uncounted_joins",
    [FAULT_LEAVE_LATE] = "leave_late",
    [FAULT_RESEND_NO_WAIT] = "resend_no_wait",
    [FAULT_SLOW_SYNC_MS] = "slow_sync_ms",
    [FAULT_FAIL_SYNC] = "fail_sync",
    [FAULT_FAIL_RECOVERY] = "fail_recovery",
    [FAULT_BOOT_ID] = "boot_id",
    [FAULT_LAYOUT] = "layout",
    [FAULT_WEAK_DIGEST] = "weak_digest",
    [FAULT_CLOCK_OFFSET_S] = "clock_offset_s",
    [FAULT_CLOCK_FILE] = "clock_file",
    [FAULT_HOLD_MS] = "hold_ms",
    [FAULT_LOG_FILE_KB] = "log_file_kb",
    [FAULT_ACK_BEFORE_SYNC] = "ack_before_sync",
    [FAULT_NO_THROTTLE] = "no_throttle",
};

/* Written once, by faults_read, before anybody reads them. */
static long values[FAULTS];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fault_switch_on(const char *item, size_t bytes)
{
    const char *equals = memchr(item, '=', bytes);
    size_t name_bytes = equals ? (size_t)(equals - item) : bytes;
    for (size_t i = 0; i < FAULTS; i++) {
        if (strlen(names[i]) == name_bytes && memcmp(names[i], item, name_bytes) == 0) {
            values[i] = equals ? strtol(equals + 1, NULL, 10) : 1;
            return;
        }
    }
    /* A test that misspells its fault would pass without having tested anything. */
    fprintf(stderr, "CHATS_FAULTS: no fault is called \"%.*s\"\n", (int)name_bytes, item);
    abort();
}

static void faults_read(void)
{
    const char *item = getenv("CHATS_FAULTS");
    while (item && *item != '\0') {
        size_t bytes = strcspn(item, ",");
        if (bytes > 0) {
            fault_switch_on(item, bytes);
        }
        item += bytes;
        item += *item == ',';
    }
}

long fault_value(enum fault fault)
{
    pthread_once(&once, faults_read);
    return values[fault];
}

#else

/* ISO C forbids an empty translation unit. */
typedef int fault_is_compiled_out;

#endif
