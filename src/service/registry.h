/*
 * registry: the list of the operation tables. To add a table, declare it here and name it in registry.c.
 */
#ifndef CHATS_SERVICE_REGISTRY_H
#define CHATS_SERVICE_REGISTRY_H

#include "service/operation.h"

extern const struct operation_table chats_operations;    /* chats.c */
extern const struct operation_table health_operations;   /* health.c */
extern const struct operation_table auth_operations;     /* auth.c */
extern const struct operation_table accounts_operations; /* accounts.c */

/* The index-th operation of all tables, NULL past the end. Lives as long as the program. */
const struct operation *registry_at(size_t index);

/* The operation that is called by this service and name (or alias), spelled as in the row; NULL if there is none. */
const struct operation *registry_find(struct text service, struct text name);

#endif
