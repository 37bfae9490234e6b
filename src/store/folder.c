#include "store/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FOLDER_MARK_BYTES_MAX 160u

enum store_status folder_open(struct folder *ret, const struct copying *copying, const char *path)
{
    *ret = (struct folder){.fd = -1};
    if (realpath(path, ret->path) == NULL) {
        return copying_failed(copying, errno, "cannot open the folder '%.200s'", path);
    }
    ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ret->fd < 0) {
        return copying_failed(copying, errno, "cannot open the folder '%.200s'", path);
    }
    if (flock(ret->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        return copying_failed(copying, 0, "another process is at work in '%.200s'", path);
    }
    return STORE_OK;
}

static bool folder_is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Calls unlinkat on each file but the marker, or only looks whether there is one. errno or 0; EEXIST: there is. */
static int folder_visit(const struct folder *folder, bool remove)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    if (directory == NULL) {
        int error = errno;
        if (fd >= 0) {
            close(fd);
        }
        return error;
    }
    int error = 0;
    const struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(directory)) != NULL) {
        if (folder_is_dot(entry->d_name) || strcmp(entry->d_name, folder->marker) == 0) {
            continue;
        }
        if (!remove) {
            error = EEXIST;
        } else if (unlinkat(folder->fd, entry->d_name, 0) != 0) {
            error = errno;
        }
    }
    error = error == 0 ? errno : error;
    closedir(directory);
    return error;
}

enum folder_mark {
    FOLDER_NO_MARK,    /* there is no file of the name */
    FOLDER_MARKED,     /* by us */
    FOLDER_MARK_BEGUN, /* the machine stopped while it was written: no other file of ours can be there */
    FOLDER_NOT_OURS,
};

static void folder_mark_text(const char *marker, char ret[FOLDER_MARK_BYTES_MAX])
{
    snprintf(ret, FOLDER_MARK_BYTES_MAX,
             "chats %s 1\nThis folder is being filled, or that was broken off: done again, it begins by emptying it.\n",
             marker);
}

static enum folder_mark folder_compare_mark(const char *marker, const char *found, size_t bytes)
{
    char wanted[FOLDER_MARK_BYTES_MAX];
    folder_mark_text(marker, wanted);
    size_t line = strcspn(wanted, "\n") + 1;
    if (bytes >= line && memcmp(found, wanted, line) == 0) {
        return FOLDER_MARKED;
    }
    if (bytes > strlen(wanted)) {
        return FOLDER_NOT_OURS;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (found[i] != wanted[i] && found[i] != '\0') {
            return FOLDER_NOT_OURS;
        }
    }
    return FOLDER_MARK_BEGUN;
}

static enum folder_mark folder_read_mark(const struct folder *folder, const char *marker)
{
    char found[FOLDER_MARK_BYTES_MAX];
    struct stat st;
    int fd = openat(folder->fd, marker, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? FOLDER_NO_MARK : FOLDER_NOT_OURS;
    }
    ssize_t bytes = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? pread(fd, found, sizeof found, 0) : -1;
    close(fd);
    return bytes < 0 ? FOLDER_NOT_OURS : folder_compare_mark(marker, found, (size_t)bytes);
}

/* Empties it if it is ours to empty. */
static enum store_status folder_claim(struct folder *folder, const struct copying *copying)
{
    char text[FOLDER_MARK_BYTES_MAX];
    enum folder_mark mark = folder_read_mark(folder, folder->marker);
    int error = mark == FOLDER_NOT_OURS ? EEXIST : folder_visit(folder, mark == FOLDER_MARKED);
    if (error == EEXIST && mark != FOLDER_MARKED) {
        return copying_failed(copying, 0,
                              "'%.200s' is not empty: nothing was changed; empty it by hand if nothing in it is needed",
                              folder->path);
    }
    if (error == 0 && fchmod(folder->fd, 0700) != 0) {
        error = errno;
    }
    if (error != 0) {
        return copying_failed(copying, error, "cannot empty '%.200s'", folder->path);
    }
    folder->ours = true;
    folder_mark_text(folder->marker, text);
    enum store_status status = STORE_OK;
    if (mark != FOLDER_MARKED) {
        status = copying_write_file(copying, folder->path, folder->marker, text_of(text));
    }
    status = status == STORE_OK ? copying_sync_folder(copying, folder->path) : status;
    if (status != STORE_OK) {
        folder_undo(folder);
    }
    return status;
}

static bool folder_lies_in(const char *path, const char *outside)
{
    size_t bytes = strlen(outside);
    return strncmp(path, outside, bytes) == 0 && (path[bytes] == '/' || path[bytes] == '\0');
}

enum store_status folder_begin(struct folder *ret, const struct copying *copying, const char *path, const char *marker,
                               const char *outside)
{
    char parent[PATH_MAX + 4];
    *ret = (struct folder){.fd = -1};
    bool made = mkdir(path, 0700) == 0;
    if (!made && errno != EEXIST) {
        return copying_failed(copying, errno, "cannot make the folder '%.200s'", path);
    }
    enum store_status status = folder_open(ret, copying, path);
    ret->marker = marker;
    ret->made = made;
    if (status == STORE_OK && outside != NULL && folder_lies_in(ret->path, outside)) {
        status = copying_failed(copying, 0, "'%.200s' lies in the home", path);
        if (made) {
            (void)rmdir(ret->path);
        }
        return status;
    }
    if (status == STORE_OK && made) {
        snprintf(parent, sizeof parent, "%s/..", ret->path);
        status = copying_sync_folder(copying, parent);
    }
    return status == STORE_OK ? folder_claim(ret, copying) : status;
}

enum store_status folder_finish(const struct folder *folder, const struct copying *copying)
{
    if (unlinkat(folder->fd, folder->marker, 0) != 0) {
        return copying_failed(copying, errno, "cannot remove '%s' from '%.200s'", folder->marker, folder->path);
    }
    return copying_sync_folder(copying, folder->path);
}

void folder_undo(struct folder *folder)
{
    if (folder->ours) {
        (void)folder_visit(folder, true);
        (void)fsync(folder->fd); /* the marker goes last */
        (void)unlinkat(folder->fd, folder->marker, 0);
        if (folder->made) {
            (void)rmdir(folder->path);
        }
        folder->ours = false;
    }
}

void folder_unmark(const struct folder *folder, const char *marker)
{
    if (folder_read_mark(folder, marker) == FOLDER_MARKED) {
        (void)unlinkat(folder->fd, marker, 0);
    }
}

enum store_status folder_has_room(const struct folder *folder, const struct copying *copying, uint64_t bytes)
{
    struct statvfs fs;
    if (fstatvfs(folder->fd, &fs) != 0) {
        return STORE_OK; /* the first write tells */
    }
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= bytes) {
        return STORE_OK;
    }
    (void)copying_failed(copying, 0, "no room in '%.200s': %llu MiB are needed, %llu MiB are free", folder->path,
                         (unsigned long long)(bytes >> 20) + 1, (unsigned long long)(room >> 20));
    return STORE_FULL;
}

void folder_close(struct folder *folder)
{
    if (folder->fd >= 0) {
        close(folder->fd);
        folder->fd = -1;
    }
}
