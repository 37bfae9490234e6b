#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/config.h"
#include "ctl/doctor.h"

#define REACH_SERVICE "service"
#define REACH_PATH "PATH_INFO"
#define REACH_HTTPS "HTTPS"
#define REACH_TRIES 3 /* of one that says that it is not available: it may be recovering */
#define REACH_CERTIFICATE_DAYS 7
#define REACH_DAY_S 86400L

static const struct report_mend path_info = {{
    [REPORT_APACHE] = "AcceptPathInfo On\n"
                      "# with mod_proxy_fcgi, which knows no such line:\n"
                      "ProxyFCGISetEnvIf \"%{REQUEST_URI} =~ m#^/*(@)(/.*)?$#\" SCRIPT_NAME \"$1\"\n"
                      "ProxyFCGISetEnvIf \"%{REQUEST_URI} =~ m#^/*(@)(/.*)?$#\" PATH_INFO \"$2\"",
    [REPORT_LIGHTTPD] = "# in the program's $HTTP[\"url\"] block, as deploy/lighttpd/chats-fastcgi.conf has it:\n"
                        "fastcgi.server = ( \"/\" => (( …, \"check-local\" => \"disable\" )) )",
    [REPORT_NGINX] = "fastcgi_split_path_info ^(@)(/.*)$;\n"
                     "fastcgi_param PATH_INFO $fastcgi_path_info;",
}};

static const struct report_mend no_execution = {{
    [REPORT_APACHE] = "# for mod_fcgid; mod_cgid: cgi-script. In the <Files> or <Directory> of the program:\n"
                      "SetHandler fcgid-script\n"
                      "Options +ExecCGI",
    [REPORT_LIGHTTPD] =
        "# as deploy/lighttpd/chats-fastcgi.conf has it:\n"
        "server.modules += ( \"mod_fastcgi\" )\n"
        "fastcgi.server = ( \"/\" => (( \"bin-path\" => \"…/chats.fcgi\", \"check-local\" => \"disable\" )) )",
    [REPORT_NGINX] =
        "# nginx starts no program: systemd (chats.socket) or spawn-fcgi does, and nginx talks to its socket\n"
        "fastcgi_pass unix:/run/chats/fastcgi.socket;",
}};

static const struct report_mend permission = {{
    [REPORT_APACHE] = "# in the <Files> or <Directory> of the program:\n"
                      "Options +ExecCGI\n"
                      "Require all granted",
    [REPORT_LIGHTTPD] = "# url.access-deny must not name these addresses",
    [REPORT_NGINX] = "# 'deny' must not stand for these addresses",
}};

static const struct report_mend to_https = {{
    [REPORT_APACHE] = "# in the <VirtualHost *:80>:\n"
                      "Redirect permanent / https://@/",
    [REPORT_LIGHTTPD] = "$HTTP[\"scheme\"] == \"http\" {\n"
                        "    url.redirect = ( \"\" => \"https://${url.authority}${url.path}${qsa}\" )\n"
                        "}",
    [REPORT_NGINX] = "# in the server block that listens at port 80:\n"
                     "return 301 https://$host$request_uri;",
}};

void doctor_call(struct doctor *doctor, const char *path, const char *token, size_t body_bytes, struct fetched *ret)
{
    fetch(&doctor->fetcher, &(struct fetch_call){doctor->mount, path, token, body_bytes}, ret);
}

/* Health, and who is there; once more without minding the certificate, if it is only that. */
static void reach_health(struct doctor *doctor)
{
    char server[FETCH_HEADER_BYTES_MAX];
    fetched_clear(&doctor->health);
    doctor_call(doctor, DOCTOR_HEALTH, NULL, 0, &doctor->health);
    if (doctor->health.curl == FETCH_CURL_CERTIFICATE && !doctor->fetcher.insecure) {
        snprintf(doctor->distrust, sizeof doctor->distrust, "%s", doctor->health.said);
        doctor->fetcher.insecure = true;
        reach_health(doctor);
        return;
    }
    (void)fetched_header(&doctor->health, "Server", server);
    doctor->report.server = report_server_of(server);
    answer_read(&doctor->health, &doctor->answer);
}

/* Where plain HTTP leads to HTTPS, that is the service. False: it leads elsewhere, or nowhere. */
static bool reach_follow(struct doctor *doctor)
{
    char to[FETCH_HEADER_BYTES_MAX];
    char problem[URL_PROBLEM_BYTES_MAX];
    struct url url;
    if (doctor->url.tls || fetched_header(&doctor->health, "Location", to) != 1 || !url_parse(to, &url, problem)) {
        return false;
    }
    size_t bytes = strlen(url.path);
    size_t health_bytes = strlen(DOCTOR_HEALTH);
    if (!url.tls || bytes < health_bytes || strcmp(url.path + bytes - health_bytes, DOCTOR_HEALTH) != 0) {
        return false;
    }
    url.path[bytes - health_bytes] = '\0';
    doctor->url = url;
    doctor->forwarded = true;
    url_format(&url, doctor->mount);
    return true;
}

static bool reach_is_redirect(int status)
{
    return status == 301 || status == 302 || status == 307 || status == 308;
}

/* The program refuses: says what it cannot do, and where to look. */
static void reach_say_unwell(struct doctor *doctor)
{
    struct config config;
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    report_wrong(&doctor->report, REACH_SERVICE, "the program answers %d %s: %s", doctor->health.status,
                 doctor->answer.id, doctor->answer.detail);
    if (strcmp(doctor->answer.id, "DATABASE_ERROR") == 0) {
        report_say("A page or the log of the home is damaged, and it is out of service. On the server:");
        report_line("chatsctl stats    # names the page");
        report_line("chatsctl check    # looks at all; then restore or salvage: man chatsctl");
        return;
    }
    if (doctor->health.status != 503) {
        report_say("The web server's error log may say more, or whether something on the way changes calls.");
        return;
    }
    report_say("It cannot use its home: the web server's error log has the sentence that says why.");
    report_say("It may not be there, be another user's, lie where the web server serves files from, or be in use by");
    report_say("workers of another version.");
    if (!doctor->home_is_ours) {
        return;
    }
    if (!config_load(&config, doctor->home, problem)) {
        report_say("Here chatsctl itself says: %s", problem);
    } else {
        report_say("Here, on the server, this may tell more:");
        report_line("chatsctl stats");
    }
    config_clear(&config);
}

static bool reach_is_program_text(struct text body)
{
    return (body.bytes >= 4 && memcmp(body.data, "\177ELF", 4) == 0) ||
           (body.bytes >= 2 && memcmp(body.data, "#!", 2) == 0);
}

static void reach_say_nothing_there(struct doctor *doctor)
{
    report_wrong(&doctor->report, REACH_SERVICE, "404 by the web server: nothing is mounted at %s", doctor->mount);
    report_say("Is that the mount, and is the site file of deploy/ enabled? On Debian:");
    report_line_for(&doctor->report, REPORT_APACHE, "a2enconf chats && systemctl reload apache2");
    report_line_for(&doctor->report, REPORT_LIGHTTPD, "lighttpd-enable-mod chats && systemctl restart lighttpd");
    report_line_for(&doctor->report, REPORT_NGINX, "include snippets/chats.conf;    # in the site's server block");
}

static void reach_say_not_running(struct doctor *doctor)
{
    report_wrong(&doctor->report, REACH_SERVICE,
                 "%d by the web server: the program does not run, or ended before it answered", doctor->health.status);
    report_say("The web server's error log says why. Where systemd keeps the workers:");
    report_line("systemctl restart chats.socket; journalctl -u chats");
}

/* Somebody else answered. */
static void reach_say_stranger(struct doctor *doctor)
{
    int status = doctor->health.status;
    char header[FETCH_HEADER_BYTES_MAX];
    struct report *report = &doctor->report;
    if (reach_is_program_text(doctor->health.body)) {
        report_wrong(report, REACH_SERVICE, "the web server hands out the program's file instead of running it");
        report_mend(report, &no_execution, "");
    } else if (reach_is_redirect(status)) {
        (void)fetched_header(&doctor->health, "Location", header);
        report_wrong(report, REACH_SERVICE, "the web server leads elsewhere, to %s", header);
        report_say("Is the service mounted there? Then call doctor with that mount.");
    } else if (status == 401) {
        (void)fetched_header(&doctor->health, "WWW-Authenticate", header);
        report_wrong(report, REACH_SERVICE, "the web server itself asks for a password (%s)", header);
        report_say("Callers send the program's tokens in the same header: take that off these addresses.");
    } else if (status == 403) {
        report_wrong(report, REACH_SERVICE, "403 by the web server: it may not run the program, or nobody may call it");
        report_mend(report, &permission, "");
    } else if (status == 404) {
        reach_say_nothing_there(doctor);
    } else if (status >= 500) {
        reach_say_not_running(doctor);
    } else {
        report_wrong(report, REACH_SERVICE, "status %d and no answer of the program: something else is mounted at %s",
                     status, doctor->mount);
        report_say("Is that the mount? No rewrite rule or other program may take these addresses.");
    }
}

/* A 404 of either kind may come of an address that is not handed on: at the mount itself there is none to hand on. */
static bool reach_is_pathless(struct doctor *doctor)
{
    struct fetched mount;
    struct answer answer = doctor->answer;
    if (doctor->health.status != 404) {
        return false;
    }
    if (!answer.ours) {
        doctor_call(doctor, "", NULL, 0, &mount);
        answer_read(&mount, &answer);
        fetched_clear(&mount);
    }
    return strcmp(answer.id, "UNKNOWN_OPERATION") == 0;
}

static void reach_pause(void)
{
    (void)nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
}

void doctor_reach(struct doctor *doctor)
{
    char server[FETCH_HEADER_BYTES_MAX];
    reach_health(doctor);
    if (doctor->health.curl == 0 && reach_is_redirect(doctor->health.status) && reach_follow(doctor)) {
        reach_health(doctor);
    }
    for (int i = 1; i < REACH_TRIES && doctor->answer.ours && doctor->health.status == 503; i++) {
        reach_pause();
        reach_health(doctor);
    }
    if (doctor->health.curl != 0) {
        doctor->found = DOCTOR_NOTHING;
        return;
    }
    (void)fetched_header(&doctor->health, "Server", server);
    if (doctor->answer.well) {
        doctor->found = DOCTOR_WELL;
        report_ok(REACH_SERVICE, "well, at %s%s%s", doctor->mount, server[0] != '\0' ? ", behind " : "", server);
    } else if (reach_is_pathless(doctor)) {
        doctor->found = DOCTOR_PATHLESS;
        report_ok(REACH_SERVICE, "the program answers at %s", doctor->mount);
        report_wrong(&doctor->report, REACH_PATH, "the program is not told what stands behind the mount in an address");
        report_say("So it knows no operation: every call is a 404.");
        report_mend(&doctor->report, &path_info, doctor->url.path);
        return;
    } else if (doctor->answer.ours) {
        doctor->found = DOCTOR_UNWELL;
        reach_say_unwell(doctor);
    } else {
        doctor->found = DOCTOR_STRANGER;
        reach_say_stranger(doctor);
    }
    if (doctor->found == DOCTOR_STRANGER) {
        report_skip(&doctor->report, REACH_PATH, DOCTOR_LATER);
    } else {
        report_ok(REACH_PATH, "the program is told the whole address");
    }
}

static void reach_renew(const struct doctor *doctor)
{
    report_line("certbot renew    # then reload the web server; certbot certonly -d %s, if it has none yet",
                doctor->url.host);
}

static void reach_say_certificate(struct doctor *doctor)
{
    char end[32] = "";
    time_t end_s = (time_t)doctor->health.certificate_end_s;
    struct tm tm;
    if (end_s > 0 && gmtime_r(&end_s, &tm) != NULL) {
        (void)strftime(end, sizeof end, "%Y-%m-%d", &tm);
    }
    if (doctor->distrust[0] != '\0') {
        report_wrong(&doctor->report, REACH_HTTPS, "the certificate is not to be trusted: %s", doctor->distrust);
        report_say("Browsers refuse the site. What is said below was seen without minding that.");
        reach_renew(doctor);
    } else if (end_s > 0 &&
               end_s < (time_t)(doctor->health.ended_ns / 1000000000) + REACH_CERTIFICATE_DAYS * REACH_DAY_S) {
        report_wrong(&doctor->report, REACH_HTTPS, "the certificate ends on %s", end);
        report_say("It should have been renewed: from then on browsers refuse the site.");
        reach_renew(doctor);
    } else {
        report_ok(REACH_HTTPS, "the certificate is good%s%s%s", end[0] != '\0' ? " until " : "", end,
                  doctor->forwarded ? "; plain HTTP leads there" : "");
    }
}

/* Whether the service answers by HTTPS on the same host, at its own port, whatever its certificate. */
static bool reach_answers_https(struct doctor *doctor)
{
    char mount[URL_BYTES_MAX];
    struct url url = doctor->url;
    struct fetched fetched;
    struct answer answer;
    url.tls = true;
    url.port = 0;
    url_format(&url, mount);
    fetch(&doctor->fetcher, &(struct fetch_call){.url = mount, .path = DOCTOR_HEALTH}, &fetched);
    answer_read(&fetched, &answer);
    bool answers = fetched.curl == FETCH_CURL_CERTIFICATE || (fetched.curl == 0 && answer.ours);
    fetched_clear(&fetched);
    return answers;
}

void doctor_check_https(struct doctor *doctor)
{
    if (doctor->url.tls) {
        reach_say_certificate(doctor);
        return;
    }
    if (url_is_near(&doctor->url)) {
        report_ok(REACH_HTTPS, "not needed: '%s' is this machine or its local network", doctor->url.host);
        return;
    }
    report_wrong(&doctor->report, REACH_HTTPS, "tokens, secrets and messages go to '%s' in the clear",
                 doctor->url.host);
    if (reach_answers_https(doctor)) {
        report_say("It answers by HTTPS, too: let plain HTTP lead there, and give that address to clients.");
    } else {
        report_say("It does not answer by HTTPS at https://%s/: get a certificate, then let plain HTTP lead there.",
                   doctor->url.host);
        report_line("certbot --apache -d %s    # or --nginx; with lighttpd: certbot certonly --webroot",
                    doctor->url.host);
    }
    report_mend(&doctor->report, &to_https, doctor->url.host);
}
