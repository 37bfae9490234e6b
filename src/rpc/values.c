#include "rpc/values.h"

#include <json-c/json.h>
#include <string.h>

#include "rpc/bytes.h"
#include "rpc/form.h"
#include "rpc/jsoncheck.h"
#include "rpc/jsonwhole.h"

#define JSON_BYTES_MIN 16384u /* what json-c takes for the smallest of texts, several times over */

enum error_kind values_no_memory(struct error *error)
{
    return error_set(error, ERROR_UNAVAILABLE, "%s", "");
}

/* True if key is the lowerCamelCase spelling of `snake`. */
static bool is_camel(const char *snake, struct text key)
{
    size_t i = 0;
    for (; *snake != '\0'; snake++, i++) {
        char expected = *snake;
        if (expected == '_') {
            snake++;
            expected = (char)(*snake - 'a' + 'A');
        }
        if (i == key.bytes || key.data[i] != expected) {
            return false;
        }
    }
    return i == key.bytes;
}

static enum error_kind unknown_field(struct values *v, struct text key)
{
    struct text shown = bytes_shown(key);
    return error_set(v->error, ERROR_INVALID_REQUEST, "unknown field '%.*s'", (int)shown.bytes, shown.data);
}

/* The field that key names; *ret_value is its value, marked as seen. `repeats`: a list may come again. NULL: an error.
 */
static const struct field *find_field(struct values *v, struct text key, bool repeats, struct value **ret_value)
{
    for (size_t i = 0; i < v->operation->fields_count; i++) {
        const struct field *field = &v->operation->fields[i];
        struct value *value = &v->all[i];
        enum spelling spelling = SPELLING_NONE;
        if (text_equal(text_of(field->name), key)) {
            spelling = SPELLING_SNAKE;
        } else if (is_camel(field->name, key)) {
            spelling = SPELLING_CAMEL;
        } else {
            continue;
        }
        if (value->seen != SPELLING_NONE && !(repeats && field->type == FIELD_ID_LIST && value->seen == spelling)) {
            (void)error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' given twice", field->name);
            return NULL;
        }
        if (v->is_query && field->secret) {
            (void)error_set(v->error, ERROR_INVALID_REQUEST,
                            "field '%s' is secret and must not stand in an address: send it in the body", field->name);
            return NULL;
        }
        value->seen = spelling;
        *ret_value = value;
        return field;
    }
    (void)unknown_field(v, key);
    return NULL;
}

/* Contract, section 3: -?(0|[1-9][0-9]*), nothing else. */
static enum error_kind read_integer(struct values *v, const struct field *field, struct text t, int64_t *ret)
{
    size_t i = 0;
    bool negative = t.bytes > 0 && t.data[0] == '-';
    bool fits = true;
    int64_t value = 0;
    if (negative) {
        i++;
    }
    bool valid = i < t.bytes && (t.data[i] != '0' || i + 1 == t.bytes);
    for (; i < t.bytes && valid; i++) {
        int digit = t.data[i] - '0';
        valid = digit >= 0 && digit <= 9;
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, negative ? -digit : digit, &value);
    }
    if (!valid) {
        return error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' must be an integer", field->name);
    }
    if (!fits) {
        return error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' must be an integer of 64 bits: out of range",
                         field->name);
    }
    *ret = value;
    return ERROR_NONE;
}

static enum error_kind add_item(struct values *v, struct value *value, struct text item)
{
    if (value->list.count == value->list_capacity) {
        size_t capacity = value->list_capacity == 0 ? 8 : value->list_capacity * 2;
        struct text *items = arena_alloc(v->arena, capacity * sizeof(*items));
        if (items == NULL) {
            return values_no_memory(v->error);
        }
        if (value->list.count > 0) {
            memcpy(items, value->list.items, value->list.count * sizeof(*items));
        }
        value->list.items = items;
        value->list_capacity = capacity;
    }
    value->list.items[value->list.count++] = item;
    value->given = true;
    return ERROR_NONE;
}

/* Sets the text of a field that is no list and no integer. "" is absent, unless that is for a later check to refuse. */
static void set_text(const struct field *field, struct text text, struct value *value)
{
    value->text = text;
    value->given = text.bytes > 0 || field->type == FIELD_TIMESTAMP;
}

/* A string's copy in the arena: json-c's own goes with its tree. */
static enum error_kind copy_string(struct values *v, struct json_object *json, struct text *ret)
{
    struct text borrowed = {json_object_get_string(json), (size_t)json_object_get_string_len(json)};
    struct text copy = arena_text(v->arena, borrowed);
    if (copy.data == NULL) {
        return values_no_memory(v->error);
    }
    *ret = copy;
    return ERROR_NONE;
}

static enum error_kind read_json_list(struct values *v, const struct field *field, struct json_object *json,
                                      struct value *value)
{
    static const char what[] = "field '%s' must be a list of strings";
    if (!json_object_is_type(json, json_type_array)) {
        return error_set(v->error, ERROR_INVALID_REQUEST, what, field->name);
    }
    size_t count = json_object_array_length(json);
    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx(json, i);
        struct text text;
        if (!json_object_is_type(item, json_type_string)) {
            return error_set(v->error, ERROR_INVALID_REQUEST, what, field->name);
        }
        enum error_kind kind = copy_string(v, item, &text);
        if (kind == ERROR_NONE) {
            kind = add_item(v, value, text);
        }
        if (kind != ERROR_NONE) {
            return kind;
        }
    }
    return ERROR_NONE;
}

static enum error_kind read_json_member(struct values *v, struct text key, struct json_object *json)
{
    struct value *value = NULL;
    const struct field *field = find_field(v, key, false, &value);
    if (field == NULL) {
        return v->error->kind;
    }
    if (json == NULL) {
        return ERROR_NONE;
    }
    value->named = true;
    switch (field->type) {
    case FIELD_ID_LIST:
        return read_json_list(v, field, json, value);
    case FIELD_INT64:
        value->given = true;
        if (json_object_is_type(json, json_type_int)) {
            value->integer = json_object_get_int64(json);
            return ERROR_NONE;
        }
        if (json_object_is_type(json, json_type_string)) {
            struct text text = {json_object_get_string(json), (size_t)json_object_get_string_len(json)};
            return read_integer(v, field, text, &value->integer);
        }
        return error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' must be an integer", field->name);
    case FIELD_STRING:
    case FIELD_ID:
    case FIELD_TIMESTAMP:
    case FIELD_ORDER:
    case FIELD_ACCOUNT_TYPE:
        break;
    }
    if (!json_object_is_type(json, json_type_string)) {
        return error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' must be a string", field->name);
    }
    struct text text = {NULL, 0};
    enum error_kind kind = copy_string(v, json, &text);
    set_text(field, text, value);
    return kind;
}

/* True if fields of the operation are members of an object of this name. */
static bool is_parent(const struct operation *operation, struct text key)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        const char *name = operation->fields[i].name;
        const char *dot = strchr(name, '.');
        if (dot != NULL && text_equal(key, (struct text){name, (size_t)(dot - name)})) {
            return true;
        }
    }
    return false;
}

static enum error_kind read_json_object(struct values *v, struct text parent, struct json_object *object);

/* A member of the object `parent`, which is empty for the body's own. */
static enum error_kind read_json_named(struct values *v, struct text parent, struct text key, struct json_object *json)
{
    struct text name = key;
    if (memchr(key.data, '.', key.bytes) != NULL) {
        return unknown_field(v, key); /* the dot is the table's way to write an object's member */
    }
    if (parent.bytes > 0) {
        char *joined = arena_alloc(v->arena, parent.bytes + 1 + key.bytes);
        if (joined == NULL) {
            return values_no_memory(v->error);
        }
        memcpy(joined, parent.data, parent.bytes);
        joined[parent.bytes] = '.';
        memcpy(joined + parent.bytes + 1, key.data, key.bytes);
        name = (struct text){joined, parent.bytes + 1 + key.bytes};
    } else if (is_parent(v->operation, key)) {
        if (json == NULL) {
            return ERROR_NONE;
        }
        if (!json_object_is_type(json, json_type_object)) {
            return error_set(v->error, ERROR_INVALID_REQUEST, "field '%.*s' must be an object", (int)key.bytes,
                             key.data);
        }
        return read_json_object(v, key, json);
    }
    return read_json_member(v, name, json);
}

static enum error_kind read_json_object(struct values *v, struct text parent, struct json_object *object)
{
    json_object_object_foreach(object, key, member)
    {
        enum error_kind kind = read_json_named(v, parent, text_of(key), member);
        if (kind != ERROR_NONE) {
            return kind;
        }
    }
    return ERROR_NONE;
}

enum error_kind values_read_json(struct values *v, struct text body)
{
    enum error_kind kind = ERROR_NONE;
    char problem[JSONCHECK_PROBLEM_BYTES_MAX];
    struct text json;
    struct json_tokener *tokener = NULL;
    struct json_object *object = NULL;
    if (bytes_skip_space(body).bytes == 0) {
        return ERROR_NONE;
    }
    if (!jsoncheck(body, &json, problem)) {
        return error_set(v->error, ERROR_INVALID_REQUEST, "%s", problem);
    }
    if (json.data[0] != '{') {
        return error_set(v->error, ERROR_INVALID_REQUEST, "the body must be a JSON object");
    }
    /* json-c 0.16 does not look at what strdup gives it for a member's name, and would follow a null pointer. */
    if (!arena_has_memory(JSON_BYTES_MIN + json.bytes)) {
        return values_no_memory(v->error);
    }
    tokener = json_tokener_new_ex(JSONCHECK_DEPTH_MAX * 2); /* json-c counts levels otherwise; the check has counted */
    if (tokener == NULL) {
        return values_no_memory(v->error);
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    /* No body is longer than an int: max_body is 64 MiB at most (base/config.h). */
    object = json_tokener_parse_ex(tokener, json.data, (int)json.bytes);
    if (object == NULL || !json_object_is_type(object, json_type_object)) {
        /* What has passed the check is JSON: this is a lack of memory (0.16 calls that a success), or they disagree. */
        enum json_tokener_error error = json_tokener_get_error(tokener);
        kind = error == json_tokener_success
                   ? values_no_memory(v->error)
                   : error_set(v->error, ERROR_INVALID_REQUEST, "invalid JSON: %s", json_tokener_error_desc(error));
        goto out;
    }
    kind = jsonwhole(json, object) ? read_json_object(v, (struct text){NULL, 0}, object) : values_no_memory(v->error);
out:
    (void)json_object_put(object);
    json_tokener_free(tokener);
    return kind;
}

static enum error_kind read_pair(struct values *v, struct text key, struct text text)
{
    struct value *value = NULL;
    struct text name = key;
    if (name.bytes > 2 && memcmp(name.data + name.bytes - 2, "[]", 2) == 0) {
        name.bytes -= 2;
    }
    const struct field *field = find_field(v, name, true, &value);
    if (field == NULL) {
        return v->error->kind;
    }
    if (name.bytes != key.bytes && field->type != FIELD_ID_LIST) {
        return error_set(v->error, ERROR_INVALID_REQUEST, "field '%s' is not a list", field->name);
    }
    value->named = true;
    switch (field->type) {
    case FIELD_ID_LIST:
        return add_item(v, value, text);
    case FIELD_INT64:
        value->given = true;
        return read_integer(v, field, text, &value->integer);
    case FIELD_STRING:
    case FIELD_ID:
    case FIELD_TIMESTAMP:
    case FIELD_ORDER:
    case FIELD_ACCOUNT_TYPE:
        break;
    }
    set_text(field, text, value);
    return ERROR_NONE;
}

enum error_kind values_read_form(struct values *v, struct text source, const char *what)
{
    struct form form = {source, 0, what};
    char problem[FORM_PROBLEM_BYTES_MAX];
    for (;;) {
        struct text name;
        struct text text;
        enum error_kind kind;
        switch (form_next(&form, v->arena, &name, &text, problem)) {
        case FORM_PAIR:
            kind = read_pair(v, name, text);
            if (kind != ERROR_NONE) {
                return kind;
            }
            break;
        case FORM_END:
            return ERROR_NONE;
        case FORM_INVALID:
            return error_set(v->error, ERROR_INVALID_REQUEST, "%s", problem);
        case FORM_NO_MEMORY:
            return values_no_memory(v->error);
        }
    }
}
