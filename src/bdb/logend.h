/*
 * logend: a log that ends before what the trees hold.
 *
 * Berkeley DB takes the first record that is not whole for the log's end. After a power cut that is so: what lies
 * behind was not synced, and no page of a tree may be newer (a page is written after its log). After damage it is not:
 * records that were synced are lost with all behind them, while pages in the trees hold what they said. The library
 * notices that of few pages; of the others it would serve some messages without those before them.
 *
 * So the first recovery of a boot (a process that dies takes nothing from the log) looks behind the log's end. If
 * nothing is there but the zeros of a file that was made its full size, all is well. Else every page of the trees must
 * be older than the log's end: that reads the trees once, after a power cut under load or damage only. The same where a
 * file is as good as full, for a next one may have been lost, and where the library cannot recover and does not say
 * why.
 */
#ifndef CHATS_BDB_LOGEND_H
#define CHATS_BDB_LOGEND_H

#include "bdb/env.h"

/*
 * Under the gate, while the environment is not open: before recovery, or when that has `failed`. STORE_CORRUPT: a page
 * is newer than the log, and the log of the program names both. Other results: it cannot be read.
 */
enum store_status logend_check(const struct env *env, bool failed) __attribute__((warn_unused_result));

#endif
