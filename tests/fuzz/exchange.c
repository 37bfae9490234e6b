/*
 * Fuzz target: a whole CGI environment and a body to an answer, through src/http, src/rpc, src/service and a real store
 * on a home in memory.
 *
 * Input: meta-variables, a line "NAME=value" each, an empty line, the body. Some are the target's own:
 *   CONTENT_LENGTH=*     the body's
 *   FUZZ_AUTH=required   auth = required; else open
 *   FUZZ_MEMORY=N        over the transport in memory, whose peer takes N bytes of the answer (none given: all)
 *   FUZZ_CHUNK=N         in memory: the body comes in parts of N bytes
 *   FUZZ_SITE=yes        allow_origins and trusted_proxies are set
 *
 * Every answer is well-formed, its JSON is JSON, its error is of the table (answer.h); a sound home is never the reason
 * for a code of 500 and above; what only reads gives the same bytes over either transport; what was made or sent is so
 * once, however often it is asked for; and the home stays sound.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "answer.h"
#include "base/crypto.h"
#include "base/timestamp.h"
#include "fuzz.h"
#include "home.h"
#include "http/http.h"
#include "store/auth.h"

#define CALLS_MAX 20000u
#define YEAR_NS UINT64_C(31536000000000000)
#define LONG_TEXTS 22u /* a page of them is above 1 MiB */
#define LONG_TEXT_BYTES 50000u

#define MICRO TEXT_LITERAL("micro")
#define SECRET TEXT_LITERAL("a secret")

static struct home home;
static struct arena arena;
static struct gateway_answer answers[2];
static char *origins[] = {"https://example.org", "https://example.com"};

/* The tokens that inputs name: chats_ and 43 times the letter. */
static struct text token_of(char letter, char room[CRYPTO_TOKEN_BYTES])
{
    memset(room, letter, CRYPTO_TOKEN_BYTES);
    memcpy(room, CRYPTO_TOKEN_PREFIX, strlen(CRYPTO_TOKEN_PREFIX));
    return (struct text){room, CRYPTO_TOKEN_BYTES};
}

static void fill_account(struct text id, enum account_type type)
{
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    /* At another cost than is configured: the first login replaces it. */
    FUZZ_CHECK(crypto_password_hash(SECRET, 2 * home.config.password_memory_bytes, 1, hash));
    const struct account account = {.id = id, .type = type, .hash = text_of(hash), .created_at_ns = 1};
    enum store_status status = store_account_add(home.store, MICRO, &account);
    FUZZ_CHECK(status == STORE_OK || status == STORE_CONFLICT);
}

/* Tokens of an account, if `access` is not good (any more). */
static void fill_tokens(struct text id, enum account_type type, char access, char refresh)
{
    char room[CRYPTO_TOKEN_BYTES];
    struct token_pair pair;
    struct token_holder holder;
    memset(&pair, 0, sizeof pair);
    crypto_token_digest(token_of(access, room), pair.access_digest);
    if (store_token_check(home.store, pair.access_digest, &arena, &holder) == STORE_OK) {
        return;
    }
    crypto_token_digest(token_of(refresh, room), pair.refresh_digest);
    pair.access_expiry_ns = timestamp_now_ns() + YEAR_NS;
    pair.refresh_expiry_ns = pair.access_expiry_ns;
    fill_account(id, type);
    FUZZ_CHECK(store_token_issue(home.store, MICRO, id, false, &pair) == STORE_OK);
}

/* Who the inputs speak for: a service (s, refreshed by t) and a user (u, refreshed by v). */
static void fill_callers(void)
{
    fill_tokens(TEXT_LITERAL("site"), ACCOUNT_SERVICE, 's', 't');
    fill_tokens(TEXT_LITERAL("jane"), ACCOUNT_USER, 'u', 'v');
}

static void fill_chat(struct text id, struct text other, unsigned messages, size_t text_bytes)
{
    static char text[LONG_TEXT_BYTES];
    struct text members[] = {TEXT_LITERAL("jane"), other};
    const struct chat draft = {.id = id, .members = members, .members_count = 2};
    struct chat chat;
    FUZZ_CHECK(store_chat_create(home.store, MICRO, &draft, &arena, &chat, NULL) == STORE_OK);
    memset(text, 't', sizeof text);
    for (unsigned i = 0; i < messages; i++) {
        char name[16];
        const struct chat_ref ref = {.namespace = MICRO, .id = id};
        struct message message = {.author = members[0], .text = {text, text_bytes}};
        message.id = (struct text){name, (size_t)snprintf(name, sizeof name, "m%u", i)};
        FUZZ_CHECK(store_message_append(home.store, &ref, &message, &message, NULL) == STORE_OK);
    }
}

static void fill(struct home *filled)
{
    (void)filled;
    fill_callers();
    fill_chat(TEXT_LITERAL("c"), TEXT_LITERAL("john"), 5, 3);
    fill_chat(TEXT_LITERAL("long"), TEXT_LITERAL("judy"), LONG_TEXTS, LONG_TEXT_BYTES);
}

static void set_length(struct gateway_call *call)
{
    for (size_t i = 0; call->variables[i] != NULL; i++) {
        if (strcmp(call->variables[i], "CONTENT_LENGTH=*") == 0) {
            char *announced = arena_alloc(&arena, 40);
            FUZZ_CHECK(announced != NULL);
            (void)snprintf(announced, 40, "CONTENT_LENGTH=%zu", call->body.bytes);
            call->variables[i] = announced;
        }
    }
}

/* Reads the input. The variables are the arena's. */
static void read_call(struct fuzz_reader *input, struct gateway_call *ret)
{
    struct text line;
    size_t count = 0;
    memset(ret, 0, sizeof *ret);
    while ((line = fuzz_until(input, '\n')).bytes > 0) {
        struct text copy = arena_text(&arena, line);
        FUZZ_CHECK(copy.data != NULL);
        if (count < GATEWAY_VARIABLES_MAX && strchr(copy.data, '=') != NULL) {
            ret->variables[count++] = (char *)(uintptr_t)copy.data;
        }
    }
    ret->body = fuzz_rest(input);
    set_length(ret);
    const char *memory = gateway_variable(ret, "FUZZ_MEMORY");
    const char *chunk = gateway_variable(ret, "FUZZ_CHUNK");
    ret->in_memory = memory != NULL;
    ret->peer_takes = memory != NULL && *memory != '\0' ? strtoul(memory, NULL, 10) : SIZE_MAX;
    ret->chunk_bytes = chunk != NULL ? strtoul(chunk, NULL, 10) : SIZE_MAX;
    ret->chunk_bytes += ret->chunk_bytes == 0;
}

static bool says(const struct gateway_call *call, const char *name, const char *value)
{
    const char *said = gateway_variable(call, name);
    return said != NULL && strcmp(said, value) == 0;
}

/* Over CGI a body without a length is none. */
static bool body_is_announced(const struct gateway_call *call)
{
    const char *length = gateway_variable(call, "CONTENT_LENGTH");
    return call->body.bytes == 0 || (length != NULL && *length != '\0');
}

static void serve(const struct gateway_call *call, struct gateway_answer *ret)
{
    struct config config = home.config;
    config.auth = says(call, "FUZZ_AUTH", "required") ? CONFIG_AUTH_REQUIRED : CONFIG_AUTH_OPEN;
    if (says(call, "FUZZ_SITE", "yes")) {
        config.origins[0] = origins[0];
        config.origins[1] = origins[1];
        config.origins_count = 2;
        config.trusted_proxies_count = 1;
        FUZZ_CHECK(address_parse(TEXT_LITERAL("127.0.0.1"), &config.trusted_proxies[0]));
    }
    struct transport *t = gateway_begin(call, ret);
    struct exchange *exchange = exchange_new(t, &config, home.store);
    FUZZ_CHECK(exchange != NULL);
    exchange_run(exchange);
    bool sweeps = exchange_answer(exchange);
    exchange_free(exchange);
    gateway_end();
    store_housekeeping(home.store);
    if (sweeps) {
        store_auth_sweep(home.store);
    }
}

/* Over the other transport the answer is the same. */
static void check_same(const struct gateway_call *call, const struct answer *first)
{
    struct gateway_call other = *call;
    struct answer second;
    other.in_memory = !call->in_memory;
    serve(&other, &answers[1]);
    answer_check(&other, &answers[1], &second);
    FUZZ_CHECK(second.code == first->code);
    FUZZ_CHECK(first->is_text ? second.is_text : text_equal(second.body, first->body));
}

/* The id of the chat or message that an answer begins with, as it is spelled. */
static struct text first_id(struct text body)
{
    static const char mark[] = "\"id\":\"";
    const char *begin = memmem(body.data, body.bytes, mark, sizeof mark - 1);
    FUZZ_CHECK(begin != NULL);
    begin += sizeof mark - 1;
    const char *end = memmem(begin, (size_t)(body.data + body.bytes - begin), "\",\"", 3);
    FUZZ_CHECK(end != NULL);
    return (struct text){begin, (size_t)(end - begin)};
}

static bool begins(struct text body, const char *z)
{
    return body.bytes > strlen(z) && memcmp(body.data, z, strlen(z)) == 0;
}

/* A chat that was made or a message that was sent: the same call again gives the same, unless it lets the id be chosen.
 */
static void check_repeated(const struct gateway_call *call, const struct answer *first)
{
    struct answer second;
    bool is_chat = begins(first->body, "{\"chat\":");
    if (!is_chat && !begins(first->body, "{\"message\":")) {
        return;
    }
    serve(call, &answers[1]);
    answer_check(call, &answers[1], &second);
    FUZZ_CHECK(second.code == 200);
    FUZZ_CHECK(text_equal(second.body, first->body) ||
               (!is_chat && !text_equal(first_id(second.body), first_id(first->body))));
}

/* Whether the home lies in the folder that a variable names: told by the folders above it, one by one. */
static bool is_exposed_by(const struct gateway_call *call, const char *name)
{
    const char *folder = gateway_variable(call, name);
    struct stat named;
    struct stat above;
    if (folder == NULL || folder[0] != '/' || stat(folder, &named) != 0) {
        return false;
    }
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s", home.config.home);
    for (;;) {
        if (stat(path[0] != '\0' ? path : "/", &above) == 0 && above.st_dev == named.st_dev &&
            above.st_ino == named.st_ino) {
            return true;
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
}

static bool is_exposed(const struct gateway_call *call)
{
    return is_exposed_by(call, "DOCUMENT_ROOT") || is_exposed_by(call, "CONTEXT_DOCUMENT_ROOT");
}

static void check_last(void)
{
    home_check(&home, true);
}

void fuzz_open(void)
{
    FUZZ_CHECK(crypto_init());
    log_set_level(LOG_LEVEL_ERROR);
    gateway_init();
    buffer_init(&answers[0].bytes, GATEWAY_ANSWER_BYTES_MAX);
    buffer_init(&answers[1].bytes, GATEWAY_ANSWER_BYTES_MAX);
    home_make(&home, fill);
    FUZZ_CHECK(atexit(check_last) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader input = {data, size};
    struct gateway_call call;
    struct answer answer = {.code = 0};
    home_renew(&home, CALLS_MAX, true, fill);
    read_call(&input, &call);
    serve(&call, &answers[0]);
    if (!answers[0].complete) {
        FUZZ_CHECK(answers[0].bytes.bytes > call.peer_takes);
    } else {
        answer_check(&call, &answers[0], &answer);
        if (is_exposed(&call)) { /* then the home is not used: src/http/docroot.h */
            FUZZ_CHECK(answer.code != 200 && (answer.code < 500 || answer.code == 503));
        } else {
            FUZZ_CHECK(answer.code < 500);
        }
        if (answer.code == 200 && says(&call, "REQUEST_METHOD", "GET") && body_is_announced(&call)) {
            check_same(&call, &answer);
        }
        if (answer.code == 200 && says(&call, "REQUEST_METHOD", "POST")) {
            check_repeated(&call, &answer);
        }
    }
    arena_reset(&arena);
    if (!answers[0].complete || answer.code == 200) { /* perhaps a token is gone */
        fill_callers();
        arena_reset(&arena);
    }
    return 0;
}
