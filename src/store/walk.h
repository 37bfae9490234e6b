/*
 * walk: a tree from end to end, in batches, a short hold each; what is written meanwhile may or may not be seen.
 */
#ifndef CHATS_STORE_WALK_H
#define CHATS_STORE_WALK_H

#include "store/internal.h"

#define WALK_BATCH_RECORDS 128u /* a hold of well under a millisecond */

struct walk {
    enum tree tree;
    void *context;
    /* Inside, for each entry; primary_key is empty unless the tree is a secondary. Anything but STORE_OK ends the walk.
     */
    enum store_status (*visit)(void *context, struct txn *txn, struct text key, struct text primary_key,
                               struct text record);
    /* Outside, after each batch; may be NULL. */
    enum store_status (*after_batch)(void *context);
};

/* Runs it. The status of what ended it, STORE_OK at the tree's end. */
enum store_status walk_run(struct store *store, const struct walk *walk) __attribute__((warn_unused_result));

#endif
