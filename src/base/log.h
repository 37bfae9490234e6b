/*
 * log: one line to standard error, which a web server keeps as its own error log. Never message texts, tokens, secrets.
 *
 * A line is cut at 1,000 bytes, below PIPE_BUF, so that lines of several processes do not mix; what is cut is still of
 * its format. What could begin a line of its own or move a terminal's cursor becomes '?': control characters (Unicode's
 * Cc), and bytes that are no UTF-8.
 */
#ifndef CHATS_BASE_LOG_H
#define CHATS_BASE_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum log_format {
    LOG_FORMAT_TEXT,   /* TIME chats[PID] LEVEL: MESSAGE */
    LOG_FORMAT_JSON,   /* {"time":…,"level":…,"pid":…,"message":…} */
    LOG_FORMAT_JOURNAL /* <N>MESSAGE, N being syslog's priority: sd-daemon(3); the journal has the rest by itself */
};

/* Lines above this level are dropped. LOG_LEVEL_WARNING until set. */
void log_set_level(enum log_level level);

/* LOG_FORMAT_TEXT until set. */
void log_set_format(enum log_format format);

/* One line, lower case, no full stop. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A fact of a line: name=value, quoted where it has to be; in JSON a member, a number being one. */
struct log_pair {
    const char *name;                                     /* plain ASCII, no more than 20 bytes */
    enum { LOG_TEXT, LOG_NUMBER, LOG_MILLISECONDS } type; /* the last: `number` is nanoseconds, three digits shown */
    struct text text;                                     /* of any bytes; empty: the pair is left out */
    uint64_t number;
};

/* One line of level info, whatever the level is set to: a message and its facts. What does not fit is left out. */
void log_pairs(const char *message, const struct log_pair *pairs, size_t count);

#endif
