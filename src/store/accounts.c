#include <assert.h>
#include <string.h>

#include "store/internal.h"

#define ACCOUNTS_BATCH 64u
#define ACCOUNTS_BATCH_BYTES_MAX ((size_t)ACCOUNTS_BATCH * (4u + RECORD_KEY_NAME_BYTES_MAX + RECORD_ACCOUNT_BYTES_MAX))

enum store_status account_read(struct txn *txn, struct text namespace, struct text id, struct record_account *ret)
{
    DB *accounts = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(namespace, id, name));
    DBT value = {0};
    int error = txn_tree_to_read(txn, TREE_ACCOUNTS, &accounts);
    if (error == 0) {
        error = accounts->get(accounts, NULL, &key, &value, 0);
    }
    if (error == DB_NOTFOUND) {
        return STORE_NOT_FOUND;
    }
    if (error != 0) {
        return txn_failed(txn, error, "reading an account");
    }
    return record_account_decode(store_dbt_text(&value), ret) ? STORE_OK : store_damaged("accounts");
}

enum store_status account_write(struct txn *txn, struct text namespace, struct text id,
                                const struct record_account *account)
{
    DB *accounts = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    uint8_t record[RECORD_ACCOUNT_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(namespace, id, name));
    DBT value = store_dbt(record, record_account_encode(account, record));
    int error = txn_tree_to_write(txn, TREE_ACCOUNTS, &accounts);
    if (error == 0) {
        error = accounts->put(accounts, txn->handle, &key, &value, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "storing an account");
}

struct account_call {
    struct store *store;
    struct text namespace;
    struct text id;
    const struct account *draft; /* add */
    struct arena *arena;         /* find */
    struct account *ret;         /* find */
    struct text old_hash;        /* set_hash */
    struct text hash;            /* set_hash */
    bool revoke;                 /* set_hash */
    bool more;                   /* set_hash, remove: tokens are left, once more */
};

static enum store_status account_add_body(struct txn *txn, void *args)
{
    const struct account_call *call = args;
    struct record_account stored = {0};
    enum store_status status = account_read(txn, call->namespace, call->id, &stored);
    if (status != STORE_NOT_FOUND) {
        return status == STORE_OK ? STORE_CONFLICT : status;
    }
    const struct record_account account = {
        .type = (uint8_t)call->draft->type,
        .created_at_ns = call->draft->created_at_ns,
        .hash = call->draft->hash,
    };
    return account_write(txn, call->namespace, call->id, &account);
}

enum store_status store_account_add(struct store *store, struct text namespace, const struct account *account)
{
    assert(id_fits(namespace) && id_fits(account->id));
    struct account_call call = {.store = store, .namespace = namespace, .id = account->id, .draft = account};
    return txn_write(store->env, account_add_body, &call);
}

static enum store_status account_find_body(struct txn *txn, void *args)
{
    const struct account_call *call = args;
    struct record_account stored = {0};
    enum store_status status = account_read(txn, call->namespace, call->id, &stored);
    if (status != STORE_OK) {
        return status;
    }
    *call->ret = (struct account){
        .id = arena_text(call->arena, call->id),
        .type = (enum account_type)stored.type,
        .hash = arena_text(call->arena, stored.hash),
        .created_at_ns = stored.created_at_ns,
    };
    return call->ret->id.data != NULL && call->ret->hash.data != NULL ? STORE_OK : STORE_NO_MEMORY;
}

enum store_status store_account_find(struct store *store, struct text namespace, struct text id, struct arena *arena,
                                     struct account *ret)
{
    assert(id_fits(namespace) && id_fits(id));
    struct account account = {0};
    struct account_call call = {.store = store, .namespace = namespace, .id = id, .arena = arena, .ret = &account};
    enum store_status status = txn_read(store->env, account_find_body, &call);
    if (status == STORE_OK) {
        *ret = account;
    }
    return status;
}

static enum store_status account_set_hash_body(struct txn *txn, void *args)
{
    struct account_call *call = args;
    struct record_account stored = {0};
    enum store_status status = account_read(txn, call->namespace, call->id, &stored);
    if (status != STORE_OK) {
        return status;
    }
    if (call->old_hash.bytes > 0 && !text_equal(stored.hash, call->old_hash)) {
        return STORE_CONFLICT;
    }
    if (call->revoke) {
        status = tokens_remove_some(txn, call->namespace, call->id, NULL, NULL, &call->more);
    }
    if (status == STORE_OK && !call->more) {
        stored.hash = call->hash;
        status = account_write(txn, call->namespace, call->id, &stored);
    }
    return status;
}

/* Runs a body that removes tokens until none is left. */
static enum store_status account_run(struct account_call *call, txn_body *body)
{
    enum store_status status = STORE_OK;
    do {
        call->more = false;
        status = txn_write(call->store->env, body, call);
    } while (status == STORE_OK && call->more);
    return status;
}

enum store_status store_account_set_hash(struct store *store, struct text namespace, struct text id,
                                         struct text old_hash, struct text hash, bool revoke)
{
    assert(id_fits(namespace) && id_fits(id));
    struct account_call call = {
        .store = store, .namespace = namespace, .id = id, .old_hash = old_hash, .hash = hash, .revoke = revoke};
    return account_run(&call, account_set_hash_body);
}

enum store_status account_remove_some(struct txn *txn, struct text namespace, struct text id, bool *ret_more)
{
    struct record_account stored = {0};
    *ret_more = false;
    enum store_status status = account_read(txn, namespace, id, &stored);
    if (status == STORE_OK) {
        status = tokens_remove_some(txn, namespace, id, NULL, NULL, ret_more);
    }
    if (status != STORE_OK || *ret_more) {
        return status;
    }
    DB *accounts = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(namespace, id, name));
    int error = txn_tree_to_write(txn, TREE_ACCOUNTS, &accounts);
    if (error == 0) {
        error = accounts->del(accounts, txn->handle, &key, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "removing an account");
}

static enum store_status account_remove_body(struct txn *txn, void *args)
{
    struct account_call *call = args;
    return account_remove_some(txn, call->namespace, call->id, &call->more);
}

enum store_status store_account_remove(struct store *store, struct text namespace, struct text id)
{
    assert(id_fits(namespace) && id_fits(id));
    struct account_call call = {.store = store, .namespace = namespace, .id = id};
    return account_run(&call, account_remove_body);
}

/* The accounts of a namespace, a batch at a time. */
struct account_list {
    uint8_t at[RECORD_KEY_NAME_BYTES_MAX]; /* the key visited last, at first the namespace's prefix */
    size_t at_bytes;
    size_t prefix_bytes;
    struct buffer batch; /* of each: sizes of id and record (uint16_t), id, record */
    bool ended;
};

static void account_list_take(struct account_list *list, struct text key, struct text record)
{
    struct text id = {key.data + list->prefix_bytes, key.bytes - list->prefix_bytes};
    const uint16_t sizes[2] = {(uint16_t)id.bytes, (uint16_t)record.bytes};
    buffer_append(&list->batch, sizes, sizeof sizes);
    buffer_append_text(&list->batch, id);
    buffer_append_text(&list->batch, record);
    memcpy(list->at, key.data, key.bytes);
    list->at_bytes = key.bytes;
}

static enum store_status account_list_body(struct txn *txn, void *args)
{
    struct account_list *list = args;
    DB *accounts = NULL;
    DBC *cursor = NULL;
    DBT key = store_dbt(list->at, list->at_bytes);
    DBT value = {0};
    int error = txn_tree_to_read(txn, TREE_ACCOUNTS, &accounts);
    if (error == 0) {
        error = accounts->cursor(accounts, NULL, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    struct text at = {(const char *)list->at, list->at_bytes};
    error = cursor->get(cursor, &key, &value, DB_SET_RANGE);
    if (error == 0 && text_equal(store_dbt_text(&key), at)) {
        error = cursor->get(cursor, &key, &value, DB_NEXT);
    }
    for (unsigned taken = 0; error == 0 && taken < ACCOUNTS_BATCH; taken++) {
        /* A key begins with its namespace's length: the prefix is no other namespace's. */
        if (key.size <= list->prefix_bytes || key.size > sizeof list->at ||
            memcmp(key.data, list->at, list->prefix_bytes) != 0 || value.size >= RECORD_ACCOUNT_BYTES_MAX) {
            error = DB_NOTFOUND;
            break;
        }
        account_list_take(list, store_dbt_text(&key), store_dbt_text(&value));
        error = cursor->get(cursor, &key, &value, DB_NEXT);
    }
    (void)cursor->close(cursor);
    list->ended = error == DB_NOTFOUND;
    if (error != 0 && error != DB_NOTFOUND) {
        return txn_failed(txn, error, "listing accounts");
    }
    return list->batch.failed ? STORE_NO_MEMORY : STORE_OK;
}

/* Outside: gives a batch out. *ret_stopped: `each` said stop. */
static enum store_status account_list_give(const struct account_list *list, store_account_fn *each, void *context,
                                           bool *ret_stopped)
{
    for (size_t at = 0; at < list->batch.bytes && !*ret_stopped;) {
        uint16_t sizes[2];
        struct record_account record;
        memcpy(sizes, list->batch.data + at, sizeof sizes);
        const char *id = list->batch.data + at + sizeof sizes;
        if (!record_account_decode((struct text){id + sizes[0], sizes[1]}, &record)) {
            return store_damaged("accounts");
        }
        const struct account account = {
            .id = {id, sizes[0]},
            .type = (enum account_type)record.type,
            .hash = record.hash,
            .created_at_ns = record.created_at_ns,
        };
        *ret_stopped = !each(context, &account);
        at += sizeof sizes + sizes[0] + sizes[1];
    }
    return STORE_OK;
}

enum store_status store_account_list(struct store *store, struct text namespace, store_account_fn *each, void *context)
{
    assert(id_fits(namespace));
    struct account_list list = {.at_bytes = 0};
    enum store_status status = STORE_OK;
    bool stopped = false;
    list.prefix_bytes = record_put_short(list.at, namespace);
    list.at_bytes = list.prefix_bytes;
    buffer_init(&list.batch, ACCOUNTS_BATCH_BYTES_MAX);
    while (status == STORE_OK && !list.ended && !stopped) {
        buffer_reset(&list.batch);
        status = txn_read(store->env, account_list_body, &list);
        if (status == STORE_OK) {
            status = account_list_give(&list, each, context, &stopped);
        }
    }
    buffer_clear(&list.batch);
    return status;
}
