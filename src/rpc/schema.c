#include "rpc/schema.h"

#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "service/registry.h"

#define REFER_TO(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define UTF8_BYTES_MAX 4 /* of a character: RFC 3629 */

static void append_number(struct buffer *out, const char *key, int64_t value)
{
    json_append_key(out, key);
    buffer_printf(out, "%" PRId64, value);
}

/* What a field is, and the part of its limits that a schema has no word for. */
static void append_about(struct buffer *out, const struct field *field)
{
    struct buffer about;
    buffer_init(&about, 1024);
    buffer_append_z(&about, field->about);
    if (field->type == FIELD_STRING && field->min > 0) {
        buffer_printf(&about, " %" PRId64 " to %" PRId64 " bytes of UTF-8.", field->min, field->max);
    } else if (field->type == FIELD_STRING) {
        buffer_printf(&about, " At most %" PRId64 " bytes of UTF-8.", field->max);
    }
    json_append_key(out, "description");
    json_append_text(out, (struct text){about.data, about.bytes});
    out->failed = out->failed || about.failed;
    buffer_clear(&about);
}

static void append_lengths(struct buffer *out, const struct field *field)
{
    int64_t min = (field->min + UTF8_BYTES_MAX - 1) / UTF8_BYTES_MAX;
    if (min == 0 && field->missing != ERROR_NONE) {
        min = 1; /* the empty string is the same as absent */
    }
    if (min > 0) {
        append_number(out, "minLength", min);
    }
    append_number(out, "maxLength", field->max);
}

static void append_range(struct buffer *out, const struct config *config, const struct field *field)
{
    int64_t max = operation_field_max(field, config);
    append_number(out, "minimum", field->min);
    if (max < INT64_MAX) {
        append_number(out, "maximum", max); /* else it is the format that says so */
    }
}

void schema_append_field(struct buffer *out, const struct config *config, const struct field *field)
{
    buffer_append_z(out, "{");
    switch (field->type) {
    case FIELD_STRING:
        buffer_append_z(out, "\"type\":\"string\"");
        append_lengths(out, field);
        break;
    case FIELD_ID:
        buffer_append_z(out, "\"$ref\":\"#/components/schemas/Id\"");
        break;
    case FIELD_ID_LIST:
        buffer_append_z(out, "\"type\":\"array\",\"items\":" REFER_TO("Id"));
        append_number(out, "minItems", field->min);
        append_number(out, "maxItems", field->max);
        break;
    case FIELD_INT64:
        buffer_append_z(out, "\"type\":\"integer\",\"format\":\"int64\"");
        append_range(out, config, field);
        break;
    case FIELD_TIMESTAMP:
        buffer_append_z(out, "\"type\":\"string\",\"format\":\"date-time\"");
        break;
    case FIELD_ORDER:
        buffer_append_z(out, "\"type\":\"string\",\"enum\":[\"asc\",\"desc\"],\"default\":\"desc\"");
        break;
    case FIELD_ACCOUNT_TYPE:
        buffer_append_z(out, "\"type\":\"string\",\"enum\":[\"user\",\"service\"],\"default\":\"user\"");
        break;
    }
    append_about(out, field);
    buffer_append_z(out, "}");
}

bool schema_is_required(const struct field *field)
{
    return field->missing != ERROR_NONE && field->absent != FIELD_CALLER;
}

/* The object whose member a field is: "options" of "options.namespace"; empty for the body's own. */
static struct text parent_of(const struct field *field)
{
    const char *dot = strchr(field->name, '.');
    return (struct text){field->name, dot != NULL ? (size_t)(dot - field->name) : 0};
}

static const char *name_of(const struct field *field)
{
    const char *dot = strchr(field->name, '.');
    return dot != NULL ? dot + 1 : field->name;
}

/* The object of the fields whose parent this is; parents have no parents. */
static void append_object(struct buffer *out, const struct config *config, const struct operation *operation,
                          struct text parent)
{
    const struct field *fields = operation->fields;
    bool requires = false;
    buffer_append_z(out, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < operation->fields_count; i++) {
        struct text of = parent_of(&fields[i]);
        if (text_equal(of, parent)) {
            json_append_key(out, name_of(&fields[i]));
            schema_append_field(out, config, &fields[i]);
            requires = requires || schema_is_required(&fields[i]);
        } else if (parent.bytes == 0 && (i == 0 || !text_equal(of, parent_of(&fields[i - 1])))) {
            json_append_comma(out);
            buffer_printf(out, "\"%.*s\":", (int)of.bytes, of.data);
            append_object(out, config, operation, of);
        }
    }
    buffer_append_z(out, "}");
    if (requires) {
        json_append_key(out, "required");
        buffer_append_z(out, "[");
        for (size_t i = 0; i < operation->fields_count; i++) {
            if (text_equal(parent_of(&fields[i]), parent) && schema_is_required(&fields[i])) {
                json_append_comma(out);
                buffer_printf(out, "\"%s\"", name_of(&fields[i]));
            }
        }
        buffer_append_z(out, "]");
    }
    buffer_append_z(out, ",\"additionalProperties\":false}");
}

void schema_append_fields(struct buffer *out, const struct config *config, const struct operation *operation)
{
    append_object(out, config, operation, (struct text){"", 0});
}

static void append_member(struct buffer *out, const struct member *member)
{
    switch (member->type) {
    case MEMBER_STRING:
        buffer_append_z(out, "{\"type\":\"string\"}");
        break;
    case MEMBER_ID:
        buffer_append_z(out, REFER_TO("Id"));
        break;
    case MEMBER_ID_LIST:
        buffer_append_z(out, "{\"type\":\"array\",\"items\":" REFER_TO("Id") "}");
        break;
    case MEMBER_TIME:
        buffer_append_z(out, REFER_TO("Time"));
        break;
    case MEMBER_INT64:
        buffer_append_z(out, "{\"type\":\"string\",\"format\":\"int64\",\"pattern\":\"^-?[0-9]+$\"}");
        break;
    case MEMBER_ACCOUNT_TYPE:
        buffer_append_z(out, "{\"type\":\"string\",\"enum\":[\"user\",\"service\"]}");
        break;
    case MEMBER_OBJECT:
        buffer_printf(out, REFER_TO("%s"), member->shape->name);
        break;
    case MEMBER_OBJECT_LIST:
        buffer_printf(out, "{\"type\":\"array\",\"items\":" REFER_TO("%s") "}", member->shape->name);
        break;
    }
}

void schema_append_shape(struct buffer *out, const struct shape *shape)
{
    size_t count = shape != NULL ? shape->count : 0;
    buffer_append_z(out, "{\"type\":\"object\"");
    if (count > 0) {
        buffer_append_z(out, ",\"properties\":{");
        for (size_t i = 0; i < count; i++) {
            json_append_key(out, shape->members[i].name);
            append_member(out, &shape->members[i]);
        }
        buffer_append_z(out, "},\"required\":[");
        for (size_t i = 0; i < count; i++) {
            json_append_comma(out);
            buffer_printf(out, "\"%s\"", shape->members[i].name);
        }
        buffer_append_z(out, "]");
    }
    buffer_append_z(out, "}");
}

/* True if one of the operations before the end-th refers to this shape. */
static bool is_known(const struct shape *shape, size_t end)
{
    for (size_t i = 0; i < end; i++) {
        const struct shape *answer = registry_at(i)->answer;
        for (size_t j = 0; answer != NULL && j < answer->count; j++) {
            if (answer->members[j].shape == shape) {
                return true;
            }
        }
    }
    return false;
}

void schema_append_named(struct buffer *out)
{
    const struct operation *operation;
    json_append_key(out, "Id");
    buffer_printf(out,
                  "{\"type\":\"string\",\"minLength\":1,\"maxLength\":%u,"
                  "\"pattern\":\"^[^\\\\u0000-\\\\u001F\\\\u007F-\\\\u009F]*$\","
                  "\"description\":\"1 to %u bytes of UTF-8 without control characters, compared as bytes.\"}",
                  TEXT_ID_BYTES_MAX, TEXT_ID_BYTES_MAX);
    json_append_key(out, "Time");
    buffer_append_z(out, "{\"type\":\"string\",\"format\":\"date-time\","
                         "\"pattern\":\"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\\\.[0-9]{9}Z$\","
                         "\"description\":\"RFC 3339 in UTC with nine fraction digits: it sorts as text.\"}");
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        for (size_t j = 0; operation->answer != NULL && j < operation->answer->count; j++) {
            const struct shape *shape = operation->answer->members[j].shape;
            if (shape != NULL && !is_known(shape, i)) {
                json_append_key(out, shape->name);
                schema_append_shape(out, shape);
            }
        }
    }
}
