#include "rules.h"

#include <stdint.h>
#include <string.h>

/* The bytes of the character at p, of `bytes` that are left; 0: it is none. *ret_point is its number. */
static size_t character(const unsigned char *p, size_t bytes, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    if (length == 0 || length > bytes) {
        return 0;
    }
    uint32_t point = length == 1 ? p[0] : p[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (p[i] >> 6 != 2) {
            return 0;
        }
        point = point << 6 | (p[i] & 0x3Fu);
    }
    *ret_point = point;
    return point < least[length] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF) ? 0 : length;
}

/* True if all characters are whole and, with no_controls, none is of Unicode's Cc. */
static bool characters(struct text t, bool no_controls)
{
    size_t at = 0;
    while (at < t.bytes) {
        uint32_t point = 0;
        if (t.data[at] >= ' ' && t.data[at] <= '~') {
            at++;
            continue;
        }
        size_t used = character((const unsigned char *)t.data + at, t.bytes - at, &point);
        if (used == 0 || (no_controls && (point < 0x20 || (point >= 0x7F && point < 0xA0)))) {
            return false;
        }
        at += used;
    }
    return true;
}

bool rules_utf8(struct text t)
{
    return characters(t, false);
}

bool rules_id(struct text t)
{
    return t.bytes >= 1 && t.bytes <= 255 && characters(t, true);
}

/* --- JSON: each takes its part off the front of *t and is false if that is not there */

static bool json_value(struct text *t, int depth);

static char first(const struct text *t)
{
    return t->bytes > 0 ? t->data[0] : '\0';
}

static void skip(struct text *t, size_t bytes)
{
    t->data += bytes;
    t->bytes -= bytes;
}

static void json_space(struct text *t)
{
    while (t->bytes > 0 && (t->data[0] == ' ' || t->data[0] == '\t' || t->data[0] == '\n' || t->data[0] == '\r')) {
        skip(t, 1);
    }
}

static bool json_take(struct text *t, const char *word)
{
    size_t bytes = strlen(word);
    if (t->bytes < bytes || memcmp(t->data, word, bytes) != 0) {
        return false;
    }
    skip(t, bytes);
    return true;
}

static bool json_digits(struct text *t)
{
    size_t count = 0;
    while (t->bytes > 0 && first(t) >= '0' && first(t) <= '9') {
        skip(t, 1);
        count++;
    }
    return count > 0;
}

static bool json_number(struct text *t)
{
    (void)json_take(t, "-");
    if (!json_take(t, "0") && !json_digits(t)) {
        return false;
    }
    if (json_take(t, ".") && !json_digits(t)) {
        return false;
    }
    if (json_take(t, "e") || json_take(t, "E")) {
        if (!json_take(t, "+")) {
            (void)json_take(t, "-");
        }
        return json_digits(t);
    }
    return true;
}

static bool json_escape(struct text *t)
{
    if (t->bytes == 0) {
        return false;
    }
    char kind = t->data[0];
    skip(t, 1);
    if (kind != 'u') {
        return strchr("\"\\/bfnrt", kind) != NULL && kind != '\0';
    }
    if (t->bytes < 4) {
        return false;
    }
    for (int i = 0; i < 4; i++) {
        if (t->data[i] == '\0' || strchr("0123456789abcdefABCDEF", t->data[i]) == NULL) {
            return false;
        }
    }
    skip(t, 4);
    return true;
}

static bool json_string(struct text *t)
{
    if (!json_take(t, "\"")) {
        return false;
    }
    for (;;) {
        size_t plain = 0;
        while (plain < t->bytes && (unsigned char)t->data[plain] >= 0x20 && t->data[plain] != '"' &&
               t->data[plain] != '\\') {
            plain++;
        }
        skip(t, plain);
        if (json_take(t, "\"")) {
            return true;
        }
        if (!json_take(t, "\\") || !json_escape(t)) {
            return false;
        }
    }
}

/* The members of an object or the items of an array, behind its bracket, up to `close`. */
static bool json_items(struct text *t, const char *close, bool named, int depth)
{
    json_space(t);
    if (json_take(t, close)) {
        return true;
    }
    do {
        json_space(t);
        if (named) {
            if (!json_string(t)) {
                return false;
            }
            json_space(t);
            if (!json_take(t, ":")) {
                return false;
            }
            json_space(t);
        }
        if (!json_value(t, depth + 1)) {
            return false;
        }
        json_space(t);
    } while (json_take(t, ","));
    return json_take(t, close);
}

static bool json_value(struct text *t, int depth)
{
    if (depth > RULES_DEPTH_MAX) {
        return false;
    }
    switch (first(t)) {
    case '{':
        skip(t, 1);
        return json_items(t, "}", true, depth);
    case '[':
        skip(t, 1);
        return json_items(t, "]", false, depth);
    case '"':
        return json_string(t);
    case 't':
        return json_take(t, "true");
    case 'f':
        return json_take(t, "false");
    case 'n':
        return json_take(t, "null");
    default:
        return json_number(t);
    }
}

bool rules_json(struct text t)
{
    if (!rules_utf8(t)) {
        return false;
    }
    json_space(&t);
    if (!json_value(&t, 0)) {
        return false;
    }
    json_space(&t);
    return t.bytes == 0;
}
