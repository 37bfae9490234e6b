#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/seek.h"
#include "store/transfer.h"
#include "store/walk.h"

#define EXPORT_CHATS_BYTES_MAX (SIZE_MAX / 2)
/* Bulk reading, as in pages.c. */
#define EXPORT_BULK_UNIT 1024u
#define EXPORT_BULK_RECORD 320u
#define EXPORT_BULK_BYTES_MIN 8192u

struct export_run {
    struct store *store;
    const struct store_export *export;
    struct buffer chats; /* a batch: key and record of each, both behind their length in a uint32_t */
    struct buffer bulk;  /* messages as the library gave them */
    bool stopped;
};

struct export_chat {
    struct export_run *run;
    uint64_t number;
    bool opened;              /* the two below are known */
    uint64_t high;            /* its last message when it was opened; 0: none */
    uint64_t last_sent_at_ns; /* if all of its messages have been pruned */
    uint64_t next;            /* sequence number to go on from */
    DBT batch;                /* in run->bulk; size 0: there are no more */
};

static void export_keep(struct buffer *ret, struct text t)
{
    uint32_t bytes = (uint32_t)t.bytes;
    buffer_append(ret, &bytes, sizeof bytes);
    buffer_append_text(ret, t);
}

static struct text export_kept(const struct buffer *buffer, size_t *at)
{
    uint32_t bytes;
    memcpy(&bytes, buffer->data + *at, sizeof bytes);
    struct text kept = {buffer->data + *at + sizeof bytes, bytes};
    *at += sizeof bytes + bytes;
    return kept;
}

static enum store_status export_visit_chat(void *context, struct txn *txn, struct text key, struct text primary_key,
                                           struct text record)
{
    (void)txn;
    (void)primary_key;
    struct export_run *run = context;
    export_keep(&run->chats, key);
    export_keep(&run->chats, record);
    return run->chats.failed ? STORE_NO_MEMORY : STORE_OK;
}

/* Inside: where the chat ends now. */
static enum store_status export_open(struct txn *txn, struct export_chat *chat)
{
    uint64_t sequence = 0;
    struct record_message last = {0};
    enum store_status status = message_last(txn, chat->number, &sequence, &last);
    if (status == STORE_OK) {
        chat->opened = true;
        if ((last.flags & RECORD_FLAG_HIDDEN) != 0) {
            chat->last_sent_at_ns = last.sent_at_ns;
        } else {
            chat->high = sequence;
        }
    }
    return status;
}

/* Inside: the library's error; the bulk gets what follows `next`, in at most `bytes`. */
static int export_bulk_get(struct export_chat *chat, struct seek *seek, size_t bytes)
{
    struct buffer *bulk = &chat->run->bulk;
    buffer_reset(bulk);
    chat->batch = (DBT){0};
    chat->batch.flags = DB_DBT_USERMEM;
    chat->batch.ulen = (u_int32_t)bytes;
    chat->batch.data = buffer_reserve(bulk, bytes);
    if (chat->batch.data == NULL) {
        return ENOMEM;
    }
    DBT key = store_dbt(seek->bytes, record_key_pair(chat->number, chat->next, seek->bytes));
    return seek->cursor->get(seek->cursor, &key, &chat->batch, DB_SET_RANGE | DB_MULTIPLE_KEY);
}

static enum store_status export_fill_body(struct txn *txn, void *args)
{
    struct export_chat *chat = args;
    enum store_status status = chat->opened ? STORE_OK : export_open(txn, chat);
    if (status != STORE_OK || chat->next > chat->high) {
        chat->batch.size = 0;
        return status;
    }
    struct seek seek;
    status = seek_open(&seek, txn, TREE_MESSAGES, 0);
    if (status != STORE_OK) {
        return status;
    }
    uint64_t left = chat->high - chat->next + 1;
    size_t bytes = STORE_BATCH_BYTES_MAX;
    if (left < STORE_BATCH_BYTES_MAX / EXPORT_BULK_RECORD) {
        bytes = (size_t)left * EXPORT_BULK_RECORD / EXPORT_BULK_UNIT * EXPORT_BULK_UNIT;
        bytes = bytes < EXPORT_BULK_BYTES_MIN ? EXPORT_BULK_BYTES_MIN : bytes;
    }
    int error = export_bulk_get(chat, &seek, bytes);
    if (error == DB_BUFFER_SMALL && bytes < STORE_BATCH_BYTES_MAX) {
        error = export_bulk_get(chat, &seek, STORE_BATCH_BYTES_MAX);
    }
    seek_close(&seek);
    if (error == DB_NOTFOUND) {
        chat->batch.size = 0;
        return STORE_OK;
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "reading messages");
}

/* Outside: gives the batch out; *ret_ended: it was the chat's last. */
static enum store_status export_give(struct export_chat *chat, struct text namespace, struct text id, bool *ret_ended)
{
    const struct store_export *export = chat->run->export;
    void *at;
    void *key;
    void *value;
    size_t key_bytes;
    size_t value_bytes;
    uint64_t before = chat->next;
    *ret_ended = true;
    if (chat->batch.size == 0) {
        return STORE_OK;
    }
    DB_MULTIPLE_INIT(at, &chat->batch);
    for (;;) {
        DB_MULTIPLE_KEY_NEXT(at, &chat->batch, key, key_bytes, value, value_bytes);
        if (at == NULL) {
            *ret_ended = chat->next == before || chat->next > chat->high;
            return STORE_OK;
        }
        if (key_bytes != RECORD_KEY_PAIR_BYTES || record_get_u64(key) != chat->number ||
            record_get_u64((const char *)key + 8) > chat->high) {
            return STORE_OK;
        }
        struct record_message stored;
        if (!record_message_decode((struct text){value, value_bytes}, &stored)) {
            return store_damaged("messages");
        }
        struct message message = {
            .id = stored.id, .author = stored.author, .text = stored.text, .sent_at_ns = stored.sent_at_ns};
        bool hidden = (stored.flags & RECORD_FLAG_HIDDEN) != 0; /* pruned since */
        if (!hidden && !export->message(export->context, namespace, id, &message)) {
            chat->run->stopped = true;
            return STORE_OK;
        }
        chat->next = record_get_u64((const char *)key + 8) + 1;
    }
}

static enum store_status export_messages(struct export_chat *chat, struct text namespace, struct text id)
{
    enum store_status status = STORE_OK;
    bool ended = false;
    while (status == STORE_OK) {
        status = export_give(chat, namespace, id, &ended);
        if (ended || chat->run->stopped || status != STORE_OK) {
            break;
        }
        status = txn_read(chat->run->store->env, export_fill_body, chat);
    }
    return status;
}

static enum store_status export_one(struct export_run *run, struct text key, struct text record)
{
    struct record_chat stored;
    struct text namespace;
    struct chat chat = {0};
    struct export_chat messages = {.run = run, .next = 1};
    size_t at = 0;
    if (!record_key_name_split(key, &namespace, &chat.id) || !record_chat_decode(record, &stored)) {
        return store_damaged("chats");
    }
    chat.created_at_ns = stored.created_at_ns;
    chat.members_count = stored.members_count;
    chat.members = calloc(stored.members_count + 1, sizeof *chat.members);
    if (chat.members == NULL) {
        return STORE_NO_MEMORY;
    }
    messages.number = stored.number;
    enum store_status status = STORE_OK;
    for (size_t i = 0; i < chat.members_count && status == STORE_OK; i++) {
        status = record_chat_member(&stored, &at, &chat.members[i]) ? STORE_OK : store_damaged("chats");
    }
    if (status == STORE_OK) {
        status = txn_read(run->store->env, export_fill_body, &messages);
    }
    if (status == STORE_OK) {
        run->stopped = !run->export->chat(run->export->context, namespace, &chat, messages.last_sent_at_ns);
    }
    if (status == STORE_OK && !run->stopped) {
        status = export_messages(&messages, namespace, chat.id);
    }
    free(chat.members);
    return status;
}

/* Whoever said stop ends the walk by STORE_EXISTS, which nothing else here returns. */
static enum store_status export_chats_batch(void *context)
{
    struct export_run *run = context;
    enum store_status status = STORE_OK;
    for (size_t at = 0; at < run->chats.bytes && status == STORE_OK && !run->stopped;) {
        struct text key = export_kept(&run->chats, &at);
        struct text record = export_kept(&run->chats, &at);
        status = export_one(run, key, record);
    }
    buffer_reset(&run->chats);
    return status == STORE_OK && run->stopped ? STORE_EXISTS : status;
}

enum store_status store_export(struct store *store, const struct store_export *export)
{
    struct export_run run = {.store = store, .export = export};
    const struct walk walk = {TREE_CHATS, &run, export_visit_chat, export_chats_batch};
    buffer_init(&run.chats, EXPORT_CHATS_BYTES_MAX);
    buffer_init(&run.bulk, STORE_BATCH_BYTES_MAX);
    enum store_status status = walk_run(store, &walk);
    buffer_clear(&run.chats);
    buffer_clear(&run.bulk);
    return run.stopped && status == STORE_EXISTS ? STORE_OK : status;
}
