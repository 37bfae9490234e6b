#include "bdb/page.h"

#include <string.h>

#include "bdb/env.h"

/* Where things stand in a page, in bytes from its start. */
#define PAGE_NUMBER_AT 8u
#define PAGE_TYPE_AT 25u
#define PAGE_CHECKSUM_AT 28u
#define META_MAGIC_AT 12u
#define META_PAGESIZE_AT 20u
#define META_CHECKSUM_AT 492u
#define META_BYTES 512u /* how much of page 0 its checksum covers */

#define BTREE_MAGIC 0x053162u

static uint32_t page_u32(const uint8_t *bytes, size_t at)
{
    uint32_t value;
    memcpy(&value, bytes + at, sizeof value);
    return value;
}

#define P2 (33u * 33u)
#define P3 (P2 * 33u)
#define P4 (P3 * 33u)

/*
 * The library's checksum: each byte is added to 33 times the sum so far, modulo 2^32. Four at a time, so that the
 * multiplications do not wait for each other: every page that is read goes through here.
 */
static uint32_t page_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i + 4 <= size; i += 4) {
        sum = sum * P4 + bytes[i] * P3 + bytes[i + 1] * P2 + bytes[i + 2] * 33u + bytes[i + 3];
    }
    return sum;
}

uint32_t page_checksum(const uint8_t *bytes, size_t size, size_t checksum_at)
{
    uint32_t sum = page_sum(0, bytes, checksum_at);
    return page_sum(sum * P4, bytes + checksum_at + 4, size - checksum_at - 4);
}

static enum page_state page_look_meta(const uint8_t *bytes)
{
    bool good = page_u32(bytes, PAGE_NUMBER_AT) == 0 && bytes[PAGE_TYPE_AT] == PAGE_META &&
                page_u32(bytes, META_MAGIC_AT) == BTREE_MAGIC && page_u32(bytes, META_PAGESIZE_AT) == ENV_PAGE_BYTES &&
                page_checksum(bytes, META_BYTES, META_CHECKSUM_AT) == page_u32(bytes, META_CHECKSUM_AT);
    return good ? PAGE_GOOD : PAGE_DAMAGED;
}

enum page_state page_look(const uint8_t *bytes, uint32_t number)
{
    if (bytes[0] == 0 && memcmp(bytes, bytes + 1, ENV_PAGE_BYTES - 1) == 0) {
        return PAGE_EMPTY;
    }
    if (number == 0) {
        return page_look_meta(bytes);
    }
    switch (bytes[PAGE_TYPE_AT]) {
    case PAGE_FREE:
    case PAGE_INTERNAL:
    case PAGE_LEAF:
    case PAGE_OVERFLOW:
    case PAGE_DUPLICATES:
        break;
    default:
        return PAGE_DAMAGED;
    }
    bool good = page_u32(bytes, PAGE_NUMBER_AT) == number &&
                page_checksum(bytes, ENV_PAGE_BYTES, PAGE_CHECKSUM_AT) == page_u32(bytes, PAGE_CHECKSUM_AT);
    return good ? PAGE_GOOD : PAGE_DAMAGED;
}
