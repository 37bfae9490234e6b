/*
 * pagefile: the pages of a B-tree's file as they lie on the disk, read without the library, its environment and its
 * cache: for telling a damaged page from a good one, and for getting out of a damaged home what can be read.
 *
 * The layouts are Berkeley DB 5.3's (dbinc/db_page.h of its source), with pages of PAGEFILE_BYTES, checksums on, no
 * encryption, in the byte order of this machine. Nothing here trusts a byte: a length, an offset or a page number may
 * be anything. It knows pages and items, not records, and takes no lock: a page that somebody writes just now may look
 * damaged, so read it again before believing that.
 */
#ifndef CHATS_STORE_PAGEFILE_H
#define CHATS_STORE_PAGEFILE_H

#include <stdint.h>

#include "base/buffer.h"

#define PAGEFILE_BYTES 4096u /* ENV_PAGE_BYTES of bdb/env.h */

enum pagefile_state {
    PAGEFILE_GOOD,      /* its checksum is right, its number is its own, its type is one of a B-tree's */
    PAGEFILE_BLANK,     /* zeros where LSN, number and type stand: a hole in the file, which has no checksum to fail */
    PAGEFILE_DAMAGED,   /* anything else, or cut short */
    PAGEFILE_UNREADABLE /* the read failed; errno says why */
};

enum pagefile_type {
    PAGEFILE_FREE = 0,
    PAGEFILE_INTERNAL = 3,
    PAGEFILE_LEAF = 5,
    PAGEFILE_OVERFLOW = 7,
    PAGEFILE_META = 9, /* page 0; only its first 512 bytes are checksummed, the rest means nothing */
    PAGEFILE_DUPLICATES = 12
};

/* How many pages the open file has; one that is cut short counts. False: fstat failed, errno. */
bool pagefile_count(int fd, uint32_t *ret) __attribute__((warn_unused_result));

/* What the bytes are as page `number` of a file. */
enum pagefile_state pagefile_examine(const uint8_t page[PAGEFILE_BYTES], uint32_t number)
    __attribute__((warn_unused_result));

/* Reads page `number` of the open file and examines it. ret_page holds what was read, zeros where the file ended. */
enum pagefile_state pagefile_read(int fd, uint32_t number, uint8_t ret_page[PAGEFILE_BYTES])
    __attribute__((warn_unused_result));

/* Gives the page the checksum of its bytes. */
void pagefile_seal(uint8_t page[PAGEFILE_BYTES]);

/* Of a page that is good: its type, and its LSN as a number that grows with each change. */
enum pagefile_type pagefile_type(const uint8_t page[PAGEFILE_BYTES]);
uint64_t pagefile_lsn(const uint8_t page[PAGEFILE_BYTES]);

/* A key or a value. */
struct pagefile_item {
    bool deleted;      /* no longer there, kept for a cursor's sake */
    struct text bytes; /* in the page; empty if it lies on overflow pages */
    uint32_t overflow; /* the first of them, 0 if it does not */
    uint32_t size;     /* bytes of the whole item */
};

/* How many items a leaf page says it has: keys at even indexes, each followed by its value. */
unsigned pagefile_items(const uint8_t page[PAGEFILE_BYTES]);

/* The item at `index` < pagefile_items of a leaf page. False: it does not lie within the page. */
bool pagefile_item(const uint8_t page[PAGEFILE_BYTES], unsigned index, struct pagefile_item *ret)
    __attribute__((warn_unused_result));

/*
 * Appends a whole item to ret, which its owner bounds: from its page, or page by page from the open file. False: a page
 * of the chain is damaged or not an overflow page (*ret_page is its number), the chain's length is not the item's
 * (*ret_page is the first), or ret has failed.
 */
bool pagefile_item_read(int fd, const struct pagefile_item *item, struct buffer *ret, uint32_t *ret_page)
    __attribute__((warn_unused_result));

#endif
