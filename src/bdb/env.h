/*
 * env: this process's handles on the Berkeley DB environment of the home, and when they are good.
 *
 * A struct env is shared by all threads of a process; its handles are made, used and closed under the gate only. The
 * environment is opened without DB_INIT_LOCK: nobody else is ever inside, so there are no locks, deadlocks or retries.
 *
 * env_enter is the door: it takes the gate and does what has to be done before the library may be called,
 *   - recovery, if it is wanted (recovery.c), by whoever comes first. In this order: the log's bytes since the last
 * good sync are written again (after a failed fsync the kernel calls pages clean that never reached the disk); every
 * log file and the home directory are synced, because Berkeley DB's recovery writes trees without flushing the log, and
 *     a power cut then would leave trees ahead of their log; the environment is opened with DB_RECOVER; the log is
 *     flushed; only then the generation is raised, the waiting tickets that did not fail are published, and the reasons
 *     seen at the start are marked done. A failure changes none of this, and the next try waits 100 ms, 200 ms, ... 5
 * s.
 *   - if our handles are of an older generation: they are dropped without closing them (closing a dead region blocks or
 *     fails) and new ones opened. That leaks, so the process should execute itself anew when it can: env_wants_renewal.
 *
 * Checkpoints (checkpoint.c) keep recovery short: after options.checkpoint_bytes of log, checkpoint_s seconds or
 * ENV_CHECKPOINT_JOINS processes. Dirty pages are trickled out in short holds and the trees synced outside the gate
 * first, so that the checkpoint's own hold is short. Log files that no recovery needs any more are removed after it.
 *
 * Only src/bdb and src/store/(any).c may include this header: it shows Berkeley DB's types.
 */
#ifndef CHATS_BDB_ENV_H
#define CHATS_BDB_ENV_H

#include <db.h>
#include <sys/resource.h>

#include "bdb/gate.h"

#define ENV_TREES_MAX 12
#define ENV_PAGE_BYTES                                                                                                 \
    4096u /* a physical sector of today's disks: Berkeley DB takes a page to be written whole or not at all */
#define ENV_LOG_FILE_BYTES (8u << 20)
#define ENV_LOG_BUFFER_BYTES (512u << 10) /* a chat of 1,000 members of 255 bytes fits */
/*
 * Each process that writes registers its trees in the log, and recovery opens them all: 0.4 ms a process. So there is a
 * checkpoint after so many of them, and the environment is renewed when so many were lost without a leave.
 */
#define ENV_CHECKPOINT_JOINS 512u
#define ENV_LEAKED_JOINS_MAX 128u
/* Room for the handles of about 5,000 lost processes, as measured with the bound switched off (tests/crash/storm). */
#define ENV_LOG_REGION_BYTES (8u << 20)
#define ENV_BACKUP_LOCK "backup.lock" /* whoever holds a flock on this file forbids the removal of log files */

/* One tree. A secondary names its primary, which must stand before it, and the function that finds its key. */
struct env_tree {
    const char *name; /* the file is name.db */
    int primary;      /* index of its primary, -1 if it is one itself */
    u_int32_t flags;  /* for DB->set_flags besides DB_CHKSUM */
    int (*key)(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key);
};

struct env_options {
    const char *home; /* absolute; must outlive the env */
    uint64_t cache_bytes;
    uint64_t checkpoint_bytes;
    unsigned checkpoint_s;
    bool keep_logs;
    bool restoring; /* recovery reads all log files that are there, not only those since the last checkpoint */
    const struct env_tree *trees; /* as long as the env */
    int trees_count;              /* up to ENV_TREES_MAX */
    /*
     * The newest format that this program knows (opened). Recovery puts it into the gate page; who joins and knows an
     * older one is refused, who knows a newer one wants a recovery, which brings the home to it.
     */
    uint32_t format;
    /*
     * Called under the gate, in recovery, when all trees have been opened: checks the home's format, or writes it into
     * a new home. Anything but STORE_OK refuses the environment.
     */
    enum store_status (*opened)(DB_ENV *handle, DB **trees);
    bool replaces; /* the first tree is where replace.h has its records */
    /*
     * Called under the gate, in recovery, when the file of a tree is missing from a home that is whole: true if an
     * older program made the home without that tree, which is made then. `first` is the first tree, open. NULL: never.
     */
    bool (*may_add)(DB *first, int tree);
};

struct env {
    struct env_options options;
    struct gate *gate;
    rlim_t file_bytes_max; /* RLIMIT_FSIZE, as it was when the environment was opened */
    /* Under the gate: */
    DB_ENV *handle;             /* NULL: not joined */
    DB *readers[ENV_TREES_MAX]; /* as env_tree_to_read opened them, */
    DB *writers[ENV_TREES_MAX]; /* and env_tree_to_write, or recovery: else NULL */
    uint64_t generation;        /* the one that the handles belong to */
    /* By the log's leader only: */
    int log_fd;
    uint32_t log_number;
    uint64_t log_generation;
    /* Set before the first env_enter: */
    bool insists;      /* a failed recovery is tried again at once */
    bool leaves_early; /* by env_leave_call the process leaves the environment */
    /* By anybody: */
    _Atomic uint64_t seen_in_place; /* a ticket: the home still stood in its place when it was on the disk (txn.c) */
    _Atomic bool abandoned;         /* this process has handles that it dropped, or of a home that went away */
    _Atomic uint32_t syncs;         /* FAULT_FAIL_SYNC counts them */
    _Atomic uint32_t recoveries;    /* FAULT_FAIL_RECOVERY counts them */
    _Atomic bool damage_logged;     /* that the home is out of service */
};

/* Maps the gate; the environment is joined at the first env_enter. Results as gate_open, and STORE_NO_MEMORY. */
enum store_status env_open(const struct env_options *options, struct env **ret, char problem[GATE_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/*
 * Closes the handles under the gate (if they are of the living generation; else, or if the gate cannot be had, they are
 * left to the process's end) and frees. NULL is allowed.
 */
void env_close(struct env *env);

/*
 * Takes the gate and makes the handles good. STORE_OK: the caller is inside and must env_leave soon: no JSON, hashing,
 * network, wait, or fsync of ours before that (but for the name of a new log file), and no cursor, transaction or
 * memory of the library after it. STORE_CORRUPT also where the home is out of service (damage.h), STORE_UNAVAILABLE
 * also where another stands in its place (gate_is_elsewhere). STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT,
 * STORE_NO_MEMORY: not inside.
 */
enum store_status env_enter(struct env *env, enum gate_phase phase) __attribute__((warn_unused_result));
void env_leave(struct env *env);

/*
 * As env_leave, at the end of the last hold that a client's call needs. Where env->leaves_early, the process has left
 * the environment, too, and need not come in again to close its handles; not if a checkpoint is due, which is then its.
 * The regions stay mapped until the process ends: an env_enter after that joins anew, and maps them once more.
 */
void env_leave_call(struct env *env);

/*
 * True if the home no longer stands where it was opened (gate_is_elsewhere): then this process is to renew itself,
 * which is logged once. By whoever is about to go by a path, and before what was written is acknowledged.
 */
bool env_is_elsewhere(struct env *env);

/* True once this process has dropped handles of a dead generation, or its home is no longer where it was. */
bool env_wants_renewal(const struct env *env);

/*
 * What a failed library call means: logs `what` and the cause, wants recovery if the environment can no longer be
 * trusted (DB_RUNRECOVERY, a region out of memory, a failed write or sync), and gives the status to return. Where a
 * damaged page was met in this hold, that is the cause (damage.h).
 */
enum store_status env_failed(struct env *env, int error, const char *what);

/* Whether a checkpoint is due. Anybody. */
bool env_checkpoint_is_due(const struct env *env);

/* Checkpoints and removes old log files, if that is due or `force`. Not inside the gate. */
enum store_status env_checkpoint(struct env *env, bool force);

/* Inside the gate: removes the log files that no recovery needs any more, unless keep_logs is set or a backup runs. */
enum store_status env_remove_logs(struct env *env);

/* Inside the gate: where the log ends, as struct gate_page has it. The library's error. */
int env_log_end(DB_ENV *handle, uint64_t *ret) __attribute__((warn_unused_result));

/* Bytes of log from one such point to a later one. */
uint64_t env_log_distance(uint64_t from, uint64_t to);

/* Inside the gate: the log ends here now. */
void env_move_log_end(struct env *env, uint64_t log_end);

/* Library's version as struct gate_identity has it. */
uint32_t env_library(void);

/*
 * Inside the gate: a tree's handle, as long as the hold. A process opens of a generation's trees those that it uses,
 * when it does: a plain CGI run needs few of them, and each is opened twice by the library. 0, or the library's error,
 * for env_failed; where a damaged page is the cause, or the file is gone, that has been seen to.
 *
 * To read: with no transaction (NULL). The handle may be one that refuses to be written (DB_RDONLY): then nothing about
 * it is in the log either. To write: the tree's primary and all its secondaries have been opened and associated before
 * it is given out, so that no process can put a record into a tree whose index it has not opened.
 */
int env_tree_to_read(struct env *env, int index, DB **ret) __attribute__((warn_unused_result));
int env_tree_to_write(struct env *env, int index, DB **ret) __attribute__((warn_unused_result));

/* Shared between env.c, tree.c, recovery.c and shadow.c. Under the gate; on failure no handle is left open and nothing
 * was published. */
enum store_status env_recover(struct env *env) __attribute__((warn_unused_result));
int env_open_handles(struct env *env, u_int32_t recover_flags, enum store_status *ret_status)
    __attribute__((warn_unused_result));
/*
 * Opens trees[index], where its primary is open already; shadow: as shadow.h has it; how: flags of DB->open. The
 * library's error; then trees[index] is as it was.
 */
int env_open_tree(struct env *env, DB **trees, int index, bool shadow, u_int32_t how)
    __attribute__((warn_unused_result));
/*
 * In recovery, all writers; makes those that may be missing. The first tree is made last: where its file is, the home
 * is whole, and no tree may be missing but one that a newer program added. Where it is not, a new home is being made.
 * DB_OLD_VERSION: as replace_settle.
 */
int env_open_all_trees(struct env *env) __attribute__((warn_unused_result));
void env_close_trees(struct env *env);
void env_close_writers(struct env *env);
void env_abandon(struct env *env);
void env_close_handles(struct env *env);

#endif
