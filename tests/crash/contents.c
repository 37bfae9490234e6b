#include "contents.h"

#include <string.h>

#define PAGE_MESSAGES 1000u

void contents_text(struct text id, size_t bytes, char *ret)
{
    for (size_t i = 0; i < bytes; i++) {
        size_t at = i % (id.bytes + 1);
        ret[i] = at < id.bytes ? id.data[at] : '.';
    }
}

bool contents_text_is_right(struct text id, struct text text)
{
    for (size_t i = 0; i < text.bytes; i++) {
        size_t at = i % (id.bytes + 1);
        if (text.data[i] != (at < id.bytes ? id.data[at] : '.')) {
            return false;
        }
    }
    return true;
}

enum store_status contents_read(struct store *store, struct text chat, store_message_fn *each, void *context)
{
    const struct chat_ref ref = {.namespace = TEXT_LITERAL(CONTENTS_NAMESPACE), .id = chat};
    struct page_query query = {.order = STORE_OLDEST_FIRST, .limit = PAGE_MESSAGES};
    enum store_status status = STORE_OK;
    uint64_t count = PAGE_MESSAGES;
    while (status == STORE_OK && count == PAGE_MESSAGES) {
        struct store_page page = {0};
        status = store_page_open(store, &ref, &query, &page, NULL);
        count = page.count;
        if (status == STORE_OK) {
            status = store_page_read(store, &page, each, context);
        }
        store_page_clear(&page);
        query.offset += count;
    }
    return status;
}
