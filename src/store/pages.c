#include <assert.h>
#include <errno.h>

#include "store/internal.h"
#include "store/seek.h"

/*
 * A batch is read by the library's bulk get (DB_MULTIPLE_KEY, DBcursor->get in its manual), forward, into our own
 * memory: one call instead of one a message, and nothing to copy inside the gate but the records themselves.
 */
#define PAGE_BULK_UNIT 1024u  /* the bulk buffer's size must be a multiple of it */
#define PAGE_BULK_RECORD 320u /* what a message takes on average, more or less: the first guess at the size */
#define PAGE_BULK_BYTES_MIN 8192u

static uint64_t page_sequence(const struct store_page *page, uint64_t index)
{
    return page->order == STORE_NEWEST_FIRST ? page->first - index : page->first + index;
}

/* Inside: fills `batch`, from a sequence number on upwards. The library's error. */
static int page_bulk_get(struct seek *seek, struct store_page *page, uint64_t low, size_t bytes, DBT *ret)
{
    buffer_reset(&page->batch);
    *ret = (DBT){0};
    ret->flags = DB_DBT_USERMEM;
    ret->ulen = (u_int32_t)bytes;
    ret->data = buffer_reserve(&page->batch, bytes);
    if (ret->data == NULL) {
        return ENOMEM;
    }
    DBT key = store_dbt(seek->bytes, record_key_pair(page->chat_number, low, seek->bytes));
    return seek->cursor->get(seek->cursor, &key, ret, DB_SET_RANGE | DB_MULTIPLE_KEY);
}

static bool page_is_hidden(const void *record, size_t bytes)
{
    struct record_message message;
    return record_message_head((struct text){record, bytes}, &message) && (message.flags & RECORD_FLAG_HIDDEN) != 0;
}

/* A marker (removal.h) that came into the page by a prune after it was opened: only at the last of its messages. */
static bool page_is_marker(const struct store_page *page, uint64_t sequence, const void *record, size_t bytes)
{
    uint64_t last = page->order == STORE_NEWEST_FIRST ? page->first : page->first + page->count - 1;
    return sequence == last && page_is_hidden(record, bytes);
}

/* Inside: finds the chat's records low .. high in the bulk. *ret_from: the first that is there; returns how many. */
static uint64_t page_bulk_items(struct store_page *page, DBT *bulk, uint64_t low, uint64_t high, uint64_t *ret_from)
{
    void *at;
    void *key;
    void *record;
    size_t key_bytes;
    size_t record_bytes;
    uint64_t count = 0;
    DB_MULTIPLE_INIT(at, bulk);
    while (low + count <= high) {
        DB_MULTIPLE_KEY_NEXT(at, bulk, key, key_bytes, record, record_bytes);
        if (at == NULL || key_bytes != RECORD_KEY_PAIR_BYTES || record_get_u64(key) != page->chat_number) {
            break;
        }
        uint64_t sequence = record_get_u64((const char *)key + 8);
        if (count == 0) {
            low = sequence;
        }
        if (sequence != low + count || sequence > high ||
            (count == 0 && page_is_marker(page, sequence, record, record_bytes))) {
            break;
        }
        page->items[count++] = (struct text){record, record_bytes};
    }
    *ret_from = low;
    return count;
}

/*
 * The size to try next where `count` of the `wanted` records fitted into so many bytes: by whole pages more, since the
 * library copies leaf pages whole. Not the largest at once: the library fills what it is given, beyond the chat's end,
 * and each page of that may be one to be read from the file.
 */
static size_t page_bulk_more(size_t bytes, uint64_t count, uint64_t wanted)
{
    uint64_t missing = bytes * (wanted - count) / count;
    uint64_t more = bytes + (missing + ENV_PAGE_BYTES - 1) / ENV_PAGE_BYTES * ENV_PAGE_BYTES;
    return more < STORE_BATCH_BYTES_MAX ? (size_t)more : STORE_BATCH_BYTES_MAX;
}

/*
 * Inside: reads messages from index `done` on into the batch. It may come out empty, if they did not fit: then the next
 * try asks for fewer.
 */
static enum store_status page_fill(struct txn *txn, struct seek *seek, struct store_page *page)
{
    uint64_t left = page->count - page->done;
    uint64_t wanted = left < page->window ? left : page->window;
    bool newest_first = page->order == STORE_NEWEST_FIRST;
    uint64_t low = page_sequence(page, newest_first ? page->done + wanted - 1 : page->done);
    uint64_t high = low + wanted - 1;
    size_t bytes = (size_t)wanted * PAGE_BULK_RECORD / PAGE_BULK_UNIT * PAGE_BULK_UNIT;
    bytes = bytes < PAGE_BULK_BYTES_MIN ? PAGE_BULK_BYTES_MIN : bytes;
    page->batch_first = page->done;
    page->batch_count = 0;
    for (;;) {
        DBT bulk;
        uint64_t from = low;
        int error = page_bulk_get(seek, page, low, bytes, &bulk);
        if (error == DB_BUFFER_SMALL && bytes < STORE_BATCH_BYTES_MAX) {
            bytes = STORE_BATCH_BYTES_MAX;
            continue;
        }
        if (error != 0 && error != DB_NOTFOUND) {
            return txn_failed(txn, error, "reading a page");
        }
        uint64_t count = error == 0 ? page_bulk_items(page, &bulk, low, high, &from) : 0;
        if (count == 0 || (!newest_first && from != low)) {
            page->count = page->done; /* pruned since the page was opened: it ends here */
            return STORE_OK;
        }
        if (newest_first && from + count - 1 != high) {
            /* The newest come first, and they did not fit. */
            if (bytes < STORE_BATCH_BYTES_MAX) {
                bytes = page_bulk_more(bytes, count, high - from + 1);
                continue;
            }
            page->window = count;
            return STORE_OK;
        }
        page->batch_count = count;
        if (from != low) {
            page->count = page->done + count;
        }
        return STORE_OK;
    }
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

/*
 * Inside: the sequence numbers of all messages of the chat. Without `wants_first` the lowest is taken to be 1, and
 * page_fill ends the page where it finds that they begin later.
 */
static enum store_status page_whole_chat(struct txn *txn, struct seek *seek, uint64_t chat_number, bool wants_first,
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
        }
    }
    if (error == 0 && wants_first && ret->high > 0) {
        error = seek_from(seek, chat_number, 0);
        ret->low = error == 0 ? seek_sequence(seek) : 1;
        if (error == 0 && page_is_hidden(seek->value.data, seek->value.size)) {
            return store_damaged("messages"); /* a marker is the only record of its chat */
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
    bool wants_first = page->order == STORE_OLDEST_FIRST || open->query->has_before || open->query->has_after;
    status = page_whole_chat(txn, &seek, page->chat_number, wants_first, &range);
    if (status == STORE_OK && range.low <= range.high) {
        status = page_narrow(txn, open->query, page->chat_number, &range);
    }
    if (status == STORE_OK) {
        page_place(page, open->query, &range);
        if (page->count > 0) {
            status = page_fill(txn, &seek, page);
            txn->goes_on = page->batch_count < page->count;
        }
    }
    seek_close(&seek);
    return status;
}

enum store_status store_page_open(struct store *store, const struct chat_ref *chat, const struct page_query *query,
                                  struct store_page *ret, struct store_ticket *ret_ticket)
{
    assert(chat_ref_fits(chat) && query->limit > 0);
    *ret = (struct store_page){.order = query->order, .window = STORE_BATCH_MESSAGES};
    buffer_init(&ret->batch, STORE_BATCH_BYTES_MAX);
    struct page_open open = {chat, query, ret};
    return txn_read_early(store->env, page_open_body, &open, ret_ticket);
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
    for (uint64_t i = 0; i < page->batch_count && !*ret_stopped; i++) {
        uint64_t item = page->order == STORE_NEWEST_FIRST ? page->batch_count - 1 - i : i;
        struct record_message stored;
        /* A marker is the only record of its chat. */
        if (!record_message_decode(page->items[item], &stored) || (stored.flags & RECORD_FLAG_HIDDEN) != 0) {
            return store_damaged("messages");
        }
        struct message message = {
            .id = stored.id, .author = stored.author, .text = stored.text, .sent_at_ns = stored.sent_at_ns};
        *ret_stopped = !each(context, &message);
        page->done++;
    }
    return STORE_OK;
}

enum store_status store_page_read(struct store *store, struct store_page *page, store_message_fn *each, void *context)
{
    bool stopped = false;
    while (page->done < page->count && !stopped) {
        enum store_status status = STORE_OK;
        if (page->done != page->batch_first || page->batch_count == 0) {
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
