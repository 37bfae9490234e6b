/*
 * reply: an answer on its way out, in flat memory. Up to REPLY_WHOLE_BYTES_MAX it gathers and leaves whole; a longer
 * one is measured first, and rendered a second time as it leaves: every answer announces its length. Without that, one
 * that breaks off midway would look whole behind nginx, mod_fcgid and every CGI server (tests/e2e/cases/replies.py).
 *
 * struct reply and its life are in rpc.h, what a handler may do with it in service/operation.h; here is what rpc.c
 * needs to end it.
 */
#ifndef CHATS_RPC_REPLY_H
#define CHATS_RPC_REPLY_H

#include "rpc/rpc.h"

#define REPLY_CHUNK_BYTES 65536u /* a long answer leaves in parts of at least this, but for the last */

/*
 * Waits for the answer's ticket: STORE_OK, or as store_wait says. Nothing leaves before: what sends the first of it
 * waits by itself, and breaks the answer off where that is in vain.
 */
enum store_status reply_settle(struct reply *reply) __attribute__((warn_unused_result));

/* True if nothing has left yet, so that another answer can be given. */
bool reply_is_unsent(const struct reply *reply);

/* Drops all that has gathered and begins anew. Only while the reply is unsent. */
void reply_restart(struct reply *reply);

/* True if what was rendered cannot be sent: out of memory, or too much between two flushes; the reply is unsent. */
bool reply_failed(const struct reply *reply);

/* Nothing more is sent; the peer has to see that the answer is not whole. */
void reply_break(struct reply *reply);

/* Sends what is left. True: the answer left complete. False: it is broken, for the transport to show. */
bool reply_finish(struct reply *reply) __attribute__((warn_unused_result));

#endif
