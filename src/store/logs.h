/*
 * logs: the log files of a folder, and what of them a backup and its restoring must know.
 */
#ifndef CHATS_STORE_LOGS_H
#define CHATS_STORE_LOGS_H

#include <inttypes.h>

#include "bdb/replace.h"
#include "store/copying.h"
#include "store/internal.h"

#define LOGS_NAME "log.%010" PRIu32 /* Berkeley DB's own naming of log files */
#define LOGS_NAME_BYTES 15u         /* with its NUL */

void logs_name(uint32_t number, char ret[LOGS_NAME_BYTES]);

/* True if it is a log file's name; then its number. */
bool logs_number(const char *name, uint32_t *ret);

/*
 * The numbers of the folder's first and last log file; 0 and 0: there is none. STORE_UNAVAILABLE if one between them is
 * missing.
 */
enum store_status logs_range(const struct copying *copying, const char *folder, uint32_t *ret_first, uint32_t *ret_last)
    __attribute__((warn_unused_result));

/*
 * Inside: the number of the first log file that recovery needs with trees as they are on the disk now or later: that of
 * the last checkpoint. The library's error.
 */
int logs_needed(DB_ENV *handle, uint32_t first, uint32_t *ret) __attribute__((warn_unused_result));

/* The trees that were made within some log files, each with the file id (bdb/replace.h) of what was made. */
struct logs_made {
    bool made[TREES];
    uint8_t ids[TREES][REPLACE_ID_BYTES];
};

/*
 * Which trees were made within the log files of the folder, which nobody uses. The log has all of such a tree from its
 * beginning, and recovery makes it anew: it would move the new file over one that is there already, whose pages may be
 * in its cache by then (__fop_rename_recover; it has not been seen to go wrong). So such a tree's file is left away.
 * The library's error.
 */
int logs_trees_made(const char *folder, struct logs_made *ret) __attribute__((warn_unused_result));

/*
 * Whether the log has all of the tree's file in the folder. Not so where a compact has put another in its place: that
 * was written without the log, and recovery, which goes by file ids, changes it only by what came after.
 */
bool logs_have_all(const struct logs_made *made, int tree, const char *folder);

#endif
