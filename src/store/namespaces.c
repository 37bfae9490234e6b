#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "store/namespaces.h"
#include "store/removal.h"
#include "store/walk.h"

#define NAMESPACES_PAGE ((size_t)100000) /* listed at once, of 280 bytes each; twice as many while they are sought */
#define NAMESPACES_NAMES_BYTES (WALK_BATCH_RECORDS * (sizeof(uint32_t) + RECORD_KEY_NAME_BYTES_MAX))
#define NAMESPACES_ACCOUNTS 8u /* removed in one transaction, with up to TOKENS_BATCH tokens each */

struct namespaces_item {
    char name[TEXT_ID_BYTES_MAX];
    size_t name_bytes; /* 0: none */
    uint64_t chats;
    uint64_t accounts;
};

/*
 * A page of the list: the next namespaces by their bytes, which is not the trees' order, so both trees are read from
 * end to end for each. When there are too many the last of them are left to later pages.
 */
struct namespaces_page {
    struct buffer found;            /* struct namespaces_item; several of one name until they are put together */
    size_t size;                    /* items: as many are kept where there are more than twice as many */
    bool accounts;                  /* they are what is counted, else chats */
    struct namespaces_item after;   /* the last one of the page before */
    struct namespaces_item through; /* the last one that this page may have; none: it has all */
};

static struct text namespaces_name(const struct namespaces_item *item)
{
    return (struct text){item->name, item->name_bytes};
}

static struct namespaces_item *namespaces_items(const struct namespaces_page *page, size_t *ret_count)
{
    *ret_count = page->found.bytes / sizeof(struct namespaces_item);
    return (struct namespaces_item *)(void *)page->found.data;
}

/* Inside. Both trees have a namespace's records side by side. */
static enum store_status namespaces_visit(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)txn;
    (void)primary_key;
    (void)record;
    struct namespaces_page *page = context;
    struct text namespace;
    struct text id;
    size_t count = 0;
    if (!record_key_name_split(key, &namespace, &id)) {
        return store_damaged(page->accounts ? "accounts" : "chats");
    }
    if (text_compare(namespace, namespaces_name(&page->after)) <= 0 ||
        (page->through.name_bytes > 0 && text_compare(namespace, namespaces_name(&page->through)) > 0)) {
        return STORE_OK;
    }
    struct namespaces_item *items = namespaces_items(page, &count);
    if (count == 0 || !text_equal(namespaces_name(&items[count - 1]), namespace)) {
        struct namespaces_item item = {.name_bytes = namespace.bytes};
        memcpy(item.name, namespace.data, namespace.bytes);
        buffer_append(&page->found, &item, sizeof item);
        if (page->found.failed) {
            return STORE_NO_MEMORY;
        }
        items = namespaces_items(page, &count);
    }
    items[count - 1].chats += page->accounts ? 0 : 1;
    items[count - 1].accounts += page->accounts ? 1 : 0;
    return STORE_OK;
}

static int namespaces_compare(const void *a, const void *b)
{
    return text_compare(namespaces_name(a), namespaces_name(b));
}

/* Outside: sorts them, and puts those of one name together. */
static void namespaces_sort(struct namespaces_page *page)
{
    size_t count = 0;
    size_t kept = 0;
    struct namespaces_item *items = namespaces_items(page, &count);
    if (count == 0) {
        return;
    }
    qsort(items, count, sizeof *items, namespaces_compare);
    for (size_t i = 1; i < count; i++) {
        if (namespaces_compare(&items[kept], &items[i]) == 0) {
            items[kept].chats += items[i].chats;
            items[kept].accounts += items[i].accounts;
        } else {
            items[++kept] = items[i];
        }
    }
    page->found.bytes = (kept + 1) * sizeof *items;
}

/* Outside, after each batch. */
static enum store_status namespaces_cut(void *context)
{
    struct namespaces_page *page = context;
    size_t count = 0;
    (void)namespaces_items(page, &count);
    if (count > 2 * page->size) {
        namespaces_sort(page);
        const struct namespaces_item *items = namespaces_items(page, &count);
        if (count > page->size) {
            page->through = items[page->size - 1];
            page->found.bytes = page->size * sizeof *items;
        }
    }
    return STORE_OK;
}

static enum store_status namespaces_read(struct store *store, struct namespaces_page *page)
{
    const struct walk chats = {TREE_CHATS, page, namespaces_visit, namespaces_cut};
    const struct walk accounts = {TREE_ACCOUNTS, page, namespaces_visit, namespaces_cut};
    buffer_reset(&page->found);
    page->through.name_bytes = 0;
    page->accounts = false;
    enum store_status status = walk_run(store, &chats);
    if (status == STORE_OK) {
        page->accounts = true;
        status = walk_run(store, &accounts);
    }
    namespaces_sort(page);
    return status;
}

static bool namespaces_give(const struct namespaces_page *page, store_namespace_fn *each, void *context)
{
    size_t count = 0;
    const struct namespaces_item *items = namespaces_items(page, &count);
    for (size_t i = 0; i < count; i++) {
        const struct store_namespace namespace = {namespaces_name(&items[i]), items[i].chats, items[i].accounts};
        if (!each(context, &namespace)) {
            return false;
        }
    }
    return true;
}

enum store_status namespaces_list(struct store *store, size_t page_size, store_namespace_fn *each, void *context)
{
    struct namespaces_page page = {.size = page_size};
    bool more = true;
    enum store_status status = STORE_OK;
    buffer_init(&page.found, (2 * page_size + 2 * (size_t)WALK_BATCH_RECORDS) * sizeof(struct namespaces_item));
    while (status == STORE_OK && more) {
        status = namespaces_read(store, &page);
        if (status == STORE_OK) {
            more = namespaces_give(&page, each, context) && page.through.name_bytes > 0;
            page.after = page.through;
        }
    }
    buffer_clear(&page.found);
    return status;
}

enum store_status store_namespace_list(struct store *store, store_namespace_fn *each, void *context)
{
    return namespaces_list(store, NAMESPACES_PAGE, each, context);
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
    DB *chats = NULL;
    uint8_t name[RECORD_KEY_NAME_BYTES_MAX];
    DBT key = store_dbt(name, record_key_name(ref->namespace, ref->id, name));
    int error = txn_tree_to_write(txn, TREE_CHATS, &chats);
    if (error == 0) {
        error = chats->del(chats, txn->handle, &key, 0);
    }
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
