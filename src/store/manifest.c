#include "store/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "store/logs.h"

#define MANIFEST_BYTES_MAX (64u << 20)
#define MANIFEST_HEAD "chats backup 1\n"

void manifest_init(struct manifest *manifest)
{
    *manifest = (struct manifest){0};
    buffer_init(&manifest->files, MANIFEST_BYTES_MAX);
    buffer_init(&manifest->config, MANIFEST_BYTES_MAX);
}

void manifest_clear(struct manifest *manifest)
{
    buffer_clear(&manifest->files);
    buffer_clear(&manifest->config);
}

size_t manifest_count(const struct manifest *manifest)
{
    return manifest->files.bytes / sizeof(struct manifest_file);
}

const struct manifest_file *manifest_file(const struct manifest *manifest, size_t index)
{
    return (const struct manifest_file *)(const void *)manifest->files.data + index;
}

struct manifest_file *manifest_find(const struct manifest *manifest, const char *name)
{
    struct manifest_file *files = (struct manifest_file *)(void *)manifest->files.data;
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        if (strcmp(files[i].name, name) == 0) {
            return &files[i];
        }
    }
    return NULL;
}

void manifest_put(struct manifest *manifest, const char *name, uint64_t bytes,
                  const uint8_t digest[CRYPTO_DIGEST_BYTES])
{
    struct manifest_file *file = manifest_find(manifest, name);
    if (file == NULL) {
        struct manifest_file added = {.name = ""};
        snprintf(added.name, sizeof added.name, "%s", name);
        buffer_append(&manifest->files, &added, sizeof added);
        file = manifest_find(manifest, name);
    }
    if (file != NULL) {
        file->bytes = bytes;
        memcpy(file->digest, digest, CRYPTO_DIGEST_BYTES);
    }
}

static void manifest_print(const struct manifest *manifest, struct buffer *out)
{
    char time[TIMESTAMP_BYTES];
    timestamp_format(manifest->time_ns, time);
    buffer_printf(out, MANIFEST_HEAD "time %.*s\nlogs %" PRIu32 " %" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
                  TIMESTAMP_BYTES, time, manifest->log_first, manifest->log_needed, manifest->log_last,
                  manifest->log_end);
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        const struct manifest_file *file = manifest_file(manifest, i);
        buffer_printf(out, "file %s %" PRIu64 " ", file->name, file->bytes);
        for (size_t j = 0; j < CRYPTO_DIGEST_BYTES; j++) {
            buffer_printf(out, "%02x", file->digest[j]);
        }
        buffer_append_z(out, "\n");
    }
    buffer_printf(out, "config %zu\n", manifest->config.bytes);
    buffer_append(out, manifest->config.data, manifest->config.bytes);
}

enum store_status manifest_write(struct manifest *manifest, const struct copying *copying, const char *folder)
{
    struct buffer out;
    char draft[PATH_MAX];
    char path[PATH_MAX];
    buffer_init(&out, MANIFEST_BYTES_MAX);
    manifest_print(manifest, &out);
    if (out.failed || manifest->files.failed || manifest->config.failed) {
        buffer_clear(&out);
        (void)copying_failed(copying, ENOMEM, "cannot make the manifest");
        return STORE_NO_MEMORY;
    }
    enum store_status status = copying_write_file(copying, folder, MANIFEST_DRAFT, (struct text){out.data, out.bytes});
    buffer_clear(&out);
    if (status != STORE_OK) {
        return status;
    }
    /* The folder first: when the manifest is there, so are the files. */
    status = copying_sync_folder(copying, folder);
    if (status != STORE_OK) {
        return status;
    }
    snprintf(draft, sizeof draft, "%s/" MANIFEST_DRAFT, folder);
    snprintf(path, sizeof path, "%s/" MANIFEST_FILE, folder);
    if (rename(draft, path) != 0) {
        return copying_failed(copying, errno, "cannot write '%s'", path);
    }
    manifest->written = true;
    return copying_sync_folder(copying, folder);
}

/* Takes `bytes` up to the next line's end off the text; false if no line is left. */
static bool manifest_line(struct text *rest, char *ret, size_t bytes)
{
    const char *end = rest->bytes > 0 ? memchr(rest->data, '\n', rest->bytes) : NULL;
    if (end == NULL || (size_t)(end - rest->data) >= bytes) {
        return false;
    }
    size_t length = (size_t)(end - rest->data);
    memcpy(ret, rest->data, length);
    ret[length] = '\0';
    rest->data += length + 1;
    rest->bytes -= length + 1;
    return true;
}

static bool manifest_read_digest(const char *hex, uint8_t ret[CRYPTO_DIGEST_BYTES])
{
    for (size_t i = 0; i < CRYPTO_DIGEST_BYTES; i++) {
        unsigned byte;
        if (sscanf(hex + (2 * i), "%2x", &byte) != 1) {
            return false;
        }
        ret[i] = (uint8_t)byte;
    }
    return true;
}

static bool manifest_read_file(struct manifest *ret, const char *line)
{
    char name[MANIFEST_NAME_BYTES_MAX];
    char hex[2 * CRYPTO_DIGEST_BYTES + 1];
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    uint64_t bytes;
    if (sscanf(line, "file %39[a-z_.0-9] %" SCNu64 " %64[0-9a-f]", name, &bytes, hex) != 3 ||
        strlen(hex) != sizeof hex - 1 || !manifest_read_digest(hex, digest)) {
        return false;
    }
    manifest_put(ret, name, bytes, digest);
    return true;
}

/* False: it is not one, or its end is missing. */
static bool manifest_parse(struct manifest *ret, struct text rest)
{
    char line[256];
    char time[TIMESTAMP_BYTES + 1];
    size_t bytes;
    if (rest.bytes < strlen(MANIFEST_HEAD) || memcmp(rest.data, MANIFEST_HEAD, strlen(MANIFEST_HEAD)) != 0 ||
        !manifest_line(&rest, line, sizeof line) || !manifest_line(&rest, line, sizeof line) ||
        sscanf(line, "time %30s", time) != 1 || !timestamp_parse(text_of(time), &ret->time_ns) ||
        !manifest_line(&rest, line, sizeof line) ||
        sscanf(line, "logs %" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &ret->log_first, &ret->log_needed,
               &ret->log_last, &ret->log_end) != 4) {
        return false;
    }
    while (manifest_line(&rest, line, sizeof line)) {
        if (sscanf(line, "config %zu", &bytes) == 1) {
            buffer_append(&ret->config, rest.data, rest.bytes);
            return bytes == rest.bytes;
        }
        if (!manifest_read_file(ret, line)) {
            return false;
        }
    }
    return false;
}

static bool manifest_is_tree(const char *name)
{
    for (int tree = 0; tree < TREES; tree++) {
        char own[MANIFEST_NAME_BYTES_MAX];
        snprintf(own, sizeof own, "%s.db", trees_table()[tree].name);
        if (strcmp(own, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What it names is what a backup has: trees, and the log files from the first to the last, which has log_end bytes. */
static bool manifest_is_whole(const struct manifest *manifest)
{
    size_t logs = 0;
    for (size_t i = 0; i < manifest_count(manifest); i++) {
        const struct manifest_file *file = manifest_file(manifest, i);
        uint32_t number;
        if (logs_number(file->name, &number)) {
            if (number < manifest->log_first || number > manifest->log_last ||
                (number == manifest->log_last && file->bytes != manifest->log_end)) {
                return false;
            }
            logs++;
        } else if (!manifest_is_tree(file->name)) {
            return false;
        }
    }
    return manifest->log_first > 0 && manifest->log_first <= manifest->log_needed &&
           manifest->log_needed <= manifest->log_last && logs == (size_t)(manifest->log_last - manifest->log_first) + 1;
}

static enum store_status manifest_load(struct buffer *ret, const struct copying *copying, const char *folder)
{
    int fd = copying_open(folder, MANIFEST_FILE, O_RDONLY);
    if (fd < 0) {
        int error = errno;
        enum store_status status = copying_failed(copying, error, "cannot read '%.200s/" MANIFEST_FILE "'", folder);
        return error == ENOENT ? STORE_NOT_FOUND : status;
    }
    enum store_status status = STORE_OK;
    for (;;) {
        char *room = buffer_reserve(ret, 65536);
        ssize_t bytes = room != NULL ? read(fd, room, 65536) : 0;
        if (bytes <= 0) {
            if (bytes < 0 || room == NULL) {
                status = copying_failed(copying, room == NULL ? ENOMEM : errno,
                                        "cannot read '%.200s/" MANIFEST_FILE "'", folder);
            }
            break;
        }
        ret->bytes += (size_t)bytes;
    }
    close(fd);
    return status;
}

enum store_status manifest_read(struct manifest *ret, const struct copying *copying, const char *folder)
{
    struct buffer bytes;
    manifest_init(ret);
    buffer_init(&bytes, MANIFEST_BYTES_MAX);
    enum store_status status = manifest_load(&bytes, copying, folder);
    if (status == STORE_OK &&
        (!manifest_parse(ret, (struct text){bytes.data, bytes.bytes}) || !manifest_is_whole(ret))) {
        (void)copying_failed(copying, 0, "'%.200s/" MANIFEST_FILE "' is damaged, or of a newer version", folder);
        status = STORE_CORRUPT;
    }
    buffer_clear(&bytes);
    return status;
}
