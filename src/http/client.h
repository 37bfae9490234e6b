/*
 * client: whose request it is, as far as its network address tells.
 */
#ifndef CHATS_HTTP_CLIENT_H
#define CHATS_HTTP_CLIENT_H

#include "base/config.h"

#define CLIENT_UNKNOWN "unknown" /* the address where the server names none: all such clients are one */

/*
 * The client's address: `remote` (the server's REMOTE_ADDR), unless that is one of the configured proxies: then the
 * last address in `forwarded` (X-Forwarded-For, written by whoever sent the request up to what the proxies added)
 * that is none of them. What stands before something that is no address is not believed. The result borrows from the
 * arguments and has 1 to TEXT_ID_BYTES_MAX bytes.
 */
struct text client_address(const struct config *config, struct text remote, struct text forwarded);

/* A meta-variable of the request, "" if there is none. */
typedef const char *client_meta_fn(void *context, const char *name);

/*
 * True if a program of this machine calls, for itself: REMOTE_ADDR is a loopback address and none of the configured
 * proxies; no header says that a proxy handed the call on (Forwarded, Via, X-Real-IP and their like); and Host, if
 * there is one, is localhost, a name below it or an address, so no name that a page of somebody else's gave this
 * machine. A proxy that says nothing is not told from such a program.
 */
bool client_is_local(const struct config *config, client_meta_fn *meta, void *context);

#endif
