#include "rpc/form.h"

#include <stdio.h>
#include <string.h>

#include "rpc/bytes.h"

static enum form_result invalid(const struct form *form, size_t at, const char *what,
                                char problem[FORM_PROBLEM_BYTES_MAX])
{
    (void)snprintf(problem, FORM_PROBLEM_BYTES_MAX, "invalid %s at byte %zu: %s", form->what, at, what);
    return FORM_INVALID;
}

/* Decodes form->source from `at` to `end`. FORM_PAIR: *ret is it. */
static enum form_result decode(const struct form *form, size_t at, size_t end, struct arena *arena, struct text *ret,
                               char problem[FORM_PROBLEM_BYTES_MAX])
{
    const char *source = form->source.data;
    size_t begin = at;
    size_t bytes = 0;
    char *out = arena_alloc(arena, end - at);
    if (out == NULL) {
        return FORM_NO_MEMORY;
    }
    while (at < end) {
        char byte = source[at];
        size_t used = 1;
        if (byte == '+') {
            byte = ' ';
        } else if (byte == '%') {
            int high = end - at > 2 ? bytes_hex_value(source[at + 1]) : -1;
            int low = end - at > 2 ? bytes_hex_value(source[at + 2]) : -1;
            if (high < 0 || low < 0) {
                return invalid(form, at, "'%' is followed by two hexadecimal digits", problem);
            }
            byte = (char)(high * 16 + low);
            used = 3;
        }
        if (byte == 0) {
            return invalid(form, at, "U+0000", problem);
        }
        out[bytes++] = byte;
        at += used;
    }
    struct text decoded = {out, bytes};
    if (!text_is_utf8(decoded)) {
        return invalid(form, begin, "it is not UTF-8", problem);
    }
    *ret = decoded;
    return FORM_PAIR;
}

enum form_result form_next(struct form *form, struct arena *arena, struct text *ret_name, struct text *ret_value,
                           char problem[FORM_PROBLEM_BYTES_MAX])
{
    const char *source = form->source.data;
    while (form->next < form->source.bytes && source[form->next] == '&') {
        form->next++;
    }
    size_t begin = form->next;
    if (begin >= form->source.bytes) {
        return FORM_END;
    }
    const char *amp = memchr(source + begin, '&', form->source.bytes - begin);
    size_t end = amp == NULL ? form->source.bytes : (size_t)(amp - source);
    const char *equals = memchr(source + begin, '=', end - begin);
    size_t name_end = equals == NULL ? end : (size_t)(equals - source);
    size_t value_begin = equals == NULL ? end : name_end + 1;
    struct text name;
    struct text value;
    enum form_result result = decode(form, begin, name_end, arena, &name, problem);
    if (result == FORM_PAIR) {
        result = decode(form, value_begin, end, arena, &value, problem);
    }
    if (result == FORM_PAIR) {
        form->next = end;
        *ret_name = name;
        *ret_value = value;
    }
    return result;
}
