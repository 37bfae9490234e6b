#include "base/status.h"

const char *store_status_name(enum store_status status)
{
    switch (status) {
    case STORE_OK:
        return "ok";
    case STORE_NOT_FOUND:
        return "not found";
    case STORE_EXISTS:
        return "exists";
    case STORE_CONFLICT:
        return "conflict";
    case STORE_FULL:
        return "full";
    case STORE_UNAVAILABLE:
        return "unavailable";
    case STORE_CORRUPT:
        return "corrupt";
    case STORE_NO_MEMORY:
        return "no memory";
    }
    return "unknown status";
}
