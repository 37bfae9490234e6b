/*
 * store: all that an operation may ask of storage. No type of Berkeley DB appears here; JSON and HTTP are unknown
 * below.
 *
 * Every call is one transaction inside the gate (src/bdb/gate.h), or for a long page several reads. A result of
 * STORE_OK or STORE_EXISTS means that what was written or shown is on the disk: it survives a power cut. The calls that
 * have a ret_ticket return before that is so, whatever they return: nobody may be told of the result before store_wait
 * has said STORE_OK about the ticket, which is zeroed by the caller and stays so where the home was not even looked at.
 * With NULL in its place they wait like all others.
 *
 * Any call may also return STORE_FULL, STORE_UNAVAILABLE, STORE_CORRUPT or STORE_NO_MEMORY (base/status.h); the outputs
 * are untouched then. Ids and texts must keep the contract's limits already: callers check, the store asserts their
 * lengths.
 * A struct store may be used by any number of threads at once.
 */
#ifndef CHATS_STORE_STORE_H
#define CHATS_STORE_STORE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/config.h"
#include "base/figures.h"
#include "base/status.h"
#include "base/text.h"

#define STORE_MEMBERS_MIN 2u
#define STORE_MEMBERS_MAX 1000u
#define STORE_TEXT_BYTES_MAX 65536u
#define STORE_BATCH_BYTES_MAX 262144u /* how much of a page is read in one hold of the gate */

struct store;

/*
 * Opens the home that config names, which must stay as it is while the store is open. The environment itself is joined
 * at the first call. STORE_UNAVAILABLE with one sentence in `problem` if the home is not one, not ours, or older
 * workers still use it. On success *ret is the caller's, for store_close.
 */
enum store_status store_open(const struct config *config, struct store **ret, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/*
 * The process has one call to serve: it leaves the environment in that call's last hold, not in one more (env.h).
 * Before the first call.
 */
void store_serve_one_call(struct store *store);

/* Leaves cleanly and frees. No other thread may be in a call. NULL is allowed. */
void store_close(struct store *store);

/*
 * Waits until what the ticket stands for is on the disk. STORE_UNAVAILABLE: it is not, or not known to be, and never
 * will be known. Any number of threads may wait for any tickets.
 */
enum store_status store_wait(struct store *store, const struct store_ticket *ticket)
    __attribute__((warn_unused_result));

/* True if store_wait would not wait for the disk. */
bool store_is_settled(struct store *store, const struct store_ticket *ticket) __attribute__((warn_unused_result));

/* Asks the store for one record: STORE_OK if it answers. */
enum store_status store_ping(struct store *store) __attribute__((warn_unused_result));

/* Checkpoints and removes old log files if that is due. Call it when an answer has been sent, never before. */
void store_housekeeping(struct store *store);

/* True once this process has abandoned handles of a dead generation: it should drain and execute itself anew. */
bool store_wants_renewal(struct store *store);

/* What all processes of the home count together. Lives as long as the store; anybody may count. */
struct figures *store_figures(struct store *store) __attribute__((returns_nonnull));

/* How a home is, seen from outside the gate. */
struct store_state {
    bool out_of_service; /* a page or the log is damaged */
    bool full;           /* there is no room left, writes are refused */
    uint64_t tree_bytes; /* size of the trees' files */
    uint64_t log_bytes;  /* size of the log files that are kept */
    uint64_t recoveries; /* this and all below: since the gate page was set up, in general since boot */
    uint64_t longest_recovery_ns;
    uint64_t checkpoints;
};

/* Takes no gate and calls no library: it answers while a recovery runs, and out of service. STORE_UNAVAILABLE: the
 * home's folder cannot be read. */
enum store_status store_state_read(struct store *store, struct store_state *ret) __attribute__((warn_unused_result));

/* Which chat, and for whom. Borrowed for the call. */
struct chat_ref {
    struct text namespace;
    struct text id;
    struct text member; /* a chat without this member is STORE_NOT_FOUND; empty: any chat (a service) */
};

struct chat {
    struct text id;
    uint64_t created_at_ns;
    struct text *members; /* sorted by bytes, distinct */
    size_t members_count;
};

/*
 * The chat of exactly these members in the namespace, made under draft->id if there is none.
 * In: draft->id, members (sorted by bytes, distinct, STORE_MEMBERS_MIN to STORE_MEMBERS_MAX).
 * STORE_OK: made. STORE_EXISTS: it was there, perhaps under another id. STORE_CONFLICT: draft->id is another chat's.
 * *ret: filled on STORE_OK and STORE_EXISTS; its memory is the arena's or draft's.
 */
enum store_status store_chat_create(struct store *store, struct text namespace, const struct chat *draft,
                                    struct arena *arena, struct chat *ret, struct store_ticket *ret_ticket)
    __attribute__((warn_unused_result));

struct message {
    struct text id;
    struct text author;
    struct text text;
    uint64_t sent_at_ns;
    bool id_is_new; /* of a draft: crypto_uuid has just made its id, so that no other message can have it */
};

/*
 * Appends draft (its sent_at_ns is ignored) to the chat: sent_at is max(now, last + 1 ns).
 * STORE_OK: stored. STORE_EXISTS: the id was there with the same author and text. STORE_CONFLICT: with others.
 * STORE_NOT_FOUND: no such chat for this caller. *ret: filled on STORE_OK and STORE_EXISTS; its texts are draft's.
 */
enum store_status store_message_append(struct store *store, const struct chat_ref *chat, const struct message *draft,
                                       struct message *ret, struct store_ticket *ret_ticket)
    __attribute__((warn_unused_result));

enum store_order { STORE_NEWEST_FIRST, STORE_OLDEST_FIRST };

struct page_query {
    enum store_order order;
    uint64_t offset; /* messages to skip at the end that order starts at */
    uint64_t limit;  /* 1 or more */
    bool has_before; /* only messages with sent_at_ns < before_ns */
    bool has_after;  /* only messages with sent_at_ns > after_ns */
    uint64_t before_ns;
    uint64_t after_ns;
};

#define STORE_BATCH_MESSAGES 64u /* how many messages of a page are read in one hold of the gate, at most */

/*
 * A page that is read batch by batch: which messages it holds is fixed at store_page_open (later ones do not shift it),
 * and reading it again from the start gives the same bytes. Its fields are the store's own, but for `count`.
 */
struct store_page {
    uint64_t count; /* messages in the page */
    uint64_t chat_number;
    enum store_order order;
    uint64_t first;       /* sequence number of the page's first message */
    uint64_t done;        /* messages given out so far */
    uint64_t window;      /* messages to ask for in one hold; fewer where they are long */
    struct buffer batch;  /* records as the library gave them; store_page_open reads the first batch */
    uint64_t batch_first; /* index in the page of the batch's first message */
    uint64_t batch_count; /* messages in the batch */
    struct text items[STORE_BATCH_MESSAGES]; /* their records, within batch, by sequence number */
};

/*
 * Called for each message in order, inside no hold; m's memory lives until it returns. False stops the reading.
 */
typedef bool store_message_fn(void *context, const struct message *m);

/*
 * Fixes the page and reads its first batch in the same hold. STORE_NOT_FOUND: no such chat for this caller. An empty
 * page is STORE_OK with count 0. Whatever is returned, *ret is to be cleared.
 */
enum store_status store_page_open(struct store *store, const struct chat_ref *chat, const struct page_query *query,
                                  struct store_page *ret, struct store_ticket *ret_ticket)
    __attribute__((warn_unused_result));

/*
 * Gives the rest of the page to `each`, reading a batch of at most STORE_BATCH_BYTES_MAX and STORE_BATCH_MESSAGES in a
 * hold, and waiting for the disk after each that was not read by store_page_open. STORE_OK: all were given, or `each`
 * said stop.
 */
enum store_status store_page_read(struct store *store, struct store_page *page, store_message_fn *each, void *context)
    __attribute__((warn_unused_result));

/* The next store_page_read starts at the page's beginning again. */
void store_page_rewind(struct store_page *page);

/* Frees what the page holds. */
void store_page_clear(struct store_page *page);

#endif
