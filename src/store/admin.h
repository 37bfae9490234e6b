/*
 * admin: what the administrator's program asks of a home. Safe beside live workers: everything is read in short holds.
 */
#ifndef CHATS_STORE_ADMIN_H
#define CHATS_STORE_ADMIN_H

#include "store/store.h"

struct store_make {
    const char *home;     /* where to: absent, empty, or where a making was broken off */
    const char *settings; /* lines for the end of its chats.conf, each with its newline */
    /*
     * Puts the first things into the open store, before the folder counts as a home. False, with one sentence in
     * `problem`: there will be no home. May be NULL.
     */
    bool (*furnish)(void *context, const struct config *config, struct store *store,
                    char problem[CONFIG_PROBLEM_BYTES_MAX]);
    void *context;
};

/*
 * Makes a home, mode 0700, after showing that this host can run one (robust mutexes) and has room for it. STORE_OK: it
 * is whole and on the disk. STORE_EXISTS: it is a home already; nothing was changed. Anything else: why is one sentence
 * in `problem`, and what was begun has been removed. Killed at any moment: done again, it begins anew. The caller's
 * umask is to be 077.
 */
enum store_status store_make(const struct store_make *order, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/*
 * To be called before anything else is asked of the store: a recovery that failed just now is tried again at once, so
 * that the administrator is told what is wrong. Workers wait a little, with all that keep asking.
 */
void store_insist(struct store *store);

/*
 * Recovers the environment now, whether that is wanted or not, and checkpoints. A home that is out of service is in
 * service again, until two of its damaged pages have been met (bdb/damage.h).
 */
enum store_status store_recover(struct store *store) __attribute__((warn_unused_result));

struct store_stats {
    uint64_t chats;
    uint64_t messages;
    uint64_t accounts;
    uint64_t tokens;          /* with those used or expired that are still kept */
    struct store_state state; /* out of service (the log says why): the four above could not be counted */
    uint64_t generation;
    uint64_t syncs;  /* of the log, since the gate page was set up */
    uint64_t joins;  /* of this generation */
    uint64_t leaves; /* of this generation */
};

enum store_status store_stats_read(struct store *store, struct store_stats *ret) __attribute__((warn_unused_result));

/* Set namespace, before_ns, step and context before; step and context may be NULL. */
struct store_prune {
    struct text namespace;                                        /* its chats only; empty: all */
    uint64_t before_ns;                                           /* messages sent before it only */
    uint64_t found;                                               /* messages to remove, as counted in the beginning */
    uint64_t removed;                                             /* messages removed so far */
    void (*step)(void *context, const struct store_prune *prune); /* after each transaction, outside */
    void *context;
};

/*
 * Removes every message that was sent before the time and was there when its chat's turn came. Order and numbering of
 * what is left or sent later stay as they were; a removed id is free again. Stopped at any moment and run again, it
 * goes on.
 */
enum store_status store_prune(struct store *store, struct store_prune *prune) __attribute__((warn_unused_result));

/* Set step and context before; they may be NULL. */
struct store_compact {
    uint64_t messages;                                                /* to copy, as counted in the beginning */
    uint64_t bytes;                                                   /* of them */
    uint64_t needed;                                                  /* free bytes that it needs */
    uint64_t copied;                                                  /* so far */
    void (*step)(void *context, const struct store_compact *compact); /* after each transaction, outside */
    void *context;
};

/*
 * Gives the free space of the messages' trees back to the file system: writes them anew beside the old ones, which go
 * on being used, and puts the new ones in their place, with a recovery in the end. Stopped at any moment, nothing has
 * changed, or all; what was left is removed by the next call. STORE_FULL: less than `needed` is free, or no room was
 * left meanwhile: nothing has changed. STORE_EXISTS: a backup or another one is running. STORE_CONFLICT: there were too
 * many recoveries meanwhile.
 */
enum store_status store_compact(struct store *store, struct store_compact *report) __attribute__((warn_unused_result));

/* A namespace that has chats or accounts. */
struct store_namespace {
    struct text name; /* until the function returns */
    uint64_t chats;
    uint64_t accounts;
};

/* False stops the listing. */
typedef bool store_namespace_fn(void *context, const struct store_namespace *namespace);

/* Gives each namespace, sorted by bytes, as it was when its chats and accounts were counted. */
enum store_status store_namespace_list(struct store *store, store_namespace_fn *each, void *context)
    __attribute__((warn_unused_result));

/* Set namespace, step and context before; step and context may be NULL. */
struct store_removal {
    struct text namespace;
    uint64_t accounts;                                                /* removed so far, with their tokens */
    uint64_t chats;                                                   /* removed so far */
    uint64_t messages;                                                /* removed so far */
    void (*step)(void *context, const struct store_removal *removal); /* after each transaction, outside */
    void *context;
};

/*
 * Removes the accounts of the namespace with their tokens, then its chats with their messages. A chat goes in one
 * transaction with the last of its messages, so that a message sent meanwhile goes with it, or finds no chat. Stopped
 * at any moment and run again, it goes on. A chat or an account that is made meanwhile may stay.
 */
enum store_status store_namespace_remove(struct store *store, struct store_removal *report)
    __attribute__((warn_unused_result));

/* A backup of the home, which may be in use. */
struct store_backup {
    const char *folder; /* where to: absent or empty, or where a backup was broken off, outside the home */
    bool incremental;   /* adds to the finished backup in `folder` what the log got since */
    void (*progress)(void *context, uint64_t done, uint64_t total); /* bytes, in the caller's thread; may be NULL */
    void *context;
};

/*
 * STORE_OK: the folder holds a backup, on the disk, with everything that was acknowledged before the call. Anything
 * else: why is one sentence in `problem`; what was begun has been removed, and an earlier backup is as it was.
 * STORE_FULL: no room. STORE_CORRUPT: a page is damaged, `problem` says which.
 */
enum store_status store_backup(struct store *store, const struct store_backup *order,
                               char problem[CONFIG_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

struct store_restore {
    const char *home;   /* where to: absent, empty, or where a restoring was broken off */
    const char *folder; /* the backup */
    const char *logs;   /* a folder of log files that go on where the backup ends; may be NULL */
    void (*progress)(void *context, const char *verb, uint64_t done, uint64_t total); /* bytes; may be NULL */
    void *context;
};

/*
 * Makes a home of a backup. STORE_OK: it is whole and on the disk. Anything else: why is one sentence in `problem`; the
 * home, if it was begun, has the file CONFIG_RESTORING_FILE. STORE_CORRUPT: the backup is damaged, nothing was begun.
 */
enum store_status store_restore(const struct store_restore *order, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

struct store_check {
    uint64_t chats;
    uint64_t messages;
    uint64_t accounts;
    uint64_t tokens;
    uint64_t pages;
    uint64_t problems;
    void (*say)(void *context, const char *problem); /* one sentence for each problem; may be NULL */
    /* Outside the gate; `verb` and `unit` are literals. May be NULL. */
    void (*progress)(void *context, const char *verb, const char *unit, uint64_t done, uint64_t total);
    void *context;
};

/*
 * Reads every page (checksums), and shows that trees and indexes agree with each other: each record decodes, is found
 * through each of its indexes, each index entry leads to the record it was made from, sequences are dense, times rise,
 * tokens have their account.
 * Set say, progress and context before. STORE_OK: it was all looked at, `problems` says how it is. STORE_CORRUPT: pages
 * are damaged, each is said, and the records were not looked at. That works out of service, too.
 */
enum store_status store_check(struct store *store, struct store_check *check) __attribute__((warn_unused_result));

#endif
