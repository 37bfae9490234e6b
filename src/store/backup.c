#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "bdb/replace.h"
#include "bdb/sync.h"
#include "store/admin.h"
#include "store/folder.h"
#include "store/logs.h"
#include "store/manifest.h"
#include "store/pagefile.h"

/*
 * A backup of a home in use. The trees first: a page is read inside the gate, where nobody writes, so it is never half
 * written, and each is as it was at some moment of the copying. Then the log from the last checkpoint before that on,
 * which recovery makes one state of: the one at the log's end, which is read when the trees are copied. No log file is
 * removed meanwhile (ENV_BACKUP_LOCK). Recoveries, checkpoints and kills may happen at any time: what a recovery takes
 * back of a page, the log takes back in the copy, and the bytes of the log before the end, synced, never change.
 */
#define BACKUP_PAGES_PER_HOLD 64u
#define BACKUP_MARKER "unfinished"

struct backup {
    struct store *store;
    const struct store_backup *order;
    struct copying copying;
    struct folder folder;
    struct manifest manifest;
    db_pgno_t counts[TREES];
    uint64_t log_end; /* as struct gate_page has it */
    int lock;
};

static const char *backup_home(const struct backup *backup)
{
    return backup->store->env->options.home;
}

/* Log files stay from here on. */
static enum store_status backup_lock_logs(struct backup *backup)
{
    backup->lock = copying_open(backup_home(backup), ENV_BACKUP_LOCK, O_RDWR | O_CREAT);
    if (backup->lock < 0 || flock(backup->lock, LOCK_SH) != 0) {
        return copying_failed(&backup->copying, errno, "cannot lock '%.200s/" ENV_BACKUP_LOCK "'", backup_home(backup));
    }
    return STORE_OK;
}

/* A status of the library's or the gate's, said where nothing was said before. */
static enum store_status backup_status(const struct backup *backup, enum store_status status)
{
    if (status != STORE_OK && backup->copying.problem[0] == '\0') {
        (void)copying_failed(&backup->copying, 0, "the home cannot be read: %s; its log says why",
                             store_status_name(status));
    }
    return status;
}

/* Inside: where each tree's file ends when all of its pages are there, and which log recovery needs from then on. */
static enum store_status backup_begin_body(struct txn *txn, void *args)
{
    struct backup *backup = args;
    DB_ENV *handle = txn->env->handle;
    int error = handle->memp_sync(handle, NULL);
    if (error == 0) {
        error = logs_needed(handle, backup->manifest.log_first, &backup->manifest.log_needed);
    }
    if (error != 0) {
        return txn_failed(txn, error, "beginning a backup");
    }
    for (int tree = 0; tree < TREES; tree++) {
        char name[MANIFEST_NAME_BYTES_MAX];
        snprintf(name, sizeof name, "%s.db", trees_table()[tree].name);
        int64_t bytes = copying_size(backup_home(backup), name);
        if (bytes < 0 || bytes % PAGEFILE_BYTES != 0) {
            (void)copying_failed(&backup->copying, 0, "the file of the tree '%s' is missing or cut short",
                                 trees_table()[tree].name);
            return STORE_CORRUPT;
        }
        backup->counts[tree] = (db_pgno_t)(bytes / PAGEFILE_BYTES);
    }
    return STORE_OK;
}

/* In one hold: the bytes of a few pages. What a file lost since the beginning (errno 0, fewer bytes) the log tells. */
static enum store_status backup_read_pages(struct backup *backup, int source, db_pgno_t first, size_t bytes,
                                           uint8_t *ret, size_t *ret_bytes)
{
    struct env *env = backup->store->env;
    enum store_status status = env_enter(env, GATE_READING);
    if (status != STORE_OK) {
        return backup_status(backup, status);
    }
    ssize_t done = pread(source, ret, bytes, (off_t)first * PAGEFILE_BYTES);
    int error = errno;
    env_leave(env);
    if (done < 0) {
        return copying_failed(&backup->copying, error, "cannot read a tree");
    }
    *ret_bytes = (size_t)done - (size_t)done % PAGEFILE_BYTES;
    return STORE_OK;
}

static enum store_status backup_pages(struct backup *backup, enum tree tree, int source, int target,
                                      struct manifest_file *file)
{
    static const size_t hold_bytes = (size_t)BACKUP_PAGES_PER_HOLD * PAGEFILE_BYTES;
    uint8_t *pages = malloc(hold_bytes);
    struct crypto_digest digest;
    enum store_status status = pages != NULL ? STORE_OK : STORE_NO_MEMORY;
    crypto_digest_begin(&digest);
    for (db_pgno_t first = 0; status == STORE_OK && first < backup->counts[tree]; first += BACKUP_PAGES_PER_HOLD) {
        size_t left = (size_t)(backup->counts[tree] - first) * PAGEFILE_BYTES;
        size_t bytes = 0;
        status = backup_read_pages(backup, source, first, left < hold_bytes ? left : hold_bytes, pages, &bytes);
        for (size_t at = 0; status == STORE_OK && at < bytes; at += PAGEFILE_BYTES) {
            db_pgno_t number = first + (db_pgno_t)(at / PAGEFILE_BYTES);
            if (pagefile_examine(pages + at, number) != PAGEFILE_GOOD) {
                (void)copying_failed(&backup->copying, 0, "page %u of the tree '%s' is damaged", (unsigned)number,
                                     trees_table()[tree].name);
                status = STORE_CORRUPT;
            }
        }
        int error = status == STORE_OK ? copying_write(target, pages, bytes, file->bytes) : 0;
        if (error != 0) {
            status = copying_failed(&backup->copying, error, "cannot write '%s'", file->name);
        }
        if (status != STORE_OK || bytes == 0) {
            break;
        }
        crypto_digest_add(&digest, pages, bytes);
        file->bytes += bytes;
        copying_advance(&backup->copying, bytes);
    }
    crypto_digest_end(&digest, file->digest);
    free(pages);
    return backup_status(backup, status);
}

static enum store_status backup_tree(struct backup *backup, enum tree tree)
{
    struct manifest_file file = {.bytes = 0};
    snprintf(file.name, sizeof file.name, "%s.db", trees_table()[tree].name);
    int source = copying_open(backup_home(backup), file.name, O_RDONLY);
    if (source < 0) {
        return copying_failed(&backup->copying, errno, "cannot open the tree '%s'", trees_table()[tree].name);
    }
    int target = copying_open(backup->folder.path, file.name, O_WRONLY | O_CREAT | O_EXCL);
    if (target < 0) {
        enum store_status status = copying_failed(&backup->copying, errno, "cannot make '%s'", file.name);
        close(source);
        return status;
    }
    enum store_status status = backup_pages(backup, tree, source, target, &file);
    status = copying_close(&backup->copying, file.name, target, status);
    close(source);
    if (status == STORE_OK) {
        manifest_put(&backup->manifest, file.name, file.bytes, file.digest);
    }
    return status;
}

/*
 * Where the log ends, with every byte before that on the disk. What is left in the library's buffer when the others'
 * commits are synced is little: it syncs that itself, under the gate.
 */
static enum store_status backup_end_log(struct backup *backup)
{
    struct env *env = backup->store->env;
    enum store_status status = sync_wait(env, sync_ticket(env));
    if (status == STORE_OK) {
        status = env_enter(env, GATE_CHECKPOINTING);
    }
    if (status != STORE_OK) {
        return backup_status(backup, status);
    }
    int error = env->handle->log_flush(env->handle, NULL);
    if (error == 0) {
        error = env_log_end(env->handle, &backup->log_end);
    }
    if (error != 0) {
        status = env_failed(env, error, "ending a backup");
    }
    env_leave(env);
    return backup_status(backup, status);
}

/* Bytes of that log file which belong to the backup; -1 and errno. */
static int64_t backup_log_bytes(const struct backup *backup, uint32_t number)
{
    char name[LOGS_NAME_BYTES];
    logs_name(number, name);
    int64_t bytes = copying_size(backup_home(backup), name);
    int64_t end = (int64_t)(uint32_t)backup->log_end;
    bool is_last = number == (uint32_t)(backup->log_end >> 32);
    return is_last && bytes > end ? end : bytes;
}

/* The log files after `after`, up to the end. */
static enum store_status backup_logs(struct backup *backup, uint32_t after)
{
    uint32_t last = (uint32_t)(backup->log_end >> 32);
    for (uint32_t number = after + 1; number <= last; number++) {
        char name[LOGS_NAME_BYTES];
        uint8_t digest[CRYPTO_DIGEST_BYTES];
        logs_name(number, name);
        int64_t bytes = backup_log_bytes(backup, number);
        if (bytes < 0) {
            return copying_failed(&backup->copying, errno, "cannot find the log file '%s'", name);
        }
        enum store_status status =
            copying_file(&backup->copying, backup_home(backup), backup->folder.path, name, (uint64_t)bytes, digest);
        if (status != STORE_OK) {
            return status;
        }
        manifest_put(&backup->manifest, name, (uint64_t)bytes, digest);
    }
    backup->manifest.log_last = last;
    backup->manifest.log_end = (uint32_t)backup->log_end;
    return STORE_OK;
}

/* How much there is to copy, of logs after `after`, and that there is room for it. */
static enum store_status backup_measure(struct backup *backup, uint32_t after, uint32_t last)
{
    uint64_t bytes = 0;
    for (int tree = 0; tree < TREES; tree++) {
        bytes += (uint64_t)backup->counts[tree] * PAGEFILE_BYTES;
    }
    for (uint32_t number = after + 1; number <= last; number++) {
        char name[LOGS_NAME_BYTES];
        logs_name(number, name);
        int64_t log_bytes = copying_size(backup_home(backup), name);
        bytes += log_bytes > 0 ? (uint64_t)log_bytes : 0;
    }
    backup->copying.total += bytes;
    return folder_has_room(&backup->folder, &backup->copying, bytes);
}

static enum store_status backup_config(struct backup *backup)
{
    buffer_reset(&backup->manifest.config);
    int fd = copying_open(backup_home(backup), CONFIG_FILE, O_RDONLY);
    char block[4096];
    ssize_t bytes = -1;
    while (fd >= 0 && (bytes = read(fd, block, sizeof block)) > 0) {
        buffer_append(&backup->manifest.config, block, (size_t)bytes);
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    return bytes == 0 ? STORE_OK : copying_failed(&backup->copying, error, "cannot read '" CONFIG_FILE "'");
}

static enum store_status backup_whole(struct backup *backup)
{
    uint32_t last = 0;
    /* Most of what the beginning writes is written here, in short holds, and old log files go. */
    enum store_status status = backup_status(backup, env_checkpoint(backup->store->env, true));
    if (status == STORE_OK) {
        status = backup_lock_logs(backup);
    }
    if (status == STORE_OK) {
        status = logs_range(&backup->copying, backup_home(backup), &backup->manifest.log_first, &last);
    }
    if (status == STORE_OK) {
        status = backup_status(backup, txn_read(backup->store->env, backup_begin_body, backup));
    }
    if (status == STORE_OK) {
        status = backup_measure(backup, backup->manifest.log_first - 1, last);
    }
    for (int tree = 0; status == STORE_OK && tree < TREES; tree++) {
        status = backup_tree(backup, (enum tree)tree);
    }
    if (status == STORE_OK) {
        status = backup_end_log(backup);
    }
    if (status == STORE_OK) {
        status = backup_logs(backup, backup->manifest.log_first - 1);
    }
    if (status == STORE_OK) {
        status = backup_config(backup);
    }
    return status == STORE_OK ? manifest_write(&backup->manifest, &backup->copying, backup->folder.path) : status;
}

/* The home's log file must begin with what the backup has of it. */
static enum store_status backup_compare_log(struct backup *backup, const char *name, const struct manifest_file *file)
{
    uint8_t own[CRYPTO_DIGEST_BYTES];
    uint8_t homes[CRYPTO_DIGEST_BYTES];
    if (backup_log_bytes(backup, backup->manifest.log_last) < (int64_t)file->bytes) {
        return copying_failed(&backup->copying, 0,
                              "the home no longer has the log file '%s' that the backup ends with: make a new one "
                              "(keep_logs = yes keeps them all)",
                              name);
    }
    enum store_status status = copying_digest(&backup->copying, backup->folder.path, name, file->bytes, own);
    if (status == STORE_OK) {
        status = copying_digest(&backup->copying, backup_home(backup), name, file->bytes, homes);
    }
    if (status == STORE_OK && memcmp(own, file->digest, sizeof own) != 0) {
        (void)copying_failed(&backup->copying, 0, "'%s' of the backup is damaged", name);
        return STORE_CORRUPT;
    }
    if (status == STORE_OK && memcmp(own, homes, sizeof own) != 0) {
        return copying_failed(&backup->copying, 0, "the backup is another home's: '%s' differs", name);
    }
    return status;
}

/* What the last log file of the backup got since. */
static enum store_status backup_extend_log(struct backup *backup)
{
    char name[LOGS_NAME_BYTES];
    struct crypto_digest digest;
    uint8_t bytes[CRYPTO_DIGEST_BYTES];
    logs_name(backup->manifest.log_last, name);
    int64_t end = backup_log_bytes(backup, backup->manifest.log_last);
    const struct manifest_file *file = manifest_find(&backup->manifest, name);
    backup->copying.total += 3 * file->bytes; /* what is only read */
    enum store_status status = backup_compare_log(backup, name, file);
    if (status != STORE_OK) {
        return status;
    }
    int source = copying_open(backup_home(backup), name, O_RDONLY);
    int target = copying_open(backup->folder.path, name, O_WRONLY);
    if (source < 0 || target < 0) {
        status = copying_failed(&backup->copying, errno, "cannot open '%s'", name);
    }
    crypto_digest_begin(&digest);
    if (status == STORE_OK) {
        status = copying_range(&backup->copying, name, source, -1, 0, file->bytes, &digest);
    }
    if (status == STORE_OK) {
        status = copying_range(&backup->copying, name, source, target, file->bytes, (uint64_t)end, &digest);
    }
    if (target >= 0) {
        status = copying_close(&backup->copying, name, target, status);
    }
    if (source >= 0) {
        close(source);
    }
    crypto_digest_end(&digest, bytes);
    if (status == STORE_OK) {
        manifest_put(&backup->manifest, name, (uint64_t)end, bytes);
    }
    return status;
}

/* The log of trees that were written anew is about files that the backup does not have (bdb/replace.h). */
static enum store_status backup_check_trees(struct backup *backup)
{
    for (int tree = 0; tree < TREES; tree++) {
        char own[PATH_MAX + 64];
        char copy[PATH_MAX + 64];
        snprintf(own, sizeof own, "%s/%s.db", backup_home(backup), trees_table()[tree].name);
        snprintf(copy, sizeof copy, "%s/%s.db", backup->folder.path, trees_table()[tree].name);
        if (!replace_is_same(own, copy)) {
            return copying_failed(&backup->copying, 0,
                                  "'%.200s' is from before a compact, or another home's: nothing can be added to it, "
                                  "back up to another folder",
                                  backup->order->folder);
        }
    }
    return STORE_OK;
}

/* Adds what the log got since. Until the new manifest is there the old one holds, and what was added does not count. */
static enum store_status backup_addition(struct backup *backup)
{
    uint32_t first = 0;
    uint32_t last = 0;
    backup->manifest.time_ns = backup->store->now_ns();
    enum store_status status = backup_lock_logs(backup);
    if (status == STORE_OK) {
        status = logs_range(&backup->copying, backup_home(backup), &first, &last);
    }
    if (status == STORE_OK) {
        status = backup_end_log(backup);
    }
    if (status == STORE_OK) {
        status = backup_check_trees(backup);
    }
    if (status == STORE_OK) {
        status = backup_measure(backup, backup->manifest.log_last - 1, last);
    }
    uint32_t before = backup->manifest.log_last;
    if (status == STORE_OK) {
        status = backup_extend_log(backup);
    }
    if (status == STORE_OK) {
        status = backup_logs(backup, before);
    }
    if (status == STORE_OK) {
        status = backup_config(backup);
    }
    return status == STORE_OK ? manifest_write(&backup->manifest, &backup->copying, backup->folder.path) : status;
}

static enum store_status backup_begin_whole(struct backup *backup)
{
    if (copying_size(backup->order->folder, MANIFEST_FILE) >= 0) {
        return copying_failed(&backup->copying, 0, "'%.200s' holds a backup already; --incremental adds to it",
                              backup->order->folder);
    }
    return folder_begin(&backup->folder, &backup->copying, backup->order->folder, BACKUP_MARKER, backup_home(backup));
}

static enum store_status backup_begin_addition(struct backup *backup)
{
    enum store_status status = folder_open(&backup->folder, &backup->copying, backup->order->folder);
    if (status == STORE_OK) {
        manifest_clear(&backup->manifest);
        status = manifest_read(&backup->manifest, &backup->copying, backup->folder.path);
    }
    if (status == STORE_NOT_FOUND) {
        return copying_failed(&backup->copying, 0, "'%.200s' holds no finished backup to add to",
                              backup->order->folder);
    }
    if (status == STORE_OK) {
        folder_unmark(&backup->folder, BACKUP_MARKER); /* it was broken off when all was done */
    }
    return status;
}

/* Log files that were added, and what the last one got: the manifest does not name them. */
static void backup_undo_addition(const struct backup *backup, uint32_t log_last, uint32_t log_end)
{
    char name[LOGS_NAME_BYTES];
    logs_name(log_last, name);
    int fd = copying_open(backup->folder.path, name, O_WRONLY);
    if (fd >= 0) {
        (void)ftruncate(fd, log_end);
        close(fd);
    }
    (void)unlinkat(backup->folder.fd, MANIFEST_DRAFT, 0);
    for (uint32_t number = log_last + 1; number != 0; number++) {
        logs_name(number, name);
        if (unlinkat(backup->folder.fd, name, 0) != 0) {
            break;
        }
    }
}

static enum store_status backup_run(struct backup *backup)
{
    enum store_status status;
    if (backup->order->incremental) {
        status = backup_begin_addition(backup);
        uint32_t log_last = backup->manifest.log_last;
        uint32_t log_end = backup->manifest.log_end;
        if (status != STORE_OK) {
            return status;
        }
        status = backup_addition(backup);
        if (status != STORE_OK && !backup->manifest.written) {
            backup_undo_addition(backup, log_last, log_end);
        }
        return status;
    }
    status = backup_begin_whole(backup);
    if (status == STORE_OK) {
        status = backup_whole(backup);
        if (status == STORE_OK) {
            return folder_finish(&backup->folder, &backup->copying);
        }
        folder_undo(&backup->folder);
    }
    return status;
}

enum store_status store_backup(struct store *store, const struct store_backup *order,
                               char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct backup backup = {
        .store = store,
        .order = order,
        .copying = {.progress = order->progress, .context = order->context, .problem = problem},
        .folder = {.fd = -1},
        .lock = -1,
    };
    problem[0] = '\0';
    manifest_init(&backup.manifest);
    backup.manifest.time_ns = store->now_ns();
    enum store_status status = backup_status(&backup, backup_run(&backup));
    if (backup.lock >= 0) {
        close(backup.lock);
    }
    folder_close(&backup.folder);
    manifest_clear(&backup.manifest);
    return status;
}
