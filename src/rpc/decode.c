#include "rpc/decode.h"

#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "rpc/bytes.h"
#include "rpc/values.h"

/* A form body is JSON all the same if it begins like an object: contract, section 3. */
static bool is_form(const struct request *request)
{
    struct text body = bytes_skip_space(request->body);
    return request->media == MEDIA_FORM && body.bytes > 0 && *body.data != '{';
}

static int compare_items(const void *a, const void *b)
{
    const struct text *left = a;
    const struct text *right = b;
    return text_compare(*left, *right);
}

/* Sorts by bytes and folds duplicates: such a list is a set (contract, section 5). */
static void fold_list(struct text_list *list)
{
    size_t kept = 0;
    if (list->count > 1) {
        qsort(list->items, list->count, sizeof(*list->items), compare_items);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (kept == 0 || !text_equal(list->items[kept - 1], list->items[i])) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
}

/* Fills in what the caller implies, and finds the first missing field. */
static enum error_kind check_missing(const struct operation *operation, const struct caller *caller,
                                     struct value *values, struct error *error)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        const struct field *field = &operation->fields[i];
        bool enough;
        if (!values[i].given && field->absent == FIELD_CALLER && caller->type == ACCOUNT_USER) {
            values[i].text = caller->account;
            values[i].given = true;
        }
        fold_list(&values[i].list);
        enough = values[i].given && (field->type != FIELD_ID_LIST || (int64_t)values[i].list.count >= field->min);
        if (!enough && field->missing != ERROR_NONE) {
            /* Only the contract's own rows say by themselves what is missing. */
            return field->missing == ERROR_INVALID_REQUEST
                       ? error_set(error, field->missing, "field '%s' is missing", field->name)
                       : error_set(error, field->missing, "%s", "");
        }
    }
    return ERROR_NONE;
}

static enum error_kind bad_id(const struct field *field, const char *what, struct error *error)
{
    return error_set(error, ERROR_INVALID_REQUEST, "%s '%s' must be 1 to %u bytes of UTF-8 without control characters",
                     what, field->name, TEXT_ID_BYTES_MAX);
}

static enum error_kind check_list(const struct field *field, const struct text_list *list, struct error *error)
{
    if ((int64_t)list->count < field->min || (int64_t)list->count > field->max) {
        return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must list %lld to %lld different ids", field->name,
                         (long long)field->min, (long long)field->max);
    }
    for (size_t i = 0; i < list->count; i++) {
        if (!text_is_id(list->items[i])) {
            return bad_id(field, "each id of field", error);
        }
    }
    return ERROR_NONE;
}

/* Checks a given field's limits and stores it in its argument. */
static enum error_kind store_field(const struct config *config, const struct field *field, const struct value *value,
                                   void *argument, struct error *error)
{
    int64_t max;
    struct maybe_time time = {.given = true};
    enum store_order order;
    enum account_type type;
    enum error_kind kind;
    switch (field->type) {
    case FIELD_STRING:
        if (field->min > 0 && (value->text.bytes < (uint64_t)field->min || value->text.bytes > (uint64_t)field->max)) {
            return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must be %lld to %lld bytes", field->name,
                             (long long)field->min, (long long)field->max);
        }
        if (value->text.bytes > (uint64_t)field->max) {
            return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must be at most %lld bytes", field->name,
                             (long long)field->max);
        }
        memcpy(argument, &value->text, sizeof(value->text));
        break;
    case FIELD_ID:
        if (!text_is_id(value->text)) {
            return bad_id(field, "field", error);
        }
        memcpy(argument, &value->text, sizeof(value->text));
        break;
    case FIELD_ID_LIST:
        kind = check_list(field, &value->list, error);
        if (kind != ERROR_NONE) {
            return kind;
        }
        memcpy(argument, &value->list, sizeof(value->list));
        break;
    case FIELD_INT64:
        max = operation_field_max(field, config);
        if (value->integer < field->min || value->integer > max) {
            return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must be an integer from %lld to %lld",
                             field->name, (long long)field->min, (long long)max);
        }
        memcpy(argument, &value->integer, sizeof(value->integer));
        break;
    case FIELD_TIMESTAMP:
        if (!timestamp_parse_bound(value->text, &time.floor_ns, &time.ceiling_ns)) {
            return error_set(error, ERROR_INVALID_REQUEST,
                             "field '%s' must be an RFC 3339 time like 2026-11-23T00:26:47.042000001Z", field->name);
        }
        memcpy(argument, &time, sizeof(time));
        break;
    case FIELD_ORDER:
        if (text_equal(value->text, TEXT_LITERAL("asc"))) {
            order = STORE_OLDEST_FIRST;
        } else if (text_equal(value->text, TEXT_LITERAL("desc"))) {
            order = STORE_NEWEST_FIRST;
        } else {
            return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must be 'asc' or 'desc'", field->name);
        }
        memcpy(argument, &order, sizeof(order));
        break;
    case FIELD_ACCOUNT_TYPE:
        if (text_equal(value->text, TEXT_LITERAL("user"))) {
            type = ACCOUNT_USER;
        } else if (text_equal(value->text, TEXT_LITERAL("service"))) {
            type = ACCOUNT_SERVICE;
        } else {
            return error_set(error, ERROR_INVALID_REQUEST, "field '%s' must be 'user' or 'service'", field->name);
        }
        memcpy(argument, &type, sizeof(type));
        break;
    }
    return ERROR_NONE;
}

enum error_kind decode_request(const struct config *config, const struct operation *operation,
                               const struct request *request, const struct caller *caller, struct arena *arena,
                               void **ret_args, struct error *error)
{
    size_t count = operation->fields_count;
    char *args = arena_alloc(arena, operation->args_bytes);
    struct values body = {operation, arena, error, arena_alloc(arena, count * sizeof(*body.all)), false};
    struct values query = {operation, arena, error, arena_alloc(arena, count * sizeof(*query.all)), true};
    if (args == NULL || body.all == NULL || query.all == NULL) {
        return values_no_memory(error);
    }
    enum error_kind kind =
        is_form(request) ? values_read_form(&body, request->body, "form") : values_read_json(&body, request->body);
    if (kind == ERROR_NONE) {
        kind = values_read_form(&query, request->query, "query");
    }
    if (kind != ERROR_NONE) {
        return kind;
    }
    for (size_t i = 0; i < count; i++) {
        if (!body.all[i].named) {
            body.all[i] = query.all[i];
        }
    }
    kind = check_missing(operation, caller, body.all, error);
    for (size_t i = 0; i < count && kind == ERROR_NONE; i++) {
        if (body.all[i].given) {
            kind = store_field(config, &operation->fields[i], &body.all[i], args + operation->fields[i].offset, error);
        }
    }
    if (kind == ERROR_NONE) {
        *ret_args = args;
    }
    return kind;
}
