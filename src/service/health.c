#include "service/registry.h"

#include "base/log.h"

/* Chats.Health: well only if the store answers. Out of service is a 500, as everywhere; any other answer is a 503. */
static enum error_kind health(struct call *call, const void *args)
{
    (void)args;
    enum store_status status = store_ping(call->store);
    if (status != STORE_OK) {
        log_warning("health: the store does not answer: %s", store_status_name(status));
        return error_set(call->error, status == STORE_CORRUPT ? ERROR_DATABASE : ERROR_UNAVAILABLE, "%s", "");
    }
    buffer_append_z(reply_out(call->reply), "{\"status\":\"ok\"}");
    return ERROR_NONE;
}

static const struct member answer[] = {{.name = "status", .type = MEMBER_STRING}};

static const struct operation rows[] = {
    {
        .service = "Chats",
        .name = "Health",
        .effect = OPERATION_READS,
        .policy = POLICY_ANYONE,
        .run = health,
        .about = "Says whether the service works: it looks at its store.",
        .answer = &(const struct shape){NULL, answer, sizeof(answer) / sizeof(answer[0])},
        .example_answer = "{\"status\":\"ok\"}",
    },
};

const struct operation_table health_operations = {rows, sizeof(rows) / sizeof(rows[0])};
