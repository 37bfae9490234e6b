#include <string.h>

#include "store/check.h"

enum store_status check_visit_account(void *context, struct txn *txn, struct text key, struct text primary_key,
                                      struct text record)
{
    (void)txn;
    (void)primary_key;
    struct check *check = context;
    struct record_account account;
    struct text namespace;
    struct text id;
    if (!record_key_name_split(key, &namespace, &id) || !record_account_decode(record, &account) ||
        account.type > ACCOUNT_SERVICE) {
        check_say(check, "a record in the tree 'accounts' is damaged");
    } else {
        check->report->accounts++;
    }
    return STORE_OK;
}

enum store_status check_visit_token(void *context, struct txn *txn, struct text key, struct text primary_key,
                                    struct text record)
{
    (void)primary_key;
    struct check *check = context;
    struct record_token token;
    struct record_account account;
    if (key.bytes != CRYPTO_DIGEST_BYTES || !record_token_decode(record, &token)) {
        check_say(check, "a record in the tree 'tokens' is damaged");
        return STORE_OK;
    }
    check->report->tokens++;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    uint8_t copy[RECORD_TOKEN_BYTES_MAX];
    uint8_t by_account[RECORD_KEY_ACCOUNT_BYTES_MAX];
    uint8_t by_expiry[RECORD_KEY_EXPIRY_BYTES];
    struct text own_key = {(const char *)digest, sizeof digest};
    memcpy(digest, key.data, sizeof digest);
    record_token_copy(&token, copy, &token);
    size_t by_account_bytes = record_key_account(token.namespace, token.account, token.family, by_account);
    record_put_u64(by_expiry, token.expiry_ns);
    enum store_status status =
        check_index(check, txn, TREE_TOKENS_BY_ACCOUNT, by_account, by_account_bytes, own_key, "a token");
    if (status == STORE_OK) {
        status = check_index(check, txn, TREE_TOKENS_BY_EXPIRY, by_expiry, sizeof by_expiry, own_key, "a token");
    }
    if (status == STORE_OK) {
        status = account_read(txn, token.namespace, token.account, &account);
        if (status == STORE_NOT_FOUND) {
            check_say(check, "a token is of an account that does not exist");
            status = STORE_OK;
        }
    }
    return status;
}

enum store_status check_visit_token_account(void *context, struct txn *txn, struct text key, struct text primary_key,
                                            struct text record)
{
    (void)txn;
    (void)primary_key;
    struct record_token token;
    uint8_t expected[RECORD_KEY_ACCOUNT_BYTES_MAX];
    if (record_token_decode(record, &token)) {
        size_t bytes = record_key_account(token.namespace, token.account, token.family, expected);
        if (text_equal(key, (struct text){(const char *)expected, bytes})) {
            return STORE_OK;
        }
    }
    check_say(context, "an entry of the tree 'tokens_by_account' leads to another token");
    return STORE_OK;
}

enum store_status check_visit_token_expiry(void *context, struct txn *txn, struct text key, struct text primary_key,
                                           struct text record)
{
    (void)txn;
    (void)primary_key;
    struct record_token token;
    if (!record_token_decode(record, &token) || key.bytes != RECORD_KEY_EXPIRY_BYTES ||
        record_get_u64(key.data) != token.expiry_ns) {
        check_say(context, "an entry of the tree 'tokens_by_expiry' leads to another token");
    }
    return STORE_OK;
}

enum store_status check_visit_login(void *context, struct txn *txn, struct text key, struct text primary_key,
                                    struct text record)
{
    (void)txn;
    (void)primary_key;
    struct record_login login;
    if (key.bytes != CRYPTO_DIGEST_BYTES || !record_login_decode(record, &login)) {
        check_say(context, "a record in the tree 'logins' is damaged");
    }
    return STORE_OK;
}
