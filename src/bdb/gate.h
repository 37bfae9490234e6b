/*
 * gate: the one robust, process-shared mutex that every call into Berkeley DB is made under, and the page it lives in.
 *
 * Why. Berkeley DB 5.3 locks its shared regions with plain pthread mutexes. A process killed inside the library leaves
 * its mutex locked, and every other process hangs on it for good. So nobody but the holder of the gate is ever inside
 * the library; when a holder dies, the kernel hands the gate on with EOWNERDEAD (pthread_mutexattr_setrobust(3)), and
 * the new holder knows that the environment must be recovered before anybody goes in again.
 *
 * The page is the file home/gate, 160 KiB, preallocated (a sparse one would die of SIGBUS on a full disk), mapped
 * shared by every process. It holds
 *   - who it belongs to: `identity`. A page whose identity is not ours (another boot: the mutex words mean nothing; a
 *     copied home: another inode; another build of the library or of this page) is set up anew, in place, by whoever
 *     gets the file's flock(2) exclusively. Every process holds that lock shared for life, so a page in use cannot be
 *     set up under its users' feet: "older workers are still running".
 *   - the gate and, since when and by whom it is held, for the log line of a caller that waited in vain
 *   - whether recovery is wanted: recovery_wanted counts the reasons, recovery_done is the count that the last
 *     successful recovery had seen at its start. They differ: recovery is wanted. A reason that turns up while a
 *     recovery runs is therefore never lost.
 *   - the generation: a number that every successful recovery raises. Handles belong to a generation; a process whose
 *     handles are of an older one drops them without closing them (env.h).
 *   - joins and clean leaves of this generation: a process that was killed outside the gate has leaked its handles in
 *     the log region, and a bounded number of those is allowed
 *   - the state of the group commit (sync.h), of checkpoints (env.h) and of damaged pages (damage.h)
 *   - what is counted for Chats.Metrics (base/figures.h)
 *   - access tokens that were found good (store/token_cache.h)
 *
 * This file owns the page and the locking. It must not know Berkeley DB.
 */
#ifndef CHATS_BDB_GATE_H
#define CHATS_BDB_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/figures.h"
#include "base/status.h"

#define GATE_FILE "gate"
#define GATE_TOKENS_BYTES 147456u /* store/token_cache.c: 256 of 576 bytes */
#define GATE_PAGE_BYTES (16384u + GATE_TOKENS_BYTES)
#define GATE_LAYOUT 11u     /* raise it whenever struct gate_page changes, or which figure is whose (base/figures.h) */
#define GATE_WAIT_MS 10000u /* how long a caller waits for a holder that lives but does not leave */
#define GATE_CHATS_CHANGED 256u
#define GATE_BOOT_ID_BYTES 40u /* /proc/sys/kernel/random/boot_id with its NUL, random(4) */
#define GATE_PROBLEM_BYTES_MAX 512u

struct gate_identity {
    char magic[8]; /* "chatgate"; all zero while the page is being set up */
    uint32_t layout;
    uint32_t library; /* Berkeley DB's version: major * 10000 + minor * 100 + patch */
    uint64_t device;
    uint64_t inode;
    uint64_t born_ns; /* statx(2); a home that is restored in place often gets its old inode number back */
    char boot_id[GATE_BOOT_ID_BYTES];
};

/* What a holder is doing: it tells those who find it dead, and the storm tests, where it died. */
enum gate_phase {
    GATE_IDLE,
    GATE_READING,
    GATE_WRITING,
    GATE_COMMITTING,
    GATE_JOINING,
    GATE_LEAVING,
    GATE_RECOVERING,
    GATE_CHECKPOINTING,
    GATE_REMOVING_LOGS,
    GATE_PHASES
};

struct gate_page {
    struct gate_identity identity;

    pthread_mutex_t gate;
    pthread_mutex_t leader;       /* who syncs the log: sync.h */
    pthread_mutex_t checkpointer; /* who checkpoints: env.h */

    _Atomic uint64_t generation; /* from a random start: two homes' generations do not meet */
    _Atomic uint64_t recovery_wanted;
    _Atomic uint64_t recovery_done;
    _Atomic uint64_t recovery_retry_at_ns; /* monotonic; a failed recovery is not tried again before */
    _Atomic uint32_t recovery_failures;    /* in a row */
    _Atomic uint32_t holder_pid;           /* 0: nobody */
    _Atomic uint32_t holder_phase;         /* enum gate_phase */
    _Atomic uint64_t holder_since_ns;      /* monotonic */
    _Atomic uint64_t joins;
    _Atomic uint64_t leaves;
    _Atomic uint32_t format; /* of this generation's trees: env.h */

    _Atomic uint64_t ticket;         /* the last one given out */
    _Atomic uint64_t log_end;        /* end of the log when it was given out: file number << 32 | offset */
    _Atomic uint64_t synced;         /* the highest ticket that is on the disk; never falls */
    _Atomic uint64_t synced_log_end; /* log_end as of the last good sync or recovery, 0 before the first */
    _Atomic uint64_t failed_first;   /* tickets failed_first .. failed_last (0: none) failed for good */
    _Atomic uint64_t failed_last;
    _Atomic uint32_t trees_failed; /* counts writes and syncs of trees that failed, or may have */
    _Atomic uint32_t trees_again;  /* the count that the last recovery had seen when it wrote the trees again */
    _Atomic uint32_t wake;         /* futex word: changes when a sync has ended */
    _Atomic uint64_t syncing;      /* of the sync that runs, or ran last: its ticket << 5 | its number modulo 32 */

    _Atomic uint64_t checkpoint_log_end;
    _Atomic uint64_t checkpoint_at_ns; /* monotonic */
    _Atomic uint64_t checkpoint_joins; /* joins, when it was made */

    _Atomic uint32_t
        out_of_service; /* 1: a page or the log is damaged, and nobody calls the library any more: damage.h */
    _Atomic uint32_t damaged_reads; /* holds in which a damaged page was met, since set-up or `chatsctl recover` */
    _Atomic uint32_t damaged_tree;  /* the page met last: index of its tree (UINT32_MAX: it is the log), */
    _Atomic uint32_t damaged_page;  /* and its number */

    _Atomic uint32_t full;             /* 1: no room for the ballast: writes are refused: ballast.h */
    _Atomic uint64_t full_retry_at_ns; /* monotonic; it is not made again before */

    _Atomic uint64_t tokens_epoch; /* changes when a token is revoked: store/token_cache.h */

    /* The chats whose messages changed since somebody took the list, while somebody wants it (shadow.h): by the holder.
     */
    uint32_t chats_watched; /* somebody does */
    uint32_t chats_count;   /* more than the list holds: it is no longer complete */
    uint64_t chats_changed[GATE_CHATS_CHANGED];

    /* Counted since the page was set up, for `chatsctl stats` and the tests. */
    _Atomic uint64_t recoveries;
    _Atomic uint64_t recovery_longest_ns;
    _Atomic uint64_t checkpoints;
    _Atomic uint64_t syncs;
    _Atomic uint64_t deaths[GATE_PHASES]; /* holders found dead, by what they were doing */

    struct figures figures;

    _Alignas(64) uint8_t tokens[GATE_TOKENS_BYTES]; /* store/token_cache.h */
};

_Static_assert(sizeof(struct gate_page) <= GATE_PAGE_BYTES, "the gate page has room for all of it");

struct gate {
    struct gate_page *page;
    char *path;
    int fd;    /* of the file; holds the shared flock */
    pid_t pid; /* of the process that opened it: getpid(2) is a system call */
};

/*
 * Maps home/gate, making and setting it up where needed. `library` as in struct gate_identity.
 * STORE_UNAVAILABLE: older workers still use a page of another identity, or the system said no; STORE_FULL: no room for
 * the page. `problem` is one sentence then. On success *ret is the caller's, for gate_close.
 */
enum store_status gate_open(const char *home, uint32_t library, struct gate **ret, char problem[GATE_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* Unmaps and gives the flock back. The gate must not be held by the caller. NULL is allowed. */
void gate_close(struct gate *gate);

/*
 * True if the file of this gate no longer stands where it was opened: the home was moved away or removed, and perhaps
 * another made in its place. What is written to the old one now would be lost to its owner. One stat(2).
 */
bool gate_is_elsewhere(const struct gate *gate);

/*
 * Takes the gate, waiting up to GATE_WAIT_MS. STORE_OK: held; if its last holder died, recovery is wanted now.
 * STORE_UNAVAILABLE: a living holder did not leave in time (it is logged), not held.
 */
enum store_status gate_lock(struct gate *gate, enum gate_phase phase) __attribute__((warn_unused_result));

/* Says what the holder does from here on. Only by the holder. */
void gate_set_phase(struct gate *gate, enum gate_phase phase);

/* Only by the holder: from here on changed chats are listed, from none on; or no longer. */
void gate_watch_chats(struct gate *gate, bool watch);

/* Only by the holder: this chat's messages change in the holder's transaction. */
void gate_chat_changed(struct gate *gate, uint64_t chat_number);

/*
 * Only by the holder: takes the list, and begins it again. Returns how many there are, GATE_CHATS_CHANGED + 1 if there
 * were more than it holds.
 */
uint32_t gate_take_chats(struct gate *gate, uint64_t ret[GATE_CHATS_CHANGED]);

/* Gives the gate back. Only by the holder. */
void gate_unlock(struct gate *gate);

/*
 * How many living processes have this gate open, by /proc/locks (proc(5)): each holds the file's shared flock. 0 if
 * that cannot be read; processes of other PID namespaces are not seen.
 */
uint64_t gate_live_processes(const struct gate *gate);

/* Says that the environment must be recovered before it is used again; anybody may, held or not. The reason is logged.
 */
void gate_want_recovery(struct gate *gate, const char *reason);

/* The same where nothing is wrong: it is no warning. */
void gate_plan_recovery(struct gate *gate, const char *reason);

bool gate_recovery_wanted(const struct gate *gate);

/*
 * One of the page's other robust mutexes, without waiting. 0: taken; EOWNERDEAD: taken, and its last owner died (it is
 * consistent again); EBUSY: somebody has it.
 */
int gate_trylock_robust(pthread_mutex_t *mutex) __attribute__((warn_unused_result));

/*
 * Shows that the kernel hands on a dead holder's mutex: maps a trial page in `home`, kills a child that holds its gate,
 * and takes it. False, with one sentence in `problem`, if it is not so. For `chatsctl init`.
 */
bool gate_prove(const char *home, char problem[GATE_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

#endif
