#include "answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "fuzz.h"
#include "rules.h"

static bool is_method(const struct gateway_call *call, const char *method)
{
    const char *asked = gateway_variable(call, "REQUEST_METHOD");
    return asked != NULL && strcmp(asked, method) == 0;
}

/* Takes a line and its CR LF off the front of *t. */
static struct text take_line(struct text *t)
{
    const char *end = memmem(t->data, t->bytes, "\r\n", 2);
    FUZZ_CHECK(end != NULL);
    struct text line = {t->data, (size_t)(end - t->data)};
    t->data += line.bytes + 2;
    t->bytes -= line.bytes + 2;
    return line;
}

/* The value of a header, empty if it is not there. Headers are spelled as the program spells them. */
static struct text header(const struct answer *a, const char *name)
{
    struct text rest = a->head;
    size_t bytes = strlen(name);
    while (rest.bytes > 0) {
        struct text line = take_line(&rest);
        if (line.bytes > bytes + 1 && memcmp(line.data, name, bytes) == 0 && line.data[bytes] == ':') {
            return (struct text){line.data + bytes + 2, line.bytes - bytes - 2};
        }
    }
    return (struct text){NULL, 0};
}

static bool has(const struct answer *a, const char *name)
{
    return header(a, name).bytes > 0;
}

static bool header_is(const struct answer *a, const char *name, const char *value)
{
    return text_equal(header(a, name), text_of(value));
}

/* Each header: a name of letters and '-', ": ", visible ASCII; and none comes twice. */
static void check_head(const struct answer *a)
{
    struct text rest = a->head;
    while (rest.bytes > 0) {
        struct text line = take_line(&rest);
        size_t name = 0;
        while (name < line.bytes && (line.data[name] == '-' || (line.data[name] >= 'A' && line.data[name] <= 'Z') ||
                                     (line.data[name] >= 'a' && line.data[name] <= 'z'))) {
            name++;
        }
        FUZZ_CHECK(name > 0 && line.bytes > name + 2 && memcmp(line.data + name, ": ", 2) == 0);
        for (size_t i = name; i < line.bytes; i++) {
            FUZZ_CHECK(line.data[i] >= ' ' && line.data[i] <= '~');
        }
        for (struct text later = rest; later.bytes > 0;) {
            struct text other = take_line(&later);
            FUZZ_CHECK(other.bytes <= name || memcmp(line.data, other.data, name + 1) != 0);
        }
    }
}

/* Takes "Status: 200 OK" apart. */
static void read_status(struct answer *a, struct text *ret_status)
{
    struct text line = header(a, "Status");
    FUZZ_CHECK(line.bytes > 4 && line.data[3] == ' ');
    *ret_status = (struct text){line.data + 4, line.bytes - 4};
    char digits[4] = {line.data[0], line.data[1], line.data[2], '\0'};
    FUZZ_CHECK(strspn(digits, "0123456789") == 3);
    a->code = (int)strtol(digits, NULL, 10);
}

/* Takes `z` off the front of *t. */
static void take(struct text *t, struct text z)
{
    FUZZ_CHECK(t->bytes >= z.bytes && memcmp(t->data, z.data, z.bytes) == 0);
    t->data += z.bytes;
    t->bytes -= z.bytes;
}

/* The body of an error: contract, section 4; its id is of the table and belongs to this code. */
static void check_error(const struct answer *a, struct text status)
{
    struct text rest = a->body;
    char code[16];
    (void)snprintf(code, sizeof code, "%d", a->code);
    take(&rest, TEXT_LITERAL("{\"Id\":\""));
    bool known = false;
    for (int kind = ERROR_NONE + 1; kind < ERROR_KINDS && !known; kind++) {
        const struct error_row *row = error_row((enum error_kind)kind);
        size_t bytes = strlen(row->id);
        known = rest.bytes > bytes && memcmp(rest.data, row->id, bytes) == 0 && rest.data[bytes] == '"';
        if (known) {
            FUZZ_CHECK(row->code == a->code && text_equal(status, text_of(row->status)));
            take(&rest, text_of(row->id));
        }
    }
    FUZZ_CHECK(known);
    take(&rest, TEXT_LITERAL("\",\"Code\":"));
    take(&rest, text_of(code));
    take(&rest, TEXT_LITERAL(",\"Detail\":\""));
    FUZZ_CHECK(rest.bytes > 0 && rest.data[0] != '"'); /* it says something */
    const char *end = memmem(rest.data, rest.bytes, "\",\"Status\":\"", 12);
    FUZZ_CHECK(end != NULL);
    take(&rest, (struct text){rest.data, (size_t)(end - rest.data) + 12});
    take(&rest, status);
    take(&rest, TEXT_LITERAL("\"}"));
    FUZZ_CHECK(rest.bytes == 0);
    FUZZ_CHECK((a->code == 401) == header_is(a, "WWW-Authenticate", "Bearer"));
    FUZZ_CHECK((a->code == 405) == has(a, "Allow"));
    FUZZ_CHECK((a->code == 429 || a->code == 503) == has(a, "Retry-After"));
}

static void check_length(const struct gateway_call *call, const struct answer *a)
{
    struct text length = header(a, "Content-Length");
    char digits[24] = "";
    FUZZ_CHECK(length.bytes > 0 && length.bytes < sizeof digits);
    memcpy(digits, length.data, length.bytes);
    FUZZ_CHECK(strspn(digits, "0123456789") == length.bytes);
    FUZZ_CHECK(is_method(call, "HEAD") || strtoull(digits, NULL, 10) == a->body.bytes);
}

static void check_origin(const struct answer *a)
{
    FUZZ_CHECK(header_is(a, "Access-Control-Allow-Origin", "*") != header_is(a, "Vary", "Origin"));
}

void answer_check(const struct gateway_call *call, const struct gateway_answer *got, struct answer *ret)
{
    struct text status;
    const char *end = memmem(got->bytes.data, got->bytes.bytes, "\r\n\r\n", 4);
    FUZZ_CHECK(end != NULL);
    size_t head_bytes = (size_t)(end - got->bytes.data) + 2;
    ret->head = (struct text){got->bytes.data, head_bytes};
    ret->body = (struct text){got->bytes.data + head_bytes + 2, got->bytes.bytes - head_bytes - 2};
    FUZZ_CHECK(memcmp(ret->head.data, "Status: ", 8) == 0);
    check_head(ret);
    read_status(ret, &status);
    FUZZ_CHECK(header_is(ret, "Cache-Control", "no-store") && header_is(ret, "X-Content-Type-Options", "nosniff"));
    check_origin(ret);
    if (ret->code == 204) {
        FUZZ_CHECK(is_method(call, "OPTIONS") && ret->body.bytes == 0 && !has(ret, "Content-Type"));
        return;
    }
    ret->is_text = ret->code == 200 && header_is(ret, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    FUZZ_CHECK(ret->is_text || header_is(ret, "Content-Type", "application/json"));
    check_length(call, ret);
    if (is_method(call, "HEAD")) {
        FUZZ_CHECK(ret->body.bytes == 0);
        return;
    }
    if (ret->is_text) {
        FUZZ_CHECK(text_is_utf8(ret->body) && ret->body.data[0] == '#' && ret->body.data[ret->body.bytes - 1] == '\n');
        return;
    }
    FUZZ_CHECK(rules_json(ret->body) && ret->body.data[0] == '{');
    if (ret->code != 200) {
        check_error(ret, status);
    }
}
