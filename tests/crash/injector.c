/*
 * injector: for LD_PRELOAD: lets the Nth call of a class fail, for the tests of what a program does then.
 *
 *     CHATS_INJECT="CLASS N ERRNO HOW"    class write, sync, open, resize, mmap (files of CHATS_HOME only) or malloc;
 *                                         N counts from 1, 0 never fails; ERRNO is a number;
 *                                         HOW is once, on (the Nth and all that follow) or short (half is written)
 *     CHATS_INJECT_STATE=FILE             24 bytes, shared by all processes: how many calls there were, how many
 * failed, how many in strdup
 *
 * A program that executes itself anew counts on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc's own names of what is replaced here. */
void *__libc_malloc(size_t bytes);                     /* NOLINT */
void *__libc_calloc(size_t count, size_t bytes);       /* NOLINT */
void *__libc_realloc(void *old, size_t bytes);         /* NOLINT */
void *__libc_memalign(size_t alignment, size_t bytes); /* NOLINT */

enum class { CLASS_WRITE, CLASS_SYNC, CLASS_OPEN, CLASS_RESIZE, CLASS_MMAP, CLASS_MALLOC, CLASSES };

enum how { HOW_ONCE, HOW_ON, HOW_SHORT };

struct state {
    _Atomic uint64_t calls;
    _Atomic uint64_t failed;
    _Atomic uint64_t failed_strdup; /* of those, the allocations of strdup */
};

static struct state *state; /* NULL: nothing fails */
static enum class chosen;
static enum how how;
static uint64_t nth;
static int injected_errno;
static char home[PATH_MAX];

__attribute__((constructor)) static void injector_begin(void)
{
    static const char *const classes[CLASSES] = {"write", "sync", "open", "resize", "mmap", "malloc"};
    static const char *const hows[] = {"once", "on", "short"};
    const char *wanted = getenv("CHATS_INJECT");
    const char *path = getenv("CHATS_INJECT_STATE");
    const char *folder = getenv("CHATS_HOME");
    char class_name[16];
    char how_name[16];
    unsigned long long n;
    if (wanted == NULL || path == NULL || folder == NULL ||
        sscanf(wanted, "%15s %llu %d %15s", class_name, &n, &injected_errno, how_name) != 4) {
        return;
    }
    snprintf(home, sizeof home, "%s", folder);
    nth = n;
    chosen = CLASSES;
    for (int i = 0; i < CLASSES; i++) {
        chosen = strcmp(classes[i], class_name) == 0 ? (enum class)i : chosen;
    }
    for (int i = 0; i < 3; i++) {
        how = strcmp(hows[i], how_name) == 0 ? (enum how)i : how;
    }
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    void *mapped =
        fd < 0 ? MAP_FAILED : (void *)syscall(SYS_mmap, NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0) {
        syscall(SYS_close, fd);
    }
    if (chosen == CLASSES || mapped == MAP_FAILED) {
        static const char complaint[] = "injector: CHATS_INJECT or its state is not understood\n";
        (void)!syscall(SYS_write, STDERR_FILENO, complaint, sizeof complaint - 1);
        abort();
    }
    state = mapped;
}

/* One more call of this class; true if it is to fail: errno is set then. */
static bool fails(enum class class)
{
    if (state == NULL || class != chosen) {
        return false;
    }
    uint64_t n = atomic_fetch_add(&state->calls, 1) + 1;
    if (nth == 0 || n < nth || (n > nth && how != HOW_ON)) {
        return false;
    }
    atomic_fetch_add(&state->failed, 1);
    errno = injected_errno;
    return true;
}

static bool is_in_home(const char *path)
{
    size_t bytes = strlen(home);
    return strncmp(path, home, bytes) == 0 && (path[bytes] == '/' || path[bytes] == '\0');
}

static bool fails_on(enum class class, int fd)
{
    char link[64];
    char path[PATH_MAX];
    if (state == NULL || class != chosen) {
        return false;
    }
    int error = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    long bytes = syscall(SYS_readlink, link, path, sizeof path - 1);
    errno = error;
    path[bytes > 0 ? bytes : 0] = '\0';
    return is_in_home(path) && fails(class);
}

static int open_by(int folder, const char *path, int flags, mode_t mode)
{
    if (state != NULL && chosen == CLASS_OPEN && is_in_home(path) && fails(CLASS_OPEN)) {
        return -1;
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
}

/* The C library's headers have names for the parameters that programs may not use. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_by(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_by(folder, path, flags, mode);
}

/* What is left of a write: nothing (it fails), half of it, or all. -1: it fails. */
static ssize_t written_bytes(int fd, size_t count)
{
    if (!fails_on(CLASS_WRITE, fd)) {
        return (ssize_t)count;
    }
    return how == HOW_SHORT && count > 1 ? (ssize_t)(count / 2) : -1;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    ssize_t left = written_bytes(fd, count);
    return left < 0 ? -1 : syscall(SYS_write, fd, bytes, left);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    ssize_t left = written_bytes(fd, count);
    return left < 0 ? -1 : syscall(SYS_pwrite64, fd, bytes, left, offset);
}

int fsync(int fd)
{
    return fails_on(CLASS_SYNC, fd) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return fails_on(CLASS_SYNC, fd) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ftruncate(int fd, off_t bytes)
{
    return fails_on(CLASS_RESIZE, fd) ? -1 : (int)syscall(SYS_ftruncate, fd, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    return fails_on(CLASS_RESIZE, fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    return fallocate(fd, 0, offset, bytes) == 0 ? 0 : errno;
}

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset)
{
    if (fd >= 0 && fails_on(CLASS_MMAP, fd)) {
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}

void *malloc(size_t bytes)
{
    return fails(CLASS_MALLOC) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(CLASS_MALLOC) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *old, size_t bytes)
{
    return fails(CLASS_MALLOC) ? NULL : __libc_realloc(old, bytes);
}

char *strdup(const char *text)
{
    if (fails(CLASS_MALLOC)) {
        atomic_fetch_add(&state->failed_strdup, 1);
        return NULL;
    }
    size_t bytes = strlen(text) + 1;
    char *copy = __libc_malloc(bytes);
    return copy == NULL ? NULL : memcpy(copy, text, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
    return fails(CLASS_MALLOC) ? NULL : __libc_memalign(alignment, bytes);
}

int posix_memalign(void **ret, size_t alignment, size_t bytes)
{
    void *got = aligned_alloc(alignment, bytes);
    if (got == NULL) {
        return ENOMEM;
    }
    *ret = got;
    return 0;
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
