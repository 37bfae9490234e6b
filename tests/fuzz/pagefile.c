/*
 * Fuzz target: a tree's file of any bytes through the reader of pages (src/store/pagefile.h).
 *
 * The file begins as four good pages: the meta page, a leaf with two records, and the two overflow pages of the second
 * one's value. Input: a byte whose bits say which pages get a right checksum after all, then patches: page (1 byte),
 * offset (2), length (1), and as many bytes. So most of what is tried passes the checksum and is wrong behind it.
 *
 * Every item lies within its page, an item that is read has its size, and nothing is read without end.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "store/pagefile.h"

#define PAGES 4u
#define ITEM_BYTES_MAX 65536u
#define HEAD_BYTES 32u

static uint8_t pages[PAGES][PAGEFILE_BYTES];
static uint8_t good[PAGES][PAGEFILE_BYTES];
static struct buffer item_bytes;
static int file;

static void put16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)value;
    at[1] = (uint8_t)(value >> 8);
}

static void head(uint8_t *page, unsigned number, enum pagefile_type type, unsigned next)
{
    page[0] = 1; /* the LSN's file */
    put16(page + 8, number);
    put16(page + 16, next);
    page[24] = type == PAGEFILE_LEAF ? 1 : 0;
    page[25] = (uint8_t)type;
}

/* An item of a leaf at `at`: BKEYDATA of dbinc/db_page.h. */
static void key_data(uint8_t *page, unsigned index, unsigned at, const char *bytes)
{
    put16(page + HEAD_BYTES + (size_t)2 * index, at);
    put16(page + at, (unsigned)strlen(bytes));
    page[at + 2] = 1;
    memcpy(page + at + 3, bytes, strlen(bytes));
}

/* And BOVERFLOW: an item of `size` bytes whose first overflow page is `number`. */
static void overflow(uint8_t *page, unsigned index, unsigned at, unsigned number, unsigned size)
{
    put16(page + HEAD_BYTES + (size_t)2 * index, at);
    page[at + 2] = 3;
    put16(page + at + 4, number);
    put16(page + at + 8, size);
}

static void make_good(void)
{
    head(good[0], 0, PAGEFILE_META, 0);
    head(good[1], 1, PAGEFILE_LEAF, 0);
    put16(good[1] + 20, 4);
    key_data(good[1], 0, 4000, "key");
    key_data(good[1], 1, 3900, "value");
    key_data(good[1], 2, 3800, "other key");
    overflow(good[1], 3, 3700, 2, 5000);
    head(good[2], 2, PAGEFILE_OVERFLOW, 3);
    put16(good[2] + 22, 4000);
    head(good[3], 3, PAGEFILE_OVERFLOW, 0);
    put16(good[3] + 22, 1000);
    memset(good[2] + HEAD_BYTES, 'a', 4000);
    memset(good[3] + HEAD_BYTES, 'b', 1000);
    for (unsigned i = 0; i < PAGES; i++) {
        pagefile_seal(good[i]);
        FUZZ_CHECK(pagefile_examine(good[i], i) == PAGEFILE_GOOD);
    }
}

static void look_at_item(const uint8_t *page, unsigned index)
{
    struct pagefile_item item;
    uint32_t culprit = 0;
    if (!pagefile_item(page, index, &item)) {
        return;
    }
    if (item.overflow == 0) {
        const char *begin = (const char *)page;
        FUZZ_CHECK(item.bytes.bytes == item.size);
        FUZZ_CHECK(item.bytes.data >= begin && item.bytes.data + item.size <= begin + PAGEFILE_BYTES);
    }
    buffer_reset(&item_bytes);
    if (pagefile_item_read(file, &item, &item_bytes, &culprit)) {
        FUZZ_CHECK(item_bytes.bytes == item.size);
    } else {
        FUZZ_CHECK(item_bytes.failed || item.overflow != 0);
    }
}

static void look_at_page(uint32_t number)
{
    uint8_t page[PAGEFILE_BYTES];
    enum pagefile_state state = pagefile_read(file, number, page);
    FUZZ_CHECK(state == PAGEFILE_GOOD || state == PAGEFILE_BLANK || state == PAGEFILE_DAMAGED);
    FUZZ_CHECK(number < PAGES ? memcmp(page, pages[number], sizeof page) == 0 : state == PAGEFILE_DAMAGED);
    /* A page that is damaged is not to be looked into, yet nothing in it may lead astray. */
    unsigned items = pagefile_items(page);
    for (unsigned i = 0; i < items; i++) {
        look_at_item(page, i);
    }
    if (state == PAGEFILE_GOOD) {
        (void)pagefile_lsn(page);
        (void)pagefile_type(page);
        pagefile_seal(page);
        FUZZ_CHECK(pagefile_examine(page, number) == PAGEFILE_GOOD);
    }
}

static void patch(struct fuzz_reader *input)
{
    while (input->bytes > 0) {
        uint8_t *page = pages[fuzz_byte(input) % PAGES];
        unsigned at = fuzz_byte(input);
        at = (at | (unsigned)fuzz_byte(input) << 8) % PAGEFILE_BYTES;
        for (unsigned left = fuzz_byte(input); left > 0 && input->bytes > 0 && at < PAGEFILE_BYTES; left--) {
            page[at++] = fuzz_byte(input);
        }
    }
}

void fuzz_open(void)
{
    buffer_init(&item_bytes, ITEM_BYTES_MAX);
    file = memfd_create("pages", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0);
    make_good();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader input = {data, size};
    uint8_t sealed = fuzz_byte(&input);
    uint32_t count = 0;
    memcpy(pages, good, sizeof pages);
    patch(&input);
    for (unsigned i = 0; i < PAGES; i++) {
        if ((sealed & 1u << i) != 0) {
            pagefile_seal(pages[i]);
        }
    }
    FUZZ_CHECK(pwrite(file, pages, sizeof pages, 0) == (ssize_t)sizeof pages);
    FUZZ_CHECK(pagefile_count(file, &count) && count == PAGES);
    for (uint32_t i = 0; i <= PAGES; i++) {
        look_at_page(i);
    }
    return 0;
}
