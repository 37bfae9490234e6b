/* glibc's own headers name the parameters in its own way. */
/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
#include "recorder.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 4096
#define STDIO_BYTES_MAX 65536

static struct trace_head *trace; /* NULL: nothing is recorded */
static char home[PATH_MAX];
static size_t home_bytes;
static unsigned sync_us;
/* By descriptor: the inode it was opened for, 0 if that is none of the home's. */
static _Atomic uint64_t opened[DESCRIPTORS_MAX];
static _Atomic bool is_stdio[DESCRIPTORS_MAX];

/* --- the trace --- */

static void die(const char *why)
{
    (void)!write(STDERR_FILENO, why, strlen(why));
    abort();
}

static int trace_map(const char *path)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    struct stat st;
    int error = fstat(fd, &st) == 0 ? 0 : errno;
    void *mapped = error == 0 ? mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    syscall(SYS_close, fd);
    if (mapped == MAP_FAILED) {
        return error != 0 ? error : errno;
    }
    trace = mapped;
    return 0;
}

int recorder_make(const char *path, uint64_t bytes_max)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return errno;
    }
    int error = syscall(SYS_ftruncate, fd, bytes_max) == 0 ? 0 : errno;
    syscall(SYS_close, fd);
    if (error == 0) {
        error = trace_map(path);
    }
    if (error != 0) {
        return error;
    }
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    error = pthread_mutex_init(&trace->lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    trace->bytes_max = bytes_max;
    trace->end = TRACE_FIRST;
    return error;
}

void recorder_hold(void)
{
    int error = pthread_mutex_lock(&trace->lock);
    if (error == EOWNERDEAD) {
        pthread_mutex_consistent(&trace->lock);
    } else if (error != 0) {
        die("recorder: cannot lock the trace\n");
    }
}

void recorder_release(void)
{
    pthread_mutex_unlock(&trace->lock);
}

/* Held: appends a record; the data is in two parts. Where it stands. */
static uint64_t put(enum record_kind kind, uint64_t inode, uint64_t offset, const struct iovec data[2])
{
    uint64_t at = trace->end;
    struct record r = {kind, (uint32_t)getpid(), inode, offset, data[0].iov_len + data[1].iov_len};
    uint64_t end = (at + sizeof r + r.bytes + 7) / 8 * 8;
    if (end > trace->bytes_max) {
        die("recorder: the trace is full\n");
    }
    char *to = (char *)trace + at;
    memcpy(to, &r, sizeof r);
    for (int i = 0; i < 2; i++) {
        if (data[i].iov_len > 0) {
            memcpy(to + sizeof r + (i == 0 ? 0 : data[0].iov_len), data[i].iov_base, data[i].iov_len);
        }
    }
    trace->end = end;
    return at;
}

static void put_bytes(enum record_kind kind, uint64_t inode, uint64_t offset, const void *bytes, size_t count)
{
    const struct iovec data[2] = {{(void *)(uintptr_t)bytes, count}, {NULL, 0}};
    put(kind, inode, offset, data);
}

static void put_name(enum record_kind kind, uint64_t inode, const char *name)
{
    put_bytes(kind, inode, 0, name, strlen(name));
}

void recorder_mark(const char *words)
{
    recorder_hold();
    put_name(RECORD_MARK, 0, words);
    recorder_release();
}

__attribute__((constructor)) static void recorder_begin(void)
{
    const char *path = getenv("RECORDER_TRACE");
    const char *named = getenv("RECORDER_HOME");
    const char *slow = getenv("RECORDER_SYNC_US");
    if (path == NULL || named == NULL) {
        return;
    }
    home_bytes = strlen(named);
    if (home_bytes >= sizeof home || trace_map(path) != 0) {
        die("recorder: cannot map the trace\n");
    }
    memcpy(home, named, home_bytes + 1);
    sync_us = slow == NULL ? 0 : (unsigned)strtoul(slow, NULL, 10);
}

/* --- whose file is it? --- */

/* The name of a file in the home that is part of an image; NULL: this is none. */
static const char *name_of(const char *path)
{
    if (trace == NULL || strncmp(path, home, home_bytes) != 0 || path[home_bytes] != '/') {
        return NULL;
    }
    const char *name = path + home_bytes + 1;
    bool is_region = strncmp(name, "__db.00", 7) == 0 && strlen(name) == 8;
    if (name[0] == '\0' || strchr(name, '/') != NULL || is_region || strncmp(name, "gate", 4) == 0) {
        return NULL;
    }
    return name;
}

static bool is_home(const char *path)
{
    return trace != NULL && strcmp(path, home) == 0;
}

/* The inode of a descriptor that was opened for a file of the home, or for the home; else 0. */
static uint64_t inode_of(int fd)
{
    struct stat st;
    if (trace == NULL || fd < 0 || fd >= DESCRIPTORS_MAX || opened[fd] == 0) {
        return 0;
    }
    /* Closed by other ways than ours, and another file's by now? */
    return fstat(fd, &st) == 0 && (uint64_t)st.st_ino == opened[fd] ? opened[fd] : 0;
}

/* Of a name beside the descriptor of a folder: the only one whose inode is noted is the home. */
static void path_in_home(const char *name, char ret[2 * PATH_MAX])
{
    snprintf(ret, (size_t)2 * PATH_MAX, "%s/%s", home, name);
}

static uint64_t size_of(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* Held, after an open: says whose the descriptor is, and what the open did. */
static void note_open(int fd, const char *path, const char *name, bool was_there, bool cut)
{
    struct stat st;
    if (fd < 0 || fd >= DESCRIPTORS_MAX || fstat(fd, &st) != 0) {
        return;
    }
    is_stdio[fd] = false;
    opened[fd] = 0;
    if (is_home(path)) {
        opened[fd] = (uint64_t)st.st_ino;
    } else if (name != NULL && S_ISREG(st.st_mode)) {
        opened[fd] = (uint64_t)st.st_ino;
        if (!was_there) {
            put_name(RECORD_CREATE, (uint64_t)st.st_ino, name);
        } else if (cut) {
            put_bytes(RECORD_SIZE, (uint64_t)st.st_ino, 0, NULL, 0);
        }
    }
}

/* Held: a file that stdio writes, whole. */
static void note_stdio(int fd, uint64_t inode)
{
    char path[64];
    static char content[STDIO_BYTES_MAX];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t bytes = again < 0 ? -1 : read(again, content, sizeof content);
    if (again >= 0) {
        syscall(SYS_close, again);
    }
    if (bytes < 0 || bytes == STDIO_BYTES_MAX) {
        die("recorder: a file that stdio writes cannot be read, or is too long\n");
    }
    put_bytes(RECORD_WRITE, inode, 0, content, (size_t)bytes);
    put_bytes(RECORD_SIZE, inode, (uint64_t)bytes, NULL, 0);
}

/* --- open and close --- */

static int open_recorded(const char *path, int flags, mode_t mode)
{
    const char *name = name_of(path);
    if (name == NULL && !is_home(path)) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
        if (fd >= 0 && fd < DESCRIPTORS_MAX) {
            opened[fd] = 0;
        }
        return fd;
    }
    recorder_hold();
    bool was_there = access(path, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    note_open(fd, path, name, was_there, (flags & O_TRUNC) != 0);
    recorder_release();
    errno = error;
    return fd;
}

static mode_t mode_of(int flags, va_list arguments)
{
    return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, mode_t) : 0;
}

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_recorded(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    return open_recorded(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = mode_of(flags, arguments);
    va_end(arguments);
    if (path[0] == '/' || folder == AT_FDCWD) {
        return open_recorded(path, flags, mode);
    }
    if (inode_of(folder) != 0) {
        char whole[2 * PATH_MAX];
        path_in_home(path, whole);
        return open_recorded(whole, flags, mode);
    }
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    /* POSIX has dlsym's object pointer be a function's. */
    FILE *(*next)(const char *, const char *);
    *(void **)&next = dlsym(RTLD_NEXT, "fopen");
    const char *name = name_of(path);
    if (name == NULL || strpbrk(mode, "wa+") == NULL) {
        return next(path, mode);
    }
    recorder_hold();
    bool was_there = access(path, F_OK) == 0;
    FILE *file = next(path, mode);
    if (file != NULL) {
        note_open(fileno(file), path, name, was_there, mode[0] == 'w');
        is_stdio[fileno(file)] = true;
    }
    recorder_release();
    return file;
}

int fclose(FILE *file)
{
    int (*next)(FILE *);
    *(void **)&next = dlsym(RTLD_NEXT, "fclose");
    int fd = fileno(file);
    uint64_t inode = inode_of(fd);
    if (inode == 0 || !is_stdio[fd]) {
        return next(file);
    }
    recorder_hold();
    fflush(file);
    note_stdio(fd, inode);
    opened[fd] = 0;
    int result = next(file);
    recorder_release();
    return result;
}

/* --- content --- */

static ssize_t write_recorded(int fd, const struct iovec *parts, int count, off_t offset)
{
    uint64_t inode = inode_of(fd);
    if (inode == 0) {
        return offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    }
    recorder_hold();
    bool appends = (fcntl(fd, F_GETFL) & O_APPEND) != 0;
    uint64_t at = appends ? size_of(fd) : offset < 0 ? (uint64_t)lseek(fd, 0, SEEK_CUR) : (uint64_t)offset;
    ssize_t written =
        offset < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
    int error = errno;
    ssize_t left = written;
    for (int i = 0; i < count && left > 0; i++) {
        size_t bytes = (size_t)left < parts[i].iov_len ? (size_t)left : parts[i].iov_len;
        put_bytes(RECORD_WRITE, inode, at, parts[i].iov_base, bytes);
        at += bytes;
        left -= (ssize_t)bytes;
    }
    recorder_release();
    errno = error;
    return written;
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    struct iovec part = {(void *)(uintptr_t)bytes, count};
    return write_recorded(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    return write_recorded(fd, parts, count, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    struct iovec part = {(void *)(uintptr_t)bytes, count};
    return write_recorded(fd, &part, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off_t offset)
{
    return pwrite(fd, bytes, count, offset);
}

/* A call that may change the size of the file: `result` is its, made between hold and release. */
static void note_size(int fd, uint64_t inode, uint64_t before)
{
    uint64_t after = size_of(fd);
    if (after != before) {
        put_bytes(RECORD_SIZE, inode, after, NULL, 0);
    }
}

int ftruncate(int fd, off_t bytes)
{
    uint64_t inode = inode_of(fd);
    if (inode == 0) {
        return (int)syscall(SYS_ftruncate, fd, bytes);
    }
    recorder_hold();
    uint64_t before = size_of(fd);
    int result = (int)syscall(SYS_ftruncate, fd, bytes);
    note_size(fd, inode, before);
    recorder_release();
    return result;
}

int ftruncate64(int fd, off_t bytes)
{
    return ftruncate(fd, bytes);
}

int truncate(const char *path, off_t bytes)
{
    if (name_of(path) != NULL) {
        die("recorder: truncate in the home is not recorded\n");
    }
    return (int)syscall(SYS_truncate, path, bytes);
}

int fallocate(int fd, int mode, off_t offset, off_t bytes)
{
    uint64_t inode = inode_of(fd);
    if (inode == 0) {
        return (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    }
    if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) {
        die("recorder: fallocate with this mode is not recorded\n");
    }
    recorder_hold();
    uint64_t before = size_of(fd);
    int result = (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    note_size(fd, inode, before);
    recorder_release();
    return result;
}

int fallocate64(int fd, int mode, off_t offset, off_t bytes)
{
    return fallocate(fd, mode, offset, bytes);
}

int posix_fallocate(int fd, off_t offset, off_t bytes)
{
    return fallocate(fd, 0, offset, bytes) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off_t offset, off_t bytes)
{
    return posix_fallocate(fd, offset, bytes);
}

/* --- names --- */

int rename(const char *old, const char *new)
{
    const char *old_name = name_of(old);
    const char *new_name = name_of(new);
    if (old_name == NULL && new_name == NULL) {
        return (int)syscall(SYS_renameat, AT_FDCWD, old, AT_FDCWD, new);
    }
    if (old_name == NULL || new_name == NULL) {
        die("recorder: a file is renamed into or out of the home\n");
    }
    recorder_hold();
    int result = (int)syscall(SYS_renameat, AT_FDCWD, old, AT_FDCWD, new);
    int error = errno;
    if (result == 0) {
        const struct iovec names[2] = {{(void *)(uintptr_t)old_name, strlen(old_name) + 1},
                                       {(void *)(uintptr_t)new_name, strlen(new_name)}};
        put(RECORD_RENAME, 0, 0, names);
    }
    recorder_release();
    errno = error;
    return result;
}

int unlink(const char *path)
{
    const char *name = name_of(path);
    if (name == NULL) {
        return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    }
    recorder_hold();
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    int error = errno;
    if (result == 0) {
        put_name(RECORD_REMOVE, 0, name);
    }
    recorder_release();
    errno = error;
    return result;
}

int unlinkat(int folder, const char *path, int flags)
{
    if (inode_of(folder) != 0) {
        char whole[2 * PATH_MAX];
        path_in_home(path, whole);
        return unlink(whole);
    }
    return folder == AT_FDCWD && flags == 0 ? unlink(path) : (int)syscall(SYS_unlinkat, folder, path, flags);
}

/* --- syncs --- */

static int sync_recorded(int fd, long number)
{
    uint64_t inode = inode_of(fd);
    if (inode == 0) {
        return (int)syscall(number, fd);
    }
    recorder_hold();
    if (is_stdio[fd]) {
        note_stdio(fd, inode);
    }
    const struct iovec nothing[2] = {{NULL, 0}, {NULL, 0}};
    uint64_t began = put(RECORD_SYNC, inode, 0, nothing);
    recorder_release();
    int result = (int)syscall(number, fd);
    int error = errno;
    if (sync_us > 0) {
        struct timespec pause = {0, (long)sync_us * 1000};
        nanosleep(&pause, NULL);
    }
    if (result == 0) {
        recorder_hold();
        put(RECORD_SYNCED, inode, began, nothing);
        recorder_release();
    }
    errno = error;
    return result;
}

int fsync(int fd)
{
    return sync_recorded(fd, SYS_fsync);
}

int fdatasync(int fd)
{
    return sync_recorded(fd, SYS_fdatasync);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
