#include <string.h>

#include "base/crypto.h"
#include "base/json.h"
#include "service/registry.h"

#define CHAT_RENDERED_BYTES_MAX 2048u /* an id, six bytes for each that is escaped, and what stands around it */
#define LIMIT_DEFAULT 25              /* messages a page: contract, section 5 */
#define LITERAL(number) #number
#define LITERAL_OF(number) LITERAL(number)

#define FORBIDDEN_MEMBERS "a user creates only chats that it is in: add it to 'user_ids'"
#define FORBIDDEN_AUTHOR "a user writes as itself only: leave 'author_id' out"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum error_kind no_memory(struct call *call)
{
    return operation_store_error(call, STORE_NO_MEMORY, ERROR_INTERNAL);
}

/* A user sees only chats that it is in; a service all of its namespace (contract, section 6). */
static struct chat_ref chat_of(const struct call *call, struct text id)
{
    struct chat_ref chat = {.namespace = call->caller.namespace, .id = id};
    if (call->caller.type == ACCOUNT_USER) {
        chat.member = call->caller.account;
    }
    return chat;
}

/* A user acts as itself only. */
static bool may_act_as(const struct caller *caller, struct text account)
{
    return caller->type == ACCOUNT_SERVICE || text_equal(caller->account, account);
}

static bool may_chat_with(const struct caller *caller, const struct text_list *users)
{
    for (size_t i = 0; i < users->count; i++) {
        if (may_act_as(caller, users->items[i])) {
            return true;
        }
    }
    return false;
}

/* The id that was asked for, else a new UUID; false when out of memory. */
static bool choose_id(struct call *call, struct text asked, struct text *ret_id)
{
    if (asked.bytes > 0) {
        *ret_id = asked;
        return true;
    }
    char *id = arena_alloc(call->arena, CRYPTO_UUID_BYTES);
    if (id == NULL) {
        return false;
    }
    crypto_uuid(id);
    *ret_id = (struct text){id, CRYPTO_UUID_BYTES};
    return true;
}

static const struct member chat_members[] = {
    {.name = "id", .type = MEMBER_ID},
    {.name = "user_ids", .type = MEMBER_ID_LIST},
    {.name = "created_at", .type = MEMBER_TIME},
};
static const struct shape chat_shape = {"Chat", chat_members, COUNT(chat_members)};

static void append_chat(struct buffer *out, const struct chat *chat)
{
    json_append_member(out, TEXT_LITERAL("{\"id\":"), chat->id);
    buffer_append_z(out, ",\"user_ids\":[");
    for (size_t i = 0; i < chat->members_count; i++) {
        json_append_comma(out);
        json_append_text(out, chat->members[i]);
    }
    json_append_time(out, TEXT_LITERAL("],\"created_at\":"), chat->created_at_ns);
    buffer_append_z(out, "}");
}

static const struct member message_members[] = {
    {.name = "id", .type = MEMBER_ID},        {.name = "author_id", .type = MEMBER_ID},
    {.name = "chat_id", .type = MEMBER_ID},   {.name = "text", .type = MEMBER_STRING},
    {.name = "sent_at", .type = MEMBER_TIME},
};
static const struct shape message_shape = {"Message", message_members, COUNT(message_members)};

/* What stands between author and text in each message of a chat: rendered once. data is NULL when out of memory. */
static struct text render_chat(struct call *call, struct text chat_id)
{
    struct text rendered = {NULL, 0};
    struct buffer b;
    buffer_init(&b, CHAT_RENDERED_BYTES_MAX);
    json_append_member(&b, TEXT_LITERAL(",\"chat_id\":"), chat_id);
    buffer_append_z(&b, ",\"text\":");
    if (!b.failed) {
        rendered = arena_text(call->arena, (struct text){b.data, b.bytes});
    }
    buffer_clear(&b);
    return rendered;
}

static void append_message(struct buffer *out, struct text before, struct text chat, const struct message *message)
{
    json_append_member(out, before, message->id);
    json_append_member(out, TEXT_LITERAL(",\"author_id\":"), message->author);
    json_append_member(out, chat, message->text);
    json_append_time(out, TEXT_LITERAL(",\"sent_at\":"), message->sent_at_ns);
    buffer_append_z(out, "}");
}

/* Chats.CreateChat */

struct create_args {
    struct text_list user_ids;
    struct text id;
};

static const struct field create_fields[] = {
    {
        .name = "user_ids",
        .about = "The members, a set: duplicates fold. A user's own id must be among them.",
        .type = FIELD_ID_LIST,
        .missing = ERROR_MISSING_USER_IDS,
        .offset = offsetof(struct create_args, user_ids),
        .min = STORE_MEMBERS_MIN,
        .max = STORE_MEMBERS_MAX,
    },
    {
        .name = "id",
        .about = "The new chat's id. Without it, a UUID is given.",
        .type = FIELD_ID,
        .offset = offsetof(struct create_args, id),
    },
};

static enum error_kind create_chat(struct call *call, const void *args)
{
    const struct create_args *a = args;
    struct chat draft = {.members = a->user_ids.items, .members_count = a->user_ids.count};
    struct chat chat;
    if (!may_chat_with(&call->caller, &a->user_ids)) {
        return error_set(call->error, ERROR_FORBIDDEN, FORBIDDEN_MEMBERS);
    }
    if (!choose_id(call, a->id, &draft.id)) {
        return no_memory(call);
    }
    enum store_status status =
        store_chat_create(call->store, call->caller.namespace, &draft, call->arena, &chat, reply_ticket(call->reply));
    if (status != STORE_OK && status != STORE_EXISTS) {
        return operation_store_error(call, status, ERROR_CHAT_ID_CONFLICT);
    }
    struct buffer *out = reply_out(call->reply);
    buffer_append_z(out, "{\"chat\":");
    append_chat(out, &chat);
    buffer_append_z(out, "}");
    return ERROR_NONE;
}

static const struct operation_error create_errors[] = {
    {ERROR_FORBIDDEN, FORBIDDEN_MEMBERS}, {ERROR_CHAT_ID_CONFLICT, NULL}, {ERROR_NONE, NULL}};
static const struct member create_answer[] = {{.name = "chat", .type = MEMBER_OBJECT, .shape = &chat_shape}};

/* Chats.SendMessage */

struct send_args {
    struct text author_id;
    struct text chat_id;
    struct text text;
    struct text id;
};

static const struct field send_fields[] = {
    {
        .name = "author_id",
        .about = "Who writes. A user may leave it out and writes as itself; a service must say.",
        .type = FIELD_ID,
        .missing = ERROR_MISSING_AUTHOR_ID,
        .offset = offsetof(struct send_args, author_id),
        .absent = FIELD_CALLER,
    },
    {
        .name = "chat_id",
        .about = "The chat to write to.",
        .type = FIELD_ID,
        .missing = ERROR_MISSING_CHAT_ID,
        .offset = offsetof(struct send_args, chat_id),
    },
    {
        .name = "text",
        .about = "What is said.",
        .type = FIELD_STRING,
        .missing = ERROR_MISSING_TEXT,
        .offset = offsetof(struct send_args, text),
        .max = STORE_TEXT_BYTES_MAX,
    },
    {
        .name = "id",
        .about = "The message's id within its chat; with it the call may be repeated and is stored once. Without it, a "
                 "UUID is given.",
        .type = FIELD_ID,
        .offset = offsetof(struct send_args, id),
    },
};

static enum error_kind send_message(struct call *call, const void *args)
{
    const struct send_args *a = args;
    struct chat_ref chat = chat_of(call, a->chat_id);
    struct message draft = {.author = a->author_id, .text = a->text, .id_is_new = a->id.bytes == 0};
    struct message message;
    if (!may_act_as(&call->caller, a->author_id)) {
        return error_set(call->error, ERROR_FORBIDDEN, FORBIDDEN_AUTHOR);
    }
    struct text rendered = render_chat(call, a->chat_id);
    if (rendered.data == NULL || !choose_id(call, a->id, &draft.id)) {
        return no_memory(call);
    }
    enum store_status status = store_message_append(call->store, &chat, &draft, &message, reply_ticket(call->reply));
    if (status != STORE_OK && status != STORE_EXISTS) {
        return operation_store_error(call, status, ERROR_MESSAGE_ID_CONFLICT);
    }
    struct buffer *out = reply_out(call->reply);
    append_message(out, TEXT_LITERAL("{\"message\":{\"id\":"), rendered, &message);
    buffer_append_z(out, "}");
    return ERROR_NONE;
}

static const struct operation_error send_errors[] = {{ERROR_FORBIDDEN, FORBIDDEN_AUTHOR},
                                                     {ERROR_NOT_FOUND, NULL},
                                                     {ERROR_MESSAGE_ID_CONFLICT, NULL},
                                                     {ERROR_NONE, NULL}};
static const struct member send_answer[] = {{.name = "message", .type = MEMBER_OBJECT, .shape = &message_shape}};

/* Chats.ListMessages */

struct list_args {
    struct text chat_id;
    int64_t limit; /* 0 stands for LIMIT_DEFAULT */
    int64_t offset;
    enum store_order order;
    struct maybe_time sent_before;
    struct maybe_time sent_after;
};

static const struct field list_fields[] = {
    {
        .name = "chat_id",
        .about = "The chat to read.",
        .type = FIELD_ID,
        .missing = ERROR_MISSING_CHAT_ID,
        .offset = offsetof(struct list_args, chat_id),
    },
    {
        .name = "limit",
        .about =
            "How many messages at most; absent or 0: " LITERAL_OF(LIMIT_DEFAULT) ", or the maximum if that is less.",
        .type = FIELD_INT64,
        .offset = offsetof(struct list_args, limit),
        .min = 0,
        .page_limit = true,
    },
    {
        .name = "offset",
        .about = "How many messages to pass over, from the end that the order starts at.",
        .type = FIELD_INT64,
        .offset = offsetof(struct list_args, offset),
        .min = 0,
        .max = INT64_MAX,
    },
    {
        .name = "order",
        .about = "desc: newest first, which is the default; asc: oldest first.",
        .type = FIELD_ORDER,
        .offset = offsetof(struct list_args, order),
    },
    {
        .name = "sent_before",
        .about = "Only messages sent before this time, which is RFC 3339.",
        .type = FIELD_TIMESTAMP,
        .offset = offsetof(struct list_args, sent_before),
    },
    {
        .name = "sent_after",
        .about = "Only messages sent after this time, which is RFC 3339.",
        .type = FIELD_TIMESTAMP,
        .offset = offsetof(struct list_args, sent_after),
    },
};

/* What append_listed needs to know. */
struct listing {
    struct reply *reply;
    struct text chat; /* render_chat's */
    bool begun;       /* a message has been appended */
    bool unheard;     /* nobody listens any more */
};

static bool append_listed(void *context, const struct message *message)
{
    struct listing *listing = context;
    struct buffer *out = reply_out(listing->reply);
    append_message(out, listing->begun ? TEXT_LITERAL(",{\"id\":") : TEXT_LITERAL("{\"id\":"), listing->chat, message);
    listing->begun = true;
    listing->unheard = !reply_flush(listing->reply);
    return !listing->unheard;
}

static enum error_kind render_page(struct call *call, struct text chat_id, struct store_page *page)
{
    struct buffer *out = reply_out(call->reply);
    struct text chat = render_chat(call, chat_id);
    bool again;
    if (chat.data == NULL) {
        return no_memory(call);
    }
    do {
        struct listing listing = {.reply = call->reply, .chat = chat};
        buffer_append_z(out, "{\"messages\":[");
        enum store_status status = store_page_read(call->store, page, append_listed, &listing);
        if (status != STORE_OK) {
            return operation_store_error(call, status, ERROR_INTERNAL);
        }
        if (listing.unheard) {
            break;
        }
        buffer_append_z(out, "]}");
        again = reply_wants_again(call->reply);
        store_page_rewind(page);
    } while (again);
    return ERROR_NONE;
}

static enum error_kind list_messages(struct call *call, const void *args)
{
    const struct list_args *a = args;
    unsigned limit_max = call->config->limit_max;
    struct chat_ref chat = chat_of(call, a->chat_id);
    struct page_query query = {
        .order = a->order,
        .offset = (uint64_t)a->offset,
        .limit = (uint64_t)a->limit,
        .has_before = a->sent_before.given,
        .has_after = a->sent_after.given,
        .before_ns = a->sent_before.ceiling_ns,
        .after_ns = a->sent_after.floor_ns,
    };
    struct store_page page;
    enum error_kind kind;
    if (query.limit == 0) {
        query.limit = limit_max < LIMIT_DEFAULT ? limit_max : LIMIT_DEFAULT;
    }
    enum store_status status = store_page_open(call->store, &chat, &query, &page, reply_ticket(call->reply));
    if (status == STORE_OK) {
        kind = render_page(call, a->chat_id, &page);
    } else {
        kind = operation_store_error(call, status, ERROR_INTERNAL);
    }
    store_page_clear(&page);
    return kind;
}

static const struct operation_error list_errors[] = {{ERROR_NOT_FOUND, NULL}, {ERROR_NONE, NULL}};
static const struct member list_answer[] = {{.name = "messages", .type = MEMBER_OBJECT_LIST, .shape = &message_shape}};

#define EXAMPLE_MESSAGE                                                                                                \
    "{\"id\":\"hello-1\",\"author_id\":\"jane\",\"chat_id\":\"jane-john\",\"text\":\"Hello John!\","                   \
    "\"sent_at\":\"2026-11-23T00:26:48.000000001Z\"}"

static const struct operation rows[] = {
    {
        .service = "Chats",
        .name = "CreateChat",
        .effect = OPERATION_WRITES,
        .policy = POLICY_CALLER,
        .run = create_chat,
        .fields = create_fields,
        .fields_count = COUNT(create_fields),
        .args_bytes = sizeof(struct create_args),
        .about = "Makes a chat, or answers the one that these users have already.",
        .errors = create_errors,
        .answer = &(const struct shape){NULL, create_answer, COUNT(create_answer)},
        .example = "{\"id\":\"jane-john\",\"user_ids\":[\"jane\",\"john\"]}",
        .example_answer = "{\"chat\":{\"id\":\"jane-john\",\"user_ids\":[\"jane\",\"john\"],"
                          "\"created_at\":\"2026-11-23T00:26:47.042000001Z\"}}",
    },
    {
        .service = "Chats",
        .name = "SendMessage",
        .alias = "CreateMessage",
        .effect = OPERATION_WRITES,
        .policy = POLICY_CALLER,
        .run = send_message,
        .fields = send_fields,
        .fields_count = COUNT(send_fields),
        .args_bytes = sizeof(struct send_args),
        .about = "Stores a message in a chat. A 200 means that it is on the disk.",
        .errors = send_errors,
        .answer = &(const struct shape){NULL, send_answer, COUNT(send_answer)},
        .example = "{\"id\":\"hello-1\",\"chat_id\":\"jane-john\",\"author_id\":\"jane\",\"text\":\"Hello John!\"}",
        .example_answer = "{\"message\":" EXAMPLE_MESSAGE "}",
    },
    {
        .service = "Chats",
        .name = "ListMessages",
        .effect = OPERATION_READS,
        .policy = POLICY_CALLER,
        .run = list_messages,
        .fields = list_fields,
        .fields_count = COUNT(list_fields),
        .args_bytes = sizeof(struct list_args),
        .about = "Reads a page of a chat's messages.",
        .errors = list_errors,
        .answer = &(const struct shape){NULL, list_answer, COUNT(list_answer)},
        .example = "{\"chat_id\":\"jane-john\",\"limit\":10}",
        .example_answer = "{\"messages\":[" EXAMPLE_MESSAGE "]}",
    },
};

const struct operation_table chats_operations = {rows, COUNT(rows)};
