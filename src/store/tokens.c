#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "bdb/damage.h"
#include "store/internal.h"
#include "store/token_cache.h"

#define TOKENS_SWEEP 64u /* expired tokens removed in one call */

/* Ends every process's cached checks. Inside, before the commit: a holder that dies in between has revoked nothing. */
static void tokens_raise_epoch(struct txn *txn)
{
    atomic_fetch_add(&txn->env->gate->page->tokens_epoch, 1);
}

/* Inside: the token's record, the library's memory. STORE_NOT_FOUND: there is none. */
static enum store_status token_read(struct txn *txn, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                    struct record_token *ret)
{
    DB *tokens = NULL;
    DBT key = store_dbt(digest, CRYPTO_DIGEST_BYTES);
    DBT value = {0};
    int error = txn_tree_to_read(txn, TREE_TOKENS, &tokens);
    if (error == 0) {
        error = tokens->get(tokens, NULL, &key, &value, 0);
    }
    if (error == DB_NOTFOUND) {
        return STORE_NOT_FOUND;
    }
    if (error != 0) {
        return txn_failed(txn, error, "reading a token");
    }
    return record_token_decode(store_dbt_text(&value), ret) ? STORE_OK : store_damaged("tokens");
}

/* Inside: puts a token; a digest that is taken is none of 256 random bits. */
static enum store_status token_write(struct txn *txn, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                     const struct record_token *token)
{
    DB *tokens = NULL;
    uint8_t record[RECORD_TOKEN_BYTES_MAX];
    DBT key = store_dbt(digest, CRYPTO_DIGEST_BYTES);
    DBT value = store_dbt(record, record_token_encode(token, record));
    int error = txn_tree_to_write(txn, TREE_TOKENS, &tokens);
    if (error == 0) {
        error = tokens->put(tokens, txn->handle, &key, &value, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "storing a token");
}

/* Inside: removes these tokens. */
static enum store_status tokens_delete(struct txn *txn, uint8_t (*digests)[CRYPTO_DIGEST_BYTES], size_t count)
{
    DB *tokens = NULL;
    int error = txn_tree_to_write(txn, TREE_TOKENS, &tokens);
    for (size_t i = 0; i < count && error == 0; i++) {
        DBT key = store_dbt(digests[i], CRYPTO_DIGEST_BYTES);
        error = tokens->del(tokens, txn->handle, &key, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "removing a token");
}

/* Which entries of an index of the tokens, in its order. */
struct token_range {
    enum tree index;
    struct text from;
    struct text prefix;  /* only keys that begin with it */
    struct text through; /* only keys up to it; empty: no bound */
    const uint8_t *keep; /* not the token of this digest; may be NULL */
    size_t max;
};

static bool token_range_has(const struct token_range *range, struct text key)
{
    return key.bytes >= range->prefix.bytes &&
           text_equal((struct text){key.data, range->prefix.bytes}, range->prefix) &&
           (range->through.bytes == 0 || text_compare(key, range->through) <= 0);
}

/* Inside: the digests of the range's first tokens. *ret_more: it has others. */
static enum store_status tokens_collect(struct txn *txn, const struct token_range *range,
                                        uint8_t (*ret_digests)[CRYPTO_DIGEST_BYTES], size_t *ret_count, bool *ret_more)
{
    DB *index = NULL;
    DBC *cursor = NULL;
    DBT key = store_dbt(range->from.data, range->from.bytes);
    DBT digest = {0};
    DBT value = {.flags = DB_DBT_PARTIAL};
    size_t count = 0;
    bool more = false;
    int error = txn_tree_to_read(txn, (int)range->index, &index);
    if (error == 0) {
        error = index->cursor(index, NULL, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    enum store_status status = STORE_OK;
    error = cursor->pget(cursor, &key, &digest, &value, DB_SET_RANGE);
    while (error == 0 && token_range_has(range, store_dbt_text(&key))) {
        if (digest.size != CRYPTO_DIGEST_BYTES) {
            status = store_damaged("tokens");
            break;
        }
        if (range->keep == NULL || memcmp(digest.data, range->keep, CRYPTO_DIGEST_BYTES) != 0) {
            more = count == range->max;
            if (more) {
                break;
            }
            memcpy(ret_digests[count++], digest.data, CRYPTO_DIGEST_BYTES);
        }
        error = cursor->pget(cursor, &key, &digest, &value, DB_NEXT);
    }
    (void)cursor->close(cursor);
    if (error != 0 && error != DB_NOTFOUND) {
        return txn_failed(txn, error, "looking for tokens");
    }
    *ret_count = count;
    *ret_more = more;
    return status;
}

enum store_status tokens_remove_some(struct txn *txn, struct text namespace, struct text account, const uint8_t *family,
                                     const uint8_t *keep, bool *ret_more)
{
    uint8_t digests[TOKENS_BATCH][CRYPTO_DIGEST_BYTES];
    uint8_t bytes[RECORD_KEY_ACCOUNT_BYTES_MAX];
    size_t count = 0;
    struct text prefix = {(const char *)bytes, record_key_account(namespace, account, family, bytes)};
    const struct token_range range = {
        .index = TREE_TOKENS_BY_ACCOUNT, .from = prefix, .prefix = prefix, .keep = keep, .max = TOKENS_BATCH};
    tokens_raise_epoch(txn);
    enum store_status status = tokens_collect(txn, &range, digests, &count, ret_more);
    return status == STORE_OK ? tokens_delete(txn, digests, count) : status;
}

struct token_call {
    struct store *store;
    struct text namespace;
    struct text account;
    bool make_user;
    const struct token_pair *pair;
    const uint8_t *digest;
    uint8_t family[TOKEN_FAMILY_BYTES];
    bool used_before; /* refresh: the token was */
    bool more;        /* revoke: others of the family are left */
};

_Static_assert(TOKEN_FAMILY_BYTES == RECORD_FAMILY_BYTES, "a family's bytes");

/* Inside: puts both tokens of the pair. */
static enum store_status token_pair_write(struct txn *txn, const struct token_call *call)
{
    struct record_token token = {
        .kind = RECORD_TOKEN_ACCESS,
        .expiry_ns = call->pair->access_expiry_ns,
        .family = call->family,
        .namespace = call->namespace,
        .account = call->account,
    };
    enum store_status status = token_write(txn, call->pair->access_digest, &token);
    if (status == STORE_OK) {
        token.kind = RECORD_TOKEN_REFRESH;
        token.expiry_ns = call->pair->refresh_expiry_ns;
        status = token_write(txn, call->pair->refresh_digest, &token);
    }
    return status;
}

static enum store_status token_issue_body(struct txn *txn, void *args)
{
    const struct token_call *call = args;
    struct record_account account = {0};
    enum store_status status = account_read(txn, call->namespace, call->account, &account);
    if (status == STORE_NOT_FOUND && call->make_user) {
        account = (struct record_account){.type = ACCOUNT_USER, .created_at_ns = call->store->now_ns()};
        status = account_write(txn, call->namespace, call->account, &account);
    } else if (status == STORE_OK && call->make_user && account.type != ACCOUNT_USER) {
        status = STORE_CONFLICT;
    }
    if (status == STORE_OK && call->pair->verified_hash.bytes > 0 &&
        !text_equal(account.hash, call->pair->verified_hash)) {
        status = STORE_NOT_FOUND;
    }
    return status == STORE_OK ? token_pair_write(txn, call) : status;
}

enum store_status store_token_issue(struct store *store, struct text namespace, struct text account, bool make_user,
                                    const struct token_pair *pair)
{
    assert(id_fits(namespace) && id_fits(account));
    struct token_call call = {
        .store = store, .namespace = namespace, .account = account, .make_user = make_user, .pair = pair};
    crypto_random(call.family, sizeof call.family);
    return txn_write(store->env, token_issue_body, &call);
}

struct token_check {
    const uint8_t *digest;
    uint64_t now_ns;
    struct arena *arena;
    struct token_holder holder;
};

static enum store_status token_check_body(struct txn *txn, void *args)
{
    struct token_check *check = args;
    struct record_token token = {0};
    struct record_account account = {0};
    enum store_status status = token_read(txn, check->digest, &token);
    if (status != STORE_OK) {
        return status;
    }
    if (token.kind != RECORD_TOKEN_ACCESS || token.expiry_ns <= check->now_ns) {
        return STORE_NOT_FOUND;
    }
    uint64_t expiry_ns = token.expiry_ns;
    struct token_holder holder = {
        .namespace = arena_text(check->arena, token.namespace),
        .account = arena_text(check->arena, token.account),
    };
    if (holder.namespace.data == NULL || holder.account.data == NULL) {
        return STORE_NO_MEMORY;
    }
    status = account_read(txn, holder.namespace, holder.account, &account);
    if (status != STORE_OK || damage_met()) {
        return status;
    }
    holder.type = (enum account_type)account.type;
    struct gate_page *page = txn->env->gate->page;
    const struct token_cached found = {atomic_load(&page->tokens_epoch), expiry_ns, holder};
    token_cache_put(page, check->digest, &found);
    check->holder = holder;
    return STORE_OK;
}

enum store_status store_token_check(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES], struct arena *arena,
                                    struct token_holder *ret)
{
    struct token_check check = {.digest = digest, .now_ns = store->now_ns(), .arena = arena};
    if (token_cache_get(store->env->gate->page, digest, check.now_ns, arena, ret)) {
        return STORE_OK;
    }
    enum store_status status = txn_read(store->env, token_check_body, &check);
    if (status == STORE_OK) {
        *ret = check.holder;
    }
    return status;
}

static enum store_status token_refresh_body(struct txn *txn, void *args)
{
    struct token_call *call = args;
    struct record_token token = {0};
    enum store_status status = token_read(txn, call->digest, &token);
    if (status != STORE_OK) {
        return status;
    }
    if (token.kind != RECORD_TOKEN_REFRESH || token.expiry_ns <= call->store->now_ns() ||
        (call->namespace.bytes > 0 && !text_equal(token.namespace, call->namespace))) {
        return STORE_NOT_FOUND;
    }
    if ((token.flags & RECORD_FLAG_USED) != 0) {
        call->used_before = true;
        return STORE_CONFLICT;
    }
    uint8_t record[RECORD_TOKEN_BYTES_MAX];
    struct record_token used = {0};
    memcpy(call->family, token.family, sizeof call->family);
    token.flags |= RECORD_FLAG_USED;
    record_token_copy(&token, record, &used);
    status = token_write(txn, call->digest, &used);
    if (status == STORE_OK) {
        struct record_account account = {0};
        status = account_read(txn, used.namespace, used.account, &account);
    }
    if (status == STORE_OK) {
        struct token_call issue = *call;
        issue.namespace = used.namespace;
        issue.account = used.account;
        status = token_pair_write(txn, &issue);
    }
    return status;
}

static enum store_status token_revoke_body(struct txn *txn, void *args)
{
    struct token_call *call = args;
    struct record_token token = {0};
    enum store_status status = token_read(txn, call->digest, &token);
    if (status != STORE_OK) {
        return status;
    }
    uint8_t record[RECORD_TOKEN_BYTES_MAX];
    struct record_token named = {0};
    record_token_copy(&token, record, &named);
    status = tokens_remove_some(txn, named.namespace, named.account, named.family, call->digest, &call->more);
    if (status == STORE_OK && !call->more) {
        uint8_t digests[1][CRYPTO_DIGEST_BYTES];
        memcpy(digests[0], call->digest, CRYPTO_DIGEST_BYTES);
        status = tokens_delete(txn, digests, 1);
    }
    return status;
}

enum store_status store_token_revoke(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    struct token_call call = {.store = store, .digest = digest};
    bool begun = false;
    for (;;) {
        call.more = false;
        enum store_status status = txn_write(store->env, token_revoke_body, &call);
        if (status == STORE_NOT_FOUND && begun) {
            return STORE_OK; /* somebody else has ended it meanwhile */
        }
        if (status != STORE_OK || !call.more) {
            return status;
        }
        begun = true;
    }
}

enum store_status store_token_refresh(struct store *store, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                      struct text namespace, const struct token_pair *pair)
{
    assert(namespace.bytes <= TEXT_ID_BYTES_MAX);
    struct token_call call = {.store = store, .digest = digest, .namespace = namespace, .pair = pair};
    enum store_status status = txn_write(store->env, token_refresh_body, &call);
    if (status == STORE_CONFLICT && call.used_before) {
        status = store_token_revoke(store, digest);
        return status == STORE_OK || status == STORE_NOT_FOUND ? STORE_CONFLICT : status;
    }
    return status;
}

struct token_sweep {
    uint64_t now_ns;
};

static enum store_status token_sweep_body(struct txn *txn, void *args)
{
    const struct token_sweep *sweep = args;
    uint8_t digests[TOKENS_SWEEP][CRYPTO_DIGEST_BYTES];
    uint8_t first[RECORD_KEY_EXPIRY_BYTES] = {0};
    uint8_t last[RECORD_KEY_EXPIRY_BYTES];
    size_t count = 0;
    bool more = false;
    record_put_u64(last, sweep->now_ns);
    const struct token_range range = {
        .index = TREE_TOKENS_BY_EXPIRY,
        .from = {(const char *)first, sizeof first},
        .prefix = {(const char *)first, 0},
        .through = {(const char *)last, sizeof last},
        .max = TOKENS_SWEEP,
    };
    enum store_status status = tokens_collect(txn, &range, digests, &count, &more);
    if (status == STORE_OK && count == 0) {
        return STORE_NOT_FOUND; /* nothing to commit */
    }
    return status == STORE_OK ? tokens_delete(txn, digests, count) : status;
}

void store_auth_sweep(struct store *store)
{
    struct token_sweep sweep = {.now_ns = store->now_ns()};
    enum store_status status = txn_write(store->env, token_sweep_body, &sweep);
    if (status == STORE_OK || status == STORE_NOT_FOUND) {
        status = logins_sweep(store);
    }
    if (status != STORE_OK && status != STORE_NOT_FOUND) {
        log_warning("expired tokens could not be swept: %s", store_status_name(status));
    }
}
