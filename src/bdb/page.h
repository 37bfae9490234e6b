/*
 * page: what a page of a tree's file looks like when it is whole. Berkeley DB 5.3's layout of a B-tree with checksums
 * and without encryption (its dbinc/db_page.h); ours are of ENV_PAGE_BYTES and in this machine's byte order.
 *
 * A page carries its number and a checksum over all of it (page 0, which describes the tree: over its first 512 bytes,
 * behind which nothing is kept). So what is torn, what is another page, and what is no page are all seen. A page that
 * was written long ago and whose later write was lost is not: it is whole.
 *
 * One that begins with zeros has no checksum that the library would look at: it takes it for a page that was never
 * written. A file has those only between a crash and the end of the recovery that follows.
 */
#ifndef CHATS_BDB_PAGE_H
#define CHATS_BDB_PAGE_H

#include <stdint.h>

enum page_state {
    PAGE_GOOD,
    PAGE_BLANK,  /* zeros where LSN, number and type stand: what the library takes for a page never written */
    PAGE_DAMAGED /* anything else */
};

/* Looks at the ENV_PAGE_BYTES bytes of the page with this number, 0 the first. */
enum page_state page_look(const uint8_t *bytes, uint32_t number);

/* Gives the page the checksum of its bytes. */
void page_seal(uint8_t *bytes);

#endif
