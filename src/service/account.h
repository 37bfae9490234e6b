/*
 * account: an account as the operations of Auth and Accounts answer it.
 */
#ifndef CHATS_SERVICE_ACCOUNT_H
#define CHATS_SERVICE_ACCOUNT_H

#include "service/operation.h"

/* Appends "id", "type" and "issuer", which is the account's namespace: the members of account_shape, without braces. */
void account_append(struct buffer *out, struct text id, enum account_type type, struct text issuer);

extern const struct shape account_shape;

#endif
