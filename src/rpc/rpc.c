#include "rpc/rpc.h"

#include "base/json.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "rpc/access.h"
#include "rpc/bytes.h"
#include "rpc/decode.h"
#include "rpc/openapi.h"
#include "rpc/reply.h"
#include "service/registry.h"

#define NAME_BYTES_MAX 64u /* of a service or operation; a longer segment names none */

/* Takes the last non-empty segment off a path. Empty: there is none. */
static struct text take_last_segment(struct text *path)
{
    size_t end = path->bytes;
    while (end > 0 && path->data[end - 1] == '/') {
        end--;
    }
    size_t begin = end;
    while (begin > 0 && path->data[begin - 1] != '/') {
        begin--;
    }
    struct text segment = {path->data, end - begin};
    if (segment.bytes > 0) {
        segment.data += begin;
    }
    path->bytes = begin;
    return segment;
}

/* What an address names: the last two segments of mount + path. Empty: there is none. */
struct named {
    struct text service;
    struct text name;
};

static struct named read_name(const struct request *request)
{
    struct text mount = request->mount;
    struct text path = request->path;
    struct text segments[2];
    for (int i = 1; i >= 0; i--) {
        segments[i] = take_last_segment(&path);
        if (segments[i].bytes == 0) {
            segments[i] = take_last_segment(&mount);
        }
    }
    return (struct named){segments[0], segments[1]};
}

/* As a row spells it: the first letter in upper case, "create-chat" as "CreateChat". Empty: not a name. */
static struct text to_pascal_case(struct text segment, char name[NAME_BYTES_MAX])
{
    size_t bytes = 0;
    bool starts = true;
    if (segment.bytes > NAME_BYTES_MAX) {
        return (struct text){NULL, 0};
    }
    for (size_t i = 0; i < segment.bytes; i++) {
        char byte = segment.data[i];
        if (byte == '-') {
            if (starts) {
                return (struct text){NULL, 0};
            }
            starts = true;
            continue;
        }
        if (starts && byte >= 'a' && byte <= 'z') {
            byte = (char)(byte - 'a' + 'A');
        }
        name[bytes++] = byte;
        starts = false;
    }
    return starts ? (struct text){NULL, 0} : (struct text){name, bytes};
}

/* The operation of that name: contract, section 1. NULL: error is set. */
static const struct operation *find_operation(const struct named *named, struct error *error)
{
    /* Most callers spell it as the rows do. */
    const struct operation *operation = registry_find(named->service, named->name);
    if (operation != NULL) {
        return operation;
    }
    char names[2][NAME_BYTES_MAX];
    struct text service = to_pascal_case(named->service, names[0]);
    struct text name = to_pascal_case(named->name, names[1]);
    operation = service.bytes > 0 && name.bytes > 0 ? registry_find(service, name) : NULL;
    if (operation == NULL) {
        struct text first = bytes_shown(named->service);
        struct text last = bytes_shown(named->name);
        (void)error_set(error, ERROR_UNKNOWN_OPERATION, "there is no operation '%.*s%s%.*s'", (int)first.bytes,
                        first.bytes > 0 ? first.data : "", first.bytes > 0 ? "/" : "", (int)last.bytes,
                        last.bytes > 0 ? last.data : "");
    }
    return operation;
}

/* Contract, section 2. */
static enum error_kind check_method(const struct operation *operation, enum method method, struct reply *reply,
                                    struct error *error)
{
    bool reads = operation->effect == OPERATION_READS;
    if (method == METHOD_POST || (reads && (method == METHOD_GET || method == METHOD_HEAD))) {
        return ERROR_NONE;
    }
    reply->allow = reads ? "GET, HEAD, POST, OPTIONS" : "POST, OPTIONS";
    return error_set(error, ERROR_METHOD_NOT_ALLOWED, "%s.%s is called with %s", operation->service, operation->name,
                     reads ? "POST or GET" : "POST");
}

/* The description is no operation: it is read, without a token, and whatever state the store is in. */
static enum error_kind describe(const struct config *config, const struct request *request, struct reply *reply,
                                struct error *error)
{
    if (request->method != METHOD_GET && request->method != METHOD_HEAD) {
        reply->allow = "GET, HEAD, OPTIONS";
        return error_set(error, ERROR_METHOD_NOT_ALLOWED, OPENAPI_NAME " is read with GET");
    }
    openapi_append(reply_out(reply), config);
    if (reply_failed(reply)) {
        log_error(OPENAPI_NAME " does not fit into memory");
        return error_set(error, ERROR_UNAVAILABLE, "%s", "");
    }
    return ERROR_NONE;
}

static enum error_kind check_body(const struct config *config, const struct request *request, struct error *error)
{
    switch (request->body_fault) {
    case BODY_READ:
        break;
    case BODY_TOO_LARGE:
        return error_set(error, ERROR_TOO_LARGE, "the body is over the limit of %zu bytes", config->body_bytes_max);
    case BODY_CUT_SHORT:
        return error_set(error, ERROR_INVALID_REQUEST, "the body ended before its announced length");
    case BODY_BAD_LENGTH:
        return error_set(error, ERROR_INVALID_REQUEST, "header 'Content-Length' must be a number of bytes");
    case BODY_NO_MEMORY:
        return error_set(error, ERROR_UNAVAILABLE, "%s", "");
    }
    if (request->media == MEDIA_MULTIPART) {
        return error_set(error, ERROR_UNSUPPORTED_MEDIA_TYPE,
                         "multipart/form-data is not read: send a JSON object or an urlencoded form");
    }
    return ERROR_NONE;
}

/* All checks in the contract's order (end of section 4), then the handler. */
static enum error_kind run(struct call *call, const struct request *request, const struct operation *operation)
{
    void *args = NULL;
    enum error_kind kind = check_method(operation, request->method, call->reply, call->error);
    if (kind == ERROR_NONE && call->store == NULL) {
        kind = error_set(call->error, ERROR_UNAVAILABLE, "%s", "");
    }
    if (kind == ERROR_NONE) {
        kind = check_body(call->config, request, call->error);
    }
    if (kind == ERROR_NONE) {
        kind = access_check(call->config, call->store, request, operation, call->arena, &call->caller, call->error);
    }
    if (kind == ERROR_NONE) {
        kind = decode_request(call->config, operation, request, &call->caller, call->arena, &args, call->error);
    }
    if (kind == ERROR_NONE) {
        call->reply->sweeps = operation->sweeps;
        call->reply->media = operation->media;
        kind = operation->run(call, args);
    }
    if (kind == ERROR_NONE && reply_failed(call->reply)) {
        log_error("%s.%s: an answer does not fit into memory", operation->service, operation->name);
        kind = error_set(call->error, ERROR_UNAVAILABLE, "%s", "");
    }
    if (kind != ERROR_NONE && !operation_may_answer(operation, kind)) {
        log_error("%s.%s: %s is not among the errors of its row", operation->service, operation->name,
                  error_row(kind)->id);
    }
    return kind;
}

void rpc_append_error(struct buffer *out, enum error_kind kind, const char *detail)
{
    const struct error_row *row = error_row(kind);
    buffer_printf(out, "{\"Id\":\"%s\",\"Code\":%d,\"Detail\":", row->id, row->code);
    /* A detail may quote a path, which is of any bytes. */
    json_append_bytes(out, text_of(detail != NULL && detail[0] != '\0' ? detail : row->detail));
    buffer_printf(out, ",\"Status\":\"%s\"}", row->status);
}

static void render_error(struct reply *reply, const struct error *error)
{
    const struct error_row *row = error_row(error->kind);
    reply_restart(reply);
    reply->code = row->code;
    reply->status = row->status;
    reply->retry_s = error->retry_s > 0 ? error->retry_s : row->retry_s;
    reply->challenge = error->kind == ERROR_UNAUTHORIZED;
    reply->media = NULL;
    rpc_append_error(reply_out(reply), error->kind, error->detail);
}

/* Before the end of the answer leaves: who has it finds it counted. A home that is not open counts nothing. */
static void count_call(const struct rpc *rpc)
{
    const struct call *call = &rpc->call;
    struct reply *reply = call->reply;
    reply->result = rpc->kind;
    reply->caller = call->caller;
    if (call->store != NULL) {
        figures_call(store_figures(call->store), reply->called, rpc->kind,
                     timestamp_monotonic_ns() - rpc->request->began_ns);
    }
}

void rpc_run(struct rpc *rpc, const struct config *config, struct store *store, const struct request *request,
             struct arena *arena, struct reply *reply)
{
    *rpc = (struct rpc){
        .request = request,
        .error = {.kind = ERROR_NONE},
        .kind = ERROR_UNKNOWN_OPERATION,
        .call =
            {
                .config = config,
                .store = store,
                .address = request->address,
                .arena = arena,
                .reply = reply,
                .error = &rpc->error,
            },
    };
    reply->store = store;
    struct named named = read_name(request);
    bool described = text_equal(named.name, TEXT_LITERAL(OPENAPI_NAME));
    rpc->operation = described ? NULL : find_operation(&named, &rpc->error);
    /* A browser's is answered whatever it asks for: else the page is told of a network error, not what was wrong. */
    if (request->method == METHOD_OPTIONS && (rpc->operation != NULL || described || request->is_preflight)) {
        reply->code = 204;
        reply->status = "No Content";
        reply->called = FIGURES_PREFLIGHT;
        rpc->kind = ERROR_NONE;
    } else if (described) {
        reply->called = FIGURES_DESCRIPTION;
        rpc->kind = describe(config, request, reply, &rpc->error);
    } else if (rpc->operation != NULL) {
        reply->called = registry_kind(rpc->operation);
        rpc->kind = run(&rpc->call, request, rpc->operation);
    } else {
        reply->called = FIGURES_UNKNOWN;
    }
}

bool rpc_waits(const struct rpc *rpc)
{
    const struct reply *reply = rpc->call.reply;
    return reply->ticket.number != 0 && !store_is_settled(reply->store, &reply->ticket);
}

bool rpc_answer(struct rpc *rpc)
{
    struct reply *reply = rpc->call.reply;
    enum store_status status = reply_settle(reply);
    if (status != STORE_OK) {
        rpc->kind = operation_store_error(&rpc->call, status, ERROR_INTERNAL);
        reply->ticket = (struct store_ticket){0}; /* what leaves now tells nothing of what may be stored */
    }
    count_call(rpc);
    if (rpc->kind != ERROR_NONE) {
        if (rpc->operation != NULL && !reply_is_unsent(reply)) {
            log_error("%s.%s: an answer is broken off: %s", rpc->operation->service, rpc->operation->name,
                      error_row(rpc->kind)->id);
            reply_break(reply);
            return false;
        }
        rpc->error.kind = rpc->kind;
        render_error(reply, &rpc->error);
    }
    return reply_finish(reply);
}
