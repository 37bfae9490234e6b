#include "bdb/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/damage.h"
#include "bdb/sync.h"

#define CHECKPOINT_HOLD_PAGES 256u /* dirty pages written in one hold: about a millisecond of write(2) */

bool env_checkpoint_is_due(const struct env *env)
{
    struct gate_page *page = env->gate->page;
    uint64_t log_end = atomic_load_explicit(&page->log_end, memory_order_relaxed);
    uint64_t last = atomic_load_explicit(&page->checkpoint_log_end, memory_order_relaxed);
    if (log_end <= last || damage_is_final(env)) {
        return false;
    }
    uint64_t age_ns = timestamp_monotonic_ns() - atomic_load_explicit(&page->checkpoint_at_ns, memory_order_relaxed);
    uint64_t joins = atomic_load_explicit(&page->joins, memory_order_relaxed) -
                     atomic_load_explicit(&page->checkpoint_joins, memory_order_relaxed);
    return env_log_distance(last, log_end) >= env->options.checkpoint_bytes || joins >= ENV_CHECKPOINT_JOINS ||
           age_ns >= env->options.checkpoint_s * UINT64_C(1000000000);
}

/* Writes dirty pages out, few in a hold. What is dirtied meanwhile is left to the checkpoint. */
static enum store_status checkpoint_trickle(struct env *env)
{
    unsigned step = (unsigned)(CHECKPOINT_HOLD_PAGES * UINT64_C(100) / (env->options.cache_bytes / ENV_PAGE_BYTES + 1));
    if (step == 0) {
        step = 1;
    }
    for (unsigned percent = step; percent <= 100; percent += step) {
        /* Before its page the library writes and syncs the log, under the gate: leave it little to sync. */
        enum store_status status = sync_wait(env, sync_ticket(env));
        if (status == STORE_OK) {
            status = env_enter(env, GATE_CHECKPOINTING);
        }
        if (status != STORE_OK) {
            return status;
        }
        int written = 0;
        int error = env->handle->memp_trickle(env->handle, (int)percent, &written);
        if (error != 0) {
            status = env_failed(env, error, "memp_trickle");
        }
        env_leave(env);
        if (status != STORE_OK) {
            return status;
        }
    }
    return STORE_OK;
}

/*
 * Outside the gate: the trees' files to the disk. Linux reports a lost write once and calls the page clean afterwards,
 * so a failure would not show again in the checkpoint: the page of the gate keeps it for recovery, which writes the
 * trees again.
 */
static void checkpoint_sync_trees(const struct env *env)
{
    for (int i = 0; i < env->options.trees_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.db", env->options.home, env->options.trees[i].name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        if (fdatasync(fd) != 0) {
            atomic_fetch_add(&env->gate->page->trees_failed, 1);
            gate_want_recovery(env->gate, "syncing a tree failed");
        }
        close(fd);
    }
}

static enum store_status checkpoint_write(struct env *env)
{
    struct gate_page *page = env->gate->page;
    enum store_status status = env_enter(env, GATE_CHECKPOINTING);
    if (status != STORE_OK) {
        return status;
    }
    uint64_t log_end = 0;
    int error = env->handle->txn_checkpoint(env->handle, 0, 0, DB_FORCE);
    if (error == 0) {
        error = env_log_end(env->handle, &log_end);
    }
    if (error == 0) {
        atomic_store(&page->checkpoint_log_end, log_end);
        atomic_store(&page->checkpoint_at_ns, timestamp_monotonic_ns());
        atomic_store(&page->checkpoint_joins, atomic_load(&page->joins));
        atomic_fetch_add(&page->checkpoints, 1);
    } else {
        status = env_failed(env, error, "checkpoint");
    }
    env_leave(env);
    return status;
}

/* A backup copies log files: while it holds its lock none may go. */
enum store_status env_remove_logs(struct env *env)
{
    char path[4096];
    if (env->options.keep_logs) {
        return STORE_OK;
    }
    snprintf(path, sizeof path, "%s/%s", env->options.home, ENV_BACKUP_LOCK);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        log_warning("cannot open '%s', old logs stay: %s", path, strerror(errno));
        return STORE_OK;
    }
    enum store_status status = STORE_OK;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        int error = env->handle->log_archive(env->handle, NULL, DB_ARCH_REMOVE);
        if (error != 0) {
            status = env_failed(env, error, "removing old logs");
        }
    }
    close(fd);
    return status;
}

static enum store_status checkpoint_remove_logs(struct env *env)
{
    enum store_status status = env_enter(env, GATE_REMOVING_LOGS);
    if (status == STORE_OK) {
        status = env_remove_logs(env);
        env_leave(env);
    }
    return status;
}

enum store_status env_checkpoint(struct env *env, bool force)
{
    if (fault_value(FAULT_ACK_BEFORE_SYNC) != 0 && sync_wait(env, sync_ticket(env)) != STORE_OK) {
        return STORE_UNAVAILABLE;
    }
    /* Who has left (env_leave_call) leaves it to the next, who does not leave so while it is due. */
    bool has_left = env->leaves_early && env->handle == NULL;
    if (!force && (has_left || !env_checkpoint_is_due(env))) {
        return STORE_OK;
    }
    if (atomic_load(&env->gate->page->full) != 0) {
        /* Nobody writes since the recovery that follows, and that ends with a checkpoint: so it must have been. */
        enum store_status recovered = force ? env_enter(env, GATE_CHECKPOINTING) : STORE_OK;
        if (force && recovered == STORE_OK) {
            env_leave(env);
        }
        return recovered;
    }
    int error = gate_trylock_robust(&env->gate->page->checkpointer);
    if (error != 0 && error != EOWNERDEAD) {
        return STORE_OK; /* somebody is at it */
    }
    enum store_status status = STORE_OK;
    if (force || env_checkpoint_is_due(env)) {
        status = checkpoint_trickle(env);
        if (status == STORE_OK) {
            checkpoint_sync_trees(env);
            status = checkpoint_write(env);
        }
        if (status == STORE_OK) {
            status = checkpoint_remove_logs(env);
        }
    }
    pthread_mutex_unlock(&env->gate->page->checkpointer);
    return status;
}
