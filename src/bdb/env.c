#include "bdb/env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/ballast.h"
#include "bdb/damage.h"
#include "bdb/files.h"
#include "bdb/memory.h"
#include "bdb/replace.h"
#include "bdb/sync.h"

#define LIBRARY_LINES_MAX 16u /* a second, in a process */

uint32_t env_library(void)
{
    return DB_VERSION_MAJOR * 10000u + DB_VERSION_MINOR * 100u + DB_VERSION_PATCH;
}

enum store_status env_open(const struct env_options *options, struct env **ret, char problem[GATE_PROBLEM_BYTES_MAX])
{
    struct env *env = calloc(1, sizeof *env);
    if (env == NULL) {
        snprintf(problem, GATE_PROBLEM_BYTES_MAX, "out of memory");
        return STORE_NO_MEMORY;
    }
    env->options = *options;
    env->log_fd = -1;
    struct rlimit limit;
    env->file_bytes_max = getrlimit(RLIMIT_FSIZE, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
    damage_watch();
    memory_watch();
    files_watch();
    enum store_status status = gate_open(options->home, env_library(), &env->gate, problem);
    if (status != STORE_OK) {
        free(env);
        return status;
    }
    *ret = env;
    return STORE_OK;
}

int env_log_end(DB_ENV *handle, uint64_t *ret)
{
    DB_LOG_STAT *stat = NULL;
    int error = handle->log_stat(handle, &stat, 0);
    if (error == 0) {
        *ret = (uint64_t)stat->st_cur_file << 32 | stat->st_cur_offset;
        free(stat);
    }
    return error;
}

uint64_t env_log_distance(uint64_t from, uint64_t to)
{
    uint64_t files = (to >> 32) - (from >> 32);
    return files * ENV_LOG_FILE_BYTES + (to & UINT32_MAX) - (from & UINT32_MAX);
}

void env_move_log_end(struct env *env, uint64_t log_end)
{
    struct gate_page *page = env->gate->page;
    uint64_t before = atomic_load_explicit(&page->log_end, memory_order_relaxed);
    if (before != 0 && log_end > before) { /* a damaged log may have lost its end */
        figures_add(&page->figures.log_bytes, env_log_distance(before, log_end));
    }
    atomic_store(&page->log_end, log_end);
}

static bool env_is_current(const struct env *env)
{
    return env->handle != NULL && env->generation == atomic_load(&env->gate->page->generation) &&
           !gate_recovery_wanted(env->gate);
}

static void env_count_leave(const struct env *env)
{
    if (fault_value(FAULT_UNCOUNTED_JOINS) == 0) {
        atomic_fetch_add(&env->gate->page->leaves, 1);
    }
}

void env_close(struct env *env)
{
    if (env == NULL) {
        return;
    }
    if (env->handle != NULL && gate_lock(env->gate, GATE_LEAVING) == STORE_OK) {
        if (env_is_current(env)) {
            env_close_handles(env);
            env_count_leave(env);
        }
        gate_unlock(env->gate);
    }
    sync_close(env);
    gate_close(env->gate);
    free(env);
}

/* On a full disk the library has three sentences about each page that it cannot write: thousands in one hold. */
static void env_log_library(const DB_ENV *handle, const char *prefix, const char *message)
{
    static atomic_uint_fast64_t second;
    static atomic_uint lines;
    uint64_t now = timestamp_monotonic_ns() / UINT64_C(1000000000);
    (void)handle;
    (void)prefix;
    if (atomic_exchange(&second, now) != now) {
        atomic_store(&lines, 0);
    }
    unsigned line = atomic_fetch_add(&lines, 1);
    if (line < LIBRARY_LINES_MAX) {
        log_error("Berkeley DB: %s", message);
    } else if (line == LIBRARY_LINES_MAX) {
        log_error("Berkeley DB: what else it says in this second is left out");
    }
}

static int env_configure(struct env *env, bool recover)
{
    DB_ENV *handle = env->handle;
    const struct env_options *options = &env->options;
    uint64_t giga = UINT64_C(1) << 30;
    handle->set_errcall(handle, env_log_library);
    /* What the library hands over, such as statistics, is freed by us: not of the reserve. */
    int error = handle->set_alloc(handle, malloc, realloc, free);
    if (error == 0) {
        error = handle->set_cachesize(handle, (u_int32_t)(options->cache_bytes / giga),
                                      (u_int32_t)(options->cache_bytes % giga), 1);
    }
    if (error == 0) {
        error = handle->set_lg_bsize(handle, ENV_LOG_BUFFER_BYTES);
    }
    if (error == 0) {
        long test_kb = fault_value(FAULT_LOG_FILE_KB);
        error = handle->set_lg_max(handle, test_kb != 0 ? (u_int32_t)test_kb << 10 : ENV_LOG_FILE_BYTES);
    }
    if (error == 0) {
        error = handle->set_lg_regionmax(handle, ENV_LOG_REGION_BYTES);
    }
    if (error == 0) {
        error = handle->set_flags(handle, DB_TXN_WRITE_NOSYNC, 1);
    }
    if (error == 0) {
        /* Who holds the gate waits for no mutex of the library: else it asks /sys for the processors at each join. */
        error = handle->mutex_set_tas_spins(handle, 1);
    }
    if (error == 0 && recover) {
        /* New regions are written, not left as holes. A mere joiner would read every page of them: 5 ms for nothing. */
        error = handle->set_flags(handle, DB_REGION_INIT, 1);
    }
    return error;
}

void env_close_handles(struct env *env)
{
    env_close_trees(env);
    if (env->handle != NULL) {
        int error = env->handle->close(env->handle, 0);
        if (error != 0) {
            log_warning("closing the environment: %s", db_strerror(error));
        }
        env->handle = NULL;
    }
}

static void env_drop_handles(struct env *env)
{
    env->handle = NULL;
    memset(env->readers, 0, sizeof env->readers);
    memset(env->writers, 0, sizeof env->writers);
}

void env_abandon(struct env *env)
{
    if (env->handle != NULL) {
        env_drop_handles(env);
        atomic_store(&env->abandoned, true);
    }
}

int env_open_handles(struct env *env, u_int32_t recover_flags, enum store_status *ret_status)
{
    int error = db_env_create(&env->handle, 0);
    if (error != 0) {
        env->handle = NULL;
        return error;
    }
    error = env_configure(env, recover_flags != 0);
    if (error == 0) {
        damage_let_blank_pass(recover_flags != 0);
        error = env->handle->open(env->handle, env->options.home,
                                  DB_INIT_LOG | DB_INIT_MPOOL | DB_INIT_TXN | recover_flags, 0600);
        damage_let_blank_pass(false);
    }
    if (error == 0) {
        /*
         * Who is inside is alone: the library's own mutexes keep nobody out. Not before the regions stand, since who
         * makes them tries a latch, which would seem to fail. (DB_ENV->set_flags: at any time, of this handle.)
         */
        error = env->handle->set_flags(env->handle, DB_NOLOCKING, 1);
    }
    if (error == 0 && recover_flags != 0) {
        error = env_open_all_trees(env);
        if (error == 0) {
            *ret_status = env->options.opened(env->handle, env->writers);
        }
    }
    if (error == DB_OLD_VERSION) {
        error = 0;
        *ret_status = STORE_CORRUPT; /* replace.h; of recovery only */
    }
    if (error != 0 || *ret_status != STORE_OK) {
        env_close_handles(env);
    }
    return error;
}

/* Processes that joined this generation and ended without leaving. The living are only counted when that may matter. */
static uint64_t env_leaked_joins(const struct gate *gate)
{
    uint64_t joined = atomic_load(&gate->page->joins) - atomic_load(&gate->page->leaves);
    if (joined <= ENV_LEAKED_JOINS_MAX) {
        return 0;
    }
    uint64_t living = gate_live_processes(gate);
    return joined > living ? joined - living : 0;
}

/* Whether this program may use the trees that another one has recovered. */
static enum store_status env_check_format(struct env *env)
{
    uint32_t format = atomic_load(&env->gate->page->format);
    if (format > env->options.format) {
        log_error("the home is of format %u, made by a newer version of chats; this one reads format %u",
                  (unsigned)format, (unsigned)env->options.format);
        return STORE_CORRUPT;
    }
    if (format < env->options.format) {
        gate_want_recovery(env->gate, "the home is of an older format");
        return STORE_UNAVAILABLE;
    }
    return STORE_OK;
}

/* Opens handles of the living generation. Recovery may have become wanted on failure. */
static enum store_status env_join(struct env *env)
{
    struct gate_page *page = env->gate->page;
    gate_set_phase(env->gate, GATE_JOINING);
    enum store_status status = env_check_format(env);
    if (status != STORE_OK) {
        return status;
    }
    bool counted = fault_value(FAULT_UNCOUNTED_JOINS) == 0;
    if (counted) {
        atomic_fetch_add(&page->joins, 1);
        if (env_leaked_joins(env->gate) > ENV_LEAKED_JOINS_MAX) {
            gate_want_recovery(env->gate, "too many processes ended without leaving");
            return STORE_UNAVAILABLE;
        }
    }
    int error = env_open_handles(env, 0, &status);
    if (error != 0) {
        if (counted) {
            atomic_fetch_add(&page->leaves, 1);
        }
        if (damage_look_at_files(env, true)) {
            return damage_count(env);
        }
        if (error == ENOENT) {
            gate_want_recovery(env->gate, "the environment's regions are gone");
        }
        return env_failed(env, error, "joining the environment");
    }
    env->generation = atomic_load(&page->generation);
    return STORE_OK;
}

bool env_is_elsewhere(struct env *env)
{
    if (!gate_is_elsewhere(env->gate)) {
        return false;
    }
    if (!atomic_exchange(&env->abandoned, true)) {
        log_error("the home '%s' was moved, removed or replaced while this process used it", env->options.home);
    }
    return true;
}

enum store_status env_enter(struct env *env, enum gate_phase phase)
{
    if (damage_refuses(env)) {
        return STORE_CORRUPT;
    }
    enum store_status status = gate_lock(env->gate, phase);
    if (status != STORE_OK) {
        return status;
    }
    /* Here, not before: the wait for the gate may be long. */
    if (env_is_elsewhere(env)) {
        gate_unlock(env->gate);
        return STORE_UNAVAILABLE;
    }
    /* A join may find that recovery is needed: then once more. */
    for (int attempt = 0; attempt < 2; attempt++) {
        damage_forget();
        if (damage_refuses(env)) {
            status = STORE_CORRUPT;
        } else if (gate_recovery_wanted(env->gate)) {
            status = env_recover(env);
        } else if (env->handle == NULL || (env->generation != atomic_load(&env->gate->page->generation) &&
                                           fault_value(FAULT_SKIP_GENERATION) == 0)) {
            env_abandon(env);
            status = env_join(env);
        } else {
            gate_set_phase(env->gate, phase);
            return STORE_OK;
        }
        if (status == STORE_OK) {
            gate_set_phase(env->gate, phase);
            return STORE_OK;
        }
        if (status != STORE_UNAVAILABLE && status != STORE_NO_MEMORY) {
            break;
        }
    }
    gate_unlock(env->gate);
    return status;
}

void env_leave(struct env *env)
{
    if (damage_met()) {
        damage_count(env); /* by a call that did not say so */
    }
    gate_unlock(env->gate);
}

/* What a process that has left leaves to its end: kept, so that LeakSanitizer need not find out where it is from. */
static DB_ENV *volatile env_left;

void env_leave_call(struct env *env)
{
    bool leaves = env->leaves_early && fault_value(FAULT_LEAVE_LATE) == 0 && !env_checkpoint_is_due(env);
    if (leaves && !damage_met() && env_is_current(env)) {
        /*
         * Only what is open to be written is in the log's region, which would fill. The rest is this process's own, and
         * ends with it, but for counts of users in the regions, which nothing goes by until a recovery makes them anew.
         */
        env_close_writers(env);
        env_left = env->handle;
        env_drop_handles(env);
        env_count_leave(env);
    }
    env_leave(env);
}

bool env_wants_renewal(const struct env *env)
{
    return atomic_load(&env->abandoned);
}

/* True if the library may have failed to write or sync a tree: the kernel does not say so twice. */
static bool env_may_have_lost_a_write(int error)
{
    switch (error) {
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOENT:
        return false;
    default:
        return error == DB_RUNRECOVERY || error > 0;
    }
}

enum store_status env_failed(struct env *env, int error, const char *what)
{
    char reason[256];
    snprintf(reason, sizeof reason, "%s: %s", what, db_strerror(error));
    if (damage_met()) {
        log_error("%s", reason);
        return damage_count(env);
    }
    if (env_may_have_lost_a_write(error)) {
        atomic_fetch_add(&env->gate->page->trees_failed, 1);
    }
    switch (error) {
    case ENOMEM: /* ours or a region's: the library does not say which */
        gate_want_recovery(env->gate, reason);
        return STORE_NO_MEMORY;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        ballast_set_full(env);
        gate_want_recovery(env->gate, reason);
        return STORE_FULL;
    case DB_RUNRECOVERY:
    case EIO:
        gate_want_recovery(env->gate, reason);
        return STORE_UNAVAILABLE;
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOENT:
        log_error("%s", reason);
        return STORE_UNAVAILABLE;
    default:
        if (error > 0) {
            gate_want_recovery(env->gate, reason); /* of the system: a write or sync that failed in another way */
            return STORE_UNAVAILABLE;
        }
        log_error("%s", reason);
        return STORE_CORRUPT;
    }
}
