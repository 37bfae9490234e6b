/*
 * openapi: the service's own description, an OpenAPI 3.1 document made of the operation tables, from which clients are
 * generated. It lies at any address that ends with OPENAPI_NAME and refers to the operations relative to that, so that
 * it holds behind every mount. Requests are described as they are best made: in JSON, in snake_case; what else is read
 * is in section 3 of the contract.
 */
#ifndef CHATS_RPC_OPENAPI_H
#define CHATS_RPC_OPENAPI_H

#include "base/buffer.h"
#include "base/config.h"

#define OPENAPI_NAME "openapi.json"

/* Members of its "info": build.h's id, "" where there is none, and max_body in bytes. `chatsctl doctor` reads them. */
#define OPENAPI_BUILD "x-build"
#define OPENAPI_BODY_MAX "x-max-body"

/* Appends the document, about 60 KiB of JSON, with the limits of this configuration. */
void openapi_append(struct buffer *out, const struct config *config);

#endif
