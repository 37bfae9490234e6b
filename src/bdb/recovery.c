#include "bdb/env.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/ballast.h"
#include "bdb/damage.h"
#include "bdb/logend.h"
#include "bdb/sync.h"

#define RECOVERY_PAUSE_MS_FIRST 100u
#define RECOVERY_PAUSE_MS_MAX 5000u
#define RECOVERY_REGION_PREFIX "__db." /* Berkeley DB's own naming of region files */

/*
 * Regions grow on demand up to their mapped size, and the library extends their files with holes (DB_REGION_INIT writes
 * the first part only): on a full disk the first touch of a hole is a SIGBUS. So the blocks of all that is mapped are
 * reserved now. errno, or 0 (also where the file system cannot).
 */
static int recovery_reserve_regions(const char *home)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    if (maps == NULL) {
        return errno;
    }
    char line[PATH_MAX + 128];
    char prefix[PATH_MAX + 16];
    int error = 0;
    unsigned found = 0;
    snprintf(prefix, sizeof prefix, "%s/" RECOVERY_REGION_PREFIX, home);
    while (error == 0 && fgets(line, sizeof line, maps) != NULL) {
        unsigned long from;
        unsigned long to;
        char *path = strchr(line, '/');
        if (path == NULL || strncmp(path, prefix, strlen(prefix)) != 0 || sscanf(line, "%lx-%lx", &from, &to) != 2) {
            continue;
        }
        path[strcspn(path, "\n")] = '\0';
        int fd = open(path, O_RDWR | O_CLOEXEC);
        found++;
        if (fd >= 0) { /* a region of a dead generation is no longer there */
            if (fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)(to - from)) != 0 && errno != EOPNOTSUPP) {
                error = errno;
            }
            close(fd);
        }
    }
    fclose(maps);
    if (found == 0) {
        log_warning("the regions of '%s' are not found in /proc/self/maps: no blocks are reserved for them", home);
    }
    return error;
}

/* Opens with DB_RECOVER, or after a restore with DB_RECOVER_FATAL; the library's error. */
static int recovery_open(struct env *env, enum store_status *ret_status)
{
    u_int32_t how = env->options.restoring ? DB_RECOVER_FATAL : DB_RECOVER;
    int error = env_open_handles(env, how | DB_CREATE, ret_status);
    if (error == 0 && *ret_status == STORE_OK && (damage_met() || damage_look_at_blank_pages(env))) {
        env_close_handles(env);
        error = EIO;
    }
    return error;
}

/*
 * Gives back the blocks of the dead generation's regions and removes the files, as the library would. Processes that
 * have not come by since keep them mapped, each its own generation's: on a full disk the new ones would find no room.
 * Nobody reads a dead region, since the first look inside the gate is at the generation. A hole rather than an end: a
 * touch of the mapping, should there be one, reads zeros and is no SIGBUS. A file that cannot be opened or removed is
 * left to the library to complain of.
 */
static void recovery_drop_regions(const char *home)
{
    DIR *directory = opendir(home);
    if (directory == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        struct stat st;
        char path[PATH_MAX];
        if (strncmp(entry->d_name, RECOVERY_REGION_PREFIX, strlen(RECOVERY_REGION_PREFIX)) != 0) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
        int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (fd >= 0 && fstat(fd, &st) == 0) {
            /*
             * Blocks are reserved beyond the file's end, and ext4 makes no holes there: the end goes first. Where there
             * are no holes at all the old regions stay for a while.
             */
            off_t reserved = (off_t)st.st_blocks * 512;
            off_t bytes = st.st_size > reserved ? st.st_size : reserved;
            if (bytes > 0 && (ftruncate(fd, bytes) != 0 ||
                              fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, bytes) != 0)) {
                log_debug("cannot give a region's blocks back: %s", strerror(errno));
            }
        }
        if (fd >= 0) {
            close(fd);
        }
        (void)unlink(path);
    }
    closedir(directory);
}

/* The steps of env.h up to the point where all that the log says is in the trees and on the disk. */
static enum store_status recovery_run(struct env *env, uint64_t *ret_log_end)
{
    if (fault_value(FAULT_FAIL_RECOVERY) > (long)atomic_fetch_add(&env->recoveries, 1)) {
        log_error("recovery fails by request");
        return STORE_UNAVAILABLE;
    }
    struct gate_page *page = env->gate->page;
    uint32_t trees_failed = atomic_load(&page->trees_failed);
    int error = sync_whole_log(env);
    if (error == 0 && trees_failed != atomic_load(&page->trees_again)) {
        error = sync_trees_again(env);
    }
    if (error != 0) {
        log_error("cannot sync the log before recovery: %s", strerror(error));
        return ballast_is_missing_room(error) ? STORE_FULL : STORE_UNAVAILABLE;
    }
    atomic_store(&page->trees_again, trees_failed);
    if (damage_look_at_files(env, false)) {
        return damage_count(env);
    }
    enum store_status status = logend_check(env, false);
    if (status != STORE_OK) {
        return status == STORE_CORRUPT ? damage_of_log(env) : status;
    }
    recovery_drop_regions(env->options.home);
    error = recovery_open(env, &status);
    if (error == 0 && status == STORE_OK) {
        error = env->handle->log_flush(env->handle, NULL);
        if (error == 0) {
            error = env_log_end(env->handle, ret_log_end);
        }
        if (error == 0) {
            error = sync_folder(env->options.home); /* the names of what was made: trees of a new home, moved ones */
        }
        if (error == 0) {
            error = recovery_reserve_regions(env->options.home);
        }
        if (error != 0) {
            env_close_handles(env);
        }
    }
    if (error == 0 && !damage_met()) {
        return status;
    }
    log_error("recovery: %s", db_strerror(error));
    if (damage_met() || damage_look_at_files(env, true)) {
        return damage_count(env);
    }
    if (ballast_is_missing_room(error)) {
        return STORE_FULL;
    }
    if (error == ENOMEM) {
        return STORE_NO_MEMORY;
    }
    if (error > 0 && error != EINVAL) {
        return STORE_UNAVAILABLE; /* of the system, not of the log */
    }
    return logend_check(env, true) == STORE_CORRUPT ? damage_of_log(env) : STORE_UNAVAILABLE;
}

static void recovery_failed(struct gate_page *page)
{
    uint32_t failures = atomic_fetch_add(&page->recovery_failures, 1);
    figures_add(&page->figures.recovery_failures, 1);
    uint64_t pause_ms = RECOVERY_PAUSE_MS_MAX;
    if (failures < 6 && (RECOVERY_PAUSE_MS_FIRST << failures) < RECOVERY_PAUSE_MS_MAX) {
        pause_ms = RECOVERY_PAUSE_MS_FIRST << failures;
    }
    atomic_store(&page->recovery_retry_at_ns, timestamp_monotonic_ns() + pause_ms * 1000000);
}

static void recovery_succeeded(struct env *env, uint64_t wanted, uint64_t log_end, uint64_t took_ns)
{
    struct gate_page *page = env->gate->page;
    env->generation = atomic_fetch_add(&page->generation, 1) + 1;
    atomic_store(&page->joins, fault_value(FAULT_UNCOUNTED_JOINS) == 0 ? 1 : 0);
    atomic_store(&page->leaves, 0);
    atomic_store(&page->format, env->options.format);
    env_move_log_end(env, log_end);
    atomic_store(&page->synced_log_end, log_end);
    /*
     * Recovery ends with a checkpoint of its own, but removes no log files: the next one is due as if there had been no
     * recovery. Else recoveries that come often enough would let the log grow for ever.
     */
    if (atomic_load(&page->checkpoint_log_end) == 0) {
        atomic_store(&page->checkpoint_log_end, log_end);
        atomic_store(&page->checkpoint_at_ns, timestamp_monotonic_ns());
    }
    atomic_store(&page->checkpoint_joins, 0);
    sync_publish_all(env);
    atomic_store(&page->recovery_failures, 0);
    atomic_fetch_add(&page->recoveries, 1);
    if (took_ns > atomic_load(&page->recovery_longest_ns)) {
        atomic_store(&page->recovery_longest_ns, took_ns);
    }
    atomic_store(&page->recovery_done, wanted);
}

enum store_status env_recover(struct env *env)
{
    struct gate_page *page = env->gate->page;
    uint64_t started_ns = timestamp_monotonic_ns();
    gate_set_phase(env->gate, GATE_RECOVERING);
    env_abandon(env);
    if (started_ns < atomic_load(&page->recovery_retry_at_ns) && !env->insists) {
        return STORE_UNAVAILABLE;
    }
    uint64_t wanted = atomic_load(&page->recovery_wanted);
    uint64_t log_end = 0;
    ballast_let_go(env);
    enum store_status status = recovery_run(env, &log_end);
    if (status == STORE_FULL && atomic_load(&page->full) == 0) {
        ballast_set_full(env);
        ballast_let_go(env);
        status = recovery_run(env, &log_end);
    }
    if (status != STORE_OK) {
        recovery_failed(page);
        return status;
    }
    uint64_t took_ns = timestamp_monotonic_ns() - started_ns;
    recovery_succeeded(env, wanted, log_end, took_ns);
    ballast_keep(env);
    if (atomic_load(&page->full) != 0) {
        (void)env_remove_logs(env); /* no checkpoint comes by to do it */
    }
    log_info("recovered in %llu ms", (unsigned long long)(took_ns / 1000000));
    return STORE_OK;
}
