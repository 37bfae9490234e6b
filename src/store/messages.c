#include <assert.h>

#include "store/internal.h"
#include "store/packing.h"
#include "store/seek.h"

enum store_status message_last(struct txn *txn, uint64_t chat_number, uint64_t *ret_sequence,
                               struct record_message *ret)
{
    struct seek seek;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES, RECORD_MESSAGE_HEAD_BYTES);
    if (status != STORE_OK) {
        return status;
    }
    int error = seek_last(&seek, chat_number);
    if (error == DB_NOTFOUND) {
        *ret_sequence = 0;
    } else if (error != 0) {
        status = txn_failed(txn, error, "reading a chat's last message");
    } else if (!record_message_head(store_dbt_text(&seek.value), ret)) {
        status = store_damaged("messages");
    } else {
        *ret_sequence = seek_sequence(&seek);
    }
    seek_close(&seek);
    return status;
}

struct message_append {
    struct store *store;
    const struct chat_ref *chat;
    const struct message *draft;
    struct buffer record; /* the new message's, but for its time */
    struct message *ret;
};

enum store_status message_find(struct txn *txn, uint64_t chat_number, const struct message *message, uint64_t *ret_ns)
{
    DB *by_id = NULL;
    uint8_t bytes[RECORD_KEY_ID_BYTES_MAX];
    DBT key = store_dbt(bytes, record_key_id(chat_number, message->id, bytes));
    DBT value = {0};
    int error = txn_tree_to_read(txn, TREE_MESSAGES_BY_ID, &by_id);
    if (error == 0) {
        error = by_id->get(by_id, NULL, &key, &value, 0);
    }
    if (error == DB_NOTFOUND) {
        return STORE_NOT_FOUND;
    }
    if (error != 0) {
        return txn_failed(txn, error, "looking for a message by its id");
    }
    struct record_message stored;
    if (!record_message_decode(store_dbt_text(&value), &stored)) {
        return store_damaged("messages");
    }
    *ret_ns = stored.sent_at_ns;
    return text_equal(stored.author, message->author) && text_equal(stored.text, message->text) ? STORE_EXISTS
                                                                                                : STORE_CONFLICT;
}

enum store_status message_put_next(struct txn *txn, uint64_t chat_number, uint64_t last_sequence,
                                   const struct record_message *last, struct text record)
{
    DB *messages = NULL;
    gate_chat_changed(txn->env->gate, chat_number);
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    DBT key = store_dbt(bytes, record_key_pair(chat_number, last_sequence + 1, bytes));
    DBT value = store_dbt(record.data, record.bytes);
    /*
     * Nothing ever takes the place of a message, not even where a damaged key hides the chat's last one or stands for
     * it. Else, by the order of the tree, there is nothing behind the last, and the library need not look.
     */
    bool is_behind = last_sequence > 0 && last_sequence < UINT64_MAX;
    u_int32_t how = is_behind ? 0 : DB_NOOVERWRITE;
    int error = txn_tree_to_write(txn, TREE_MESSAGES, &messages);
    if (error == 0) {
        error = messages->put(messages, txn->handle, &key, &value, how);
    }
    if (error == DB_KEYEXIST) {
        return store_damaged("messages");
    }
    if (error != 0) {
        return txn_failed(txn, error, "storing a message");
    }
    if (last_sequence != 0 && (last->flags & RECORD_FLAG_HIDDEN) != 0) {
        key = store_dbt(bytes, record_key_pair(chat_number, last_sequence, bytes));
        error = messages->del(messages, txn->handle, &key, 0);
    }
    return error == 0 ? packing_run(txn, chat_number, last_sequence + 1) : txn_failed(txn, error, "removing a marker");
}

static enum store_status message_append_body(struct txn *txn, void *args)
{
    struct message_append *append = args;
    uint64_t chat_number = 0;
    enum store_status status = chat_find(txn, append->chat, &chat_number);
    if (status != STORE_OK) {
        return status;
    }
    DB *messages = NULL; /* opened now, so that what follows reads by the same handle and opens no other */
    int error = txn_tree_to_write(txn, TREE_MESSAGES, &messages);
    if (error != 0) {
        return txn_failed(txn, error, "opening the messages");
    }
    uint64_t stored_at_ns = 0;
    status = append->draft->id_is_new ? STORE_NOT_FOUND : message_find(txn, chat_number, append->draft, &stored_at_ns);
    if (status != STORE_NOT_FOUND) {
        /* Where it is there, id, author and text are the draft's, byte for byte; only the time is not. */
        *append->ret = *append->draft;
        append->ret->sent_at_ns = stored_at_ns;
        return status;
    }
    uint64_t sequence = 0;
    struct record_message last = {0};
    status = message_last(txn, chat_number, &sequence, &last);
    if (status != STORE_OK) {
        return status;
    }
    uint64_t now_ns = append->store->now_ns();
    uint64_t sent_at_ns = sequence != 0 && last.sent_at_ns >= now_ns ? last.sent_at_ns + 1 : now_ns;
    record_message_stamp(append->record.data, sent_at_ns);
    struct text record = {append->record.data, append->record.bytes};
    status = message_put_next(txn, chat_number, sequence, &last, record);
    if (status != STORE_OK) {
        return status;
    }
    *append->ret = *append->draft;
    append->ret->sent_at_ns = sent_at_ns;
    return STORE_OK;
}

enum store_status store_message_append(struct store *store, const struct chat_ref *chat, const struct message *draft,
                                       struct message *ret, struct store_ticket *ret_ticket)
{
    assert(chat_ref_fits(chat) && id_fits(draft->id) && id_fits(draft->author));
    assert(draft->text.bytes > 0 && draft->text.bytes <= STORE_TEXT_BYTES_MAX);
    struct message result = {0};
    struct message_append append = {.store = store, .chat = chat, .draft = draft, .ret = &result};
    buffer_init(&append.record, RECORD_MESSAGE_HEAD_BYTES + 2 * (1 + TEXT_ID_BYTES_MAX) + STORE_TEXT_BYTES_MAX);
    record_message_encode(&append.record, draft->id, draft->author, draft->text);
    enum store_status status =
        append.record.failed ? STORE_NO_MEMORY : txn_write_early(store->env, message_append_body, &append, ret_ticket);
    buffer_clear(&append.record);
    if (status == STORE_OK || status == STORE_EXISTS) {
        *ret = result;
    }
    return status;
}
