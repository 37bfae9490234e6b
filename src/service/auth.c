#include "base/crypto.h"
#include "base/json.h"
#include "base/timestamp.h"
#include "service/account.h"
#include "service/password.h"
#include "service/registry.h"

/* Contract, section 6. */
#define ACCESS_DEFAULT_S INT64_C(900)
#define ACCESS_MAX_S INT64_C(2592000)
#define REFRESH_S INT64_C(2592000)

#define NS_A_SECOND UINT64_C(1000000000)
#define TOKEN_FIELD_BYTES_MAX 1024 /* far more than a token has */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static enum error_kind bad_token(struct call *call)
{
    return error_set(call->error, ERROR_UNAUTHORIZED, "field 'token' is unknown, expired or revoked");
}

/* Auth.Token */

struct token_args {
    struct text id;
    struct text secret;
    struct text refresh_token;
    int64_t token_expiry; /* 0 stands for ACCESS_DEFAULT_S */
    struct text namespace;
};

static const struct field token_fields[] = {
    {
        .name = "id",
        .about = "The account that logs in; of a service's user, where a service asks with its own token.",
        .type = FIELD_ID,
        .offset = offsetof(struct token_args, id),
    },
    {
        .name = "secret",
        .about = "The account's secret. A service that asks for one of its users leaves it out.",
        .type = FIELD_STRING,
        .offset = offsetof(struct token_args, secret),
        .max = CRYPTO_PASSWORD_BYTES_MAX,
        .secret = true,
    },
    {
        .name = "refresh_token",
        .about = "In place of id and secret. It works once; used again, all tokens of its login are revoked.",
        .type = FIELD_STRING,
        .offset = offsetof(struct token_args, refresh_token),
        .max = TOKEN_FIELD_BYTES_MAX,
        .secret = true,
    },
    {
        .name = "token_expiry",
        .about = "How many seconds the access token lasts; absent: 15 minutes.",
        .type = FIELD_INT64,
        .offset = offsetof(struct token_args, token_expiry),
        .min = 1,
        .max = ACCESS_MAX_S,
    },
    {
        .name = "options.namespace",
        .about = "The account's namespace; absent: the header's.",
        .type = FIELD_ID,
        .offset = offsetof(struct token_args, namespace),
    },
};

/* A pair as its holder gets it: the store sees the digests only. */
struct issued {
    char access[CRYPTO_TOKEN_BYTES];
    char refresh[CRYPTO_TOKEN_BYTES];
    int64_t created_s;
    int64_t expiry_s;
    struct token_pair pair;
};

static void issued_make(struct issued *issued, int64_t access_s)
{
    uint64_t now_ns = timestamp_now_ns();
    *issued = (struct issued){.expiry_s = 0};
    crypto_token(issued->access);
    crypto_token(issued->refresh);
    crypto_token_digest((struct text){issued->access, CRYPTO_TOKEN_BYTES}, issued->pair.access_digest);
    crypto_token_digest((struct text){issued->refresh, CRYPTO_TOKEN_BYTES}, issued->pair.refresh_digest);
    issued->pair.access_expiry_ns = now_ns + (uint64_t)access_s * NS_A_SECOND;
    issued->pair.refresh_expiry_ns = now_ns + (uint64_t)REFRESH_S * NS_A_SECOND;
    issued->created_s = (int64_t)(now_ns / NS_A_SECOND);
    issued->expiry_s = issued->created_s + access_s;
}

/* A site logs its own users in: contract, section 6. */
static enum error_kind issue_for_user(struct call *call, const struct token_args *a, const struct issued *issued)
{
    if (call->caller.type != ACCOUNT_SERVICE) {
        return error_set(call->error, ERROR_FORBIDDEN, "only a service gets a token for an account without its secret");
    }
    enum store_status status = store_token_issue(call->store, call->caller.namespace, a->id, true, &issued->pair);
    if (status == STORE_CONFLICT) {
        return error_set(call->error, ERROR_FORBIDDEN,
                         "a service gets tokens for users without their secret, and this account is a service");
    }
    return status == STORE_OK ? ERROR_NONE : operation_store_error(call, status, ERROR_INTERNAL);
}

static enum error_kind issue_for_secret(struct call *call, const struct token_args *a, struct text namespace,
                                        struct issued *issued)
{
    /* Stored only if the account still has it then: a change of the secret meanwhile has revoked all tokens. */
    enum error_kind kind = password_check(call, namespace, a->id, a->secret, &issued->pair.verified_hash);
    if (kind != ERROR_NONE) {
        return kind;
    }
    enum store_status status = store_token_issue(call->store, namespace, a->id, false, &issued->pair);
    if (status == STORE_NOT_FOUND) {
        return password_wrong(call);
    }
    return status == STORE_OK ? ERROR_NONE : operation_store_error(call, status, ERROR_INTERNAL);
}

static enum error_kind issue_for_refresh(struct call *call, const struct token_args *a, const struct issued *issued)
{
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(a->refresh_token, digest);
    /* A token was issued in one namespace, and that one holds: the header is not looked at. */
    enum store_status status = store_token_refresh(call->store, digest, a->namespace, &issued->pair);
    if (status == STORE_NOT_FOUND) {
        return error_set(call->error, ERROR_UNAUTHORIZED,
                         "field 'refresh_token' is unknown, expired or revoked: log in again");
    }
    if (status == STORE_CONFLICT) {
        return error_set(
            call->error, ERROR_UNAUTHORIZED,
            "field 'refresh_token' was used before, so all tokens of this login are revoked: log in again");
    }
    return status == STORE_OK ? ERROR_NONE : operation_store_error(call, status, ERROR_INTERNAL);
}

static enum error_kind issue(struct call *call, const struct token_args *a, struct issued *issued)
{
    bool has_token = call->caller.account.bytes > 0;
    struct text namespace = a->namespace.bytes > 0 ? a->namespace : call->caller.namespace;
    if (has_token && !text_equal(namespace, call->caller.namespace)) {
        return error_set(call->error, ERROR_FORBIDDEN, "field 'options.namespace' is not the namespace of your token");
    }
    if (a->refresh_token.bytes > 0) {
        if (a->id.bytes > 0 || a->secret.bytes > 0) {
            return error_set(call->error, ERROR_INVALID_REQUEST,
                             "give 'refresh_token', or 'id' and 'secret', but not both");
        }
        return issue_for_refresh(call, a, issued);
    }
    if (a->id.bytes == 0) {
        return error_set(call->error, ERROR_INVALID_REQUEST, "field 'id' is missing");
    }
    if (a->secret.bytes > 0) {
        return issue_for_secret(call, a, namespace, issued);
    }
    if (!has_token) {
        return error_set(call->error, ERROR_INVALID_REQUEST, "field 'secret' is missing");
    }
    return issue_for_user(call, a, issued);
}

static enum error_kind token(struct call *call, const void *args)
{
    const struct token_args *a = args;
    struct issued issued;
    issued_make(&issued, a->token_expiry > 0 ? a->token_expiry : ACCESS_DEFAULT_S);
    enum error_kind kind = issue(call, a, &issued);
    if (kind != ERROR_NONE) {
        return kind;
    }
    struct buffer *out = reply_out(call->reply);
    buffer_append_z(out, "{\"token\":{\"access_token\":");
    json_append_text(out, (struct text){issued.access, CRYPTO_TOKEN_BYTES});
    buffer_append_z(out, ",\"refresh_token\":");
    json_append_text(out, (struct text){issued.refresh, CRYPTO_TOKEN_BYTES});
    buffer_append_z(out, ",\"created\":");
    json_append_int64(out, issued.created_s);
    buffer_append_z(out, ",\"expiry\":");
    json_append_int64(out, issued.expiry_s);
    buffer_append_z(out, "}}");
    return ERROR_NONE;
}

static const struct operation_error token_errors[] = {
    {ERROR_FORBIDDEN, NULL}, {ERROR_TOO_MANY_REQUESTS, NULL}, {ERROR_NONE, NULL}};
static const struct member pair_members[] = {
    {.name = "access_token", .type = MEMBER_STRING},
    {.name = "refresh_token", .type = MEMBER_STRING},
    {.name = "created", .type = MEMBER_INT64},
    {.name = "expiry", .type = MEMBER_INT64},
};
static const struct shape pair_shape = {"Token", pair_members, COUNT(pair_members)};
static const struct member token_answer[] = {{.name = "token", .type = MEMBER_OBJECT, .shape = &pair_shape}};

/* Auth.Inspect, Auth.Revoke */

struct held_args {
    struct text token;
};

static const struct field held_fields[] = {
    {
        .name = "token",
        .about = "An access token or a refresh token.",
        .type = FIELD_STRING,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct held_args, token),
        .max = TOKEN_FIELD_BYTES_MAX,
        .secret = true,
    },
};

static enum error_kind inspect(struct call *call, const void *args)
{
    const struct held_args *a = args;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    struct token_holder holder;
    crypto_token_digest(a->token, digest);
    enum store_status status = store_token_check(call->store, digest, call->arena, &holder);
    if (status == STORE_NOT_FOUND) {
        return bad_token(call);
    }
    if (status != STORE_OK) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    struct buffer *out = reply_out(call->reply);
    buffer_append_z(out, "{\"account\":{");
    account_append(out, holder.account, holder.type, holder.namespace);
    buffer_append_z(out, "}}");
    return ERROR_NONE;
}

static const struct member inspect_answer[] = {{.name = "account", .type = MEMBER_OBJECT, .shape = &account_shape}};

/* A token that is not known is revoked already: no error (RFC 7009 section 2.2). */
static enum error_kind revoke(struct call *call, const void *args)
{
    const struct held_args *a = args;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(a->token, digest);
    enum store_status status = store_token_revoke(call->store, digest);
    if (status != STORE_OK && status != STORE_NOT_FOUND) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    buffer_append_z(reply_out(call->reply), "{}");
    return ERROR_NONE;
}

/* Auth.Generate */

struct generate_args {
    struct text id;
    struct text secret;
    enum account_type type;
};

static const struct field generate_fields[] = {
    {
        .name = "id",
        .about = "The new account's id.",
        .type = FIELD_ID,
        .missing = ERROR_INVALID_REQUEST,
        .offset = offsetof(struct generate_args, id),
    },
    {
        .name = "secret",
        .about = "Its secret. Without it, one is made.",
        .type = FIELD_STRING,
        .offset = offsetof(struct generate_args, secret),
        .min = CRYPTO_PASSWORD_BYTES_MIN,
        .max = CRYPTO_PASSWORD_BYTES_MAX,
        .secret = true,
    },
    {
        .name = "type",
        .about = "A service acts for its namespace; a user, which is the default, as itself.",
        .type = FIELD_ACCOUNT_TYPE,
        .offset = offsetof(struct generate_args, type),
    },
};

static enum error_kind generate(struct call *call, const void *args)
{
    const struct generate_args *a = args;
    struct account account = {.id = a->id, .type = a->type, .created_at_ns = timestamp_now_ns()};
    struct text secret = a->secret;
    if (secret.bytes == 0) {
        char *random = arena_alloc(call->arena, CRYPTO_UUID_BYTES); /* 122 random bits */
        if (random == NULL) {
            return operation_store_error(call, STORE_NO_MEMORY, ERROR_INTERNAL);
        }
        crypto_uuid(random);
        secret = (struct text){random, CRYPTO_UUID_BYTES};
    }
    enum error_kind kind = password_hash(call, secret, &account.hash);
    if (kind != ERROR_NONE) {
        return kind;
    }
    enum store_status status = store_account_add(call->store, call->caller.namespace, &account);
    if (status != STORE_OK) {
        return operation_store_error(call, status, ERROR_ACCOUNT_EXISTS);
    }
    struct buffer *out = reply_out(call->reply);
    buffer_append_z(out, "{\"account\":{");
    account_append(out, a->id, a->type, call->caller.namespace);
    buffer_append_z(out, ",\"secret\":");
    json_append_text(out, secret);
    buffer_append_z(out, "}}");
    return ERROR_NONE;
}

static const struct operation_error generate_errors[] = {
    {ERROR_ACCOUNT_EXISTS, NULL}, {ERROR_TOO_MANY_REQUESTS, NULL}, {ERROR_NONE, NULL}};
static const struct member generated_members[] = {
    {.name = "id", .type = MEMBER_ID},
    {.name = "type", .type = MEMBER_ACCOUNT_TYPE},
    {.name = "issuer", .type = MEMBER_ID},
    {.name = "secret", .type = MEMBER_STRING},
};
static const struct shape generated_shape = {"GeneratedAccount", generated_members, COUNT(generated_members)};
static const struct member generate_answer[] = {{.name = "account", .type = MEMBER_OBJECT, .shape = &generated_shape}};

#define EXAMPLE_TOKEN "chats_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct operation rows[] = {
    {
        .service = "Auth",
        .name = "Token",
        .effect = OPERATION_WRITES,
        .policy = POLICY_OPTIONAL,
        .run = token,
        .fields = token_fields,
        .fields_count = COUNT(token_fields),
        .args_bytes = sizeof(struct token_args),
        .sweeps = true,
        .about =
            "Logs in: gives an access token and a refresh token, which are asked for by secret or by refresh token.",
        .errors = token_errors,
        .answer = &(const struct shape){NULL, token_answer, COUNT(token_answer)},
        .example = "{\"id\":\"jane\",\"secret\":\"correct horse battery\"}",
        .example_answer = "{\"token\":{\"access_token\":\"" EXAMPLE_TOKEN "\",\"refresh_token\":\"" EXAMPLE_TOKEN
                          "\",\"created\":\"1795393608\",\"expiry\":\"1795394508\"}}",
    },
    {
        .service = "Auth",
        .name = "Inspect",
        .effect = OPERATION_READS,
        .policy = POLICY_OPTIONAL,
        .run = inspect,
        .fields = held_fields,
        .fields_count = COUNT(held_fields),
        .args_bytes = sizeof(struct held_args),
        .about = "Says whose token this is.",
        .answer = &(const struct shape){NULL, inspect_answer, COUNT(inspect_answer)},
        .example = "{\"token\":\"" EXAMPLE_TOKEN "\"}",
        .example_answer = "{\"account\":{\"id\":\"jane\",\"type\":\"user\",\"issuer\":\"micro\"}}",
    },
    {
        .service = "Auth",
        .name = "Revoke",
        .effect = OPERATION_WRITES,
        .policy = POLICY_OPTIONAL,
        .run = revoke,
        .fields = held_fields,
        .fields_count = COUNT(held_fields),
        .args_bytes = sizeof(struct held_args),
        .about = "Ends all tokens of the login that this one is of.",
        .example = "{\"token\":\"" EXAMPLE_TOKEN "\"}",
    },
    {
        .service = "Auth",
        .name = "Generate",
        .effect = OPERATION_WRITES,
        .policy = POLICY_SERVICE,
        .run = generate,
        .fields = generate_fields,
        .fields_count = COUNT(generate_fields),
        .args_bytes = sizeof(struct generate_args),
        .about = "Makes an account in the caller's namespace.",
        .errors = generate_errors,
        .answer = &(const struct shape){NULL, generate_answer, COUNT(generate_answer)},
        .example = "{\"id\":\"jane\",\"secret\":\"correct horse battery\",\"type\":\"user\"}",
        .example_answer = "{\"account\":{\"id\":\"jane\",\"type\":\"user\",\"issuer\":\"micro\","
                          "\"secret\":\"correct horse battery\"}}",
    },
};

const struct operation_table auth_operations = {rows, COUNT(rows)};
