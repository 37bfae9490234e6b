#include <string.h>

#include "store/record.h"

#define ACCOUNT_TYPE_AT 2u
#define ACCOUNT_CREATED_AT 3u
#define TOKEN_KIND_AT 2u
#define TOKEN_EXPIRY_AT 3u
#define TOKEN_FAMILY_AT 11u
#define TOKEN_NAMES_AT (TOKEN_FAMILY_AT + RECORD_FAMILY_BYTES)
#define LOGIN_TIMES_AT 2u

size_t record_key_account(struct text namespace, struct text account, const uint8_t *family,
                          uint8_t ret[RECORD_KEY_ACCOUNT_BYTES_MAX])
{
    size_t bytes = record_put_short(ret, namespace);
    bytes += record_put_short(ret + bytes, account);
    if (family != NULL) {
        memcpy(ret + bytes, family, RECORD_FAMILY_BYTES);
        bytes += RECORD_FAMILY_BYTES;
    }
    return bytes;
}

size_t record_account_encode(const struct record_account *account, uint8_t ret[RECORD_ACCOUNT_BYTES_MAX])
{
    ret[0] = RECORD_VERSION;
    ret[1] = account->flags;
    ret[ACCOUNT_TYPE_AT] = account->type;
    record_put_u64(ret + ACCOUNT_CREATED_AT, account->created_at_ns);
    if (account->hash.bytes > 0) {
        memcpy(ret + RECORD_ACCOUNT_HEAD_BYTES, account->hash.data, account->hash.bytes);
    }
    return RECORD_ACCOUNT_HEAD_BYTES + account->hash.bytes;
}

bool record_account_decode(struct text record, struct record_account *ret)
{
    const uint8_t *bytes = (const uint8_t *)record.data;
    if (record.bytes < RECORD_ACCOUNT_HEAD_BYTES || record.bytes >= RECORD_ACCOUNT_BYTES_MAX ||
        bytes[0] != RECORD_VERSION) {
        return false;
    }
    *ret = (struct record_account){
        .flags = bytes[1],
        .type = bytes[ACCOUNT_TYPE_AT],
        .created_at_ns = record_get_u64(bytes + ACCOUNT_CREATED_AT),
        .hash = {record.data + RECORD_ACCOUNT_HEAD_BYTES, record.bytes - RECORD_ACCOUNT_HEAD_BYTES},
    };
    return true;
}

size_t record_token_encode(const struct record_token *token, uint8_t ret[RECORD_TOKEN_BYTES_MAX])
{
    ret[0] = RECORD_VERSION;
    ret[1] = token->flags;
    ret[TOKEN_KIND_AT] = token->kind;
    record_put_u64(ret + TOKEN_EXPIRY_AT, token->expiry_ns);
    memcpy(ret + TOKEN_FAMILY_AT, token->family, RECORD_FAMILY_BYTES);
    size_t bytes = TOKEN_NAMES_AT + record_put_short(ret + TOKEN_NAMES_AT, token->namespace);
    memcpy(ret + bytes, token->account.data, token->account.bytes);
    return bytes + token->account.bytes;
}

bool record_token_decode(struct text record, struct record_token *ret)
{
    const uint8_t *bytes = (const uint8_t *)record.data;
    if (record.bytes < TOKEN_NAMES_AT || bytes[0] != RECORD_VERSION) {
        return false;
    }
    struct record_token token = {
        .flags = bytes[1],
        .kind = bytes[TOKEN_KIND_AT],
        .expiry_ns = record_get_u64(bytes + TOKEN_EXPIRY_AT),
        .family = bytes + TOKEN_FAMILY_AT,
    };
    struct text names = {record.data + TOKEN_NAMES_AT, record.bytes - TOKEN_NAMES_AT};
    if ((token.kind != RECORD_TOKEN_ACCESS && token.kind != RECORD_TOKEN_REFRESH) ||
        !record_key_name_split(names, &token.namespace, &token.account)) {
        return false;
    }
    *ret = token;
    return true;
}

void record_token_copy(const struct record_token *token, uint8_t ret_bytes[RECORD_TOKEN_BYTES_MAX],
                       struct record_token *ret)
{
    struct record_token copy = *token;
    const char *names = (const char *)ret_bytes + TOKEN_NAMES_AT;
    (void)record_token_encode(token, ret_bytes);
    copy.family = ret_bytes + TOKEN_FAMILY_AT;
    copy.namespace.data = names + 1;
    copy.account.data = copy.namespace.data + copy.namespace.bytes;
    *ret = copy;
}

size_t record_login_encode(const struct record_login *login, uint8_t ret[RECORD_LOGIN_BYTES_MAX])
{
    ret[0] = RECORD_VERSION;
    ret[1] = 0;
    for (size_t i = 0; i < login->count; i++) {
        record_put_u64(ret + LOGIN_TIMES_AT + 8 * i, login->times_ns[i]);
    }
    return LOGIN_TIMES_AT + 8 * login->count;
}

bool record_login_decode(struct text record, struct record_login *ret)
{
    if (record.bytes < LOGIN_TIMES_AT || (uint8_t)record.data[0] != RECORD_VERSION ||
        record.bytes > RECORD_LOGIN_BYTES_MAX || (record.bytes - LOGIN_TIMES_AT) % 8 != 0) {
        return false;
    }
    ret->count = (record.bytes - LOGIN_TIMES_AT) / 8;
    for (size_t i = 0; i < ret->count; i++) {
        ret->times_ns[i] = record_get_u64(record.data + LOGIN_TIMES_AT + 8 * i);
    }
    return true;
}
