/*
 * buffer: bytes that grow, up to a limit that its owner names.
 *
 * Appending never returns an error: a buffer that ran out of memory or past its limit is `failed`, keeps what it had,
 * and ignores what comes after; whoever fills it asks once, at the end.
 */
#ifndef CHATS_BASE_BUFFER_H
#define CHATS_BASE_BUFFER_H

#include <stdint.h>
#include <string.h>

#include "base/text.h"

struct buffer {
    char *data;       /* owned; NULL until the first append */
    size_t bytes;     /* in use */
    size_t capacity;  /* allocated, bytes */
    size_t bytes_max; /* the limit, bytes */
    bool failed;      /* out of memory, or past bytes_max */
};

/* An empty buffer that may hold up to bytes_max bytes. Allocates nothing. */
void buffer_init(struct buffer *b, size_t bytes_max);

/* Empties the buffer and clears `failed`; keeps the memory. */
void buffer_reset(struct buffer *b);

/* As buffer_reset, but keeps no more than bytes_kept: for a buffer that serves one request after the other. */
void buffer_recycle(struct buffer *b, size_t bytes_kept);

/* Frees the memory; the buffer may be used again as after buffer_init. */
void buffer_clear(struct buffer *b);

/* buffer_reserve where there is not enough room yet. */
char *buffer_make_room(struct buffer *b, size_t bytes);

/* Room for `bytes` more; returns where they go (then add to b->bytes), or NULL and `failed`. */
static inline char *buffer_reserve(struct buffer *b, size_t bytes)
{
    bool fits = !b->failed && b->data && bytes <= b->capacity - b->bytes;
    return fits ? b->data + b->bytes : buffer_make_room(b, bytes);
}

void buffer_append(struct buffer *b, const void *data, size_t bytes);
void buffer_append_text(struct buffer *b, struct text t);
void buffer_append_number(struct buffer *b, uint64_t number); /* in decimal */
void buffer_printf(struct buffer *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Here, so that the compiler knows how long what it copies is. */
static inline void buffer_append_z(struct buffer *b, const char *z)
{
    size_t bytes = strlen(z);
    char *copy_at = buffer_reserve(b, bytes);
    if (copy_at) {
        memcpy(copy_at, z, bytes);
        b->bytes += bytes;
    }
}

#endif
