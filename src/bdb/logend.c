#include "bdb/logend.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bdb/page.h"

#define LOGEND_BLOCK_BYTES 65536u
/* A record that does not fit goes to the next file: one of a page or so. With fewer bytes left there may be a next. */
#define LOGEND_ROOM_BYTES 32768u

/* The number of the newest log file; 0: there is none. errno or 0. */
static int logend_newest_file(const char *home, uint32_t *ret)
{
    DIR *directory = opendir(home);
    const struct dirent *entry;
    *ret = 0;
    if (directory == NULL) {
        return errno;
    }
    while (errno = 0, (entry = readdir(directory)) != NULL) {
        uint32_t number;
        char rest;
        if (sscanf(entry->d_name, "log.%10" SCNu32 "%c", &number, &rest) == 1 && number > *ret) {
            *ret = number;
        }
    }
    int error = errno;
    closedir(directory);
    return error;
}

/* Where the library finds the end of a log: file number << 32 | offset. 0: it cannot tell. */
static uint64_t logend_find(const struct env *env)
{
    DB_ENV *handle = NULL;
    uint64_t end = 0;
    if (db_env_create(&handle, 0) != 0) {
        return 0;
    }
    /* In this process's own memory: no region of the home is touched. */
    int error = handle->set_alloc(handle, malloc, realloc, free); /* as env_configure: what is handed over is freed */
    if (error == 0) {
        error = handle->open(handle, env->options.home, DB_CREATE | DB_PRIVATE | DB_INIT_LOG, 0600);
    }
    if (error == 0) {
        error = env_log_end(handle, &end);
    }
    (void)handle->close(handle, 0);
    return error == 0 ? end : 0;
}

static int logend_open_log(const struct env *env, uint64_t end)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/log.%010" PRIu32, env->options.home, (uint32_t)(end >> 32));
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* 1: there is more behind the end, or no room for much. 0: only zeros, or no file. -1: errno says. */
static int logend_is_doubtful(const struct env *env, uint64_t end)
{
    char block[LOGEND_BLOCK_BYTES];
    int fd = logend_open_log(env, end);
    if (fd < 0) {
        return errno == ENOENT ? 0 : -1;
    }
    off_t offset = (off_t)(end & UINT32_MAX);
    ssize_t bytes = pread(fd, block, sizeof block, offset);
    int doubtful = bytes < 0 ? -1 : bytes < (ssize_t)LOGEND_ROOM_BYTES;
    while (doubtful == 0 && bytes > 0) {
        doubtful = block[0] != 0 || memcmp(block, block + 1, (size_t)bytes - 1) != 0;
        offset += bytes;
        bytes = pread(fd, block, sizeof block, offset);
        if (bytes < 0) {
            doubtful = -1;
        }
    }
    close(fd);
    return doubtful;
}

/* Of a page: its first eight bytes are the place in the log of its last change (file, offset); 0/0 and 0/1 are none. */
static uint64_t logend_of_page(const char *page)
{
    uint32_t lsn[2];
    memcpy(lsn, page, sizeof lsn);
    return (uint64_t)lsn[0] << 32 | lsn[1];
}

static enum store_status logend_check_tree(const struct env *env, const char *tree, uint64_t end)
{
    char path[4096];
    char block[LOGEND_BLOCK_BYTES];
    snprintf(path, sizeof path, "%s/%s.db", env->options.home, tree);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? STORE_OK : STORE_UNAVAILABLE;
    }
    enum store_status status = STORE_OK;
    off_t offset = 0;
    ssize_t bytes;
    while (status == STORE_OK && (bytes = pread(fd, block, sizeof block, offset)) != 0) {
        if (bytes < 0) {
            log_error("cannot read the tree '%s': %s", tree, strerror(errno));
            status = STORE_UNAVAILABLE;
        }
        for (ssize_t at = 0; status == STORE_OK && at + (ssize_t)ENV_PAGE_BYTES <= bytes; at += ENV_PAGE_BYTES) {
            uint64_t lsn = logend_of_page(block + at);
            if (page_look((const uint8_t *)block + at, (uint32_t)((offset + at) / ENV_PAGE_BYTES)) != PAGE_GOOD) {
                continue; /* it says nothing of the log; damage.h deals with it */
            }
            if (lsn >= end && lsn >> 32 != 0) {
                log_error(
                    "the log is damaged or was cut off: it ends at %u/%u, and page %llu of '%s.db' holds what was "
                    "logged at %u/%u; restore a backup, or salvage this home",
                    (unsigned)(end >> 32), (unsigned)end, (unsigned long long)((offset + at) / ENV_PAGE_BYTES), tree,
                    (unsigned)(lsn >> 32), (unsigned)lsn);
                status = STORE_CORRUPT;
            }
        }
        offset += bytes > 0 ? bytes : 0;
    }
    close(fd);
    return status;
}

enum store_status logend_check(const struct env *env, bool failed)
{
    if (atomic_load(&env->gate->page->recoveries) > 0 || env->options.restoring) {
        return STORE_OK;
    }
    /* Where there is no log the library would begin one, and of a file whose beginning is damaged it says nothing. */
    uint32_t newest = 0;
    int error = logend_newest_file(env->options.home, &newest);
    if (error != 0) {
        log_error("cannot look for the log files: %s", strerror(error));
        return error == ENOMEM ? STORE_NO_MEMORY : STORE_UNAVAILABLE;
    }
    uint64_t end = newest == 0 ? 0 : logend_find(env);
    int doubtful = newest > (uint32_t)(end >> 32) || newest == 0 || failed;
    if (end == 0 && newest != 0) {
        return STORE_OK; /* recovery will say what is wrong with it */
    }
    if (doubtful == 0) {
        doubtful = logend_is_doubtful(env, end);
    }
    if (doubtful < 0) {
        log_error("cannot read the log's end: %s", strerror(errno));
        return STORE_UNAVAILABLE;
    }
    enum store_status status = STORE_OK;
    for (int i = 0; doubtful != 0 && status == STORE_OK && i < env->options.trees_count; i++) {
        status = logend_check_tree(env, env->options.trees[i].name, end);
    }
    return status;
}
