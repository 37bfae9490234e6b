/*
 * values: what one source of a request (its body, its query string) says of each field of an operation. Form only:
 * whether a field is missing or breaks a limit is decode.c's to say.
 */
#ifndef CHATS_RPC_VALUES_H
#define CHATS_RPC_VALUES_H

#include "rpc/rpc.h"

enum spelling { SPELLING_NONE, SPELLING_SNAKE, SPELLING_CAMEL };

struct value {
    enum spelling seen;    /* how the source names the field, SPELLING_NONE if it does not */
    bool named;            /* with a value other than null: of two sources that do, the body wins */
    bool given;            /* false for null, the empty list and "" as well, but not for the "" of a time or integer */
    struct text text;      /* all types but the two below */
    int64_t integer;       /* FIELD_INT64 */
    struct text_list list; /* FIELD_ID_LIST: as sent, with duplicates */
    size_t list_capacity;
};

struct values {
    const struct operation *operation;
    struct arena *arena;
    struct error *error;
    struct value *all; /* zeroed, one for each field of the operation */
    bool is_query;     /* fields that are secret are refused */
};

/* Sets ERROR_UNAVAILABLE, the error of a lack of memory, and returns it. */
enum error_kind values_no_memory(struct error *error);

/*
 * Reads a JSON object (white space alone is an empty one), or the pairs of a form or query (`what`, for problems).
 * ERROR_NONE: v->all is filled; texts are the arena's. Else v->error says what and where: ERROR_INVALID_REQUEST, or
 * ERROR_UNAVAILABLE when out of memory.
 */
enum error_kind values_read_json(struct values *v, struct text body) __attribute__((warn_unused_result));
enum error_kind values_read_form(struct values *v, struct text source, const char *what)
    __attribute__((warn_unused_result));

#endif
