/*
 * namespaces: the list of them, in pages of any size, for its test.
 */
#ifndef CHATS_STORE_NAMESPACES_H
#define CHATS_STORE_NAMESPACES_H

#include "store/admin.h"

/* As store_namespace_list, with so many namespaces at a time; between them the trees are read from the beginning. */
enum store_status namespaces_list(struct store *store, size_t page_size, store_namespace_fn *each, void *context)
    __attribute__((warn_unused_result));

#endif
