#include "base/json.h"

#include <inttypes.h>
#include <string.h>
#include <unistr.h>

#include "base/timestamp.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void append_escape(struct buffer *b, unsigned char c)
{
    static const char short_names[] = {
        ['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    if (c < sizeof short_names && short_names[c] != '\0') {
        const char escape[2] = {'\\', short_names[c]};
        buffer_append(b, escape, sizeof escape);
    } else {
        static const char digits[] = "0123456789abcdef";
        const char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
        buffer_append(b, escape, sizeof escape);
    }
}

/* Sixteen bytes are looked at together: texts are long, escapes are rare. */
typedef unsigned char block __attribute__((vector_size(16)));

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

static bool block_copy_plain(char *to, const char *from)
{
    block bytes;
    uint64_t halves[2];
    memcpy(&bytes, from, sizeof bytes);
    block escapes = (block)((bytes < 0x20) | (bytes == '"') | (bytes == '\\'));
    memcpy(halves, &escapes, sizeof halves);
    if ((halves[0] | halves[1]) != 0) {
        return false;
    }
    memcpy(to, &bytes, sizeof bytes);
    return true;
}

/* Copies up to the first byte that needs an escape; how many bytes that is. There is room for all of them at `to`. */
static size_t copy_plain(char *to, const char *from, size_t bytes)
{
    size_t run = 0;
    while (bytes - run >= sizeof(block) && block_copy_plain(to + run, from + run)) {
        run += sizeof(block);
    }
    /* The last block may begin in the one before. */
    if (bytes - run < sizeof(block) && run > 0 &&
        block_copy_plain(to + bytes - sizeof(block), from + bytes - sizeof(block))) {
        return bytes;
    }
    while (run < bytes && !needs_escape((unsigned char)from[run])) {
        to[run] = from[run];
        run++;
    }
    return run;
}

static void append_escaped(struct buffer *b, const char *data, size_t bytes)
{
    char *at;
    while ((at = buffer_reserve(b, bytes)) != NULL) {
        size_t run = copy_plain(at, data, bytes);
        b->bytes += run;
        if (run == bytes) {
            return;
        }
        append_escape(b, (unsigned char)data[run]);
        data += run + 1;
        bytes -= run + 1;
    }
}

void json_append_reserved(struct buffer *b, char *at, struct text value)
{
    *at++ = '"';
    size_t run = copy_plain(at, value.data, value.bytes);
    b->bytes += 1 + run;
    if (run < value.bytes) {
        append_escaped(b, value.data + run, value.bytes - run);
        buffer_append_z(b, "\"");
        return;
    }
    at[run] = '"';
    b->bytes++;
}

void json_append_time(struct buffer *b, struct text before, uint64_t time_ns)
{
    char *at = buffer_reserve(b, before.bytes + TIMESTAMP_BYTES + 2);
    if (at) {
        memcpy(at, before.data, before.bytes);
        at += before.bytes;
        at[0] = '"';
        timestamp_format(time_ns, at + 1);
        at[1 + TIMESTAMP_BYTES] = '"';
        b->bytes += before.bytes + TIMESTAMP_BYTES + 2;
    }
}

void json_append_text(struct buffer *b, struct text t)
{
    json_append_member(b, TEXT_LITERAL(""), t);
}

void json_append_bytes(struct buffer *b, struct text t)
{
    const uint8_t *at = (const uint8_t *)t.data;
    const uint8_t *end = t.bytes > 0 ? at + t.bytes : at;
    buffer_append_z(b, "\"");
    while (at < end) {
        const uint8_t *bad = u8_check(at, (size_t)(end - at));
        const uint8_t *good_end = bad ? bad : end;
        append_escaped(b, (const char *)at, (size_t)(good_end - at));
        at = good_end;
        if (!bad) {
            break;
        }
        buffer_append_z(b, REPLACEMENT);
        ucs4_t character;
        do {
            at++;
        } while (at < end && u8_mbtoucr(&character, at, (size_t)(end - at)) < 0);
    }
    buffer_append_z(b, "\"");
}

void json_append_int64(struct buffer *b, int64_t value)
{
    buffer_printf(b, "\"%" PRId64 "\"", value);
}

void json_append_comma(struct buffer *b)
{
    char last = b->bytes > 0 ? b->data[b->bytes - 1] : '{';
    if (last != '{' && last != '[') {
        buffer_append_z(b, ",");
    }
}

void json_append_key(struct buffer *b, const char *name)
{
    json_append_comma(b);
    buffer_printf(b, "\"%s\":", name);
}
