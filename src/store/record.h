/*
 * record: keys and records to bytes and back. Numbers are big-endian, so that bytes sort as numbers do; every record
 * begins with its format version and a byte of flags. Lengths of ids fit a byte: they are 1 to 255 bytes.
 *
 *   chats key           ns length (1), ns, chat id
 *   chats record        version (1), flags (1), chat number (8), created_at ns (8), digest of the members (32),
 *                       members (2), then each member: length (1), bytes
 *   by members key      ns length (1), ns, digest (32)
 *   messages key        chat number (8), sequence (8), the first of a chat is 1
 *   messages record     version (1), flags (1), sent_at ns (8), id length (1), id, author length (1), author, text
 *   by time key         chat number (8), sent_at ns (8)
 *   by id key           chat number (8), message id
 *   accounts key        ns length (1), ns, account id
 *   accounts record     version (1), flags (1), type (1), created_at ns (8), password hash (0 to 127)
 *   tokens key          digest of the token (32)
 *   tokens record       version (1), flags (1), kind (1), expiry ns (8), family (16), ns length (1), ns, account
 *   by account key      ns length (1), ns, account length (1), account, family (16)
 *   by expiry key       expiry ns (8)
 *   logins key          digest (32) of: address; or address, ns, account
 *   logins record       version (1), flags (1), then each failure that counts, oldest first: time ns (8)
 *   meta                "format" -> version (4); "next_chat" -> number (8)
 *
 * This file knows bytes only. Decoders give views into the bytes they were given.
 */
#ifndef CHATS_STORE_RECORD_H
#define CHATS_STORE_RECORD_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/crypto.h"
#include "base/text.h"

#define RECORD_VERSION 1u
#define RECORD_FLAG_HIDDEN                                                                                             \
    1u /* a pruned chat's last record: keeps order and numbering, is in no index, never shown                          \
        */

#define RECORD_KEY_NAME_BYTES_MAX (1u + 2u * TEXT_ID_BYTES_MAX)
#define RECORD_KEY_MEMBERS_BYTES_MAX (1u + TEXT_ID_BYTES_MAX + CRYPTO_DIGEST_BYTES)
#define RECORD_KEY_PAIR_BYTES 16u
#define RECORD_KEY_ID_BYTES_MAX (8u + TEXT_ID_BYTES_MAX)
#define RECORD_FAMILY_BYTES 16u
#define RECORD_KEY_ACCOUNT_BYTES_MAX (2u * (1u + TEXT_ID_BYTES_MAX) + RECORD_FAMILY_BYTES)
#define RECORD_KEY_EXPIRY_BYTES 8u
#define RECORD_ACCOUNT_HEAD_BYTES 11u /* up to the hash */
#define RECORD_ACCOUNT_BYTES_MAX (RECORD_ACCOUNT_HEAD_BYTES + CRYPTO_PASSWORD_HASH_BYTES_MAX)
#define RECORD_TOKEN_BYTES_MAX (11u + RECORD_FAMILY_BYTES + 1u + 2u * TEXT_ID_BYTES_MAX)
#define RECORD_LOGIN_TIMES_MAX 100u
#define RECORD_LOGIN_BYTES_MAX (2u + 8u * RECORD_LOGIN_TIMES_MAX)
#define RECORD_FLAG_USED 1u        /* a refresh token that was used: kept until it expires, to notice a second use */
#define RECORD_CHAT_HEAD_BYTES 52u /* up to the first member */
#define RECORD_CHAT_NUMBER_MAX (UINT64_MAX - 1) /* there is a key above all of a chat's */
#define RECORD_MESSAGE_HEAD_BYTES 10u           /* up to the id's length */

/* Big-endian numbers. */
void record_put_u64(void *ret, uint64_t value);
uint64_t record_get_u64(const void *bytes);
void record_put_u32(void *ret, uint32_t value);
uint32_t record_get_u32(const void *bytes);

/* Keys: each writes to ret and returns the bytes written. Ids must keep TEXT_ID_BYTES_MAX. */
size_t record_key_name(struct text namespace, struct text id, uint8_t ret[RECORD_KEY_NAME_BYTES_MAX]);
size_t record_key_members(struct text namespace, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                          uint8_t ret[RECORD_KEY_MEMBERS_BYTES_MAX]);
size_t record_key_pair(uint64_t chat_number, uint64_t sequence_or_time, uint8_t ret[RECORD_KEY_PAIR_BYTES]);
size_t record_key_id(uint64_t chat_number, struct text id, uint8_t ret[RECORD_KEY_ID_BYTES_MAX]);

/* Ids within a record or key: a length byte and as many bytes. `put` returns the bytes written; `take` takes them off
 * the front of *rest, false if they are not there. */
size_t record_put_short(uint8_t *ret, struct text t);
bool record_take_short(struct text *rest, struct text *ret) __attribute__((warn_unused_result));

/* The namespace of a chats or accounts key and the id in it. False: not such a key. */
bool record_key_name_split(struct text key, struct text *ret_namespace, struct text *ret_id)
    __attribute__((warn_unused_result));

struct record_chat {
    uint8_t flags;
    uint64_t number;
    uint64_t created_at_ns;
    const uint8_t *digest; /* CRYPTO_DIGEST_BYTES */
    size_t members_count;
    struct text members; /* encoded: equal sets are equal bytes */
};

/* Appends a whole record; the number and the time can be set later by record_chat_stamp. */
void record_chat_encode(struct buffer *ret, const struct text *members, size_t count,
                        const uint8_t digest[CRYPTO_DIGEST_BYTES]);
void record_chat_stamp(char *record, uint64_t number, uint64_t created_at_ns);

/*
 * False: damaged, or of an unknown version. A record cut after RECORD_CHAT_HEAD_BYTES decodes too, without members.
 * The number is at most RECORD_CHAT_NUMBER_MAX.
 */
bool record_chat_decode(struct text record, struct record_chat *ret) __attribute__((warn_unused_result));

/* The next member; *at is 0 at first. False: there is none, or the bytes are damaged. */
bool record_chat_member(const struct record_chat *chat, size_t *at, struct text *ret)
    __attribute__((warn_unused_result));

struct record_message {
    uint8_t flags;
    uint64_t sent_at_ns;
    struct text id;
    struct text author;
    struct text text;
};

/* Appends a whole record; the time can be set later by record_message_stamp. */
void record_message_encode(struct buffer *ret, struct text id, struct text author, struct text text);
void record_message_stamp(char *record, uint64_t sent_at_ns);

/* The whole record of a marker (removal.h); returns its bytes. */
size_t record_marker_encode(uint64_t sent_at_ns, uint8_t ret[RECORD_MESSAGE_HEAD_BYTES]);

/* False: damaged, or of an unknown version. A marker has no ids and no text. */
bool record_message_decode(struct text record, struct record_message *ret) __attribute__((warn_unused_result));

/* Version, flags and time of a record of which at least RECORD_MESSAGE_HEAD_BYTES are given; ids are left empty. */
bool record_message_head(struct text record, struct record_message *ret) __attribute__((warn_unused_result));

/* What follows is in record_auth.c. */

/*
 * The key of tokens_by_account. family NULL: without it, the prefix of all of the account's keys, which no other
 * account's key begins with.
 */
size_t record_key_account(struct text namespace, struct text account, const uint8_t *family,
                          uint8_t ret[RECORD_KEY_ACCOUNT_BYTES_MAX]);

struct record_account {
    uint8_t flags;
    uint8_t type; /* enum account_type of store/auth.h */
    uint64_t created_at_ns;
    struct text hash;
};

/* Writes a record and returns its bytes. The hash is at most 127 bytes. */
size_t record_account_encode(const struct record_account *account, uint8_t ret[RECORD_ACCOUNT_BYTES_MAX]);

/* False: damaged, or of an unknown version. */
bool record_account_decode(struct text record, struct record_account *ret) __attribute__((warn_unused_result));

enum record_token_kind { RECORD_TOKEN_ACCESS = 1, RECORD_TOKEN_REFRESH = 2 };

struct record_token {
    uint8_t flags;
    uint8_t kind;
    uint64_t expiry_ns;
    const uint8_t *family; /* RECORD_FAMILY_BYTES */
    struct text namespace;
    struct text account;
};

size_t record_token_encode(const struct record_token *token, uint8_t ret[RECORD_TOKEN_BYTES_MAX]);
bool record_token_decode(struct text record, struct record_token *ret) __attribute__((warn_unused_result));

/* The same token, its views into ret_bytes: for one whose bytes are the library's, until its next call. */
void record_token_copy(const struct record_token *token, uint8_t ret_bytes[RECORD_TOKEN_BYTES_MAX],
                       struct record_token *ret);

struct record_login {
    size_t count;
    uint64_t times_ns[RECORD_LOGIN_TIMES_MAX]; /* oldest first */
};

size_t record_login_encode(const struct record_login *login, uint8_t ret[RECORD_LOGIN_BYTES_MAX]);
bool record_login_decode(struct text record, struct record_login *ret) __attribute__((warn_unused_result));

#endif
