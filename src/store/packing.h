/*
 * packing: keeps the leaf pages full that hold a chat's messages.
 *
 * Messages come at the end of their chats, and that is the middle of the trees: there Berkeley DB splits a full leaf
 * page into two halves, and only the second is ever put to again (at the right edge of a tree it does better). So
 * where chats grow side by side all leaf pages would stay half full: more of the disk, of the cache, and of what a page
 * of messages has to read. From time to time the halves are put together again, by the library's own merging of pages.
 */
#ifndef CHATS_STORE_PACKING_H
#define CHATS_STORE_PACKING_H

#include "store/internal.h"

/*
 * How many messages of a chat are packed at once, and how many before them are looked at again, since the last page of
 * a span was not yet full. With messages of 100 bytes, by turns in 1,000 chats (tests/bench/run --row disk): 364 bytes
 * for each where it was 568; 4,300 instructions of the 122,000 of a send. Spans of 32 take 5,300, spans of 64 with
 * nothing looked at again 4,700, and leave pages less full.
 */
#define PACKING_SPAN 48u
#define PACKING_OVERLAP 16u
#define PACKING_SPAN_BY_TIME 192u /* a page of that tree has four times as many */

/*
 * In a body that has put a chat's message of this sequence number: packs the span of messages that ends with it, if one
 * does. What the trees say is not changed. A failure is one of the transaction.
 */
enum store_status packing_run(struct txn *txn, uint64_t chat_number, uint64_t sequence)
    __attribute__((warn_unused_result));

#endif
