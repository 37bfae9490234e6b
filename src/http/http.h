/*
 * http: meta-variables and body of a transport to one struct request, and one struct reply to headers and body.
 */
#ifndef CHATS_HTTP_HTTP_H
#define CHATS_HTTP_HTTP_H

#include "base/arena.h"
#include "base/buffer.h"
#include "base/config.h"
#include "http/transport.h"
#include "store/store.h"

/* What a responder serves its requests in, one after the other: the memory is kept, within bounds. */
struct workspace {
    struct arena arena;
    struct buffer body; /* of the request */
    struct buffer head; /* of the answer: status and headers, and what leaves in one piece with them */
    struct buffer out;  /* the answer's body */
};

void workspace_init(struct workspace *w, const struct config *config);
void workspace_clear(struct workspace *w);

/*
 * Serves the request that t has: reads it, calls rpc_serve, sends the reply, finishes. store may be NULL (503); it is
 * not used where the server would serve the home's files (docroot.h). True: store_auth_sweep is due, once the client
 * has its answer.
 */
bool http_serve(struct transport *t, const struct config *config, struct store *store, struct workspace *w)
    __attribute__((warn_unused_result));

#endif
