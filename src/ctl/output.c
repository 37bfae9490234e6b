#include "ctl/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/line.h"

static const char *output_name(const struct output *output)
{
    return output->path != NULL ? output->path : "standard output";
}

static bool output_fail(struct output *output, const char *cause)
{
    (void)command_fail("cannot write %s: %s", output_name(output), cause);
    output->failed = true;
    return false;
}

/* What the path names: standard output itself, something to be written to, or a file to be made or replaced. */
static bool output_find(struct output *output)
{
    struct stat st;
    struct stat own;
    if (stat(output->path, &st) != 0) {
        int error = errno;
        if (lstat(output->path, &st) == 0 && error == ENOENT) {
            return output_fail(output, "it is a symbolic link to nothing");
        }
        if (error != ENOENT) {
            return output_fail(output, strerror(error));
        }
        bool fits = (size_t)snprintf(output->target, PATH_MAX, "%s", output->path) < PATH_MAX;
        return fits || output_fail(output, strerror(ENAMETOOLONG));
    }
    if (fstat(STDOUT_FILENO, &own) == 0 && own.st_dev == st.st_dev && own.st_ino == st.st_ino) {
        output->fd = STDOUT_FILENO;
        return true;
    }
    if (S_ISREG(st.st_mode)) {
        return realpath(output->path, output->target) != NULL || output_fail(output, strerror(errno));
    }
    output->fd = open(output->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return output->fd >= 0 || output_fail(output, strerror(errno));
}

bool output_begin(struct output *ret, const char *path)
{
    char prefix[PATH_MAX];
    *ret = (struct output){.path = path, .part = TEMPORARY_NONE, .fd = path == NULL ? STDOUT_FILENO : -1};
    buffer_init(&ret->pending, OUTPUT_BYTES + LINE_BYTES_MAX);
    if (path == NULL) {
        return true;
    }
    if (!output_find(ret)) {
        return false;
    }
    if (ret->fd >= 0) {
        return true;
    }
    if ((size_t)snprintf(prefix, sizeof prefix, "%s.chatsctl-part-", ret->target) >= sizeof prefix) {
        return output_fail(ret, strerror(ENAMETOOLONG));
    }
    if (!temporary_make_file(&ret->part, prefix)) {
        return output_fail(ret, strerror(errno));
    }
    ret->fd = ret->part.fd;
    return true;
}

static bool output_write(struct output *output)
{
    size_t done = 0;
    if (output->pending.failed) {
        return output_fail(output, "out of memory");
    }
    while (done < output->pending.bytes && !output->failed) {
        ssize_t bytes = write(output->fd, output->pending.data + done, output->pending.bytes - done);
        if (bytes < 0 && errno != EINTR) {
            return output_fail(output, strerror(errno));
        }
        done += bytes > 0 ? (size_t)bytes : 0;
    }
    buffer_reset(&output->pending);
    return !output->failed;
}

bool output_flush(struct output *output)
{
    return output->pending.bytes < OUTPUT_BYTES && !output->pending.failed ? !output->failed : output_write(output);
}

/* A rename is on the disk when its folder is. */
static bool output_sync_folder(const char *path)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t bytes = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, slash == NULL ? "." : path, bytes);
    folder[bytes] = '\0';
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return synced;
}

bool output_end(struct output *output, bool good)
{
    good = good && !output->failed && output_write(output);
    if (good && output->part.fd >= 0 &&
        (fsync(output->fd) != 0 || !temporary_rename(&output->part, output->target) ||
         !output_sync_folder(output->target))) {
        good = output_fail(output, strerror(errno));
    }
    if (output->fd >= 0 && output->fd != STDOUT_FILENO && output->fd != output->part.fd) {
        if (close(output->fd) != 0 && good) {
            good = output_fail(output, strerror(errno));
        }
    }
    temporary_remove(&output->part);
    buffer_clear(&output->pending);
    return good;
}
