#include <string.h>

#include "store/internal.h"
#include "store/seek.h"

/* A batch is a run of records, each behind its length (4 bytes): copied inside the gate, decoded outside. */
#define PAGE_LENGTH_BYTES 4u
#define PAGE_RECORD_BYTES_MAX (RECORD_MESSAGE_HEAD_BYTES + 2u * (1u + TEXT_ID_BYTES_MAX) + STORE_TEXT_BYTES_MAX)

static uint64_t page_sequence(const struct store_page *page, uint64_t index)
{
    return page->order == STORE_NEWEST_FIRST ? page->first - index : page->first + index;
}

/* Inside: reads messages from index `done` on into the empty batch, as many as it may hold, at least one. */
static enum store_status page_fill(struct txn *txn, struct seek *seek, struct store_page *page)
{
    page->batch_first = page->done;
    page->batch_count = 0;
    seek_whole_records(seek);
    int error = seek_from(seek, page->chat_number, page_sequence(page, page->done));
    if (error == 0 && seek_sequence(seek) != page_sequence(page, page->done)) {
        error = DB_NOTFOUND;
    }
    while (error == 0) {
        if (page->batch_count != 0 &&
            page->batch.bytes + PAGE_LENGTH_BYTES + seek->value.size > STORE_BATCH_BYTES_MAX) {
            return STORE_OK;
        }
        uint8_t length[PAGE_LENGTH_BYTES];
        record_put_u32(length, seek->value.size);
        buffer_append(&page->batch, length, sizeof length);
        buffer_append(&page->batch, seek->value.data, seek->value.size);
        if (page->batch.failed) {
            return STORE_NO_MEMORY;
        }
        page->batch_count++;
        if (page->done + page->batch_count == page->count) {
            return STORE_OK;
        }
        error = seek_step(seek, page->chat_number, page->order == STORE_OLDEST_FIRST);
    }
    if (error != DB_NOTFOUND) {
        return txn_failed(txn, error, "reading a page");
    }
    /* The rest was pruned since the page was opened: it ends here. */
    page->count = page->done + page->batch_count;
    return STORE_OK;
}

struct page_open {
    const struct chat_ref *chat;
    const struct page_query *query;
    struct store_page *page;
};

struct page_range {
    uint64_t low;  /* sequence numbers of the first and the last message, */
    uint64_t high; /* none if low > high */
};

/* Inside: narrows the range to the messages within the query's times. */
static enum store_status page_narrow(struct txn *txn, const struct page_query *query, uint64_t chat_number,
                                     struct page_range *range)
{
    if (!query->has_before && !query->has_after) {
        return STORE_OK;
    }
    struct seek seek;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES_BY_TIME, 0);
    if (status != STORE_OK) {
        return status;
    }
    int error = 0;
    if (query->has_before) {
        error = seek_below(&seek, chat_number, query->before_ns);
        if (error == 0 && seek_sequence(&seek) < range->high) {
            range->high = seek_sequence(&seek);
        }
    }
    if (error == 0 && query->has_after) {
        error = query->after_ns == UINT64_MAX ? DB_NOTFOUND : seek_from(&seek, chat_number, query->after_ns + 1);
        if (error == 0 && seek_sequence(&seek) > range->low) {
            range->low = seek_sequence(&seek);
        }
    }
    if (error == DB_NOTFOUND) {
        *range = (struct page_range){1, 0};
    } else if (error != 0) {
        status = txn_failed(txn, error, "looking for a time");
    }
    seek_close(&seek);
    return status;
}

/* Inside: the sequence numbers of all messages of the chat. */
static enum store_status page_whole_chat(struct txn *txn, struct seek *seek, uint64_t chat_number,
                                         struct page_range *ret)
{
    *ret = (struct page_range){1, 0};
    struct record_message last;
    int error = seek_last(seek, chat_number);
    if (error == 0) {
        if (!record_message_head(store_dbt_text(&seek->value), &last)) {
            return store_damaged("messages");
        }
        if ((last.flags & RECORD_FLAG_HIDDEN) == 0) {
            ret->high = seek_sequence(seek);
            error = seek_from(seek, chat_number, 0);
            ret->low = error == 0 ? seek_sequence(seek) : 1;
        }
    }
    return error == 0 || error == DB_NOTFOUND ? STORE_OK : txn_failed(txn, error, "finding a chat's ends");
}

static void page_place(struct store_page *page, const struct page_query *query, const struct page_range *range)
{
    uint64_t available = range->low > range->high ? 0 : range->high - range->low + 1;
    if (query->offset >= available) {
        return;
    }
    available -= query->offset;
    page->count = available < query->limit ? available : query->limit;
    page->first = query->order == STORE_NEWEST_FIRST ? range->high - query->offset : range->low + query->offset;
}

static enum store_status page_open_body(struct txn *txn, void *args)
{
    const struct page_open *open = args;
    struct store_page *page = open->page;
    enum store_status status = chat_find(txn, open->chat, &page->chat_number);
    if (status != STORE_OK) {
        return status;
    }
    struct seek seek;
    status = seek_open(&seek, txn, TREE_MESSAGES, RECORD_MESSAGE_HEAD_BYTES);
    if (status != STORE_OK) {
        return status;
    }
    struct page_range range;
    status = page_whole_chat(txn, &seek, page->chat_number, &range);
    if (status == STORE_OK && range.low <= range.high) {
        status = page_narrow(txn, open->query, page->chat_number, &range);
    }
    if (status == STORE_OK) {
        page_place(page, open->query, &range);
        if (page->count > 0) {
            status = page_fill(txn, &seek, page);
        }
    }
    seek_close(&seek);
    return status;
}

enum store_status store_page_open(struct store *store, const struct chat_ref *chat, const struct page_query *query,
                                  struct store_page *ret)
{
    *ret = (struct store_page){.order = query->order};
    buffer_init(&ret->batch, STORE_BATCH_BYTES_MAX + PAGE_LENGTH_BYTES + PAGE_RECORD_BYTES_MAX);
    struct page_open open = {chat, query, ret};
    return txn_read(store->env, page_open_body, &open);
}

static enum store_status page_fill_body(struct txn *txn, void *args)
{
    struct store_page *page = args;
    struct seek seek;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES, 0);
    if (status == STORE_OK) {
        status = page_fill(txn, &seek, page);
        seek_close(&seek);
    }
    return status;
}

/* Outside: gives the batch out. `*ret_stopped`: the receiver had enough. */
static enum store_status page_give(struct store_page *page, store_message_fn *each, void *context, bool *ret_stopped)
{
    const char *at = page->batch.data;
    while (page->done < page->batch_first + page->batch_count && !*ret_stopped) {
        struct text record = {at + PAGE_LENGTH_BYTES, record_get_u32(at)};
        struct record_message stored;
        if (!record_message_decode(record, &stored)) {
            return store_damaged("messages");
        }
        struct message message = {
            .id = stored.id, .author = stored.author, .text = stored.text, .sent_at_ns = stored.sent_at_ns};
        *ret_stopped = !each(context, &message);
        page->done++;
        at = record.data + record.bytes;
    }
    return STORE_OK;
}

enum store_status store_page_read(struct store *store, struct store_page *page, store_message_fn *each, void *context)
{
    bool stopped = false;
    while (page->done < page->count && !stopped) {
        enum store_status status = STORE_OK;
        if (page->done != page->batch_first || page->batch_count == 0) {
            buffer_reset(&page->batch);
            status = txn_read(store->env, page_fill_body, page);
        }
        if (status == STORE_OK) {
            status = page_give(page, each, context, &stopped);
        }
        if (status != STORE_OK) {
            return status;
        }
    }
    return STORE_OK;
}

void store_page_rewind(struct store_page *page)
{
    page->done = 0;
}

void store_page_clear(struct store_page *page)
{
    buffer_clear(&page->batch);
}
