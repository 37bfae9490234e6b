#include "service/account.h"
#include "service/password.h"
#include "service/registry.h"

#define ACCOUNT_NOT_FOUND "Account not found"
#define FORBIDDEN_SECRET "an account changes its own secret only: leave 'id' out"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum error_kind done(struct call *call)
{
    buffer_append_z(reply_out(call->reply), "{}");
    return ERROR_NONE;
}

static enum error_kind account_not_found(struct call *call)
{
    return error_set(call->error, ERROR_NOT_FOUND, ACCOUNT_NOT_FOUND);
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
    buffer_append_z(out, listing->begun ? ",{" : "{");
    account_append(out, account->id, account->type, listing->issuer);
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

static const struct member list_answer[] = {{.name = "accounts", .type = MEMBER_OBJECT_LIST, .shape = &account_shape}};

/* Accounts.Delete */

struct delete_args {
    struct text id;
};

static const struct field delete_fields[] = {
    {
        .name = "id",
        .about = "The account to delete.",
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

static const struct operation_error delete_errors[] = {{ERROR_NOT_FOUND, ACCOUNT_NOT_FOUND}, {ERROR_NONE, NULL}};

/* Accounts.ChangeSecret */

struct change_args {
    struct text id; /* empty: the caller's */
    struct text old_secret;
    struct text new_secret;
};

static const struct field change_fields[] = {
    {
        .name = "id",
        .about = "The caller's own, if it is given.",
        .type = FIELD_ID,
        .offset = offsetof(struct change_args, id),
    },
    {
        .name = "old_secret",
        .about = "The account's secret.",
        .type = FIELD_STRING,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct change_args, old_secret),
        .max = CRYPTO_PASSWORD_BYTES_MAX,
        .secret = true,
    },
    {
        .name = "new_secret",
        .about = "What is to be its secret.",
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
        return error_set(call->error, ERROR_FORBIDDEN, FORBIDDEN_SECRET);
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

static const struct operation_error change_errors[] = {
    {ERROR_FORBIDDEN, FORBIDDEN_SECRET}, {ERROR_TOO_MANY_REQUESTS, NULL}, {ERROR_NONE, NULL}};

static const struct operation rows[] = {
    {
        .service = "Accounts",
        .name = "List",
        .effect = OPERATION_READS,
        .policy = POLICY_SERVICE,
        .run = list,
        .about = "Lists the accounts of the caller's namespace.",
        .answer = &(const struct shape){NULL, list_answer, COUNT(list_answer)},
        .example_answer = "{\"accounts\":[{\"id\":\"jane\",\"type\":\"user\",\"issuer\":\"micro\"}]}",
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
        .about = "Deletes an account and revokes all its tokens.",
        .errors = delete_errors,
        .example = "{\"id\":\"jane\"}",
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
        .about = "Changes the caller's own secret and revokes all its tokens.",
        .errors = change_errors,
        .example = "{\"old_secret\":\"correct horse battery\",\"new_secret\":\"staple of correct horse\"}",
    },
};

const struct operation_table accounts_operations = {rows, COUNT(rows)};
