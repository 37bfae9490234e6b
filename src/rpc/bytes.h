/*
 * bytes: small looks at a request's bytes that its readers share.
 */
#ifndef CHATS_RPC_BYTES_H
#define CHATS_RPC_BYTES_H

#include "base/text.h"

#define BYTES_SHOWN_MAX 64u /* of a client's own text in an error's detail */

/* The value of a hexadecimal digit, -1 if it is none. */
static inline int bytes_hex_value(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    if (byte >= 'a' && byte <= 'f') {
        return byte - 'a' + 10;
    }
    if (byte >= 'A' && byte <= 'F') {
        return byte - 'A' + 10;
    }
    return -1;
}

/* White space of JSON: RFC 8259 section 2. */
static inline bool bytes_is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/* t without the white space at its beginning. */
static inline struct text bytes_skip_space(struct text t)
{
    while (t.bytes > 0 && bytes_is_space(*t.data)) {
        t.data++;
        t.bytes--;
    }
    return t;
}

/* At most BYTES_SHOWN_MAX bytes of t, cut between two characters of UTF-8. */
static inline struct text bytes_shown(struct text t)
{
    if (t.bytes > BYTES_SHOWN_MAX) {
        t.bytes = BYTES_SHOWN_MAX;
        while (t.bytes > 0 && ((unsigned char)t.data[t.bytes] & 0xC0) == 0x80) {
            t.bytes--;
        }
    }
    return t;
}

#endif
