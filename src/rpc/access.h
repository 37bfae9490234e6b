/*
 * access: who calls. The one place where a request becomes a struct caller (contract, section 6).
 */
#ifndef CHATS_RPC_ACCESS_H
#define CHATS_RPC_ACCESS_H

#include "rpc/rpc.h"

#define ACCESS_NAMESPACE_DEFAULT "micro" /* the namespace of a call that names none */

/*
 * Finds the caller of an operation. ERROR_NONE: *ret_caller is filled and borrows from the request.
 * ERROR_UNAUTHORIZED: a token is needed, or this one is not good. ERROR_INVALID_REQUEST: the namespace is no id.
 * Other kinds come from the store. *error is set and *ret_caller untouched then.
 *
 * No account can be made yet, so there is no good token.
 */
enum error_kind access_check(const struct config *config, struct store *store, const struct request *request,
                             const struct operation *operation, struct caller *ret_caller, struct error *error)
    __attribute__((warn_unused_result));

#endif
