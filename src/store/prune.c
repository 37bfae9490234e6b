#include <assert.h>

#include "store/admin.h"
#include "store/removal.h"
#include "store/seek.h"
#include "store/walk.h"

struct prune {
    struct store *store;
    struct store_prune *report;
    struct removal found[WALK_BATCH_RECORDS]; /* in this batch of chats */
    size_t count;
    size_t done; /* of them */
};

/* Inside: the sequence numbers of the chat's messages sent before the time; none if *ret_low > *ret_high. */
static enum store_status prune_range(struct txn *txn, uint64_t chat_number, uint64_t before_ns, uint64_t *ret_low,
                                     uint64_t *ret_high)
{
    struct seek times;
    struct seek messages;
    *ret_low = 1;
    *ret_high = 0;
    enum store_status status = seek_open(&times, txn, TREE_MESSAGES_BY_TIME, 0);
    if (status != STORE_OK) {
        return status;
    }
    int error = seek_below(&times, chat_number, before_ns);
    if (error == 0) {
        uint64_t high = seek_sequence(&times);
        status = seek_open(&messages, txn, TREE_MESSAGES, 0);
        if (status == STORE_OK) {
            error = seek_from(&messages, chat_number, 0);
            if (error == 0) {
                *ret_low = seek_sequence(&messages);
                *ret_high = high;
            }
            seek_close(&messages);
        }
    }
    seek_close(&times);
    return error == 0 || error == DB_NOTFOUND ? status : txn_failed(txn, error, "looking for old messages");
}

/* As prune_range, for a visited record of the chats; none for one of another namespace. */
static enum store_status prune_visited(const struct store_prune *report, struct txn *txn, struct text key,
                                       struct text record, struct removal *ret, uint64_t *ret_count)
{
    struct text namespace;
    struct text id;
    struct record_chat chat;
    uint64_t low = 0;
    *ret_count = 0;
    if (!record_key_name_split(key, &namespace, &id) || !record_chat_decode(record, &chat)) {
        return store_damaged("chats");
    }
    if (report->namespace.bytes > 0 && !text_equal(namespace, report->namespace)) {
        return STORE_OK;
    }
    *ret = (struct removal){.chat_number = chat.number};
    enum store_status status = prune_range(txn, chat.number, report->before_ns, &low, &ret->through);
    if (status == STORE_OK && low <= ret->through) {
        *ret_count = ret->through - low + 1;
    }
    return status;
}

static enum store_status prune_count_chat(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)primary_key;
    const struct prune *prune = context;
    struct removal found;
    uint64_t count = 0;
    enum store_status status = prune_visited(prune->report, txn, key, record, &found, &count);
    prune->report->found += count;
    return status;
}

static enum store_status prune_find(void *context, struct txn *txn, struct text key, struct text primary_key,
                                    struct text record)
{
    (void)primary_key;
    struct prune *prune = context;
    uint64_t count = 0;
    enum store_status status = prune_visited(prune->report, txn, key, record, &prune->found[prune->count], &count);
    prune->count += count > 0 ? 1 : 0;
    return status;
}

struct prune_step {
    const struct prune *prune;
    size_t done;      /* as prune's, after this transaction */
    uint64_t removed; /* by it */
};

static enum store_status prune_body(struct txn *txn, void *args)
{
    struct prune_step *step = args;
    struct removal_budget budget = {REMOVAL_RECORDS, REMOVAL_BYTES};
    while (step->done < step->prune->count && budget.records > 0 && budget.bytes > 0) {
        bool done = false;
        enum store_status status = removal_run(txn, &step->prune->found[step->done], &budget, &step->removed, &done);
        if (status != STORE_OK) {
            return status;
        }
        step->done += done ? 1 : 0;
    }
    return STORE_OK;
}

/* Outside: removes what was found in this batch of chats. */
static enum store_status prune_remove(void *context)
{
    struct prune *prune = context;
    enum store_status status = STORE_OK;
    while (status == STORE_OK && prune->done < prune->count) {
        struct prune_step step = {.prune = prune, .done = prune->done};
        status = txn_write(prune->store->env, prune_body, &step);
        if (status == STORE_OK) {
            prune->done = step.done;
            prune->report->removed += step.removed;
            if (prune->report->step != NULL) {
                prune->report->step(prune->report->context, prune->report);
            }
            store_housekeeping(prune->store);
        }
    }
    prune->count = 0;
    prune->done = 0;
    return status;
}

enum store_status store_prune(struct store *store, struct store_prune *prune)
{
    assert(prune->namespace.bytes <= TEXT_ID_BYTES_MAX);
    struct prune state = {.store = store, .report = prune};
    const struct walk count = {TREE_CHATS, &state, prune_count_chat, NULL};
    const struct walk remove = {TREE_CHATS, &state, prune_find, prune_remove};
    prune->found = 0;
    prune->removed = 0;
    enum store_status status = walk_run(store, &count);
    return status == STORE_OK && prune->found > 0 ? walk_run(store, &remove) : status;
}
