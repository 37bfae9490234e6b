#include "rpc/jsonkey.h"

#include <stdint.h>
#include <string.h>
#include <unistr.h>

#include "rpc/bytes.h"

/* Reads the bytes that the spelling of a checked key stands for. */
struct key_reader {
    struct text rest; /* of the spelling */
    char pending[4];  /* the UTF-8 of an escape, not given out yet */
    size_t pending_count;
    size_t pending_next;
};

static int hex4(const char *digits)
{
    int unit = 0;
    for (int i = 0; i < 4; i++) {
        unit = unit * 16 + bytes_hex_value(digits[i]);
    }
    return unit;
}

/* The next byte, -1 at the end. */
static int key_next(struct key_reader *r)
{
    if (r->pending_next < r->pending_count) {
        return (unsigned char)r->pending[r->pending_next++];
    }
    if (r->rest.bytes == 0) {
        return -1;
    }
    const char *p = r->rest.data;
    size_t used = 1;
    int byte = (unsigned char)*p;
    if (byte == '\\') {
        static const char names[] = "\"\\/bfnrt";
        static const char meanings[] = "\"\\/\b\f\n\r\t";
        used = 2;
        if (p[1] != 'u') {
            byte = (unsigned char)meanings[strchr(names, p[1]) - names];
        } else {
            uint32_t point = (uint32_t)hex4(p + 2);
            used = 6;
            if (point >= 0xD800 && point <= 0xDBFF) {
                point = 0x10000 + ((point - 0xD800) << 10) + ((uint32_t)hex4(p + 8) - 0xDC00);
                used = 12;
            }
            int count = u8_uctomb((uint8_t *)r->pending, point, (ptrdiff_t)sizeof(r->pending));
            r->pending_count = count > 0 ? (size_t)count : 0;
            r->pending_next = 1;
            byte = (unsigned char)r->pending[0];
        }
    }
    r->rest.data += used;
    r->rest.bytes -= used;
    return byte;
}

bool jsonkey_equal(const struct jsonkey *a, const struct jsonkey *b)
{
    if (!a->escaped && !b->escaped) {
        return text_equal(a->spelled, b->spelled);
    }
    struct key_reader left = {.rest = a->spelled};
    struct key_reader right = {.rest = b->spelled};
    int byte;
    do {
        byte = key_next(&left);
        if (byte != key_next(&right)) {
            return false;
        }
    } while (byte >= 0);
    return true;
}
