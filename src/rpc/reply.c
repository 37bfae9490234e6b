#include "rpc/reply.h"

#include "base/log.h"

void reply_init(struct reply *reply, const struct reply_sink *sink, struct buffer *out)
{
    *reply = (struct reply){.code = 200, .status = "OK", .mode = REPLY_GATHER, .sink = sink, .out = out};
}

struct buffer *reply_out(struct reply *reply)
{
    return reply->out;
}

struct store_ticket *reply_ticket(struct reply *reply)
{
    return &reply->ticket;
}

enum store_status reply_settle(struct reply *reply)
{
    enum store_status status = reply->ticket.number == 0 ? STORE_OK : store_wait(reply->store, &reply->ticket);
    if (status == STORE_OK) {
        reply->ticket = (struct store_ticket){0};
    }
    return status;
}

bool reply_is_unsent(const struct reply *reply)
{
    return reply->mode == REPLY_GATHER || reply->mode == REPLY_MEASURE;
}

void reply_restart(struct reply *reply)
{
    buffer_reset(reply->out);
    reply->mode = REPLY_GATHER;
    reply->measured_bytes = 0;
    reply->sent_bytes = 0;
}

bool reply_failed(const struct reply *reply)
{
    return reply_is_unsent(reply) && reply->out->failed;
}

void reply_break(struct reply *reply)
{
    reply->mode = REPLY_BROKEN;
}

static void send_head(struct reply *reply, uint64_t bytes)
{
    if (reply_settle(reply) != STORE_OK || !reply->sink->head(reply->sink->context, reply, bytes)) {
        reply_break(reply);
    }
}

/* Hands on what has gathered. */
static void send_gathered(struct reply *reply)
{
    struct buffer *out = reply->out;
    if (out->failed) {
        log_error("an answer is broken off: out of memory, or an item of more than %u bytes", REPLY_ITEM_BYTES_MAX);
        reply_break(reply);
    }
    if (reply->mode == REPLY_REPLAY && out->bytes > reply->measured_bytes - reply->sent_bytes) {
        log_error("an answer is broken off: its second rendering is longer than its first");
        reply_break(reply);
    }
    if (reply->mode == REPLY_BROKEN) {
        return;
    }
    reply->sent_bytes += out->bytes;
    if (out->bytes > 0 && !reply->sink->discards && !reply->sink->body(reply->sink->context, out->data, out->bytes)) {
        reply_break(reply);
    }
    buffer_reset(out);
}

static void measure_gathered(struct reply *reply)
{
    reply->measured_bytes += reply->out->bytes;
    buffer_reset(reply->out);
}

bool reply_flush(struct reply *reply)
{
    struct buffer *out = reply->out;
    if (reply_failed(reply)) {
        return false;
    }
    switch (reply->mode) {
    case REPLY_GATHER:
        if (out->bytes <= REPLY_WHOLE_BYTES_MAX) {
            break;
        }
        reply->mode = REPLY_MEASURE;
        measure_gathered(reply);
        break;
    case REPLY_MEASURE:
        measure_gathered(reply);
        break;
    case REPLY_REPLAY:
        if (out->failed || out->bytes >= REPLY_CHUNK_BYTES) {
            send_gathered(reply);
        }
        break;
    case REPLY_BROKEN:
        break;
    }
    return reply->mode != REPLY_BROKEN;
}

bool reply_wants_again(struct reply *reply)
{
    if (reply->mode != REPLY_MEASURE || reply->sink->discards || reply->out->failed ||
        reply_settle(reply) != STORE_OK) {
        return false;
    }
    measure_gathered(reply);
    reply->mode = REPLY_REPLAY;
    send_head(reply, reply->measured_bytes);
    return reply->mode == REPLY_REPLAY;
}

bool reply_finish(struct reply *reply)
{
    switch (reply->mode) {
    case REPLY_GATHER:
        send_head(reply, reply->out->bytes);
        send_gathered(reply);
        break;
    case REPLY_MEASURE:
        if (!reply->sink->discards) {
            log_error("an answer is broken off: its handler does not render it again");
            reply_break(reply);
            break;
        }
        measure_gathered(reply);
        send_head(reply, reply->measured_bytes);
        break;
    case REPLY_REPLAY:
        send_gathered(reply);
        if (reply->mode == REPLY_REPLAY && reply->sent_bytes != reply->measured_bytes) {
            log_error("an answer is broken off: its second rendering is shorter than its first");
            reply_break(reply);
        }
        break;
    case REPLY_BROKEN:
        break;
    }
    return reply->mode != REPLY_BROKEN;
}
