/*
 * text: views of bytes, and the rules that text from outside must keep.
 *
 * A `struct text` borrows: it owns nothing, may hold any byte, and is not NUL-terminated. Whoever hands one out says
 * how long its bytes live.
 */
#ifndef CHATS_BASE_TEXT_H
#define CHATS_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text {
    const char *data; /* NULL only when bytes is 0 */
    size_t bytes;
};

/* An id (chat, message, user, account, namespace) is 1 to this many bytes: contract, section 5. */
#define TEXT_ID_BYTES_MAX 255u

#define TEXT_LITERAL(z) ((struct text){(z), sizeof(z) - 1})

/* The NUL-terminated string z (NULL gives the empty text). Lives as long as z. */
struct text text_of(const char *z);

/* True if both hold the same bytes. */
bool text_equal(struct text a, struct text b);

/* As memcmp, and a prefix sorts first: below 0, 0, above 0. */
int text_compare(struct text a, struct text b);

/* t without the spaces and tabs around it, which HTTP takes for nothing: RFC 9110 section 5.6.3. */
struct text text_trimmed(struct text t);

/* True if the bytes are UTF-8 by RFC 3629: no overlongs, no surrogates, nothing above U+10FFFF. The empty text is. */
bool text_is_utf8(struct text t);

/* True if t is 1 to TEXT_ID_BYTES_MAX bytes of UTF-8 without control characters (Unicode's Cc: U+0000-001F,
 * U+007F-009F). */
bool text_is_id(struct text t);

#endif
