/*
 * check: what the files of the check share. check.c has pages, chats and messages, check_auth.c accounts and tokens.
 */
#ifndef CHATS_STORE_CHECK_H
#define CHATS_STORE_CHECK_H

#include "store/admin.h"
#include "store/walk.h"

struct check {
    struct store_check *report;
    enum store_status (*visit)(void *context, struct txn *txn, struct text key, struct text primary_key,
                               struct text record); /* of the walk that runs */
    uint64_t pages_total;
    uint64_t entries;       /* of all trees, looked at so far */
    uint64_t entries_total; /* as the pages say */
    /* The messages walk: */
    uint64_t chat_number; /* of the message visited last */
    uint64_t sequence;
    uint64_t sent_at_ns;
    bool hidden;
    struct buffer message_chats; /* uint64_t: each chat number that messages name, rising */
    /* The chats walk: */
    struct buffer chat_numbers; /* uint64_t: each chat's */
    struct buffer chats;        /* a batch of records, each behind its length in a uint32_t */
};

/* Counts a problem and hands it on. */
void check_say(struct check *check, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Inside: says so unless `tree` leads from this key to this primary key. The key's bytes must be the caller's, not the
 * library's, whose next call this is.
 */
enum store_status check_index(struct check *check, struct txn *txn, enum tree tree, const void *key_bytes,
                              size_t key_size, struct text primary_key, const char *what)
    __attribute__((warn_unused_result));

/* For walks: each record decodes, stands in its indexes, and each index entry leads to the record it was made from. */
enum store_status check_visit_account(void *context, struct txn *txn, struct text key, struct text primary_key,
                                      struct text record);
enum store_status check_visit_token(void *context, struct txn *txn, struct text key, struct text primary_key,
                                    struct text record);
enum store_status check_visit_token_account(void *context, struct txn *txn, struct text key, struct text primary_key,
                                            struct text record);
enum store_status check_visit_token_expiry(void *context, struct txn *txn, struct text key, struct text primary_key,
                                           struct text record);
enum store_status check_visit_login(void *context, struct txn *txn, struct text key, struct text primary_key,
                                    struct text record);

#endif
