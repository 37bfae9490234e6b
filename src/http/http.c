#include "http/http.h"

#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/text.h"
#include "base/timestamp.h"
#include "http/calllog.h"
#include "http/client.h"
#include "http/setup.h"
#include "rpc/rpc.h"

/* How much of a body that is too large is read: a server that cannot hand it over reports a broken connection. */
#define DRAIN_BYTES_MAX 67108864u

#define READ_BYTES 16384u

/* Status and headers of any reply fit several times over; only an origin from chats.conf has a length of its own. */
#define HEAD_BYTES_MAX 8192u

/* What is longer goes out after the head instead of being copied behind it. */
#define JOIN_BYTES_MAX 65536u

/* What each of a workspace's buffers keeps for the next request: an ordinary page and its request. */
#define KEPT_BYTES_MAX 32768u

/* One request on its way through: the context of the reply's sink. */
struct exchange {
    struct transport *transport;
    const struct config *config;
    struct text origin;
    bool discards;
    bool begun;          /* the server has been sent something */
    uint64_t sent_bytes; /* of the body */
    struct buffer *head; /* status and headers, held back to leave in one piece with the first of the body */
};

static const char *meta(struct transport *t, const char *name)
{
    const char *value = t->ops->getenv(t, name);
    return value ? value : "";
}

static enum method read_method(const char *name)
{
    if (strcmp(name, "POST") == 0) {
        return METHOD_POST;
    }
    if (strcmp(name, "GET") == 0) {
        return METHOD_GET;
    }
    if (strcmp(name, "HEAD") == 0) {
        return METHOD_HEAD;
    }
    if (strcmp(name, "OPTIONS") == 0) {
        return METHOD_OPTIONS;
    }
    return METHOD_OTHER;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static bool equal_ignoring_case(struct text t, const char *z)
{
    return t.bytes == strlen(z) && strncasecmp(t.data, z, t.bytes) == 0;
}

static enum media_type read_media(const char *content_type)
{
    struct text type = text_trimmed((struct text){content_type, strcspn(content_type, ";")});
    if (equal_ignoring_case(type, "application/x-www-form-urlencoded")) {
        return MEDIA_FORM;
    }
    if (equal_ignoring_case(type, "multipart/form-data")) {
        return MEDIA_MULTIPART;
    }
    return MEDIA_JSON;
}

/* The token of "Authorization: Bearer" (RFC 6750 section 2.1); the scheme is read in any case (RFC 9110 section 11.1).
 */
static void read_bearer(struct transport *t, struct request *request)
{
    const char *value = meta(t, "HTTP_AUTHORIZATION");
    /* Where Apache hands the header on by a rewrite rule, its own redirect renames it. */
    if (*value == '\0') {
        value = meta(t, "REDIRECT_HTTP_AUTHORIZATION");
    }
    request->has_authorization = *value != '\0';
    struct text rest = text_trimmed(text_of(value));
    struct text scheme = {rest.data, 0};
    while (scheme.bytes < rest.bytes && !is_space(rest.data[scheme.bytes])) {
        scheme.bytes++;
    }
    if (!equal_ignoring_case(scheme, "bearer")) {
        return;
    }
    request->has_bearer = true;
    request->bearer = text_trimmed((struct text){rest.data + scheme.bytes, rest.bytes - scheme.bytes});
}

static void drain(struct transport *t)
{
    char unwanted[READ_BYTES];
    size_t total = 0;
    ssize_t bytes;
    while (total < DRAIN_BYTES_MAX && (bytes = t->ops->read(t, unwanted, sizeof unwanted)) > 0) {
        total += (size_t)bytes;
    }
}

/* Reads `bytes` bytes: as many as were announced. */
static enum body_fault read_announced(struct transport *t, size_t bytes, struct buffer *body)
{
    char *at = buffer_reserve(body, bytes);
    if (!at) {
        return BODY_NO_MEMORY;
    }
    while (body->bytes < bytes) {
        ssize_t part = t->ops->read(t, at + body->bytes, bytes - body->bytes);
        if (part <= 0) {
            return BODY_CUT_SHORT;
        }
        body->bytes += (size_t)part;
    }
    return BODY_READ;
}

/* Reads a body without an announced length to its end. */
static enum body_fault read_to_end(struct transport *t, size_t bytes_max, struct buffer *body)
{
    char part[READ_BYTES];
    ssize_t bytes;
    while ((bytes = t->ops->read(t, part, sizeof part)) > 0) {
        if ((size_t)bytes > bytes_max - body->bytes) {
            drain(t);
            return BODY_TOO_LARGE;
        }
        buffer_append(body, part, (size_t)bytes);
        if (body->failed) {
            return BODY_NO_MEMORY;
        }
    }
    return bytes == 0 ? BODY_READ : BODY_CUT_SHORT;
}

static enum body_fault read_body(struct transport *t, size_t bytes_max, struct buffer *body)
{
    const char *length = meta(t, "CONTENT_LENGTH");
    if (*length == '\0') {
        return read_to_end(t, bytes_max, body);
    }
    if (length[strspn(length, "0123456789")] != '\0') {
        return BODY_BAD_LENGTH;
    }
    size_t bytes = 0;
    for (; *length != '\0'; length++) {
        bytes = bytes * 10 + (size_t)(*length - '0');
        if (bytes > bytes_max) {
            drain(t);
            return BODY_TOO_LARGE;
        }
    }
    return bytes == 0 ? BODY_READ : read_announced(t, bytes, body);
}

static const char *exchange_meta(void *context, const char *name)
{
    const struct exchange *x = context;
    return meta(x->transport, name);
}

/* Asked for where it matters: looking a header up takes as long as looking through all of them. */
static bool exchange_is_local(void *context)
{
    const struct exchange *x = context;
    return client_is_local(x->config, exchange_meta, context);
}

static void request_read(struct exchange *x, struct buffer *body, struct request *request)
{
    struct transport *t = x->transport;
    const struct config *config = x->config;
    const char *forwarded = config->trusted_proxies_count > 0 ? meta(t, "HTTP_X_FORWARDED_FOR") : "";
    *request = (struct request){
        .method = read_method(meta(t, "REQUEST_METHOD")),
        .mount = text_of(meta(t, "SCRIPT_NAME")),
        .path = text_of(meta(t, "PATH_INFO")),
        .query = text_of(meta(t, "QUERY_STRING")),
        .origin = text_of(meta(t, "HTTP_ORIGIN")),
        .is_preflight = *meta(t, "HTTP_ACCESS_CONTROL_REQUEST_METHOD") != '\0',
        .namespace = text_of(meta(t, "HTTP_MICRO_NAMESPACE")),
        .address = client_address(config, text_of(meta(t, "REMOTE_ADDR")), text_of(forwarded)),
        .media = read_media(meta(t, "CONTENT_TYPE")),
        .is_local = exchange_is_local,
        .peer = x,
        .began_ns = timestamp_monotonic_ns(),
    };
    read_bearer(t, request);
    request->body_fault = read_body(t, config->body_bytes_max, body);
    if (request->body_fault == BODY_READ) {
        request->body = (struct text){body->data, body->bytes};
    }
}

/* A home that the server would serve the files of is not used. */
static bool home_is_exposed(struct transport *t, const struct config *config)
{
    return docroot_holds(&t->docroots[0], meta(t, "DOCUMENT_ROOT"), config->home) ||
           docroot_holds(&t->docroots[1], meta(t, "CONTEXT_DOCUMENT_ROOT"), config->home) ||
           docroot_holds_beside(&t->docroots[2], meta(t, "SCRIPT_FILENAME"), config->home);
}

/* Contract, section 7. Credentials are never allowed: tokens travel in a header that the page sets itself. */
static void append_cors(struct buffer *head, const struct config *config, struct text origin)
{
    if (config->origins_count == 0) {
        buffer_append_z(head, "Access-Control-Allow-Origin: *\r\n");
        return;
    }
    /* Also where the origin is not on the list, or a cache would give that answer to one that is. */
    buffer_append_z(head, "Vary: Origin\r\n");
    for (size_t i = 0; i < config->origins_count; i++) {
        if (text_equal(origin, text_of(config->origins[i]))) {
            buffer_printf(head, "Access-Control-Allow-Origin: %s\r\n", config->origins[i]);
            return;
        }
    }
}

static bool exchange_head(void *context, const struct reply *reply, uint64_t bytes)
{
    struct exchange *x = context;
    struct buffer *head = x->head;
    buffer_append_z(head, "Status: ");
    buffer_append_number(head, (uint64_t)reply->code);
    buffer_append_z(head, " ");
    buffer_append_z(head, reply->status);
    if (reply->code == 204) {
        buffer_append_z(head, "\r\n"
                              "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                              "Access-Control-Allow-Headers: Authorization, Content-Type, Micro-Namespace\r\n"
                              "Access-Control-Max-Age: 86400\r\n");
    } else {
        buffer_append_z(head, "\r\n"
                              "Content-Type: ");
        buffer_append_z(head, reply->media != NULL ? reply->media : "application/json");
        buffer_append_z(head, "\r\n"
                              "Content-Length: ");
        buffer_append_number(head, bytes);
        buffer_append_z(head, "\r\n");
    }
    buffer_append_z(head, "Cache-Control: no-store\r\n"
                          "X-Content-Type-Options: nosniff\r\n");
    append_cors(head, x->config, x->origin);
    if (reply->allow) {
        buffer_printf(head, "Allow: %s\r\n", reply->allow);
    }
    if (reply->retry_s > 0) {
        buffer_printf(head, "Retry-After: %u\r\n", reply->retry_s);
    }
    if (reply->challenge) {
        buffer_append_z(head, "WWW-Authenticate: Bearer\r\n");
    }
    buffer_append_z(head, "\r\n");
    return !head->failed;
}

static bool exchange_flush(struct exchange *x)
{
    if (x->head->bytes == 0) {
        return true;
    }
    x->begun = true;
    bool sent = x->transport->ops->write(x->transport, x->head->data, x->head->bytes);
    buffer_reset(x->head);
    return sent;
}

static bool exchange_body(void *context, const char *data, size_t bytes)
{
    struct exchange *x = context;
    if (x->discards || bytes == 0) {
        return true;
    }
    x->sent_bytes += bytes;
    if (x->head->bytes > 0 && bytes <= JOIN_BYTES_MAX) {
        buffer_append(x->head, data, bytes);
        return !x->head->failed && exchange_flush(x);
    }
    return exchange_flush(x) && x->transport->ops->write(x->transport, data, bytes);
}

/* Where there is no memory for any other answer. */
static bool exchange_last_resort(struct exchange *x)
{
    static const char answer[] = "Status: 503 Service Unavailable\r\n"
                                 "Content-Type: application/json\r\n"
                                 "Content-Length: 102\r\n"
                                 "Cache-Control: no-store\r\n"
                                 "Retry-After: 1\r\n"
                                 "\r\n"
                                 "{\"Id\":\"UNAVAILABLE\",\"Code\":503,\"Detail\":\"The service is out of memory\","
                                 "\"Status\":\"Service Unavailable\"}";
    size_t head_bytes = (size_t)(strchr(answer, '{') - answer);
    return x->transport->ops->write(x->transport, answer, x->discards ? head_bytes : sizeof answer - 1);
}

void workspace_init(struct workspace *w, const struct config *config)
{
    *w = (struct workspace){0};
    buffer_init(&w->body, config->body_bytes_max);
    buffer_init(&w->head, HEAD_BYTES_MAX + JOIN_BYTES_MAX);
    buffer_init(&w->out, REPLY_BYTES_MAX);
}

static void workspace_recycle(struct workspace *w)
{
    arena_reset(&w->arena);
    buffer_recycle(&w->body, KEPT_BYTES_MAX);
    buffer_recycle(&w->head, KEPT_BYTES_MAX);
    buffer_recycle(&w->out, KEPT_BYTES_MAX);
}

void workspace_clear(struct workspace *w)
{
    arena_clear(&w->arena);
    buffer_clear(&w->body);
    buffer_clear(&w->head);
    buffer_clear(&w->out);
}

bool http_serve(struct transport *t, const struct config *config, struct store *store, struct workspace *w)
{
    struct exchange x = {.transport = t, .config = config, .head = &w->head};
    struct request request;
    struct reply reply;
    request_read(&x, &w->body, &request);
    x.origin = request.origin;
    x.discards = request.method == METHOD_HEAD;

    const struct reply_sink sink = {
        .head = exchange_head,
        .body = exchange_body,
        .context = &x,
        .discards = x.discards,
    };
    reply_init(&reply, &sink, &w->out);
    bool complete;
    store = home_is_exposed(t, config) ? NULL : store;
    if (setup_is_asked(&request, store != NULL)) {
        const struct setup_visit visit = {t, &request, config, store, &w->arena};
        complete = setup_serve(&visit, x.head);
    } else {
        complete = rpc_serve(config, store, &request, &w->arena, &reply);
    }
    if (complete) {
        complete = exchange_flush(&x);
    }
    if (!complete && !x.begun) {
        complete = exchange_last_resort(&x);
        reply.result = ERROR_UNAVAILABLE;
    }
    if (!complete) {
        log_debug("an answer was broken off");
    }
    if (config->log_calls) {
        calllog_keep(&request, &reply, &w->arena);
    }
    t->ops->finish(t, complete);
    if (config->log_calls) {
        calllog_write(&request, &reply, x.sent_bytes, complete);
    }
    workspace_recycle(w);
    return reply.sweeps;
}
