#include "bdb/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/*
 * Allocates so many bytes for it, where they are not there yet. Somebody else may be at it outside the gate, or have
 * let go of it: what to keep is for the caller to say, inside. 0 or errno.
 */
static int ballast_allocate(const struct env_options *options, uint64_t bytes)
{
    int fd = ballast_open(options, O_CREAT);
    if (fd < 0) {
        return errno;
    }
    int error = 0;
    if (!ballast_is_whole(fd, bytes)) {
        error = ballast_may_fit(fd, bytes) ? posix_fallocate(fd, 0, (off_t)bytes) : ENOSPC;
    }
    close(fd);
    return error;
}

/* Inside. Makes it no larger than that. True: it has at least that size. */
static bool ballast_cut(const struct env *env, uint64_t bytes)
{
    struct stat st;
    int fd = ballast_open(&env->options, 0);
    bool is_there = fd >= 0 && fstat(fd, &st) == 0;
    if (is_there && (uint64_t)st.st_size > bytes && ftruncate(fd, (off_t)bytes) != 0) {
        log_warning("cannot let go of the ballast: %s", strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    /* By its size alone: not every file system shows the blocks of what it has allocated. */
    return is_there && (uint64_t)st.st_size >= bytes;
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
    if (atomic_load(&env->gate->page->full) != 0) {
        (void)ballast_cut(env, 0);
    }
}

void ballast_keep(struct env *env)
{
    uint64_t bytes = ballast_bytes(&env->options);
    if (atomic_load(&env->gate->page->full) != 0) {
        return;
    }
    int error = ballast_allocate(&env->options, bytes);
    if (error != 0) {
        log_error("cannot allocate the ballast of %llu bytes: %s", (unsigned long long)bytes, strerror(error));
        ballast_set_full(env);
    }
    (void)ballast_cut(env, error == 0 ? bytes : 0);
}

/*
 * Ends a try to make the ballast, under the gate, where `full` says whose it is: once that is cleared it is the home's,
 * and a try that comes to nothing then, however late, takes nothing from it. A recovery may have let go of it
 * meanwhile.
 */
static enum store_status ballast_settle(struct env *env, bool made)
{
    enum store_status status = gate_lock(env->gate, GATE_WRITING);
    if (status != STORE_OK) {
        return status;
    }
    if (env_is_elsewhere(env)) {
        gate_unlock(env->gate);
        return STORE_UNAVAILABLE;
    }
    bool full = atomic_load(&env->gate->page->full) != 0;
    bool is_whole = ballast_cut(env, full && !made ? 0 : ballast_bytes(&env->options)) && made;
    if (full && is_whole) {
        atomic_store(&env->gate->page->full, 0);
        log_warning("there is room again: writes go on");
    }
    gate_unlock(env->gate);
    return !full || is_whole ? STORE_OK : STORE_FULL;
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
    if (env_is_elsewhere(env)) {
        return STORE_UNAVAILABLE;
    }
    int error = ballast_allocate(&env->options, ballast_bytes(&env->options) + BALLAST_MARGIN_BYTES);
    if (error != 0 && !ballast_is_missing_room(error)) {
        log_error("cannot allocate the ballast: %s", strerror(error));
    }
    return ballast_settle(env, error == 0);
}

/* Inside. */
static bool ballast_trees_fit(struct env *env)
{
    if (env->file_bytes_max == RLIM_INFINITY) {
        return true;
    }
    for (int i = 0; i < env->options.trees_count; i++) {
        db_pgno_t last = 0;
        DB *tree = NULL;
        if (env_tree_to_read(env, i, &tree) != 0) {
            continue; /* who needs it is told */
        }
        DB_MPOOLFILE *file = tree->get_mpf(tree);
        if (file->get_last_pgno(file, &last) == 0 &&
            ((uint64_t)last + 1) * ENV_PAGE_BYTES + BALLAST_LIMIT_MARGIN_BYTES > env->file_bytes_max) {
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
