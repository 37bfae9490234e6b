/*
 * registry: the list of the operation tables. To add a table, declare it here and name it in registry.c, at the end:
 * what Chats.Metrics counts is kept by an operation's place in the list, and processes of two versions may count at
 * once (bdb/gate.h, GATE_LAYOUT).
 */
#ifndef CHATS_SERVICE_REGISTRY_H
#define CHATS_SERVICE_REGISTRY_H

#include "service/operation.h"

extern const struct operation_table chats_operations;    /* chats.c */
extern const struct operation_table health_operations;   /* health.c */
extern const struct operation_table auth_operations;     /* auth.c */
extern const struct operation_table accounts_operations; /* accounts.c */
extern const struct operation_table metrics_operations;  /* metrics.c */

/* The index-th operation of all tables, NULL past the end. Lives as long as the program. */
const struct operation *registry_at(size_t index);

#define REGISTRY_NAME_BYTES 100u /* with the NUL */

/* Which of the kinds of calls in base/figures.h this operation is: FIGURES_OPERATION and its place in the list. */
size_t registry_kind(const struct operation *operation);

/* What a kind of call is named where calls are counted and logged; NULL past the last. In ret, or the program's. */
const char *registry_kind_name(size_t kind, char ret[REGISTRY_NAME_BYTES]);

/* The operation that is called by this service and name (or alias), spelled as in the row; NULL if there is none. */
const struct operation *registry_find(struct text service, struct text name);

#endif
