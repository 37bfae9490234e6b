/*
 * crypto: random ids, digests, passwords and tokens, by libsodium. What is secret is never logged and never stored: a
 * password is kept as its hash, a token as its digest.
 */
#ifndef CHATS_BASE_CRYPTO_H
#define CHATS_BASE_CRYPTO_H

#include <stdint.h>

#include "base/text.h"

#define CRYPTO_DIGEST_BYTES 32 /* BLAKE2b-256, RFC 7693 */
#define CRYPTO_UUID_BYTES 36   /* without a NUL */

#define CRYPTO_PASSWORD_BYTES_MIN 8u
#define CRYPTO_PASSWORD_BYTES_MAX 1024u
#define CRYPTO_PASSWORD_HASH_BYTES_MAX 128 /* with its NUL; libsodium's crypto_pwhash_STRBYTES */

#define CRYPTO_TOKEN_PREFIX "chats_" /* so that one that got out is recognised for what it is */
#define CRYPTO_TOKEN_BYTES 49        /* the prefix and 256 bits in base64url without padding; no NUL */

/* Must succeed before anything else here; safe to call again. False if there is no source of random bytes. */
bool crypto_init(void) __attribute__((warn_unused_result));

/* 64 random bits. */
uint64_t crypto_random_u64(void);

/* A random UUID, version 4 (RFC 9562 section 5.4), lower case. No NUL. */
void crypto_uuid(char ret[CRYPTO_UUID_BYTES]);

/* BLAKE2b-256 of the items, each preceded by its length as 4 big-endian bytes: no two lists share their bytes. */
void crypto_digest_list(const struct text *items, size_t count, uint8_t ret[CRYPTO_DIGEST_BYTES]);

/* BLAKE2b-256 of bytes that come in parts: begin, add, end. */
struct crypto_digest {
    _Alignas(64) uint8_t state[384]; /* libsodium's crypto_generichash_state */
};

void crypto_digest_begin(struct crypto_digest *digest);
void crypto_digest_add(struct crypto_digest *digest, const void *data, size_t bytes);
void crypto_digest_end(struct crypto_digest *digest, uint8_t ret[CRYPTO_DIGEST_BYTES]);

/* `bytes` random bytes. */
void crypto_random(void *ret, size_t bytes);

/* True if both have the same bytes; takes as long where they differ early as where they differ late. */
bool crypto_equal(const void *a, const void *b, size_t bytes) __attribute__((warn_unused_result));

/* Overwrites a secret that is no longer needed; the compiler does not remove it. */
void crypto_wipe(void *secret, size_t bytes);

/*
 * The password's argon2id hash (RFC 9106) with its salt and cost, as NUL-terminated ASCII. memory_bytes: 8 KiB or more,
 * a multiple of 1,024 is used; passes: 1 or more. Takes that much memory and tens of milliseconds: never inside the
 * gate, and inside a slot (base/slots.h). False: out of memory, ret untouched.
 */
bool crypto_password_hash(struct text password, uint64_t memory_bytes, unsigned passes,
                          char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX]) __attribute__((warn_unused_result));

/*
 * True if the hash is this password's. Costs what making it did. False: it is not, or there was no memory to find out:
 * then errno is ENOMEM, else it is not.
 */
bool crypto_password_verify(struct text hash, struct text password) __attribute__((warn_unused_result));

/* True if the hash was made with another cost than this, or is none. */
bool crypto_password_outdated(struct text hash, uint64_t memory_bytes, unsigned passes)
    __attribute__((warn_unused_result));

/*
 * A hash of that cost which no password has: to verify against where there is no account, so that both take as long.
 * Costs nothing itself.
 */
void crypto_password_dummy(uint64_t memory_bytes, unsigned passes, char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX]);

/* A new token of 256 random bits. No NUL. */
void crypto_token(char ret[CRYPTO_TOKEN_BYTES]);

/* BLAKE2b-256 of a token's characters, or of any text that claims to be one: what is stored of it. */
void crypto_token_digest(struct text token, uint8_t ret[CRYPTO_DIGEST_BYTES]);

#endif
