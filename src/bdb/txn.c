#include "bdb/txn.h"

#include <assert.h>
#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/ballast.h"
#include "bdb/damage.h"
#include "bdb/sync.h"

enum store_status txn_failed(struct txn *txn, int error, const char *what)
{
    return env_failed(txn->env, error, what);
}

int txn_tree_to_write(struct txn *txn, int tree, DB **ret)
{
    assert(txn->handle != NULL);
    return env_tree_to_write(txn->env, tree, ret);
}

static void txn_hold_by_request(void)
{
    if (fault_value(FAULT_HOLD_MS) != 0) {
        struct timespec pause = {fault_value(FAULT_HOLD_MS) / 1000, fault_value(FAULT_HOLD_MS) % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
}

/* Inside the gate: the body, whose word does not count where it met a damaged page. */
static enum store_status txn_run_body(struct txn *txn, txn_body *body, void *args)
{
    enum store_status status = body(txn, args);
    return damage_met() ? damage_count(txn->env) : status;
}

/* Inside the gate: body in a transaction of its own, committed to the log but not yet to the disk. */
static enum store_status txn_commit_body(struct txn *txn, txn_body *body, void *args)
{
    DB_ENV *handle = txn->env->handle;
    int error = handle->txn_begin(handle, NULL, &txn->handle, 0);
    if (error != 0) {
        return txn_failed(txn, error, "txn_begin");
    }
    enum store_status status = txn_run_body(txn, body, args);
    if (status != STORE_OK) {
        error = txn->handle->abort(txn->handle);
        if (error == 0) {
            return status;
        }
        enum store_status aborted = txn_failed(txn, error, "txn_abort");
        return status == STORE_FULL ? status : aborted;
    }
    gate_set_phase(txn->env->gate, GATE_COMMITTING);
    txn_hold_by_request();
    error = txn->handle->commit(txn->handle, DB_TXN_WRITE_NOSYNC);
    if (error != 0) {
        return txn_failed(txn, error, "txn_commit");
    }
    return sync_take_ticket(txn->env);
}

/* What the answer to a call is to wait for, a test having its say. */
static struct store_ticket txn_ticket(const struct env *env, bool writes, enum store_status status)
{
    struct store_ticket none = {0};
    if (fault_value(FAULT_ACK_BEFORE_SYNC) != 0) {
        return none; /* the sync comes with env_checkpoint, after the answer */
    }
    if (fault_value(FAULT_RESEND_NO_WAIT) != 0 && !(writes && status == STORE_OK)) {
        return none;
    }
    if (!writes && sync_is_done(env, sync_ticket(env))) {
        return none;
    }
    return (struct store_ticket){
        .number = sync_ticket(env),
        .deadline_ns = timestamp_monotonic_ns() + SYNC_WAIT_MS * UINT64_C(1000000),
        .writes = writes,
    };
}

enum store_status txn_wait(struct env *env, const struct store_ticket *ticket)
{
    enum store_status status = sync_wait_until(env, ticket->number, ticket->deadline_ns);
    if (status != STORE_OK || !ticket->writes || ticket->number <= atomic_load(&env->seen_in_place)) {
        return status;
    }
    /* One look for all that a sync covers. It comes after the sync: nobody is told of what is in a home that has gone.
     */
    uint64_t synced = atomic_load(&env->gate->page->synced);
    if (env_is_elsewhere(env)) {
        return STORE_UNAVAILABLE;
    }
    atomic_store(&env->seen_in_place, synced);
    return STORE_OK;
}

static enum store_status txn_run(struct env *env, txn_body *body, void *args, bool writes,
                                 struct store_ticket *ret_ticket)
{
    enum store_status status = writes ? ballast_wait_for_room(env) : STORE_OK;
    if (status == STORE_OK) {
        status = env_enter(env, writes ? GATE_WRITING : GATE_READING);
    }
    if (status != STORE_OK) {
        return status;
    }
    struct txn txn = {.env = env, .handle = NULL};
    if (writes) {
        status = ballast_admit(env);
        status = status == STORE_OK ? txn_commit_body(&txn, body, args) : status;
    } else {
        status = txn_run_body(&txn, body, args);
    }
    struct store_ticket ticket = txn_ticket(env, writes, status);
    if (ret_ticket != NULL && !txn.goes_on) {
        env_leave_call(env);
    } else {
        env_leave(env);
    }
    if (ret_ticket != NULL) {
        *ret_ticket = ticket;
        return status;
    }
    /* Whatever kept it from the disk: the commit is in the log, so none of "full" or "no memory" would be true of it.
     */
    return txn_wait(env, &ticket) == STORE_OK ? status : STORE_UNAVAILABLE;
}

enum store_status txn_read_early(struct env *env, txn_body *body, void *args, struct store_ticket *ret_ticket)
{
    enum store_status status = txn_run(env, body, args, false, ret_ticket);
    /* A page had to be evicted, or recovery found no room: that is over soon, or is not for a reader to mend. */
    return status == STORE_FULL ? STORE_UNAVAILABLE : status;
}

enum store_status txn_write_early(struct env *env, txn_body *body, void *args, struct store_ticket *ret_ticket)
{
    return txn_run(env, body, args, true, ret_ticket);
}

enum store_status txn_read(struct env *env, txn_body *body, void *args)
{
    return txn_read_early(env, body, args, NULL);
}

enum store_status txn_write(struct env *env, txn_body *body, void *args)
{
    return txn_write_early(env, body, args, NULL);
}
