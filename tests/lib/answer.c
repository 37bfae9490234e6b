#include "answer.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

void answer_init(struct answer *a)
{
    *a = (struct answer){.code = 0};
    buffer_init(&a->raw, ANSWER_BYTES_MAX);
}

void answer_clear(struct answer *a)
{
    buffer_clear(&a->raw);
    a->code = 0;
    a->body = (struct text){NULL, 0};
}

/* True if the line starts with name (which ends in ':'); *ret_value is the number behind it, -1 if there is none. */
static bool header_number(struct text line, const char *name, long long *ret_value)
{
    size_t name_bytes = strlen(name);
    if (line.bytes < name_bytes || strncasecmp(line.data, name, name_bytes) != 0)
        return false;
    char digits[24] = "";
    size_t count = 0;
    for (size_t i = name_bytes; i < line.bytes && count + 1 < sizeof digits; i++) {
        char c = line.data[i];
        if (c >= '0' && c <= '9')
            digits[count++] = c;
        else if (count > 0 || c != ' ')
            break;
    }
    *ret_value = count > 0 ? strtoll(digits, NULL, 10) : -1;
    return true;
}

enum answer_outcome answer_parse(struct answer *a)
{
    const char *data = a->raw.data;
    size_t bytes = a->raw.bytes;
    long long code = 0;
    long long length = -1;
    size_t at = 0;
    for (size_t lines = 0;; lines++) {
        const char *end = bytes > at ? memchr(data + at, '\n', bytes - at) : NULL;
        if (end == NULL)
            return ANSWER_MALFORMED;
        struct text line = {data + at, (size_t)(end - data) - at};
        at += line.bytes + 1;
        if (line.bytes > 0 && line.data[line.bytes - 1] == '\r')
            line.bytes--;
        if (line.bytes == 0)
            break;
        if (lines == 0 && line.bytes > 9 && strncmp(line.data, "HTTP/1.", 7) == 0)
            code = strtoll(line.data + 9, NULL, 10);
        else if (!header_number(line, "Status:", &code))
            (void)header_number(line, "Content-Length:", &length);
    }
    a->code = (int)code;
    a->body = (struct text){data + at, bytes - at};
    bool whole = code >= 100 && code <= 599 && (length < 0 || (unsigned long long)length == a->body.bytes);
    return whole ? ANSWER_WHOLE : ANSWER_MALFORMED;
}

const char *answer_outcome_name(enum answer_outcome outcome)
{
    static const char *const names[ANSWER_OUTCOMES] = {
        [ANSWER_WHOLE] = "answered",
        [ANSWER_BROKEN] = "broken off",
        [ANSWER_LATE] = "late",
        [ANSWER_MALFORMED] = "malformed",
    };
    return names[outcome];
}
