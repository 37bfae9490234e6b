/*
 * manifest: what a backup consists of. It is written last, so a folder without one is no backup.
 *
 *     chats backup 1
 *     time 2026-11-23T10:00:00.000000000Z
 *     logs 1 3 5 123456
 *     file meta.db 8192 0f3a…
 *     file log.0000000001 8388607 77c0…
 *     config 1643
 *     (that many bytes: the home's chats.conf)
 *
 * The four numbers: the first log file, the first that recovery needs, the last one, and its bytes. Of each file the
 * first so many bytes count and have this BLAKE2b-256; what stands behind them is of an addition that was broken off.
 */
#ifndef CHATS_STORE_MANIFEST_H
#define CHATS_STORE_MANIFEST_H

#include "base/buffer.h"
#include "store/copying.h"

#define MANIFEST_FILE "manifest"
#define MANIFEST_DRAFT "manifest.new"
#define MANIFEST_NAME_BYTES_MAX 40u /* with its NUL */

struct manifest_file {
    char name[MANIFEST_NAME_BYTES_MAX];
    uint64_t bytes;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
};

struct manifest {
    uint64_t time_ns; /* when the backup, or the last addition to it, began */
    uint32_t log_first;
    uint32_t log_needed;
    uint32_t log_last;
    uint32_t log_end;     /* bytes of the last one */
    struct buffer files;  /* struct manifest_file each */
    struct buffer config; /* chats.conf */
    bool written;         /* it is the folder's, even if manifest_write failed to sync that */
};

void manifest_init(struct manifest *manifest);
void manifest_clear(struct manifest *manifest);

size_t manifest_count(const struct manifest *manifest);
const struct manifest_file *manifest_file(const struct manifest *manifest, size_t index);

/* The file of that name, NULL if there is none. Until the next manifest_put. */
struct manifest_file *manifest_find(const struct manifest *manifest, const char *name);

/* Adds a file, or says anew what it is. Out of memory shows in manifest_write. */
void manifest_put(struct manifest *manifest, const char *name, uint64_t bytes,
                  const uint8_t digest[CRYPTO_DIGEST_BYTES]);

/* Puts it into the folder, whole or not at all, and the folder to the disk. */
enum store_status manifest_write(struct manifest *manifest, const struct copying *copying, const char *folder)
    __attribute__((warn_unused_result));

/*
 * Reads the folder's manifest; *ret is to be cleared in any case. STORE_NOT_FOUND: there is none. STORE_CORRUPT: it is
 * none of this version's, or damaged. It names trees that this program knows and every log file of its range.
 */
enum store_status manifest_read(struct manifest *ret, const struct copying *copying, const char *folder)
    __attribute__((warn_unused_result));

#endif
