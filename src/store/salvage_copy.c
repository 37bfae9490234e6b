#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "store/copying.h"
#include "store/logs.h"
#include "store/pagefile.h"
#include "store/salvage.h"

#define COPY_TRIES 4u /* of a page that looks damaged: somebody may be writing it */
#define COPY_CACHE_BYTES (16u << 20)
#define COPY_PROGRESS_PAGES 256u

struct copy {
    const char *home;
    const char *scratch;
    struct store_salvage *salvage;
    struct salvage_bad *bad;
};

static enum store_status copy_failed(const struct copy *copy, int error, const char *what, const char *name)
{
    salvage_say(copy->salvage, "cannot %s '%s': %s", what, name, strerror(error));
    return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_UNAVAILABLE;
}

static enum pagefile_state copy_read(int fd, uint32_t number, uint8_t page[PAGEFILE_BYTES])
{
    enum pagefile_state state = pagefile_read(fd, number, page);
    for (unsigned tries = 1; tries < COPY_TRIES && state != PAGEFILE_GOOD && state != PAGEFILE_BLANK; tries++) {
        const struct timespec pause = {.tv_nsec = 2000000};
        nanosleep(&pause, NULL);
        state = pagefile_read(fd, number, page);
    }
    return state;
}

static enum store_status copy_pages(struct copy *copy, int tree, const char *name, int from, int to)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    if (!pagefile_count(from, &count)) {
        return copy_failed(copy, errno, "read", name);
    }
    for (uint32_t number = 0; number < count; number++) {
        enum pagefile_state state = copy_read(from, number, page);
        if (state != PAGEFILE_GOOD && state != PAGEFILE_BLANK) {
            salvage_say(copy->salvage, "page %u of the tree '%s' is damaged", (unsigned)number, salvage_trees[tree]);
            buffer_append(&copy->bad->pages[tree], &number, sizeof number);
            memset(page, 0, sizeof page);
        }
        int error = copying_write(to, page, sizeof page, (uint64_t)number * PAGEFILE_BYTES);
        if (error != 0) {
            return copy_failed(copy, error, "copy", name);
        }
        if (copy->salvage->progress != NULL && number % COPY_PROGRESS_PAGES == 0) {
            copy->salvage->progress(copy->salvage->give.context, "copying", number, count);
        }
    }
    return STORE_OK;
}

static enum store_status copy_tree(struct copy *copy, int tree)
{
    char name[64];
    snprintf(name, sizeof name, "%s.db", salvage_trees[tree]);
    int from = copying_open(copy->home, name, O_RDONLY);
    int to = copying_open(copy->scratch, name, O_RDWR | O_CREAT | O_TRUNC);
    enum store_status status = from < 0 ? copy_failed(copy, errno, "open", name)
                               : to < 0 ? copy_failed(copy, errno, "make", name)
                                        : copy_pages(copy, tree, name, from, to);
    if (from >= 0) {
        close(from);
    }
    if (to >= 0) {
        close(to);
    }
    return status;
}

static enum store_status copy_log(const struct copy *copy, const char *name)
{
    char block[65536];
    int from = copying_open(copy->home, name, O_RDONLY);
    int to = copying_open(copy->scratch, name, O_RDWR | O_CREAT | O_TRUNC);
    int error = from < 0 || to < 0 ? errno : 0;
    for (uint64_t at = 0; error == 0;) {
        ssize_t bytes = pread(from, block, sizeof block, (off_t)at);
        if (bytes == 0) {
            break;
        }
        error = bytes < 0 ? errno : copying_write(to, block, (size_t)bytes, at);
        at += bytes > 0 ? (uint64_t)bytes : 0;
    }
    if (from >= 0) {
        close(from);
    }
    if (to >= 0) {
        close(to);
    }
    return error == 0 ? STORE_OK : copy_failed(copy, error, "copy", name);
}

static enum store_status copy_logs(const struct copy *copy)
{
    DIR *directory = opendir(copy->home);
    enum store_status status = directory == NULL ? copy_failed(copy, errno, "read", copy->home) : STORE_OK;
    const struct dirent *entry;
    while (status == STORE_OK && (errno = 0, entry = readdir(directory)) != NULL) {
        uint32_t number;
        if (logs_number(entry->d_name, &number)) {
            status = copy_log(copy, entry->d_name);
        }
    }
    if (status == STORE_OK && errno != 0) {
        status = copy_failed(copy, errno, "read", copy->home);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return status;
}

static void copy_ignore(const DB_ENV *handle, const char *prefix, const char *message)
{
    (void)handle;
    (void)prefix;
    log_info("Berkeley DB, salvaging: %s", message);
}

static bool copy_lost_page_0(const struct salvage_bad *bad, int tree)
{
    const struct buffer *pages = &bad->pages[tree];
    for (size_t at = 0; at < pages->bytes; at += sizeof(uint32_t)) {
        uint32_t number;
        memcpy(&number, pages->data + at, sizeof number);
        if (number == 0) {
            return true;
        }
    }
    return false;
}

/*
 * logs.h. A tree whose page 0 is damaged does not say who it is: one of its indexes does, whose files a compact puts in
 * their place together with its own.
 */
static bool copy_log_has_all(const struct copy *copy, const struct logs_made *made, int tree)
{
    static const int trees[SALVAGE_TREES] = {TREE_CHATS, TREE_MESSAGES};
    if (!copy_lost_page_0(copy->bad, tree)) {
        return logs_have_all(made, trees[tree], copy->scratch);
    }
    for (int index = 0; index < TREES; index++) {
        if (trees_table()[index].primary == trees[tree] && logs_have_all(made, index, copy->home)) {
            return true;
        }
    }
    return false;
}

/* From the log's beginning on: the pages were read over some time, and the home may be in use. The library's error. */
static int copy_recover(const struct copy *copy)
{
    DB_ENV *handle = NULL;
    struct logs_made made;
    int error = logs_trees_made(copy->scratch, &made);
    for (int tree = 0; tree < SALVAGE_TREES && error == 0; tree++) {
        char path[PATH_MAX];
        /* logs.h: such a tree is made anew from the log, which has all of it. */
        snprintf(path, sizeof path, "%s/%s.db", copy->scratch, salvage_trees[tree]);
        error = copy_log_has_all(copy, &made, tree) && unlink(path) != 0 ? errno : 0;
    }
    error = error == 0 ? db_env_create(&handle, 0) : error;
    if (error != 0) {
        return error;
    }
    handle->set_errcall(handle, copy_ignore);
    error = handle->set_cachesize(handle, 0, COPY_CACHE_BYTES, 1);
    if (error == 0) {
        error = handle->set_lg_regionmax(handle, ENV_LOG_REGION_BYTES);
    }
    if (error == 0) {
        error =
            handle->open(handle, copy->scratch,
                         DB_CREATE | DB_PRIVATE | DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN | DB_RECOVER_FATAL, 0600);
    }
    if (error == 0) {
        error = handle->memp_sync(handle, NULL);
    }
    int closed = handle->close(handle, 0);
    return error != 0 ? error : closed;
}

enum store_status salvage_copy(const char *home, const char *scratch, struct store_salvage *salvage,
                               struct salvage_bad *bad)
{
    struct copy copy = {home, scratch, salvage, bad};
    /* While it is held no log file is removed; without it (a home that cannot be written) nobody else is there. */
    int lock = copying_open(home, ENV_BACKUP_LOCK, O_RDWR);
    if (lock >= 0) {
        (void)flock(lock, LOCK_SH | LOCK_NB);
    }
    enum store_status status = STORE_OK;
    for (int tree = 0; tree < SALVAGE_TREES && status == STORE_OK; tree++) {
        status = copy_tree(&copy, tree);
    }
    if (status == STORE_OK) {
        status = copy_logs(&copy);
    }
    if (lock >= 0) {
        close(lock);
    }
    if (status == STORE_OK && copy_recover(&copy) != 0) {
        salvage_say(salvage, "the log cannot be replayed over a copy: what is in the log only is missing");
        status = STORE_UNAVAILABLE;
    }
    return status;
}
