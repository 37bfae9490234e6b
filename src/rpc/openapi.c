#include "rpc/openapi.h"

#include <ctype.h>

#include "base/build.h"
#include "base/json.h"
#include "rpc/access.h"
#include "rpc/rpc.h"
#include "rpc/schema.h"
#include "service/registry.h"

#define JSON_OF(schema) "\"content\":{\"application/json\":{\"schema\":" schema

static void append_string(struct buffer *out, const char *key, const char *value)
{
    json_append_key(out, key);
    json_append_text(out, text_of(value));
}

/* A method's name in a generated client: "chatsSendMessage". A GET of what a POST calls, too, has one of its own. */
static void append_id(struct buffer *out, const struct operation *operation, bool is_get)
{
    json_append_key(out, "operationId");
    buffer_printf(out, "\"%c%s%s%s\"", tolower((unsigned char)operation->service[0]), operation->service + 1,
                  operation->name, is_get ? "ByGet" : "");
}

static void append_security(struct buffer *out, const struct config *config, const struct operation *operation)
{
    json_append_key(out, "security");
    switch (operation->policy) {
    case POLICY_ANYONE:
        buffer_append_z(out, "[]");
        return;
    case POLICY_OPTIONAL:
    case POLICY_SERVICE_OR_LOCAL:
        break;
    case POLICY_CALLER:
        if (config->auth == CONFIG_AUTH_OPEN) {
            break;
        }
        buffer_append_z(out, "[{\"token\":[]}]");
        return;
    case POLICY_TOKEN:
    case POLICY_SERVICE:
        buffer_append_z(out, "[{\"token\":[]}]");
        return;
    }
    buffer_append_z(out, "[{},{\"token\":[]}]");
}

static void append_parameters(struct buffer *out, const struct config *config, const struct operation *operation,
                              bool is_get)
{
    if (operation->policy == POLICY_ANYONE && operation->fields_count == 0) {
        return;
    }
    json_append_key(out, "parameters");
    buffer_append_z(out, "[");
    if (operation->policy != POLICY_ANYONE) {
        buffer_append_z(out, "{\"$ref\":\"#/components/parameters/Namespace\"}");
    }
    for (size_t i = 0; is_get && i < operation->fields_count; i++) {
        const struct field *field = &operation->fields[i];
        if (!field->secret) {
            json_append_comma(out);
            buffer_printf(out, "{\"name\":\"%s\",\"in\":\"query\",\"required\":%s,\"schema\":", field->name,
                          schema_is_required(field) ? "true" : "false");
            schema_append_field(out, config, field);
            buffer_append_z(out, "}");
        }
    }
    buffer_append_z(out, "]");
}

static void append_body(struct buffer *out, const struct config *config, const struct operation *operation)
{
    bool required = false;
    for (size_t i = 0; i < operation->fields_count; i++) {
        required = required || schema_is_required(&operation->fields[i]);
    }
    if (operation->fields_count == 0) {
        return;
    }
    json_append_key(out, "requestBody");
    buffer_printf(out, "{\"description\":\"At most %zu bytes.\",\"required\":%s," JSON_OF(""), config->body_bytes_max,
                  required ? "true" : "false");
    schema_append_fields(out, config, operation);
    buffer_printf(out, ",\"example\":%s}}}", operation->example != NULL ? operation->example : "{}");
}

static void append_success(struct buffer *out, const struct operation *operation)
{
    if (operation->media != NULL) {
        buffer_printf(out,
                      "\"200\":{\"description\":\"OK\",\"content\":{\"%s\":{\"schema\":{\"type\":\"string\"},"
                      "\"example\":\"%s\"}}}",
                      operation->media, operation->example_answer);
        return;
    }
    buffer_append_z(out, "\"200\":{\"description\":\"OK\"," JSON_OF(""));
    schema_append_shape(out, operation->answer);
    buffer_printf(out, ",\"example\":%s}}}", operation->example_answer != NULL ? operation->example_answer : "{}");
}

/* What an error says of this operation: its own detail, NULL if that is the kind's. */
static const char *detail_of(const struct operation *operation, enum error_kind kind)
{
    const struct operation_error *own = operation->errors;
    for (; own != NULL && own->kind != ERROR_NONE; own++) {
        if (own->kind == kind) {
            return own->detail;
        }
    }
    return NULL;
}

/* The kinds of an operation's errors that a client which calls what is described can meet. */
static bool may_meet(const struct operation *operation, int kind)
{
    return kind != ERROR_METHOD_NOT_ALLOWED && operation_may_answer(operation, (enum error_kind)kind);
}

static void append_headers(struct buffer *out, int code, unsigned retry_s)
{
    if (code == error_row(ERROR_UNAUTHORIZED)->code) {
        buffer_append_z(out, "\"headers\":{\"WWW-Authenticate\":{\"schema\":{\"const\":\"Bearer\"}}},");
    }
    if (retry_s > 0) {
        buffer_append_z(out, "\"headers\":{\"Retry-After\":{\"description\":\"Seconds to wait.\","
                             "\"schema\":{\"type\":\"integer\",\"minimum\":1}}},");
    }
}

/* All errors of one HTTP code, of which `first` is the first. */
static void append_response(struct buffer *out, const struct operation *operation, int first)
{
    const struct error_row *row = error_row((enum error_kind)first);
    json_append_comma(out);
    buffer_printf(out, "\"%d\":{\"description\":\"%s\",", row->code, row->status);
    append_headers(out, row->code, row->retry_s);
    buffer_append_z(out, JSON_OF("{\"allOf\":[{\"$ref\":\"#/components/schemas/Error\"},{\"properties\":{"
                                 "\"Id\":{\"enum\":["));
    for (int kind = first; kind < ERROR_KINDS; kind++) {
        if (may_meet(operation, kind) && error_row((enum error_kind)kind)->code == row->code) {
            json_append_comma(out);
            buffer_printf(out, "\"%s\"", error_row((enum error_kind)kind)->id);
        }
    }
    buffer_printf(out, "]},\"Code\":{\"const\":%d}}}]},\"examples\":{", row->code);
    for (int kind = first; kind < ERROR_KINDS; kind++) {
        if (may_meet(operation, kind) && error_row((enum error_kind)kind)->code == row->code) {
            json_append_key(out, error_row((enum error_kind)kind)->id);
            buffer_append_z(out, "{\"value\":");
            rpc_append_error(out, (enum error_kind)kind, detail_of(operation, (enum error_kind)kind));
            buffer_append_z(out, "}");
        }
    }
    buffer_append_z(out, "}}}}");
}

static void append_responses(struct buffer *out, const struct operation *operation)
{
    int code = 0;
    json_append_key(out, "responses");
    buffer_append_z(out, "{");
    append_success(out, operation);
    /* The kinds stand in the order of their codes. */
    for (int kind = ERROR_NONE + 1; kind < ERROR_KINDS; kind++) {
        if (may_meet(operation, kind) && error_row((enum error_kind)kind)->code != code) {
            append_response(out, operation, kind);
            code = error_row((enum error_kind)kind)->code;
        }
    }
    buffer_append_z(out, "}");
}

static void append_call(struct buffer *out, const struct config *config, const struct operation *operation, bool is_get)
{
    json_append_key(out, is_get ? "get" : "post");
    buffer_append_z(out, "{");
    append_id(out, operation, is_get);
    json_append_key(out, "tags");
    buffer_printf(out, "[\"%s\"]", operation->service);
    append_string(out, "summary", operation->about);
    append_security(out, config, operation);
    append_parameters(out, config, operation, is_get);
    if (!is_get) {
        append_body(out, config, operation);
    }
    append_responses(out, operation);
    buffer_append_z(out, "}");
}

/* True if GET can call it: a secret has no place in an address. */
static bool is_got(const struct operation *operation)
{
    for (size_t i = 0; i < operation->fields_count; i++) {
        if (operation->fields[i].secret && schema_is_required(&operation->fields[i])) {
            return false;
        }
    }
    return operation->effect == OPERATION_READS;
}

static void append_paths(struct buffer *out, const struct config *config)
{
    const struct operation *operation;
    json_append_key(out, "paths");
    buffer_append_z(out, "{");
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        json_append_comma(out);
        buffer_printf(out, "\"/%s/%s\":{", operation->service, operation->name);
        append_call(out, config, operation, false);
        if (is_got(operation)) {
            append_call(out, config, operation, true);
        }
        buffer_append_z(out, "}");
    }
    buffer_append_z(out, "}");
}

static void append_error_schema(struct buffer *out)
{
    json_append_key(out, "Error");
    buffer_append_z(out, "{\"type\":\"object\",\"properties\":{\"Id\":{\"type\":\"string\",\"enum\":[");
    for (int kind = ERROR_NONE + 1; kind < ERROR_KINDS; kind++) {
        json_append_comma(out);
        buffer_printf(out, "\"%s\"", error_row((enum error_kind)kind)->id);
    }
    buffer_append_z(out, "]},\"Code\":{\"type\":\"integer\",\"minimum\":400,\"maximum\":599},"
                         "\"Detail\":{\"type\":\"string\",\"minLength\":1},\"Status\":{\"type\":\"string\"}},"
                         "\"required\":[\"Id\",\"Code\",\"Detail\",\"Status\"]}");
}

static void append_components(struct buffer *out)
{
    json_append_key(out, "components");
    buffer_append_z(out, "{\"schemas\":{");
    schema_append_named(out);
    append_error_schema(out);
    buffer_append_z(out, "},\"parameters\":{\"Namespace\":{\"name\":\"Micro-Namespace\",\"in\":\"header\","
                         "\"description\":\"The namespace of a call without a token; a token has its own.\","
                         "\"schema\":{\"$ref\":\"#/components/schemas/Id\",\"default\":\"" ACCESS_NAMESPACE_DEFAULT
                         "\"}}},\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":\"bearer\","
                         "\"description\":\"An access token of Auth.Token.\"}}}");
}

/* Which build answers and what it takes, for `chatsctl doctor`. Specification extensions: OpenAPI 3.1, section 4.9. */
static void append_extensions(struct buffer *out, const struct config *config)
{
    char id[BUILD_ID_BYTES];
    build_id(id);
    append_string(out, OPENAPI_BUILD, id);
    json_append_key(out, OPENAPI_BODY_MAX);
    buffer_printf(out, "%zu", config->body_bytes_max);
}

void openapi_append(struct buffer *out, const struct config *config)
{
    buffer_append_z(out, "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"chats\",\"version\":\"" PACKAGE_VERSION "\","
                         "\"description\":\"Direct messaging: chats between two or more users, and their messages.\","
                         "\"license\":{\"name\":\"MIT License\",\"identifier\":\"MIT\"}");
    append_extensions(out, config);
    buffer_append_z(out, "},"
                         /* Relative to where this document lies. */
                         "\"servers\":[{\"url\":\".\"}]");
    append_paths(out, config);
    append_components(out);
    buffer_append_z(out, "}");
}
