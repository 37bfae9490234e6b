#include "http/http.h"

#include <stdlib.h>
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

/* What each of an exchange's buffers keeps for the next request: an ordinary page and its request. */
#define KEPT_BYTES_MAX 32768u

/* Longer answers are not left to others: the peer might have to read some before the rest goes into its socket. */
#define WAITING_BYTES_MAX 16384u

struct exchange {
    struct transport *transport;
    const struct config *config;
    struct store *store;
    /* Kept from one request to the next: */
    struct arena arena;
    struct buffer body; /* of the request */
    struct buffer
        head; /* of the answer: status and headers, held back to leave in one piece with the first of the body */
    struct buffer out; /* the answer's body */
    /* Of the request that is served: */
    struct request request;
    struct reply reply;
    struct reply_sink sink;
    struct rpc rpc;
    bool is_setup;       /* it was the setup page's: answered already */
    bool complete;       /* then: the page is whole */
    bool begun;          /* the server has been sent something */
    uint64_t sent_bytes; /* of the body */
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

static void request_read(struct exchange *x)
{
    struct transport *t = x->transport;
    const struct config *config = x->config;
    struct request *request = &x->request;
    const char *forwarded = config->trusted_proxies_count > 0 ? meta(t, "HTTP_X_FORWARDED_FOR") : "";
    *request = (struct request){
        .method = read_method(meta(t, "REQUEST_METHOD")),
        .mount = text_of(meta(t, "SCRIPT_NAME")),
        .path = text_of(meta(t, "PATH_INFO")),
        .query = text_of(meta(t, "QUERY_STRING")),
        .origin = text_of(meta(t, "HTTP_ORIGIN")),
        .namespace = text_of(meta(t, "HTTP_MICRO_NAMESPACE")),
        .address = client_address(config, text_of(meta(t, "REMOTE_ADDR")), text_of(forwarded)),
        .media = read_media(meta(t, "CONTENT_TYPE")),
        .is_local = exchange_is_local,
        .peer = x,
        .began_ns = timestamp_monotonic_ns(),
    };
    if (request->method == METHOD_OPTIONS) {
        request->is_preflight = *meta(t, "HTTP_ACCESS_CONTROL_REQUEST_METHOD") != '\0';
    }
    read_bearer(t, request);
    request->body_fault = read_body(t, config->body_bytes_max, &x->body);
    if (request->body_fault == BODY_READ) {
        request->body = (struct text){x->body.data, x->body.bytes};
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
    struct buffer *head = &x->head;
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
    append_cors(head, x->config, x->request.origin);
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
    if (x->head.bytes == 0) {
        return true;
    }
    x->begun = true;
    bool sent = x->transport->ops->write(x->transport, x->head.data, x->head.bytes);
    buffer_reset(&x->head);
    return sent;
}

static bool exchange_body(void *context, const char *data, size_t bytes)
{
    struct exchange *x = context;
    if (x->sink.discards || bytes == 0) {
        return true;
    }
    x->sent_bytes += bytes;
    if (x->head.bytes > 0 && bytes <= JOIN_BYTES_MAX) {
        buffer_append(&x->head, data, bytes);
        return !x->head.failed && exchange_flush(x);
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
    return x->transport->ops->write(x->transport, answer, x->sink.discards ? head_bytes : sizeof answer - 1);
}

struct exchange *exchange_new(struct transport *t, const struct config *config, struct store *store)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x == NULL) {
        t->ops->free(t);
        return NULL;
    }
    x->transport = t;
    x->config = config;
    x->store = store;
    buffer_init(&x->body, config->body_bytes_max);
    buffer_init(&x->head, HEAD_BYTES_MAX + JOIN_BYTES_MAX);
    buffer_init(&x->out, REPLY_BYTES_MAX);
    return x;
}

void exchange_free(struct exchange *x)
{
    if (x != NULL) {
        x->transport->ops->free(x->transport);
        arena_clear(&x->arena);
        buffer_clear(&x->body);
        buffer_clear(&x->head);
        buffer_clear(&x->out);
        free(x);
    }
}

bool exchange_next(struct exchange *x)
{
    return x->transport->ops->next(x->transport);
}

void exchange_interrupt(struct exchange *x, bool both_ways)
{
    x->transport->ops->interrupt(x->transport, both_ways);
}

static void exchange_recycle(struct exchange *x)
{
    arena_reset(&x->arena);
    buffer_recycle(&x->body, KEPT_BYTES_MAX);
    buffer_recycle(&x->head, KEPT_BYTES_MAX);
    buffer_recycle(&x->out, KEPT_BYTES_MAX);
}

void exchange_run(struct exchange *x)
{
    x->begun = false;
    x->sent_bytes = 0;
    request_read(x);
    x->sink = (struct reply_sink){
        .head = exchange_head,
        .body = exchange_body,
        .context = x,
        .discards = x->request.method == METHOD_HEAD,
    };
    reply_init(&x->reply, &x->sink, &x->out);
    struct store *store = home_is_exposed(x->transport, x->config) ? NULL : x->store;
    x->is_setup = setup_is_asked(&x->request, store != NULL);
    if (x->is_setup) {
        const struct setup_visit visit = {x->transport, &x->request, x->config, store, &x->arena};
        x->complete = setup_serve(&visit, &x->head);
    } else {
        rpc_run(&x->rpc, x->config, store, &x->request, &x->arena, &x->reply);
    }
}

bool exchange_waits(struct exchange *x)
{
    struct transport *t = x->transport;
    char more;
    return !x->is_setup && !x->begun && !x->reply.sweeps && rpc_waits(&x->rpc) && x->out.bytes <= WAITING_BYTES_MAX &&
           t->ops->answers_at_once != NULL && t->ops->answers_at_once(t) && t->ops->read(t, &more, 1) == 0;
}

bool exchange_answer(struct exchange *x)
{
    struct transport *t = x->transport;
    bool complete = x->is_setup ? x->complete : rpc_answer(&x->rpc);
    if (complete) {
        complete = exchange_flush(x);
    }
    if (!complete && !x->begun) {
        complete = exchange_last_resort(x);
        x->reply.result = ERROR_UNAVAILABLE;
    }
    if (!complete) {
        log_debug("an answer was broken off");
    }
    if (x->config->log_calls) {
        calllog_keep(&x->request, &x->reply, &x->arena);
    }
    t->ops->finish(t, complete);
    if (x->config->log_calls) {
        calllog_write(&x->request, &x->reply, x->sent_bytes, complete);
    }
    exchange_recycle(x);
    return x->reply.sweeps;
}
