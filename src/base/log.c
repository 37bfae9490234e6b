#include "base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <unistr.h>

#include "base/timestamp.h"

#define LINE_BYTES_MAX 1000u /* with the newline */
#define PAIR_BYTES_MIN 64u   /* room without which no further pair is begun: a name and a number fit */

static _Atomic int level_max = LOG_LEVEL_WARNING;
static _Atomic int format_now = LOG_FORMAT_TEXT;

static const struct {
    const char *name;
    int priority; /* syslog(3) */
} levels[] = {[LOG_LEVEL_ERROR] = {"error", 3},
              [LOG_LEVEL_WARNING] = {"warning", 4},
              [LOG_LEVEL_INFO] = {"info", 6},
              [LOG_LEVEL_DEBUG] = {"debug", 7}};

/* One line while it is written. There is always room for its tail. */
struct line {
    enum log_format format;
    size_t tail; /* what still has to end it, bytes: the newline; in JSON a quote and a brace before it */
    size_t bytes;
    char data[LINE_BYTES_MAX];
};

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

void log_set_format(enum log_format format)
{
    atomic_store_explicit(&format_now, (int)format, memory_order_relaxed);
}

static size_t room(const struct line *line)
{
    return LINE_BYTES_MAX - line->tail - line->bytes;
}

/* What surely fits: of the program's own words. */
__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(line->data + line->bytes, room(line) + 1, format, args);
    va_end(args);
    if (bytes > 0) {
        line->bytes += (size_t)bytes < room(line) ? (size_t)bytes : room(line);
    }
}

/* How many bytes the character at the front of t has; 1 where it is none of UTF-8. *ret_bad: that, or a control. */
static size_t character(struct text t, bool *ret_bad)
{
    ucs4_t c;
    int bytes = u8_mbtoucr(&c, (const uint8_t *)t.data, t.bytes);
    *ret_bad = bytes <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0);
    return bytes > 0 ? (size_t)bytes : 1;
}

/* Text from anywhere, cut between two characters where there is no room. quoted: within quotes. */
static void put_text(struct line *line, struct text t, bool quoted)
{
    while (t.bytes > 0) {
        bool bad;
        size_t bytes = character(t, &bad);
        bool escaped = quoted && (*t.data == '"' || *t.data == '\\');
        if (bytes + escaped > room(line)) {
            return;
        }
        if (escaped) {
            line->data[line->bytes++] = '\\';
        }
        if (bad) {
            line->data[line->bytes++] = '?';
        } else {
            memcpy(line->data + line->bytes, t.data, bytes);
            line->bytes += bytes;
        }
        t.data += bytes;
        t.bytes -= bytes;
    }
}

/* True if a value has to be quoted for logfmt's readers. */
static bool wants_quotes(struct text t)
{
    for (size_t i = 0; i < t.bytes; i++) {
        unsigned char c = (unsigned char)t.data[i];
        if (c <= 0x20 || c == 0x7f || c == '"' || c == '=' || c == '\\') {
            return true;
        }
    }
    return false;
}

static void put_value(struct line *line, const struct log_pair *pair)
{
    switch (pair->type) {
    case LOG_NUMBER:
        put(line, "%" PRIu64, pair->number);
        return;
    case LOG_MILLISECONDS:
        put(line, "%" PRIu64 ".%03" PRIu64, pair->number / 1000000, pair->number / 1000 % 1000);
        return;
    case LOG_TEXT:
        break;
    }
    if (line->format != LOG_FORMAT_JSON && !wants_quotes(pair->text)) {
        put_text(line, pair->text, false);
        return;
    }
    line->tail++;
    put(line, "\"");
    put_text(line, pair->text, true);
    line->data[line->bytes++] = '"';
    line->tail--;
}

static void put_head(struct line *line, enum log_level level)
{
    char time[TIMESTAMP_BYTES + 1];
    if (line->format == LOG_FORMAT_JOURNAL) {
        put(line, "<%d>", levels[level].priority);
        return;
    }
    timestamp_format(timestamp_now_ns(), time);
    if (line->format == LOG_FORMAT_JSON) {
        put(line, "{\"time\":\"%.*s\",\"level\":\"%s\",\"pid\":%ld,\"message\":\"", (int)TIMESTAMP_BYTES, time,
            levels[level].name, (long)getpid());
    } else {
        put(line, "%.*s chats[%ld] %s: ", (int)TIMESTAMP_BYTES, time, (long)getpid(), levels[level].name);
    }
}

static void write_line(enum log_level level, const char *message, const struct log_pair *pairs, size_t count)
{
    enum log_format format = (enum log_format)atomic_load_explicit(&format_now, memory_order_relaxed);
    bool is_json = format == LOG_FORMAT_JSON;
    struct line line = {.format = format, .tail = is_json ? 3 : 1};
    put_head(&line, level);
    put_text(&line, text_of(message), is_json);
    if (is_json) {
        line.data[line.bytes++] = '"';
        line.tail--;
    }
    for (size_t i = 0; i < count && room(&line) >= PAIR_BYTES_MIN; i++) {
        if (pairs[i].type != LOG_TEXT || pairs[i].text.bytes > 0) {
            put(&line, is_json ? ",\"%s\":" : " %s=", pairs[i].name);
            put_value(&line, &pairs[i]);
        }
    }
    if (is_json) {
        line.data[line.bytes++] = '}';
    }
    line.data[line.bytes++] = '\n';
    /* There is nowhere to report that the log cannot be written. */
    ssize_t written = write(STDERR_FILENO, line.data, line.bytes);
    (void)written;
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *format, va_list args)
{
    char message[LINE_BYTES_MAX];
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed)) {
        return;
    }
    if (vsnprintf(message, sizeof message, format, args) >= 0) {
        write_line(level, message, NULL, 0);
    }
}

void log_pairs(const char *message, const struct log_pair *pairs, size_t count)
{
    write_line(LOG_LEVEL_INFO, message, pairs, count);
}

#define LOG_LINE(level, format)                                                                                        \
    do {                                                                                                               \
        va_list args;                                                                                                  \
        va_start(args, format);                                                                                        \
        log_line(level, format, args);                                                                                 \
        va_end(args);                                                                                                  \
    } while (0)

void log_error(const char *format, ...)
{
    LOG_LINE(LOG_LEVEL_ERROR, format);
}

void log_warning(const char *format, ...)
{
    LOG_LINE(LOG_LEVEL_WARNING, format);
}

void log_info(const char *format, ...)
{
    LOG_LINE(LOG_LEVEL_INFO, format);
}

void log_debug(const char *format, ...)
{
    LOG_LINE(LOG_LEVEL_DEBUG, format);
}
