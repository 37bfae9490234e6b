/*
 * access: who calls. The one place where a request becomes a struct caller (contract, section 6).
 */
#ifndef CHATS_RPC_ACCESS_H
#define CHATS_RPC_ACCESS_H

#include "rpc/rpc.h"

#define ACCESS_NAMESPACE_DEFAULT "micro" /* the namespace of a call that names none */

/* In the detail of a 401: no Authorization header came at all; its token is not good. `chatsctl doctor` reads them. */
#define ACCESS_HEADER_LOST "the web server may be stripping that header"
#define ACCESS_TOKEN_REFUSED "this token is unknown, expired or revoked"

/*
 * Finds the caller of an operation and checks that its policy lets it in. ERROR_NONE: *ret_caller is filled; it borrows
 * from the request and the arena. ERROR_UNAUTHORIZED: a token is needed, or this one is not good. ERROR_FORBIDDEN: a
 * user's token where a service's is needed, or what chats.conf has switched off. ERROR_INVALID_REQUEST: the namespace
 * is no id. Other kinds come from the store. *error is set and *ret_caller untouched then.
 */
enum error_kind access_check(const struct config *config, struct store *store, const struct request *request,
                             const struct operation *operation, struct arena *arena, struct caller *ret_caller,
                             struct error *error) __attribute__((warn_unused_result));

#endif
