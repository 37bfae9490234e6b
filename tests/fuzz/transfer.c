/*
 * Fuzz target: the lines of an export (src/ctl/line.h) into a home and out of it (src/store/transfer.h).
 *
 * Input: a file for `chatsctl import`. A line that is read keeps the contract's limits, and written anew it is read
 * again as the same. What an import has taken, the same import finds there; what an export gives, it gives line by line
 * as it was taken, and an import of that changes nothing; the home stays sound.
 */
#include <string.h>

#include "base/crypto.h"
#include "ctl/line.h"
#include "fuzz.h"
#include "home.h"
#include "rules.h"

#define CALLS_MAX 5000u
#define EXPORT_EVERY 64u
#define EXPORT_BYTES_MAX (16u << 20)

static struct home home;
static struct arena arena;
static struct buffer written;
static struct buffer rewritten;
static struct buffer exported;

static void check_row(const struct import_row *row)
{
    FUZZ_CHECK(rules_id(row->namespace) && rules_id(row->chat.id));
    if (row->is_message) {
        const struct message *m = &row->message;
        FUZZ_CHECK(rules_id(m->id) && rules_id(m->author) && rules_utf8(m->text));
        FUZZ_CHECK(m->text.bytes > 0 && m->text.bytes <= STORE_TEXT_BYTES_MAX);
        FUZZ_CHECK(m->sent_at_ns <= STORE_IMPORT_TIME_MAX);
        return;
    }
    FUZZ_CHECK(row->chat.members_count >= STORE_MEMBERS_MIN && row->chat.members_count <= STORE_MEMBERS_MAX);
    for (size_t i = 0; i < row->chat.members_count; i++) {
        FUZZ_CHECK(rules_id(row->chat.members[i]));
        FUZZ_CHECK(i == 0 || text_compare(row->chat.members[i - 1], row->chat.members[i]) < 0);
    }
}

static struct text write_row(const struct import_row *row, struct buffer *ret)
{
    buffer_reset(ret);
    if (row->is_message) {
        line_append_message(ret, row->namespace, row->chat.id, &row->message);
    } else {
        line_append_chat(ret, row->namespace, &row->chat, row->last_sent_at_ns);
    }
    FUZZ_CHECK(!ret->failed && ret->bytes > 0 && ret->data[ret->bytes - 1] == '\n');
    struct text line = {ret->data, ret->bytes - 1};
    FUZZ_CHECK(rules_json(line) && memchr(line.data, '\n', line.bytes) == NULL);
    return line;
}

/* Reads a line; false if it is refused. */
static bool read_row(struct text line, struct import_row *ret)
{
    struct error error = {.kind = ERROR_NONE};
    struct import_row again;
    if (!line_read(line, &arena, ret, &error)) {
        FUZZ_CHECK(error.detail[0] != '\0' && rules_utf8(text_of(error.detail)));
        return false;
    }
    check_row(ret);
    struct text first = write_row(ret, &written);
    FUZZ_CHECK(line_read(first, &arena, &again, &error));
    FUZZ_CHECK(text_equal(first, write_row(&again, &rewritten)));
    return true;
}

static struct import_result import_rows(const struct import_row *rows, size_t count)
{
    struct import_result result = {.taken = 0};
    FUZZ_CHECK(store_import(home.store, rows, count, &result) == STORE_OK);
    FUZZ_CHECK(result.taken <= count && result.stored <= result.taken);
    FUZZ_CHECK((result.refusal == IMPORT_TAKEN) == (result.taken == count));
    return result;
}

/* Imports them, and once more. */
static void import_twice(const struct import_row *rows, size_t count)
{
    struct import_result first = import_rows(rows, count);
    struct import_result second = import_rows(rows, first.taken);
    FUZZ_CHECK(second.taken == first.taken && second.stored == 0);
}

static bool export_chat(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    (void)context;
    line_append_chat(&exported, namespace, chat, last_sent_at_ns);
    return true;
}

static bool export_message(void *context, struct text namespace, struct text chat_id, const struct message *message)
{
    (void)context;
    line_append_message(&exported, namespace, chat_id, message);
    return true;
}

static void check_export(void)
{
    const struct store_export export = {.chat = export_chat, .message = export_message};
    buffer_reset(&exported);
    FUZZ_CHECK(store_export(home.store, &export) == STORE_OK && !exported.failed);
    struct fuzz_reader lines = {(const uint8_t *)exported.data, exported.bytes};
    struct text line;
    while ((line = fuzz_until(&lines, '\n')).bytes > 0) {
        struct import_row row;
        FUZZ_CHECK(read_row(line, &row) && text_equal(line, write_row(&row, &written)));
        struct import_result result = import_rows(&row, 1);
        FUZZ_CHECK(result.taken == 1 && result.stored == 0);
        arena_reset(&arena);
    }
    FUZZ_CHECK(lines.bytes == 0);
}

static void fill(struct home *filled)
{
    FUZZ_CHECK(store_ping(filled->store) == STORE_OK);
}

void fuzz_open(void)
{
    FUZZ_CHECK(crypto_init());
    log_set_level(LOG_LEVEL_ERROR);
    buffer_init(&written, (size_t)2 * LINE_BYTES_MAX);
    buffer_init(&rewritten, (size_t)2 * LINE_BYTES_MAX);
    buffer_init(&exported, EXPORT_BYTES_MAX);
    home_make(&home, fill);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_reader lines = {data, size};
    struct import_row rows[STORE_IMPORT_ROWS_MAX];
    size_t count = 0;
    home_renew(&home, CALLS_MAX, true, fill);
    while (lines.bytes > 0 && count < STORE_IMPORT_ROWS_MAX && read_row(fuzz_until(&lines, '\n'), &rows[count])) {
        count++;
    }
    if (count > 0) {
        import_twice(rows, count);
    }
    arena_reset(&arena);
    store_housekeeping(home.store);
    if (home.calls % EXPORT_EVERY == 0) {
        check_export();
    }
    return 0;
}
