/*
 * jsonkey: the name of an object's member as it is spelled in JSON, where one name has many spellings ("a", "\u0061").
 */
#ifndef CHATS_RPC_JSONKEY_H
#define CHATS_RPC_JSONKEY_H

#include "base/text.h"

struct jsonkey {
    struct text spelled; /* between its quotes; checked: its escapes are whole and no surrogate is alone */
    bool escaped;        /* there are escapes: comparing bytes is not enough */
};

/* True if both spell the same name. */
bool jsonkey_equal(const struct jsonkey *a, const struct jsonkey *b);

#endif
