#include "base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY_BYTES 256u

void buffer_init(struct buffer *b, size_t bytes_max)
{
    /* One byte is always allocated beyond the capacity, for the NUL that vsnprintf insists on. */
    if (bytes_max > SIZE_MAX - 1) {
        bytes_max = SIZE_MAX - 1;
    }
    *b = (struct buffer){.bytes_max = bytes_max};
}

void buffer_reset(struct buffer *b)
{
    b->bytes = 0;
    b->failed = false;
}

void buffer_clear(struct buffer *b)
{
    free(b->data);
    buffer_init(b, b->bytes_max);
}

void buffer_recycle(struct buffer *b, size_t bytes_kept)
{
    if (b->capacity > bytes_kept) {
        buffer_clear(b);
    }
    buffer_reset(b);
}

static bool buffer_grow(struct buffer *b, size_t needed)
{
    size_t capacity = b->capacity > 0 ? b->capacity : FIRST_CAPACITY_BYTES;
    while (capacity < needed) {
        capacity = capacity <= b->bytes_max / 2 ? capacity * 2 : b->bytes_max;
    }
    if (capacity > b->bytes_max) {
        capacity = b->bytes_max;
    }
    char *data = realloc(b->data, capacity + 1);
    if (!data) {
        return false;
    }
    b->data = data;
    b->capacity = capacity;
    return true;
}

char *buffer_make_room(struct buffer *b, size_t bytes)
{
    if (b->failed) {
        return NULL;
    }
    if (bytes > b->bytes_max - b->bytes) {
        b->failed = true;
        return NULL;
    }
    if ((!b->data || b->bytes + bytes > b->capacity) && !buffer_grow(b, b->bytes + bytes)) {
        b->failed = true;
        return NULL;
    }
    return b->data + b->bytes;
}

void buffer_append(struct buffer *b, const void *data, size_t bytes)
{
    if (bytes == 0) {
        return;
    }
    char *at = buffer_reserve(b, bytes);
    if (!at) {
        return;
    }
    memcpy(at, data, bytes);
    b->bytes += bytes;
}

void buffer_append_text(struct buffer *b, struct text t)
{
    buffer_append(b, t.data, t.bytes);
}

void buffer_append_number(struct buffer *b, uint64_t number)
{
    char digits[20]; /* of UINT64_MAX */
    char *at = digits + sizeof digits;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    buffer_append(b, at, (size_t)(digits + sizeof digits - at));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    char *at = buffer_reserve(b, 0);
    if (!at) {
        return;
    }
    size_t room = b->capacity - b->bytes;
    va_start(args, format);
    int bytes = vsnprintf(at, room + 1, format, args);
    va_end(args);
    if (bytes < 0) {
        b->failed = true;
        return;
    }
    if ((size_t)bytes > room) {
        at = buffer_reserve(b, (size_t)bytes);
        if (!at) {
            return;
        }
        va_start(args, format);
        vsnprintf(at, (size_t)bytes + 1, format, args);
        va_end(args);
    }
    b->bytes += (size_t)bytes;
}
