#include "store/copying.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPYING_BLOCK_BYTES 65536u

enum store_status copying_failed(const struct copying *copying, int error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int used = vsnprintf(copying->problem, CONFIG_PROBLEM_BYTES_MAX, format, args);
    va_end(args);
    if (error != 0 && used >= 0 && (size_t)used < CONFIG_PROBLEM_BYTES_MAX) {
        snprintf(copying->problem + used, CONFIG_PROBLEM_BYTES_MAX - (size_t)used, ": %s", strerror(error));
    }
    return error == ENOSPC || error == EDQUOT || error == EFBIG ? STORE_FULL : STORE_UNAVAILABLE;
}

void copying_advance(struct copying *copying, uint64_t bytes)
{
    copying->done += bytes;
    if (copying->progress != NULL) {
        copying->progress(copying->context, copying->done, copying->total);
    }
}

static bool copying_path(const char *folder, const char *name, char ret[PATH_MAX])
{
    if ((size_t)snprintf(ret, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return false;
    }
    return true;
}

int copying_open(const char *folder, const char *name, int flags)
{
    char path[PATH_MAX];
    return copying_path(folder, name, path) ? open(path, flags | O_CLOEXEC, 0600) : -1;
}

int64_t copying_size(const char *folder, const char *name)
{
    char path[PATH_MAX];
    struct stat st;
    return copying_path(folder, name, path) && stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

int copying_write(int fd, const void *data, size_t bytes, uint64_t offset)
{
    for (size_t done = 0; done < bytes;) {
        ssize_t written = pwrite(fd, (const char *)data + done, bytes - done, (off_t)(offset + done));
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

enum store_status copying_range(struct copying *copying, const char *name, int source, int target, uint64_t from,
                                uint64_t to, struct crypto_digest *digest)
{
    char block[COPYING_BLOCK_BYTES];
    while (from < to) {
        size_t wanted = to - from < sizeof block ? (size_t)(to - from) : sizeof block;
        ssize_t bytes = pread(source, block, wanted, (off_t)from);
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        if (bytes < 0) {
            return copying_failed(copying, errno, "cannot read '%s'", name);
        }
        if (bytes == 0) {
            return copying_failed(copying, 0, "'%s' is shorter than it must be", name);
        }
        int error = target >= 0 ? copying_write(target, block, (size_t)bytes, from) : 0;
        if (error != 0) {
            return copying_failed(copying, error, "cannot write '%s'", name);
        }
        if (digest != NULL) {
            crypto_digest_add(digest, block, (size_t)bytes);
        }
        from += (uint64_t)bytes;
        copying_advance(copying, (uint64_t)bytes);
    }
    return STORE_OK;
}

enum store_status copying_close(const struct copying *copying, const char *name, int fd, enum store_status status)
{
    if (status == STORE_OK && fsync(fd) != 0) {
        status = copying_failed(copying, errno, "cannot write '%s'", name);
    }
    if (close(fd) != 0 && status == STORE_OK) {
        status = copying_failed(copying, errno, "cannot write '%s'", name);
    }
    return status;
}

enum store_status copying_file(struct copying *copying, const char *from, const char *to, const char *name,
                               uint64_t bytes, uint8_t *ret_digest)
{
    struct crypto_digest digest;
    int source = copying_open(from, name, O_RDONLY);
    if (source < 0) {
        return copying_failed(copying, errno, "cannot open '%s' in '%s'", name, from);
    }
    int target = copying_open(to, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (target < 0) {
        enum store_status status = copying_failed(copying, errno, "cannot make '%s' in '%s'", name, to);
        close(source);
        return status;
    }
    crypto_digest_begin(&digest);
    enum store_status status =
        copying_range(copying, name, source, target, 0, bytes, ret_digest != NULL ? &digest : NULL);
    status = copying_close(copying, name, target, status);
    close(source);
    if (status == STORE_OK && ret_digest != NULL) {
        crypto_digest_end(&digest, ret_digest);
    }
    return status;
}

enum store_status copying_digest(struct copying *copying, const char *folder, const char *name, uint64_t bytes,
                                 uint8_t ret[CRYPTO_DIGEST_BYTES])
{
    struct crypto_digest digest;
    int fd = copying_open(folder, name, O_RDONLY);
    if (fd < 0) {
        return copying_failed(copying, errno, "cannot open '%s' in '%s'", name, folder);
    }
    crypto_digest_begin(&digest);
    enum store_status status = copying_range(copying, name, fd, -1, 0, bytes, &digest);
    close(fd);
    crypto_digest_end(&digest, ret);
    return status;
}

enum store_status copying_write_file(const struct copying *copying, const char *folder, const char *name,
                                     struct text bytes)
{
    int fd = copying_open(folder, name, O_WRONLY | O_CREAT | O_TRUNC);
    if (fd < 0) {
        return copying_failed(copying, errno, "cannot make '%s' in '%s'", name, folder);
    }
    enum store_status status = STORE_OK;
    int error = copying_write(fd, bytes.data, bytes.bytes, 0);
    if (error != 0) {
        status = copying_failed(copying, error, "cannot write '%s' in '%s'", name, folder);
    }
    return copying_close(copying, name, fd, status);
}

enum store_status copying_sync_folder(const struct copying *copying, const char *folder)
{
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return copying_failed(copying, errno, "cannot open '%s'", folder);
    }
    return copying_close(copying, folder, fd, STORE_OK);
}
