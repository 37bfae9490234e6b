/*
 * answer: whether what the program sent is an answer as the contract's sections 4 and 7 say, by the bytes alone.
 */
#ifndef CHATS_TESTS_FUZZ_ANSWER_H
#define CHATS_TESTS_FUZZ_ANSWER_H

#include "gateway.h"

struct answer {
    int code; /* HTTP */
    struct text head;
    struct text body;
    bool is_text; /* what Chats.Metrics answers, which two calls are not answered alike */
};

/* Takes a complete answer apart and aborts if it is not well-formed. `call` is what it answers. */
void answer_check(const struct gateway_call *call, const struct gateway_answer *got, struct answer *ret);

#endif
