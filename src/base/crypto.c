#include "base/crypto.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define TOKEN_RANDOM_BYTES 32u
#define DUMMY_SALT_BYTES 16u /* as libsodium's argon2id has them, in a hash made as in a dummy */
#define DUMMY_HASH_BYTES 32u

_Static_assert(CRYPTO_DIGEST_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");
_Static_assert(CRYPTO_PASSWORD_HASH_BYTES_MAX == crypto_pwhash_argon2id_STRBYTES, "a hash as libsodium writes it");
_Static_assert(CRYPTO_TOKEN_BYTES + 1 ==
                   sizeof CRYPTO_TOKEN_PREFIX - 1 +
                       sodium_base64_ENCODED_LEN(TOKEN_RANDOM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING),
               "prefix and random bits");

_Static_assert(sizeof(struct crypto_digest) == sizeof(crypto_generichash_state), "libsodium's state fits");

bool crypto_init(void)
{
    return sodium_init() >= 0;
}

uint64_t crypto_random_u64(void)
{
    uint64_t value;
    randombytes_buf(&value, sizeof value);
    return value;
}

void crypto_uuid(char ret[CRYPTO_UUID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t bytes[16];
    randombytes_buf(bytes, sizeof bytes);
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40); /* version 4 */
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80); /* the RFC's variant, binary 10 */
    size_t at = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            ret[at++] = '-';
        }
        ret[at++] = digits[bytes[i] >> 4];
        ret[at++] = digits[bytes[i] & 15];
    }
}

void crypto_digest_list(const struct text *items, size_t count, uint8_t ret[CRYPTO_DIGEST_BYTES])
{
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, CRYPTO_DIGEST_BYTES);
    for (size_t i = 0; i < count; i++) {
        size_t bytes = items[i].bytes;
        const uint8_t length[4] = {(uint8_t)(bytes >> 24), (uint8_t)(bytes >> 16), (uint8_t)(bytes >> 8),
                                   (uint8_t)bytes};
        crypto_generichash_update(&state, length, sizeof length);
        if (bytes > 0) {
            crypto_generichash_update(&state, (const unsigned char *)items[i].data, bytes);
        }
    }
    crypto_generichash_final(&state, ret, CRYPTO_DIGEST_BYTES);
}

void crypto_digest_begin(struct crypto_digest *digest)
{
    crypto_generichash_init((crypto_generichash_state *)(void *)digest, NULL, 0, CRYPTO_DIGEST_BYTES);
}

void crypto_digest_add(struct crypto_digest *digest, const void *data, size_t bytes)
{
    if (bytes > 0) {
        crypto_generichash_update((crypto_generichash_state *)(void *)digest, data, bytes);
    }
}

void crypto_digest_end(struct crypto_digest *digest, uint8_t ret[CRYPTO_DIGEST_BYTES])
{
    crypto_generichash_final((crypto_generichash_state *)(void *)digest, ret, CRYPTO_DIGEST_BYTES);
}

void crypto_random(void *ret, size_t bytes)
{
    randombytes_buf(ret, bytes);
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return sodium_memcmp(a, b, bytes) == 0;
}

void crypto_wipe(void *secret, size_t bytes)
{
    sodium_memzero(secret, bytes);
}

bool crypto_password_hash(struct text password, uint64_t memory_bytes, unsigned passes,
                          char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX])
{
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    if (crypto_pwhash_argon2id_str(hash, password.data ? password.data : "", password.bytes, passes,
                                   (size_t)memory_bytes) != 0) {
        return false;
    }
    memcpy(ret, hash, sizeof hash);
    return true;
}

/* The hash as libsodium wants it: NUL-terminated. False: it is too long to be one. */
static bool hash_copy(struct text hash, char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX])
{
    if (hash.bytes == 0 || hash.bytes >= CRYPTO_PASSWORD_HASH_BYTES_MAX) {
        return false;
    }
    memset(ret, 0, CRYPTO_PASSWORD_HASH_BYTES_MAX);
    memcpy(ret, hash.data, hash.bytes);
    return true;
}

/* What stands in a hash, by the form that libsodium gives it. False: it is of another form. */
static bool hash_split(const char *z, unsigned *ret_kib, unsigned *ret_passes, uint8_t salt[DUMMY_SALT_BYTES],
                       uint8_t hash[DUMMY_HASH_BYTES])
{
    enum { VARIANT = sodium_base64_VARIANT_ORIGINAL_NO_PADDING };
    char salt_text[24];
    char hash_text[48];
    size_t salt_bytes = 0;
    size_t hash_bytes = 0;
    return sscanf(z, "$argon2id$v=19$m=%9u,t=%9u,p=1$%23[^$]$%47[^$]", ret_kib, ret_passes, salt_text, hash_text) ==
               4 &&
           sodium_base642bin(salt, DUMMY_SALT_BYTES, salt_text, strlen(salt_text), NULL, &salt_bytes, NULL, VARIANT) ==
               0 &&
           sodium_base642bin(hash, DUMMY_HASH_BYTES, hash_text, strlen(hash_text), NULL, &hash_bytes, NULL, VARIANT) ==
               0 &&
           salt_bytes == DUMMY_SALT_BYTES && hash_bytes == DUMMY_HASH_BYTES;
}

/* Not crypto_pwhash_argon2id_str_verify: that one calls a lack of memory a mismatch, and a right secret wrong. */
bool crypto_password_verify(struct text hash, struct text password)
{
    char copy[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    uint8_t salt[DUMMY_SALT_BYTES];
    uint8_t wanted[DUMMY_HASH_BYTES];
    uint8_t found[DUMMY_HASH_BYTES];
    unsigned kib = 0;
    unsigned passes = 0;
    errno = EINVAL;
    if (!hash_copy(hash, copy) || !hash_split(copy, &kib, &passes, salt, wanted)) {
        return false;
    }
    if (crypto_pwhash_argon2id(found, sizeof found, password.data ? password.data : "", password.bytes, salt, passes,
                               (size_t)kib * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
        errno = ENOMEM; /* or its cost is beyond what libsodium does: no hash of ours */
        return false;
    }
    bool same = sodium_memcmp(found, wanted, sizeof found) == 0;
    sodium_memzero(found, sizeof found);
    errno = same ? 0 : EINVAL;
    return same;
}

bool crypto_password_outdated(struct text hash, uint64_t memory_bytes, unsigned passes)
{
    char copy[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    return !hash_copy(hash, copy) || crypto_pwhash_argon2id_str_needs_rehash(copy, passes, (size_t)memory_bytes) != 0;
}

void crypto_password_dummy(uint64_t memory_bytes, unsigned passes, char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX])
{
    enum { VARIANT = sodium_base64_VARIANT_ORIGINAL_NO_PADDING };
    uint8_t bytes[DUMMY_SALT_BYTES + DUMMY_HASH_BYTES];
    char salt[sodium_base64_ENCODED_LEN(DUMMY_SALT_BYTES, VARIANT)];
    char hash[sodium_base64_ENCODED_LEN(DUMMY_HASH_BYTES, VARIANT)];
    randombytes_buf(bytes, sizeof bytes);
    sodium_bin2base64(salt, sizeof salt, bytes, DUMMY_SALT_BYTES, VARIANT);
    sodium_bin2base64(hash, sizeof hash, bytes + DUMMY_SALT_BYTES, DUMMY_HASH_BYTES, VARIANT);
    memset(ret, 0, CRYPTO_PASSWORD_HASH_BYTES_MAX);
    snprintf(ret, CRYPTO_PASSWORD_HASH_BYTES_MAX, "$argon2id$v=19$m=%u,t=%u,p=1$%s$%s", (unsigned)(memory_bytes / 1024),
             passes, salt, hash);
}

void crypto_token(char ret[CRYPTO_TOKEN_BYTES])
{
    const size_t prefix_bytes = sizeof CRYPTO_TOKEN_PREFIX - 1;
    uint8_t bytes[TOKEN_RANDOM_BYTES];
    char token[CRYPTO_TOKEN_BYTES + 1];
    randombytes_buf(bytes, sizeof bytes);
    memcpy(token, CRYPTO_TOKEN_PREFIX, prefix_bytes);
    sodium_bin2base64(token + prefix_bytes, sizeof token - prefix_bytes, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    memcpy(ret, token, CRYPTO_TOKEN_BYTES);
    sodium_memzero(bytes, sizeof bytes);
    sodium_memzero(token, sizeof token);
}

void crypto_token_digest(struct text token, uint8_t ret[CRYPTO_DIGEST_BYTES])
{
    crypto_generichash(ret, CRYPTO_DIGEST_BYTES, (const unsigned char *)token.data, token.bytes, NULL, 0);
}
