#include "rpc/access.h"

enum error_kind access_check(const struct config *config, struct store *store, const struct request *request,
                             const struct operation *operation, struct caller *ret_caller, struct error *error)
{
    struct caller caller = {
        .namespace = TEXT_LITERAL(ACCESS_NAMESPACE_DEFAULT),
        .account = {NULL, 0},
        .type = ACCOUNT_SERVICE,
    };
    (void)store; /* where tokens will be looked up */
    if (operation->policy == POLICY_ANYONE) {
        *ret_caller = caller;
        return ERROR_NONE;
    }
    if (request->has_bearer) {
        return error_set(error, ERROR_UNAUTHORIZED, "this token is not known here: %s",
                         config->auth == CONFIG_AUTH_OPEN
                             ? "get a new one, or call without an Authorization header"
                             : "get a new one and send it as 'Authorization: Bearer TOKEN'");
    }
    if (config->auth != CONFIG_AUTH_OPEN) {
        return error_set(error, ERROR_UNAUTHORIZED, "a token is needed: send it as 'Authorization: Bearer TOKEN'");
    }
    if (request->namespace.bytes > 0) {
        if (!text_is_id(request->namespace)) {
            return error_set(error, ERROR_INVALID_REQUEST,
                             "header 'Micro-Namespace' must be 1 to %u bytes of UTF-8 without control characters",
                             TEXT_ID_BYTES_MAX);
        }
        caller.namespace = request->namespace;
    }
    *ret_caller = caller;
    return ERROR_NONE;
}
