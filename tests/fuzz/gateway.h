/*
 * gateway: what a web server does for one request: meta-variables and a body in, the answer's bytes out. Over the
 * program's own CGI transport (src/http/cgi.c: environment, descriptors 0 and 1), or over one in memory, whose peer may
 * send its body in parts and go away.
 */
#ifndef CHATS_TESTS_GATEWAY_H
#define CHATS_TESTS_GATEWAY_H

#include "base/buffer.h"
#include "http/transport.h"

#define GATEWAY_VARIABLES_MAX 40u

struct gateway_call {
    char *variables[GATEWAY_VARIABLES_MAX + 1]; /* "NAME=value", NULL at the end */
    struct text body;
    bool in_memory;
    size_t chunk_bytes; /* in memory: at most this much is read at once; 1 or more */
    size_t peer_takes;  /* in memory: the peer is gone after so many bytes of the answer */
};

#define GATEWAY_ANSWER_BYTES_MAX (8u << 20)

struct gateway_answer {
    struct buffer bytes;
    bool complete; /* what the program says of it, in memory */
    bool finished;
};

/* To be called once. Takes descriptors 0 and 1 over. */
void gateway_init(void);

/* The value of a meta-variable, NULL if there is none. */
const char *gateway_variable(const struct gateway_call *call, const char *name);

/* A transport that has one request; once it was freed and gateway_end called, the answer is in *ret. */
struct transport *gateway_begin(const struct gateway_call *call, struct gateway_answer *ret);
void gateway_end(void);

#endif
