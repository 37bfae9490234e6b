/*
 * http: meta-variables and body of a transport to one struct request, and one struct reply to headers and body.
 */
#ifndef CHATS_HTTP_HTTP_H
#define CHATS_HTTP_HTTP_H

#include "base/config.h"
#include "http/transport.h"
#include "store/store.h"

/*
 * A transport with room for one request and its answer, which serves one after the other. The memory is kept from one
 * to the next, within bounds. It belongs to one thread at a time: exchange_run and exchange_answer may be called by
 * different ones.
 */
struct exchange;

/*
 * The transport is the exchange's from here on. store may be NULL: every operation answers 503 then. config and store
 * must live as long. NULL when out of memory: the transport was freed.
 */
struct exchange *exchange_new(struct transport *t, const struct config *config, struct store *store);

/* Waits for the next request, as the transport's `next`. After true come exchange_run and exchange_answer. */
bool exchange_next(struct exchange *x) __attribute__((warn_unused_result));

/*
 * Reads the request and does what it asks for; the answer is ready afterwards, but what it tells may not be on the disk
 * yet. The store is not used where the server would serve the home's files (docroot.h).
 */
void exchange_run(struct exchange *x);

/*
 * After exchange_run: true if the answer still waits for the disk, and is so short, and its request so completely read,
 * that nothing but the disk can make exchange_answer wait: another thread may call it for many of them in turn.
 * Nothing is due after it.
 */
bool exchange_waits(struct exchange *x) __attribute__((warn_unused_result));

/*
 * Waits until what the answer tells is on the disk, sends it and finishes. True: store_auth_sweep is due, now that the
 * client has its answer.
 */
bool exchange_answer(struct exchange *x) __attribute__((warn_unused_result));

/* As the transport's `interrupt`: from any thread. */
void exchange_interrupt(struct exchange *x, bool both_ways);

/* Frees it and its transport, between requests. NULL is allowed. */
void exchange_free(struct exchange *x);

#endif
