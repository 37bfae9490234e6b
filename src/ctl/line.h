/*
 * line: a line of an export, a chat or a message, written and read. The format, JSON Lines in UTF-8:
 *
 *   {"chat":{"namespace":"micro","id":"c1","user_ids":["jane","john"],"created_at":"2026-11-23T00:26:47.042000001Z"}}
 *   {"message":{"namespace":"micro","chat_id":"c1","id":"m1","author_id":"jane","text":"Hi","sent_at":"2026-…Z"}}
 *
 * A message's chat stands above it, and a chat's messages stand in the order of their times. "last_sent_at", at the end
 * of a chat, says when the last message of a chat was sent of which all have been pruned, so that what is sent next is
 * later. Written, a line has its members in this order, no white space, and escapes only what must be: the same data
 * are the same bytes. Read, it is what the service reads: any order and white space, but nothing that the contract
 * refuses (sections 3 and 5), and times exactly as they are written.
 */
#ifndef CHATS_CTL_LINE_H
#define CHATS_CTL_LINE_H

#include "base/error.h"
#include "store/transfer.h"

/* The longest a line can sensibly be: 1,000 members of 255 bytes, each byte escaped. */
#define LINE_BYTES_MAX 2097152u

/* Append a line with its newline. */
void line_append_chat(struct buffer *ret, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns);
void line_append_message(struct buffer *ret, struct text namespace, struct text chat_id, const struct message *message);

/* Reads a line without its newline. *ret's texts are the arena's. False: *error says what is wrong. */
bool line_read(struct text line, struct arena *arena, struct import_row *ret, struct error *error)
    __attribute__((warn_unused_result));

#endif
