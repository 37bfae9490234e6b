#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "bdb/shadow.h"
#include "store/admin.h"
#include "store/removal.h"
#include "store/seek.h"
#include "store/walk.h"

/*
 * The messages and their indexes are copied, in order, into a shadow (bdb/shadow.h), a few in a hold. Which chats
 * change meanwhile is listed in the gate page by whoever changes them; behind the place that was copied last those are
 * compared with their copies and brought up to date, until in one hold there is little enough left to do all of it and
 * put the shadow in the trees' place. A stored message never changes: a chat only loses messages at its front and gets
 * new ones at its end.
 */
#define COMPACT_RECORDS 64u
#define COMPACT_BYTES 32768u
#define COMPACT_LAST_RECORDS 256u /* in the last hold, so that it comes to an end while messages are sent */
#define COMPACT_ATTEMPTS 5u       /* a recovery, or too many changes at once, and it begins again */
#define COMPACT_SPARE_BYTES ((uint64_t)64 << 20)
#define COMPACT_PENDING_BYTES ((size_t)64 << 20)

struct compact {
    struct store *store;
    struct store_compact *report;
    struct shadow shadow;
    uint8_t at[RECORD_KEY_PAIR_BYTES]; /* the key to go on from */
    struct buffer pending;             /* uint64_t: chats to compare with their copies */
    size_t pending_done;               /* of them */
    bool may_swap;                     /* the copies are on the disk but for little */
};

/* One hold: what it did counts when it has been committed. */
struct compact_step {
    struct compact *compact;
    struct removal_budget budget;
    uint8_t at[RECORD_KEY_PAIR_BYTES];
    uint64_t copied;
    bool copied_all;
    uint64_t changed[GATE_CHATS_CHANGED];
    size_t changed_count;
    size_t changed_done;
    size_t pending_done;
    bool swap;
};

static uint64_t compact_pending_at(const struct compact *compact, size_t index)
{
    uint64_t number = 0;
    memcpy(&number, compact->pending.data + index * sizeof number, sizeof number);
    return number;
}

static size_t compact_pending_count(const struct compact *compact)
{
    return compact->pending.bytes / sizeof(uint64_t);
}

static void compact_spend(struct removal_budget *budget, size_t bytes)
{
    budget->records -= budget->records > 0 ? 1 : 0;
    budget->bytes -= bytes < budget->bytes ? bytes : budget->bytes;
}

static bool compact_may(const struct removal_budget *budget)
{
    return budget->records > 0 && budget->bytes > 0;
}

/* Inside: which chats changed. STORE_CONFLICT: more than can be known. */
static enum store_status compact_take_changed(struct txn *txn, struct compact_step *step)
{
    uint32_t count = gate_take_chats(txn->env->gate, step->changed);
    step->changed_count = count <= GATE_CHATS_CHANGED ? count : 0;
    return count <= GATE_CHATS_CHANGED ? STORE_OK : STORE_CONFLICT;
}

static enum store_status compact_put(struct txn *txn, struct compact_step *step, const DBT *key, const DBT *value)
{
    DB *copy = step->compact->shadow.trees[TREE_MESSAGES];
    DBT own_key = *key;
    DBT own_value = store_dbt(value->data, value->size);
    int error = copy->put(copy, txn->handle, &own_key, &own_value, 0);
    compact_spend(&step->budget, value->size);
    return error == 0 ? STORE_OK : txn_failed(txn, error, "copying a message");
}

/* Inside: copies a few messages from `at` on. */
static enum store_status compact_copy_body(struct txn *txn, void *args)
{
    struct compact_step *step = args;
    DB *messages = NULL;
    DBC *cursor = NULL;
    DBT key = store_dbt(step->at, sizeof step->at);
    DBT value = {0};
    enum store_status status = compact_take_changed(txn, step);
    if (status != STORE_OK) {
        return status;
    }
    int error = txn_tree_to_read(txn, TREE_MESSAGES, &messages);
    if (error == 0) {
        error = messages->cursor(messages, NULL, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    error = cursor->get(cursor, &key, &value, DB_SET_RANGE);
    while (error == 0 && status == STORE_OK && compact_may(&step->budget)) {
        if (key.size != RECORD_KEY_PAIR_BYTES) {
            status = store_damaged("messages");
            break;
        }
        status = compact_put(txn, step, &key, &value);
        step->copied++;
        if (status == STORE_OK) {
            error = cursor->get(cursor, &key, &value, DB_NEXT);
        }
    }
    if (error == 0 && status == STORE_OK) {
        memcpy(step->at, key.data, sizeof step->at);
    }
    (void)cursor->close(cursor);
    step->copied_all = error == DB_NOTFOUND;
    return error == 0 || error == DB_NOTFOUND ? status : txn_failed(txn, error, "reading messages to copy");
}

/* A chat's first and last record in one of the trees; low > high: it has none. */
struct compact_range {
    uint64_t low;
    uint64_t high;
    bool hidden; /* the first is a marker */
};

static enum store_status compact_range_of(struct txn *txn, DB *tree, uint64_t number, struct compact_range *ret)
{
    struct seek seek;
    *ret = (struct compact_range){.low = 1};
    enum store_status status = seek_open_tree(&seek, txn, tree, NULL, RECORD_MESSAGE_HEAD_BYTES);
    if (status != STORE_OK) {
        return status;
    }
    struct record_message first;
    int error = seek_last(&seek, number);
    uint64_t high = error == 0 ? seek_sequence(&seek) : 0;
    if (error == 0) {
        error = seek_from(&seek, number, 0);
    }
    if (error == 0 && !record_message_head(store_dbt_text(&seek.value), &first)) {
        status = store_damaged("messages");
    } else if (error == 0) {
        *ret = (struct compact_range){seek_sequence(&seek), high, (first.flags & RECORD_FLAG_HIDDEN) != 0};
    }
    seek_close(&seek);
    return error == 0 || error == DB_NOTFOUND ? status : txn_failed(txn, error, "comparing a chat with its copy");
}

/* Whether a copied record has no place in the chat any more; a marker takes that of whatever has its number. */
static bool compact_is_gone(const struct compact_range *chat, uint64_t sequence)
{
    return chat->low > chat->high || sequence < chat->low || (sequence == chat->low && chat->hidden);
}

/*
 * Inside: takes off the copy's front what the chat lost. What was lost while the chat was being copied may have left a
 * gap behind it. *ret_kept: something is left.
 */
static enum store_status compact_drop(struct txn *txn, struct compact_step *step, uint64_t number,
                                      const struct compact_range *chat, bool *ret_kept)
{
    struct seek seek;
    DB *tree = step->compact->shadow.trees[TREE_MESSAGES];
    enum store_status status = seek_open_tree(&seek, txn, tree, txn->handle, 0);
    if (status != STORE_OK) {
        return status;
    }
    int error = seek_from(&seek, number, 0);
    while (error == 0 && compact_may(&step->budget)) {
        if (!compact_is_gone(chat, seek_sequence(&seek))) {
            break;
        }
        error = seek.cursor->del(seek.cursor, 0);
        compact_spend(&step->budget, 0);
        error = error == 0 ? seek_next(&seek, number) : error;
    }
    *ret_kept = error == 0;
    seek_close(&seek);
    return error == 0 || error == DB_NOTFOUND ? status : txn_failed(txn, error, "removing a copied message");
}

/* Inside: copies what the chat has behind its copy. */
static enum store_status compact_append(struct txn *txn, struct compact_step *step, uint64_t number, uint64_t from,
                                        uint64_t through)
{
    DB *messages = NULL;
    enum store_status status = STORE_OK;
    int error = txn_tree_to_read(txn, TREE_MESSAGES, &messages);
    if (error != 0) {
        return txn_failed(txn, error, "opening the messages");
    }
    for (; from <= through && status == STORE_OK && compact_may(&step->budget); from++) {
        uint8_t bytes[RECORD_KEY_PAIR_BYTES];
        DBT key = store_dbt(bytes, record_key_pair(number, from, bytes));
        DBT value = {0};
        error = messages->get(messages, NULL, &key, &value, 0);
        status =
            error == 0 ? compact_put(txn, step, &key, &value) : txn_failed(txn, error, "reading a message to copy");
    }
    return status;
}

/* Inside: brings the chat's copy up to date. *ret_done: it is. */
static enum store_status compact_chat(struct txn *txn, struct compact_step *step, uint64_t number, bool *ret_done)
{
    struct compact_range chat;
    struct compact_range copy;
    bool kept = false;
    *ret_done = false;
    compact_spend(&step->budget, 0);
    DB *messages = NULL;
    int error = txn_tree_to_read(txn, TREE_MESSAGES, &messages);
    if (error != 0) {
        return txn_failed(txn, error, "opening the messages");
    }
    enum store_status status = compact_range_of(txn, messages, number, &chat);
    if (status == STORE_OK) {
        status = compact_range_of(txn, step->compact->shadow.trees[TREE_MESSAGES], number, &copy);
    }
    if (status == STORE_OK) {
        status = compact_drop(txn, step, number, &chat, &kept);
    }
    if (status == STORE_OK && compact_may(&step->budget)) {
        uint64_t from = kept ? copy.high + 1 : chat.low;
        status = compact_append(txn, step, number, from, chat.high);
        *ret_done = compact_may(&step->budget);
    }
    return status;
}

/* Inside: chats that changed. With nothing left to do in the end the shadow may take the trees' place. */
static enum store_status compact_follow_body(struct txn *txn, void *args)
{
    struct compact_step *step = args;
    const struct compact *compact = step->compact;
    enum store_status status = compact_take_changed(txn, step);
    bool done = true;
    while (status == STORE_OK && done && step->pending_done < compact_pending_count(compact)) {
        status = compact_chat(txn, step, compact_pending_at(compact, step->pending_done), &done);
        step->pending_done += done ? 1 : 0;
    }
    while (status == STORE_OK && done && step->changed_done < step->changed_count) {
        status = compact_chat(txn, step, step->changed[step->changed_done], &done);
        step->changed_done += done ? 1 : 0;
    }
    step->swap = status == STORE_OK && done && compact->may_swap;
    return status;
}

static int compact_compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* Outside: each pending chat once. */
static void compact_sort_pending(struct compact *compact)
{
    uint64_t *numbers = (uint64_t *)(void *)compact->pending.data;
    size_t count = compact_pending_count(compact);
    size_t kept = 0;
    if (count == 0) {
        return;
    }
    qsort(numbers, count, sizeof *numbers, compact_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || numbers[kept - 1] != numbers[i]) {
            numbers[kept++] = numbers[i];
        }
    }
    compact->pending.bytes = kept * sizeof *numbers;
}

static enum store_status compact_run_step(struct compact *compact, txn_body *body, size_t records,
                                          struct compact_step *step)
{
    *step = (struct compact_step){
        .compact = compact, .budget = {records, COMPACT_BYTES}, .pending_done = compact->pending_done};
    memcpy(step->at, compact->at, sizeof step->at);
    uint64_t position = record_get_u64(compact->at);
    enum store_status status = shadow_write(&compact->shadow, body, step, &step->swap);
    if (status != STORE_OK) {
        return status;
    }
    memcpy(compact->at, step->at, sizeof compact->at);
    compact->pending_done = step->pending_done;
    compact->report->copied += step->copied;
    for (size_t i = step->changed_done; i < step->changed_count; i++) {
        /* What has not been copied yet will be as it is then. */
        if (step->changed[i] <= position) {
            buffer_append(&compact->pending, &step->changed[i], sizeof step->changed[i]);
        }
    }
    if (compact->report->step != NULL) {
        compact->report->step(compact->report->context, compact->report);
    }
    return compact->pending.failed ? STORE_NO_MEMORY : STORE_OK;
}

static enum store_status compact_copy_all(struct compact *compact)
{
    struct compact_step step = {.copied_all = false};
    enum store_status status = STORE_OK;
    size_t sorted = 1024;
    while (status == STORE_OK && !step.copied_all) {
        status = compact_run_step(compact, compact_copy_body, COMPACT_RECORDS, &step);
        if (compact_pending_count(compact) > sorted) {
            compact_sort_pending(compact);
            sorted = 2 * compact_pending_count(compact) + 1024;
        }
        store_housekeeping(compact->store);
    }
    memset(compact->at, 0xff, sizeof compact->at); /* all are behind it */
    compact_sort_pending(compact);
    return status;
}

static enum store_status compact_follow(struct compact *compact)
{
    struct compact_step step = {.swap = false};
    enum store_status status = STORE_OK;
    while (status == STORE_OK && compact->pending_done < compact_pending_count(compact)) {
        status = compact_run_step(compact, compact_follow_body, COMPACT_RECORDS, &step);
        store_housekeeping(compact->store);
    }
    if (status == STORE_OK) {
        /* So that little is left to write and to sync in the last hold. */
        status = env_checkpoint(compact->store->env, true);
    }
    if (status == STORE_OK && shadow_sync(&compact->shadow) != 0) {
        status = STORE_UNAVAILABLE;
    }
    compact->may_swap = true;
    while (status == STORE_OK && !step.swap) {
        status = compact_run_step(compact, compact_follow_body, COMPACT_LAST_RECORDS, &step);
    }
    return status;
}

/* One attempt. STORE_CONFLICT: begin again. */
static enum store_status compact_attempt(struct store *store, struct store_compact *report)
{
    struct compact compact = {.store = store, .report = report};
    report->copied = 0;
    enum store_status status = shadow_begin(store->env, TREE_MESSAGES, &compact.shadow);
    if (status != STORE_OK) {
        return status;
    }
    buffer_init(&compact.pending, COMPACT_PENDING_BYTES);
    status = compact_copy_all(&compact);
    if (status == STORE_OK) {
        status = compact_follow(&compact);
    }
    buffer_clear(&compact.pending);
    shadow_end(&compact.shadow);
    return status;
}

static enum store_status compact_measure(void *context, struct txn *txn, struct text key, struct text primary_key,
                                         struct text record)
{
    (void)txn;
    (void)primary_key;
    struct store_compact *report = context;
    report->messages++;
    report->bytes += key.bytes + record.bytes;
    return STORE_OK;
}

enum store_status store_compact(struct store *store, struct store_compact *report)
{
    const struct walk measure = {TREE_MESSAGES, report, compact_measure, NULL};
    struct statvfs file_system;
    report->messages = 0;
    report->bytes = 0;
    enum store_status status = walk_run(store, &measure);
    if (status != STORE_OK) {
        return status;
    }
    report->needed = 2 * report->bytes + COMPACT_SPARE_BYTES; /* an index is about a third of its tree */
    if (statvfs(store->env->options.home, &file_system) == 0 &&
        (uint64_t)file_system.f_bavail * file_system.f_frsize < report->needed) {
        return STORE_FULL;
    }
    for (unsigned attempt = 0; attempt < COMPACT_ATTEMPTS; attempt++) {
        status = compact_attempt(store, report);
        if (status != STORE_CONFLICT) {
            break;
        }
        log_info("compacting begins again: there was a recovery, or more changed at once than can be followed");
    }
    if (status != STORE_OK) {
        return status;
    }
    status = store_ping(store); /* recovers, so that nobody else has to wait for it */
    if (status == STORE_OK) {
        status = env_checkpoint(store->env, true);
    }
    return status == STORE_FULL ? STORE_UNAVAILABLE : status; /* it is done */
}
