/*
 * page: what a page of a tree's file looks like when it is whole. Berkeley DB 5.3's layout of a B-tree with checksums
 * and without encryption (its dbinc/db_page.h); ours are of ENV_PAGE_BYTES and in this machine's byte order.
 *
 * A page carries its number and a checksum over all of it (page 0, which describes the tree: over its first 512 bytes,
 * behind which nothing is kept). So what is torn, what is another page, and what is no page are all seen. A page that
 * was written long ago and whose later write was lost is not: it is whole.
 *
 * One of zeros carries no checksum, and the library takes it for a page that was never written. The file has those only
 * between a crash and the end of the recovery that follows.
 */
#ifndef CHATS_BDB_PAGE_H
#define CHATS_BDB_PAGE_H

#include <stddef.h>
#include <stdint.h>

enum page_state {
    PAGE_GOOD,
    PAGE_EMPTY,  /* all zero */
    PAGE_DAMAGED /* anything else */
};

/* The types of page that our trees have; libdb numbers them. */
enum page_type {
    PAGE_FREE = 0,
    PAGE_INTERNAL = 3,
    PAGE_LEAF = 5,
    PAGE_OVERFLOW = 7,
    PAGE_META = 9,
    PAGE_DUPLICATES = 12
};

/* Looks at the ENV_PAGE_BYTES bytes of the page with this number, 0 the first. */
enum page_state page_look(const uint8_t *bytes, uint32_t number);

/* The checksum of these bytes, those of the checksum itself (4 from checksum_at on, a multiple of 4) taken as zero. */
uint32_t page_checksum(const uint8_t *bytes, size_t size, size_t checksum_at);

#endif
