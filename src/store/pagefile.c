#include "store/pagefile.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bdb/env.h"
#include "bdb/page.h"

_Static_assert(PAGEFILE_BYTES == ENV_PAGE_BYTES, "the pages of a home");

/* Where the fields of a page's head lie: PAGE, PG_CHKSUM and BTMETA of dbinc/db_page.h. */
#define LSN_AT 0u
#define NEXT_AT 16u
#define ENTRIES_AT 20u
#define OVERFLOW_SIZE_AT 22u
#define TYPE_AT 25u
#define DATA_AT 32u  /* of an overflow page */
#define INDEX_AT 32u /* two bytes for each item: where it begins */

/* And of an item's: BKEYDATA and BOVERFLOW. */
#define ITEM_LENGTH_AT 0u
#define ITEM_TYPE_AT 2u
#define ITEM_DATA_AT 3u
#define ITEM_OVERFLOW_AT 4u
#define ITEM_SIZE_AT 8u
#define ITEM_OVERFLOW_BYTES 12u
#define ITEM_KEYDATA 1u
#define ITEM_OVERFLOW 3u
#define ITEM_DELETED 0x80u

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

bool pagefile_count(int fd, uint32_t *ret)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return false;
    }
    uint64_t count = ((uint64_t)st.st_size + PAGEFILE_BYTES - 1) / PAGEFILE_BYTES;
    *ret = count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
    return true;
}

enum pagefile_state pagefile_examine(const uint8_t page[PAGEFILE_BYTES], uint32_t number)
{
    switch (page_look(page, number)) {
    case PAGE_GOOD:
        return PAGEFILE_GOOD;
    case PAGE_BLANK:
        return PAGEFILE_BLANK;
    case PAGE_DAMAGED:
        break;
    }
    return PAGEFILE_DAMAGED;
}

enum pagefile_state pagefile_read(int fd, uint32_t number, uint8_t ret_page[PAGEFILE_BYTES])
{
    size_t done = 0;
    memset(ret_page, 0, PAGEFILE_BYTES);
    while (done < PAGEFILE_BYTES) {
        ssize_t bytes =
            pread(fd, ret_page + done, PAGEFILE_BYTES - done, (off_t)number * (off_t)PAGEFILE_BYTES + (off_t)done);
        if (bytes < 0 && errno == EINTR) {
            continue;
        }
        if (bytes < 0) {
            return PAGEFILE_UNREADABLE;
        }
        if (bytes == 0) {
            return PAGEFILE_DAMAGED;
        }
        done += (size_t)bytes;
    }
    return pagefile_examine(ret_page, number);
}

void pagefile_seal(uint8_t page[PAGEFILE_BYTES])
{
    page_seal(page);
}

enum pagefile_type pagefile_type(const uint8_t page[PAGEFILE_BYTES])
{
    return (enum pagefile_type)page[TYPE_AT];
}

uint64_t pagefile_lsn(const uint8_t page[PAGEFILE_BYTES])
{
    return (uint64_t)get32(page + LSN_AT) << 32 | get32(page + LSN_AT + 4);
}

unsigned pagefile_items(const uint8_t page[PAGEFILE_BYTES])
{
    unsigned most = (PAGEFILE_BYTES - INDEX_AT) / 2;
    unsigned items = get16(page + ENTRIES_AT);
    return items < most ? items : most;
}

bool pagefile_item(const uint8_t page[PAGEFILE_BYTES], unsigned index, struct pagefile_item *ret)
{
    size_t at = get16(page + INDEX_AT + 2 * (size_t)index);
    if (at < INDEX_AT || at + ITEM_DATA_AT > PAGEFILE_BYTES) {
        return false;
    }
    uint8_t type = page[at + ITEM_TYPE_AT];
    struct pagefile_item item = {.deleted = (type & ITEM_DELETED) != 0};
    switch (type & ~ITEM_DELETED) {
    case ITEM_KEYDATA:
        item.size = get16(page + at + ITEM_LENGTH_AT);
        item.bytes = (struct text){(const char *)page + at + ITEM_DATA_AT, item.size};
        if (at + ITEM_DATA_AT + item.size > PAGEFILE_BYTES) {
            return false;
        }
        break;
    case ITEM_OVERFLOW:
        if (at + ITEM_OVERFLOW_BYTES > PAGEFILE_BYTES) {
            return false;
        }
        item.overflow = get32(page + at + ITEM_OVERFLOW_AT);
        item.size = get32(page + at + ITEM_SIZE_AT);
        if (item.overflow == 0) {
            return false;
        }
        break;
    default:
        return false;
    }
    *ret = item;
    return true;
}

bool pagefile_item_read(int fd, const struct pagefile_item *item, struct buffer *ret, uint32_t *ret_page)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t number = item->overflow;
    uint32_t left = item->size;
    *ret_page = number;
    if (number == 0) {
        buffer_append_text(ret, item->bytes);
        return !ret->failed;
    }
    /* Each page brings a byte at least, so a chain that runs in a circle ends, too. */
    while (left > 0 && number != 0) {
        bool good = pagefile_read(fd, number, page) == PAGEFILE_GOOD && pagefile_type(page) == PAGEFILE_OVERFLOW;
        uint32_t bytes = good ? get16(page + OVERFLOW_SIZE_AT) : 0;
        if (bytes == 0 || bytes > PAGEFILE_BYTES - DATA_AT || bytes > left) {
            *ret_page = number;
            return false;
        }
        buffer_append(ret, page + DATA_AT, bytes);
        if (ret->failed) {
            return false;
        }
        left -= bytes;
        number = get32(page + NEXT_AT);
    }
    return left == 0 && number == 0;
}
