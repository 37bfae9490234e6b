#include "service/operation.h"

#include "base/log.h"

int64_t operation_field_max(const struct field *field, const struct config *config)
{
    return field->page_limit ? (int64_t)config->limit_max : field->max;
}

static bool is_own_error(const struct operation *operation, enum error_kind kind)
{
    const struct operation_error *own = operation->errors;
    for (; own != NULL && own->kind != ERROR_NONE; own++) {
        if (own->kind == kind) {
            return true;
        }
    }
    for (size_t i = 0; i < operation->fields_count; i++) {
        if (operation->fields[i].missing == kind) {
            return true;
        }
    }
    return false;
}

bool operation_may_answer(const struct operation *operation, enum error_kind kind)
{
    switch (kind) {
    case ERROR_NONE:
    case ERROR_UNKNOWN_OPERATION:
    case ERROR_KINDS:
        return false;
    case ERROR_METHOD_NOT_ALLOWED:
    case ERROR_INVALID_REQUEST:
    case ERROR_TOO_LARGE:
    case ERROR_UNSUPPORTED_MEDIA_TYPE:
    case ERROR_DATABASE:
    case ERROR_INTERNAL:
    case ERROR_UNAVAILABLE:
    case ERROR_INSUFFICIENT_STORAGE:
        return true;
    case ERROR_UNAUTHORIZED:
        return operation->policy != POLICY_ANYONE;
    case ERROR_FORBIDDEN:
        return operation->policy == POLICY_SERVICE || operation->policy == POLICY_SERVICE_OR_LOCAL ||
               is_own_error(operation, kind);
    case ERROR_MISSING_USER_IDS:
    case ERROR_MISSING_AUTHOR_ID:
    case ERROR_MISSING_CHAT_ID:
    case ERROR_MISSING_TEXT:
    case ERROR_NOT_FOUND:
    case ERROR_CHAT_ID_CONFLICT:
    case ERROR_MESSAGE_ID_CONFLICT:
    case ERROR_ACCOUNT_EXISTS:
    case ERROR_TOO_MANY_REQUESTS:
        break;
    }
    return is_own_error(operation, kind);
}

enum error_kind operation_store_error(struct call *call, enum store_status status, enum error_kind conflict)
{
    enum error_kind kind = ERROR_INTERNAL;
    switch (status) {
    case STORE_NOT_FOUND:
        kind = ERROR_NOT_FOUND;
        break;
    case STORE_CONFLICT:
        kind = conflict;
        break;
    case STORE_FULL:
        kind = ERROR_INSUFFICIENT_STORAGE;
        break;
    case STORE_UNAVAILABLE:
    case STORE_NO_MEMORY:
        kind = ERROR_UNAVAILABLE;
        break;
    case STORE_CORRUPT:
        kind = ERROR_DATABASE;
        break;
    case STORE_OK:
    case STORE_EXISTS:
        log_error("store status '%s' was taken for an error", store_status_name(status));
        break;
    }
    return error_set(call->error, kind, "%s", "");
}
