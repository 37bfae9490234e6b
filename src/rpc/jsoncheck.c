#include "rpc/jsoncheck.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "rpc/bytes.h"
#include "rpc/jsonkey.h"

struct checker {
    const char *start;
    const char *at; /* the next byte to look at */
    const char *end;
    char *problem;
    struct jsonkey keys[JSONCHECK_MEMBERS_MAX]; /* of the objects that are open, outermost first */
    size_t keys_count;
};

static bool check_value(struct checker *c, int depth);

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* Says what is wrong at `at`, and is false for the caller to return. */
static bool invalid(struct checker *c, const char *at, const char *what)
{
    (void)snprintf(c->problem, JSONCHECK_PROBLEM_BYTES_MAX, "invalid JSON at byte %zu: %s", (size_t)(at - c->start),
                   what);
    return false;
}

/* As invalid() for what RFC 8259 allows and the contract does not. */
static bool refused(struct checker *c, const char *at, const char *what)
{
    (void)snprintf(c->problem, JSONCHECK_PROBLEM_BYTES_MAX, "%s at byte %zu", what, (size_t)(at - c->start));
    return false;
}

static bool ends(const struct checker *c)
{
    return c->at == c->end;
}

static void skip_space(struct checker *c)
{
    while (!ends(c) && bytes_is_space(*c->at)) {
        c->at++;
    }
}

/* Takes the next byte if it is `byte`. */
static bool take(struct checker *c, char byte)
{
    if (ends(c) || *c->at != byte) {
        return false;
    }
    c->at++;
    return true;
}

/* Why no value begins at the next byte. */
static bool not_a_value(struct checker *c)
{
    if (ends(c)) {
        return invalid(c, c->at, "it ends too early");
    }
    switch (*c->at) {
    case '\'':
        return invalid(c, c->at, "a string is written in double quotes");
    case '/':
        return invalid(c, c->at, "comments are not allowed");
    case 'N':
    case 'I':
        return invalid(c, c->at, "NaN and Infinity are not allowed");
    case '+':
        return invalid(c, c->at, "a number has no plus sign");
    case '.':
        return invalid(c, c->at, "a number begins with a digit");
    default:
        return invalid(c, c->at, "a value was expected");
    }
}

/* The four digits of \uXXXX, c->at behind the 'u'. Below 0: there are no four; *c->at is what stands there instead. */
static int32_t take_hex4(struct checker *c)
{
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int digit = ends(c) ? -1 : bytes_hex_value(*c->at);
        if (digit < 0) {
            return -1;
        }
        unit = unit * 16 + digit;
        c->at++;
    }
    return unit;
}

/* An escape, c->at behind its backslash (RFC 8259 section 7). */
static bool check_escape(struct checker *c)
{
    const char *escape = c->at - 1;
    if (ends(c)) {
        return invalid(c, c->at, "it ends too early");
    }
    char kind = *c->at++;
    if (memchr("\"\\/bfnrt", kind, 8) != NULL) {
        return true;
    }
    if (kind != 'u') {
        return invalid(c, escape, "unknown escape in a string");
    }
    int32_t unit = take_hex4(c);
    if (unit < 0) {
        return invalid(c, c->at, "\\u is followed by four hexadecimal digits");
    }
    if (unit == 0) {
        return refused(c, escape, "U+0000 in a string");
    }
    if (unit >= 0xDC00 && unit <= 0xDFFF) {
        return refused(c, escape, "lone surrogate in a string");
    }
    if (unit >= 0xD800 && unit <= 0xDBFF) {
        int32_t low = take(c, '\\') && take(c, 'u') ? take_hex4(c) : -1;
        if (low < 0xDC00 || low > 0xDFFF) {
            return refused(c, escape, "lone surrogate in a string");
        }
    }
    return true;
}

/* A string, c->at at its quote. *ret_content is what stands between the quotes. */
static bool check_string(struct checker *c, struct text *ret_content, bool *ret_escaped)
{
    const char *content = ++c->at;
    *ret_escaped = false;
    while (!ends(c)) {
        char byte = *c->at;
        if (byte == '"') {
            *ret_content = (struct text){content, (size_t)(c->at - content)};
            c->at++;
            return true;
        }
        if ((unsigned char)byte < 0x20) {
            return invalid(c, c->at, byte == 0 ? "U+0000 in a string" : "control character in a string");
        }
        c->at++;
        if (byte == '\\') {
            *ret_escaped = true;
            if (!check_escape(c)) {
                return false;
            }
        }
    }
    return invalid(c, c->at, "a string has no end");
}

/* True if the digits (no leading zeros) are a magnitude that fits int64_t with this sign. */
static bool fits_int64(const char *digits, size_t count, bool negative)
{
    static const char max[] = "9223372036854775807";
    static const char min[] = "9223372036854775808";
    if (count != sizeof(max) - 1) {
        return count < sizeof(max) - 1;
    }
    return memcmp(digits, negative ? min : max, count) <= 0;
}

static bool take_digits(struct checker *c)
{
    if (ends(c) || !is_digit(*c->at)) {
        return false;
    }
    while (!ends(c) && is_digit(*c->at)) {
        c->at++;
    }
    return true;
}

/* A number, c->at at its first byte: RFC 8259 section 6. */
static bool check_number(struct checker *c)
{
    const char *number = c->at;
    bool negative = take(c, '-');
    const char *digits = c->at;
    if (!take_digits(c)) {
        return !ends(c) && *c->at == 'I' ? not_a_value(c) : invalid(c, c->at, "a digit was expected");
    }
    size_t count = (size_t)(c->at - digits);
    if (*digits == '0' && count > 1) {
        return invalid(c, number, "a number has no leading zeros");
    }
    bool integer = true;
    if (take(c, '.')) {
        integer = false;
        if (!take_digits(c)) {
            return invalid(c, c->at, "a digit was expected");
        }
    }
    if (take(c, 'e') || take(c, 'E')) {
        integer = false;
        if (!take(c, '+')) {
            (void)take(c, '-');
        }
        if (!take_digits(c)) {
            return invalid(c, c->at, "a digit was expected");
        }
    }
    if (integer && !fits_int64(digits, count, negative)) {
        return refused(c, number, "integer out of range");
    }
    return true;
}

static bool check_word(struct checker *c, const char *word)
{
    size_t bytes = strlen(word);
    if ((size_t)(c->end - c->at) < bytes || memcmp(c->at, word, bytes) != 0) {
        return not_a_value(c);
    }
    c->at += bytes;
    return true;
}

/* Adds a key to the open object whose first key is `base`. */
static bool add_key(struct checker *c, size_t base, struct jsonkey key)
{
    const char *at = key.spelled.data - 1;
    for (size_t i = base; i < c->keys_count; i++) {
        if (jsonkey_equal(&c->keys[i], &key)) {
            struct text shown = bytes_shown(key.spelled);
            (void)snprintf(c->problem, JSONCHECK_PROBLEM_BYTES_MAX, "field '%.*s' given twice at byte %zu",
                           (int)shown.bytes, shown.data, (size_t)(at - c->start));
            return false;
        }
    }
    if (c->keys_count == JSONCHECK_MEMBERS_MAX) {
        return refused(c, at, "too many fields");
    }
    c->keys[c->keys_count++] = key;
    return true;
}

/* An object, c->at behind its brace. */
static bool check_object(struct checker *c, int depth)
{
    size_t base = c->keys_count;
    skip_space(c);
    if (take(c, '}')) {
        return true;
    }
    for (;;) {
        struct jsonkey key;
        skip_space(c);
        if (ends(c)) {
            return invalid(c, c->at, "it ends too early");
        }
        if (*c->at != '"') {
            return invalid(c, c->at, "a field name in double quotes was expected");
        }
        if (!check_string(c, &key.spelled, &key.escaped) || !add_key(c, base, key)) {
            return false;
        }
        skip_space(c);
        if (!take(c, ':')) {
            return invalid(c, c->at, ends(c) ? "it ends too early" : "':' was expected");
        }
        skip_space(c);
        if (!check_value(c, depth)) {
            return false;
        }
        skip_space(c);
        if (take(c, '}')) {
            c->keys_count = base;
            return true;
        }
        if (!take(c, ',')) {
            return invalid(c, c->at, ends(c) ? "it ends too early" : "',' or '}' was expected");
        }
    }
}

/* An array, c->at behind its bracket. */
static bool check_array(struct checker *c, int depth)
{
    skip_space(c);
    if (take(c, ']')) {
        return true;
    }
    for (;;) {
        skip_space(c);
        if (!check_value(c, depth)) {
            return false;
        }
        skip_space(c);
        if (take(c, ']')) {
            return true;
        }
        if (!take(c, ',')) {
            return invalid(c, c->at, ends(c) ? "it ends too early" : "',' or ']' was expected");
        }
    }
}

/* A value at c->at inside `depth` arrays and objects. Calls itself at most JSONCHECK_DEPTH_MAX deep. */
static bool check_value(struct checker *c, int depth)
{
    struct text content;
    bool escaped;
    if (ends(c)) {
        return not_a_value(c);
    }
    switch (*c->at) {
    case '{':
    case '[':
        if (depth == JSONCHECK_DEPTH_MAX) {
            char what[48];
            (void)snprintf(what, sizeof(what), "nesting deeper than %d", JSONCHECK_DEPTH_MAX);
            return refused(c, c->at, what);
        }
        return *c->at++ == '{' ? check_object(c, depth + 1) : check_array(c, depth + 1);
    case '"':
        return check_string(c, &content, &escaped);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        return *c->at == '-' || is_digit(*c->at) ? check_number(c) : not_a_value(c);
    }
}

bool jsoncheck(struct text body, struct text *ret_value, char problem[JSONCHECK_PROBLEM_BYTES_MAX])
{
    static const char mark[] = "\xEF\xBB\xBF";
    struct checker c = {.start = body.data, .at = body.data, .end = body.data, .problem = problem};
    if (body.bytes > 0) {
        c.end = body.data + body.bytes;
    }
    if (!text_is_utf8(body)) {
        const uint8_t *bad = u8_check((const uint8_t *)body.data, body.bytes);
        (void)snprintf(problem, JSONCHECK_PROBLEM_BYTES_MAX, "invalid UTF-8 at byte %zu",
                       bad == NULL ? 0 : (size_t)(bad - (const uint8_t *)body.data));
        return false;
    }
    if (body.bytes >= sizeof(mark) - 1 && memcmp(body.data, mark, sizeof(mark) - 1) == 0) {
        return invalid(&c, c.at, "byte order mark");
    }
    skip_space(&c);
    const char *value = c.at;
    if (!check_value(&c, 0)) {
        return false;
    }
    const char *value_end = c.at;
    skip_space(&c);
    if (!ends(&c)) {
        return invalid(&c, c.at, "text after the end of the value");
    }
    *ret_value = (struct text){value, (size_t)(value_end - value)};
    return true;
}
