#include "bdb/files.h"

#include <db.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bdb/sync.h"

/* A tree that is being opened. */
struct file_tree {
    const char *path; /* NULL: none, and the rest means nothing */
    bool is_there;    /* its file is, and is no folder: asked, or opened */
    int flags;        /* of the first open(2) */
    int open_fd;      /* what that gave; -1: nothing yet, or it has been closed */
    int spare_fd;     /* the same, since the library closed it, until it opens it again; -1: none */
};

/* By this thread: the library's functions have no context. */
static __thread struct file_tree tree;

static bool file_is_trees(const char *path)
{
    return tree.path != NULL && strcmp(path, tree.path) == 0;
}

static bool file_is_log(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash != NULL ? slash + 1 : path, "log.", 4) == 0;
}

/*
 * A new log file: its name is on the disk before anything is written to it. A page of a tree may follow at any moment,
 * when a checkpoint or the cache writes it, and after a power cut would be newer than a log whose last file has no
 * name. Inside the gate, once for each ENV_LOG_FILE_BYTES.
 */
static int file_make_log(const char *path, int flags, mode_t mode)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    int bytes = slash == NULL ? 1 : (int)(slash - path);
    snprintf(folder, sizeof folder, "%.*s", bytes, slash == NULL ? "." : path);
    int fd = open(path, flags | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 && errno == EEXIST) {
        return open(path, flags | O_CLOEXEC, mode);
    }
    int error = fd >= 0 ? sync_folder(folder) : 0;
    if (error != 0) {
        (void)unlink(path); /* else the next try would find it and write to it */
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static int file_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    int mode = va_arg(args, int);
    va_end(args);
    bool is_trees = file_is_trees(path);
    if (is_trees && tree.spare_fd >= 0 && flags == tree.flags && lseek(tree.spare_fd, 0, SEEK_SET) == 0) {
        int spare_fd = tree.spare_fd;
        tree.spare_fd = -1;
        return spare_fd;
    }
    int fd;
    do {
        bool may_make_log = (flags & O_CREAT) != 0 && file_is_log(path);
        fd = may_make_log ? file_make_log(path, flags, (mode_t)mode) : open(path, flags | O_CLOEXEC, (mode_t)mode);
    } while (fd < 0 && errno == EINTR);
    if (is_trees && tree.open_fd < 0 && tree.spare_fd < 0) {
        tree.open_fd = fd;
        tree.flags = flags;
        tree.is_there = tree.is_there || fd >= 0;
    }
    return fd;
}

static int file_close(int fd)
{
    if (tree.path != NULL && fd == tree.open_fd) {
        tree.open_fd = -1;
        tree.spare_fd = fd;
        return 0;
    }
    return close(fd);
}

/* As the library's own: 0, or an errno. */
static int file_exists(const char *path, int *ret_is_folder)
{
    struct stat st = {0};
    bool is_trees = file_is_trees(path);
    if (!(is_trees && tree.is_there) && stat(path, &st) != 0) {
        return errno;
    }
    if (is_trees && !S_ISDIR(st.st_mode)) {
        tree.is_there = true;
    }
    if (ret_is_folder != NULL) {
        *ret_is_folder = S_ISDIR(st.st_mode);
    }
    return 0;
}

void files_watch(void)
{
    (void)db_env_set_func_open(file_open); /* these do not fail */
    (void)db_env_set_func_close(file_close);
    (void)db_env_set_func_exists(file_exists);
}

void files_tree_begin(const char *path)
{
    tree = (struct file_tree){.path = path, .open_fd = -1, .spare_fd = -1};
}

void files_tree_end(void)
{
    if (tree.spare_fd >= 0) {
        close(tree.spare_fd);
    }
    tree.path = NULL;
}
