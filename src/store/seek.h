/*
 * seek: a cursor on a tree whose keys are pairs (chat number, sequence or time): where a chat begins, ends, and where a
 * bound falls in it. Lives inside one body; what it points at is the library's memory until the next call.
 */
#ifndef CHATS_STORE_SEEK_H
#define CHATS_STORE_SEEK_H

#include "store/internal.h"

struct seek {
    DBC *cursor;
    bool secondary; /* then primary_key is set, too, and value is the primary's record */
    DBT key;
    DBT primary_key;
    DBT value; /* value.flags = DB_DBT_PARTIAL with dlen: only so much of the record */
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
};

/*
 * Opens a cursor to read TREE_MESSAGES or TREE_MESSAGES_BY_TIME, giving the first head_bytes of each record. To be
 * closed on STORE_OK.
 */
enum store_status seek_open(struct seek *seek, struct txn *txn, enum tree tree, u_int32_t head_bytes)
    __attribute__((warn_unused_result));
/*
 * The same on an open primary tree of messages, perhaps a shadow's; handle: txn's where the cursor is to remove what it
 * stands on, NULL to read.
 */
enum store_status seek_open_tree(struct seek *seek, struct txn *txn, DB *tree, DB_TXN *handle, u_int32_t head_bytes)
    __attribute__((warn_unused_result));
void seek_close(struct seek *seek);

/* Each returns 0 and stands on the entry, DB_NOTFOUND if the chat has none such, or the library's error. */
int seek_last(struct seek *seek, uint64_t chat_number) __attribute__((warn_unused_result));
int seek_below(struct seek *seek, uint64_t chat_number, uint64_t bound) __attribute__((warn_unused_result));
int seek_from(struct seek *seek, uint64_t chat_number, uint64_t bound) __attribute__((warn_unused_result));

/* The entry after the one it stands on, even if that was deleted. */
int seek_next(struct seek *seek, uint64_t chat_number) __attribute__((warn_unused_result));

/* The sequence number of the message it stands on. */
uint64_t seek_sequence(const struct seek *seek);

#endif
