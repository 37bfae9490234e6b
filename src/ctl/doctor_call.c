#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>

#include "base/crypto.h"
#include "ctl/doctor.h"
#include "rpc/access.h"
#include "rpc/openapi.h"

#define CALL_AUTHORIZATION "Authorization"
#define CALL_BODY "body limit"
#define CALL_HEADERS "headers"
#define CALL_BUILDS "builds"
#define CALL_CLOCK "clock"
#define CALL_BODY_BYTES_DEFAULT 524288u /* max_body: contract, section 3 */
#define CALL_ROOM_BYTES 8388608u        /* what the files in deploy/ allow; larger bodies need twice their own */
#define CALL_AT_ONCE 8u
#define CALL_CLOCK_S 5u /* a difference that is no delay and no rounding any more */
#define CALL_NS_PER_S UINT64_C(1000000000)

static const struct report_mend pass_authorization = {{
    [REPORT_APACHE] =
        "# where the program is configured, a <Files>, <Location> or <Directory>; Apache 2.4.13 or later:\n"
        "CGIPassAuth On\n"
        "# in an .htaccess that may not say so:\n"
        "SetEnvIf Authorization \"^(.+)$\" HTTP_AUTHORIZATION=$1",
    [REPORT_LIGHTTPD] = "# setenv.set-request-header must not name it:\n"
                        "#   setenv.set-request-header = ( \"Authorization\" => \"\" )",
    [REPORT_NGINX] = "fastcgi_param HTTP_AUTHORIZATION $http_authorization;",
}};

static const struct report_mend fcgid_room = {{[REPORT_APACHE] = "FcgidMaxRequestLen @"}};
static const struct report_mend room = {{
    [REPORT_APACHE] = "LimitRequestBody @",
    [REPORT_NGINX] = "client_max_body_size @;",
}};
static const struct report_mend room_in_kib = {{[REPORT_LIGHTTPD] = "server.max-request-size = @"}};

static const struct report_mend no_cache = {{
    [REPORT_APACHE] = "# no 'Header set Cache-Control' and no ExpiresDefault for these addresses, and\n"
                      "CacheDisable \"@\"",
    [REPORT_LIGHTTPD] = "# expire.url and setenv.set-response-header must not name these addresses",
    [REPORT_NGINX] = "fastcgi_cache off;\n"
                     "expires off;",
}};

static const struct report_mend no_second_origin = {{
    [REPORT_APACHE] = "# no 'Header set Access-Control-Allow-Origin' for these addresses, or\n"
                      "Header unset Access-Control-Allow-Origin",
    [REPORT_LIGHTTPD] = "# setenv.add-response-header must not have Access-Control-Allow-Origin for these addresses",
    [REPORT_NGINX] = "# 'add_header Access-Control-Allow-Origin' must not stand for these addresses",
}};

void doctor_check_authorization(struct doctor *doctor)
{
    char token[CRYPTO_TOKEN_BYTES + 1];
    struct fetched fetched;
    struct answer answer;
    crypto_token(token);
    token[CRYPTO_TOKEN_BYTES] = '\0';
    /* Of services only, also where auth = open: a token that is not good is a 401, and so is none. */
    doctor_call(doctor, "/Accounts/List", token, 0, &fetched);
    answer_read(&fetched, &answer);
    if (fetched.curl != 0) {
        report_skip(&doctor->report, CALL_AUTHORIZATION, "%s", fetched.said);
    } else if (!answer.ours && fetched.status == 401) {
        report_wrong(&doctor->report, CALL_AUTHORIZATION,
                     "the web server minds that header itself, and refuses tokens");
        report_say("Take its own password off these addresses.");
    } else if (!answer.ours || fetched.status != 401) {
        report_skip(&doctor->report, CALL_AUTHORIZATION, "a made-up token was answered %d %s", fetched.status,
                    answer.id);
    } else if (strstr(answer.detail, ACCESS_TOKEN_REFUSED) != NULL) {
        report_ok(CALL_AUTHORIZATION, "tokens reach the program; it refused one that was made up");
    } else {
        bool lost = strstr(answer.detail, ACCESS_HEADER_LOST) != NULL;
        report_wrong(&doctor->report, CALL_AUTHORIZATION,
                     "the web server %s that header, which holds the caller's token", lost ? "strips" : "changes");
        report_say("So nobody can log in: every call with a token is a 401.");
        report_mend(&doctor->report, &pass_authorization, "");
    }
    fetched_clear(&fetched);
}

/* The web server refused a body that the program would have taken. */
static void call_say_body(struct doctor *doctor, const struct fetched *fetched, size_t bytes)
{
    char number[32];
    struct report *report = &doctor->report;
    size_t enough = bytes <= CALL_ROOM_BYTES / 2 ? CALL_ROOM_BYTES : 2 * bytes;
    report_wrong(report, CALL_BODY, "the web server's limit is below the program's, which is %zu bytes (max_body)",
                 bytes);
    if (fetched->status != 0) {
        report_say("It answered a body of that size with %d by itself: long messages fail so.", fetched->status);
    } else {
        report_say("It broke off a body of that size (%s): long messages fail so.", fetched->said);
    }
    snprintf(number, sizeof number, "%zu", enough);
    if (report->server == REPORT_UNKNOWN || fetched->status != 413) {
        report_mend(report, &fcgid_room, number); /* mod_fcgid answers 500, or hangs up; its own default is 131,072 */
    }
    if (report->server != REPORT_APACHE || fetched->status == 413) {
        report_mend(report, &room, number);
    }
    snprintf(number, sizeof number, "%zu", enough / 1024);
    report_mend(report, &room_in_kib, number);
}

/* Answered, or broken off; it did not just take too long. */
static bool call_is_refused(const struct fetched *fetched)
{
    return fetched->status != 0 || fetched->curl == FETCH_CURL_EMPTY || fetched->curl == FETCH_CURL_SEND ||
           fetched->curl == FETCH_CURL_RECEIVE;
}

void doctor_check_body(struct doctor *doctor)
{
    struct fetched fetched;
    struct answer answer;
    size_t bytes = doctor->build.body_bytes_max > 0 ? doctor->build.body_bytes_max : CALL_BODY_BYTES_DEFAULT;
    doctor_call(doctor, DOCTOR_HEALTH, NULL, bytes, &fetched);
    answer_read(&fetched, &answer);
    if (answer.well) {
        report_ok(CALL_BODY, "a body of %zu bytes, the program's own limit, reaches it", bytes);
    } else if (answer.ours) {
        report_wrong(&doctor->report, CALL_BODY, "a body of %zu bytes was answered %d %s: %s", bytes, fetched.status,
                     answer.id, answer.detail);
        report_say("Some workers may have read an older chats.conf: restart them.");
        report_restart(&doctor->report);
    } else if (call_is_refused(&fetched)) {
        call_say_body(doctor, &fetched, bytes);
    } else {
        report_skip(&doctor->report, CALL_BODY, "%s", fetched.said);
    }
    fetched_clear(&fetched);
}

void doctor_check_headers(struct doctor *doctor)
{
    char value[FETCH_HEADER_BYTES_MAX];
    char age[FETCH_HEADER_BYTES_MAX];
    struct report *report = &doctor->report;
    unsigned wrong = report->wrong;
    unsigned ages = fetched_header(&doctor->health, "Age", age);
    unsigned controls = fetched_header(&doctor->health, "Cache-Control", value);
    if (ages > 0 || controls != 1 || strcmp(value, "no-store") != 0) {
        report_wrong(report, CALL_HEADERS, "a cache may keep what people write: Cache-Control is '%s'%s%s", value,
                     ages > 0 ? ", and the answer came out of one, Age " : "", age);
        report_say("The program says 'no-store' with every answer; something on the way changes that.");
        report_mend(report, &no_cache, doctor->url.path[0] != '\0' ? doctor->url.path : "/");
    }
    if (fetched_header(&doctor->health, "Access-Control-Allow-Origin", value) > 1) {
        report_wrong(report, CALL_HEADERS,
                     "Access-Control-Allow-Origin comes twice: the web server adds one of its own");
        report_say("Browsers refuse such an answer to a page of another site; the program says what is allowed.");
        report_mend(report, &no_second_origin, "");
    }
    if (report->wrong == wrong) {
        report_ok(CALL_HEADERS, "nothing on the way keeps answers or adds to what they allow");
    }
}

/* How many of them differ. */
static unsigned call_count_builds(const struct answer_build *told, unsigned count)
{
    unsigned different = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned j = 0;
        while (j < i && (strcmp(told[i].version, told[j].version) != 0 || strcmp(told[i].build, told[j].build) != 0)) {
            j++;
        }
        different += j == i;
    }
    return different;
}

/* Calls at once, so that more than one process has to answer. How many did, in `told`. */
static unsigned call_ask_builds(struct doctor *doctor, struct answer_build told[CALL_AT_ONCE])
{
    struct fetching fetching[CALL_AT_ONCE];
    struct fetched fetched;
    unsigned count = 0;
    for (unsigned i = 0; i < CALL_AT_ONCE; i++) {
        fetch_begin(&doctor->fetcher, &(struct fetch_call){.url = doctor->mount, .path = "/" OPENAPI_NAME},
                    &fetching[i]);
    }
    for (unsigned i = 0; i < CALL_AT_ONCE; i++) {
        fetch_end(&doctor->fetcher, &fetching[i], &fetched);
        count += fetched.curl == 0 && answer_read_build(&fetched, &told[count]);
        fetched_clear(&fetched);
    }
    return count;
}

void doctor_check_builds(struct doctor *doctor)
{
    struct answer_build told[CALL_AT_ONCE];
    unsigned count = call_ask_builds(doctor, told);
    if (count == 0) {
        report_skip(&doctor->report, CALL_BUILDS, "%s/" OPENAPI_NAME " is not what the program answers", doctor->mount);
        return;
    }
    doctor->build = told[0];
    if (call_count_builds(told, count) > 1) {
        report_wrong(&doctor->report, CALL_BUILDS, "not all workers are of the same build; these answered:");
        for (unsigned i = 0; i < count; i++) {
            if (call_count_builds(told, i + 1) > call_count_builds(told, i)) {
                report_say("version %s, build %s", told[i].version, told[i].build);
            }
        }
    } else if (strcmp(told[0].version, PACKAGE_VERSION) != 0) {
        report_wrong(&doctor->report, CALL_BUILDS,
                     "the workers are of version %s, this chatsctl is of " PACKAGE_VERSION, told[0].version);
    } else {
        report_ok(CALL_BUILDS, "version %s, build %s, in %u answers of %u", told[0].version,
                  told[0].build[0] != '\0' ? told[0].build : "not told", count, CALL_AT_ONCE);
        return;
    }
    report_say("Workers of before an upgrade still run: end them.");
    report_restart(&doctor->report);
}

/* Whether something keeps this machine's clock right: adjtimex(2). */
static bool call_clock_is_kept(void)
{
    struct timex state = {.modes = 0};
    return adjtimex(&state) >= 0 && (state.status & STA_UNSYNC) == 0;
}

void doctor_check_clock(struct doctor *doctor)
{
    char date[FETCH_HEADER_BYTES_MAX];
    uint64_t server_s = 0;
    uint64_t before_s = doctor->health.begun_ns / CALL_NS_PER_S;
    uint64_t after_s = doctor->health.ended_ns / CALL_NS_PER_S;
    if (fetched_header(&doctor->health, "Date", date) == 0 || !fetch_time(date, &server_s)) {
        report_skip(&doctor->report, CALL_CLOCK, "the answer has no Date header");
        return;
    }
    uint64_t off_s = server_s < before_s ? before_s - server_s : server_s > after_s ? server_s - after_s : 0;
    bool kept = call_clock_is_kept();
    if (off_s < CALL_CLOCK_S && !kept && (doctor->home_is_ours || url_is_loopback(&doctor->url))) {
        report_skip(&doctor->report, CALL_CLOCK,
                    "the server is this machine, and its clock is not known to be right: "
                    "run it from another machine");
        return;
    }
    if (off_s < CALL_CLOCK_S) {
        report_ok(CALL_CLOCK, "the server's is this machine's, which is %s",
                  kept ? "kept in time" : "not known to be right");
        return;
    }
    report_wrong(&doctor->report, CALL_CLOCK, "the server's is %" PRIu64 " s %s this machine's (Date: %s)", off_s,
                 server_s < before_s ? "behind" : "ahead of", date);
    report_say("Times of messages and the ends of tokens and certificates go by it.");
    report_say("%s", kept ? "This machine's is kept in time, so it is the server's that is wrong. There:"
                          : "This machine's is not known to be right itself: on the one that is wrong, or both:");
    report_line("apt-get install systemd-timesyncd && timedatectl set-ntp true");
}
