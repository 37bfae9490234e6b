#include "bdb/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/timestamp.h"

static const char gate_magic[8] = "chatgate";

#define GATE_PROOF_WAIT_S 5
/* Newcomers that meet on a fresh page all want the lock, and take turns for so long. */
#define GATE_SETUP_WAIT_MS 2000u

static const char *const gate_phase_names[GATE_PHASES] = {
    [GATE_IDLE] = "idle",
    [GATE_READING] = "reading",
    [GATE_WRITING] = "writing",
    [GATE_COMMITTING] = "committing",
    [GATE_JOINING] = "joining",
    [GATE_LEAVING] = "leaving",
    [GATE_RECOVERING] = "recovering",
    [GATE_CHECKPOINTING] = "checkpointing",
    [GATE_REMOVING_LOGS] = "removing logs",
};

static const char *gate_phase_name(uint32_t phase)
{
    return phase < GATE_PHASES ? gate_phase_names[phase] : "?";
}

static enum store_status gate_refuse(enum store_status status, char problem[GATE_PROBLEM_BYTES_MAX], const char *format,
                                     ...) __attribute__((format(printf, 3, 4)));

static enum store_status gate_refuse(enum store_status status, char problem[GATE_PROBLEM_BYTES_MAX], const char *format,
                                     ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, GATE_PROBLEM_BYTES_MAX, format, args);
    va_end(args);
    return status;
}

static enum store_status gate_status_of_errno(int error)
{
    return error == ENOSPC || error == EDQUOT ? STORE_FULL : STORE_UNAVAILABLE;
}

static bool gate_boot_id(char ret[GATE_BOOT_ID_BYTES])
{
    memset(ret, 0, GATE_BOOT_ID_BYTES);
    if (fault_value(FAULT_BOOT_ID) != 0) {
        snprintf(ret, GATE_BOOT_ID_BYTES, "test boot %ld", fault_value(FAULT_BOOT_ID));
        return true;
    }
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t bytes = read(fd, ret, GATE_BOOT_ID_BYTES - 1);
    close(fd);
    return bytes > 0;
}

/* The identity that a page in this file must have for us. Zeroed first: it is compared as bytes. */
static bool gate_identity_ours(int fd, uint32_t library, struct gate_identity *ret)
{
    struct stat st;
    struct statx stx;
    memset(ret, 0, sizeof *ret);
    if (fstat(fd, &st) != 0) {
        return false;
    }
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &stx) == 0 && (stx.stx_mask & STATX_BTIME) != 0) {
        ret->born_ns = (uint64_t)stx.stx_btime.tv_sec * 1000000000 + stx.stx_btime.tv_nsec;
    }
    memcpy(ret->magic, gate_magic, sizeof ret->magic);
    ret->layout = fault_value(FAULT_LAYOUT) != 0 ? (uint32_t)fault_value(FAULT_LAYOUT) : GATE_LAYOUT;
    ret->library = library;
    ret->device = (uint64_t)st.st_dev;
    ret->inode = (uint64_t)st.st_ino;
    return gate_boot_id(ret->boot_id);
}

static bool gate_mutex_init(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    if (pthread_mutexattr_init(&attributes) != 0) {
        return false;
    }
    bool ok = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0 &&
              pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0 &&
              pthread_mutex_init(mutex, &attributes) == 0;
    pthread_mutexattr_destroy(&attributes);
    return ok;
}

/*
 * Writes a new page under the exclusive flock. The magic goes first and comes last: a page half set up by a process
 * that was killed is nobody's. The fences keep the compiler to that order; readers are kept off by the flock.
 */
static bool gate_page_setup(struct gate_page *page, const struct gate_identity *identity)
{
    memset(page->identity.magic, 0, sizeof page->identity.magic);
    atomic_signal_fence(memory_order_seq_cst);
    memset(page, 0, GATE_PAGE_BYTES);
    if (!gate_mutex_init(&page->gate) || !gate_mutex_init(&page->leader) || !gate_mutex_init(&page->checkpointer)) {
        return false;
    }
    atomic_store(&page->generation, crypto_random_u64());
    atomic_store(&page->recovery_wanted, 1);
    atomic_store(&page->checkpoint_at_ns, timestamp_monotonic_ns());
    struct gate_identity unfinished = *identity;
    memset(unfinished.magic, 0, sizeof unfinished.magic);
    page->identity = unfinished;
    atomic_signal_fence(memory_order_seq_cst);
    memcpy(page->identity.magic, identity->magic, sizeof identity->magic);
    return true;
}

/*
 * Gets the shared lock on a page of our identity, setting the page up where that needs doing and nobody uses it.
 * flock(2) does not convert locks atomically, so every step looks again.
 */
static enum store_status gate_page_claim(int fd, struct gate_page *page, const struct gate_identity *ours,
                                         char problem[GATE_PROBLEM_BYTES_MAX])
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + GATE_SETUP_WAIT_MS * UINT64_C(1000000);
    for (;;) {
        /* Whoever has it exclusively is setting the page up: that takes microseconds. */
        if (flock(fd, LOCK_SH) != 0) {
            return gate_refuse(STORE_UNAVAILABLE, problem, "cannot lock the gate: %s", strerror(errno));
        }
        if (memcmp(&page->identity, ours, sizeof *ours) == 0) {
            return STORE_OK;
        }
        flock(fd, LOCK_UN);
        if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
            if (memcmp(&page->identity, ours, sizeof *ours) != 0 && !gate_page_setup(page, ours)) {
                return gate_refuse(STORE_UNAVAILABLE, problem, "cannot make a robust shared mutex on this system");
            }
            flock(fd, LOCK_UN);
            continue;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            return gate_refuse(STORE_UNAVAILABLE, problem, "cannot lock the gate: %s", strerror(errno));
        }
        if (timestamp_monotonic_ns() > deadline_ns) {
            return gate_refuse(STORE_UNAVAILABLE, problem,
                               "older workers are still running: the gate page is of another version or boot "
                               "and in use; stop them first");
        }
        struct timespec pause = {0, (long)(1000000 + crypto_random_u64() % 4000000)};
        nanosleep(&pause, NULL);
    }
}

static enum store_status gate_map(int fd, struct gate_page **ret, char problem[GATE_PROBLEM_BYTES_MAX])
{
    int error = posix_fallocate(fd, 0, GATE_PAGE_BYTES);
    if (error != 0) {
        return gate_refuse(gate_status_of_errno(error), problem, "cannot allocate the gate page: %s", strerror(error));
    }
    void *page = mmap(NULL, GATE_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (page == MAP_FAILED) {
        return gate_refuse(STORE_UNAVAILABLE, problem, "cannot map the gate page: %s", strerror(errno));
    }
    *ret = page;
    return STORE_OK;
}

enum store_status gate_open(const char *home, uint32_t library, struct gate **ret, char problem[GATE_PROBLEM_BYTES_MAX])
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL) {
        return gate_refuse(STORE_NO_MEMORY, problem, "out of memory");
    }
    enum store_status status = STORE_OK;
    char path[4096];
    gate->fd = -1;
    gate->pid = getpid();
    if ((size_t)snprintf(path, sizeof path, "%s/%s", home, GATE_FILE) >= sizeof path) {
        status = gate_refuse(STORE_UNAVAILABLE, problem, "the home's name is too long");
        goto out;
    }
    gate->path = strdup(path);
    if (gate->path == NULL) {
        status = gate_refuse(STORE_NO_MEMORY, problem, "out of memory");
        goto out;
    }
    gate->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (gate->fd < 0) {
        status = gate_refuse(gate_status_of_errno(errno), problem, "cannot open '%s': %s", path, strerror(errno));
        goto out;
    }
    struct gate_identity ours;
    if (!gate_identity_ours(gate->fd, library, &ours)) {
        status = gate_refuse(STORE_UNAVAILABLE, problem, "cannot tell which boot this is: /proc is not mounted");
        goto out;
    }
    status = gate_map(gate->fd, &gate->page, problem);
    if (gate->page != NULL) {
        status = gate_page_claim(gate->fd, gate->page, &ours, problem);
    }
out:
    if (status != STORE_OK) {
        gate_close(gate);
        return status;
    }
    *ret = gate;
    return STORE_OK;
}

void gate_close(struct gate *gate)
{
    if (gate == NULL) {
        return;
    }
    if (gate->page != NULL) {
        munmap(gate->page, GATE_PAGE_BYTES);
    }
    if (gate->fd >= 0) {
        close(gate->fd);
    }
    free(gate->path);
    free(gate);
}

bool gate_is_elsewhere(const struct gate *gate)
{
    struct stat st;
    const struct gate_identity *identity = &gate->page->identity;
    if (stat(gate->path, &st) != 0) {
        return errno == ENOENT || errno == ENOTDIR;
    }
    return st.st_ino != identity->inode || st.st_dev != identity->device;
}

static void gate_found_dead_holder(struct gate *gate)
{
    struct gate_page *page = gate->page;
    uint32_t phase = atomic_load(&page->holder_phase);
    uint32_t pid = atomic_load(&page->holder_pid);
    atomic_fetch_add(&page->deaths[phase < GATE_PHASES ? phase : GATE_IDLE], 1);
    if (fault_value(FAULT_IGNORE_OWNER_DEATH) == 0) {
        char reason[64];
        snprintf(reason, sizeof reason, "process %u died while %s", (unsigned)pid, gate_phase_name(phase));
        gate_want_recovery(gate, reason);
    }
    /* At once: a mutex left inconsistent at the next unlock could never be locked again. */
    pthread_mutex_consistent(&page->gate);
}

/* As pthread_mutex_lock, but gives up after wait_s seconds with ETIMEDOUT. */
static int gate_timed_lock(pthread_mutex_t *mutex, time_t wait_s)
{
#ifdef __SANITIZE_THREAD__
    /*
     * gcc 12's thread sanitizer does not know the other call, and takes a timed one that returns EOWNERDEAD for a
     * failure: it would report everything behind them as a race. It knows this one.
     */
    uint64_t end_ns = timestamp_monotonic_ns() + (uint64_t)wait_s * 1000000000;
    for (;;) {
        int error = pthread_mutex_trylock(mutex);
        if (error != EBUSY || timestamp_monotonic_ns() > end_ns) {
            return error == EBUSY ? ETIMEDOUT : error;
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
#else
    struct timespec deadline;
    /* A real-time deadline would move when the host's clock is set. */
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += wait_s;
    return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &deadline);
#endif
}

/* By the holder. */
static void gate_count_wait(struct figures *figures, uint64_t waited_ns)
{
    histogram_add(&figures->gate_waited_ns, &figures_gate_ns, waited_ns);
    if (waited_ns > figures_read(&figures->gate_longest_wait_ns)) {
        atomic_store_explicit(&figures->gate_longest_wait_ns, waited_ns, memory_order_relaxed);
    }
}

enum store_status gate_lock(struct gate *gate, enum gate_phase phase)
{
    struct gate_page *page = gate->page;
    uint64_t waits_since_ns = 0;
    int error = pthread_mutex_trylock(&page->gate);
    if (error == EBUSY) {
        waits_since_ns = timestamp_monotonic_ns();
        error = gate_timed_lock(&page->gate, GATE_WAIT_MS / 1000);
    }
    if (error == EOWNERDEAD) {
        gate_found_dead_holder(gate);
    } else if (error == ETIMEDOUT) {
        uint64_t since_ns = atomic_load(&page->holder_since_ns);
        uint64_t now_ns = timestamp_monotonic_ns();
        figures_add(&page->figures.gate_timeouts, 1);
        log_error("the gate has been held by process %u for %llu ms (%s)", (unsigned)atomic_load(&page->holder_pid),
                  (unsigned long long)((now_ns > since_ns ? now_ns - since_ns : 0) / 1000000),
                  gate_phase_name(atomic_load(&page->holder_phase)));
        return STORE_UNAVAILABLE;
    } else if (error != 0) {
        log_error("cannot lock the gate: %s", strerror(error));
        return STORE_UNAVAILABLE;
    }
    uint64_t now_ns = timestamp_monotonic_ns();
    atomic_store_explicit(&page->holder_phase, (uint32_t)phase, memory_order_relaxed);
    atomic_store_explicit(&page->holder_since_ns, now_ns, memory_order_relaxed);
    atomic_store_explicit(&page->holder_pid, (uint32_t)gate->pid, memory_order_release);
    gate_count_wait(&page->figures, waits_since_ns != 0 ? now_ns - waits_since_ns : 0);
    return STORE_OK;
}

void gate_set_phase(struct gate *gate, enum gate_phase phase)
{
    atomic_store_explicit(&gate->page->holder_phase, (uint32_t)phase, memory_order_release);
}

void gate_watch_chats(struct gate *gate, bool watch)
{
    gate->page->chats_watched = watch ? 1 : 0;
    gate->page->chats_count = 0;
}

void gate_chat_changed(struct gate *gate, uint64_t chat_number)
{
    struct gate_page *page = gate->page;
    if (page->chats_watched == 0 || page->chats_count > GATE_CHATS_CHANGED) {
        return;
    }
    for (uint32_t i = 0; i < page->chats_count; i++) {
        if (page->chats_changed[i] == chat_number) {
            return;
        }
    }
    if (page->chats_count < GATE_CHATS_CHANGED) {
        page->chats_changed[page->chats_count] = chat_number;
    }
    page->chats_count++;
}

uint32_t gate_take_chats(struct gate *gate, uint64_t ret[GATE_CHATS_CHANGED])
{
    struct gate_page *page = gate->page;
    uint32_t count = page->chats_count;
    memcpy(ret, page->chats_changed, (count < GATE_CHATS_CHANGED ? count : GATE_CHATS_CHANGED) * sizeof *ret);
    page->chats_count = 0;
    return count;
}

void gate_unlock(struct gate *gate)
{
    struct gate_page *page = gate->page;
    uint64_t since_ns = atomic_load_explicit(&page->holder_since_ns, memory_order_relaxed);
    uint64_t held_ns = timestamp_monotonic_ns() - since_ns;
    atomic_store_explicit(&page->holder_phase, GATE_IDLE, memory_order_relaxed);
    atomic_store_explicit(&page->holder_pid, 0, memory_order_release);
    int error = pthread_mutex_unlock(&page->gate);
    if (error != 0) {
        log_error("cannot unlock the gate: %s", strerror(error));
    }
    histogram_add(&page->figures.gate_held_ns, &figures_gate_ns, held_ns);
}

void gate_want_recovery(struct gate *gate, const char *reason)
{
    atomic_fetch_add(&gate->page->recovery_wanted, 1);
    log_warning("recovery is wanted: %s", reason);
}

void gate_plan_recovery(struct gate *gate, const char *reason)
{
    atomic_fetch_add(&gate->page->recovery_wanted, 1);
    log_info("recovery is wanted: %s", reason);
}

bool gate_recovery_wanted(const struct gate *gate)
{
    return atomic_load(&gate->page->recovery_wanted) != atomic_load(&gate->page->recovery_done);
}

uint64_t gate_live_processes(const struct gate *gate)
{
    struct stat st;
    FILE *locks = fopen("/proc/locks", "re");
    if (locks == NULL) {
        return 0;
    }
    uint64_t count = 0;
    char line[256];
    if (fstat(gate->fd, &st) == 0) {
        while (fgets(line, sizeof line, locks) != NULL) {
            unsigned long long inode;
            if (sscanf(line, "%*d: FLOCK ADVISORY READ %*d %*x:%*x:%llu", &inode) == 1 && inode == st.st_ino) {
                count++;
            }
        }
    }
    fclose(locks);
    return count;
}

int gate_trylock_robust(pthread_mutex_t *mutex)
{
    int error = pthread_mutex_trylock(mutex);
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(mutex);
    }
    return error;
}

/*
 * In the child of gate_prove: takes the gate, says so, and waits to be killed. It ends with its parent: it has all its
 * descriptors, and with them its locks.
 */
static void gate_prove_child(struct gate_page *page, pid_t parent, int said_fd)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(1);
    }
    char byte = pthread_mutex_lock(&page->gate) == 0 ? '+' : '-';
    if (write(said_fd, &byte, 1) == 1) {
        for (;;) {
            pause();
        }
    }
    _exit(1);
}

static bool gate_prove_on(struct gate_page *page, char problem[GATE_PROBLEM_BYTES_MAX])
{
    int said[2];
    if (!gate_mutex_init(&page->gate) || pipe2(said, O_CLOEXEC) != 0) {
        (void)gate_refuse(STORE_UNAVAILABLE, problem, "cannot make a robust shared mutex on this system");
        return false;
    }
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        gate_prove_child(page, parent, said[1]);
    }
    close(said[1]);
    char byte = '-';
    bool held = child > 0 && read(said[0], &byte, 1) == 1 && byte == '+';
    close(said[0]);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    if (!held || gate_timed_lock(&page->gate, GATE_PROOF_WAIT_S) != EOWNERDEAD) {
        (void)gate_refuse(STORE_UNAVAILABLE, problem,
                          "this kernel does not hand on a dead process's robust mutex: chats cannot run here");
        return false;
    }
    pthread_mutex_consistent(&page->gate);
    pthread_mutex_unlock(&page->gate);
    return true;
}

bool gate_prove(const char *home, char problem[GATE_PROBLEM_BYTES_MAX])
{
    char path[4096];
    struct gate_page *page = NULL;
    if ((size_t)snprintf(path, sizeof path, "%s/gate-trial.XXXXXX", home) >= sizeof path) {
        (void)gate_refuse(STORE_UNAVAILABLE, problem, "the home's name is too long");
        return false;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0) {
        (void)gate_refuse(STORE_UNAVAILABLE, problem, "cannot make a file in '%s': %s", home, strerror(errno));
        return false;
    }
    unlink(path);
    bool proved = false;
    if (gate_map(fd, &page, problem) == STORE_OK && page != NULL) {
        proved = gate_prove_on(page, problem);
        munmap(page, GATE_PAGE_BYTES);
    }
    close(fd);
    return proved;
}
