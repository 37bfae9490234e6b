/*
 * doctor: a service looked at from outside, for `chatsctl doctor`. doctor.c has the order of the checks, the other
 * files the checks: doctor_reach.c who answers at the URL, and by HTTPS; doctor_call.c what the web server does to
 * calls and answers; doctor_home.c and doctor_workers.c what can only be seen on the server itself. Each check is one
 * line of the report, in report.h's words, and one that makes no sense after what was found says that it was not looked
 * at.
 */
#ifndef CHATS_CTL_DOCTOR_H
#define CHATS_CTL_DOCTOR_H

#include "ctl/answer.h"
#include "ctl/fetch.h"
#include "ctl/report.h"
#include "ctl/url.h"

#define DOCTOR_HEALTH "/Chats/Health"
#define DOCTOR_LATER "mend that first" /* of what makes no sense before */
#define DOCTOR_ELSEWHERE "no home at %s to look at: run it on the server, as root or as the home's owner"

/* What stands at the URL. */
enum doctor_found {
    DOCTOR_NOTHING,  /* no answer came */
    DOCTOR_STRANGER, /* the web server's own answer, or another program's */
    DOCTOR_PATHLESS, /* the program, which is not told the address */
    DOCTOR_UNWELL,   /* the program, and it is not well */
    DOCTOR_WELL
};

struct doctor {
    const char *home;  /* as the configuration finds it; may not be there */
    bool home_is_ours; /* it is there, and this process may read and write it */
    struct url url;
    char mount[URL_BYTES_MAX]; /* the URL in full */
    struct fetcher fetcher;
    struct report report;
    enum doctor_found found;
    struct fetched health;               /* the answer at the URL; owned */
    struct answer answer;                /* the same, read */
    bool forwarded;                      /* plain HTTP leads to HTTPS, and that is where `url` is now */
    char distrust[FETCH_SAID_BYTES_MAX]; /* why the certificate is not trusted; "" if it is */
    struct answer_build build;           /* what openapi.json says; all zero: it was not read */
};

/* One call below the mount. To be cleared. */
void doctor_call(struct doctor *doctor, const char *path, const char *token, size_t body_bytes, struct fetched *ret);

/* Finds out who answers at the URL and says so: sets `found` and all below it. */
void doctor_reach(struct doctor *doctor);
void doctor_check_https(struct doctor *doctor);

/* The program answers, and is told the address, from here on; but for the clock, for which any answer will do. */
void doctor_check_authorization(struct doctor *doctor);
void doctor_check_body(struct doctor *doctor);
void doctor_check_headers(struct doctor *doctor);
void doctor_check_builds(struct doctor *doctor);
void doctor_check_clock(struct doctor *doctor);

/* On the server only. */
void doctor_check_home(struct doctor *doctor);
void doctor_check_workers(struct doctor *doctor);

#endif
