/*
 * Fuzz target: body and query string to an operation's arguments (src/rpc/decode.h).
 *
 * Input: a letter for the operation ('A' is the first of service/registry.h), a digit (bit 0: the body is called a
 * form, bit 1: the caller is a user, bit 2: the body is inflated), the query string up to a line end, the body. What
 * inflates stands for what is long, so that a short input reaches the limits: byte 1 for 16,384 letters, 2 for 51
 * letters, 3 for 250 items of a list.
 *
 * Whatever is accepted keeps the operation's limits as rules.c has them; written anew as JSON and as a form it is
 * accepted again and is the same; a secret never comes out of a query; what is refused says why in UTF-8. And what
 * jsoncheck takes is JSON.
 */
#include <string.h>

#include "fields.h"
#include "fuzz.h"
#include "rpc/decode.h"
#include "rpc/jsoncheck.h"
#include "rules.h"
#include "service/registry.h"

#define WRITTEN_BYTES_MAX (4u << 20)

#define INFLATED_BYTES_MAX (256u << 10)
#define LONG_BYTES 16384u
#define ITEMS 250u

static struct arena arena;
static struct config config;
static struct buffer written;
static struct buffer inflated;

/* The operation that a letter names; they go round. */
static const struct operation *operation_of(uint8_t letter)
{
    size_t count = 1;
    while (registry_at(count) != NULL) {
        count++;
    }
    return registry_at((uint8_t)(letter - 'A') % count);
}

/* Decodes; *ret_args is NULL if it was refused, which is looked at here. */
static void decode(const struct operation *operation, const struct request *request, const struct caller *caller,
                   const void **ret_args)
{
    struct error error = {.kind = ERROR_NONE};
    void *args = NULL;
    enum error_kind kind = decode_request(&config, operation, request, caller, &arena, &args, &error);
    *ret_args = args;
    FUZZ_CHECK((kind == ERROR_NONE) == (args != NULL));
    if (kind == ERROR_NONE) {
        fields_check(operation, args);
        return;
    }
    struct text detail = text_of(error.detail);
    FUZZ_CHECK(error.kind == kind && kind > ERROR_NONE && kind < ERROR_KINDS);
    FUZZ_CHECK(detail.bytes < sizeof error.detail && rules_utf8(detail));
    FUZZ_CHECK(kind == ERROR_INVALID_REQUEST ? detail.bytes > 0 : error_row(kind)->code == 400);
    /* Then json-c found fault with what jsoncheck had let through. */
    FUZZ_CHECK(strncmp(error.detail, "invalid JSON: ", strlen("invalid JSON: ")) != 0);
}

/* What was written of the arguments is accepted, and is the same. */
static void check_again(const struct operation *operation, const struct caller *caller, const void *args,
                        enum media_type media)
{
    const void *again = NULL;
    FUZZ_CHECK(!written.failed);
    const struct request request = {.media = media, .body = {written.data, written.bytes}};
    decode(operation, &request, caller, &again);
    FUZZ_CHECK(again != NULL && fields_equal(operation, args, again));
    buffer_reset(&written);
}

void fuzz_open(void)
{
    config_defaults(&config, "/nowhere");
    buffer_init(&written, WRITTEN_BYTES_MAX);
    buffer_init(&inflated, INFLATED_BYTES_MAX);
}

static void inflate_items(void)
{
    static unsigned count;
    for (unsigned i = 0; i < ITEMS; i++) {
        buffer_printf(&inflated, "%s\"%u\"", i > 0 ? "," : "", count++ % (5 * ITEMS));
    }
}

static struct text inflate(struct text body)
{
    static char letters[LONG_BYTES];
    memset(letters, 'l', sizeof letters);
    buffer_reset(&inflated);
    for (size_t i = 0; i < body.bytes && inflated.bytes < INFLATED_BYTES_MAX - 2u * LONG_BYTES; i++) {
        switch (body.data[i]) {
        case 1:
            buffer_append(&inflated, letters, LONG_BYTES);
            break;
        case 2:
            buffer_append(&inflated, letters, TEXT_ID_BYTES_MAX / 5);
            break;
        case 3:
            inflate_items();
            break;
        default:
            buffer_append(&inflated, body.data + i, 1);
        }
    }
    FUZZ_CHECK(!inflated.failed);
    return (struct text){inflated.data, inflated.bytes};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct caller service = {.namespace = TEXT_LITERAL("micro"), .type = ACCOUNT_SERVICE};
    static const struct caller user = {TEXT_LITERAL("micro"), TEXT_LITERAL("jane"), ACCOUNT_USER};
    struct fuzz_reader input = {data, size};
    const struct operation *operation = operation_of(fuzz_byte(&input));
    uint8_t flags = fuzz_byte(&input);
    const struct caller *caller = (flags & 2) != 0 ? &user : &service;
    struct request request = {.media = (flags & 1) != 0 ? MEDIA_FORM : MEDIA_JSON};
    request.query = fuzz_until(&input, '\n');
    request.body = fuzz_rest(&input);
    if ((flags & 4) != 0) {
        request.body = inflate(request.body);
    }

    struct text value;
    char problem[JSONCHECK_PROBLEM_BYTES_MAX];
    if (jsoncheck(request.body, &value, problem)) {
        FUZZ_CHECK(rules_json(request.body) && rules_json(value));
    } else {
        FUZZ_CHECK(rules_utf8(text_of(problem)) && problem[0] != '\0');
    }

    const void *args = NULL;
    decode(operation, &request, caller, &args);
    if (args != NULL) {
        fields_to_json(operation, args, &written);
        check_again(operation, caller, args, MEDIA_JSON);
        fields_to_form(operation, args, &written);
        check_again(operation, caller, args, MEDIA_FORM);
    }
    if (request.query.bytes > 0) {
        request.body = (struct text){NULL, 0};
        decode(operation, &request, caller, &args);
        if (args != NULL) {
            fields_check_no_secret(operation, args);
        }
    }
    arena_reset(&arena);
    return 0;
}
