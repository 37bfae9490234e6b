/*
 * http: meta-variables and body of a transport to one struct request, and one struct reply to headers and body.
 */
#ifndef CHATS_HTTP_HTTP_H
#define CHATS_HTTP_HTTP_H

#include "base/arena.h"
#include "base/config.h"
#include "http/transport.h"
#include "store/store.h"

/*
 * Serves the request that t has: reads it, calls rpc_serve, sends the reply, finishes. store may be NULL (503); it is
 * not used where the server would serve the home's files (docroot.h). True: store_auth_sweep is due, once the client
 * has its answer.
 */
bool http_serve(struct transport *t, const struct config *config, struct store *store, struct arena *arena)
    __attribute__((warn_unused_result));

#endif
