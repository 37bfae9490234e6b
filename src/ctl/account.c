#include <stdio.h>

#include "base/slots.h"
#include "base/timestamp.h"
#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/secret.h"

/* Reads a new secret and hashes it, in one of the home's slots. False: why has been said. */
static bool account_read_hash(const struct command_context *context, char ret[CRYPTO_PASSWORD_HASH_BYTES_MAX])
{
    struct secret secret = {.count = 0};
    struct slot slot;
    bool hashed = false;
    if (secret_read_password(&secret)) {
        if (!slots_take(context->home, SLOTS_WAIT_MS, &slot)) {
            (void)command_fail("too many secrets are being checked at the moment: try again");
        } else {
            hashed = crypto_password_hash(secret_text(&secret), context->config->password_memory_bytes,
                                          context->config->password_passes, ret);
            slots_give(&slot);
            if (!hashed) {
                (void)command_fail("not enough memory for a password hash");
            }
        }
    }
    secret_clear(&secret);
    return hashed;
}

static int account_failed(const struct arguments *arguments, enum store_status status)
{
    const char *wrong = status == STORE_CONFLICT ? "there is already an" : "there is no";
    if (status != STORE_CONFLICT && status != STORE_NOT_FOUND) {
        return command_fail_status("accounts", status);
    }
    return command_fail("%s account '%.*s' in the namespace '%.*s'", wrong, (int)arguments->id.bytes,
                        arguments->id.data, (int)arguments->namespace.bytes, arguments->namespace.data);
}

int command_account_add(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    if (!arguments_read(argc, argv, ARGUMENT_ID | ARGUMENT_NAMESPACE | ARGUMENT_TYPE, &arguments)) {
        return 2;
    }
    if (!account_read_hash(context, hash)) {
        return 1;
    }
    const struct account account = {
        .id = arguments.id, .type = arguments.type, .hash = text_of(hash), .created_at_ns = timestamp_now_ns()};
    enum store_status status = store_account_add(context->store, arguments.namespace, &account);
    return status == STORE_OK ? 0 : account_failed(&arguments, status);
}

static bool account_print(void *context, const struct account *account)
{
    (void)context;
    char time[TIMESTAMP_BYTES];
    timestamp_format(account->created_at_ns, time);
    return printf("%.*s\t%s\t%.*s\n", (int)account->id.bytes, account->id.data,
                  account->type == ACCOUNT_SERVICE ? "service" : "user", (int)sizeof time, time) > 0;
}

int command_account_list(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    if (!arguments_read(argc, argv, ARGUMENT_NAMESPACE, &arguments)) {
        return 2;
    }
    enum store_status status = store_account_list(context->store, arguments.namespace, account_print, NULL);
    return status == STORE_OK ? 0 : command_fail_status("accounts", status);
}

int command_account_passwd(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    struct account account;
    struct arena arena = {NULL};
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    if (!arguments_read(argc, argv, ARGUMENT_ID | ARGUMENT_NAMESPACE, &arguments)) {
        return 2;
    }
    /* Nobody is asked for the secret of an account that is not there. */
    enum store_status status = store_account_find(context->store, arguments.namespace, arguments.id, &arena, &account);
    arena_clear(&arena);
    if (status != STORE_OK) {
        return account_failed(&arguments, status);
    }
    if (!account_read_hash(context, hash)) {
        return 1;
    }
    status = store_account_set_hash(context->store, arguments.namespace, arguments.id, (struct text){NULL, 0},
                                    text_of(hash), true);
    return status == STORE_OK ? 0 : account_failed(&arguments, status);
}

int command_account_remove(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    if (!arguments_read(argc, argv, ARGUMENT_ID | ARGUMENT_NAMESPACE, &arguments)) {
        return 2;
    }
    enum store_status status = store_account_remove(context->store, arguments.namespace, arguments.id);
    return status == STORE_OK ? 0 : account_failed(&arguments, status);
}
