/*
 * decode: the body (JSON or form) and the query string of a request to the argument struct of an operation, driven by
 * the operation's field table; strictly, as sections 3 and 4 of the contract say.
 */
#ifndef CHATS_RPC_DECODE_H
#define CHATS_RPC_DECODE_H

#include "rpc/rpc.h"

/*
 * Reads the request's fields for `operation`, called by `caller`; config as in struct call. The checks run in this
 * order (contract, end of section 4): the form of everything (syntax, unknown fields, fields given twice, types), then
 * missing fields in the order of the table, then each field's limits.
 *
 * ERROR_NONE: *ret_args is the operation's argument struct, zeroed where a field is absent. It and what it points to
 * are the arena's or the caller's. Else *error says what and where: ERROR_INVALID_REQUEST, the error of a missing
 * field, or ERROR_UNAVAILABLE when out of memory; *ret_args is untouched.
 */
enum error_kind decode_request(const struct config *config, const struct operation *operation,
                               const struct request *request, const struct caller *caller, struct arena *arena,
                               void **ret_args, struct error *error) __attribute__((warn_unused_result));

#endif
