/*
 * schema: what an operation takes and answers as JSON Schema (2020-12, the dialect of OpenAPI 3.1), from its fields and
 * its shape. A schema cannot count bytes: lengths in it are what no valid value breaks, and the description has the
 * rest.
 */
#ifndef CHATS_RPC_SCHEMA_H
#define CHATS_RPC_SCHEMA_H

#include "base/buffer.h"
#include "service/operation.h"

/* One field's values, where config says how many messages a page may have. */
void schema_append_field(struct buffer *out, const struct config *config, const struct field *field);

/* True if a call without the field is refused, whoever calls. */
bool schema_is_required(const struct field *field) __attribute__((warn_unused_result));

/* The object of all fields of an operation. */
void schema_append_fields(struct buffer *out, const struct config *config, const struct operation *operation);

/* The object of a shape's members; of no shape: an empty object. Shapes with names are referred to. */
void schema_append_shape(struct buffer *out, const struct shape *shape);

/* The members of components/schemas: what the above refer to. Each named shape of the registry's operations once. */
void schema_append_named(struct buffer *out);

#endif
