#include <assert.h>
#include <string.h>

#include "base/address.h"
#include "base/fault.h"
#include "store/internal.h"

#define LOGIN_WINDOW_NS (LOGIN_WINDOW_S * UINT64_C(1000000000))
#define LOGINS_SWEEP 32u /* records looked at in one call */

_Static_assert(LOGIN_ADDRESS_FAILURES_MAX <= RECORD_LOGIN_TIMES_MAX && LOGIN_FAILURES_MAX <= RECORD_LOGIN_TIMES_MAX,
               "a record holds as many times as count");

/* Which two counts an attempt is in. Digests: of what people type where a name belongs, nothing is kept. */
struct login_call {
    struct store *store;
    uint8_t pair[CRYPTO_DIGEST_BYTES];    /* this account from this address */
    uint8_t address[CRYPTO_DIGEST_BYTES]; /* this address, over all accounts */
    bool was_ahead; /* the clock was set back: what was read is to be stored, even if nothing is added */
    unsigned retry_s;
};

static void login_keys(struct text namespace, struct text account, struct text address, struct login_call *call)
{
    struct address parsed;
    struct text from = address;
    if (address_parse(address, &parsed)) {
        from = (struct text){(const char *)parsed.bytes, address_subscriber_bytes(&parsed)};
    }
    const struct text items[] = {from, namespace, account};
    crypto_digest_list(items, 1, call->address);
    crypto_digest_list(items, 3, call->pair);
}

/*
 * Drops what has left the window. A time ahead of the clock, which was set back, becomes now: it neither is forgotten
 * nor stays for longer than the window, if it is stored so. True: there was such a time.
 */
static bool login_prune(struct record_login *login, uint64_t now_ns)
{
    size_t kept = 0;
    bool was_ahead = false;
    for (size_t i = 0; i < login->count; i++) {
        uint64_t time_ns = login->times_ns[i];
        if (time_ns > now_ns) {
            time_ns = now_ns;
            was_ahead = true;
        }
        if (now_ns - time_ns < LOGIN_WINDOW_NS) {
            login->times_ns[kept++] = time_ns;
        }
    }
    login->count = kept;
    return was_ahead;
}

/* Inside: what counts of this record now; none if there is none. */
static enum store_status login_read(struct txn *txn, const uint8_t digest[CRYPTO_DIGEST_BYTES], uint64_t now_ns,
                                    struct record_login *ret, bool *ret_was_ahead)
{
    DB *logins = NULL;
    DBT key = store_dbt(digest, CRYPTO_DIGEST_BYTES);
    DBT value = {0};
    int error = txn_tree_to_write(txn, TREE_LOGINS, &logins); /* it is written next */
    if (error == 0) {
        error = logins->get(logins, NULL, &key, &value, 0);
    }
    ret->count = 0;
    if (error == DB_NOTFOUND) {
        return STORE_OK;
    }
    if (error != 0) {
        return txn_failed(txn, error, "reading failed logins");
    }
    if (!record_login_decode(store_dbt_text(&value), ret)) {
        return store_damaged("logins");
    }
    *ret_was_ahead = login_prune(ret, now_ns) || *ret_was_ahead;
    return STORE_OK;
}

/* Inside: stores the record, or removes it when nothing in it counts. */
static enum store_status login_write(struct txn *txn, const uint8_t digest[CRYPTO_DIGEST_BYTES],
                                     const struct record_login *login)
{
    DB *logins = NULL;
    DBT key = store_dbt(digest, CRYPTO_DIGEST_BYTES);
    int error = txn_tree_to_write(txn, TREE_LOGINS, &logins);
    if (error == 0 && login->count > 0) {
        uint8_t record[RECORD_LOGIN_BYTES_MAX];
        DBT value = store_dbt(record, record_login_encode(login, record));
        error = logins->put(logins, txn->handle, &key, &value, 0);
    } else if (error == 0) {
        error = logins->del(logins, txn->handle, &key, 0);
        error = error == DB_NOTFOUND ? 0 : error;
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "storing failed logins");
}

/* Seconds until there are fewer than max again; 0: there are. */
static unsigned login_retry_s(const struct record_login *login, size_t max, uint64_t now_ns)
{
    if (login->count < max) {
        return 0;
    }
    uint64_t free_at_ns = login->times_ns[login->count - max] + LOGIN_WINDOW_NS; /* above now: it is in the window */
    return (unsigned)((free_at_ns - now_ns + UINT64_C(999999999)) / UINT64_C(1000000000));
}

static enum store_status login_attempt_body(struct txn *txn, void *args)
{
    struct login_call *call = args;
    struct record_login pair;
    struct record_login address;
    uint64_t now_ns = call->store->now_ns();
    enum store_status status = login_read(txn, call->pair, now_ns, &pair, &call->was_ahead);
    if (status == STORE_OK) {
        status = login_read(txn, call->address, now_ns, &address, &call->was_ahead);
    }
    if (status != STORE_OK) {
        return status;
    }
    unsigned pair_retry_s = login_retry_s(&pair, LOGIN_FAILURES_MAX, now_ns);
    unsigned address_retry_s = login_retry_s(&address, LOGIN_ADDRESS_FAILURES_MAX, now_ns);
    call->retry_s = pair_retry_s > address_retry_s ? pair_retry_s : address_retry_s;
    if (call->retry_s > 0 && !call->was_ahead) {
        return STORE_CONFLICT;
    }
    if (call->retry_s == 0) {
        pair.times_ns[pair.count++] = now_ns;
        address.times_ns[address.count++] = now_ns;
    }
    status = login_write(txn, call->pair, &pair);
    return status == STORE_OK ? login_write(txn, call->address, &address) : status;
}

enum store_status store_login_attempt(struct store *store, struct text namespace, struct text account,
                                      struct text address, unsigned *ret_retry_s)
{
    assert(id_fits(namespace) && id_fits(account));
    struct login_call call = {.store = store};
    if (fault_value(FAULT_NO_THROTTLE) != 0) {
        return STORE_OK;
    }
    login_keys(namespace, account, address, &call);
    enum store_status status = txn_write(store->env, login_attempt_body, &call);
    if (call.retry_s > 0 && (status == STORE_OK || status == STORE_CONFLICT)) {
        *ret_retry_s = call.retry_s;
        return STORE_CONFLICT;
    }
    return status;
}

static enum store_status login_succeeded_body(struct txn *txn, void *args)
{
    struct login_call *call = args;
    const struct record_login none = {.count = 0};
    struct record_login address;
    enum store_status status = login_read(txn, call->address, call->store->now_ns(), &address, &call->was_ahead);
    if (status != STORE_OK) {
        return status;
    }
    if (address.count > 0) {
        address.count--;
    }
    status = login_write(txn, call->pair, &none);
    return status == STORE_OK ? login_write(txn, call->address, &address) : status;
}

enum store_status store_login_succeeded(struct store *store, struct text namespace, struct text account,
                                        struct text address)
{
    assert(id_fits(namespace) && id_fits(account));
    struct login_call call = {.store = store};
    if (fault_value(FAULT_NO_THROTTLE) != 0) {
        return STORE_OK;
    }
    login_keys(namespace, account, address, &call);
    return txn_write(store->env, login_succeeded_body, &call);
}

struct login_sweep {
    uint64_t now_ns;
    uint8_t from[CRYPTO_DIGEST_BYTES];
};

/*
 * Looks at a few records from a random place on, as keys are digests and no order among them says which are old. An
 * attempt makes two records at most and a sweep looks at many more, so those outdated stay few.
 */
static enum store_status login_sweep_body(struct txn *txn, void *args)
{
    const struct login_sweep *sweep = args;
    DB *logins = NULL;
    DBC *cursor = NULL;
    DBT key = store_dbt(sweep->from, sizeof sweep->from);
    DBT value = {0};
    bool removed = false;
    enum store_status status = STORE_OK;
    int error = txn_tree_to_write(txn, TREE_LOGINS, &logins);
    if (error == 0) {
        error = logins->cursor(logins, txn->handle, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    error = cursor->get(cursor, &key, &value, DB_SET_RANGE);
    for (unsigned looked = 0; looked < LOGINS_SWEEP; looked++) {
        struct record_login login;
        if (error == DB_NOTFOUND) {
            error = cursor->get(cursor, &key, &value, DB_FIRST);
        }
        if (error != 0) {
            break;
        }
        if (!record_login_decode(store_dbt_text(&value), &login)) {
            status = store_damaged("logins");
            break;
        }
        (void)login_prune(&login, sweep->now_ns);
        if (login.count == 0) {
            error = cursor->del(cursor, 0);
            removed = true;
        }
        if (error == 0) {
            error = cursor->get(cursor, &key, &value, DB_NEXT);
        }
    }
    (void)cursor->close(cursor);
    if (error != 0 && error != DB_NOTFOUND) {
        status = txn_failed(txn, error, "sweeping failed logins");
    }
    if (status == STORE_OK && !removed) {
        status = STORE_NOT_FOUND; /* nothing to commit */
    }
    return status;
}

enum store_status logins_sweep(struct store *store)
{
    struct login_sweep sweep = {.now_ns = store->now_ns()};
    crypto_random(sweep.from, sizeof sweep.from);
    return txn_write(store->env, login_sweep_body, &sweep);
}
