/*
 * sync: the group commit. A commit inside the gate only writes the log (DB_TXN_WRITE_NOSYNC); the fsync happens outside
 * the gate and outside Berkeley DB, once for everybody who waits.
 *
 * Inside its hold a writer stores where the log ends in the gate page and then takes the next ticket. Every success of
 * an operation waits for the highest ticket as it stood inside its hold: the repeated send that wrote nothing and the
 * page listed, too, so that nobody is shown what a power cut could still take back. With nothing unsynced the wait is
 * one load.
 *
 * Whoever gets the robust mutex `leader` reads the ticket, then the log's end, fdatasyncs that file (Berkeley DB syncs
 * a log file itself before it goes on to the next, and the name of a new one was synced when it was made: env.c),
 * raises `synced` and wakes, through the futex word, those whom it covers, and one of those who came too late for it:
 * that one leads next. Waiters look again every 20 ms in case the leader died.
 *
 * A failed sync: its tickets are failed for good, whatever recovery does later, and recovery is wanted. Until that is
 * done nobody leads: Linux reports a lost write once and calls the pages clean afterwards (fsync(2), "EIO"), so a
 * second fdatasync would succeed and mean nothing. A leader found dead may have seen such a failure: recovery as well.
 */
#ifndef CHATS_BDB_SYNC_H
#define CHATS_BDB_SYNC_H

#include "bdb/env.h"

#define SYNC_RECHECK_MS 20u
#define SYNC_WAIT_MS 20000u /* then the caller is told to try again: a disk that does not answer */

/* After a commit, inside the hold: takes the next ticket. Fails as env_failed says. */
enum store_status sync_take_ticket(struct env *env) __attribute__((warn_unused_result));

/* Inside a hold: the ticket to wait for. */
uint64_t sync_ticket(const struct env *env);

/*
 * Outside the gate: waits until `ticket` is on the disk, leading if nobody does, recovering if that is wanted.
 * STORE_OK: it is. Anything else: it is not, or not known to be by deadline_ns (monotonic), after which nothing is
 * begun.
 */
enum store_status sync_wait_until(struct env *env, uint64_t ticket, uint64_t deadline_ns)
    __attribute__((warn_unused_result));

/* The same for up to SYNC_WAIT_MS from now on. */
enum store_status sync_wait(struct env *env, uint64_t ticket) __attribute__((warn_unused_result));

/* True if sync_wait would return at once, with STORE_OK. */
bool sync_is_done(const struct env *env, uint64_t ticket);

/* By recovery, under the gate, when every log byte is on the disk: all tickets that did not fail are synced. */
void sync_publish_all(struct env *env);

/* Syncs a folder: the names in it. errno or 0. */
int sync_folder(const char *path) __attribute__((warn_unused_result));

/* Syncs every log file and the home directory, after writing again what came after the last good sync. errno or 0. */
int sync_whole_log(struct env *env) __attribute__((warn_unused_result));

/*
 * By recovery, after a write or sync of a tree failed: writes all trees again as the page cache has them, and syncs
 * them. Pages that the kernel has dropped meanwhile are read as they are on the disk, older than the log: recovery
 * replays them. errno or 0.
 */
int sync_trees_again(const struct env *env) __attribute__((warn_unused_result));

/* Closes the cached descriptor. */
void sync_close(struct env *env);

#endif
