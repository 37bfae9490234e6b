/*
 * internal: what the files of src/store share and nobody above them sees.
 */
#ifndef CHATS_STORE_INTERNAL_H
#define CHATS_STORE_INTERNAL_H

#include "bdb/txn.h"
#include "store/record.h"
#include "store/store.h"
#include "store/trees.h"

struct store {
    struct env *env;
    uint64_t (*now_ns)(void); /* timestamp_now_ns; a test puts its own clock here */
};

/* A DBT over bytes that the library only reads. */
DBT store_dbt(const void *bytes, size_t size);

/* The bytes a DBT gives: the library's memory, until its next call. */
struct text store_dbt_text(const DBT *dbt);

/* Damaged bytes in a tree: logs which and returns STORE_CORRUPT. */
enum store_status store_damaged(const char *tree);

/*
 * In a body: the number of the chat that ref names. STORE_NOT_FOUND: there is none, or ref->member is not in it.
 */
enum store_status chat_find(struct txn *txn, const struct chat_ref *ref, uint64_t *ret_number)
    __attribute__((warn_unused_result));

#endif
