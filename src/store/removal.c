#include "store/removal.h"

#include "store/seek.h"

/* Inside: removes the message that the cursor stands on; `mark`: a marker takes its place. */
static enum store_status removal_take(struct txn *txn, DB *messages, struct seek *seek, const struct removal *removal,
                                      bool mark, uint64_t *ret_removed)
{
    struct record_message message;
    uint8_t record[RECORD_MESSAGE_HEAD_BYTES];
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    DBT key = store_dbt(bytes, record_key_pair(removal->chat_number, seek_sequence(seek), bytes));
    if (!record_message_head(store_dbt_text(&seek->value), &message)) {
        return store_damaged("messages");
    }
    bool hidden = (message.flags & RECORD_FLAG_HIDDEN) != 0;
    if (hidden && mark) {
        return STORE_OK;
    }
    gate_chat_changed(txn->env->gate, removal->chat_number);
    *ret_removed += hidden ? 0 : 1;
    /* Not put over it: the indexes are told that their keys never change (DB_IMMUTABLE_KEY), and would keep them. */
    int error = seek->cursor->del(seek->cursor, 0);
    if (error == 0 && mark) {
        DBT value = store_dbt(record, record_marker_encode(message.sent_at_ns, record));
        error = messages->put(messages, txn->handle, &key, &value, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "removing a message");
}

enum store_status removal_run(struct txn *txn, const struct removal *removal, struct removal_budget *budget,
                              uint64_t *ret_removed, bool *ret_done)
{
    struct seek seek;
    DB *messages = NULL;
    uint64_t last = 0;
    int error = txn_tree_to_write(txn, TREE_MESSAGES, &messages);
    if (error != 0) {
        return txn_failed(txn, error, "opening the messages");
    }
    /* Whole records, for their sizes. */
    enum store_status status = seek_open_tree(&seek, txn, messages, txn->handle, UINT32_MAX);
    if (status != STORE_OK) {
        return status;
    }
    error = seek_last(&seek, removal->chat_number);
    if (error == 0) {
        last = seek_sequence(&seek);
        error = seek_from(&seek, removal->chat_number, 0);
    }
    while (error == 0 && status == STORE_OK && budget->records > 0 && budget->bytes > 0) {
        uint64_t sequence = seek_sequence(&seek);
        if (sequence > removal->through) {
            error = DB_NOTFOUND;
            break;
        }
        budget->records--;
        budget->bytes -= seek.value.size < budget->bytes ? seek.value.size : budget->bytes;
        status = removal_take(txn, messages, &seek, removal, sequence == last && !removal->with_chat, ret_removed);
        error = status != STORE_OK || sequence == last ? DB_NOTFOUND : seek_next(&seek, removal->chat_number);
    }
    seek_close(&seek);
    *ret_done = error == DB_NOTFOUND;
    return error == 0 || error == DB_NOTFOUND ? status : txn_failed(txn, error, "looking for messages to remove");
}
