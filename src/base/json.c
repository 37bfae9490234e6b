#include "base/json.h"

#include <inttypes.h>
#include <string.h>
#include <unistr.h>

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

/* Each byte of `word` that is zero has its highest bit set in the result; no other byte below it has. */
static uint64_t zero_bytes(uint64_t word)
{
    return (word - UINT64_C(0x0101010101010101)) & ~word & UINT64_C(0x8080808080808080);
}

/* How many bytes at the front need no escape. Eight are looked at together: texts are long, escapes are rare. */
static size_t plain_run(const char *data, size_t bytes)
{
    size_t run = 0;
    for (uint64_t word; run + sizeof word <= bytes; run += sizeof word) {
        memcpy(&word, data + run, sizeof word);
        uint64_t controls = (word - UINT64_C(0x2020202020202020)) & ~word & UINT64_C(0x8080808080808080);
        uint64_t quotes = zero_bytes(word ^ UINT64_C(0x2222222222222222));
        uint64_t backslashes = zero_bytes(word ^ UINT64_C(0x5c5c5c5c5c5c5c5c));
        if ((controls | quotes | backslashes) != 0) {
            break;
        }
    }
    while (run < bytes) {
        unsigned char c = (unsigned char)data[run];
        if (c < 0x20 || c == '"' || c == '\\') {
            break;
        }
        run++;
    }
    return run;
}

static void append_escaped(struct buffer *b, const char *data, size_t bytes)
{
    for (;;) {
        size_t run = plain_run(data, bytes);
        buffer_append(b, data, run);
        if (run == bytes) {
            return;
        }
        append_escape(b, (unsigned char)data[run]);
        data += run + 1;
        bytes -= run + 1;
    }
}

void json_append_text(struct buffer *b, struct text t)
{
    buffer_append_z(b, "\"");
    if (t.bytes > 0) {
        append_escaped(b, t.data, t.bytes);
    }
    buffer_append_z(b, "\"");
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
