#include "bdb/page.h"

#include <string.h>

#include "bdb/env.h"

/* Where things stand in a page, in bytes from its start. */
#define PAGE_NUMBER_AT 8u
#define PAGE_TYPE_AT 25u
#define PAGE_CHECKSUM_AT 28u
#define META_CHECKSUM_AT 492u
#define META_BYTES 512u /* how much of page 0 its checksum covers */

/* The types of page that our trees have. */
enum page_type {
    PAGE_FREE = 0,
    PAGE_INTERNAL = 3,
    PAGE_LEAF = 5,
    PAGE_OVERFLOW = 7,
    PAGE_META = 9,
    PAGE_DUPLICATES = 12
};

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

/* Where the page has its checksum, and how much of the page that covers. */
static size_t page_checksum_place(const uint8_t *bytes, size_t *ret_size)
{
    bool is_meta = bytes[PAGE_TYPE_AT] == PAGE_META;
    *ret_size = is_meta ? META_BYTES : ENV_PAGE_BYTES;
    return is_meta ? META_CHECKSUM_AT : PAGE_CHECKSUM_AT;
}

/* The checksum's own four bytes are taken as zero. */
static uint32_t page_checksum(const uint8_t *bytes)
{
    size_t size;
    size_t at = page_checksum_place(bytes, &size);
    uint32_t sum = page_sum(0, bytes, at);
    return page_sum(sum * P4, bytes + at + 4, size - at - 4);
}

void page_seal(uint8_t *bytes)
{
    size_t size;
    uint32_t sum = page_checksum(bytes);
    memcpy(bytes + page_checksum_place(bytes, &size), &sum, sizeof sum);
}

static bool page_type_fits(uint8_t type, uint32_t number)
{
    switch (type) {
    case PAGE_META:
        return number == 0;
    case PAGE_FREE:
    case PAGE_INTERNAL:
    case PAGE_LEAF:
    case PAGE_OVERFLOW:
    case PAGE_DUPLICATES:
        return number != 0;
    default:
        return false;
    }
}

enum page_state page_look(const uint8_t *bytes, uint32_t number)
{
    size_t size;
    uint32_t own = page_u32(bytes, PAGE_NUMBER_AT);
    if (bytes[PAGE_TYPE_AT] == PAGE_FREE && own == 0 && page_u32(bytes, 0) == 0 && page_u32(bytes, 4) == 0) {
        return PAGE_BLANK;
    }
    bool good = page_type_fits(bytes[PAGE_TYPE_AT], number) && own == number &&
                page_checksum(bytes) == page_u32(bytes, page_checksum_place(bytes, &size));
    return good ? PAGE_GOOD : PAGE_DAMAGED;
}
