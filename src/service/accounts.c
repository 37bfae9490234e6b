#include "base/json.h"
#include "service/password.h"
#include "service/registry.h"

static enum error_kind done(struct call *call)
{
    buffer_append_z(reply_out(call->reply), "{}");
    return ERROR_NONE;
}

static enum error_kind account_not_found(struct call *call)
{
    return error_set(call->error, ERROR_NOT_FOUND, "Account not found");
}

/* Accounts.List */

/* What append_listed needs to know. */
struct listing {
    struct reply *reply;
    struct text issuer;
    bool begun;   /* an account has been appended */
    bool unheard; /* nobody listens any more */
};

static bool append_listed(void *context, const struct account *account)
{
    struct listing *listing = context;
    struct buffer *out = reply_out(listing->reply);
    buffer_append_z(out, listing->begun ? ",{\"id\":" : "{\"id\":");
    json_append_text(out, account->id);
    buffer_printf(out, ",\"type\":\"%s\",\"issuer\":", account->type == ACCOUNT_SERVICE ? "service" : "user");
    json_append_text(out, listing->issuer);
    buffer_append_z(out, "}");
    listing->begun = true;
    listing->unheard = !reply_flush(listing->reply);
    return !listing->unheard;
}

/*
 * Rendered twice where the length has to come first: an account that comes or goes in between breaks the answer off,
 * and the client asks again.
 */
static enum error_kind list(struct call *call, const void *args)
{
    struct buffer *out = reply_out(call->reply);
    bool again;
    (void)args;
    do {
        struct listing listing = {.reply = call->reply, .issuer = call->caller.namespace};
        buffer_append_z(out, "{\"accounts\":[");
        enum store_status status = store_account_list(call->store, call->caller.namespace, append_listed, &listing);
        if (status != STORE_OK) {
            return operation_store_error(call, status, ERROR_INTERNAL);
        }
        if (listing.unheard) {
            break;
        }
        buffer_append_z(out, "]}");
        again = reply_wants_again(call->reply);
    } while (again);
    return ERROR_NONE;
}

/* Accounts.Delete */

struct delete_args {
    struct text id;
};

static const struct field delete_fields[] = {
    {
        .name = "id",
        .type = FIELD_ID,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct delete_args, id),
    },
};

static enum error_kind delete (struct call *call, const void *args) {
    const struct delete_args *a = args;
    enum store_status status = store_account_remove(call->store, call->caller.namespace, a->id);
    if (status == STORE_NOT_FOUND){return account_not_found(call);}
return status == STORE_OK ? done(call) : operation_store_error(call, status, ERROR_INTERNAL);
}

/* Accounts.ChangeSecret */

struct change_args {
    struct text id; /* empty: the caller's */
    struct text old_secret;
    struct text new_secret;
};

static const struct field change_fields[] = {
    {
        .name = "id",
        .type = FIELD_ID,
        .offset = offsetof(struct change_args, id),
    },
    {
        .name = "old_secret",
        .type = FIELD_STRING,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct change_args, old_secret),
        .max = CRYPTO_PASSWORD_BYTES_MAX,
        .secret = true,
    },
    {
        .name = "new_secret",
        .type = FIELD_STRING,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct change_args, new_secret),
        .min = CRYPTO_PASSWORD_BYTES_MIN,
        .max = CRYPTO_PASSWORD_BYTES_MAX,
        .secret = true,
    },
};

static enum error_kind change_secret(struct call *call, const void *args)
{
    const struct change_args *a = args;
    struct text namespace = call->caller.namespace;
    struct text id = call->caller.account;
    struct text old_hash;
    struct text hash;
    if (a->id.bytes > 0 && !text_equal(a->id, id)) {
        return error_set(call->error, ERROR_FORBIDDEN, "an account changes its own secret only: leave 'id' out");
    }
    enum error_kind kind = password_check(call, namespace, id, a->old_secret, &old_hash);
    if (kind == ERROR_NONE) {
        kind = password_hash(call, a->new_secret, &hash);
    }
    if (kind != ERROR_NONE) {
        return kind;
    }
    enum store_status status = store_account_set_hash(call->store, namespace, id, old_hash, hash, true);
    if (status == STORE_NOT_FOUND || status == STORE_CONFLICT) {
        return password_wrong(call); /* somebody else has changed or removed it just now */
    }
    return status == STORE_OK ? done(call) : operation_store_error(call, status, ERROR_INTERNAL);
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct operation rows[] = {
    {
        .service = "Accounts",
        .name = "List",
        .effect = OPERATION_READS,
        .policy = POLICY_SERVICE,
        .run = list,
    },
    {
        .service = "Accounts",
        .name = "Delete",
        .effect = OPERATION_WRITES,
        .policy = POLICY_SERVICE,
        .run = delete,
        .fields = delete_fields,
        .fields_count = COUNT(delete_fields),
        .args_bytes = sizeof(struct delete_args),
    },
    {
        .service = "Accounts",
        .name = "ChangeSecret",
        .effect = OPERATION_WRITES,
        .policy = POLICY_TOKEN,
        .run = change_secret,
        .fields = change_fields,
        .fields_count = COUNT(change_fields),
        .args_bytes = sizeof(struct change_args),
    },
};

const struct operation_table accounts_operations = {rows, COUNT(rows)};
