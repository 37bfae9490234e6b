/*
 * log: one line to standard error, which a web server keeps as its own error log. Never message texts, tokens, secrets.
 */
#ifndef CHATS_BASE_LOG_H
#define CHATS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Lines above this level are dropped. LOG_LEVEL_WARNING until set. */
void log_set_level(enum log_level level);

/* One line, lower case, no full stop, prefixed with the time, "chats[pid]" and the level; cut at 1,000 bytes. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
