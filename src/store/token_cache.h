/*
 * token_cache: the access tokens that were found good, in the gate page, for all processes of a home: a call with a
 * token costs as little as one without, and plain CGI opens neither the tree of the tokens nor that of the accounts.
 * It holds what these trees hold: a token's digest, whose it is, and when it expires.
 *
 * It never lets in a revoked token. The gate page has an epoch; every transaction that removes tokens before their
 * expiry, or an account, raises it inside its hold, before it commits and before anybody is told. Whoever looks a token
 * up puts it here inside the hold of that look-up, with the epoch of then. So an entry of the page's epoch was read
 * after the last revocation that has been answered.
 *
 * Only who holds the gate writes; whoever reads tells by the entry's sequence whether it was written meanwhile, or by a
 * process that was killed: then it is as empty, until it is written anew.
 */
#ifndef CHATS_STORE_TOKEN_CACHE_H
#define CHATS_STORE_TOKEN_CACHE_H

#include "bdb/gate.h"
#include "store/auth.h"

#define TOKEN_CACHE_ENTRIES 256u /* direct-mapped: two tokens of one place take turns */

/* An entry as it was read: which epoch the page had then, and when the token expires. Texts are at most an id long. */
struct token_cached {
    uint64_t epoch;
    uint64_t expiry_ns;
    struct token_holder holder;
};

/* Inside the gate. */
void token_cache_put(struct gate_page *page, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                     const struct token_cached *cached);

/*
 * Anybody. True: the token is in the cache, as of the page's epoch, and not expired; *ret is filled, its memory the
 * arena's. False: it is not, or there is no memory.
 */
bool token_cache_get(const struct gate_page *page, const uint8_t digest[CRYPTO_DIGEST_BYTES], uint64_t now_ns,
                     struct arena *arena, struct token_holder *ret) __attribute__((warn_unused_result));

#endif
