#include "fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/timestamp.h"
#include "fuzz.h"
#include "rules.h"

/* One argument, as its type has it. */
struct argument {
    struct text text;
    struct text_list list;
    int64_t integer;
    struct maybe_time time;
    enum store_order order;
    enum account_type type;
};

/* The argument of a field; the rest is zeroed. */
static struct argument argument_of(const struct field *field, const void *args)
{
    struct argument a;
    const char *at = (const char *)args + field->offset;
    memset(&a, 0, sizeof a);
    switch (field->type) {
    case FIELD_STRING:
    case FIELD_ID:
        memcpy(&a.text, at, sizeof a.text);
        break;
    case FIELD_ID_LIST:
        memcpy(&a.list, at, sizeof a.list);
        break;
    case FIELD_INT64:
        memcpy(&a.integer, at, sizeof a.integer);
        break;
    case FIELD_TIMESTAMP:
        memcpy(&a.time, at, sizeof a.time);
        break;
    case FIELD_ORDER:
        memcpy(&a.order, at, sizeof a.order);
        break;
    case FIELD_ACCOUNT_TYPE:
        memcpy(&a.type, at, sizeof a.type);
        break;
    }
    return a;
}

static bool is_given(const struct argument *a)
{
    return a->text.bytes > 0 || a->list.count > 0 || a->integer != 0 || a->time.given ||
           a->order != STORE_NEWEST_FIRST || a->type != ACCOUNT_USER;
}

static void check_list(const struct field *field, const struct text_list *list)
{
    FUZZ_CHECK((int64_t)list->count >= field->min && (int64_t)list->count <= field->max);
    for (size_t i = 0; i < list->count; i++) {
        FUZZ_CHECK(rules_id(list->items[i]));
        FUZZ_CHECK(i == 0 || text_compare(list->items[i - 1], list->items[i]) < 0);
    }
}

static void check_given(const struct field *field, const struct argument *a)
{
    switch (field->type) {
    case FIELD_STRING:
        FUZZ_CHECK((int64_t)a->text.bytes >= field->min && (int64_t)a->text.bytes <= field->max);
        FUZZ_CHECK(rules_utf8(a->text) && memchr(a->text.data, 0, a->text.bytes) == NULL);
        break;
    case FIELD_ID:
        FUZZ_CHECK(rules_id(a->text));
        break;
    case FIELD_ID_LIST:
        check_list(field, &a->list);
        break;
    case FIELD_INT64:
        FUZZ_CHECK(a->integer >= field->min && a->integer <= field->max);
        break;
    case FIELD_TIMESTAMP:
        FUZZ_CHECK(a->time.ceiling_ns >= a->time.floor_ns && a->time.ceiling_ns - a->time.floor_ns <= 1);
        break;
    case FIELD_ORDER:
        FUZZ_CHECK(a->order == STORE_OLDEST_FIRST);
        break;
    case FIELD_ACCOUNT_TYPE:
        FUZZ_CHECK(a->type == ACCOUNT_SERVICE);
        break;
    }
}

void fields_check(const struct operation *operation, const void *args)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        const struct field *field = &operation->fields[i];
        struct argument a = argument_of(field, args);
        if (is_given(&a)) {
            check_given(field, &a);
        } else {
            FUZZ_CHECK(field->missing == ERROR_NONE);
        }
    }
}

void fields_check_no_secret(const struct operation *operation, const void *args)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        struct argument a = argument_of(&operation->fields[i], args);
        FUZZ_CHECK(!operation->fields[i].secret || !is_given(&a));
    }
}

static bool argument_equal(const struct argument *a, const struct argument *b)
{
    if (!text_equal(a->text, b->text) || a->integer != b->integer || a->order != b->order || a->type != b->type ||
        a->time.given != b->time.given || a->time.floor_ns != b->time.floor_ns ||
        a->time.ceiling_ns != b->time.ceiling_ns || a->list.count != b->list.count) {
        return false;
    }
    for (size_t i = 0; i < a->list.count; i++) {
        if (!text_equal(a->list.items[i], b->list.items[i])) {
            return false;
        }
    }
    return true;
}

bool fields_equal(const struct operation *operation, const void *a, const void *b)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        struct argument left = argument_of(&operation->fields[i], a);
        struct argument right = argument_of(&operation->fields[i], b);
        if (!argument_equal(&left, &right)) {
            return false;
        }
    }
    return true;
}

/* --- as a client writes them */

#define VALUE_BYTES_MAX 64u

/* What stands for a value that is neither text nor list. The time between two nanoseconds has a digit more. */
static struct text small_value(const struct field *field, const struct argument *a, char room[VALUE_BYTES_MAX])
{
    if (field->type == FIELD_INT64) {
        return (struct text){room, (size_t)snprintf(room, VALUE_BYTES_MAX, "%" PRId64, a->integer)};
    }
    if (field->type == FIELD_ORDER) {
        return TEXT_LITERAL("asc");
    }
    if (field->type == FIELD_ACCOUNT_TYPE) {
        return TEXT_LITERAL("service");
    }
    timestamp_format(a->time.floor_ns, room);
    if (a->time.floor_ns == a->time.ceiling_ns) {
        return (struct text){room, TIMESTAMP_BYTES};
    }
    memcpy(room + TIMESTAMP_BYTES - 1, "5Z", 2);
    return (struct text){room, TIMESTAMP_BYTES + 1};
}

static struct text value_of(const struct field *field, const struct argument *a, char room[VALUE_BYTES_MAX])
{
    return field->type == FIELD_STRING || field->type == FIELD_ID ? a->text : small_value(field, a, room);
}

static void append_quoted(struct buffer *ret, struct text t)
{
    buffer_append_z(ret, "\"");
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char byte = (unsigned char)t.data[i];
        if (byte < 0x20 || byte == '"' || byte == '\\') {
            buffer_printf(ret, "\\u%04X", byte);
        } else {
            buffer_append(ret, t.data + i, 1);
        }
    }
    buffer_append_z(ret, "\"");
}

static void append_json(struct buffer *ret, const struct field *field, const struct argument *a)
{
    char room[VALUE_BYTES_MAX];
    if (field->type != FIELD_ID_LIST) {
        append_quoted(ret, value_of(field, a, room));
        return;
    }
    buffer_append_z(ret, "[");
    for (size_t i = 0; i < a->list.count; i++) {
        buffer_append_z(ret, i > 0 ? "," : "");
        append_quoted(ret, a->list.items[i]);
    }
    buffer_append_z(ret, "]");
}

void fields_to_json(const struct operation *operation, const void *args, struct buffer *ret)
{
    bool begun = false;
    buffer_append_z(ret, "{");
    for (size_t i = 0; i < operation->fields_count; i++) {
        const struct field *field = &operation->fields[i];
        const char *dot = strchr(field->name, '.');
        struct argument a = argument_of(field, args);
        if (!is_given(&a)) {
            continue;
        }
        buffer_append_z(ret, begun ? "," : "");
        begun = true;
        if (dot != NULL) { /* one member of an object; the tables have none with two */
            append_quoted(ret, (struct text){field->name, (size_t)(dot - field->name)});
            buffer_append_z(ret, ":{");
        }
        append_quoted(ret, text_of(dot != NULL ? dot + 1 : field->name));
        buffer_append_z(ret, ":");
        append_json(ret, field, &a);
        buffer_append_z(ret, dot != NULL ? "}" : "");
    }
    buffer_append_z(ret, "}");
}

static void append_pair(struct buffer *ret, const char *name, struct text value)
{
    buffer_printf(ret, "%s%s=", ret->bytes > 0 ? "&" : "", name);
    for (size_t i = 0; i < value.bytes; i++) {
        buffer_printf(ret, "%%%02x", (unsigned char)value.data[i]);
    }
}

void fields_to_form(const struct operation *operation, const void *args, struct buffer *ret)
{
    char room[VALUE_BYTES_MAX];
    for (size_t i = 0; i < operation->fields_count; i++) {
        const struct field *field = &operation->fields[i];
        struct argument a = argument_of(field, args);
        if (is_given(&a) && field->type != FIELD_ID_LIST) {
            append_pair(ret, field->name, value_of(field, &a, room));
        }
        for (size_t k = 0; k < a.list.count; k++) {
            append_pair(ret, field->name, a.list.items[k]);
        }
    }
}
