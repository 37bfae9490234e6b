/*
 * fields: an operation's decoded arguments, looked at through its field table: whether they keep the contract's limits,
 * whether two are the same, and how a client would write them.
 */
#ifndef CHATS_TESTS_FIELDS_H
#define CHATS_TESTS_FIELDS_H

#include "base/buffer.h"
#include "service/operation.h"

/* Aborts unless each argument is what its row allows, and those that must be there are. */
void fields_check(const struct operation *operation, const void *args);

/* Aborts if an argument that is secret is there. */
void fields_check_no_secret(const struct operation *operation, const void *args);

bool fields_equal(const struct operation *operation, const void *a, const void *b);

/* Appends the arguments as a body: a JSON object, or a form in which every byte of a value is escaped. */
void fields_to_json(const struct operation *operation, const void *args, struct buffer *ret);
void fields_to_form(const struct operation *operation, const void *args, struct buffer *ret);

#endif
