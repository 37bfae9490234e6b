#include "service/password.h"

#include <errno.h>

#include "base/crypto.h"
#include "base/slots.h"

enum error_kind password_wrong(struct call *call)
{
    return error_set(call->error, ERROR_UNAUTHORIZED, "id or secret is wrong");
}

static enum error_kind no_memory(struct call *call)
{
    return operation_store_error(call, STORE_NO_MEMORY, ERROR_INTERNAL);
}

static enum error_kind take_slot(struct call *call, struct slot *ret)
{
    if (slots_take(call->config->home, SLOTS_WAIT_MS, ret)) {
        return ERROR_NONE;
    }
    return error_set(call->error, ERROR_TOO_MANY_REQUESTS, "too many logins at once: try again");
}

/* Hashes while the caller holds a slot. */
static enum error_kind hash_secret(struct call *call, struct text secret, struct text *ret_hash)
{
    const struct config *config = call->config;
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    if (!crypto_password_hash(secret, config->password_memory_bytes, config->password_passes, hash)) {
        return no_memory(call);
    }
    struct text copy = arena_text(call->arena, text_of(hash));
    if (copy.data == NULL) {
        return no_memory(call);
    }
    *ret_hash = copy;
    return ERROR_NONE;
}

/*
 * The cost in chats.conf has changed since this hash was made: *hash becomes the new one. STORE_CONFLICT: somebody else
 * has replaced it first. That it could not be done otherwise fails no login.
 */
static enum store_status rehash(struct call *call, struct text namespace, struct text id, struct text secret,
                                struct text *hash)
{
    const struct config *config = call->config;
    struct error unheard = {.kind = ERROR_NONE};
    struct call quiet = *call;
    struct text fresh = {NULL, 0};
    quiet.error = &unheard;
    if (!crypto_password_outdated(*hash, config->password_memory_bytes, config->password_passes) ||
        hash_secret(&quiet, secret, &fresh) != ERROR_NONE) {
        return STORE_OK;
    }
    enum store_status status = store_account_set_hash(call->store, namespace, id, *hash, fresh, false);
    if (status == STORE_OK) {
        *hash = fresh;
    }
    return status == STORE_CONFLICT ? STORE_CONFLICT : STORE_OK;
}

/* Compares while the caller holds a slot. Where there is nothing to compare with it takes as long. */
static enum error_kind compare(struct call *call, struct text namespace, struct text id, struct text secret,
                               struct text *ret_hash)
{
    struct account account;
    char dummy[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    const struct config *config = call->config;
    enum store_status status = store_account_find(call->store, namespace, id, call->arena, &account);
    if (status != STORE_OK && status != STORE_NOT_FOUND) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    crypto_password_dummy(config->password_memory_bytes, config->password_passes, dummy);
    bool exists = status == STORE_OK && account.hash.bytes > 0;
    struct text hash = exists ? account.hash : text_of(dummy);
    bool right = crypto_password_verify(hash, secret);
    if (!right && errno == ENOMEM) {
        return no_memory(call);
    }
    if (!right || !exists) {
        return password_wrong(call);
    }
    *ret_hash = hash;
    return ERROR_NONE;
}

/*
 * The attempt is counted while the slot is held: one that gets no slot is no failure, or a flood of logins from
 * elsewhere could lock somebody out.
 */
static enum error_kind check_in_slot(struct call *call, struct text namespace, struct text id, struct text secret,
                                     struct text *ret_hash)
{
    struct text hash = {NULL, 0};
    unsigned retry_s = 0;
    enum store_status status = store_login_attempt(call->store, namespace, id, call->address, &retry_s);
    if (status == STORE_CONFLICT) {
        call->error->retry_s = retry_s;
        return error_set(call->error, ERROR_TOO_MANY_REQUESTS,
                         "too many failed logins from this address: try again in %u seconds", retry_s);
    }
    if (status != STORE_OK) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    enum error_kind kind = compare(call, namespace, id, secret, &hash);
    if (kind == ERROR_NONE && rehash(call, namespace, id, secret, &hash) == STORE_CONFLICT) {
        kind = compare(call, namespace, id, secret, &hash); /* with what the other login has stored */
    }
    if (kind == ERROR_UNAUTHORIZED) {
        return kind;
    }
    /* Also where it could not be compared: that is no wrong guess. */
    status = store_login_succeeded(call->store, namespace, id, call->address);
    if (kind == ERROR_NONE && status != STORE_OK) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    *ret_hash = hash;
    return kind;
}

enum error_kind password_check(struct call *call, struct text namespace, struct text id, struct text secret,
                               struct text *ret_hash)
{
    struct slot slot;
    enum error_kind kind = take_slot(call, &slot);
    if (kind == ERROR_NONE) {
        kind = check_in_slot(call, namespace, id, secret, ret_hash);
        slots_give(&slot);
    }
    return kind;
}

enum error_kind password_hash(struct call *call, struct text secret, struct text *ret_hash)
{
    struct slot slot;
    enum error_kind kind = take_slot(call, &slot);
    if (kind == ERROR_NONE) {
        kind = hash_secret(call, secret, ret_hash);
        slots_give(&slot);
    }
    return kind;
}
