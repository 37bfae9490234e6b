/*
 * token_cache: the access tokens that this process has found good, so that a call with a token costs as little as one
 * without.
 *
 * It never lets in a revoked token. The gate page has an epoch; every transaction that removes tokens before their
 * expiry, or an account, raises it inside its hold, before it commits and before anybody is told. Whoever looks a token
 * up reads the epoch inside the hold of that look-up. So an entry of the page's epoch was read after the last
 * revocation that has been answered. A page set up anew has no users that could hold entries of the old one.
 */
#ifndef CHATS_STORE_TOKEN_CACHE_H
#define CHATS_STORE_TOKEN_CACHE_H

#include "store/auth.h"

#define TOKEN_CACHE_ENTRIES 256u /* direct-mapped: two tokens of one place take turns */

struct token_cache;

/* NULL: out of memory. */
struct token_cache *token_cache_new(void);
void token_cache_free(struct token_cache *cache);

/* An entry as it was read: which epoch the page had then, and when the token expires. Texts are at most an id long. */
struct token_cached {
    uint64_t epoch;
    uint64_t expiry_ns;
    struct token_holder holder;
};

void token_cache_put(struct token_cache *cache, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                     const struct token_cached *cached);

/*
 * True: the token is in the cache, as of this epoch, and not expired; *ret is filled, its memory the arena's. False: it
 * is not, or there is no memory.
 */
bool token_cache_get(struct token_cache *cache, const uint8_t digest[CRYPTO_DIGEST_BYTES], uint64_t epoch,
                     uint64_t now_ns, struct arena *arena, struct token_holder *ret)
    __attribute__((warn_unused_result));

#endif
