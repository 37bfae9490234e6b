/*
 * secret: one line that nobody else may see, from a terminal without echo or from standard input.
 */
#ifndef CHATS_CTL_SECRET_H
#define CHATS_CTL_SECRET_H

#include "base/crypto.h"

/* A line read; to be cleared. */
struct secret {
    char bytes[CRYPTO_PASSWORD_BYTES_MAX + 2]; /* one more than is allowed, and a newline */
    size_t count;
};

/*
 * Reads a new password: asked for twice on a terminal, else the one line on standard input. False, with why said: it is
 * not 8 to 1,024 bytes of UTF-8, the two differ, or it could not be read. Whatever is returned, *ret is to be cleared.
 */
bool secret_read_password(struct secret *ret) __attribute__((warn_unused_result));

/* The same for a token, asked for once; whether it is one is not looked at. */
bool secret_read_token(struct secret *ret) __attribute__((warn_unused_result));

struct text secret_text(const struct secret *secret);
void secret_clear(struct secret *secret);

#endif
