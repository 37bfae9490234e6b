#include <stdio.h>

#include "base/timestamp.h"
#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/secret.h"

int command_token_issue(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    if (!arguments_read(argc, argv, ARGUMENT_ID | ARGUMENT_NAMESPACE | ARGUMENT_EXPIRY, &arguments)) {
        return 2;
    }
    uint64_t expiry_ns = timestamp_now_ns() + arguments.expiry_s * UINT64_C(1000000000);
    struct token_pair pair = {.access_expiry_ns = expiry_ns, .refresh_expiry_ns = expiry_ns};
    char access[CRYPTO_TOKEN_BYTES];
    char refresh[CRYPTO_TOKEN_BYTES]; /* shown to nobody: what was asked for is one token */
    crypto_token(access);
    crypto_token(refresh);
    crypto_token_digest((struct text){access, sizeof access}, pair.access_digest);
    crypto_token_digest((struct text){refresh, sizeof refresh}, pair.refresh_digest);
    crypto_wipe(refresh, sizeof refresh);
    enum store_status status = store_token_issue(context->store, arguments.namespace, arguments.id, false, &pair);
    if (status == STORE_NOT_FOUND) {
        return command_fail("there is no account '%.*s' in the namespace '%.*s'", (int)arguments.id.bytes,
                            arguments.id.data, (int)arguments.namespace.bytes, arguments.namespace.data);
    }
    if (status != STORE_OK) {
        return command_fail_status("tokens", status);
    }
    printf("%.*s\n", (int)sizeof access, access);
    crypto_wipe(access, sizeof access);
    return 0;
}

int command_token_revoke(const struct command_context *context, int argc, char **argv)
{
    struct secret token = {.count = 0};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    bool read = secret_read_token(&token);
    crypto_token_digest(secret_text(&token), digest);
    secret_clear(&token);
    if (!read) {
        return 1;
    }
    enum store_status status = store_token_revoke(context->store, digest);
    if (status == STORE_NOT_FOUND) {
        return command_fail("this token is not known here");
    }
    return status == STORE_OK ? 0 : command_fail_status("tokens", status);
}
