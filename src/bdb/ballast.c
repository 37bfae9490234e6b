#include "bdb/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/timestamp.h"

#define BALLAST_BLOCK_BYTES 512u /* of st_blocks: stat(2) */

uint64_t ballast_bytes(const struct env_options *options)
{
    uint64_t growth = BALLAST_GROWTH(options->checkpoint_bytes);
    uint64_t cache = BALLAST_CACHE(options->cache_bytes);
    return (growth < cache ? growth : cache) + ENV_LOG_FILE_BYTES + BALLAST_SLACK_BYTES;
}

bool ballast_is_missing_room(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static int ballast_open(const struct env_options *options, int flags)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", options->home, BALLAST_FILE) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/*
 * By its blocks, too: a copy of a home may have a hole there. Its size is what it was made for: not so if chats.conf
 * has changed.
 */
static bool ballast_is_whole(int fd, uint64_t bytes)
{
    struct stat st;
    return fstat(fd, &st) == 0 && (uint64_t)st.st_size == bytes &&
           (uint64_t)st.st_blocks * BALLAST_BLOCK_BYTES >= bytes;
}

/*
 * Asked first, lest every try take the last of the room from others for a moment. A quota does not show here, and of
 * ours it counts what the ballast has already.
 */
static bool ballast_may_fit(int fd, uint64_t bytes)
{
    struct statvfs fs;
    struct stat st;
    if (fstatvfs(fd, &fs) != 0 || fstat(fd, &st) != 0) {
        return true;
    }
    return (uint64_t)fs.f_bavail * fs.f_frsize + (uint64_t)st.st_blocks * BALLAST_BLOCK_BYTES >= bytes;
}

int ballast_make(const struct env_options *options, uint64_t margin)
{
    uint64_t bytes = ballast_bytes(options);
    int fd = ballast_open(options, O_CREAT);
    if (fd < 0) {
        return errno;
    }
    int error = 0;
    if (margin > 0 || !ballast_is_whole(fd, bytes)) {
        error = ballast_may_fit(fd, bytes + margin) ? posix_fallocate(fd, 0, (off_t)(bytes + margin)) : ENOSPC;
        if (ftruncate(fd, error == 0 ? (off_t)bytes : 0) != 0 && error == 0) {
            error = errno;
        }
    }
    close(fd);
    return error;
}

bool ballast_prove(const struct env_options *options, char problem[GATE_PROBLEM_BYTES_MAX])
{
    char path[4096];
    uint64_t bytes = BALLAST_HOME_BYTES + BALLAST_CACHE(options->cache_bytes) + ballast_bytes(options);
    if ((size_t)snprintf(path, sizeof path, "%s/" BALLAST_FILE "-trial.XXXXXX", options->home) >= sizeof path) {
        snprintf(problem, GATE_PROBLEM_BYTES_MAX, "the home's name is too long");
        return false;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        snprintf(problem, GATE_PROBLEM_BYTES_MAX, "cannot make a file in '%s': %s", options->home, strerror(errno));
        return false;
    }
    unlink(path);
    int error = ballast_may_fit(fd, bytes) ? posix_fallocate(fd, 0, (off_t)bytes) : ENOSPC;
    close(fd);
    if (ballast_is_missing_room(error)) {
        snprintf(problem, GATE_PROBLEM_BYTES_MAX,
                 "there is no room for a home in '%s': it begins with %llu MiB for what is shared in memory, the log "
                 "and a reserve for the day when the disk is full; the keys cache and checkpoint_bytes decide",
                 options->home, (unsigned long long)((bytes + (1u << 20) - 1) >> 20));
    } else if (error != 0) {
        snprintf(problem, GATE_PROBLEM_BYTES_MAX, "cannot allocate room in '%s': %s", options->home, strerror(error));
    }
    return error == 0;
}

void ballast_set_full(struct env *env)
{
    struct gate_page *page = env->gate->page;
    atomic_store(&page->full_retry_at_ns, timestamp_monotonic_ns() + BALLAST_RETRY_MS * UINT64_C(1000000));
    if (atomic_exchange(&page->full, 1) == 0) {
        log_error("there is no room left: writes are refused until there is; reads go on");
    }
}

void ballast_let_go(struct env *env)
{
    if (atomic_load(&env->gate->page->full) == 0) {
        return;
    }
    int fd = ballast_open(&env->options, 0);
    if (fd < 0 || ftruncate(fd, 0) != 0) {
        log_warning("cannot let the ballast go: %s", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

void ballast_keep(struct env *env)
{
    if (atomic_load(&env->gate->page->full) != 0) {
        return;
    }
    int error = ballast_make(&env->options, 0);
    if (error != 0) {
        log_error("cannot allocate the ballast of %llu bytes: %s", (unsigned long long)ballast_bytes(&env->options),
                  strerror(error));
        ballast_set_full(env);
    }
}

/* Whether the ballast is in its place is looked at under the gate: a recovery may have let it go again. */
static enum store_status ballast_clear_full(struct env *env)
{
    enum store_status status = gate_lock(env->gate, GATE_WRITING);
    if (status != STORE_OK) {
        return status;
    }
    int fd = ballast_open(&env->options, 0);
    struct stat st;
    /* By its size alone: not every file system shows the blocks of what it has allocated. */
    bool is_whole = fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == ballast_bytes(&env->options);
    if (fd >= 0) {
        close(fd);
    }
    if (is_whole && atomic_exchange(&env->gate->page->full, 0) != 0) {
        log_warning("there is room again: writes go on");
    }
    gate_unlock(env->gate);
    return is_whole ? STORE_OK : STORE_FULL;
}

enum store_status ballast_wait_for_room(struct env *env)
{
    struct gate_page *page = env->gate->page;
    if (atomic_load_explicit(&page->full, memory_order_relaxed) == 0) {
        return STORE_OK;
    }
    uint64_t now_ns = timestamp_monotonic_ns();
    uint64_t retry_at_ns = atomic_load(&page->full_retry_at_ns);
    if (now_ns < retry_at_ns || !atomic_compare_exchange_strong(&page->full_retry_at_ns, &retry_at_ns,
                                                                now_ns + BALLAST_RETRY_MS * UINT64_C(1000000))) {
        return STORE_FULL;
    }
    int error = ballast_make(&env->options, BALLAST_MARGIN_BYTES);
    if (error != 0) {
        if (!ballast_is_missing_room(error)) {
            log_error("cannot allocate the ballast: %s", strerror(error));
        }
        return STORE_FULL;
    }
    return ballast_clear_full(env);
}

/* Inside. A limit that the process has from its start: shells and servers set it, not we. */
static bool ballast_trees_fit(struct env *env)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    for (int i = 0; i < env->options.trees_count; i++) {
        db_pgno_t last = 0;
        DB_MPOOLFILE *file = env->trees[i]->get_mpf(env->trees[i]);
        if (file->get_last_pgno(file, &last) == 0 &&
            ((uint64_t)last + 1) * ENV_PAGE_BYTES + BALLAST_LIMIT_MARGIN_BYTES > limit.rlim_cur) {
            log_error("the tree '%s' is as large as the limit on the size of files allows (RLIMIT_FSIZE)",
                      env->options.trees[i].name);
            return false;
        }
    }
    return true;
}

enum store_status ballast_admit(struct env *env)
{
    return atomic_load(&env->gate->page->full) == 0 && ballast_trees_fit(env) ? STORE_OK : STORE_FULL;
}
