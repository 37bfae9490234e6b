#include "store/record.h"

#include <endian.h>
#include <string.h>

#define CHAT_NUMBER_AT 2u
#define CHAT_CREATED_AT 10u
#define CHAT_DIGEST_AT 18u
#define CHAT_COUNT_AT 50u
#define MESSAGE_SENT_AT 2u

void record_put_u64(void *ret, uint64_t value)
{
    uint64_t sorted = htobe64(value);
    memcpy(ret, &sorted, sizeof sorted);
}

uint64_t record_get_u64(const void *bytes)
{
    uint64_t sorted;
    memcpy(&sorted, bytes, sizeof sorted);
    return be64toh(sorted);
}

void record_put_u32(void *ret, uint32_t value)
{
    uint32_t sorted = htobe32(value);
    memcpy(ret, &sorted, sizeof sorted);
}

uint32_t record_get_u32(const void *bytes)
{
    uint32_t sorted;
    memcpy(&sorted, bytes, sizeof sorted);
    return be32toh(sorted);
}

size_t record_put_short(uint8_t *ret, struct text t)
{
    ret[0] = (uint8_t)t.bytes;
    memcpy(ret + 1, t.data, t.bytes);
    return 1 + t.bytes;
}

size_t record_key_name(struct text namespace, struct text id, uint8_t ret[RECORD_KEY_NAME_BYTES_MAX])
{
    size_t bytes = record_put_short(ret, namespace);
    memcpy(ret + bytes, id.data, id.bytes);
    return bytes + id.bytes;
}

size_t record_key_members(struct text namespace, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                          uint8_t ret[RECORD_KEY_MEMBERS_BYTES_MAX])
{
    size_t bytes = record_put_short(ret, namespace);
    memcpy(ret + bytes, digest, CRYPTO_DIGEST_BYTES);
    return bytes + CRYPTO_DIGEST_BYTES;
}

size_t record_key_pair(uint64_t chat_number, uint64_t sequence_or_time, uint8_t ret[RECORD_KEY_PAIR_BYTES])
{
    record_put_u64(ret, chat_number);
    record_put_u64(ret + 8, sequence_or_time);
    return RECORD_KEY_PAIR_BYTES;
}

size_t record_key_id(uint64_t chat_number, struct text id, uint8_t ret[RECORD_KEY_ID_BYTES_MAX])
{
    record_put_u64(ret, chat_number);
    memcpy(ret + 8, id.data, id.bytes);
    return 8 + id.bytes;
}

bool record_take_short(struct text *rest, struct text *ret)
{
    if (rest->bytes == 0) {
        return false;
    }
    size_t bytes = (uint8_t)rest->data[0];
    if (bytes == 0 || rest->bytes - 1 < bytes) {
        return false;
    }
    *ret = (struct text){rest->data + 1, bytes};
    rest->data += 1 + bytes;
    rest->bytes -= 1 + bytes;
    return true;
}

bool record_key_name_split(struct text key, struct text *ret_namespace, struct text *ret_id)
{
    if (!record_take_short(&key, ret_namespace) || key.bytes == 0 || key.bytes > TEXT_ID_BYTES_MAX) {
        return false;
    }
    *ret_id = key;
    return true;
}

static void record_append_short(struct buffer *ret, struct text t)
{
    uint8_t bytes = (uint8_t)t.bytes;
    buffer_append(ret, &bytes, 1);
    buffer_append_text(ret, t);
}

void record_chat_encode(struct buffer *ret, const struct text *members, size_t count,
                        const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    uint8_t head[RECORD_CHAT_HEAD_BYTES] = {RECORD_VERSION};
    memcpy(head + CHAT_DIGEST_AT, digest, CRYPTO_DIGEST_BYTES);
    head[CHAT_COUNT_AT] = (uint8_t)(count >> 8);
    head[CHAT_COUNT_AT + 1] = (uint8_t)count;
    buffer_append(ret, head, sizeof head);
    for (size_t i = 0; i < count; i++) {
        record_append_short(ret, members[i]);
    }
}

void record_chat_stamp(char *record, uint64_t number, uint64_t created_at_ns)
{
    record_put_u64(record + CHAT_NUMBER_AT, number);
    record_put_u64(record + CHAT_CREATED_AT, created_at_ns);
}

bool record_chat_decode(struct text record, struct record_chat *ret)
{
    if (record.bytes < RECORD_CHAT_HEAD_BYTES || (uint8_t)record.data[0] != RECORD_VERSION) {
        return false;
    }
    const uint8_t *bytes = (const uint8_t *)record.data;
    uint64_t number = record_get_u64(bytes + CHAT_NUMBER_AT);
    if (number > RECORD_CHAT_NUMBER_MAX) {
        return false;
    }
    *ret = (struct record_chat){
        .flags = bytes[1],
        .number = number,
        .created_at_ns = record_get_u64(bytes + CHAT_CREATED_AT),
        .digest = bytes + CHAT_DIGEST_AT,
        .members_count = (size_t)bytes[CHAT_COUNT_AT] << 8 | bytes[CHAT_COUNT_AT + 1],
        .members = {record.data + RECORD_CHAT_HEAD_BYTES, record.bytes - RECORD_CHAT_HEAD_BYTES},
    };
    return true;
}

bool record_chat_member(const struct record_chat *chat, size_t *at, struct text *ret)
{
    struct text rest = {chat->members.data + *at, chat->members.bytes - *at};
    if (!record_take_short(&rest, ret)) {
        return false;
    }
    *at = chat->members.bytes - rest.bytes;
    return true;
}

void record_message_encode(struct buffer *ret, struct text id, struct text author, struct text text)
{
    uint8_t head[RECORD_MESSAGE_HEAD_BYTES] = {RECORD_VERSION};
    buffer_append(ret, head, sizeof head);
    record_append_short(ret, id);
    record_append_short(ret, author);
    buffer_append_text(ret, text);
}

void record_message_stamp(char *record, uint64_t sent_at_ns)
{
    record_put_u64(record + MESSAGE_SENT_AT, sent_at_ns);
}

size_t record_marker_encode(uint64_t sent_at_ns, uint8_t ret[RECORD_MESSAGE_HEAD_BYTES])
{
    ret[0] = RECORD_VERSION;
    ret[1] = RECORD_FLAG_HIDDEN;
    record_put_u64(ret + MESSAGE_SENT_AT, sent_at_ns);
    return RECORD_MESSAGE_HEAD_BYTES;
}

bool record_message_head(struct text record, struct record_message *ret)
{
    if (record.bytes < RECORD_MESSAGE_HEAD_BYTES || (uint8_t)record.data[0] != RECORD_VERSION) {
        return false;
    }
    *ret = (struct record_message){
        .flags = (uint8_t)record.data[1],
        .sent_at_ns = record_get_u64(record.data + MESSAGE_SENT_AT),
    };
    return true;
}

bool record_message_decode(struct text record, struct record_message *ret)
{
    struct record_message message;
    if (!record_message_head(record, &message)) {
        return false;
    }
    struct text rest = {record.data + RECORD_MESSAGE_HEAD_BYTES, record.bytes - RECORD_MESSAGE_HEAD_BYTES};
    if ((message.flags & RECORD_FLAG_HIDDEN) == 0) {
        if (!record_take_short(&rest, &message.id) || !record_take_short(&rest, &message.author)) {
            return false;
        }
        message.text = rest;
    }
    *ret = message;
    return true;
}
