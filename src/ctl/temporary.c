#include "ctl/temporary.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/commands.h"

#define TEMPORARY_LETTERS "XXXXXX" /* mkostemp(3) */
#define TEMPORARY_ATTEMPTS 16u
#define TEMPORARY_NEW_S 2

/* Removes the files in the folder, which has no folders in it. */
static void temporary_empty(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        (void)unlinkat(folder, entry->d_name, 0);
    }
    if (directory != NULL) {
        closedir(directory);
    } else if (fd >= 0) {
        close(fd);
    }
}

static bool temporary_has_form(const char *name, const char *prefix)
{
    size_t bytes = strlen(prefix);
    if (strncmp(name, prefix, bytes) != 0 || strlen(name) != bytes + strlen(TEMPORARY_LETTERS)) {
        return false;
    }
    for (name += bytes; *name != '\0'; name++) {
        if (!isalnum((unsigned char)*name)) {
            return false;
        }
    }
    return true;
}

/* One that was made just now may not be held yet. */
static bool temporary_is_new(const struct stat *st)
{
    struct timespec now;
    return clock_gettime(CLOCK_REALTIME, &now) == 0 && now.tv_sec - st->st_ctim.tv_sec < TEMPORARY_NEW_S;
}

/* Removes it if it is our user's and nobody holds it. */
static void temporary_sweep_one(int folder, const char *name, mode_t type)
{
    struct stat st;
    int fd = openat(folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == type && st.st_uid == geteuid() && !temporary_is_new(&st) &&
        flock(fd, LOCK_EX | LOCK_NB) == 0) {
        if (type == S_IFDIR) {
            temporary_empty(fd);
        }
        if (unlinkat(folder, name, type == S_IFDIR ? AT_REMOVEDIR : 0) == 0) {
            (void)command_fail("removed '%s', which was left by a command that was killed", name);
        } else if (errno != ENOENT) {
            (void)command_fail("cannot remove '%s', which was left by a command that was killed: %s", name,
                               strerror(errno));
        }
    }
    close(fd);
}

static void temporary_sweep(const char *prefix, mode_t type)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(prefix, '/');
    const char *name = slash != NULL ? slash + 1 : prefix;
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - prefix) + 1 : 1,
             slash != NULL ? prefix : ".");
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (temporary_has_form(entry->d_name, name)) {
            temporary_sweep_one(dirfd(directory), entry->d_name, type);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

/* Takes the lock. False: somebody who swept came before it, and it is no longer there. */
static bool temporary_hold(const struct temporary *temporary)
{
    struct stat ours;
    struct stat named;
    while (flock(temporary->fd, LOCK_EX) != 0 && errno == EINTR) {
    }
    return fstat(temporary->fd, &ours) == 0 && lstat(temporary->path, &named) == 0 && ours.st_ino == named.st_ino &&
           ours.st_dev == named.st_dev;
}

static bool temporary_make(struct temporary *ret, const char *prefix, mode_t type)
{
    temporary_sweep(prefix, type);
    for (unsigned attempt = 0; attempt < TEMPORARY_ATTEMPTS; attempt++) {
        *ret = TEMPORARY_NONE;
        if ((size_t)snprintf(ret->path, sizeof ret->path, "%s" TEMPORARY_LETTERS, prefix) >= sizeof ret->path) {
            ret->path[0] = '\0';
            errno = ENAMETOOLONG;
            return false;
        }
        if (type == S_IFREG) {
            ret->fd = mkostemp(ret->path, O_CLOEXEC);
        } else if (mkdtemp(ret->path) != NULL) {
            ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        if (ret->fd < 0) {
            ret->path[0] = '\0';
            return false;
        }
        if (temporary_hold(ret)) {
            return true;
        }
        close(ret->fd);
    }
    *ret = TEMPORARY_NONE;
    errno = EAGAIN;
    return false;
}

bool temporary_make_file(struct temporary *ret, const char *prefix)
{
    return temporary_make(ret, prefix, S_IFREG);
}

bool temporary_make_folder(struct temporary *ret, const char *prefix)
{
    return temporary_make(ret, prefix, S_IFDIR);
}

bool temporary_rename(struct temporary *temporary, const char *path)
{
    if (rename(temporary->path, path) != 0) {
        return false;
    }
    temporary->path[0] = '\0';
    return true;
}

void temporary_remove(struct temporary *temporary)
{
    struct stat st;
    if (temporary->path[0] != '\0' && temporary->fd >= 0 && fstat(temporary->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            temporary_empty(temporary->fd);
            (void)rmdir(temporary->path);
        } else {
            (void)unlink(temporary->path);
        }
    }
    if (temporary->fd >= 0) {
        close(temporary->fd);
    }
    *temporary = TEMPORARY_NONE;
}
