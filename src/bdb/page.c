#include "bdb/page.h"

#include <endian.h>
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

#define POWER_2 UINT64_C(1089) /* of 33 */
#define POWER_4 1185921u
#define POWER_8 (POWER_4 * POWER_4) /* modulo 2^32 */

/* What eight bytes add to the sum: pairs of bytes, then pairs of those, side by side in one word. */
static uint32_t page_sum_of_8(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    word = le64toh(word);
    uint64_t twos = (word & UINT64_C(0x00ff00ff00ff00ff)) * 33 + (word >> 8 & UINT64_C(0x00ff00ff00ff00ff));
    uint64_t fours = (twos & UINT64_C(0x0000ffff0000ffff)) * POWER_2 + (twos >> 16 & UINT64_C(0x0000ffff0000ffff));
    return (uint32_t)fours * POWER_4 + (uint32_t)(fours >> 32);
}

/*
 * The library's checksum: 33 times the sum so far and the next byte, modulo 2^32. It is taken of every page that is
 * read, so not byte by byte: each of those would wait for the multiplication before it.
 */
static uint32_t page_sum(uint32_t sum, const uint8_t *bytes, size_t size)
{
    size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        sum = sum * POWER_8 + page_sum_of_8(bytes + i);
    }
    for (; i < size; i++) {
        sum = sum * 33 + bytes[i];
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
    return page_sum(sum * POWER_4, bytes + at + 4, size - at - 4);
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
