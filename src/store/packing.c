#include "store/packing.h"

/*
 * Inside: packs a tree's leaf pages from the key (chat, from) on to the chat's end. No target is set for the filling of
 * pages (compact_fillpercent): with one, the library moves record by record, at several times the cost, where two
 * halves make a whole.
 */
static enum store_status packing_merge(struct txn *txn, enum tree tree, uint64_t chat_number, uint64_t from)
{
    DB *db = NULL;
    uint8_t first[RECORD_KEY_PAIR_BYTES];
    uint8_t last[RECORD_KEY_PAIR_BYTES];
    DBT start = store_dbt(first, record_key_pair(chat_number, from, first));
    DBT stop = store_dbt(last, record_key_pair(chat_number, UINT64_MAX, last));
    DB_COMPACT how = {0};
    int error = txn_tree_to_write(txn, (int)tree, &db);
    if (error == 0) {
        error = db->compact(db, txn->handle, &start, &stop, &how, 0, NULL);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "packing a chat's pages");
}

/* Inside: the same by time, from the message of this sequence number on; nothing if that was pruned. */
static enum store_status packing_merge_by_time(struct txn *txn, uint64_t chat_number, uint64_t sequence)
{
    DB *messages = NULL;
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    DBT key = store_dbt(bytes, record_key_pair(chat_number, sequence, bytes));
    DBT value = {.flags = DB_DBT_PARTIAL, .dlen = RECORD_MESSAGE_HEAD_BYTES};
    struct record_message first;
    int error = txn_tree_to_write(txn, TREE_MESSAGES, &messages);
    if (error == 0) {
        error = messages->get(messages, txn->handle, &key, &value, 0);
    }
    if (error != 0) {
        return error == DB_NOTFOUND ? STORE_OK : txn_failed(txn, error, "reading a message to pack from");
    }
    if (!record_message_head(store_dbt_text(&value), &first)) {
        return store_damaged("messages");
    }
    return packing_merge(txn, TREE_MESSAGES_BY_TIME, chat_number, first.sent_at_ns);
}

enum store_status packing_run(struct txn *txn, uint64_t chat_number, uint64_t sequence)
{
    enum store_status status = STORE_OK;
    if (sequence % PACKING_SPAN == 0) {
        uint64_t whole = PACKING_SPAN + PACKING_OVERLAP;
        status = packing_merge(txn, TREE_MESSAGES, chat_number, sequence > whole ? sequence - whole + 1 : 1);
    }
    if (status == STORE_OK && sequence % PACKING_SPAN_BY_TIME == 0) {
        status = packing_merge_by_time(txn, chat_number, sequence - PACKING_SPAN_BY_TIME + 1);
    }
    return status;
}
