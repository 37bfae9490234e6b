/*
 * fault: breaks that a test switches on to see that the tests bite. They exist only in a build configured with
 * --enable-faults and are named in the environment variable CHATS_FAULTS: "name", "name=number", by commas. In every
 * other build they are the constant 0 and the compiler removes them.
 */
#ifndef CHATS_BASE_FAULT_H
#define CHATS_BASE_FAULT_H

enum fault {
    FAULT_IGNORE_OWNER_DEATH, /* ignore_owner_death: a dead holder's gate is taken over without recovery */
    FAULT_SKIP_GENERATION,    /* skip_generation: handles of a dead generation are used on */
    FAULT_UNCOUNTED_JOINS,    /* uncounted_joins: joins and leaves are not counted */
    FAULT_LEAVE_LATE,         /* leave_late: nobody leaves in the hold of a call (memcheck: tests/valgrind) */
    FAULT_RESEND_NO_WAIT,     /* resend_no_wait: calls that wrote nothing do not wait for a ticket */
    FAULT_SLOW_SYNC_MS,       /* slow_sync_ms=N: the leader sleeps N ms before it syncs */
    FAULT_FAIL_SYNC,          /* fail_sync=N: the Nth sync of this process fails with EIO */
    FAULT_FAIL_RECOVERY,      /* fail_recovery=N: this process's first N recoveries fail */
    FAULT_BOOT_ID,            /* boot_id=N: pretend to be boot N */
    FAULT_LAYOUT,             /* layout=N: pretend that this program's gate page is of layout N */
    FAULT_WEAK_DIGEST,        /* weak_digest: every member set has the same digest */
    FAULT_CLOCK_OFFSET_S,     /* clock_offset_s=N: the clock is N seconds off */
    FAULT_CLOCK_FILE,         /* clock_file: seconds to add to the clock are read from home/test-clock at each look */
    FAULT_HOLD_MS,            /* hold_ms=N: a writer stays N ms inside the gate before it commits */
    FAULT_LOG_FILE_KB,        /* log_file_kb=N: log files of N KiB */
    FAULT_ACK_BEFORE_SYNC,    /* ack_before_sync: an answer is given first and the log synced after it */
    FAULT_NO_THROTTLE,        /* no_throttle: login attempts are never refused, nor counted */
    FAULTS
};

#ifdef CHATS_FAULTS
/* 0 if the fault is off, else its number (1 where none is given). Numbers may be negative. */
long fault_value(enum fault fault);
#else
static inline long fault_value(enum fault fault)
{
    (void)fault;
    return 0;
}
#endif

#endif
