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
    while (error == 0 && (entry = readdir(directory)) != NULL) {
        if (folder_is_dot(entry->d_name) || strcmp(entry->d_name, folder->marker) == 0) {
            continue;
        }
        if (!remove) {
            error = EEXIST;
        } else if (unlinkat(folder->fd, entry->d_name, 0) != 0) {
            error = errno;
        }
    }
    closedir(directory);
    return error;
}

bool folder_has(const struct folder *folder, const char *name)
{
    return faccessat(folder->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Empties it if it is ours to empty. */
static enum store_status folder_claim(const struct folder *folder, const struct copying *copying)
{
    bool broken_off = folder_has(folder, folder->marker);
    int error = folder_visit(folder, broken_off);
    if (error == EEXIST && !broken_off) {
        return copying_failed(copying, 0, "'%.200s' is not empty: nothing was changed", folder->path);
    }
    if (error == 0 && fchmod(folder->fd, 0700) != 0) {
        error = errno;
    }
    if (error != 0) {
        return copying_failed(copying, error, "cannot empty '%.200s'", folder->path);
    }
    enum store_status status = copying_write_file(copying, folder->path, folder->marker, TEXT_LITERAL(""));
    return status == STORE_OK ? copying_sync_folder(copying, folder->path) : status;
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
    if (folder->fd >= 0 && folder->marker != NULL && folder_has(folder, folder->marker)) {
        (void)folder_visit(folder, true);
        (void)unlinkat(folder->fd, folder->marker, 0);
        if (folder->made) {
            (void)rmdir(folder->path);
        }
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
