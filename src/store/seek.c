#include "store/seek.h"

enum store_status seek_open_tree(struct seek *seek, struct txn *txn, DB *tree, DB_TXN *handle, u_int32_t head_bytes)
{
    *seek = (struct seek){.secondary = false};
    seek->value.flags = DB_DBT_PARTIAL;
    seek->value.dlen = head_bytes;
    int error = tree->cursor(tree, handle, &seek->cursor, 0);
    return error == 0 ? STORE_OK : txn_failed(txn, error, "opening a cursor");
}

enum store_status seek_open(struct seek *seek, struct txn *txn, enum tree tree, u_int32_t head_bytes)
{
    DB *opened = NULL;
    int error = txn_tree_to_read(txn, (int)tree, &opened);
    if (error != 0) {
        return txn_failed(txn, error, "opening a tree");
    }
    enum store_status status = seek_open_tree(seek, txn, opened, NULL, head_bytes);
    seek->secondary = trees_table()[tree].primary >= 0;
    return status;
}

void seek_close(struct seek *seek)
{
    (void)seek->cursor->close(seek->cursor);
}

static int seek_get(struct seek *seek, u_int32_t how)
{
    if (seek->secondary) {
        return seek->cursor->pget(seek->cursor, &seek->key, &seek->primary_key, &seek->value, how);
    }
    return seek->cursor->get(seek->cursor, &seek->key, &seek->value, how);
}

/* An entry of another chat is none. */
static int seek_checked(const struct seek *seek, uint64_t chat_number, int error)
{
    if (error != 0) {
        return error;
    }
    bool ours = seek->key.size == RECORD_KEY_PAIR_BYTES && record_get_u64(seek->key.data) == chat_number;
    return ours ? 0 : DB_NOTFOUND;
}

static int seek_at_or_above(struct seek *seek, uint64_t chat_number, uint64_t bound)
{
    seek->key = store_dbt(seek->bytes, record_key_pair(chat_number, bound, seek->bytes));
    return seek_get(seek, DB_SET_RANGE);
}

static int seek_back(struct seek *seek, uint64_t chat_number, int error)
{
    if (error == 0) {
        error = seek_get(seek, DB_PREV);
    } else if (error == DB_NOTFOUND) {
        error = seek_get(seek, DB_LAST);
    }
    return seek_checked(seek, chat_number, error);
}

int seek_last(struct seek *seek, uint64_t chat_number)
{
    return seek_back(seek, chat_number, seek_at_or_above(seek, chat_number + 1, 0));
}

int seek_below(struct seek *seek, uint64_t chat_number, uint64_t bound)
{
    return seek_back(seek, chat_number, seek_at_or_above(seek, chat_number, bound));
}

int seek_from(struct seek *seek, uint64_t chat_number, uint64_t bound)
{
    return seek_checked(seek, chat_number, seek_at_or_above(seek, chat_number, bound));
}

int seek_next(struct seek *seek, uint64_t chat_number)
{
    return seek_checked(seek, chat_number, seek_get(seek, DB_NEXT));
}

uint64_t seek_sequence(const struct seek *seek)
{
    const DBT *key = seek->secondary ? &seek->primary_key : &seek->key;
    return key->size == RECORD_KEY_PAIR_BYTES ? record_get_u64((const char *)key->data + 8) : 0;
}
