/*
 * txn: one transaction, from the door to the disk. A public call of the store packs its arguments into a struct and
 * hands a body to txn_read or txn_write; the body is all that runs inside the gate.
 */
#ifndef CHATS_BDB_TXN_H
#define CHATS_BDB_TXN_H

#include "bdb/env.h"

struct txn {
    struct env *env;
    DB_TXN *handle; /* NULL in txn_read: alone inside, a reader needs no transaction */
    bool goes_on;   /* by the body of txn_read_early: the call needs more holds than this one */
};

/*
 * What runs inside. It may be run again from the start after a recovery only by its caller's choice, never by txn.
 * STORE_OK: commit (in txn_write). Anything else: nothing of it is kept, and it is what the caller gets.
 * A failed library call is passed through txn_failed.
 */
typedef enum store_status txn_body(struct txn *txn, void *args) __attribute__((warn_unused_result));

/*
 * Runs body inside the gate and waits until everything it can have seen is on the disk. Returns the body's status,
 * STORE_UNAVAILABLE if that wait failed (whether a write was stored is unknown then), or what kept the body from
 * running or committing: STORE_UNAVAILABLE, STORE_FULL, STORE_CORRUPT, STORE_NO_MEMORY.
 */
enum store_status txn_read(struct env *env, txn_body *body, void *args) __attribute__((warn_unused_result));
enum store_status txn_write(struct env *env, txn_body *body, void *args) __attribute__((warn_unused_result));

/*
 * As these, but they do not wait: whatever they return, the caller tells nobody of it before txn_wait has said STORE_OK
 * about *ret_ticket. NULL: they wait.
 */
enum store_status txn_read_early(struct env *env, txn_body *body, void *args, struct store_ticket *ret_ticket)
    __attribute__((warn_unused_result));
enum store_status txn_write_early(struct env *env, txn_body *body, void *args, struct store_ticket *ret_ticket)
    __attribute__((warn_unused_result));

/* Waits until all that the ticket stands for is on the disk, in the home as it stands now. Else STORE_UNAVAILABLE. */
enum store_status txn_wait(struct env *env, const struct store_ticket *ticket) __attribute__((warn_unused_result));

/* In a body: as env_tree_to_read and env_tree_to_write. To write only in txn_write's, with txn->handle. */
static inline int txn_tree_to_read(struct txn *txn, int tree, DB **ret)
{
    return env_tree_to_read(txn->env, tree, ret);
}
int txn_tree_to_write(struct txn *txn, int tree, DB **ret) __attribute__((warn_unused_result));

/* The status for a library call's error: env_failed with this transaction's environment. */
enum store_status txn_failed(struct txn *txn, int error, const char *what);

#endif
