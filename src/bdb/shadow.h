/*
 * shadow: a second set of some trees, written beside them and then put into their place, dense where they had free
 * pages.
 *
 * Why. Berkeley DB gives pages back to the file system by DB->compact only, which sorts all of a file's free pages, and
 * logs and dirties each, at every call: 1.5 s inside the gate for a file of 129 MB. A shadow is written in short
 * transactions instead, by whoever holds the struct; the trees go on being used meanwhile.
 *
 * The shadow's files, shadow_NAME.db, are trees of the environment that are not logged. When they are complete and on
 * the disk, and a checkpoint has been made, one transaction names them in the first tree (replace.h): that is the
 * moment at which they are the trees. A recovery, which is wanted from before it on, moves the files to their place
 * before it opens them (replace.h), after however many kills. So there is nothing in the log about a shadow, and a
 * backup from before cannot be brought forward by logs from after it: it says so.
 *
 * No backup may begin while there is a shadow: it holds the backup's lock. The files of one whose process died
 * are removed by the next. A recovery ends a shadow, since its handles are of the generation it was begun in.
 */
#ifndef CHATS_BDB_SHADOW_H
#define CHATS_BDB_SHADOW_H

#include "bdb/replace.h"
#include "bdb/txn.h"

struct shadow {
    struct env *env;
    uint64_t generation;
    DB *trees[ENV_TREES_MAX]; /* of those it has; else NULL */
    int lock_fd;
};

/*
 * Makes an empty shadow of the primary tree and its secondaries, and sets the list of changed chats up (gate.h).
 * STORE_EXISTS: somebody else has one, or makes a backup. STORE_FULL: no room. On STORE_OK to be ended.
 */
enum store_status shadow_begin(struct env *env, int primary, struct shadow *ret) __attribute__((warn_unused_result));

/*
 * As txn_write; `body` may write the shadow's trees, too. With *swap true after it: commits, and in the same hold makes
 * the shadow the trees, after which a recovery is wanted and the shadow is of no more use.
 * STORE_CONFLICT: a recovery ended the shadow. STORE_FULL: there is no room left, and no shadow is to take the last.
 */
enum store_status shadow_write(struct shadow *shadow, txn_body *body, void *args, const bool *swap)
    __attribute__((warn_unused_result));

/* Outside: what it has on the disk, so that little is left to do inside. errno or 0. */
int shadow_sync(const struct shadow *shadow) __attribute__((warn_unused_result));

/* Closes it, removes its files if they are not in their place, and lets go of the lock. */
void shadow_end(struct shadow *shadow);

#endif
