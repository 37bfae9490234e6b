#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/line.h"
#include "ctl/progress.h"
#include "rpc/bytes.h"

#define IMPORT_TRIES 30u /* of a batch, a second between them: other processes are killed, recoveries run */

struct import_batch {
    struct import_row rows[STORE_IMPORT_ROWS_MAX];
    uint64_t lines[STORE_IMPORT_ROWS_MAX]; /* their numbers in the file */
    size_t count;
    size_t bytes; /* of the lines */
    struct arena arena;
};

struct import_file {
    struct store *store;
    const char *name;
    int fd;
    char *bytes;     /* what has been read, LINE_BYTES_MAX + 1 at most: a line and its newline */
    size_t count;    /* of them, */
    size_t at;       /* so many given out */
    bool ended;      /* there is no more to read */
    uint64_t line;   /* number of the one given out last */
    uint64_t offset; /* in the file, of what was given out */
    struct import_batch batch;
    struct progress progress;
};

static bool import_fail(struct import_file *file, uint64_t line, const char *what)
{
    progress_end(&file->progress);
    return command_fail("%s:%" PRIu64 ": %s", file->name, line, what) == 0;
}

/* Reads on behind what has not been given out. */
static bool import_read(struct import_file *file)
{
    if (file->at > 0) {
        memmove(file->bytes, file->bytes + file->at, file->count - file->at);
        file->count -= file->at;
        file->at = 0;
    }
    ssize_t bytes = read(file->fd, file->bytes + file->count, LINE_BYTES_MAX + 1 - file->count);
    if (bytes < 0 && errno != EINTR) {
        return command_fail("cannot read %s: %s", file->name, strerror(errno)) == 0;
    }
    file->ended = bytes == 0;
    file->count += bytes > 0 ? (size_t)bytes : 0;
    return true;
}

enum import_next { IMPORT_LINE, IMPORT_END, IMPORT_FAILED };

/* The next line, without its newline; the last one may have none. It lives until the next call. */
static enum import_next import_next(struct import_file *file, struct text *ret)
{
    const char *newline = NULL;
    for (size_t seen = 0;;) {
        size_t left = file->count - file->at;
        newline = left > seen ? memchr(file->bytes + file->at + seen, '\n', left - seen) : NULL;
        if (newline != NULL || (file->ended && left > 0)) {
            break;
        }
        if (file->ended) {
            return IMPORT_END;
        }
        if (left > LINE_BYTES_MAX) {
            (void)import_fail(file, file->line + 1, "a line is longer than 2 MiB");
            return IMPORT_FAILED;
        }
        seen = left;
        if (!import_read(file)) {
            return IMPORT_FAILED;
        }
    }
    const char *start = file->bytes + file->at;
    size_t taken = newline != NULL ? (size_t)(newline - start) + 1 : file->count - file->at;
    *ret = (struct text){start, newline != NULL ? taken - 1 : taken};
    file->at += taken;
    file->offset += taken;
    file->line++;
    return IMPORT_LINE;
}

static void import_refused(struct import_file *file, uint64_t line, const struct import_row *row,
                           enum import_refusal refusal)
{
    static const char *const whys[] = {
        [IMPORT_CHAT_CONFLICT] = "chat '%.*s': the id is taken by a chat of other users",
        [IMPORT_MEMBERS_EXIST] = "chat '%.*s': a chat of exactly these users exists under another id",
        [IMPORT_NO_CHAT] = "message '%.*s': its chat does not exist; a chat's line stands above its messages",
        [IMPORT_ID_CONFLICT] = "message '%.*s': the id is taken by a message of another author, text or time",
        [IMPORT_NOT_LATER] = "message '%.*s': not later than the last one of its chat; importing only appends",
    };
    char what[512];
    struct text shown = bytes_shown(row->is_message ? row->message.id : row->chat.id);
    (void)snprintf(what, sizeof what, whys[refusal], (int)shown.bytes, shown.data);
    (void)import_fail(file, line, what);
}

/* Stores the batch. False: a row was refused, or it cannot be stored; said so. */
static bool import_store(struct import_file *file)
{
    struct import_batch *batch = &file->batch;
    struct import_result result = {0};
    enum store_status status = STORE_OK;
    for (unsigned tries = 1;; tries++) {
        status = batch->count > 0 ? store_import(file->store, batch->rows, batch->count, &result) : STORE_OK;
        if (status != STORE_UNAVAILABLE || tries == IMPORT_TRIES) {
            break;
        }
        const struct timespec pause = {.tv_sec = 1};
        nanosleep(&pause, NULL); /* whether it was stored is unknown; what was is passed over */
    }
    if (status != STORE_OK) {
        progress_end(&file->progress);
        return command_fail_status("import", status) == 0;
    }
    store_housekeeping(file->store);
    if (result.refusal != IMPORT_TAKEN) {
        import_refused(file, batch->lines[result.taken], &batch->rows[result.taken], result.refusal);
        return false;
    }
    batch->count = 0;
    batch->bytes = 0;
    arena_reset(&batch->arena);
    return true;
}

/* One line into the batch. What stands above a line that is refused is stored. */
static bool import_line(struct import_file *file, struct text line)
{
    struct import_batch *batch = &file->batch;
    struct error error;
    if (batch->count == STORE_IMPORT_ROWS_MAX || batch->bytes + line.bytes > STORE_IMPORT_BYTES_MAX) {
        if (!import_store(file)) {
            return false;
        }
    }
    batch->lines[batch->count] = file->line;
    if (!line_read(line, &batch->arena, &batch->rows[batch->count], &error)) {
        return import_store(file) &&
               import_fail(file, file->line, error.kind == ERROR_UNAVAILABLE ? "out of memory" : error.detail);
    }
    batch->count++;
    batch->bytes += line.bytes;
    progress_set(&file->progress, file->offset);
    return true;
}

static bool import_all(struct import_file *file)
{
    struct text line;
    for (;;) {
        switch (import_next(file, &line)) {
        case IMPORT_LINE:
            if (!import_line(file, line)) {
                return false;
            }
            break;
        case IMPORT_END:
            return import_store(file);
        case IMPORT_FAILED:
            return false;
        }
    }
}

int command_import(const struct command_context *context, int argc, char **argv)
{
    struct import_file file = {.store = context->store, .fd = STDIN_FILENO, .name = "standard input"};
    const char *path = NULL;
    struct stat st;
    if (!command_file_argument(argc, argv, &path)) {
        return 2;
    }
    if (path != NULL) {
        file.name = path;
        file.fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (file.fd < 0 || fstat(file.fd, &st) != 0) {
        return command_fail("cannot read %s: %s", file.name, strerror(errno));
    }
    int exit_status = 1;
    file.bytes = malloc(LINE_BYTES_MAX + 1);
    if (file.bytes == NULL) {
        (void)command_fail("out of memory");
        goto out;
    }
    progress_begin(&file.progress, "importing", "bytes", S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
    exit_status = import_all(&file) ? 0 : 1;
    progress_end(&file.progress);
out:
    arena_clear(&file.batch.arena);
    free(file.bytes);
    if (path != NULL) {
        close(file.fd);
    }
    return exit_status;
}
