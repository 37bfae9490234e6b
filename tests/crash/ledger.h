/*
 * ledger: what the storm's clients sent and what they were told, kept in the storm's own memory, outside the home.
 *
 * An id names its client and number, and a text is made from them: so any message that comes back can be checked to the
 * byte, and one that nobody sent is recognised. All functions may be called by any thread, but for the final ones.
 * A function that returns a sentence found a broken promise (NULL: none); the sentence is in the caller's buffer.
 */
#ifndef CHATS_TESTS_LEDGER_H
#define CHATS_TESTS_LEDGER_H

#include <stdint.h>

#include "base/buffer.h"

#define LEDGER_CHATS_MAX 64u
#define LEDGER_CLIENTS_MAX 96u
#define LEDGER_PAIRS_MAX 4096u
#define LEDGER_ID_BYTES 48
#define LEDGER_TEXT_BYTES_MAX 20000ul
#define LEDGER_SENTENCE_BYTES 512

struct ledger;

/* One message that a client means to send. */
struct ledger_send {
    unsigned client;
    unsigned number;
    unsigned chat;
};

struct ledger *ledger_new(uint64_t seed, unsigned chats, unsigned clients) __attribute__((warn_unused_result));
void ledger_free(struct ledger *l);

/* The client will send a message to this chat. number < 0x400000; false: too many, or out of memory. */
bool ledger_begin(struct ledger *l, unsigned client, unsigned chat, struct ledger_send *ret)
    __attribute__((warn_unused_result));

/* An earlier acknowledged send of the client's; false if there is none at this number. */
bool ledger_acknowledged(struct ledger *l, unsigned client, unsigned number, struct ledger_send *ret)
    __attribute__((warn_unused_result));

/* The request body of SendMessage, appended to b. */
void ledger_request(struct ledger *l, const struct ledger_send *s, struct buffer *b);

/* The answer 200 that the client got for it. */
const char *ledger_answer(struct ledger *l, const struct ledger_send *s, struct text body,
                          char sentence[LEDGER_SENTENCE_BYTES]);

/*
 * Messages sent before this time may be gone from now on; never set back. An id that may be gone must not be sent
 * again: it would be a new message.
 */
void ledger_prune(struct ledger *l, uint64_t before_ns);

/*
 * The newest time that was acknowledged to this client in the chat, "" if none or it may be gone; no client's own
 * thread but its.
 */
void ledger_newest(struct ledger *l, unsigned client, unsigned chat, char ret_time[32]);

/*
 * The answer 200 to ListMessages of the chat: every message was sent, is what was sent, and the times are strictly in
 * order. *ret_count: messages in it. ret_first, ret_last: the times of the first and the last, if there are any.
 * `final`: each message is also marked as found.
 */
struct ledger_page {
    unsigned count;
    char first[32];
    char last[32];
};
const char *ledger_page(struct ledger *l, unsigned chat, bool ascending, bool final, struct text body,
                        struct ledger_page *ret, char sentence[LEDGER_SENTENCE_BYTES]);

/* The answer 200 to CreateChat of this pair: the same bytes as the first one. */
const char *ledger_pair_answer(struct ledger *l, unsigned pair, struct text body, char sentence[LEDGER_SENTENCE_BYTES]);

/* True if the pair's chat was acknowledged. */
bool ledger_pair_known(struct ledger *l, unsigned pair);

/* Names of chats, as ids. */
void ledger_chat_id(const struct ledger *l, unsigned chat, char ret[LEDGER_ID_BYTES]);

/*
 * Begins a reading of all chats with `final`, each from its beginning: what was acknowledged or shown by now, and may
 * not be gone, has to be found. Clients may go on meanwhile; one reading at a time.
 */
void ledger_read(struct ledger *l);

struct ledger_totals {
    uint64_t sent;         /* messages that somebody tried to send */
    uint64_t acknowledged; /* of these */
    uint64_t shown;        /* seen in a list */
    uint64_t due;          /* had to be found by this reading */
    uint64_t found;        /* by this reading */
    uint64_t lost;         /* of those due */
    uint64_t doubled;      /* found more than once */
    uint64_t disordered;   /* a message sent after another was acknowledged, and stored before it */
};

/* When the reading is done. */
struct ledger_totals ledger_total(struct ledger *l, char sentence[LEDGER_SENTENCE_BYTES]);

#endif
