#include "rpc/jsonwhole.h"

#include <json-c/json.h>
#include <stdint.h>
#include <string.h>

struct tally {
    size_t values; /* of any type, and the names of members */
    size_t nulls;
    size_t bytes; /* of strings and names, decoded */
};

/* UTF-8 bytes of the code unit that four hexadecimal digits give; a surrogate is half of a character of four. */
static size_t escaped_bytes(const char *digits)
{
    unsigned unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = digits[i];
        unsigned digit = c <= '9' ? (unsigned)(c - '0') : ((unsigned)c | 0x20u) - 'a' + 10;
        unit = unit * 16 + digit;
    }
    if (unit >= 0xd800 && unit <= 0xdfff) {
        return 2;
    }
    return unit < 0x80 ? 1 : unit < 0x800 ? 2 : 3;
}

/* From behind a string's first quote; where its last one stands. */
static size_t tally_string(struct tally *t, struct text json, size_t at)
{
    t->values++;
    while (json.data[at] != '"') {
        if (json.data[at] != '\\') {
            t->bytes++;
            at++;
        } else if (json.data[at + 1] == 'u') {
            t->bytes += escaped_bytes(json.data + at + 2);
            at += 6;
        } else {
            t->bytes++;
            at += 2;
        }
    }
    return at;
}

static struct tally tally_text(struct text json)
{
    struct tally t = {0, 0, 0};
    for (size_t at = 0; at < json.bytes; at++) {
        if (json.data[at] == '"') {
            at = tally_string(&t, json, at + 1);
        } else if (json.data[at] == '{' || json.data[at] == '[') {
            t.values++;
        } else if (memchr(" \t\r\n,:]}", json.data[at], 8) == NULL) { /* a number, or a word */
            t.values++;
            t.nulls += json.data[at] == 'n';
            while (at + 1 < json.bytes && memchr(" \t\r\n,:]}", json.data[at + 1], 8) == NULL) {
                at++;
            }
        }
    }
    return t;
}

static void tally_tree(struct tally *t, struct json_object *value)
{
    t->values++;
    t->nulls += value == NULL;
    if (json_object_is_type(value, json_type_string)) {
        t->bytes += (size_t)json_object_get_string_len(value);
    } else if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            tally_tree(t, json_object_array_get_idx(value, i));
        }
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, name, member)
        {
            t->values++;
            t->bytes += strlen(name);
            tally_tree(t, member);
        }
    }
}

bool jsonwhole(struct text json, struct json_object *tree)
{
    struct tally wanted = tally_text(json);
    struct tally found = {0, 0, 0};
    tally_tree(&found, tree);
    return wanted.values == found.values && wanted.nulls == found.nulls && wanted.bytes == found.bytes;
}
