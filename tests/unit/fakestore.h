/*
 * fakestore: a store that answers what a test told it to, in place of src/store, so that what stands above can be
 * tested alone. A program that includes this defines every function of store.h and auth.h that operations call.
 */
#ifndef CHATS_TESTS_FAKESTORE_H
#define CHATS_TESTS_FAKESTORE_H

#include <string.h>

#include "store/auth.h"
#include "store/store.h"

#define FAKE_TIME_NS 1000000002u /* 1970-01-01T00:00:01.000000002Z */

/* The accounts and tokens of a fake store: one of each at most. */
struct fake_auth {
    const char *token;                /* the access token that is good, NULL: none */
    const char *holder_namespace;     /* whose it is */
    const char *holder;               /* account */
    enum account_type holder_type;    /* its type */
    struct account account;           /* the account that there is; no id: none */
    enum store_status check_status;   /* of store_token_check, if not STORE_OK */
    enum store_status attempt_status; /* of store_login_attempt, and so on */
    enum store_status succeeded_status;
    enum store_status issue_status;
    enum store_status refresh_status;
    enum store_status revoke_status;
    enum store_status add_status;
    enum store_status set_hash_status;
    enum store_status remove_status;
    enum store_status list_status;
    unsigned retry_s;
    unsigned listed; /* accounts in the list */
    unsigned finds;
    unsigned attempts;
    unsigned successes;
    unsigned issues;
    unsigned revokes;
    bool make_user;
    bool revoke_all;         /* of store_account_set_hash */
    char id[256];            /* of the account that the last call was about */
    char address[256];       /* of the last attempt */
    char hash[256];          /* that was stored last */
    char old_hash[256];      /* that it replaced */
    char verified_hash[256]; /* of the last pair */
    struct token_pair pair;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
};

/* What it is told, and what it saw. */
struct store {
    enum store_status status; /* of every call but store_page_read */
    uint64_t messages;        /* in the page */
    size_t text_bytes;        /* of each */
    uint64_t fail_at;         /* store_page_read fails at this message, if it is below `messages` */
    unsigned fail_reading;    /* in this reading of the page, counted from 1; 0: never */
    size_t text_bytes_later;  /* of each message from the second reading on, if not 0 */
    uint64_t ticket;          /* of what returns before it is on the disk */
    bool waits_in_vain;       /* it will never be on the disk */
    unsigned waits;
    unsigned calls;
    unsigned readings;
    char namespace[256];
    char member[256];
    struct page_query query;
    struct fake_auth auth;
    struct figures figures;
    struct store_state state;
};

static void fake_see(struct store *store, struct text namespace, struct text member)
{
    store->calls++;
    memset(store->namespace, 0, sizeof(store->namespace));
    memset(store->member, 0, sizeof(store->member));
    if (namespace.bytes > 0) {
        memcpy(store->namespace, namespace.data, namespace.bytes);
    }
    if (member.bytes > 0) {
        memcpy(store->member, member.data, member.bytes);
    }
}

enum store_status store_ping(struct store *store)
{
    store->calls++;
    return store->status;
}

struct figures *store_figures(struct store *store)
{
    return &store->figures;
}

enum store_status store_state_read(struct store *store, struct store_state *ret)
{
    store->calls++;
    if (store->status == STORE_OK) {
        *ret = store->state;
    }
    return store->status;
}

enum store_status store_wait(struct store *store, const struct store_ticket *ticket)
{
    assert_int_equal(ticket->number, store->ticket);
    store->waits++;
    return store->waits_in_vain ? STORE_UNAVAILABLE : STORE_OK;
}

bool store_is_settled(struct store *store, const struct store_ticket *ticket)
{
    (void)ticket;
    return store->waits > 0;
}

enum store_status store_chat_create(struct store *store, struct text namespace, const struct chat *draft,
                                    struct arena *arena, struct chat *ret, struct store_ticket *ret_ticket)
{
    (void)arena;
    fake_see(store, namespace, (struct text){NULL, 0});
    ret_ticket->number = store->ticket;
    if (store->status == STORE_OK || store->status == STORE_EXISTS) {
        *ret = *draft;
        ret->created_at_ns = FAKE_TIME_NS;
    }
    return store->status;
}

enum store_status store_message_append(struct store *store, const struct chat_ref *chat, const struct message *draft,
                                       struct message *ret, struct store_ticket *ret_ticket)
{
    fake_see(store, chat->namespace, chat->member);
    ret_ticket->number = store->ticket;
    if (store->status == STORE_OK || store->status == STORE_EXISTS) {
        *ret = *draft;
        ret->sent_at_ns = FAKE_TIME_NS;
    }
    return store->status;
}

enum store_status store_page_open(struct store *store, const struct chat_ref *chat, const struct page_query *query,
                                  struct store_page *ret, struct store_ticket *ret_ticket)
{
    fake_see(store, chat->namespace, chat->member);
    ret_ticket->number = store->ticket;
    store->query = *query;
    *ret = (struct store_page){.count = store->messages};
    buffer_init(&ret->batch, 1000);
    buffer_append_z(&ret->batch, "to be cleared");
    return store->status;
}

enum store_status store_page_read(struct store *store, struct store_page *page, store_message_fn *each, void *context)
{
    static char text[70000];
    size_t text_bytes = store->text_bytes;
    store->readings++;
    if (store->readings > 1 && store->text_bytes_later > 0) {
        text_bytes = store->text_bytes_later;
    }
    memset(text, 'x', sizeof(text));
    for (; page->done < page->count; page->done++) {
        struct message m = {.id = TEXT_LITERAL("m"),
                            .author = TEXT_LITERAL("a"),
                            .text = {text, text_bytes},
                            .sent_at_ns = FAKE_TIME_NS};
        if (store->readings == store->fail_reading && page->done == store->fail_at) {
            return STORE_UNAVAILABLE;
        }
        if (!each(context, &m)) {
            break;
        }
    }
    return STORE_OK;
}

void store_page_rewind(struct store_page *page)
{
    page->done = 0;
}

void store_page_clear(struct store_page *page)
{
    buffer_clear(&page->batch);
}

static void fake_keep(char kept[256], struct text t)
{
    memset(kept, 0, 256);
    if (t.bytes > 0) {
        memcpy(kept, t.data, t.bytes);
    }
}

static void fake_see_account(struct store *store, struct text namespace, struct text id)
{
    fake_see(store, namespace, (struct text){NULL, 0});
    fake_keep(store->auth.id, id);
}

enum store_status store_token_check(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES], struct arena *arena,
                                    struct token_holder *ret)
{
    uint8_t good[CRYPTO_DIGEST_BYTES];
    (void)arena;
    if (store->auth.check_status != STORE_OK) {
        return store->auth.check_status;
    }
    if (store->auth.token == NULL) {
        return STORE_NOT_FOUND;
    }
    crypto_token_digest(text_of(store->auth.token), good);
    if (memcmp(good, digest, sizeof(good)) != 0) {
        return STORE_NOT_FOUND;
    }
    *ret = (struct token_holder){text_of(store->auth.holder_namespace), text_of(store->auth.holder),
                                 store->auth.holder_type};
    return STORE_OK;
}

enum store_status store_account_find(struct store *store, struct text namespace, struct text id, struct arena *arena,
                                     struct account *ret)
{
    (void)arena;
    fake_see_account(store, namespace, id);
    store->auth.finds++;
    if (!text_equal(store->auth.account.id, id)) {
        return STORE_NOT_FOUND;
    }
    *ret = store->auth.account;
    return STORE_OK;
}

enum store_status store_account_add(struct store *store, struct text namespace, const struct account *account)
{
    fake_see_account(store, namespace, account->id);
    fake_keep(store->auth.hash, account->hash);
    store->auth.account.type = account->type;
    return store->auth.add_status;
}

enum store_status store_account_set_hash(struct store *store, struct text namespace, struct text id,
                                         struct text old_hash, struct text hash, bool revoke)
{
    fake_see_account(store, namespace, id);
    fake_keep(store->auth.old_hash, old_hash);
    fake_keep(store->auth.hash, hash);
    store->auth.revoke_all = revoke;
    return store->auth.set_hash_status;
}

enum store_status store_account_remove(struct store *store, struct text namespace, struct text id)
{
    fake_see_account(store, namespace, id);
    return store->auth.remove_status;
}

enum store_status store_account_list(struct store *store, struct text namespace, store_account_fn *each, void *context)
{
    fake_see(store, namespace, (struct text){NULL, 0});
    for (unsigned i = 0; i < store->auth.listed; i++) {
        struct account account = {.id = TEXT_LITERAL("an \"a\""), .type = i == 0 ? ACCOUNT_SERVICE : ACCOUNT_USER};
        if (!each(context, &account)) {
            break;
        }
    }
    return store->auth.list_status;
}

enum store_status store_token_issue(struct store *store, struct text namespace, struct text account, bool make_user,
                                    const struct token_pair *pair)
{
    fake_see_account(store, namespace, account);
    store->auth.issues++;
    store->auth.make_user = make_user;
    store->auth.pair = *pair;
    fake_keep(store->auth.verified_hash, pair->verified_hash);
    return store->auth.issue_status;
}

enum store_status store_token_refresh(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                      struct text namespace, const struct token_pair *pair)
{
    fake_see(store, namespace, (struct text){NULL, 0});
    memcpy(store->auth.digest, digest, CRYPTO_DIGEST_BYTES);
    store->auth.pair = *pair;
    return store->auth.refresh_status;
}

enum store_status store_token_revoke(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    store->calls++;
    store->auth.revokes++;
    memcpy(store->auth.digest, digest, CRYPTO_DIGEST_BYTES);
    return store->auth.revoke_status;
}

enum store_status store_login_attempt(struct store *store, struct text namespace, struct text account,
                                      struct text address, unsigned *ret_retry_s)
{
    fake_see_account(store, namespace, account);
    store->auth.attempts++;
    fake_keep(store->auth.address, address);
    if (store->auth.attempt_status == STORE_CONFLICT) {
        *ret_retry_s = store->auth.retry_s;
    }
    return store->auth.attempt_status;
}

enum store_status store_login_succeeded(struct store *store, struct text namespace, struct text account,
                                        struct text address)
{
    fake_see_account(store, namespace, account);
    store->auth.successes++;
    fake_keep(store->auth.address, address);
    return store->auth.succeeded_status;
}

#endif
