/*
 * calllog: the line that the log has of one call where chats.conf says log_calls = yes. It tells what was called, by
 * whom and what came of it; of texts, tokens, secrets and what else was asked for it knows nothing.
 */
#ifndef CHATS_HTTP_CALLLOG_H
#define CHATS_HTTP_CALLLOG_H

#include "rpc/rpc.h"

/*
 * Before the transport's `finish`: what the line tells and the transport owns is copied into the arena. Without memory
 * for it the line tells less.
 */
void calllog_keep(struct request *request, struct reply *reply, struct arena *arena);

/*
 * Once the answer was sent, or broken off (not `complete`): operation, status, error, time taken, bytes of both bodies,
 * the client's address, and namespace and account where the call was let in.
 */
void calllog_write(const struct request *request, const struct reply *reply, uint64_t sent_bytes, bool complete);

#endif
