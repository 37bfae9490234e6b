#include "bdb/txn.h"

#include <time.h>

#include "base/fault.h"
#include "base/log.h"
#include "bdb/ballast.h"
#include "bdb/damage.h"
#include "bdb/sync.h"

enum store_status txn_failed(struct txn *txn, int error, const char *what)
{
    return env_failed(txn->env, error, what);
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

static enum store_status txn_run(struct env *env, txn_body *body, void *args, bool writes)
{
    enum store_status status = writes ? ballast_wait_for_room(env) : STORE_OK;
    if (status == STORE_OK) {
        status = env_enter(env, writes ? GATE_WRITING : GATE_READING);
    }
    if (status != STORE_OK) {
        return status;
    }
    struct txn txn = {.env = env, .trees = env->trees, .handle = NULL};
    if (writes) {
        status = ballast_admit(env);
        status = status == STORE_OK ? txn_commit_body(&txn, body, args) : status;
    } else {
        status = txn_run_body(&txn, body, args);
    }
    uint64_t ticket = sync_ticket(env);
    env_leave(env);
    if (fault_value(FAULT_ACK_BEFORE_SYNC) != 0) {
        return status; /* the sync comes with env_checkpoint, after the answer */
    }
    if (fault_value(FAULT_RESEND_NO_WAIT) != 0 && !(writes && status == STORE_OK)) {
        return status;
    }
    /* Whatever kept it from the disk: the commit is in the log, so none of "full" or "no memory" would be true of it.
     */
    if (sync_wait(env, ticket) != STORE_OK || (writes && env_is_elsewhere(env))) {
        return STORE_UNAVAILABLE;
    }
    return status;
}

enum store_status txn_read(struct env *env, txn_body *body, void *args)
{
    enum store_status status = txn_run(env, body, args, false);
    /* A page had to be evicted, or recovery found no room: that is over soon, or is not for a reader to mend. */
    return status == STORE_FULL ? STORE_UNAVAILABLE : status;
}

enum store_status txn_write(struct env *env, txn_body *body, void *args)
{
    return txn_run(env, body, args, true);
}
