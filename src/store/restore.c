#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/admin.h"
#include "store/folder.h"
#include "store/logs.h"
#include "store/manifest.h"

/*
 * A backup's trees are pages of different moments; its log, replayed from the first file on that they need, makes one
 * state of them. Log files older than that are history: they come back after the recovery, into a home that keeps logs.
 * Until the marker is removed, last of all, nobody but us opens the home.
 */
struct restore {
    const struct store_restore *order;
    struct copying copying;
    struct manifest manifest;
    struct folder home;
    uint32_t last;        /* log file that the home will end with */
    uint64_t later_bytes; /* of the other folder's log, behind what the backup has */
    const char *verb;     /* what is being done */
};

static void restore_progress(void *context, uint64_t done, uint64_t total)
{
    const struct restore *restore = context;
    if (restore->order->progress != NULL) {
        restore->order->progress(restore->order->context, restore->verb, done, total);
    }
}

static void restore_begin_phase(struct restore *restore, const char *verb)
{
    restore->verb = verb;
    restore->copying.done = 0;
    restore->copying.total = 0;
    for (size_t i = 0; i < manifest_count(&restore->manifest); i++) {
        restore->copying.total += manifest_file(&restore->manifest, i)->bytes;
    }
}

/* Reads the whole backup before anything is begun. */
static enum store_status restore_verify(struct restore *restore)
{
    restore_begin_phase(restore, "verifying");
    for (size_t i = 0; i < manifest_count(&restore->manifest); i++) {
        const struct manifest_file *file = manifest_file(&restore->manifest, i);
        uint8_t digest[CRYPTO_DIGEST_BYTES];
        enum store_status status =
            copying_digest(&restore->copying, restore->order->folder, file->name, file->bytes, digest);
        if (status != STORE_OK) {
            return status;
        }
        if (memcmp(digest, file->digest, sizeof digest) != 0) {
            (void)copying_failed(&restore->copying, 0, "'%s' of the backup is damaged: nothing was restored",
                                 file->name);
            return STORE_CORRUPT;
        }
    }
    return STORE_OK;
}

/* Of a log file in both folders, the backup's bytes must be the other's first. */
static enum store_status restore_compare_log(struct restore *restore, uint32_t number)
{
    char name[LOGS_NAME_BYTES];
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    logs_name(number, name);
    const struct manifest_file *file = manifest_find(&restore->manifest, name);
    if (copying_size(restore->order->logs, name) < (int64_t)file->bytes) {
        return copying_failed(&restore->copying, 0, "the log in '%.200s' ends before the backup does",
                              restore->order->logs);
    }
    enum store_status status = copying_digest(&restore->copying, restore->order->logs, name, file->bytes, digest);
    if (status == STORE_OK && memcmp(digest, file->digest, sizeof digest) != 0) {
        status = copying_failed(&restore->copying, 0,
                                "'%s' in '%.200s' is not what the backup has of it: nothing was "
                                "restored",
                                name, restore->order->logs);
    }
    return status;
}

/* Which log files of the other folder follow on the backup's. */
static enum store_status restore_plan_logs(struct restore *restore)
{
    uint32_t first = 0;
    restore->last = restore->manifest.log_last;
    if (restore->order->logs == NULL) {
        return STORE_OK;
    }
    enum store_status status = logs_range(&restore->copying, restore->order->logs, &first, &restore->last);
    if (status == STORE_OK && (first == 0 || first > restore->manifest.log_last)) {
        return copying_failed(&restore->copying, 0,
                              "the log in '%.200s' does not go on where the backup ends, with log file %" PRIu32,
                              restore->order->logs, restore->manifest.log_last);
    }
    if (status == STORE_OK && restore->last < restore->manifest.log_last) {
        return copying_failed(&restore->copying, 0, "the log in '%.200s' ends before the backup does",
                              restore->order->logs);
    }
    uint32_t from = first > restore->manifest.log_first ? first : restore->manifest.log_first;
    for (uint32_t number = from; status == STORE_OK && number <= restore->manifest.log_last; number++) {
        status = restore_compare_log(restore, number);
    }
    for (uint32_t number = restore->manifest.log_last; status == STORE_OK && number <= restore->last; number++) {
        char name[LOGS_NAME_BYTES];
        logs_name(number, name);
        int64_t bytes = copying_size(restore->order->logs, name);
        const struct manifest_file *file = manifest_find(&restore->manifest, name);
        restore->later_bytes += (uint64_t)(bytes > 0 ? bytes : 0) - (file != NULL ? file->bytes : 0);
    }
    return status;
}

/* The log files `from` to `to` into the home. What the backup has of the last one the other folder has, and more. */
static enum store_status restore_logs(struct restore *restore, uint32_t from, uint32_t to)
{
    enum store_status status = STORE_OK;
    for (uint32_t number = from; status == STORE_OK && number <= to; number++) {
        char name[LOGS_NAME_BYTES];
        logs_name(number, name);
        bool others = restore->order->logs != NULL && number >= restore->manifest.log_last;
        const char *folder = others ? restore->order->logs : restore->order->folder;
        int64_t bytes = others ? copying_size(folder, name) : (int64_t)manifest_find(&restore->manifest, name)->bytes;
        if (bytes < 0) {
            return copying_failed(&restore->copying, errno, "cannot find '%s' in '%.200s'", name, folder);
        }
        status = copying_file(&restore->copying, folder, restore->home.path, name, (uint64_t)bytes, NULL);
    }
    return status;
}

static enum store_status restore_trees(struct restore *restore)
{
    enum store_status status = STORE_OK;
    struct logs_made made;
    int error = logs_trees_made(restore->home.path, &made);
    if (error != 0) {
        return copying_failed(&restore->copying, 0, "cannot read the log: %s", db_strerror(error));
    }
    for (int tree = 0; status == STORE_OK && tree < TREES; tree++) {
        char name[MANIFEST_NAME_BYTES_MAX];
        snprintf(name, sizeof name, "%s.db", trees_table()[tree].name);
        const struct manifest_file *file = manifest_find(&restore->manifest, name);
        if (file != NULL && !logs_have_all(&made, tree, restore->order->folder)) {
            status =
                copying_file(&restore->copying, restore->order->folder, restore->home.path, name, file->bytes, NULL);
        }
    }
    return status;
}

static enum store_status restore_copy(struct restore *restore)
{
    struct text config = {restore->manifest.config.data, restore->manifest.config.bytes};
    restore_begin_phase(restore, "restoring");
    restore->copying.total += restore->later_bytes;
    enum store_status status = folder_has_room(&restore->home, &restore->copying, restore->copying.total);
    if (status == STORE_OK) {
        status = copying_write_file(&restore->copying, restore->home.path, CONFIG_FILE, config);
    }
    if (status == STORE_OK) {
        status = restore_logs(restore, restore->manifest.log_needed, restore->last);
    }
    if (status == STORE_OK) {
        status = restore_trees(restore);
    }
    return status == STORE_OK ? copying_sync_folder(&restore->copying, restore->home.path) : status;
}

/* Inside, after the recovery: nothing that the backup has may be missing from the log. */
static enum store_status restore_look_body(struct txn *txn, void *args)
{
    const struct restore *restore = args;
    uint64_t end = 0;
    int error = env_log_end(txn->env->handle, &end);
    if (error != 0) {
        return txn_failed(txn, error, "log_stat");
    }
    return end >= ((uint64_t)restore->manifest.log_last << 32 | restore->manifest.log_end) ? STORE_OK : STORE_CORRUPT;
}

static enum store_status restore_recover(struct restore *restore, const struct config *config)
{
    struct store *store = NULL;
    enum store_status status = store_open_as(config, true, &store, restore->copying.problem);
    if (status != STORE_OK) {
        return status;
    }
    status = txn_read(store->env, restore_look_body, restore);
    if (status == STORE_OK) {
        status = env_checkpoint(store->env, true);
    }
    store_close(store);
    if (status != STORE_OK) {
        (void)copying_failed(&restore->copying, 0, "the restored home does not recover: %s; the log says why",
                             store_status_name(status));
    }
    return status;
}

static enum store_status restore_home(struct restore *restore)
{
    struct config config;
    enum store_status status = restore_copy(restore);
    if (status != STORE_OK) {
        return status;
    }
    if (!config_load(&config, restore->home.path, restore->copying.problem)) {
        status = STORE_UNAVAILABLE;
    }
    if (status == STORE_OK) {
        status = restore_recover(restore, &config);
    }
    if (status == STORE_OK && config.keep_logs) {
        status = restore_logs(restore, restore->manifest.log_first, restore->manifest.log_needed - 1);
    }
    config_clear(&config);
    if (status == STORE_OK) {
        status = copying_sync_folder(&restore->copying, restore->home.path);
    }
    return status == STORE_OK ? folder_finish(&restore->home, &restore->copying) : status;
}

enum store_status store_restore(const struct store_restore *order, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct restore restore = {.order = order, .home = {.fd = -1}};
    restore.copying = (struct copying){.progress = restore_progress, .context = &restore, .problem = problem};
    problem[0] = '\0';
    if (!crypto_init()) {
        return copying_failed(&restore.copying, 0, "this system has no source of random bytes");
    }
    enum store_status status = manifest_read(&restore.manifest, &restore.copying, order->folder);
    if (status == STORE_NOT_FOUND) {
        status = copying_failed(&restore.copying, 0, "'%.200s' holds no finished backup", order->folder);
    }
    if (status == STORE_OK) {
        status = restore_verify(&restore);
    }
    if (status == STORE_OK) {
        status = restore_plan_logs(&restore);
    }
    if (status == STORE_OK) {
        status = folder_begin(&restore.home, &restore.copying, order->home, CONFIG_RESTORING_FILE, NULL);
    }
    if (status == STORE_OK) {
        status = restore_home(&restore);
    }
    folder_close(&restore.home);
    manifest_clear(&restore.manifest);
    return status;
}
