/*
 * form: the pairs of an application/x-www-form-urlencoded body or of a query string (WHATWG URL, section 5.1, but what
 * cannot be decoded is refused rather than mended).
 */
#ifndef CHATS_RPC_FORM_H
#define CHATS_RPC_FORM_H

#include "base/arena.h"
#include "base/text.h"

#define FORM_PROBLEM_BYTES_MAX 128u /* with the NUL */

struct form {
    struct text source;
    size_t next;      /* offset of the next pair in source, bytes */
    const char *what; /* "form" or "query", for problems; lives as long as the program */
};

enum form_result {
    FORM_PAIR,    /* *ret_name and *ret_value are the next pair */
    FORM_END,     /* there is none */
    FORM_INVALID, /* `problem` says what and where, for a client to read; bytes count from 0 */
    FORM_NO_MEMORY
};

/*
 * The next pair, decoded: "%41" and '+' (a space), UTF-8 without U+0000. Empty pairs are skipped; one without '=' has
 * an empty value. Start with {source, 0, what}. The outputs are the arena's (or literals) and untouched unless
 * FORM_PAIR.
 */
enum form_result form_next(struct form *form, struct arena *arena, struct text *ret_name, struct text *ret_value,
                           char problem[FORM_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

#endif
