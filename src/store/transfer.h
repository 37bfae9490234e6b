/*
 * transfer: chats and messages out of a home and into one, with their ids and times. Both are safe beside live workers:
 * short holds, flat memory, and nothing is given or acknowledged that is not on the disk. Files and their format are
 * src/ctl's.
 *
 * General results are as in store.h.
 */
#ifndef CHATS_STORE_TRANSFER_H
#define CHATS_STORE_TRANSFER_H

#include "store/store.h"

/*
 * What an export gives: each chat, by namespace and id, and behind each its messages, oldest first. Called outside the
 * gate; what they get lives until they return. False ends the export.
 */
struct store_export {
    /* last_sent_at_ns: 0, or the time of the last message of a chat whose messages have all been pruned. */
    bool (*chat)(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns);
    bool (*message)(void *context, struct text namespace, struct text chat_id, const struct message *message);
    void *context;
};

/*
 * All that was stored when it began and is not pruned before its turn comes: of each chat the messages up to some
 * moment after the beginning. STORE_OK also when a function said stop.
 */
enum store_status store_export(struct store *store, const struct store_export *export)
    __attribute__((warn_unused_result));

#define STORE_IMPORT_ROWS_MAX 64u     /* chats and messages stored in one transaction: a hold of about a millisecond */
#define STORE_IMPORT_BYTES_MAX 65536u /* of their texts and members, but for a single row; the caller sees to both */

/* The newest time that a message may have: in the last year of those that have a written form there is no next one. */
#define STORE_IMPORT_TIME_MAX UINT64_C(18429292799999999999) /* 2553-12-31T23:59:59.999999999Z */

struct import_row {
    bool is_message;
    struct text namespace;
    struct chat chat;         /* a chat: all of it, checked as store_chat_create demands. A message: only the id */
    uint64_t last_sent_at_ns; /* a chat: as in struct store_export */
    struct message message;   /* all of it, within the contract's limits */
};

enum import_refusal {
    IMPORT_TAKEN,         /* none: it was stored, or there already, the same */
    IMPORT_CHAT_CONFLICT, /* the id is another chat's */
    IMPORT_MEMBERS_EXIST, /* a chat of exactly these members exists under another id */
    IMPORT_NO_CHAT,       /* a message of a chat that does not exist */
    IMPORT_ID_CONFLICT,   /* the message's id is there with another author, text or time */
    IMPORT_NOT_LATER      /* the chat has a message (or a pruned one) of this time or later: importing only appends */
};

struct import_result {
    size_t taken;                /* rows up to here are on the disk, */
    size_t stored;               /* so many of them because of this call */
    enum import_refusal refusal; /* of row `taken`, by which nothing was changed; IMPORT_TAKEN if it is `count` */
};

/* Takes the rows in their order, in one transaction, up to the first that is refused. */
enum store_status store_import(struct store *store, const struct import_row *rows, size_t count,
                               struct import_result *ret) __attribute__((warn_unused_result));

#endif
