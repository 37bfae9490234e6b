/*
 * auth: accounts, tokens and the throttle of failed logins, as storage sees them. Passwords come here only as hashes
 * and tokens only as digests; both are made outside the gate (base/crypto.h).
 *
 * General results are as in store.h: any call may also return STORE_FULL, STORE_UNAVAILABLE, STORE_CORRUPT or
 * STORE_NO_MEMORY, outputs untouched. Ids must keep the contract's limits: callers check.
 */
#ifndef CHATS_STORE_AUTH_H
#define CHATS_STORE_AUTH_H

#include "base/crypto.h"
#include "store/store.h"

enum account_type { ACCOUNT_USER, ACCOUNT_SERVICE };

struct account {
    struct text id;
    enum account_type type;
    struct text hash; /* of its password, as crypto_password_hash makes it; empty: none, no password logs in */
    uint64_t created_at_ns;
};

/* STORE_OK: added. STORE_CONFLICT: there is an account of that id in the namespace; nothing was changed. */
enum store_status store_account_add(struct store *store, struct text namespace, const struct account *account)
    __attribute__((warn_unused_result));

/* STORE_OK: *ret is filled, its memory the arena's. STORE_NOT_FOUND. */
enum store_status store_account_find(struct store *store, struct text namespace, struct text id, struct arena *arena,
                                     struct account *ret) __attribute__((warn_unused_result));

/*
 * Replaces the hash; `revoke`: and all of the account's tokens go. They go a batch a transaction, the last of them
 * together with the change: STORE_OK means both, and a call cut off may have ended some sessions already. old_hash not
 * empty: only if that is still the account's hash, else STORE_CONFLICT. STORE_NOT_FOUND: no such account.
 */
enum store_status store_account_set_hash(struct store *store, struct text namespace, struct text id,
                                         struct text old_hash, struct text hash, bool revoke)
    __attribute__((warn_unused_result));

/* Removes the account and all its tokens, as store_account_set_hash does. STORE_NOT_FOUND: no such account. */
enum store_status store_account_remove(struct store *store, struct text namespace, struct text id)
    __attribute__((warn_unused_result));

/* Called for each account, outside the gate; what it gets lives until it returns. False stops. */
typedef bool store_account_fn(void *context, const struct account *account);

/* All accounts of the namespace by id, a short hold a batch. STORE_OK also when `each` said stop. */
enum store_status store_account_list(struct store *store, struct text namespace, store_account_fn *each, void *context)
    __attribute__((warn_unused_result));

#define TOKEN_FAMILY_BYTES 16 /* random: the tokens that came of one login */

/* What the holder of an access token is. Texts are the arena's. */
struct token_holder {
    struct text namespace;
    struct text account;
    enum account_type type;
};

/* An access and a refresh token to be stored. Digests are crypto_token_digest's; expiries in ns since 1970. */
struct token_pair {
    uint8_t access_digest[CRYPTO_DIGEST_BYTES];
    uint8_t refresh_digest[CRYPTO_DIGEST_BYTES];
    uint64_t access_expiry_ns;
    uint64_t refresh_expiry_ns;
    /*
     * Of store_token_issue only: the hash that the caller's password was verified against. Not empty: the pair is
     * stored only while that still is the account's hash, so that a login under way when the password is changed gets
     * nothing.
     */
    struct text verified_hash;
};

/*
 * Stores a pair as a new family of the account. STORE_NOT_FOUND: no such account, or its hash is not
 * pair->verified_hash any more. `make_user`: an account that is missing is made as a user without a password in the
 * same transaction; one that is a service is STORE_CONFLICT.
 */
enum store_status store_token_issue(struct store *store, struct text namespace, struct text account, bool make_user,
                                    const struct token_pair *pair) __attribute__((warn_unused_result));

/*
 * STORE_OK: the digest is of a living access token. STORE_NOT_FOUND: of none, an expired one, or a refresh token.
 * A token checked before costs no hold of the gate, until some token of the home is revoked: see store/token_cache.h.
 */
enum store_status store_token_check(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES], struct arena *arena,
                                    struct token_holder *ret) __attribute__((warn_unused_result));

/*
 * Uses a refresh token up and stores a new pair in its family. STORE_NOT_FOUND: unknown, expired, no refresh token, or
 * not of this namespace (empty: any, the token's own holds). STORE_CONFLICT: it was used before; its whole family has
 * been revoked now, durably.
 */
enum store_status store_token_refresh(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                      struct text namespace, const struct token_pair *pair)
    __attribute__((warn_unused_result));

/*
 * Ends the family of that token, access or refresh, expired or not. STORE_NOT_FOUND: unknown. A family goes a batch a
 * transaction, the token that was named last: a call that was cut off is made whole by the next.
 */
enum store_status store_token_revoke(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES])
    __attribute__((warn_unused_result));

/* Removes a few expired tokens and outdated failure counts. Call it when an Auth.Token has been answered. */
void store_auth_sweep(struct store *store);

#define LOGIN_WINDOW_S 900u             /* failures are counted over 15 minutes */
#define LOGIN_FAILURES_MAX 10u          /* of one account from one address */
#define LOGIN_ADDRESS_FAILURES_MAX 100u /* of one address over all accounts */

/*
 * `address` is the client's: a literal IPv4 or IPv6 address, of which an IPv6 /64 counts as one (base/address.h), or
 * any other text, which counts as it is. Stored are digests only: people type passwords where a name belongs.
 *
 * Before a password is looked at: counts the attempt as failed, so that attempts at once cannot exceed the bound.
 * STORE_OK: go on. STORE_CONFLICT: too many; *ret_retry_s says after how many seconds (1 or more) to try again, nothing
 * was counted.
 */
enum store_status store_login_attempt(struct store *store, struct text namespace, struct text account,
                                      struct text address, unsigned *ret_retry_s) __attribute__((warn_unused_result));

/* After a right password: the attempt is taken back, and the account's failures from this address are forgotten. */
enum store_status store_login_succeeded(struct store *store, struct text namespace, struct text account,
                                        struct text address) __attribute__((warn_unused_result));

#endif
