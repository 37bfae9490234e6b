#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "store/internal.h"

static bool chat_has_member(const struct record_chat *chat, struct text member)
{
    struct text item;
    size_t at = 0;
    while (record_chat_member(chat, &at, &item)) {
        if (text_equal(item, member)) {
            return true;
        }
    }
    return false;
}

enum store_status chat_find(struct txn *txn, const struct chat_ref *ref, uint64_t *ret_number)
{
    DB *chats = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(ref->namespace, ref->id, name));
    DBT value = {0};
    if (ref->member.bytes == 0) {
        value.flags = DB_DBT_PARTIAL;
        value.dlen = RECORD_CHAT_HEAD_BYTES;
    }
    int error = txn_tree_to_read(txn, TREE_CHATS, &chats);
    if (error == 0) {
        error = chats->get(chats, NULL, &key, &value, 0);
    }
    if (error == DB_NOTFOUND) {
        return STORE_NOT_FOUND;
    }
    if (error != 0) {
        return txn_failed(txn, error, "reading a chat");
    }
    struct record_chat chat;
    if (!record_chat_decode(store_dbt_text(&value), &chat)) {
        return store_damaged("chats");
    }
    if (ref->member.bytes != 0 && !chat_has_member(&chat, ref->member)) {
        return STORE_NOT_FOUND;
    }
    *ret_number = chat.number;
    return STORE_OK;
}

/* The stored chat, copied into the arena: its bytes are the library's. */
static enum store_status chat_copy(struct chat_create *create, struct text key, const struct record_chat *record)
{
    struct text namespace;
    struct text id;
    if (!record_key_name_split(key, &namespace, &id)) {
        return store_damaged("chats");
    }
    struct chat chat = {.created_at_ns = record->created_at_ns, .members_count = record->members_count};
    chat.id = arena_text(create->arena, id);
    chat.members = arena_alloc(create->arena, record->members_count * sizeof *chat.members);
    struct record_chat copy = *record;
    copy.members = arena_text(create->arena, record->members);
    if (chat.id.data == NULL || chat.members == NULL || copy.members.data == NULL) {
        return STORE_NO_MEMORY;
    }
    size_t at = 0;
    for (size_t i = 0; i < chat.members_count; i++) {
        if (!record_chat_member(&copy, &at, &chat.members[i])) {
            return store_damaged("chats");
        }
    }
    *create->ret = chat;
    return STORE_OK;
}

/* STORE_EXISTS: a chat of exactly these members, copied. STORE_NOT_FOUND: none. */
static enum store_status chat_find_by_members(struct txn *txn, struct chat_create *create)
{
    DB *by_members = NULL;
    uint8_t bytes[RECORD_KEY_MEMBERS_BYTES_MAX];
    DBT key = store_dbt(bytes, record_key_members(create->namespace, create->digest, bytes));
    DBT primary_key = {0};
    DBT value = {0};
    DBC *cursor = NULL;
    struct text wanted = {create->record.data + RECORD_CHAT_HEAD_BYTES, create->record.bytes - RECORD_CHAT_HEAD_BYTES};
    int error = txn_tree_to_read(txn, TREE_CHATS_BY_MEMBERS, &by_members);
    if (error == 0) {
        error = by_members->cursor(by_members, NULL, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    enum store_status status = STORE_NOT_FOUND;
    error = cursor->pget(cursor, &key, &primary_key, &value, DB_SET);
    while (error == 0 && status == STORE_NOT_FOUND) {
        /* The digest is the same; whether the members are is for their bytes to say. */
        struct record_chat chat;
        if (!record_chat_decode(store_dbt_text(&value), &chat)) {
            status = store_damaged("chats");
        } else if (text_equal(chat.members, wanted)) {
            status = chat_copy(create, store_dbt_text(&primary_key), &chat);
            status = status == STORE_OK ? STORE_EXISTS : status;
        } else {
            error = cursor->pget(cursor, &key, &primary_key, &value, DB_NEXT_DUP);
        }
    }
    if (error != 0 && error != DB_NOTFOUND) {
        status = txn_failed(txn, error, "looking for a chat by its members");
    }
    (void)cursor->close(cursor);
    return status;
}

/* Takes the next chat number off the counter in meta. */
static enum store_status chat_take_number(struct txn *txn, uint64_t *ret)
{
    DB *meta = NULL;
    DBT key = store_dbt("next_chat", strlen("next_chat"));
    DBT value = {0};
    uint64_t number = 1;
    int error = txn_tree_to_write(txn, TREE_META, &meta);
    if (error == 0) {
        error = meta->get(meta, NULL, &key, &value, 0);
    }
    if (error == 0) {
        if (value.size != 8) {
            return store_damaged("meta");
        }
        number = record_get_u64(value.data);
        if (number > RECORD_CHAT_NUMBER_MAX) {
            return store_damaged("meta");
        }
    } else if (error != DB_NOTFOUND) {
        return txn_failed(txn, error, "reading the next chat number");
    }
    uint8_t bytes[8];
    record_put_u64(bytes, number + 1);
    value = store_dbt(bytes, sizeof bytes);
    error = meta->put(meta, txn->handle, &key, &value, 0);
    if (error != 0) {
        return txn_failed(txn, error, "storing the next chat number");
    }
    *ret = number;
    return STORE_OK;
}

static bool members_fit(const struct text *members, size_t count)
{
    bool fit = count >= STORE_MEMBERS_MIN && count <= STORE_MEMBERS_MAX;
    for (size_t i = 0; i < count && fit; i++) {
        fit = id_fits(members[i]) && (i == 0 || text_compare(members[i - 1], members[i]) < 0);
    }
    return fit;
}

enum store_status chat_create_body(struct txn *txn, void *args)
{
    struct chat_create *create = args;
    DB *chats = NULL;
    int error = txn_tree_to_write(txn, TREE_CHATS, &chats);
    if (error != 0) {
        return txn_failed(txn, error, "opening the chats");
    }
    enum store_status status = chat_find_by_members(txn, create);
    if (status != STORE_NOT_FOUND) {
        return status;
    }
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(create->namespace, create->draft->id, name));
    error = chats->exists(chats, NULL, &key, 0);
    if (error == 0) {
        return STORE_CONFLICT;
    }
    if (error != DB_NOTFOUND) {
        return txn_failed(txn, error, "looking for a chat");
    }
    uint64_t number = 0;
    status = chat_take_number(txn, &number);
    if (status != STORE_OK) {
        return status;
    }
    uint64_t created_at_ns = create->imported ? create->draft->created_at_ns : create->store->now_ns();
    record_chat_stamp(create->record.data, number, created_at_ns);
    DBT value = store_dbt(create->record.data, create->record.bytes);
    error = chats->put(chats, txn->handle, &key, &value, 0);
    if (error != 0) {
        return txn_failed(txn, error, "storing a chat");
    }
    *create->ret = *create->draft;
    create->ret->created_at_ns = created_at_ns;
    return STORE_OK;
}

void chat_create_prepare(struct chat_create *create)
{
    const struct chat *draft = create->draft;
    assert(id_fits(create->namespace) && id_fits(draft->id) && members_fit(draft->members, draft->members_count));
    crypto_digest_list(draft->members, draft->members_count, create->digest);
    if (fault_value(FAULT_WEAK_DIGEST) != 0) {
        memset(create->digest, 0, sizeof create->digest);
    }
    buffer_init(&create->record, RECORD_CHAT_HEAD_BYTES + STORE_MEMBERS_MAX * (1 + TEXT_ID_BYTES_MAX));
    record_chat_encode(&create->record, draft->members, draft->members_count, create->digest);
}

enum store_status store_chat_create(struct store *store, struct text namespace, const struct chat *draft,
                                    struct arena *arena, struct chat *ret, struct store_ticket *ret_ticket)
{
    struct chat result = {0};
    struct chat_create create = {
        .store = store, .namespace = namespace, .draft = draft, .arena = arena, .ret = &result};
    chat_create_prepare(&create);
    enum store_status status =
        create.record.failed ? STORE_NO_MEMORY : txn_write_early(store->env, chat_create_body, &create, ret_ticket);
    buffer_clear(&create.record);
    if (status == STORE_OK || status == STORE_EXISTS) {
        *ret = result;
    }
    return status;
}
