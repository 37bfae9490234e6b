#include "service/operation.h"

#include "base/log.h"

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
