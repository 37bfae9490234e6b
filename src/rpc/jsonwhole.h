/*
 * jsonwhole: whether json-c kept all of a text. Where memory runs out version 0.16 does not always say so: members are
 * left out of an object, strings end too early, and an operation would do, and acknowledge, what nobody asked for.
 */
#ifndef CHATS_RPC_JSONWHOLE_H
#define CHATS_RPC_JSONWHOLE_H

#include "base/text.h"

struct json_object;

/* True if the tree has as many values, nulls and bytes of strings as the text, which jsoncheck has let pass. */
bool jsonwhole(struct text json, struct json_object *tree) __attribute__((warn_unused_result));

#endif
