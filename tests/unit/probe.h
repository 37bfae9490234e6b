/*
 * probe: an operation with a field of each type, and its decoding: what the tests of src/rpc/decode.h share.
 */
#ifndef CHATS_TESTS_PROBE_H
#define CHATS_TESTS_PROBE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rpc/decode.h"

#define T(z)                                                                                                           \
    {                                                                                                                  \
        (z), sizeof(z) - 1                                                                                             \
    }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ID_RULE "must be 1 to 255 bytes of UTF-8 without control characters"

/* An operation with a field of each type, none of which must be there. */
struct probe {
    struct text author_id;
    struct text chat_id;
    struct text text;
    struct text_list user_ids;
    int64_t limit;
    struct maybe_time sent_before;
    struct maybe_time sent_after;
    enum store_order order;
};

#define PROBE(field_name, field_type, ...)                                                                             \
    {                                                                                                                  \
        .name = #field_name, .type = (field_type), .offset = offsetof(struct probe, field_name), __VA_ARGS__           \
    }

static const struct field probe_fields[] = {
    PROBE(author_id, FIELD_ID, .absent = FIELD_CALLER),
    PROBE(chat_id, FIELD_ID, .absent = FIELD_PLAIN),
    PROBE(text, FIELD_STRING, .max = 65536),
    PROBE(user_ids, FIELD_ID_LIST, .min = 1, .max = 1000),
    PROBE(limit, FIELD_INT64, .min = INT64_MIN, .max = INT64_MAX),
    PROBE(sent_before, FIELD_TIMESTAMP, .min = 0),
    PROBE(sent_after, FIELD_TIMESTAMP, .min = 0),
    PROBE(order, FIELD_ORDER, .min = 0),
};

static const struct operation probe_operation = {
    .service = "Test",
    .name = "Probe",
    .fields = probe_fields,
    .fields_count = COUNT(probe_fields),
    .args_bytes = sizeof(struct probe),
};

static const struct caller probe_service = {.namespace = T("micro"), .type = ACCOUNT_SERVICE};

struct fixture {
    struct arena arena;
    struct error error;
    struct probe *args;
    enum error_kind kind;
};

static inline void probe_run(struct fixture *f, const struct operation *operation, const struct caller *caller,
                             enum media_type media, struct text body, struct text query)
{
    void *args = NULL;
    struct request request = {.method = METHOD_POST, .media = media, .body = body, .query = query};
    memset(f, 0, sizeof(*f));
    f->kind = decode_request(NULL, operation, &request, caller, &f->arena, &args, &f->error);
    f->args = args;
    assert_int_equal(f->kind, f->error.kind);
    assert_true((f->kind == ERROR_NONE) == (args != NULL));
}

static inline void probe_json(struct fixture *f, const struct operation *operation, struct text body)
{
    probe_run(f, operation, &probe_service, MEDIA_JSON, body, (struct text){NULL, 0});
}

static inline void assert_text(struct text actual, const char *expected)
{
    assert_int_equal(actual.bytes, strlen(expected));
    assert_memory_equal(actual.data, expected, actual.bytes);
}

static inline void assert_refused(const struct fixture *f, enum error_kind kind, const char *detail)
{
    assert_int_equal(f->kind, kind);
    assert_string_equal(f->error.detail, detail);
}

#endif
