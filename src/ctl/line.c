#include "ctl/line.h"

#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"
#include "rpc/decode.h"

void line_append_chat(struct buffer *ret, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    json_append_member(ret, TEXT_LITERAL("{\"chat\":{\"namespace\":"), namespace);
    json_append_member(ret, TEXT_LITERAL(",\"id\":"), chat->id);
    buffer_append_z(ret, ",\"user_ids\":[");
    for (size_t i = 0; i < chat->members_count; i++) {
        json_append_comma(ret);
        json_append_text(ret, chat->members[i]);
    }
    json_append_time(ret, TEXT_LITERAL("],\"created_at\":"), chat->created_at_ns);
    if (last_sent_at_ns != 0) {
        json_append_time(ret, TEXT_LITERAL(",\"last_sent_at\":"), last_sent_at_ns);
    }
    buffer_append_z(ret, "}}\n");
}

void line_append_message(struct buffer *ret, struct text namespace, struct text chat_id, const struct message *message)
{
    json_append_member(ret, TEXT_LITERAL("{\"message\":{\"namespace\":"), namespace);
    json_append_member(ret, TEXT_LITERAL(",\"chat_id\":"), chat_id);
    json_append_member(ret, TEXT_LITERAL(",\"id\":"), message->id);
    json_append_member(ret, TEXT_LITERAL(",\"author_id\":"), message->author);
    json_append_member(ret, TEXT_LITERAL(",\"text\":"), message->text);
    json_append_time(ret, TEXT_LITERAL(",\"sent_at\":"), message->sent_at_ns);
    buffer_append_z(ret, "}}\n");
}

/* What a line may hold. An id or a text that is absent or "" is empty. */
struct line_args {
    struct text chat_namespace;
    struct text chat_id;
    struct text_list user_ids;
    struct text created_at;
    struct text last_sent_at;
    struct text message_namespace;
    struct text message_chat_id;
    struct text message_id;
    struct text author_id;
    struct text text;
    struct text sent_at;
};

#define LINE_FIELD(field_name, field_type, field_member, least, most)                                                  \
    {                                                                                                                  \
        .name = (field_name), .type = (field_type), .offset = offsetof(struct line_args, field_member),                \
        .min = (least), .max = (most)                                                                                  \
    }

static const struct field line_fields[] = {
    LINE_FIELD("chat.namespace", FIELD_ID, chat_namespace, 0, 0),
    LINE_FIELD("chat.id", FIELD_ID, chat_id, 0, 0),
    LINE_FIELD("chat.user_ids", FIELD_ID_LIST, user_ids, STORE_MEMBERS_MIN, STORE_MEMBERS_MAX),
    LINE_FIELD("chat.created_at", FIELD_STRING, created_at, TIMESTAMP_BYTES, TIMESTAMP_BYTES),
    LINE_FIELD("chat.last_sent_at", FIELD_STRING, last_sent_at, TIMESTAMP_BYTES, TIMESTAMP_BYTES),
    LINE_FIELD("message.namespace", FIELD_ID, message_namespace, 0, 0),
    LINE_FIELD("message.chat_id", FIELD_ID, message_chat_id, 0, 0),
    LINE_FIELD("message.id", FIELD_ID, message_id, 0, 0),
    LINE_FIELD("message.author_id", FIELD_ID, author_id, 0, 0),
    LINE_FIELD("message.text", FIELD_STRING, text, 1, STORE_TEXT_BYTES_MAX),
    LINE_FIELD("message.sent_at", FIELD_STRING, sent_at, TIMESTAMP_BYTES, TIMESTAMP_BYTES),
};

/* The decoder of operations reads it: a line is as strict as a request. */
static const struct operation line_operation = {
    .service = "line",
    .name = "line",
    .fields = line_fields,
    .fields_count = sizeof line_fields / sizeof line_fields[0],
    .args_bytes = sizeof(struct line_args),
};

static bool line_refuse(struct error *error, const char *what, const char *field)
{
    (void)error_set(error, ERROR_INVALID_REQUEST, what, field);
    return false;
}

/* Only the one written form: what was read is written again as the same bytes. */
static bool line_time(struct text t, const char *field, uint64_t *ret_ns, struct error *error)
{
    char written[TIMESTAMP_BYTES] = "";
    uint64_t time_ns = 0;
    if (t.bytes == 0) {
        return line_refuse(error, "field '%s' is missing", field);
    }
    if (timestamp_parse(t, &time_ns)) {
        timestamp_format(time_ns, written);
    }
    if (!text_equal(t, (struct text){written, sizeof written})) {
        return line_refuse(error, "field '%s' must be a time written like 2026-11-23T00:26:47.042000001Z", field);
    }
    if (time_ns > STORE_IMPORT_TIME_MAX) {
        return line_refuse(error, "field '%s' must be before the year 2554", field);
    }
    *ret_ns = time_ns;
    return true;
}

static bool line_chat(const struct line_args *args, struct import_row *ret, struct error *error)
{
    *ret = (struct import_row){.namespace = args->chat_namespace};
    if (args->chat_namespace.bytes == 0) {
        return line_refuse(error, "field '%s' is missing", "chat.namespace");
    }
    if (args->chat_id.bytes == 0) {
        return line_refuse(error, "field '%s' is missing", "chat.id");
    }
    if (args->user_ids.count == 0) {
        return line_refuse(error, "field '%s' is missing", "chat.user_ids");
    }
    ret->chat.id = args->chat_id;
    ret->chat.members = args->user_ids.items;
    ret->chat.members_count = args->user_ids.count;
    return line_time(args->created_at, "chat.created_at", &ret->chat.created_at_ns, error) &&
           (args->last_sent_at.bytes == 0 ||
            line_time(args->last_sent_at, "chat.last_sent_at", &ret->last_sent_at_ns, error));
}

static bool line_message(const struct line_args *args, struct import_row *ret, struct error *error)
{
    const struct {
        const char *field;
        struct text value;
    } needed[] = {
        {"message.namespace", args->message_namespace},
        {"message.chat_id", args->message_chat_id},
        {"message.id", args->message_id},
        {"message.author_id", args->author_id},
        {"message.text", args->text},
    };
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        if (needed[i].value.bytes == 0) {
            return line_refuse(error, "field '%s' is missing", needed[i].field);
        }
    }
    *ret = (struct import_row){
        .is_message = true,
        .namespace = args->message_namespace,
        .chat = {.id = args->message_chat_id},
        .message = {.id = args->message_id, .author = args->author_id, .text = args->text},
    };
    return line_time(args->sent_at, "message.sent_at", &ret->message.sent_at_ns, error);
}

static bool line_has(const struct line_args *args, bool message)
{
    if (message) {
        return args->message_namespace.bytes + args->message_chat_id.bytes + args->message_id.bytes +
                   args->author_id.bytes + args->text.bytes + args->sent_at.bytes >
               0;
    }
    return args->chat_namespace.bytes + args->chat_id.bytes + args->user_ids.count + args->created_at.bytes +
               args->last_sent_at.bytes >
           0;
}

bool line_read(struct text line, struct arena *arena, struct import_row *ret, struct error *error)
{
    const struct request request = {.body = line};
    const struct caller caller = {.type = ACCOUNT_SERVICE};
    void *decoded = NULL;
    /* No field of a line has a limit of the configuration's. */
    if (decode_request(NULL, &line_operation, &request, &caller, arena, &decoded, error) != ERROR_NONE) {
        return false;
    }
    const struct line_args *args = decoded;
    bool chat = line_has(args, false);
    bool message = line_has(args, true);
    if (chat == message) {
        return line_refuse(error, "%s", "a line is {\"chat\":{...}} or {\"message\":{...}}");
    }
    return message ? line_message(args, ret, error) : line_chat(args, ret, error);
}
