/*
 * crypto: random ids and digests, by libsodium.
 */
#ifndef CHATS_BASE_CRYPTO_H
#define CHATS_BASE_CRYPTO_H

#include <stdint.h>

#include "base/text.h"

#define CRYPTO_DIGEST_BYTES 32 /* BLAKE2b-256, RFC 7693 */
#define CRYPTO_UUID_BYTES 36   /* without a NUL */

/* Must succeed before anything else here; safe to call again. False if there is no source of random bytes. */
bool crypto_init(void) __attribute__((warn_unused_result));

/* 64 random bits. */
uint64_t crypto_random_u64(void);

/* A random UUID, version 4 (RFC 9562 section 5.4), lower case. No NUL. */
void crypto_uuid(char ret[CRYPTO_UUID_BYTES]);

/* BLAKE2b-256 of the items, each preceded by its length as 4 big-endian bytes: no two lists share their bytes. */
void crypto_digest_list(const struct text *items, size_t count, uint8_t ret[CRYPTO_DIGEST_BYTES]);

#endif
