#include "ctl/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define REPORT_SAY_INDENT "       "
#define REPORT_LINE_INDENT "           "

static const struct {
    const char *name;
    const char *header; /* how its Server header begins */
    const char *reload;
} servers[REPORT_UNKNOWN] = {
    [REPORT_APACHE] = {"Apache", "apache", "systemctl reload apache2"},
    [REPORT_LIGHTTPD] = {"lighttpd", "lighttpd", "systemctl restart lighttpd"},
    [REPORT_NGINX] = {"nginx", "nginx", "systemctl reload nginx"},
};

enum report_server report_server_of(const char *header)
{
    for (int server = 0; server < REPORT_UNKNOWN; server++) {
        if (strncasecmp(header, servers[server].header, strlen(servers[server].header)) == 0) {
            return (enum report_server)server;
        }
    }
    return REPORT_UNKNOWN;
}

/* "ok     Authorization: …" */
static void report_check(const char *verdict, const char *check, const char *format, va_list args)
{
    printf("%-6s %s: ", verdict, check);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
}

void report_ok(const char *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_check("ok", check, format, args);
    va_end(args);
}

void report_skip(struct report *report, const char *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_check("not looked at", check, format, args);
    va_end(args);
    report->skipped++;
}

void report_wrong(struct report *report, const char *check, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    report_check("WRONG", check, format, args);
    va_end(args);
    report->wrong++;
}

void report_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs(REPORT_SAY_INDENT, stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

void report_line(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs(REPORT_LINE_INDENT, stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

static bool report_concerns(const struct report *report, enum report_server server)
{
    return report->server == REPORT_UNKNOWN || report->server == server;
}

void report_line_for(const struct report *report, enum report_server server, const char *line)
{
    if (report_concerns(report, server)) {
        report_line("%s", line);
    }
}

static void report_lines(const char *lines, const char *with)
{
    fputs(REPORT_LINE_INDENT, stdout);
    for (; *lines != '\0'; lines++) {
        if (*lines == '@') {
            fputs(with, stdout);
        } else if (*lines == '\n') {
            fputs("\n" REPORT_LINE_INDENT, stdout);
        } else {
            putchar(*lines);
        }
    }
    putchar('\n');
}

void report_mend(const struct report *report, const struct report_mend *mend, const char *with)
{
    for (int server = 0; server < REPORT_UNKNOWN; server++) {
        if (report_concerns(report, (enum report_server)server) && mend->lines[server] != NULL) {
            report_say("In %s's configuration, then '%s':", servers[server].name, servers[server].reload);
            report_lines(mend->lines[server], with);
        }
    }
}

void report_restart(const struct report *report)
{
    report_line_for(report, REPORT_APACHE, "systemctl restart apache2        # mod_fcgid, mod_cgid");
    report_line_for(report, REPORT_LIGHTTPD, "systemctl restart lighttpd");
    if (report->server != REPORT_LIGHTTPD) {
        report_line("systemctl restart chats.service  # nginx, Apache's mod_proxy_fcgi");
    }
}

void report_end(const struct report *report)
{
    if (report->wrong == 0 && report->skipped == 0) {
        puts("all is well");
        return;
    }
    if (report->wrong > 0) {
        printf("%u wrong", report->wrong);
    } else {
        fputs("nothing wrong was found", stdout);
    }
    if (report->skipped > 0) {
        printf(", %u not looked at", report->skipped);
    }
    putchar('\n');
}
