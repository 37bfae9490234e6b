#include "store/store.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/sync.h"
#include "store/admin.h"
#include "store/internal.h"

#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xFF534D42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xFE534D42
#endif
#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif

DBT store_dbt(const void *bytes, size_t size)
{
    DBT dbt = {0};
    dbt.data = (void *)(uintptr_t)bytes;
    dbt.size = (u_int32_t)size;
    return dbt;
}

struct text store_dbt_text(const DBT *dbt)
{
    return (struct text){dbt->data, dbt->size};
}

enum store_status store_damaged(const char *tree)
{
    log_error("a record in the tree '%s' is damaged", tree);
    return STORE_CORRUPT;
}

/* Robust mutexes and shared mappings work between the processes of one host only (DESIGN section 4). */
static bool store_is_local(const char *home)
{
    struct statfs fs;
    if (statfs(home, &fs) != 0) {
        return true; /* the open that follows says what is wrong */
    }
    switch ((unsigned long)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC:
        return false;
    default:
        return true;
    }
}

static bool store_home_is_good(const char *home, bool restoring, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct stat st;
    const char *wrong = NULL;
    if (stat(home, &st) != 0) {
        wrong = strerror(errno);
    } else if (!S_ISDIR(st.st_mode)) {
        wrong = "it is not a folder";
    } else if (st.st_uid != geteuid()) {
        wrong = "it belongs to another user";
    } else if ((st.st_mode & 077) != 0) {
        wrong = "others may enter it: its mode must be 0700";
    } else if (!store_is_local(home)) {
        wrong = "it is on a network or FUSE file system; it must be on a local disk";
    } else if (!restoring && config_is_restoring(home)) {
        wrong = CONFIG_RESTORING;
    }
    if (wrong != NULL) {
        snprintf(problem, CONFIG_PROBLEM_BYTES_MAX, "cannot use the home '%.200s': %s", home, wrong);
    }
    return wrong == NULL;
}

enum store_status store_open_as(const struct config *config, bool restoring, struct store **ret,
                                char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    if (!store_home_is_good(config->home, restoring, problem)) {
        return STORE_UNAVAILABLE;
    }
    if (!crypto_init()) {
        snprintf(problem, CONFIG_PROBLEM_BYTES_MAX, "this system has no source of random bytes");
        return STORE_UNAVAILABLE;
    }
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        snprintf(problem, CONFIG_PROBLEM_BYTES_MAX, "out of memory");
        return STORE_NO_MEMORY;
    }
    struct env_options options = {
        .home = config->home,
        .cache_bytes = config->cache_bytes,
        .checkpoint_bytes = config->checkpoint_bytes,
        .checkpoint_s = config->checkpoint_s,
        .keep_logs = config->keep_logs,
        .restoring = restoring,
        .trees = trees_table(),
        .trees_count = TREES,
        .format = TREES_FORMAT,
        .opened = trees_opened,
        .may_add = trees_may_add,
        .replaces = true,
    };
    store->now_ns = timestamp_now_ns;
    enum store_status status = env_open(&options, &store->env, problem);
    if (status != STORE_OK) {
        free(store);
        return status;
    }
    *ret = store;
    return STORE_OK;
}

enum store_status store_open(const struct config *config, struct store **ret, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    return store_open_as(config, false, ret, problem);
}

void store_serve_one_call(struct store *store)
{
    store->env->leaves_early = true;
}

void store_close(struct store *store)
{
    if (store != NULL) {
        env_close(store->env);
        free(store);
    }
}

enum store_status store_wait(struct store *store, const struct store_ticket *ticket)
{
    return txn_wait(store->env, ticket);
}

bool store_is_settled(struct store *store, const struct store_ticket *ticket)
{
    return sync_is_done(store->env, ticket->number);
}

static enum store_status ping_body(struct txn *txn, void *args)
{
    (void)args;
    DB *meta = NULL;
    DBT key = store_dbt("format", strlen("format"));
    DBT value = {0};
    int error = txn_tree_to_read(txn, TREE_META, &meta);
    if (error == 0) {
        error = meta->get(meta, NULL, &key, &value, 0);
    }
    return error == 0 ? STORE_OK : txn_failed(txn, error, "reading the format");
}

enum store_status store_ping(struct store *store)
{
    return txn_read(store->env, ping_body, NULL);
}

void store_housekeeping(struct store *store)
{
    enum store_status status = env_checkpoint(store->env, false);
    if (status != STORE_OK) {
        log_warning("the checkpoint did not succeed: %s", store_status_name(status));
    }
}

bool store_wants_renewal(struct store *store)
{
    return env_wants_renewal(store->env);
}
