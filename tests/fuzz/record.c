/*
 * Fuzz target: stored bytes to records and keys (src/store/record.h).
 *
 * Input: a letter for the decoder, then the bytes. Whatever is decoded points into those bytes and keeps the limits of
 * our keys; encoded again it is the same bytes, where the format leaves no choice.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "store/record.h"

#define RECORD_BYTES_MAX (1u << 20)

static struct buffer again;

static bool is_within(struct text part, struct text whole)
{
    return part.bytes == 0 || (part.data >= whole.data && part.data + part.bytes <= whole.data + whole.bytes);
}

static bool is_short(struct text id)
{
    return id.bytes >= 1 && id.bytes <= TEXT_ID_BYTES_MAX;
}

static void check_same(struct text record, const void *bytes, size_t size)
{
    FUZZ_CHECK(text_equal(record, (struct text){bytes, size}));
}

static void chat(struct text record)
{
    struct record_chat chat;
    struct text members[1024];
    struct text member;
    size_t count = 0;
    size_t at = 0;
    if (!record_chat_decode(record, &chat)) {
        return;
    }
    FUZZ_CHECK(is_within(chat.members, record) && is_within((struct text){(const char *)chat.digest, 32}, record));
    while (record_chat_member(&chat, &at, &member)) {
        FUZZ_CHECK(is_within(member, chat.members) && is_short(member) && at <= chat.members.bytes);
        if (count < sizeof members / sizeof members[0]) {
            members[count] = member;
        }
        count++;
    }
    if (at == chat.members.bytes && count == chat.members_count && count <= sizeof members / sizeof members[0] &&
        chat.flags == 0) {
        record_chat_encode(&again, members, count, chat.digest);
        record_chat_stamp(again.data, chat.number, chat.created_at_ns);
        check_same(record, again.data, again.bytes);
    }
}

static void message(struct text record)
{
    struct record_message head;
    struct record_message message;
    bool has_head = record_message_head(record, &head);
    if (!record_message_decode(record, &message)) {
        return;
    }
    FUZZ_CHECK(has_head && head.flags == message.flags && head.sent_at_ns == message.sent_at_ns);
    if ((message.flags & RECORD_FLAG_HIDDEN) != 0) {
        FUZZ_CHECK(message.id.bytes == 0 && message.author.bytes == 0 && message.text.bytes == 0);
        return;
    }
    FUZZ_CHECK(is_short(message.id) && is_short(message.author));
    FUZZ_CHECK(is_within(message.id, record) && is_within(message.author, record) && is_within(message.text, record));
    record_message_encode(&again, message.id, message.author, message.text);
    record_message_stamp(again.data, message.sent_at_ns);
    again.data[1] = (char)message.flags;
    check_same(record, again.data, again.bytes);
}

static void account(struct text record)
{
    struct record_account account;
    uint8_t bytes[RECORD_ACCOUNT_BYTES_MAX];
    if (record_account_decode(record, &account)) {
        FUZZ_CHECK(is_within(account.hash, record) && account.hash.bytes < CRYPTO_PASSWORD_HASH_BYTES_MAX);
        check_same(record, bytes, record_account_encode(&account, bytes));
    }
}

static void token(struct text record)
{
    struct record_token token;
    struct record_token copy;
    uint8_t bytes[RECORD_TOKEN_BYTES_MAX];
    uint8_t key[RECORD_KEY_ACCOUNT_BYTES_MAX];
    if (!record_token_decode(record, &token)) {
        return;
    }
    FUZZ_CHECK(is_short(token.namespace) && is_short(token.account));
    FUZZ_CHECK(is_within(token.namespace, record) && is_within(token.account, record));
    check_same(record, bytes, record_token_encode(&token, bytes));
    FUZZ_CHECK(record_key_account(token.namespace, token.account, token.family, key) <= sizeof key);
    memset(bytes, 0, sizeof bytes);
    record_token_copy(&token, bytes, &copy);
    FUZZ_CHECK(text_equal(copy.namespace, token.namespace) && text_equal(copy.account, token.account));
    FUZZ_CHECK(memcmp(copy.family, token.family, RECORD_FAMILY_BYTES) == 0 && copy.expiry_ns == token.expiry_ns);
}

static void login(struct text record)
{
    struct record_login login;
    uint8_t bytes[RECORD_LOGIN_BYTES_MAX];
    if (record_login_decode(record, &login)) {
        FUZZ_CHECK(login.count <= RECORD_LOGIN_TIMES_MAX);
        size_t size = record_login_encode(&login, bytes);
        bytes[1] = (uint8_t)record.data[1]; /* flags without a meaning are not kept */
        check_same(record, bytes, size);
    }
}

static void name_key(struct text key)
{
    struct text namespace;
    struct text id;
    uint8_t bytes[RECORD_KEY_NAME_BYTES_MAX];
    if (record_key_name_split(key, &namespace, &id)) {
        FUZZ_CHECK(is_short(namespace) && is_short(id) && is_within(namespace, key) && is_within(id, key));
        check_same(key, bytes, record_key_name(namespace, id, bytes));
    }
}

static void shorts(struct text rest)
{
    uint8_t bytes[1 + TEXT_ID_BYTES_MAX];
    struct text item;
    struct text before = rest;
    while (record_take_short(&rest, &item)) {
        size_t used = before.bytes - rest.bytes;
        FUZZ_CHECK(is_short(item) && used == 1 + item.bytes && is_within(item, before) && is_within(rest, before));
        check_same((struct text){before.data, used}, bytes, record_put_short(bytes, item));
        before = rest;
    }
    FUZZ_CHECK(text_equal(rest, before));
}

static void numbers(struct text bytes)
{
    uint8_t room[8];
    if (bytes.bytes == 8) {
        record_put_u64(room, record_get_u64(bytes.data));
        check_same(bytes, room, 8);
    }
    if (bytes.bytes == 4) {
        record_put_u32(room, record_get_u32(bytes.data));
        check_same(bytes, room, 4);
    }
}

void fuzz_open(void)
{
    buffer_init(&again, RECORD_BYTES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const decoders[])(struct text) = {chat, message, account, token, login, name_key, shorts, numbers};
    struct fuzz_reader input = {data, size};
    uint8_t letter = fuzz_byte(&input);
    buffer_reset(&again);
    decoders[(uint8_t)(letter - 'A') % (sizeof decoders / sizeof decoders[0])](fuzz_rest(&input));
    return 0;
}
