#include "fcgi_client.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "wire.h"

#define REQUEST_BYTES_MAX (8u << 20)

/* FastCGI specification 1.0, section 8. */
enum { FCGI_BEGIN_REQUEST = 1, FCGI_END_REQUEST = 3, FCGI_PARAMS = 4, FCGI_STDIN = 5, FCGI_STDOUT = 6 };
#define FCGI_HEADER_BYTES 8u
#define FCGI_CONTENT_BYTES_MAX 65535u

static void record_append(struct buffer *b, uint8_t type, struct text content)
{
    const uint8_t header[FCGI_HEADER_BYTES] = {
        1, type, 0, 1, (uint8_t)(content.bytes >> 8), (uint8_t)content.bytes, 0, 0,
    };
    buffer_append(b, header, sizeof header);
    buffer_append_text(b, content);
}

/* Content as records of a stream, with the empty one that ends it. */
static void stream_append(struct buffer *b, uint8_t type, struct text content)
{
    while (content.bytes > 0) {
        size_t bytes = content.bytes < FCGI_CONTENT_BYTES_MAX ? content.bytes : FCGI_CONTENT_BYTES_MAX;
        record_append(b, type, (struct text){content.data, bytes});
        content.data += bytes;
        content.bytes -= bytes;
    }
    record_append(b, type, (struct text){NULL, 0});
}

/* A name-value pair, both shorter than 128 bytes (section 3.4). */
static void param_append(struct buffer *b, const char *name, const char *value)
{
    const uint8_t lengths[2] = {(uint8_t)strlen(name), (uint8_t)strlen(value)};
    buffer_append(b, lengths, sizeof lengths);
    buffer_append_z(b, name);
    buffer_append_z(b, value);
}

static void request_append(struct buffer *b, const char *operation, struct text body)
{
    char path[96];
    char length[24];
    snprintf(path, sizeof path, "/chats/Chats/%s", operation);
    snprintf(length, sizeof length, "%zu", body.bytes);
    struct buffer params;
    buffer_init(&params, REQUEST_BYTES_MAX);
    param_append(&params, "GATEWAY_INTERFACE", "CGI/1.1");
    param_append(&params, "SERVER_PROTOCOL", "HTTP/1.1");
    param_append(&params, "REQUEST_METHOD", "POST");
    param_append(&params, "SCRIPT_NAME", "");
    param_append(&params, "PATH_INFO", path);
    param_append(&params, "QUERY_STRING", "");
    param_append(&params, "CONTENT_TYPE", "application/json");
    param_append(&params, "CONTENT_LENGTH", length);
    record_append(b, FCGI_BEGIN_REQUEST, (struct text){"\0\1\0\0\0\0\0\0", 8});
    stream_append(b, FCGI_PARAMS, (struct text){params.data, params.bytes});
    stream_append(b, FCGI_STDIN, body);
    b->failed |= params.failed;
    buffer_clear(&params);
}

static enum answer_outcome outcome_of(enum wire_result r)
{
    return r == WIRE_LATE ? ANSWER_LATE : ANSWER_BROKEN;
}

/* Moves the content of whole STDOUT records from in to out. True when END_REQUEST was met; *ret_status is its. */
static bool records_take(struct buffer *in, struct buffer *out, uint32_t *ret_status)
{
    size_t at = 0;
    bool ended = false;
    while (!ended && in->bytes - at >= FCGI_HEADER_BYTES) {
        const uint8_t *r = (const uint8_t *)in->data + at;
        size_t content_bytes = (size_t)r[4] << 8 | r[5];
        size_t bytes = FCGI_HEADER_BYTES + content_bytes + r[6];
        if (in->bytes - at < bytes)
            break;
        if (r[1] == FCGI_STDOUT)
            buffer_append(out, r + FCGI_HEADER_BYTES, content_bytes);
        if (r[1] == FCGI_END_REQUEST && content_bytes >= 8) {
            *ret_status = r[FCGI_HEADER_BYTES + 4];
            ended = true;
        }
        at += bytes;
    }
    memmove(in->data, in->data + at, in->bytes - at);
    in->bytes -= at;
    return ended;
}

static enum answer_outcome fcgi_receive(int fd, uint64_t deadline_ns, struct answer *ret)
{
    struct buffer in;
    buffer_init(&in, ANSWER_BYTES_MAX);
    enum answer_outcome outcome = ANSWER_BROKEN;
    for (;;) {
        char *room = buffer_reserve(&in, 65536);
        if (room == NULL)
            break;
        size_t bytes = 0;
        enum wire_result r = wire_receive(fd, room, 65536, deadline_ns, &bytes);
        if (r != WIRE_OK) {
            outcome = outcome_of(r);
            break;
        }
        in.bytes += bytes;
        uint32_t status = 0;
        if (records_take(&in, &ret->raw, &status)) {
            outcome = status == 0 && !ret->raw.failed ? answer_parse(ret) : ANSWER_MALFORMED;
            break;
        }
    }
    buffer_clear(&in);
    return outcome;
}

static void http_append(struct buffer *b, const char *operation, struct text body)
{
    buffer_printf(b,
                  "POST /chats/Chats/%s HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n"
                  "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                  operation, body.bytes);
    buffer_append_text(b, body);
}

static enum answer_outcome http_receive(int fd, uint64_t deadline_ns, struct answer *ret)
{
    for (;;) {
        char *room = buffer_reserve(&ret->raw, 65536);
        if (room == NULL)
            return ANSWER_MALFORMED;
        size_t bytes = 0;
        enum wire_result r = wire_receive(fd, room, 65536, deadline_ns, &bytes);
        ret->raw.bytes += bytes;
        if (r == WIRE_END)
            return answer_parse(ret) == ANSWER_WHOLE ? ANSWER_WHOLE : ANSWER_BROKEN;
        if (r != WIRE_OK)
            return outcome_of(r);
    }
}

enum answer_outcome service_call(const struct service *s, const char *operation, struct text body, struct answer *ret)
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + s->deadline_ms * UINT64_C(1000000);
    bool fcgi = s->socket_path != NULL;
    struct buffer out;
    buffer_init(&out, REQUEST_BYTES_MAX);
    buffer_reset(&ret->raw);
    enum answer_outcome outcome = ANSWER_BROKEN;
    int fd = -1;

    if (fcgi)
        request_append(&out, operation, body);
    else
        http_append(&out, operation, body);
    if (out.failed)
        goto out;
    enum wire_result r =
        fcgi ? wire_connect_unix(s->socket_path, deadline_ns, &fd) : wire_connect_port(s->port, deadline_ns, &fd);
    if (r == WIRE_OK)
        r = wire_send(fd, (struct text){out.data, out.bytes}, deadline_ns);
    /* A responder may answer before it has read all: what it says is looked at even if the sending broke. */
    if (r == WIRE_LATE || fd < 0)
        outcome = outcome_of(r);
    else
        outcome = fcgi ? fcgi_receive(fd, deadline_ns, ret) : http_receive(fd, deadline_ns, ret);
out:
    if (fd >= 0)
        close(fd);
    buffer_clear(&out);
    return outcome;
}
