/*
 * Fuzz target: a home whose trees hold records of any bytes, and what the store (src/store) then answers.
 *
 * Input: a letter for the record ("the cases" below), a byte that chooses where it stands or how it is asked for, the
 * record. Whatever is stored, each call ends with one of its results, never with a broken environment, gives out only
 * ids that fit, and store_check goes through.
 */
#include <string.h>

#include "base/crypto.h"
#include "fuzz.h"
#include "home.h"
#include "store/admin.h"
#include "store/auth.h"
#include "store/internal.h"

#define CALLS_MAX 20000u
#define CHECK_EVERY 256u
#define NUMBER_BASE (UINT64_C(1) << 32) /* our chats' numbers; the store's own begin at 1 */
#define RECORD_TEXT_BYTES_MAX (1u << 20)
#define SEQUENCES 5u /* what a case may leave behind in its chat */

#define MICRO TEXT_LITERAL("micro")
#define JANE TEXT_LITERAL("jane")
#define CHAT TEXT_LITERAL("c")
#define ADDRESS TEXT_LITERAL("192.0.2.1")

static struct home home;
static struct arena arena;

/* --- raw records */

struct raw {
    enum tree tree;
    struct text key;
    struct text record;
};

static enum store_status put_body(struct txn *txn, void *args)
{
    const struct raw *raw = args;
    DB *tree = NULL;
    DBT key = store_dbt(raw->key.data, raw->key.bytes);
    DBT value = store_dbt(raw->record.data, raw->record.bytes);
    if (txn_tree_to_write(txn, (int)raw->tree, &tree) != 0) {
        return STORE_UNAVAILABLE;
    }
    return tree->put(tree, txn->handle, &key, &value, 0) == 0 ? STORE_OK : STORE_CONFLICT;
}

static enum store_status remove_body(struct txn *txn, void *args)
{
    const struct raw *raw = args;
    DB *tree = NULL;
    DBT key = store_dbt(raw->key.data, raw->key.bytes);
    if (txn_tree_to_write(txn, (int)raw->tree, &tree) != 0) {
        return STORE_UNAVAILABLE;
    }
    return tree->del(tree, txn->handle, &key, 0) == 0 ? STORE_OK : STORE_NOT_FOUND;
}

/* False: an index refuses it, because another record has its key. */
static bool put(enum tree tree, const void *key, size_t key_bytes, struct text record)
{
    struct raw raw = {tree, {key, key_bytes}, record};
    enum store_status status = txn_write(home.store->env, put_body, &raw);
    FUZZ_CHECK(status == STORE_OK || status == STORE_CONFLICT);
    return status == STORE_OK;
}

static void take_away(enum tree tree, const void *key, size_t key_bytes)
{
    struct raw raw = {tree, {key, key_bytes}, {NULL, 0}};
    enum store_status status = txn_write(home.store->env, remove_body, &raw);
    FUZZ_CHECK(status == STORE_OK || status == STORE_NOT_FOUND);
}

/* --- what calls may end with */

static void ends_well(enum store_status status)
{
    FUZZ_CHECK(status == STORE_OK || status == STORE_EXISTS || status == STORE_CONFLICT || status == STORE_NOT_FOUND ||
               status == STORE_CORRUPT);
}

static bool look(void *context, const struct message *m)
{
    uint64_t *count = context;
    (*count)++;
    FUZZ_CHECK(id_fits(m->id) && id_fits(m->author));
    FUZZ_CHECK(m->text.bytes <= RECORD_TEXT_BYTES_MAX);
    return true;
}

/* How many messages the page has; -1: it could not be read. */
static int list(const struct chat_ref *chat, const struct page_query *query)
{
    struct store_page page;
    uint64_t count = 0;
    enum store_status status = store_page_open(home.store, chat, query, &page, NULL);
    ends_well(status);
    if (status == STORE_OK) {
        FUZZ_CHECK(page.count <= query->limit);
        status = store_page_read(home.store, &page, look, &count);
        ends_well(status);
        FUZZ_CHECK(status != STORE_OK || count == page.count);
    }
    store_page_clear(&page);
    return status == STORE_OK ? (int)count : -1;
}

static enum store_status append(const struct chat_ref *chat, const char *id)
{
    const struct message draft = {.id = text_of(id), .author = JANE, .text = TEXT_LITERAL("text")};
    struct message stored;
    enum store_status status = store_message_append(home.store, chat, &draft, &stored, NULL);
    ends_well(status);
    return status;
}

static void use_chat(struct text member)
{
    const struct chat_ref chat = {.namespace = MICRO, .id = CHAT, .member = member};
    const struct page_query newest = {.order = STORE_NEWEST_FIRST, .limit = 25};
    const struct page_query oldest = {.order = STORE_OLDEST_FIRST, .limit = 2, .offset = 1};
    const struct page_query window = {
        .order = STORE_NEWEST_FIRST, .limit = 2, .has_before = true, .has_after = true, .before_ns = 300};
    (void)list(&chat, &newest);
    (void)list(&chat, &oldest);
    (void)list(&chat, &window);
    bool kept = append(&chat, "new") == STORE_OK;
    FUZZ_CHECK(!kept || append(&chat, "new") == STORE_EXISTS);
    bool other_kept = append(&chat, "m1") == STORE_OK;
    int count = list(&chat, &newest);
    FUZZ_CHECK(count < 0 || count >= (kept ? 1 : 0) + (other_kept ? 1 : 0));
}

static void create_chat(struct text id)
{
    struct text members[] = {JANE, TEXT_LITERAL("john")};
    const struct chat draft = {.id = id, .members = members, .members_count = 2};
    struct chat made;
    ends_well(store_chat_create(home.store, MICRO, &draft, &arena, &made, NULL));
}

/* --- the cases */

static uint8_t name_bytes[RECORD_KEY_NAME_BYTES_MAX];

static size_t chat_key(struct text id)
{
    return record_key_name(MICRO, id, name_bytes);
}

static void put_chat(uint64_t number)
{
    struct text members[] = {JANE, TEXT_LITERAL("john")};
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    struct buffer record;
    buffer_init(&record, 1024);
    crypto_digest_list(members, 2, digest);
    record_chat_encode(&record, members, 2, digest);
    record_chat_stamp(record.data, number, 1);
    FUZZ_CHECK(put(TREE_CHATS, name_bytes, chat_key(CHAT), (struct text){record.data, record.bytes}));
    buffer_clear(&record);
}

static void put_message(uint64_t number, uint64_t sequence, const char *id)
{
    uint8_t key[RECORD_KEY_PAIR_BYTES];
    struct buffer record;
    buffer_init(&record, 1024);
    record_message_encode(&record, text_of(id), JANE, TEXT_LITERAL("text"));
    record_message_stamp(record.data, sequence * 100);
    (void)put(TREE_MESSAGES, key, record_key_pair(number, sequence, key), (struct text){record.data, record.bytes});
    buffer_clear(&record);
}

/* One of a chat's three messages, or a fourth. */
static void message(uint8_t choice, struct text record)
{
    static const char *const ids[] = {"m1", "m2", "m3"};
    uint64_t number = NUMBER_BASE + home.calls;
    uint64_t damaged = 1 + choice % 4;
    uint8_t key[RECORD_KEY_PAIR_BYTES];
    put_chat(number);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        if (sequence != damaged) {
            put_message(number, sequence, ids[sequence - 1]);
        }
    }
    (void)put(TREE_MESSAGES, key, record_key_pair(number, damaged, key), record);
    use_chat((choice & 4) != 0 ? JANE : (struct text){NULL, 0});
    if (home.calls % CHECK_EVERY == 0) {
        home_check(&home, false);
    }
    for (uint64_t sequence = 1; sequence <= SEQUENCES; sequence++) {
        take_away(TREE_MESSAGES, key, record_key_pair(number, sequence, key));
    }
}

static void chat(uint8_t choice, struct text record)
{
    (void)put(TREE_CHATS, name_bytes, chat_key(CHAT), record);
    use_chat((choice & 1) != 0 ? JANE : (struct text){NULL, 0});
    create_chat((choice & 2) != 0 ? CHAT : TEXT_LITERAL("d"));
}

static bool look_at_account(void *context, const struct account *account)
{
    (void)context;
    FUZZ_CHECK(id_fits(account->id) && account->hash.bytes < CRYPTO_PASSWORD_HASH_BYTES_MAX);
    return true;
}

static struct token_pair make_pair(uint8_t fill)
{
    struct token_pair pair;
    memset(&pair, 0, sizeof pair);
    memset(pair.access_digest, fill, sizeof pair.access_digest);
    memset(pair.refresh_digest, fill + 1, sizeof pair.refresh_digest);
    pair.access_expiry_ns = UINT64_MAX;
    pair.refresh_expiry_ns = UINT64_MAX;
    return pair;
}

static void account(uint8_t choice, struct text record)
{
    struct account found;
    struct token_pair pair = make_pair(8);
    struct token_holder holder;
    (void)put(TREE_ACCOUNTS, name_bytes, chat_key(JANE), record);
    ends_well(store_account_find(home.store, MICRO, JANE, &arena, &found));
    ends_well(store_account_list(home.store, MICRO, look_at_account, NULL));
    ends_well(store_token_issue(home.store, MICRO, JANE, (choice & 1) != 0, &pair));
    ends_well(store_token_check(home.store, pair.access_digest, &arena, &holder));
    ends_well(store_account_set_hash(home.store, MICRO, JANE, (struct text){NULL, 0}, TEXT_LITERAL("hash"), true));
    ends_well(store_account_remove(home.store, MICRO, JANE));
    take_away(TREE_ACCOUNTS, name_bytes, chat_key(JANE));
}

static void token(uint8_t choice, struct text record)
{
    struct token_pair pair = make_pair(16);
    struct token_pair next = make_pair(32);
    struct token_holder holder;
    const uint8_t *digest = pair.access_digest;
    (void)put(TREE_TOKENS, digest, CRYPTO_DIGEST_BYTES, record);
    const struct account jane = {.id = JANE, .created_at_ns = 1};
    ends_well(store_account_add(home.store, MICRO, &jane));
    ends_well(store_token_check(home.store, digest, &arena, &holder));
    if ((choice & 1) != 0) {
        ends_well(store_token_refresh(home.store, digest, (struct text){NULL, 0}, &next));
        ends_well(store_token_refresh(home.store, digest, (struct text){NULL, 0}, &next));
    }
    if ((choice & 2) != 0) {
        store_auth_sweep(home.store);
    }
    ends_well(store_token_revoke(home.store, digest));
    ends_well(store_account_remove(home.store, MICRO, JANE));
    take_away(TREE_TOKENS, digest, CRYPTO_DIGEST_BYTES);
    take_away(TREE_TOKENS, next.access_digest, CRYPTO_DIGEST_BYTES);
    take_away(TREE_TOKENS, next.refresh_digest, CRYPTO_DIGEST_BYTES);
}

/* The failures of an address, or of an account from it: the keys are as src/store/logins.c makes them. */
static void login(uint8_t choice, struct text record)
{
    struct address address;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    unsigned retry_s = 0;
    FUZZ_CHECK(address_parse(ADDRESS, &address));
    const struct text items[] = {
        {(const char *)address.bytes, address_subscriber_bytes(&address)},
        MICRO,
        JANE,
    };
    crypto_digest_list(items, (choice & 1) != 0 ? 3 : 1, digest);
    (void)put(TREE_LOGINS, digest, sizeof digest, record);
    ends_well(store_login_attempt(home.store, MICRO, JANE, ADDRESS, &retry_s));
    ends_well(store_login_attempt(home.store, MICRO, JANE, ADDRESS, &retry_s));
    FUZZ_CHECK(retry_s <= LOGIN_WINDOW_S);
    if ((choice & 2) != 0) {
        store_auth_sweep(home.store);
    }
    ends_well(store_login_succeeded(home.store, MICRO, JANE, ADDRESS));
    take_away(TREE_LOGINS, digest, sizeof digest);
}

/* A record under a key of any bytes, in any tree of ours that is no index. */
static void anywhere(uint8_t choice, struct text record)
{
    static const enum tree trees[] = {TREE_CHATS, TREE_MESSAGES, TREE_ACCOUNTS, TREE_TOKENS, TREE_LOGINS};
    enum tree tree = trees[choice % 5];
    struct fuzz_reader rest = {(const uint8_t *)record.data, record.bytes};
    struct text key = fuzz_until(&rest, '\n');
    if (key.bytes == 0 || key.bytes > 1024) {
        return;
    }
    (void)put(tree, key.data, key.bytes, fuzz_rest(&rest));
    home_check(&home, false);
    ends_well(store_account_list(home.store, MICRO, look_at_account, NULL));
    store_auth_sweep(home.store);
    take_away(tree, key.data, key.bytes);
}

/* What the next chat's number is read from. */
static void counter(uint8_t choice, struct text record)
{
    (void)choice;
    static const char name[] = "next_chat";
    static const char good[8] = {0, 0, 0, 1};
    (void)put(TREE_META, name, sizeof name - 1, record);
    take_away(TREE_CHATS, name_bytes, chat_key(CHAT));
    create_chat(CHAT);
    use_chat(JANE);
    take_away(TREE_CHATS, name_bytes, chat_key(CHAT));
    (void)put(TREE_META, name, sizeof name - 1, (struct text){good, sizeof good});
}

static void fill(struct home *filled)
{
    FUZZ_CHECK(store_ping(filled->store) == STORE_OK);
}

void fuzz_open(void)
{
    FUZZ_CHECK(crypto_init());
    log_set_level(LOG_LEVEL_ERROR);
    home_make(&home, fill);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const cases[])(uint8_t, struct text) = {message, chat, account, token, login, anywhere, counter};
    struct fuzz_reader input = {data, size};
    uint8_t letter = fuzz_byte(&input);
    uint8_t choice = fuzz_byte(&input);
    home_renew(&home, CALLS_MAX, false, fill);
    cases[(uint8_t)(letter - 'A') % (sizeof cases / sizeof cases[0])](choice, fuzz_rest(&input));
    take_away(TREE_CHATS, name_bytes, chat_key(CHAT));
    take_away(TREE_CHATS, name_bytes, chat_key(TEXT_LITERAL("d")));
    arena_reset(&arena);
    return 0;
}
