/*
 * Who may call what, and the operations of accounts and tokens, above a fake store (contract, section 6): the policies,
 * the answers byte by byte, the store's statuses as the contract's errors.
 */
#include <sys/stat.h>
#include <unistd.h>

#include "served.h"
#include "service/registry.h"

#define SECRET "correct horse"
#define TOKEN "chats_token"

static char home[] = "/tmp/chats-test-auth-XXXXXX"; /* the slots of hashing are files in it */

static int make_folder(void **state)
{
    (void)state;
    return crypto_init() && mkdtemp(home) != NULL ? 0 : -1;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"hash.0", "hash.1"};
    char path[sizeof(home) + 20];
    (void)state;
    for (size_t i = 0; i < COUNT(names); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", home, names[i]);
        (void)unlink(path);
    }
    return rmdir(home);
}

/* jane has a secret; the token, where one is sent, is the service shop's. */
static int set_up_accounts(void **state)
{
    static char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    if (set_up(state) != 0) {
        return -1;
    }
    struct fixture *f = *state;
    (void)snprintf(f->config.home, sizeof(f->config.home), "%s", home);
    f->config.auth = CONFIG_AUTH_REQUIRED;
    f->config.password_memory_bytes = 65536;
    f->config.password_passes = 1;
    f->request.mount = text_of("/auth");
    if (!crypto_password_hash(TEXT_LITERAL(SECRET), 65536, 1, hash)) {
        return -1;
    }
    f->store.auth = (struct fake_auth){
        .token = TOKEN,
        .holder_namespace = "sites",
        .holder = "shop",
        .holder_type = ACCOUNT_SERVICE,
        .account = {.id = TEXT_LITERAL("jane"), .hash = text_of(hash)},
    };
    return 0;
}

#define WITH_ACCOUNTS(test) cmocka_unit_test_setup_teardown(test, set_up_accounts, tear_down)

static void send_token(struct fixture *f, const char *token)
{
    f->request.has_bearer = token != NULL;
    f->request.has_authorization = token != NULL;
    f->request.bearer = text_of(token);
}

/* The error's detail stands in the answer. */
static void assert_says(const struct fixture *f, const char *what)
{
    char answer[1000] = "";
    assert_true(f->body.bytes < sizeof(answer));
    memcpy(answer, f->body.data, f->body.bytes);
    assert_non_null(strstr(answer, what));
}

/* Which codes mean that a call was let in: what it then lacks is its own business. */
static const struct {
    enum operation_policy policy;
    int none_required;
    int none_open;
    int bad;
    int user;
    int service;
} policies[] = {
    {POLICY_ANYONE, 0, 0, 0, 0, 0},          {POLICY_OPTIONAL, 0, 0, 401, 0, 0},
    {POLICY_CALLER, 401, 0, 401, 0, 0},      {POLICY_TOKEN, 401, 401, 401, 0, 0},
    {POLICY_SERVICE, 401, 401, 401, 403, 0}, {POLICY_SERVICE_OR_LOCAL, 401, 401, 401, 403, 0},
};

static void assert_let_in(struct fixture *f, const struct operation *operation, int expected)
{
    char path[100];
    (void)snprintf(path, sizeof(path), "/%s/%s", operation->service, operation->name);
    serve(f, path, "{\"unknown\":1}");
    if (expected != 0) {
        assert_error(f, expected, expected == 401 ? "UNAUTHORIZED" : "FORBIDDEN");
        assert_int_equal(f->reply.challenge, expected == 401);
        assert_int_equal(f->store.calls, 0);
    } else {
        /* The form is what is looked at next. */
        assert_error(f, 400, "INVALID_REQUEST");
    }
}

static void each_policy_lets_in_whom_it_says(void **state)
{
    struct fixture *f = *state;
    const struct operation *operation;
    unsigned seen = 0;
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        for (size_t p = 0; p < COUNT(policies); p++) {
            if (policies[p].policy != operation->policy) {
                continue;
            }
            seen++;
            send_token(f, NULL);
            f->config.auth = CONFIG_AUTH_REQUIRED;
            assert_let_in(f, operation, policies[p].none_required);
            f->config.auth = CONFIG_AUTH_OPEN;
            assert_let_in(f, operation, policies[p].none_open);
            for (int open = 0; open <= 1; open++) {
                f->config.auth = open == 1 ? CONFIG_AUTH_OPEN : CONFIG_AUTH_REQUIRED;
                send_token(f, "nonsense");
                assert_let_in(f, operation, policies[p].bad);
                send_token(f, "");
                assert_let_in(f, operation, policies[p].bad);
                send_token(f, TOKEN);
                f->store.auth.holder_type = ACCOUNT_USER;
                assert_let_in(f, operation, policies[p].user);
                f->store.auth.holder_type = ACCOUNT_SERVICE;
                assert_let_in(f, operation, policies[p].service);
            }
        }
    }
    assert_int_equal(seen, 12);
}

static void a_token_holds_whatever_the_header_says(void **state)
{
    struct fixture *f = *state;
    f->request.namespace = text_of("elsewhere");
    send_token(f, TOKEN);
    for (int open = 0; open <= 1; open++) {
        f->config.auth = open == 1 ? CONFIG_AUTH_OPEN : CONFIG_AUTH_REQUIRED;
        f->store.auth.holder_type = ACCOUNT_SERVICE;
        serve(f, "/Chats/SendMessage", "{\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\"}");
        assert_int_equal(f->reply.code, 200);
        assert_string_equal(f->store.namespace, "sites");
        assert_string_equal(f->store.member, "");
        f->store.auth.holder_type = ACCOUNT_USER;
        serve(f, "/Chats/SendMessage", "{\"chat_id\":\"c\",\"text\":\"t\"}");
        assert_int_equal(f->reply.code, 200);
        assert_string_equal(f->store.namespace, "sites");
        assert_string_equal(f->store.member, "shop");
        serve(f, "/Chats/SendMessage", "{\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\"}");
        assert_error(f, 403, "FORBIDDEN");
        serve(f, "/Chats/CreateChat", "{\"user_ids\":[\"a\",\"b\"]}");
        assert_error(f, 403, "FORBIDDEN");
    }
}

static void what_the_store_says_of_a_token_becomes_the_contracts_error(void **state)
{
    struct fixture *f = *state;
    send_token(f, TOKEN);
    f->store.auth.check_status = STORE_UNAVAILABLE;
    serve(f, "/Chats/ListMessages", "{\"chat_id\":\"c\"}");
    assert_error(f, 503, "UNAVAILABLE");
    f->store.auth.check_status = STORE_CORRUPT;
    serve(f, "/Chats/ListMessages", "{\"chat_id\":\"c\"}");
    assert_error(f, 500, "DATABASE_ERROR");
}

static void a_lost_header_is_told_only_where_none_arrived(void **state)
{
    struct fixture *f = *state;
    serve(f, "/Accounts/List", "");
    assert_says(f, "CGIPassAuth On");
    f->request.has_authorization = true;
    serve(f, "/Accounts/List", "");
    assert_error(f, 401, "UNAUTHORIZED");
    assert_null(memmem(f->body.data, f->body.bytes, "CGIPassAuth", 11));
}

/* A token of the answer, at `key`, has this digest. */
static void assert_digest_of(const struct fixture *f, const char *key, const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    uint8_t given[CRYPTO_DIGEST_BYTES];
    const char *at = memmem(f->body.data, f->body.bytes, key, strlen(key));
    assert_non_null(at);
    crypto_token_digest((struct text){at + strlen(key), CRYPTO_TOKEN_BYTES}, given);
    assert_memory_equal(given, digest, sizeof(given));
    assert_int_equal(at[strlen(key) + CRYPTO_TOKEN_BYTES], '"');
}

static void assert_issued(const struct fixture *f, int64_t access_s)
{
    char end[100];
    const struct token_pair *pair = &f->store.auth.pair;
    uint64_t refresh_s = (pair->refresh_expiry_ns - pair->access_expiry_ns) / 1000000000 + (uint64_t)access_s;
    uint64_t expiry_s = pair->access_expiry_ns / 1000000000;
    assert_int_equal(f->reply.code, 200);
    assert_true(f->reply.sweeps);
    assert_memory_equal(f->body.data, "{\"token\":{\"access_token\":\"chats_", 31);
    assert_digest_of(f, "\"access_token\":\"", pair->access_digest);
    assert_digest_of(f, "\"refresh_token\":\"", pair->refresh_digest);
    int bytes = snprintf(end, sizeof(end), "\",\"created\":\"%llu\",\"expiry\":\"%llu\"}}",
                         (unsigned long long)expiry_s - (unsigned long long)access_s, (unsigned long long)expiry_s);
    assert_memory_equal(f->body.data + f->body.bytes - (size_t)bytes, end, (size_t)bytes);
    assert_int_equal(refresh_s, 2592000);
}

static void the_right_secret_gets_tokens(void **state)
{
    struct fixture *f = *state;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_issued(f, 900);
    assert_string_equal(f->store.namespace, "micro");
    assert_string_equal(f->store.auth.id, "jane");
    assert_string_equal(f->store.auth.address, "192.0.2.1");
    assert_false(f->store.auth.make_user);
    assert_string_equal(f->store.auth.verified_hash, f->store.auth.account.hash.data);
    assert_int_equal(f->store.auth.attempts, 1);
    assert_int_equal(f->store.auth.successes, 1);
    f->request.namespace = text_of("sites");
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\",\"token_expiry\":\"2592000\"}");
    assert_issued(f, 2592000);
    assert_string_equal(f->store.namespace, "sites");
    serve(f, "/Auth/Token",
          "{\"id\":\"jane\",\"secret\":\"" SECRET "\",\"tokenExpiry\":1,\"options\":{\"namespace\":\"other\"}}");
    assert_issued(f, 1);
    assert_string_equal(f->store.namespace, "other");
    f->request.media = MEDIA_FORM;
    serve(f, "/Auth/Token", "id=jane&secret=correct+horse&options.namespace=form");
    assert_issued(f, 900);
    assert_string_equal(f->store.namespace, "form");
}

static void every_wrong_login_is_the_same_answer(void **state)
{
    struct fixture *f = *state;
    static const char *const bodies[] = {
        "{\"id\":\"jane\",\"secret\":\"wrong horse\"}",
        "{\"id\":\"jane\",\"secret\":\"x\"}",
        "{\"id\":\"john\",\"secret\":\"" SECRET "\"}",
    };
    static const char answer[] =
        "{\"Id\":\"UNAUTHORIZED\",\"Code\":401,\"Detail\":\"id or secret is wrong\",\"Status\":"
        "\"Unauthorized\"}";
    for (size_t i = 0; i < COUNT(bodies); i++) {
        serve(f, "/Auth/Token", bodies[i]);
        assert_answer(f, 401, answer);
    }
    f->store.auth.account.hash = (struct text){NULL, 0}; /* made by a service: it has no secret */
    serve(f, "/Auth/Token", bodies[0]);
    assert_answer(f, 401, answer);
    assert_int_equal(f->store.auth.attempts, 4);
    assert_int_equal(f->store.auth.successes, 0);
    assert_int_equal(f->store.auth.issues, 0);
}

static void an_account_that_changed_during_the_login_gets_no_tokens(void **state)
{
    struct fixture *f = *state;
    f->store.auth.issue_status = STORE_NOT_FOUND;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_error(f, 401, "UNAUTHORIZED");
}

static void a_throttled_login_says_when_to_try_again(void **state)
{
    struct fixture *f = *state;
    f->store.auth.attempt_status = STORE_CONFLICT;
    f->store.auth.retry_s = 321;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_error(f, 429, "TOO_MANY_REQUESTS");
    assert_int_equal(f->reply.retry_s, 321);
    assert_int_equal(f->store.auth.finds, 0);
    assert_true(f->reply.sweeps);
}

static void a_hash_of_another_cost_is_replaced_at_login(void **state)
{
    struct fixture *f = *state;
    f->config.password_passes = 2;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_issued(f, 900);
    assert_string_equal(f->store.auth.verified_hash, f->store.auth.hash);
    assert_false(f->store.auth.revoke_all);
    assert_int_equal(strlen(f->store.auth.old_hash), f->store.auth.account.hash.bytes);
    assert_memory_equal(f->store.auth.old_hash, f->store.auth.account.hash.data, f->store.auth.account.hash.bytes);
    assert_false(crypto_password_outdated(text_of(f->store.auth.hash), 65536, 2));
    assert_true(crypto_password_verify(text_of(f->store.auth.hash), TEXT_LITERAL(SECRET)));
    /* Where it cannot be stored the login goes on with the old one. */
    f->store.auth.set_hash_status = STORE_FULL;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_issued(f, 900);
    assert_string_equal(f->store.auth.verified_hash, f->store.auth.account.hash.data);
}

static void a_hash_that_another_login_has_replaced_is_compared_with_anew(void **state)
{
    struct fixture *f = *state;
    f->config.password_passes = 2;
    f->store.auth.set_hash_status = STORE_CONFLICT;
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\"}");
    assert_issued(f, 900);
    assert_int_equal(f->store.auth.finds, 2);
    assert_int_equal(f->store.auth.attempts, 1);
    assert_int_equal(f->store.auth.successes, 1);
}

static void a_service_gets_tokens_for_its_users(void **state)
{
    struct fixture *f = *state;
    send_token(f, TOKEN);
    f->request.namespace = text_of("micro");
    serve(f, "/Auth/Token", "{\"id\":\"new user\"}");
    assert_issued(f, 900);
    assert_string_equal(f->store.namespace, "sites");
    assert_string_equal(f->store.auth.id, "new user");
    assert_true(f->store.auth.make_user);
    assert_string_equal(f->store.auth.verified_hash, "");
    assert_int_equal(f->store.auth.attempts, 0);
    serve(f, "/Auth/Token", "{\"id\":\"new user\",\"options\":{\"namespace\":\"sites\"}}");
    assert_issued(f, 900);
    serve(f, "/Auth/Token", "{\"id\":\"new user\",\"options\":{\"namespace\":\"other\"}}");
    assert_error(f, 403, "FORBIDDEN");
    f->store.auth.issue_status = STORE_CONFLICT;
    serve(f, "/Auth/Token", "{\"id\":\"a service\"}");
    assert_error(f, 403, "FORBIDDEN");
    f->store.auth.issue_status = STORE_OK;
    f->store.auth.issues = 0;
    f->store.auth.holder_type = ACCOUNT_USER;
    serve(f, "/Auth/Token", "{\"id\":\"shop\"}");
    assert_error(f, 403, "FORBIDDEN");
    f->config.auth = CONFIG_AUTH_OPEN;
    send_token(f, NULL);
    serve(f, "/Auth/Token", "{\"id\":\"jane\"}");
    assert_error(f, 400, "INVALID_REQUEST");
    assert_says(f, "field 'secret' is missing");
    assert_int_equal(f->store.auth.issues, 0);
}

static void a_refresh_token_gets_a_new_pair(void **state)
{
    struct fixture *f = *state;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(TEXT_LITERAL("old"), digest);
    f->request.namespace = text_of("ignored");
    serve(f, "/Auth/Token", "{\"refresh_token\":\"old\"}");
    assert_issued(f, 900);
    assert_memory_equal(f->store.auth.digest, digest, sizeof(digest));
    assert_string_equal(f->store.namespace, "");
    serve(f, "/Auth/Token", "{\"refresh_token\":\"old\",\"options\":{\"namespace\":\"sites\"}}");
    assert_issued(f, 900);
    assert_string_equal(f->store.namespace, "sites");
    f->store.auth.refresh_status = STORE_NOT_FOUND;
    serve(f, "/Auth/Token", "{\"refresh_token\":\"old\"}");
    assert_error(f, 401, "UNAUTHORIZED");
    assert_says(f, "unknown, expired or revoked");
    f->store.auth.refresh_status = STORE_CONFLICT;
    serve(f, "/Auth/Token", "{\"refresh_token\":\"old\"}");
    assert_error(f, 401, "UNAUTHORIZED");
    assert_says(f, "used before");
    serve(f, "/Auth/Token", "{\"refresh_token\":\"old\",\"id\":\"jane\"}");
    assert_error(f, 400, "INVALID_REQUEST");
}

static void a_malformed_login_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *body;
        const char *says;
    } rows[] = {
        {"{}", "field 'id' is missing"},
        {"{\"secret\":\"x\"}", "field 'id' is missing"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"token_expiry\":0}", "from 1 to 2592000"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"token_expiry\":2592001}", "from 1 to 2592000"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options\":\"n\"}", "field 'options' must be an object"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options\":{\"name\":\"n\"}}", "unknown field 'options.name'"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options\":{\"namespace\":1}}", "must be a string"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options\":{\"namespace\":\"a\\tb\"}}", "control characters"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options.namespace\":\"n\"}", "unknown field 'options.namespace'"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"namespace\":\"n\"}", "unknown field 'namespace'"},
        {"{\"id\":\"jane\",\"secret\":\"x\",\"options\":{\"options\":{}}}", "unknown field 'options.options'"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        serve(f, "/Auth/Token", rows[i].body);
        assert_error(f, 400, "INVALID_REQUEST");
        assert_says(f, rows[i].says);
    }
    assert_int_equal(f->store.auth.attempts, 0);
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\",\"options\":null}");
    assert_issued(f, 900);
    serve(f, "/Auth/Token", "{\"id\":\"jane\",\"secret\":\"" SECRET "\",\"options\":{\"namespace\":null}}");
    assert_issued(f, 900);
}

static void a_secret_in_an_address_is_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        const char *query;
    } rows[] = {
        {"/Auth/Token", "id=jane&secret=correct+horse"},
        {"/Auth/Token", "refresh_token=x"},
        {"/Auth/Inspect", "token=" TOKEN},
        {"/Auth/Revoke", "token=" TOKEN},
        {"/Auth/Generate", "secret=12345678"},
        {"/Accounts/ChangeSecret", "old_secret=x"},
        {"/Accounts/ChangeSecret", "newSecret=12345678"},
    };
    send_token(f, TOKEN);
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->request.query = text_of(rows[i].query);
        serve(f, rows[i].path, "");
        assert_error(f, 400, "INVALID_REQUEST");
        assert_int_equal(f->store.calls, 0);
    }
    f->request.query = text_of("secret=x");
    serve(f, "/Auth/Token", "");
    assert_says(f, "must not stand in an address");
}

static void inspect_tells_whose_a_token_is(void **state)
{
    struct fixture *f = *state;
    serve(f, "/Auth/Inspect", "{\"token\":\"" TOKEN "\"}");
    assert_answer(f, 200, "{\"account\":{\"id\":\"shop\",\"type\":\"service\",\"issuer\":\"sites\"}}");
    f->store.auth.holder_type = ACCOUNT_USER;
    serve(f, "/Auth/Inspect", "{\"token\":\"" TOKEN "\"}");
    assert_answer(f, 200, "{\"account\":{\"id\":\"shop\",\"type\":\"user\",\"issuer\":\"sites\"}}");
    serve(f, "/Auth/Inspect", "{\"token\":\"nonsense\"}");
    assert_error(f, 401, "UNAUTHORIZED");
    serve(f, "/Auth/Inspect", "{}");
    assert_error(f, 400, "INVALID_REQUEST");
    assert_says(f, "field 'token' is missing");
    f->store.auth.check_status = STORE_UNAVAILABLE;
    serve(f, "/Auth/Inspect", "{\"token\":\"" TOKEN "\"}");
    assert_error(f, 503, "UNAVAILABLE");
}

static void revoke_ends_a_family_and_may_be_repeated(void **state)
{
    struct fixture *f = *state;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    crypto_token_digest(TEXT_LITERAL(TOKEN), digest);
    serve(f, "/Auth/Revoke", "{\"token\":\"" TOKEN "\"}");
    assert_answer(f, 200, "{}");
    assert_memory_equal(f->store.auth.digest, digest, sizeof(digest));
    f->store.auth.revoke_status = STORE_NOT_FOUND;
    serve(f, "/Auth/Revoke", "{\"token\":\"" TOKEN "\"}");
    assert_answer(f, 200, "{}");
    f->store.auth.revoke_status = STORE_UNAVAILABLE;
    serve(f, "/Auth/Revoke", "{\"token\":\"" TOKEN "\"}");
    assert_error(f, 503, "UNAVAILABLE");
}

static void generate_makes_an_account(void **state)
{
    struct fixture *f = *state;
    static const char begin[] = "{\"account\":{\"id\":\"new\",\"type\":\"user\",\"issuer\":\"sites\",\"secret\":\"";
    send_token(f, TOKEN);
    serve(f, "/Auth/Generate", "{\"id\":\"new\",\"secret\":\"12345678\",\"type\":\"service\"}");
    assert_answer(f, 200,
                  "{\"account\":{\"id\":\"new\",\"type\":\"service\",\"issuer\":\"sites\",\"secret\":\"12345678\"}}");
    assert_int_equal(f->store.auth.account.type, ACCOUNT_SERVICE);
    assert_string_equal(f->store.namespace, "sites");
    assert_true(crypto_password_verify(text_of(f->store.auth.hash), TEXT_LITERAL("12345678")));
    serve(f, "/Auth/Generate", "{\"id\":\"new\"}");
    assert_int_equal(f->reply.code, 200);
    assert_int_equal(f->body.bytes, sizeof(begin) - 1 + CRYPTO_UUID_BYTES + 3);
    assert_memory_equal(f->body.data, begin, sizeof(begin) - 1);
    struct text secret = {f->body.data + sizeof(begin) - 1, CRYPTO_UUID_BYTES};
    assert_true(crypto_password_verify(text_of(f->store.auth.hash), secret));
    assert_int_equal(f->store.auth.account.type, ACCOUNT_USER);
    serve(f, "/Auth/Generate", "{\"id\":\"new\",\"secret\":\"1234567\"}");
    assert_error(f, 400, "INVALID_REQUEST");
    assert_says(f, "field 'secret' must be 8 to 1024 bytes");
    serve(f, "/Auth/Generate", "{\"id\":\"new\",\"type\":\"admin\"}");
    assert_error(f, 400, "INVALID_REQUEST");
    assert_says(f, "must be 'user' or 'service'");
    serve(f, "/Auth/Generate", "{}");
    assert_says(f, "field 'id' is missing");
    f->store.auth.add_status = STORE_CONFLICT;
    serve(f, "/Auth/Generate", "{\"id\":\"new\",\"secret\":\"12345678\"}");
    assert_error(f, 409, "ACCOUNT_EXISTS");
}

static void the_accounts_are_listed_and_deleted(void **state)
{
    struct fixture *f = *state;
    send_token(f, TOKEN);
    serve(f, "/Accounts/List", "");
    assert_answer(f, 200, "{\"accounts\":[]}");
    f->store.auth.listed = 2;
    serve(f, "/Accounts/List", "");
    assert_answer(f, 200,
                  "{\"accounts\":[{\"id\":\"an \\\"a\\\"\",\"type\":\"service\",\"issuer\":\"sites\"},"
                  "{\"id\":\"an \\\"a\\\"\",\"type\":\"user\",\"issuer\":\"sites\"}]}");
    assert_string_equal(f->store.namespace, "sites");
    f->store.auth.list_status = STORE_UNAVAILABLE;
    serve(f, "/Accounts/List", "");
    assert_error(f, 503, "UNAVAILABLE");
    serve(f, "/Accounts/Delete", "{\"id\":\"jane\"}");
    assert_answer(f, 200, "{}");
    assert_string_equal(f->store.auth.id, "jane");
    assert_string_equal(f->store.namespace, "sites");
    f->store.auth.remove_status = STORE_NOT_FOUND;
    serve(f, "/Accounts/Delete", "{\"id\":\"jane\"}");
    assert_error(f, 404, "NOT_FOUND");
    assert_says(f, "Account not found");
    serve(f, "/Accounts/Delete", "{}");
    assert_error(f, 400, "INVALID_REQUEST");
}

static void a_long_list_of_accounts_has_its_length(void **state)
{
    struct fixture *f = *state;
    send_token(f, TOKEN);
    f->store.auth.listed = 40000;
    serve(f, "/Accounts/List", "");
    assert_true(f->complete);
    assert_true(f->body.bytes > REPLY_WHOLE_BYTES_MAX);
    assert_int_equal(f->length, f->body.bytes);
}

static void an_account_changes_its_own_secret(void **state)
{
    struct fixture *f = *state;
    send_token(f, TOKEN);
    f->store.auth.holder = "jane";
    f->store.auth.holder_type = ACCOUNT_USER;
    for (int named = 0; named <= 1; named++) {
        serve(f, "/Accounts/ChangeSecret",
              named == 1 ? "{\"id\":\"jane\",\"old_secret\":\"" SECRET "\",\"new_secret\":\"12345678\"}"
                         : "{\"old_secret\":\"" SECRET "\",\"new_secret\":\"12345678\"}");
        assert_answer(f, 200, "{}");
        assert_true(f->store.auth.revoke_all);
        assert_string_equal(f->store.namespace, "sites");
        assert_memory_equal(f->store.auth.old_hash, f->store.auth.account.hash.data, f->store.auth.account.hash.bytes);
        assert_true(crypto_password_verify(text_of(f->store.auth.hash), TEXT_LITERAL("12345678")));
    }
    assert_int_equal(f->store.auth.attempts, 2);
    assert_int_equal(f->store.auth.successes, 2);
    f->store.auth.set_hash_status = STORE_CONFLICT;
    serve(f, "/Accounts/ChangeSecret", "{\"old_secret\":\"" SECRET "\",\"new_secret\":\"12345678\"}");
    assert_error(f, 401, "UNAUTHORIZED");
    f->store.auth.hash[0] = '\0';
    serve(f, "/Accounts/ChangeSecret", "{\"old_secret\":\"wrong horse\",\"new_secret\":\"12345678\"}");
    assert_error(f, 401, "UNAUTHORIZED");
    serve(f, "/Accounts/ChangeSecret", "{\"id\":\"john\",\"old_secret\":\"" SECRET "\",\"new_secret\":\"12345678\"}");
    assert_error(f, 403, "FORBIDDEN");
    serve(f, "/Accounts/ChangeSecret", "{\"old_secret\":\"" SECRET "\",\"new_secret\":\"1234567\"}");
    assert_error(f, 400, "INVALID_REQUEST");
    f->store.auth.attempt_status = STORE_CONFLICT;
    f->store.auth.retry_s = 9;
    serve(f, "/Accounts/ChangeSecret", "{\"old_secret\":\"" SECRET "\",\"new_secret\":\"12345678\"}");
    assert_error(f, 429, "TOO_MANY_REQUESTS");
    assert_int_equal(f->reply.retry_s, 9);
    assert_string_equal(f->store.auth.hash, "");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_ACCOUNTS(each_policy_lets_in_whom_it_says),
        WITH_ACCOUNTS(a_token_holds_whatever_the_header_says),
        WITH_ACCOUNTS(what_the_store_says_of_a_token_becomes_the_contracts_error),
        WITH_ACCOUNTS(a_lost_header_is_told_only_where_none_arrived),
        WITH_ACCOUNTS(the_right_secret_gets_tokens),
        WITH_ACCOUNTS(every_wrong_login_is_the_same_answer),
        WITH_ACCOUNTS(an_account_that_changed_during_the_login_gets_no_tokens),
        WITH_ACCOUNTS(a_throttled_login_says_when_to_try_again),
        WITH_ACCOUNTS(a_hash_of_another_cost_is_replaced_at_login),
        WITH_ACCOUNTS(a_hash_that_another_login_has_replaced_is_compared_with_anew),
        WITH_ACCOUNTS(a_service_gets_tokens_for_its_users),
        WITH_ACCOUNTS(a_refresh_token_gets_a_new_pair),
        WITH_ACCOUNTS(a_malformed_login_is_refused),
        WITH_ACCOUNTS(a_secret_in_an_address_is_refused),
        WITH_ACCOUNTS(inspect_tells_whose_a_token_is),
        WITH_ACCOUNTS(revoke_ends_a_family_and_may_be_repeated),
        WITH_ACCOUNTS(generate_makes_an_account),
        WITH_ACCOUNTS(the_accounts_are_listed_and_deleted),
        WITH_ACCOUNTS(a_long_list_of_accounts_has_its_length),
        WITH_ACCOUNTS(an_account_changes_its_own_secret),
    };
    return cmocka_run_group_tests_name("auth", tests, make_folder, remove_folder);
}
