/*
 * removal: messages off the front of a chat, few in one transaction. What is left stays dense, and pages are counted
 * from its first message.
 *
 * Where all go but the chat stays, the last record is replaced by an empty hidden one, the marker: it keeps the time
 * and the sequence number that the next message must be above. It is in no index, and alone in its chat: the message
 * that comes next removes it in its own transaction (messages.c).
 */
#ifndef CHATS_STORE_REMOVAL_H
#define CHATS_STORE_REMOVAL_H

#include "store/internal.h"

/* What one transaction removes at most, so that its hold is short: a text is up to 17 pages, each of them logged. */
#define REMOVAL_RECORDS 64u
#define REMOVAL_BYTES 32768u

/* What is left of that in this transaction. */
struct removal_budget {
    size_t records;
    size_t bytes;
};

struct removal {
    uint64_t chat_number;
    uint64_t through; /* up to this sequence number; what is sent meanwhile is above it */
    bool with_chat;   /* the chat goes, too: no marker */
};

/*
 * In a body: removes messages until there are none up to `through` (*ret_done), or the budget is used up. Adds to
 * *ret_removed what was removed, markers not counted.
 */
enum store_status removal_run(struct txn *txn, const struct removal *removal, struct removal_budget *budget,
                              uint64_t *ret_removed, bool *ret_done) __attribute__((warn_unused_result));

#endif
