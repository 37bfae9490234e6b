/*
 * password: whether a secret is an account's, and the hash of a new one. Both hash outside the gate, in one of the
 * host's slots (base/slots.h); guessing is throttled by account and address (store/auth.h).
 */
#ifndef CHATS_SERVICE_PASSWORD_H
#define CHATS_SERVICE_PASSWORD_H

#include "service/operation.h"

/*
 * ERROR_NONE: secret is that account's; *ret_hash is the hash it has in the store now, of the call's arena.
 * ERROR_UNAUTHORIZED: there is no such account, it has no secret or another one: the same answer after the same time.
 * ERROR_TOO_MANY_REQUESTS: too many wrong ones before, or no slot became free; nothing was compared. Other kinds come
 * from the store. On success a hash made at another cost than chats.conf asks for is replaced.
 */
enum error_kind password_check(struct call *call, struct text namespace, struct text id, struct text secret,
                               struct text *ret_hash) __attribute__((warn_unused_result));

/* What password_check says of a wrong one: for what turns out to be wrong only later. */
enum error_kind password_wrong(struct call *call);

/* The hash of a new secret, of the call's arena. Else ERROR_TOO_MANY_REQUESTS as above, or ERROR_UNAVAILABLE. */
enum error_kind password_hash(struct call *call, struct text secret, struct text *ret_hash)
    __attribute__((warn_unused_result));

#endif
