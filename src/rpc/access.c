#include "rpc/access.h"

#include "base/crypto.h"

static enum error_kind store_error(struct error *error, enum store_status status)
{
    struct call call = {.error = error};
    return operation_store_error(&call, status, ERROR_INTERNAL);
}

/* What to do about it depends on whether the token has been lost on its way: Apache hands none on unless told. */
static enum error_kind token_needed(const struct request *request, struct error *error)
{
    return error_set(error, ERROR_UNAUTHORIZED, "a token is needed: send it as 'Authorization: Bearer TOKEN'%s",
                     request->has_authorization ? "" : "; if you did, " ACCESS_HEADER_LOST " (Apache: CGIPassAuth On)");
}

static enum error_kind read_token(const struct config *config, struct store *store, const struct request *request,
                                  const struct operation *operation, struct arena *arena, struct caller *ret_caller,
                                  struct error *error)
{
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    struct token_holder holder;
    bool does_without = operation->policy == POLICY_OPTIONAL ||
                        (operation->policy == POLICY_CALLER && config->auth == CONFIG_AUTH_OPEN);
    crypto_token_digest(request->bearer, digest);
    enum store_status status = store_token_check(store, digest, arena, &holder);
    if (status == STORE_NOT_FOUND) {
        return error_set(error, ERROR_UNAUTHORIZED, ACCESS_TOKEN_REFUSED ": %s",
                         does_without ? "get a new one, or call without an Authorization header"
                                      : "get a new one and send it as 'Authorization: Bearer TOKEN'");
    }
    if (status != STORE_OK) {
        return store_error(error, status);
    }
    bool for_services = operation->policy == POLICY_SERVICE || operation->policy == POLICY_SERVICE_OR_LOCAL;
    if (for_services && holder.type != ACCOUNT_SERVICE) {
        return error_set(error, ERROR_FORBIDDEN, "%s.%s is for services only", operation->service, operation->name);
    }
    *ret_caller = (struct caller){holder.namespace, holder.account, holder.type};
    return ERROR_NONE;
}

/* Not a page in a browser of this machine either, which is another site's program: Fetch has it say so. */
static bool is_local(const struct request *request)
{
    return request->is_local != NULL && request->origin.bytes == 0 && request->is_local(request->peer);
}

enum error_kind access_check(const struct config *config, struct store *store, const struct request *request,
                             const struct operation *operation, struct arena *arena, struct caller *ret_caller,
                             struct error *error)
{
    struct caller caller = {.namespace = TEXT_LITERAL(ACCESS_NAMESPACE_DEFAULT), .type = ACCOUNT_USER};
    switch (operation->policy) {
    case POLICY_ANYONE:
        *ret_caller = caller;
        return ERROR_NONE;
    case POLICY_OPTIONAL:
        break;
    case POLICY_CALLER:
        if (!request->has_bearer && config->auth != CONFIG_AUTH_OPEN) {
            return token_needed(request, error);
        }
        caller.type = ACCOUNT_SERVICE;
        break;
    case POLICY_TOKEN:
    case POLICY_SERVICE:
        if (!request->has_bearer) {
            return token_needed(request, error);
        }
        break;
    case POLICY_SERVICE_OR_LOCAL:
        if (config->metrics == CONFIG_METRICS_OFF) {
            return error_set(error, ERROR_FORBIDDEN, "%s.%s is switched off", operation->service, operation->name);
        }
        if (!request->has_bearer && !(config->metrics == CONFIG_METRICS_LOOPBACK && is_local(request))) {
            return token_needed(request, error);
        }
        break;
    }
    if (request->has_bearer) {
        return read_token(config, store, request, operation, arena, ret_caller, error);
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
