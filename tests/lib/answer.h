/*
 * answer: what came back from one call, from whatever transport: status and body, or how it went wrong.
 */
#ifndef CHATS_TESTS_ANSWER_H
#define CHATS_TESTS_ANSWER_H

#include "base/buffer.h"

#define ANSWER_BYTES_MAX (256u << 20) /* the largest page: 1,000 texts of 64 KiB, every character escaped, and room */

enum answer_outcome {
    ANSWER_WHOLE,     /* code and body are set */
    ANSWER_BROKEN,    /* no connection, or it broke before the end: whether the call was done is unknown */
    ANSWER_LATE,      /* the deadline passed */
    ANSWER_MALFORMED, /* complete, and not what CGI/1.1 or HTTP/1.1 allow, or another length than announced */
    ANSWER_OUTCOMES
};

struct answer {
    struct buffer raw; /* headers and body; owned */
    int code;          /* HTTP status code */
    struct text body;  /* in raw */
};

/* A zeroed answer may be cleared. An answer may be used for the next call without clearing it. */
void answer_init(struct answer *a);
void answer_clear(struct answer *a);

/*
 * Finds status and body in a->raw: a CGI answer (RFC 3875 section 6.3, `Status: 200 OK`) or an HTTP/1.x one without
 * chunks. ANSWER_WHOLE or ANSWER_MALFORMED.
 */
enum answer_outcome answer_parse(struct answer *a) __attribute__((warn_unused_result));

/* "answered", "broken off", "late", "malformed". */
const char *answer_outcome_name(enum answer_outcome outcome);

#endif
