/*
 * fakestore: a store that answers what a test told it to, in place of src/store, so that what stands above can be
 * tested alone. A program that includes this defines every function of store.h that operations call.
 */
#ifndef CHATS_TESTS_FAKESTORE_H
#define CHATS_TESTS_FAKESTORE_H

#include <string.h>

#include "store/store.h"

#define FAKE_TIME_NS 1000000002u /* 1970-01-01T00:00:01.000000002Z */

/* What it is told, and what it saw. */
struct store {
    enum store_status status; /* of every call but store_page_read */
    uint64_t messages;        /* in the page */
    size_t text_bytes;        /* of each */
    uint64_t fail_at;         /* store_page_read fails at this message, if it is below `messages` */
    unsigned fail_reading;    /* in this reading of the page, counted from 1; 0: never */
    size_t text_bytes_later;  /* of each message from the second reading on, if not 0 */
    unsigned calls;
    unsigned readings;
    char namespace[256];
    char member[256];
    struct page_query query;
};

static void fake_see(struct store *store, struct text namespace, struct text member)
{
    store->calls++;
    memset(store->namespace, 0, sizeof(store->namespace));
    memset(store->member, 0, sizeof(store->member));
    memcpy(store->namespace, namespace.data, namespace.bytes);
    if (member.bytes > 0) {
        memcpy(store->member, member.data, member.bytes);
    }
}

enum store_status store_ping(struct store *store)
{
    store->calls++;
    return store->status;
}

enum store_status store_chat_create(struct store *store, struct text namespace, const struct chat *draft,
                                    struct arena *arena, struct chat *ret)
{
    (void)arena;
    fake_see(store, namespace, (struct text){NULL, 0});
    if (store->status == STORE_OK || store->status == STORE_EXISTS) {
        *ret = *draft;
        ret->created_at_ns = FAKE_TIME_NS;
    }
    return store->status;
}

enum store_status store_message_append(struct store *store, const struct chat_ref *chat, const struct message *draft,
                                       struct arena *arena, struct message *ret)
{
    (void)arena;
    fake_see(store, chat->namespace, chat->member);
    if (store->status == STORE_OK || store->status == STORE_EXISTS) {
        *ret = *draft;
        ret->sent_at_ns = FAKE_TIME_NS;
    }
    return store->status;
}

enum store_status store_page_open(struct store *store, const struct chat_ref *chat, const struct page_query *query,
                                  struct store_page *ret)
{
    fake_see(store, chat->namespace, chat->member);
    store->query = *query;
    *ret = (struct store_page){.count = store->messages};
    buffer_init(&ret->batch, 1000);
    buffer_append_z(&ret->batch, "to be cleared");
    return store->status;
}

enum store_status store_page_read(struct store *store, struct store_page *page, store_message_fn *each, void *context)
{
    static char text[70000];
    size_t text_bytes = store->text_bytes;
    store->readings++;
    if (store->readings > 1 && store->text_bytes_later > 0) {
        text_bytes = store->text_bytes_later;
    }
    memset(text, 'x', sizeof(text));
    for (; page->done < page->count; page->done++) {
        struct message m = {TEXT_LITERAL("m"), TEXT_LITERAL("a"), {text, text_bytes}, FAKE_TIME_NS};
        if (store->readings == store->fail_reading && page->done == store->fail_at) {
            return STORE_UNAVAILABLE;
        }
        if (!each(context, &m)) {
            break;
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

#endif
