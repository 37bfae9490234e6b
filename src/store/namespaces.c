#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/admin.h"
#include "store/removal.h"
#include "store/walk.h"

#define NAMESPACES_BYTES_MAX ((size_t)64 << 20) /* of all that are counted */
#define NAMESPACES_NAMES_BYTES (WALK_BATCH_RECORDS * (sizeof(uint32_t) + RECORD_KEY_NAME_BYTES_MAX))
#define NAMESPACES_ACCOUNTS 8u /* removed in one transaction, with up to TOKENS_BATCH tokens each */

/* Each namespace as it was met, once or twice: for its chats and for its accounts. */
struct namespaces_count {
    struct buffer found; /* struct namespaces_item */
    bool accounts;       /* they are what is counted, else chats */
};

struct namespaces_item {
    char name[TEXT_ID_BYTES_MAX];
    size_t name_bytes;
    uint64_t chats;
    uint64_t accounts;
};

static struct text namespaces_name(const struct namespaces_item *item)
{
    return (struct text){item->name, item->name_bytes};
}

/* Inside. Both trees have a namespace's records side by side. */
static enum store_status namespaces_visit(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)txn;
    (void)primary_key;
    (void)record;
    struct namespaces_count *count = context;
    struct text namespace;
    struct text id;
    if (!record_key_name_split(key, &namespace, &id)) {
        return store_damaged(count->accounts ? "accounts" : "chats");
    }
    size_t items = count->found.bytes / sizeof(struct namespaces_item);
    struct namespaces_item *all = (struct namespaces_item *)(void *)count->found.data;
    struct namespaces_item *last = items > 0 ? &all[items - 1] : NULL;
    if (last == NULL || !text_equal(namespaces_name(last), namespace) || (count->accounts && last->accounts == 0)) {
        struct namespaces_item item = {.name_bytes = namespace.bytes};
        memcpy(item.name, namespace.data, namespace.bytes);
        buffer_append(&count->found, &item, sizeof item);
        if (count->found.failed) {
            return STORE_NO_MEMORY;
        }
        last = (struct namespaces_item *)(void *)count->found.data + items;
    }
    last->chats += count->accounts ? 0 : 1;
    last->accounts += count->accounts ? 1 : 0;
    return STORE_OK;
}

static int namespaces_compare(const void *a, const void *b)
{
    return text_compare(namespaces_name(a), namespaces_name(b));
}

/* Gives each name once, sorted by bytes. */
static void namespaces_give(struct namespaces_count *count, store_namespace_fn *each, void *context)
{
    struct namespaces_item *items = (struct namespaces_item *)(void *)count->found.data;
    size_t size = count->found.bytes / sizeof *items;
    if (size > 0) {
        qsort(items, size, sizeof *items, namespaces_compare);
    }
    for (size_t i = 0; i < size; i++) {
        struct store_namespace namespace = {namespaces_name(&items[i]), items[i].chats, items[i].accounts};
        if (i + 1 < size && namespaces_compare(&items[i], &items[i + 1]) == 0) {
            i++;
            namespace.chats += items[i].chats;
            namespace.accounts += items[i].accounts;
        }
        if (!each(context, &namespace)) {
            return;
        }
    }
}

enum store_status store_namespace_list(struct store *store, store_namespace_fn *each, void *context)
{
    struct namespaces_count count = {.accounts = false};
    const struct walk chats = {TREE_CHATS, &count, namespaces_visit, NULL};
    const struct walk accounts = {TREE_ACCOUNTS, &count, namespaces_visit, NULL};
    buffer_init(&count.found, NAMESPACES_BYTES_MAX);
    enum store_status status = walk_run(store, &chats);
    if (status == STORE_OK) {
        count.accounts = true;
        status = walk_run(store, &accounts);
    }
    if (status == STORE_OK) {
        namespaces_give(&count, each, context);
    }
    buffer_clear(&count.found);
    return status;
}

struct namespaces_removal {
    struct store *store;
    struct store_removal *report;
    struct buffer names; /* ids of a batch: each behind its length in a uint32_t */
    size_t at;           /* in names: the next one */
};

static struct text namespaces_id_at(const struct namespaces_removal *removal, size_t at)
{
    uint32_t bytes = 0;
    memcpy(&bytes, removal->names.data + at, sizeof bytes);
    return (struct text){removal->names.data + at + sizeof bytes, bytes};
}

/* Inside: notes the id if it is of this namespace. */
static enum store_status namespaces_note(void *context, struct txn *txn, struct text key, struct text primary_key,
                                         struct text record)
{
    (void)txn;
    (void)primary_key;
    (void)record;
    struct namespaces_removal *removal = context;
    struct text namespace;
    struct text id;
    if (!record_key_name_split(key, &namespace, &id)) {
        return store_damaged("a key");
    }
    if (text_equal(namespace, removal->report->namespace)) {
        uint32_t bytes = (uint32_t)id.bytes;
        buffer_append(&removal->names, &bytes, sizeof bytes);
        buffer_append_text(&removal->names, id);
    }
    return STORE_OK;
}

struct namespaces_step {
    const struct namespaces_removal *removal;
    size_t at;         /* as removal's, after this transaction */
    uint64_t messages; /* removed by it, and so on */
    uint64_t chats;
    uint64_t accounts;
};

/* Inside: one more of a chat's messages, and when there are none, the chat. What is appended later finds no chat. */
static enum store_status namespaces_remove_chat(struct txn *txn, const struct chat_ref *ref,
                                                struct removal_budget *budget, struct namespaces_step *step,
                                                bool *ret_done)
{
    struct removal removal = {.through = UINT64_MAX, .with_chat = true};
    enum store_status status = chat_find(txn, ref, &removal.chat_number);
    if (status == STORE_NOT_FOUND) {
        *ret_done = true;
        return STORE_OK;
    }
    if (status == STORE_OK) {
        status = removal_run(txn, &removal, budget, &step->messages, ret_done);
    }
    if (status != STORE_OK || !*ret_done) {
        return status;
    }
    DB *chats = txn->trees[TREE_CHATS];
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(ref->namespace, ref->id, name));
    int error = chats->del(chats, txn->handle, &key, 0);
    step->chats++;
    return error == 0 ? STORE_OK : txn_failed(txn, error, "removing a chat");
}

static enum store_status namespaces_chats_body(struct txn *txn, void *args)
{
    struct namespaces_step *step = args;
    const struct namespaces_removal *removal = step->removal;
    struct removal_budget budget = {REMOVAL_RECORDS, REMOVAL_BYTES};
    enum store_status status = STORE_OK;
    while (status == STORE_OK && step->at < removal->names.bytes && budget.records > 0 && budget.bytes > 0) {
        struct text id = namespaces_id_at(removal, step->at);
        const struct chat_ref ref = {.namespace = removal->report->namespace, .id = id, .member = {NULL, 0}};
        bool done = false;
        budget.records--;
        status = namespaces_remove_chat(txn, &ref, &budget, step, &done);
        step->at += done ? sizeof(uint32_t) + id.bytes : 0;
    }
    return status;
}

static enum store_status namespaces_accounts_body(struct txn *txn, void *args)
{
    struct namespaces_step *step = args;
    const struct namespaces_removal *removal = step->removal;
    bool more = false;
    for (unsigned i = 0; i < NAMESPACES_ACCOUNTS && step->at < removal->names.bytes && !more; i++) {
        struct text id = namespaces_id_at(removal, step->at);
        enum store_status status = account_remove_some(txn, removal->report->namespace, id, &more);
        if (status != STORE_OK && status != STORE_NOT_FOUND) {
            return status;
        }
        step->accounts += status == STORE_OK && !more ? 1 : 0;
        step->at += more ? 0 : sizeof(uint32_t) + id.bytes;
    }
    return STORE_OK;
}

/* Outside: removes what was noted in this batch. */
static enum store_status namespaces_remove_noted(struct namespaces_removal *removal, txn_body *body)
{
    struct store_removal *report = removal->report;
    enum store_status status = removal->names.failed ? STORE_NO_MEMORY : STORE_OK;
    while (status == STORE_OK && removal->at < removal->names.bytes) {
        struct namespaces_step step = {.removal = removal, .at = removal->at};
        status = txn_write(removal->store->env, body, &step);
        if (status != STORE_OK) {
            break;
        }
        removal->at = step.at;
        report->messages += step.messages;
        report->chats += step.chats;
        report->accounts += step.accounts;
        if (report->step != NULL) {
            report->step(report->context, report);
        }
        store_housekeeping(removal->store);
    }
    buffer_reset(&removal->names);
    removal->at = 0;
    return status;
}

static enum store_status namespaces_remove_chats(void *context)
{
    return namespaces_remove_noted(context, namespaces_chats_body);
}

static enum store_status namespaces_remove_accounts(void *context)
{
    return namespaces_remove_noted(context, namespaces_accounts_body);
}

enum store_status store_namespace_remove(struct store *store, struct store_removal *report)
{
    assert(id_fits(report->namespace));
    struct namespaces_removal removal = {.store = store, .report = report};
    const struct walk accounts = {TREE_ACCOUNTS, &removal, namespaces_note, namespaces_remove_accounts};
    const struct walk chats = {TREE_CHATS, &removal, namespaces_note, namespaces_remove_chats};
    report->messages = 0;
    report->chats = 0;
    report->accounts = 0;
    buffer_init(&removal.names, NAMESPACES_NAMES_BYTES);
    enum store_status status = walk_run(store, &accounts);
    if (status == STORE_OK) {
        status = walk_run(store, &chats);
    }
    buffer_clear(&removal.names);
    return status;
}
