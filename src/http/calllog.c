#include "http/calllog.h"

#include "base/log.h"
#include "base/timestamp.h"
#include "service/registry.h"

void calllog_keep(struct request *request, struct reply *reply, struct arena *arena)
{
    request->address = arena_text(arena, request->address);
    reply->caller.namespace = arena_text(arena, reply->caller.namespace);
    reply->caller.account = arena_text(arena, reply->caller.account);
}

void calllog_write(const struct request *request, const struct reply *reply, uint64_t sent_bytes, bool complete)
{
    char room[REGISTRY_NAME_BYTES];
    bool went_well = reply->result == ERROR_NONE;
    const struct error_row *row = went_well ? NULL : error_row(reply->result);
    /* The longest stand last: they are what is cut. */
    const struct log_pair pairs[] = {
        {"operation", LOG_TEXT, text_of(registry_kind_name(reply->called, room)), 0},
        {"status", LOG_NUMBER, {NULL, 0}, (uint64_t)(went_well ? reply->code : row->code)},
        {"error", LOG_TEXT, text_of(went_well ? NULL : row->id), 0},
        {"broken_off", LOG_TEXT, text_of(complete ? NULL : "yes"), 0},
        {"duration_ms", LOG_MILLISECONDS, {NULL, 0}, timestamp_monotonic_ns() - request->began_ns},
        {"bytes_in", LOG_NUMBER, {NULL, 0}, request->body.bytes},
        {"bytes_out", LOG_NUMBER, {NULL, 0}, sent_bytes},
        {"address", LOG_TEXT, request->address, 0},
        {"namespace", LOG_TEXT, reply->caller.namespace, 0},
        {"account", LOG_TEXT, reply->caller.account, 0},
    };
    log_pairs("call", pairs, sizeof pairs / sizeof pairs[0]);
}
