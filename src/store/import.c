#include <assert.h>
#include <stdlib.h>

#include "store/internal.h"
#include "store/transfer.h"

struct import_item {
    const struct import_row *row;
    struct chat_create create; /* a chat's */
    struct chat found;
    struct buffer record; /* a message's */
};

struct import_run {
    struct store *store;
    struct import_item *items;
    size_t count;
    struct arena arena;
    struct import_result result;
};

/* Inside: a pruned chat's last time, unless the chat has messages or a later time itself. */
static enum store_status import_marker(struct txn *txn, const struct import_row *row, bool *ret_stored)
{
    struct chat_ref ref = {.namespace = row->namespace, .id = row->chat.id};
    uint64_t number = 0;
    uint64_t sequence = 0;
    struct record_message last = {0};
    enum store_status status = chat_find(txn, &ref, &number);
    if (status == STORE_OK) {
        status = message_last(txn, number, &sequence, &last);
    }
    bool replaced = sequence != 0 && (last.flags & RECORD_FLAG_HIDDEN) != 0 && last.sent_at_ns < row->last_sent_at_ns;
    if (status != STORE_OK || (sequence != 0 && !replaced)) {
        return status;
    }
    DB *messages = NULL;
    uint8_t bytes[RECORD_KEY_PAIR_BYTES];
    uint8_t record[RECORD_MESSAGE_HEAD_BYTES];
    DBT key = store_dbt(bytes, record_key_pair(number, replaced ? sequence : 1, bytes));
    DBT value = store_dbt(record, record_marker_encode(row->last_sent_at_ns, record));
    gate_chat_changed(txn->env->gate, number);
    int error = txn_tree_to_write(txn, TREE_MESSAGES, &messages);
    if (error == 0) {
        error = messages->put(messages, txn->handle, &key, &value, 0);
    }
    *ret_stored = true;
    return error == 0 ? STORE_OK : txn_failed(txn, error, "storing a marker");
}

static enum store_status import_chat(struct txn *txn, struct import_item *item, enum import_refusal *ret_refusal,
                                     bool *ret_stored)
{
    enum store_status status = chat_create_body(txn, &item->create);
    if (status == STORE_CONFLICT) {
        *ret_refusal = IMPORT_CHAT_CONFLICT;
        return STORE_OK;
    }
    if (status == STORE_EXISTS && !text_equal(item->found.id, item->row->chat.id)) {
        *ret_refusal = IMPORT_MEMBERS_EXIST;
        return STORE_OK;
    }
    *ret_stored = status == STORE_OK;
    if (status == STORE_OK || status == STORE_EXISTS) {
        status = item->row->last_sent_at_ns != 0 ? import_marker(txn, item->row, ret_stored) : STORE_OK;
    }
    return status;
}

static enum store_status import_message(struct txn *txn, const struct import_item *item,
                                        enum import_refusal *ret_refusal, bool *ret_stored)
{
    const struct import_row *row = item->row;
    struct chat_ref ref = {.namespace = row->namespace, .id = row->chat.id};
    uint64_t number = 0;
    uint64_t sequence = 0;
    struct record_message last = {0};
    enum store_status status = chat_find(txn, &ref, &number);
    if (status != STORE_OK) {
        *ret_refusal = status == STORE_NOT_FOUND ? IMPORT_NO_CHAT : IMPORT_TAKEN;
        return status == STORE_NOT_FOUND ? STORE_OK : status;
    }
    uint64_t stored_at_ns = 0;
    status = message_find(txn, number, &row->message, &stored_at_ns);
    if (status == STORE_EXISTS && stored_at_ns != row->message.sent_at_ns) {
        status = STORE_CONFLICT;
    }
    if (status != STORE_NOT_FOUND) {
        *ret_refusal = status == STORE_CONFLICT ? IMPORT_ID_CONFLICT : IMPORT_TAKEN;
        return status == STORE_CONFLICT || status == STORE_EXISTS ? STORE_OK : status;
    }
    status = message_last(txn, number, &sequence, &last);
    if (status != STORE_OK) {
        return status;
    }
    if (sequence != 0 && last.sent_at_ns >= row->message.sent_at_ns) {
        *ret_refusal = IMPORT_NOT_LATER;
        return STORE_OK;
    }
    *ret_stored = true;
    return message_put_next(txn, number, sequence, &last, (struct text){item->record.data, item->record.bytes});
}

/* What a refused row has looked at only; so the rows before it can be committed. */
static enum store_status import_body(struct txn *txn, void *args)
{
    struct import_run *run = args;
    run->result = (struct import_result){0};
    for (size_t i = 0; i < run->count; i++) {
        struct import_item *item = &run->items[i];
        enum import_refusal refusal = IMPORT_TAKEN;
        bool stored = false;
        enum store_status status = item->row->is_message ? import_message(txn, item, &refusal, &stored)
                                                         : import_chat(txn, item, &refusal, &stored);
        if (status != STORE_OK) {
            return status;
        }
        if (refusal != IMPORT_TAKEN) {
            run->result.refusal = refusal;
            return STORE_OK;
        }
        run->result.taken++;
        run->result.stored += stored;
    }
    return STORE_OK;
}

/* False: out of memory. */
static bool import_prepare(struct import_run *run, struct import_item *item)
{
    const struct import_row *row = item->row;
    if (!row->is_message) {
        item->create = (struct chat_create){.store = run->store,
                                            .namespace = row->namespace,
                                            .draft = &row->chat,
                                            .imported = true,
                                            .arena = &run->arena,
                                            .ret = &item->found};
        chat_create_prepare(&item->create);
        return !item->create.record.failed;
    }
    const struct message *message = &row->message;
    assert(id_fits(row->namespace) && id_fits(row->chat.id) && id_fits(message->id) && id_fits(message->author));
    assert(message->text.bytes > 0 && message->text.bytes <= STORE_TEXT_BYTES_MAX);
    assert(message->sent_at_ns <= STORE_IMPORT_TIME_MAX);
    buffer_init(&item->record, RECORD_MESSAGE_HEAD_BYTES + 2 * (1 + TEXT_ID_BYTES_MAX) + STORE_TEXT_BYTES_MAX);
    record_message_encode(&item->record, message->id, message->author, message->text);
    if (!item->record.failed) {
        record_message_stamp(item->record.data, message->sent_at_ns);
    }
    return !item->record.failed;
}

enum store_status store_import(struct store *store, const struct import_row *rows, size_t count,
                               struct import_result *ret)
{
    struct import_run run = {.store = store, .count = count, .items = calloc(count + 1, sizeof *run.items)};
    assert(count <= STORE_IMPORT_ROWS_MAX);
    if (run.items == NULL) {
        return STORE_NO_MEMORY;
    }
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < count && status == STORE_OK; i++) {
        run.items[i].row = &rows[i];
        status = import_prepare(&run, &run.items[i]) ? STORE_OK : STORE_NO_MEMORY;
    }
    if (status == STORE_OK) {
        status = txn_write(store->env, import_body, &run);
    }
    if (status == STORE_OK) {
        *ret = run.result;
    }
    for (size_t i = 0; i < count; i++) {
        buffer_clear(&run.items[i].create.record);
        buffer_clear(&run.items[i].record);
    }
    arena_clear(&run.arena);
    free(run.items);
    return status;
}
