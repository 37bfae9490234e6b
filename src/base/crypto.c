#include "base/crypto.h"

#include <sodium.h>

_Static_assert(CRYPTO_DIGEST_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

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
        if (i == 4 || i == 6 || i == 8 || i == 10)
            ret[at++] = '-';
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
        if (bytes > 0)
            crypto_generichash_update(&state, (const unsigned char *)items[i].data, bytes);
    }
    crypto_generichash_final(&state, ret, CRYPTO_DIGEST_BYTES);
}
