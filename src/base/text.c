#include "base/text.h"

#include <string.h>
#include <unistr.h>

struct text text_of(const char *z)
{
    return (struct text){z, z ? strlen(z) : 0};
}

bool text_equal(struct text a, struct text b)
{
    return a.bytes == b.bytes && (a.bytes == 0 || memcmp(a.data, b.data, a.bytes) == 0);
}

int text_compare(struct text a, struct text b)
{
    size_t common = a.bytes < b.bytes ? a.bytes : b.bytes;
    int order = common > 0 ? memcmp(a.data, b.data, common) : 0;
    if (order != 0) {
        return order;
    }
    return (a.bytes > b.bytes) - (a.bytes < b.bytes);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct text text_trimmed(struct text t)
{
    while (t.bytes > 0 && is_blank(t.data[0])) {
        t.data++;
        t.bytes--;
    }
    while (t.bytes > 0 && is_blank(t.data[t.bytes - 1])) {
        t.bytes--;
    }
    return t;
}

bool text_is_utf8(struct text t)
{
    return t.bytes == 0 || u8_check((const uint8_t *)t.data, t.bytes) == NULL;
}

static bool has_control(struct text t)
{
    const unsigned char *p = (const unsigned char *)t.data;
    for (size_t i = 0; i < t.bytes; i++) {
        if (p[i] < 0x20 || p[i] == 0x7f) {
            return true;
        }
        /* U+0080-009F are the two bytes C2 80 to C2 9F; C2 is never a continuation byte. */
        if (p[i] == 0xc2 && i + 1 < t.bytes && p[i + 1] <= 0x9f) {
            return true;
        }
    }
    return false;
}

bool text_is_id(struct text t)
{
    return t.bytes >= 1 && t.bytes <= TEXT_ID_BYTES_MAX && text_is_utf8(t) && !has_control(t);
}
