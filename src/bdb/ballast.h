/*
 * ballast: room on the disk that is kept for one recovery, so that a full disk stops the writers and nobody else.
 *
 * The file home/ballast is allocated and never read. What a recovery needs room for (measured, src/README.md):
 *   - the trees' pages that grew in the cache since the last checkpoint: at most the cache (a page that was evicted has
 *     its block already), and 2.2 bytes for a byte of log in the worst case (texts of 1,000 bytes, each of which takes
 *     an overflow page of its own): BALLAST_GROWTH of the log between checkpoints
 *   - the log: the library writes zeros from its end to the end of the file, ENV_LOG_FILE_BYTES at most. The records of
 *     the recovery's own checkpoint and of the trees it opens may begin the next file: with what else is small, such
 *     as blocks of directories, less than BALLAST_SLACK_BYTES
 *   - nothing for the regions: the dead generation's blocks are given back before new ones are reserved (recovery.c)
 *
 * A write that finds no room (ENOSPC, EDQUOT, EFBIG) says so in the gate page: `full`. The recovery that follows lets
 * the ballast go first. While `full` is set
 *   - reads go on: recovery has written every page and ended with a checkpoint, so they need no room
 *   - nobody writes: a write is answered STORE_FULL without a call into the library, but for one a second that tries to
 *     make the ballast again, with BALLAST_MARGIN_BYTES more, lest the next message fill the disk anew
 *   - that one clears `full` under the gate, when the ballast is in its place. Only under the gate is any of it let go.
 * A new gate page (a boot, a copied home) begins with a recovery, which makes the ballast where it is missing.
 *
 * A limit on the size of files (RLIMIT_FSIZE; SIGXFSZ is ignored) is no matter of room: a tree must not be let grow in
 * the cache beyond what may be written. Where there is one, a write is refused while a tree is within
 * BALLAST_LIMIT_MARGIN_BYTES of it.
 */
#ifndef CHATS_BDB_BALLAST_H
#define CHATS_BDB_BALLAST_H

#include "bdb/env.h"

#define BALLAST_FILE "ballast"
#define BALLAST_GROWTH(log_bytes) ((log_bytes) / 2 * 5)
#define BALLAST_CACHE(cache_bytes) ((cache_bytes) / 4 * 5) /* the library makes a cache so much larger */
#define BALLAST_SLACK_BYTES (1u << 20)
#define BALLAST_MARGIN_BYTES (1u << 20)
/* Beside the cache and the ballast (measured: mutexes and the log's regions 11.4 MiB, new trees 0.1 MiB). */
#define BALLAST_HOME_BYTES (12u << 20)
#define BALLAST_RETRY_MS 1000u
#define BALLAST_LIMIT_MARGIN_BYTES (1u << 20) /* one transaction: a chat of 1,000 members, tokens by 256 */

/* The size that a home of these options needs. */
uint64_t ballast_bytes(const struct env_options *options);

/*
 * For `chatsctl init`: shows that a home of these options finds room for its regions, its first log files and the
 * ballast. False, with one sentence in `problem`, if not. Nothing is kept.
 */
bool ballast_prove(const struct env_options *options, char problem[GATE_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* By recovery, under the gate, before anything else: lets the ballast go if `full` is set. */
void ballast_let_go(struct env *env);

/* By recovery, under the gate, when it has succeeded: makes the ballast unless `full` is set; sets that if it fails. */
void ballast_keep(struct env *env);

/* Anywhere: there was no room. The caller wants recovery. */
void ballast_set_full(struct env *env);

/*
 * By a writer, outside the gate: STORE_OK if `full` is not set, or the ballast could be made again. Else STORE_FULL.
 * A failure of another kind is logged.
 */
enum store_status ballast_wait_for_room(struct env *env) __attribute__((warn_unused_result));

/* By a writer, inside: STORE_OK if it may write; STORE_FULL if `full` was set meanwhile or a tree is at its limit. */
enum store_status ballast_admit(struct env *env) __attribute__((warn_unused_result));

/* True for the errors that mean that there is no room: ENOSPC, EDQUOT, EFBIG. */
bool ballast_is_missing_room(int error);

#endif
