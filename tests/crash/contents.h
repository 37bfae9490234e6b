/*
 * contents: what a home holds, read through the store, and texts that can be told to be right by their id alone.
 */
#ifndef CHATS_TESTS_CONTENTS_H
#define CHATS_TESTS_CONTENTS_H

#include "store/store.h"

#define CONTENTS_NAMESPACE "micro" /* of calls without a token, where auth is open */

/* The text of a message: its id and a dot, again and again, cut at `bytes`. Written to ret, which has room. */
void contents_text(struct text id, size_t bytes, char *ret);
bool contents_text_is_right(struct text id, struct text text);

/*
 * All messages of a chat, oldest first. STORE_NOT_FOUND: there is no such chat. Other results as the store's.
 */
enum store_status contents_read(struct store *store, struct text chat, store_message_fn *each, void *context)
    __attribute__((warn_unused_result));

#endif
