/*
 * json: writing JSON (RFC 8259), compact, straight into a buffer. Reading it is the business of src/rpc/decode.c.
 */
#ifndef CHATS_BASE_JSON_H
#define CHATS_BASE_JSON_H

#include <stdint.h>
#include <string.h>

#include "base/buffer.h"

/* A string with its quotes. t must be UTF-8. Escapes '"', '\' and U+0000-001F (RFC 8259 section 7), nothing else. */
void json_append_text(struct buffer *b, struct text t);

/* The same where value.bytes + 2 bytes have been reserved: `at` is where they begin. */
void json_append_reserved(struct buffer *b, char *at, struct text value);

/*
 * The same behind the bytes of `before`, as they are: for a member whose name and colon are known, also to the
 * compiler, which then copies them at once.
 */
static inline void json_append_member(struct buffer *b, struct text before, struct text value)
{
    char *copy_at = buffer_reserve(b, before.bytes + value.bytes + 2);
    if (copy_at) {
        memcpy(copy_at, before.data, before.bytes);
        b->bytes += before.bytes;
        json_append_reserved(b, copy_at + before.bytes, value);
    }
}

/* As json_append_member for a time, ns since 1970, in the contract's form (timestamp.h). */
void json_append_time(struct buffer *b, struct text before, uint64_t time_ns);

/* As json_append_text for bytes of unknown encoding: each run that is not UTF-8 becomes U+FFFD. */
void json_append_bytes(struct buffer *b, struct text t);

/*
 * A comma, unless b ends with a '{' or '[': before each item of a list or object. And the same with a member's name,
 * which is plain ASCII, and its colon.
 */
void json_append_comma(struct buffer *b);
void json_append_key(struct buffer *b, const char *name);

/* A 64-bit integer as a quoted string: contract, section 4. */
void json_append_int64(struct buffer *b, int64_t value);

#endif
