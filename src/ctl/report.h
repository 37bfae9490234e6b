/*
 * report: what `chatsctl doctor` says: a line a check, and below what is wrong what it means and the lines that mend
 * it. These differ by the web server; where that is not known, all are shown.
 */
#ifndef CHATS_CTL_REPORT_H
#define CHATS_CTL_REPORT_H

#include <stdbool.h>

enum report_server { REPORT_APACHE, REPORT_LIGHTTPD, REPORT_NGINX, REPORT_UNKNOWN };

struct report {
    enum report_server server;
    unsigned wrong;   /* checks that found something */
    unsigned skipped; /* that were not made */
};

/*
 * The lines for each server, enum report_server, to be written into its configuration; NULL: it has none of its own. An
 * '@' in them stands for what changes from place to place.
 */
struct report_mend {
    const char *lines[REPORT_UNKNOWN];
};

/* Which server a Server header is of. */
enum report_server report_server_of(const char *header);

/* A check's line: its name, and what was found. */
void report_ok(const char *check, const char *format, ...) __attribute__((format(printf, 2, 3)));
void report_skip(struct report *report, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_wrong(struct report *report, const char *check, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Below it: a sentence; a line to be typed or written; one for that server only; the lines of a mend, with `with` for
 * each '@'.
 */
void report_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void report_line_for(const struct report *report, enum report_server server, const char *line);
void report_mend(const struct report *report, const struct report_mend *mend, const char *with);

/* The commands that start the program's processes anew. */
void report_restart(const struct report *report);

/* The last line. */
void report_end(const struct report *report);

#endif
