/*
 * copying: files of a home copied to a backup and back, each with its digest, on the disk before it counts as copied.
 * Knows nothing of what is in them.
 */
#ifndef CHATS_STORE_COPYING_H
#define CHATS_STORE_COPYING_H

#include <stdint.h>

#include "base/config.h"
#include "base/crypto.h"
#include "base/status.h"

struct copying {
    void (*progress)(void *context, uint64_t done, uint64_t total); /* bytes; may be NULL */
    void *context;
    uint64_t done;
    uint64_t total;
    char *problem; /* CONFIG_PROBLEM_BYTES_MAX: one sentence, when something did not succeed */
};

/*
 * Puts the sentence into `problem`, followed by what errno `error` means (0: nothing). STORE_FULL if there is no room,
 * else STORE_UNAVAILABLE.
 */
enum store_status copying_failed(const struct copying *copying, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* That many bytes more are done. */
void copying_advance(struct copying *copying, uint64_t bytes);

/* As open(2) of folder/name, mode 0600, O_CLOEXEC. -1 and errno. */
int copying_open(const char *folder, const char *name, int flags);

/* Size of folder/name in bytes; -1 and errno. */
int64_t copying_size(const char *folder, const char *name);

/* Writes all of it at the offset. errno or 0. */
int copying_write(int fd, const void *data, size_t bytes, uint64_t offset) __attribute__((warn_unused_result));

/*
 * Copies the bytes `from` to `to` to the same place of another file (-1: only reads them) and adds them to the digest
 * (NULL: none). `name` is for the sentence. The source must have them.
 */
enum store_status copying_range(struct copying *copying, const char *name, int source, int target, uint64_t from,
                                uint64_t to, struct crypto_digest *digest) __attribute__((warn_unused_result));

/* The file's first `bytes`, as a new file, synced; one that is there is overwritten. ret_digest: may be NULL. */
enum store_status copying_file(struct copying *copying, const char *from, const char *to, const char *name,
                               uint64_t bytes, uint8_t *ret_digest) __attribute__((warn_unused_result));

/* The digest of the file's first `bytes`. */
enum store_status copying_digest(struct copying *copying, const char *folder, const char *name, uint64_t bytes,
                                 uint8_t ret[CRYPTO_DIGEST_BYTES]) __attribute__((warn_unused_result));

/* A small new file with these bytes, synced. */
enum store_status copying_write_file(const struct copying *copying, const char *folder, const char *name,
                                     struct text bytes) __attribute__((warn_unused_result));

/* Closes the file, synced first if all went well so far; the first failure of the two. */
enum store_status copying_close(const struct copying *copying, const char *name, int fd, enum store_status status)
    __attribute__((warn_unused_result));

/* The names in the folder to the disk. */
enum store_status copying_sync_folder(const struct copying *copying, const char *folder)
    __attribute__((warn_unused_result));

#endif
