/*
 * soak: what the parts of the soak share. soak.c sets up, kills and judges; soak_keep.c does what an administrator does
 * (backups, restores, prunes); soak_watch.c measures.
 */
#ifndef CHATS_TESTS_SOAK_H
#define CHATS_TESTS_SOAK_H

#include "storm.h"

#define SOAK_CHECKPOINT_BYTES (4u << 20) /* of the soak's chats.conf */
#define SOAK_CHECKPOINT_S 10u
#define SOAK_SPARED 2u /* slots whose processes are never killed */

/* How often what happens. */
struct soak_pace {
    unsigned kill_ms_min;
    unsigned kill_ms_max;
    unsigned backup_s;      /* from one backup's begin to the next's */
    unsigned restore_every; /* of so many backups, one is restored and read */
    unsigned prune_every;   /* of so many backups, one is followed by a reading of all and a prune */
    unsigned keep_s;        /* a prune removes what is older; longer than any call is tried again */
};

/* The highest values seen in one part of the time. */
struct soak_highs {
    uint64_t tree_bytes;
    uint64_t resident_bytes; /* of the largest worker */
    uint64_t private_bytes;  /* anonymous memory of the largest worker */
    unsigned descriptors;    /* of the worker that has the most */
};

struct soak {
    struct storm storm;
    struct soak_pace pace;
    bool compacts; /* prunes are followed by `chatsctl compact` */
    _Atomic bool keeping;

    /* By the keeper. */
    _Atomic bool backing_up;
    _Atomic uint64_t log_anchor; /* where the log ended when no backup had held up its removal yet; gate_page.log_end */
    _Atomic unsigned backups;
    _Atomic unsigned restores;
    _Atomic unsigned prunes;
    _Atomic uint64_t read; /* messages that had to be found by a reading, and were, in all */
    _Atomic uint64_t backup_longest_ms;
    _Atomic uint64_t prune_longest_ms;

    /* By the watch. */
    struct soak_highs now;   /* as last measured */
    struct soak_highs first; /* first half of the time, without its first tenth */
    struct soak_highs second;
    uint64_t log_bytes;     /* as last measured */
    uint64_t log_bytes_max; /* ever */
    uint64_t log_bound;     /* as last computed */
    uint64_t stall_ns;      /* the longest time that this thread itself was not run when it was due */
    uint64_t pause_ns;      /* the longest without an answer */
};

/* A thread: backups, restores, readings and prunes until `keeping` ends. The argument is a struct soak. */
void *soak_keeper(void *argument);

/* Reads all chats of the home against the ledger, and then prunes. */
void soak_read_and_prune(struct soak *k, struct answer *answer);

/* Watches for so many seconds, judging the log's size, and prints a line every line_s seconds. */
void soak_watch(struct soak *k, unsigned seconds, unsigned line_s);

/* What must be bounded is: says so if not. */
void soak_judge(struct soak *k);

#endif
