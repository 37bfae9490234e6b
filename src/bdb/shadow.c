#include "bdb/shadow.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/log.h"
#include "bdb/ballast.h"
#include "bdb/sync.h"

#define SHADOW_NAME_BYTES 80u
#define SHADOW_FILLER_BYTES 1024u /* what the library takes in one call */
#define SHADOW_FILLERS 1024u      /* in one hold, synced; once in the life of a home */

static void shadow_name(const struct env *env, int tree, char ret[SHADOW_NAME_BYTES])
{
    snprintf(ret, SHADOW_NAME_BYTES, REPLACE_PREFIX "%s.db", env->options.trees[tree].name);
}

static bool shadow_has(const struct env *env, int primary, int tree)
{
    return tree == primary || env->options.trees[tree].primary == primary;
}

/* Inside: removes the files of an earlier shadow. The library's error. */
static int shadow_remove_files(struct env *env)
{
    int error = 0;
    for (int tree = env->options.trees_count - 1; tree >= 0 && error == 0; tree--) {
        char path[4096];
        char name[SHADOW_NAME_BYTES];
        shadow_name(env, tree, name);
        snprintf(path, sizeof path, "%s/%s", env->options.home, name);
        if (access(path, F_OK) == 0) {
            error = env->handle->dbremove(env->handle, NULL, name, NULL, 0);
        }
    }
    return error;
}

/* Inside. Secondaries first. */
static void shadow_close(struct shadow *shadow, u_int32_t flags)
{
    for (int tree = ENV_TREES_MAX - 1; tree >= 0; tree--) {
        if (shadow->trees[tree] != NULL) {
            int error = shadow->trees[tree]->close(shadow->trees[tree], flags);
            if (error != 0) {
                log_warning("closing a shadow's tree: %s", db_strerror(error));
            }
            shadow->trees[tree] = NULL;
        }
    }
}

/* Inside. */
static enum store_status shadow_make(struct shadow *shadow, int primary)
{
    struct env *env = shadow->env;
    int error = shadow_remove_files(env);
    for (int tree = 0; tree < env->options.trees_count && error == 0; tree++) {
        if (shadow_has(env, primary, tree)) {
            error = env_open_tree(env, shadow->trees, tree, true, DB_AUTO_COMMIT | DB_CREATE);
        }
    }
    if (error != 0) {
        shadow_close(shadow, DB_NOSYNC);
        return env_failed(env, error, "making a shadow of the trees");
    }
    shadow->generation = env->generation;
    gate_watch_chats(env->gate, true);
    return STORE_OK;
}

/* One hold: *ret_done is true where the log is in its second file or later, else a little is written to it. */
static enum store_status shadow_fill_log(struct env *env, bool *ret_done)
{
    static const char filler[SHADOW_FILLER_BYTES] = {0};
    uint64_t log_end = 0;
    enum store_status status = env_enter(env, GATE_WRITING);
    if (status != STORE_OK) {
        return status;
    }
    DB_ENV *handle = env->handle;
    status = ballast_admit(env);
    if (status != STORE_OK) {
        env_leave(env);
        return status;
    }
    int error = env_log_end(handle, &log_end);
    *ret_done = log_end >> 32 > 1;
    for (unsigned i = 0; i < SHADOW_FILLERS && error == 0 && !*ret_done; i++) {
        error = handle->log_printf(handle, NULL, "%*s", (int)sizeof filler, filler);
    }
    if (error == 0 && !*ret_done) {
        error = handle->log_flush(handle, NULL); /* no commit writes it out, and a new file is made only then */
    }
    if (error != 0) {
        status = env_failed(env, error, "writing to the log");
    } else if (!*ret_done) {
        status = sync_take_ticket(env);
    }
    uint64_t ticket = sync_ticket(env);
    env_leave(env);
    return status == STORE_OK ? sync_wait(env, ticket) : status;
}

/*
 * The first log file has the making of the home's trees. A backup is recovered from the beginning of its first log file
 * on, and would make them once more, over those that took their place: it must not be that file any more.
 */
static enum store_status shadow_leave_first_log(struct env *env)
{
    bool done = false;
    enum store_status status = STORE_OK;
    while (status == STORE_OK && !done) {
        status = shadow_fill_log(env, &done);
    }
    return status;
}

enum store_status shadow_begin(struct env *env, int primary, struct shadow *ret)
{
    char path[4096];
    *ret = (struct shadow){.env = env, .lock_fd = -1};
    if (ballast_wait_for_room(env) != STORE_OK) {
        return STORE_FULL; /* what is written here would take the last of the room from recovery */
    }
    snprintf(path, sizeof path, "%s/%s", env->options.home, ENV_BACKUP_LOCK);
    ret->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (ret->lock_fd < 0) {
        log_error("cannot open '%s': %s", path, strerror(errno));
        return STORE_UNAVAILABLE;
    }
    enum store_status status = flock(ret->lock_fd, LOCK_EX | LOCK_NB) == 0 ? STORE_OK : STORE_EXISTS;
    if (status == STORE_OK) {
        status = shadow_leave_first_log(env);
    }
    if (status == STORE_OK) {
        status = env_enter(env, GATE_WRITING);
    }
    if (status != STORE_OK) {
        close(ret->lock_fd);
        return status;
    }
    status = ballast_admit(env);
    status = status == STORE_OK ? shadow_make(ret, primary) : status;
    env_leave(env);
    if (status != STORE_OK) {
        shadow_end(ret); /* some of its files may have been made */
    }
    return status;
}

int shadow_sync(const struct shadow *shadow)
{
    const struct env *env = shadow->env;
    int error = 0;
    for (int tree = 0; tree < env->options.trees_count && error == 0; tree++) {
        char path[4096];
        char name[SHADOW_NAME_BYTES];
        if (shadow->trees[tree] == NULL) {
            continue;
        }
        shadow_name(env, tree, name);
        snprintf(path, sizeof path, "%s/%s", env->options.home, name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        error = fd >= 0 && fdatasync(fd) == 0 ? 0 : errno;
        if (fd >= 0) {
            close(fd);
        }
    }
    return error == 0 ? sync_folder(env->options.home) : error;
}

/* Inside: the shadow's files become the trees. Recovery, which is wanted already, begins at the checkpoint made here.
 */
static int shadow_replace(const struct shadow *shadow)
{
    struct env *env = shadow->env;
    DB_ENV *handle = env->handle;
    DB_TXN *txn = NULL;
    DB *first = NULL;
    struct replace_ids ids = {0};
    int error = env_tree_to_write(env, 0, &first);
    for (int tree = 0; tree < env->options.trees_count && error == 0; tree++) {
        DB *db = shadow->trees[tree];
        if (db != NULL) {
            DB_MPOOLFILE *file = db->get_mpf(db);
            error = file->get_fileid(file, ids.ids[tree]);
            error = error == 0 ? db->sync(db, 0) : error;
        }
    }
    if (error == 0) {
        error = shadow_sync(shadow);
    }
    if (error == 0) {
        error = handle->txn_checkpoint(handle, 0, 0, DB_FORCE);
    }
    if (error == 0) {
        error = handle->txn_begin(handle, NULL, &txn, 0);
    }
    if (error != 0) {
        return error;
    }
    error = replace_decide(first, txn, &ids);
    if (error != 0) {
        (void)txn->abort(txn);
        return error;
    }
    return txn->commit(txn, DB_TXN_SYNC);
}

/* Inside. */
static enum store_status shadow_commit(struct shadow *shadow, struct txn *txn, const bool *swap)
{
    struct env *env = shadow->env;
    int error = txn->handle->commit(txn->handle, DB_TXN_WRITE_NOSYNC);
    if (error != 0) {
        return env_failed(env, error, "txn_commit");
    }
    enum store_status status = sync_take_ticket(env);
    if (status == STORE_OK && *swap) {
        gate_watch_chats(env->gate, false);
        /* First: whatever happens from here on, nobody uses the handles they have. */
        gate_plan_recovery(env->gate, "trees were written anew");
        error = shadow_replace(shadow);
        status = error == 0 ? STORE_OK : env_failed(env, error, "putting new trees in the old ones' place");
        status = status == STORE_FULL ? STORE_UNAVAILABLE : status; /* the decision may have got to the disk */
    }
    return status;
}

enum store_status shadow_write(struct shadow *shadow, txn_body *body, void *args, const bool *swap)
{
    struct env *env = shadow->env;
    enum store_status status = env_enter(env, GATE_WRITING);
    if (status != STORE_OK) {
        return status;
    }
    struct txn txn = {.env = env, .handle = NULL};
    if (shadow->generation != env->generation) {
        memset(shadow->trees, 0, sizeof shadow->trees); /* dropped, as env_abandon does */
        status = STORE_CONFLICT;
    } else {
        status = ballast_admit(env);
    }
    if (status == STORE_OK) {
        int error = env->handle->txn_begin(env->handle, NULL, &txn.handle, 0);
        status = error == 0 ? body(&txn, args) : env_failed(env, error, "txn_begin");
        if (error == 0 && status != STORE_OK) {
            error = txn.handle->abort(txn.handle);
            status = error == 0 ? status : env_failed(env, error, "txn_abort");
        } else if (error == 0) {
            status = shadow_commit(shadow, &txn, swap);
        }
    }
    uint64_t ticket = sync_ticket(env);
    env_leave(env);
    return sync_wait(env, ticket) == STORE_OK ? status : STORE_UNAVAILABLE;
}

void shadow_end(struct shadow *shadow)
{
    struct env *env = shadow->env;
    if (env_enter(env, GATE_WRITING) == STORE_OK) {
        if (shadow->generation == env->generation) {
            shadow_close(shadow, DB_NOSYNC);
        }
        gate_watch_chats(env->gate, false);
        int error = shadow_remove_files(env);
        if (error != 0) {
            (void)env_failed(env, error, "removing a shadow of the trees");
        }
        env_leave(env);
    }
    close(shadow->lock_fd);
}
