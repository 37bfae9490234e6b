#include "store/trees.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/record.h"

#define TREES_FORMAT_KEY "format"

/* The format that brought a tree; those not named are of format 1. */
static const uint32_t trees_since[TREES] = {
    [TREE_TOKENS_BY_ACCOUNT] = 2,
    [TREE_TOKENS_BY_EXPIRY] = 2,
    [TREE_LOGINS] = 2,
};

static struct text trees_text(const DBT *dbt)
{
    return (struct text){dbt->data, dbt->size};
}

/* Gives ret_key a copy that the library frees. */
static int trees_give_key(DBT *ret_key, const void *bytes, size_t size)
{
    void *copy = malloc(size);
    if (copy == NULL) {
        return ENOMEM;
    }
    memcpy(copy, bytes, size);
    ret_key->data = copy;
    ret_key->size = (u_int32_t)size;
    ret_key->flags = DB_DBT_APPMALLOC;
    return 0;
}

static int trees_key_members(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key)
{
    (void)secondary;
    struct text namespace;
    struct text id;
    struct record_chat chat;
    uint8_t bytes[RECORD_KEY_MEMBERS_BYTES_MAX];
    if (!record_key_name_split(trees_text(key), &namespace, &id) || !record_chat_decode(trees_text(record), &chat)) {
        return DB_DONOTINDEX;
    }
    return trees_give_key(ret_key, bytes, record_key_members(namespace, chat.digest, bytes));
}

static int trees_key_time(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key)
{
    (void)secondary;
    struct record_message message;
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    if (key->size != RECORD_KEY_PAIR_BYTES || !record_message_head(trees_text(record), &message) ||
        (message.flags & RECORD_FLAG_HIDDEN) != 0) {
        return DB_DONOTINDEX;
    }
    return trees_give_key(ret_key, bytes, record_key_pair(record_get_u64(key->data), message.sent_at_ns, bytes));
}

static int trees_key_id(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key)
{
    (void)secondary;
    struct record_message message;
    uint8_t bytes[RECORD_KEY_ID_BYTES_MAX];
    if (key->size != RECORD_KEY_PAIR_BYTES || !record_message_decode(trees_text(record), &message) ||
        (message.flags & RECORD_FLAG_HIDDEN) != 0) {
        return DB_DONOTINDEX;
    }
    return trees_give_key(ret_key, bytes, record_key_id(record_get_u64(key->data), message.id, bytes));
}

static int trees_key_account(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key)
{
    (void)secondary;
    (void)key;
    struct record_token token;
    uint8_t bytes[RECORD_KEY_ACCOUNT_BYTES_MAX];
    if (!record_token_decode(trees_text(record), &token)) {
        return DB_DONOTINDEX;
    }
    return trees_give_key(ret_key, bytes, record_key_account(token.namespace, token.account, token.family, bytes));
}

static int trees_key_expiry(DB *secondary, const DBT *key, const DBT *record, DBT *ret_key)
{
    (void)secondary;
    (void)key;
    struct record_token token;
    uint8_t bytes[RECORD_KEY_EXPIRY_BYTES];
    if (!record_token_decode(trees_text(record), &token)) {
        return DB_DONOTINDEX;
    }
    record_put_u64(bytes, token.expiry_ns);
    return trees_give_key(ret_key, bytes, sizeof bytes);
}

static const struct env_tree trees_rows[TREES] = {
    [TREE_META] = {.name = "meta", .primary = -1},
    [TREE_CHATS] = {.name = "chats", .primary = -1},
    [TREE_CHATS_BY_MEMBERS] = {.name = "chats_by_members",
                               .primary = TREE_CHATS,
                               .flags = DB_DUPSORT,
                               .key = trees_key_members},
    [TREE_MESSAGES] = {.name = "messages", .primary = -1},
    [TREE_MESSAGES_BY_TIME] = {.name = "messages_by_time", .primary = TREE_MESSAGES, .key = trees_key_time},
    [TREE_MESSAGES_BY_ID] = {.name = "messages_by_id", .primary = TREE_MESSAGES, .key = trees_key_id},
    [TREE_ACCOUNTS] = {.name = "accounts", .primary = -1},
    [TREE_TOKENS] = {.name = "tokens", .primary = -1},
    [TREE_TOKENS_BY_ACCOUNT] = {.name = "tokens_by_account",
                                .primary = TREE_TOKENS,
                                .flags = DB_DUPSORT,
                                .key = trees_key_account},
    [TREE_TOKENS_BY_EXPIRY] = {.name = "tokens_by_expiry",
                               .primary = TREE_TOKENS,
                               .flags = DB_DUPSORT,
                               .key = trees_key_expiry},
    [TREE_LOGINS] = {.name = "logins", .primary = -1},
};

const struct env_tree *trees_table(void)
{
    return trees_rows;
}

static bool trees_is_empty(DB *tree)
{
    DBC *cursor = NULL;
    DBT key = {0};
    DBT value = {0};
    if (tree->cursor(tree, NULL, &cursor, 0) != 0) {
        return false;
    }
    int error = cursor->get(cursor, &key, &value, DB_FIRST);
    (void)cursor->close(cursor);
    return error == DB_NOTFOUND;
}

static int trees_write_format(DB_ENV *handle, DB *meta)
{
    char name[] = TREES_FORMAT_KEY;
    DBT key = {.data = name, .size = sizeof name - 1};
    uint8_t bytes[4];
    record_put_u32(bytes, TREES_FORMAT);
    DBT value = {.data = bytes, .size = sizeof bytes};
    DB_TXN *txn = NULL;
    int error = handle->txn_begin(handle, NULL, &txn, 0);
    if (error != 0) {
        return error;
    }
    error = meta->put(meta, txn, &key, &value, 0);
    if (error != 0) {
        (void)txn->abort(txn);
        return error;
    }
    return txn->commit(txn, 0);
}

/* 0, DB_NOTFOUND, EINVAL for a damaged one, or the library's error. */
static int trees_read_format(DB *meta, uint32_t *ret)
{
    char name[] = TREES_FORMAT_KEY;
    DBT key = {.data = name, .size = sizeof name - 1};
    DBT value = {0};
    int error = meta->get(meta, NULL, &key, &value, 0);
    if (error == 0 && value.size != 4) {
        return EINVAL;
    }
    if (error == 0) {
        *ret = record_get_u32(value.data);
    }
    return error;
}

bool trees_may_add(DB *meta, int tree)
{
    uint32_t format = 0; /* of a home whose making was cut off */
    int error = trees_read_format(meta, &format);
    return (error == 0 || error == DB_NOTFOUND) && format < trees_since[tree];
}

enum store_status trees_opened(DB_ENV *handle, DB **trees)
{
    uint32_t format = 0;
    int error = trees_read_format(trees[TREE_META], &format);
    /* Not there: a new home, or one whose making was cut off here. */
    bool is_new = error == DB_NOTFOUND && trees_is_empty(trees[TREE_CHATS]);
    if (is_new || (error == 0 && format > 0 && format < TREES_FORMAT)) {
        error = trees_write_format(handle, trees[TREE_META]);
        if (error != 0) {
            log_error("cannot write the home's format: %s", db_strerror(error));
            return STORE_UNAVAILABLE;
        }
        return STORE_OK;
    }
    if (error != 0 || format == 0) {
        bool damaged = error == 0 || error == EINVAL || error == DB_NOTFOUND;
        log_error("cannot read the home's format: %s", damaged ? "it is damaged" : db_strerror(error));
        return damaged ? STORE_CORRUPT : STORE_UNAVAILABLE;
    }
    if (format > TREES_FORMAT) {
        log_error("the home is of format %u, made by a newer version of chats; this one reads format %u",
                  (unsigned)format, TREES_FORMAT);
        return STORE_CORRUPT;
    }
    return STORE_OK;
}
