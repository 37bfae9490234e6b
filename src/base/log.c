#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/timestamp.h"

#define LINE_BYTES_MAX 1000u /* with the newline; below PIPE_BUF, so that lines of several processes do not mix */

static _Atomic int level_max = LOG_LEVEL_WARNING;

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

__attribute__((format(printf, 2, 0))) static void log_line(enum log_level level, const char *format, va_list args)
{
    static const char *const names[] = {[LOG_LEVEL_ERROR] = "error",
                                        [LOG_LEVEL_WARNING] = "warning",
                                        [LOG_LEVEL_INFO] = "info",
                                        [LOG_LEVEL_DEBUG] = "debug"};
    if ((int)level > atomic_load_explicit(&level_max, memory_order_relaxed)) {
        return;
    }
    char line[LINE_BYTES_MAX + 1];
    timestamp_format(timestamp_now_ns(), line);
    size_t used = TIMESTAMP_BYTES;
    used += (size_t)snprintf(line + used, sizeof line - used, " chats[%ld] %s: ", (long)getpid(), names[level]);
    int bytes = vsnprintf(line + used, sizeof line - used, format, args);
    size_t end = used;
    if (bytes > 0) {
        end = used + (size_t)bytes < LINE_BYTES_MAX ? used + (size_t)bytes : LINE_BYTES_MAX - 1;
    }
    /* What came from outside must not be able to begin a line of its own. */
    for (size_t i = used; i < end; i++) {
        if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f) {
            line[i] = '?';
        }
    }
    line[end++] = '\n';
    /* There is nowhere to report that the log cannot be written. */
    ssize_t written = write(STDERR_FILENO, line, end);
    (void)written;
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
