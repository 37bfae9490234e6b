/*
 * replace: trees that were written anew (shadow.h) take the place of the old ones.
 *
 * The first tree has two records, each the file ids of all trees in the table's order, zeros for those that are not
 * meant: "replaced", written in the transaction that makes the new files the trees, and "settled", the same bytes,
 * written by the recovery that has moved them to their place, before anybody else gets in. A file id is what Berkeley
 * DB gives a file when it is made; it stays the same when the file is renamed or copied.
 *
 * A home in which "settled" is so but the files are others has been made of a backup from before and logs from after:
 * what was written to the new files is not in it, and it is refused.
 */
#ifndef CHATS_BDB_REPLACE_H
#define CHATS_BDB_REPLACE_H

#include "bdb/env.h"

#define REPLACE_PREFIX "shadow_"
#define REPLACE_ID_BYTES 20u /* DB_FILE_ID_LEN */

struct replace_ids {
    uint8_t ids[ENV_TREES_MAX][REPLACE_ID_BYTES];
};

/* Inside, in a transaction: these are the trees from its commit on. The library's error. */
int replace_decide(DB *first, DB_TXN *txn, const struct replace_ids *ids) __attribute__((warn_unused_result));

/*
 * In recovery, with the first tree open and none other: moves what was decided to its place. The library's error;
 * DB_OLD_VERSION: the files are not those that the log is about (it is logged).
 */
int replace_settle(struct env *env, DB *first) __attribute__((warn_unused_result));

/* Whether the file is there and has this id. */
bool replace_is(const char *path, const uint8_t id[REPLACE_ID_BYTES]);

/* Whether both files are there and are, by their ids, the same tree, or a copy. */
bool replace_is_same(const char *path, const char *other);

#endif
