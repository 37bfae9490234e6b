#include "bdb/sync.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "bdb/ballast.h"

#define LOG_NAME "log.%010" PRIu32 /* Berkeley DB's own naming of log files */

static uint32_t log_end_number(uint64_t log_end)
{
    return (uint32_t)(log_end >> 32);
}

static uint32_t log_end_offset(uint64_t log_end)
{
    return (uint32_t)log_end;
}

enum store_status sync_take_ticket(struct env *env)
{
    uint64_t log_end = 0;
    int error = env_log_end(env->handle, &log_end);
    if (error != 0) {
        return env_failed(env, error, "log_stat");
    }
    /* The end first: a leader that reads the ticket reads an end that is no older. */
    env_move_log_end(env, log_end);
    atomic_fetch_add(&env->gate->page->ticket, 1);
    return STORE_OK;
}

uint64_t sync_ticket(const struct env *env)
{
    return atomic_load(&env->gate->page->ticket);
}

/*
 * Syncs are numbered modulo 32, and who waits sleeps in the futex under the bit of the sync that covers its ticket:
 * the one that runs or, if that began before the ticket was taken, the next.
 */
#define SYNC_NUMBER_BITS 5u
#define SYNC_NUMBERS (1u << SYNC_NUMBER_BITS)
#define SYNC_TICKET(syncing) ((syncing) >> SYNC_NUMBER_BITS)
#define SYNC_BIT(number) (UINT32_C(1) << ((number) % SYNC_NUMBERS))

static uint32_t sync_bit_of(const struct gate_page *page, uint64_t ticket)
{
    uint64_t syncing = atomic_load(&page->syncing);
    return SYNC_BIT(ticket <= SYNC_TICKET(syncing) ? syncing : syncing + 1);
}

/* By the leader. What the sync that begins covers. */
static uint64_t sync_begin(struct gate_page *page)
{
    uint64_t number = (atomic_load(&page->syncing) + 1) % SYNC_NUMBERS;
    uint64_t ticket = atomic_load(&page->ticket);
    atomic_store(&page->syncing, ticket << SYNC_NUMBER_BITS | number);
    return ticket;
}

static void sync_wake(struct gate_page *page, int count, uint32_t bits)
{
    syscall(SYS_futex, &page->wake, FUTEX_WAKE_BITSET, count, NULL, NULL, bits);
}

static void sync_wake_all(struct gate_page *page)
{
    atomic_fetch_add(&page->wake, 1);
    sync_wake(page, INT32_MAX, FUTEX_BITSET_MATCH_ANY);
}

/* When nobody leads any more: one of those whom this sync did not cover is to lead the next. */
static void sync_wake_covered(struct gate_page *page, uint64_t number)
{
    atomic_fetch_add(&page->wake, 1);
    sync_wake(page, INT32_MAX, SYNC_BIT(number));
    sync_wake(page, 1, SYNC_BIT(number + 1));
}

static void sync_sleep(struct gate_page *page, uint32_t seen, uint32_t bits)
{
    uint64_t until_ns = timestamp_monotonic_ns() + SYNC_RECHECK_MS * UINT64_C(1000000);
    struct timespec until = {(time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000)};
    syscall(SYS_futex, &page->wake, FUTEX_WAIT_BITSET, seen, &until, NULL, bits);
}

static void sync_raise(_Atomic uint64_t *value, uint64_t to)
{
    uint64_t seen = atomic_load(value);
    while (seen < to && !atomic_compare_exchange_weak(value, &seen, to)) {
    }
}

static int sync_open_log(const char *home, uint32_t number, int flags)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/" LOG_NAME, home, number) >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, flags | O_CLOEXEC);
}

void sync_close(struct env *env)
{
    if (env->log_fd >= 0) {
        close(env->log_fd);
        env->log_fd = -1;
    }
}

/* By the leader, with the descriptor of that log file from the cache. errno or 0. */
static int sync_log_file(struct env *env, uint32_t number)
{
    uint64_t generation = atomic_load(&env->gate->page->generation);
    if (env->log_fd < 0 || env->log_number != number || env->log_generation != generation) {
        sync_close(env);
        env->log_fd = sync_open_log(env->options.home, number, O_RDWR);
        if (env->log_fd < 0) {
            return errno;
        }
        env->log_number = number;
        env->log_generation = generation;
    }
    if (fault_value(FAULT_FAIL_SYNC) != 0 &&
        (long)atomic_fetch_add(&env->syncs, 1) + 1 == fault_value(FAULT_FAIL_SYNC)) {
        return EIO;
    }
    return fdatasync(env->log_fd) == 0 ? 0 : errno;
}

static bool sync_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

/* By the leader: everything up to the ticket as it stands now goes to the disk. */
static enum store_status sync_lead(struct env *env)
{
    struct gate_page *page = env->gate->page;
    if (fault_value(FAULT_SLOW_SYNC_MS) != 0) {
        struct timespec pause = {fault_value(FAULT_SLOW_SYNC_MS) / 1000,
                                 fault_value(FAULT_SLOW_SYNC_MS) % 1000 * 1000000};
        nanosleep(&pause, NULL);
    }
    if (atomic_load(&page->synced) >= atomic_load(&page->ticket)) {
        return STORE_OK; /* somebody was quicker */
    }
    (void)sched_yield(); /* others are on their way through the gate: a sync for each is dear (src/README.md) */
    uint64_t ticket = sync_begin(page);
    uint64_t log_end = atomic_load(&page->log_end);
    if (gate_recovery_wanted(env->gate)) {
        return STORE_OK; /* perhaps for a failed sync: ours would prove nothing. Recovery publishes */
    }
    int error = sync_log_file(env, log_end_number(log_end));
    if (error == 0 && gate_recovery_wanted(env->gate)) {
        return STORE_OK; /* perhaps the library's own sync of this file failed meanwhile, and ours was told nothing */
    }
    if (error == 0) {
        atomic_fetch_add_explicit(&page->syncs, 1, memory_order_relaxed);
        uint64_t synced = atomic_load(&page->synced); /* by a recovery meanwhile it may be more */
        histogram_add(&page->figures.synced_tickets, &figures_tickets, ticket > synced ? ticket - synced : 0);
        atomic_store(&page->synced_log_end, log_end);
        sync_raise(&page->synced, ticket);
        return STORE_OK;
    }
    if (error == ENOENT) {
        /* Removed since we read its number: then the log has moved on, and the next look shows where. */
        sync_sleep(page, atomic_load(&page->wake), FUTEX_BITSET_MATCH_ANY);
        return STORE_OK;
    }
    if (sync_is_shortage(error)) {
        /* This process's own trouble, before anything was asked of the disk: somebody else may lead. */
        log_error("cannot open the log to sync it: %s", strerror(error));
        return STORE_UNAVAILABLE;
    }
    /* Merged with an earlier failure: what lies between may fail too, which only means that its sender asks again. */
    uint64_t synced = atomic_load(&page->synced);
    if (atomic_load(&page->failed_last) == 0) {
        atomic_store(&page->failed_first, synced + 1);
    }
    sync_raise(&page->failed_last, ticket);
    char reason[128];
    snprintf(reason, sizeof reason, "syncing log file %" PRIu32 " failed: %s", log_end_number(log_end),
             strerror(error));
    if (ballast_is_missing_room(error)) {
        ballast_set_full(env); /* blocks that were promised at the write, but are not there */
    }
    gate_want_recovery(env->gate, reason);
    return STORE_UNAVAILABLE;
}

/* Takes the lead if nobody has it. */
static enum store_status sync_try_to_lead(struct env *env, uint64_t ticket, uint32_t wake_seen)
{
    struct gate_page *page = env->gate->page;
    int error = gate_trylock_robust(&page->leader);
    if (error == EBUSY) {
        sync_sleep(page, wake_seen, sync_bit_of(page, ticket));
        return STORE_OK;
    }
    if (error != 0 && error != EOWNERDEAD) {
        log_error("cannot lead: %s", strerror(error));
        return STORE_UNAVAILABLE;
    }
    enum store_status status = STORE_OK;
    if (error == EOWNERDEAD) {
        gate_want_recovery(env->gate, "the process that synced the log died");
    } else {
        status = sync_lead(env);
    }
    uint64_t number = atomic_load(&page->syncing) % SYNC_NUMBERS;
    pthread_mutex_unlock(&page->leader);
    /* Only now, or who wakes would find a leader, and sleep again. */
    if (status == STORE_OK && error == 0) {
        sync_wake_covered(page, number);
    } else {
        sync_wake_all(page);
    }
    return status;
}

enum sync_state { SYNC_PENDING, SYNC_DONE, SYNC_FAILED };

static enum sync_state sync_look(const struct gate_page *page, uint64_t ticket)
{
    /* In this order: who sees what a recovery published sees the failure that was before it, too. */
    uint64_t synced = atomic_load(&page->synced);
    uint64_t failed_last = atomic_load(&page->failed_last);
    if (failed_last != 0 && ticket <= failed_last && ticket >= atomic_load(&page->failed_first)) {
        return SYNC_FAILED;
    }
    return synced >= ticket ? SYNC_DONE : SYNC_PENDING;
}

bool sync_is_done(const struct env *env, uint64_t ticket)
{
    return sync_look(env->gate->page, ticket) == SYNC_DONE;
}

enum store_status sync_wait_until(struct env *env, uint64_t ticket, uint64_t deadline_ns)
{
    struct gate_page *page = env->gate->page;
    for (;;) {
        uint32_t wake_seen = atomic_load(&page->wake);
        enum sync_state state = sync_look(page, ticket);
        if (state != SYNC_PENDING) {
            return state == SYNC_DONE ? STORE_OK : STORE_UNAVAILABLE;
        }
        if (timestamp_monotonic_ns() > deadline_ns) {
            log_error("the log was not synced within %u ms", SYNC_WAIT_MS);
            return STORE_UNAVAILABLE;
        }
        enum store_status status;
        if (gate_recovery_wanted(env->gate)) {
            /* If everybody waits here nobody else would recover. */
            status = env_enter(env, GATE_READING);
            if (status == STORE_OK) {
                env_leave(env);
            }
        } else {
            status = sync_try_to_lead(env, ticket, wake_seen);
        }
        if (status != STORE_OK) {
            return status;
        }
    }
}

enum store_status sync_wait(struct env *env, uint64_t ticket)
{
    return sync_wait_until(env, ticket, timestamp_monotonic_ns() + SYNC_WAIT_MS * UINT64_C(1000000));
}

void sync_publish_all(struct env *env)
{
    struct gate_page *page = env->gate->page;
    /* After a failed sync, what was committed since went the same way: the kernel may have dropped it before recovery.
     */
    if (atomic_load(&page->failed_last) > atomic_load(&page->synced)) {
        sync_raise(&page->failed_last, atomic_load(&page->ticket));
    }
    /* One ticket more than was given out: who comes now must not wait for one that failed. */
    uint64_t ticket = atomic_fetch_add(&page->ticket, 1) + 1;
    sync_raise(&page->synced, ticket);
    sync_wake_all(page);
}

static bool sync_is_zero(const char *block, size_t bytes)
{
    return bytes == 0 || (block[0] == 0 && memcmp(block, block + 1, bytes - 1) == 0);
}

/*
 * Reads and writes again the bytes of a file from `offset` to its end, so that they are dirty once more. What is zero
 * has not been used yet: the library makes a log file its full size, with a hole, when it begins it.
 */
static int sync_rewrite_file(int fd, off_t offset)
{
    char block[65536];
    for (;;) {
        ssize_t bytes = pread(fd, block, sizeof block, offset);
        if (bytes < 0) {
            return errno;
        }
        if (bytes == 0) {
            return 0;
        }
        for (ssize_t done = 0; done < bytes && !sync_is_zero(block, (size_t)bytes);) {
            ssize_t written = pwrite(fd, block + done, (size_t)(bytes - done), offset + done);
            if (written < 0) {
                return errno;
            }
            done += written;
        }
        offset += bytes;
    }
}

static int sync_one_log(const char *home, uint32_t number, uint64_t synced_log_end)
{
    int fd = sync_open_log(home, number, O_RDWR);
    if (fd < 0) {
        return errno;
    }
    int error = 0;
    if (synced_log_end != 0 && number >= log_end_number(synced_log_end)) {
        uint32_t offset = number == log_end_number(synced_log_end) ? log_end_offset(synced_log_end) : 0;
        error = sync_rewrite_file(fd, (off_t)(offset - offset % ENV_PAGE_BYTES));
    }
    if (error == 0 && fdatasync(fd) != 0) {
        error = errno;
    }
    close(fd);
    return error;
}

int sync_trees_again(const struct env *env)
{
    for (int i = 0; i < env->options.trees_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s.db", env->options.home, env->options.trees[i].name);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT) {
            continue;
        }
        int error = fd < 0 ? errno : sync_rewrite_file(fd, 0);
        if (error == 0 && fdatasync(fd) != 0) {
            error = errno;
        }
        if (fd >= 0) {
            close(fd);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

int sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int error = fsync(fd) == 0 ? 0 : errno;
    close(fd);
    return error;
}

int sync_whole_log(struct env *env)
{
    DIR *directory = opendir(env->options.home);
    if (directory == NULL) {
        return errno;
    }
    uint64_t synced_log_end = atomic_load(&env->gate->page->synced_log_end);
    int error = 0;
    const struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        uint32_t number;
        char rest;
        if (sscanf(entry->d_name, "log.%10" SCNu32 "%c", &number, &rest) == 1) {
            error = sync_one_log(env->options.home, number, synced_log_end);
        }
    }
    if (error == 0) {
        error = errno;
    }
    closedir(directory);
    return error == 0 ? sync_folder(env->options.home) : error;
}
