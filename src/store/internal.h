/*
 * internal: what the files of src/store share and nobody above them sees.
 */
#ifndef CHATS_STORE_INTERNAL_H
#define CHATS_STORE_INTERNAL_H

#include "bdb/txn.h"
#include "store/auth.h"
#include "store/record.h"
#include "store/store.h"
#include "store/trees.h"

struct store {
    struct env *env;
    uint64_t (*now_ns)(void); /* timestamp_now_ns; a test puts its own clock here */
};

/* As store_open; `restoring`: of a home that is being restored, whose first recovery reads every log file. */
enum store_status store_open_as(const struct config *config, bool restoring, struct store **ret,
                                char problem[CONFIG_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

/* What callers have checked already (store/store.h), as far as the sizes of our keys and records depend on it. */
static inline bool id_fits(struct text id)
{
    return id.bytes > 0 && id.bytes <= TEXT_ID_BYTES_MAX;
}

static inline bool chat_ref_fits(const struct chat_ref *ref)
{
    return id_fits(ref->namespace) && id_fits(ref->id) && ref->member.bytes <= TEXT_ID_BYTES_MAX;
}

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

/* The making of a chat: store_chat_create in three steps, for who makes several in one transaction. */
struct chat_create {
    struct store *store;
    struct text namespace;
    const struct chat *draft;
    bool imported; /* its time is the draft's, not now */
    struct arena *arena;
    struct chat *ret;
    /* chat_create_prepare's: */
    struct buffer record; /* the new chat's, but for number and time; to be cleared. May have failed */
    uint8_t digest[CRYPTO_DIGEST_BYTES];
};

/* Outside, with the first part set: encodes and digests. */
void chat_create_prepare(struct chat_create *create);

/* A body, args a struct chat_create: results as store_chat_create's. It changes nothing unless it is STORE_OK. */
enum store_status chat_create_body(struct txn *txn, void *args) __attribute__((warn_unused_result));

/*
 * In a body: looks for a message of this id. STORE_EXISTS: it is there with the same author and text. STORE_CONFLICT:
 * with others. STORE_NOT_FOUND: none. *ret_ns: when it was sent, on the first two.
 */
enum store_status message_find(struct txn *txn, uint64_t chat_number, const struct message *message, uint64_t *ret_ns)
    __attribute__((warn_unused_result));

/* In a body: the head of the chat's last record, a marker too (removal.h). *ret_sequence is 0 if the chat has none. */
enum store_status message_last(struct txn *txn, uint64_t chat_number, uint64_t *ret_sequence,
                               struct record_message *ret) __attribute__((warn_unused_result));

/*
 * In a body: puts a message's whole record behind the chat's last, which message_last gave. A marker was alone in its
 * chat and is removed: what it kept is kept by the new message.
 */
enum store_status message_put_next(struct txn *txn, uint64_t chat_number, uint64_t last_sequence,
                                   const struct record_message *last, struct text record)
    __attribute__((warn_unused_result));

/* In a body: the account's record. STORE_NOT_FOUND: there is none. What it holds is the library's memory. */
enum store_status account_read(struct txn *txn, struct text namespace, struct text id, struct record_account *ret)
    __attribute__((warn_unused_result));

/* In a body: puts the account's record. */
enum store_status account_write(struct txn *txn, struct text namespace, struct text id,
                                const struct record_account *account) __attribute__((warn_unused_result));

/*
 * In a body: removes the account's tokens, as many as fit into one transaction, and the account if they were all
 * (*ret_more: they were not). STORE_NOT_FOUND: there is no such account.
 */
enum store_status account_remove_some(struct txn *txn, struct text namespace, struct text id, bool *ret_more)
    __attribute__((warn_unused_result));

#define TOKENS_BATCH 256u /* tokens removed in one transaction: a hold of a few milliseconds */

/*
 * In a body: removes up to TOKENS_BATCH of the account's tokens, all of them or those of one family (NULL: all), but
 * never that of the digest `keep` (NULL: none). *ret_more: there may be others left. Every cached check of a token
 * ends.
 */
enum store_status tokens_remove_some(struct txn *txn, struct text namespace, struct text account, const uint8_t *family,
                                     const uint8_t *keep, bool *ret_more) __attribute__((warn_unused_result));

/* Removes a few outdated failure counts. */
enum store_status logins_sweep(struct store *store) __attribute__((warn_unused_result));

#endif
