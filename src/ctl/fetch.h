/*
 * fetch: HTTP calls, made by the program curl: so certificates, name services and proxies (but to who is near: url.h)
 * are what they are for everybody on this machine, and no TLS library is loaded. No shell is involved, and what is
 * asked goes to curl on its standard input: nothing of it is in a list of processes. Redirects are not followed.
 * Answers have limits of time and size.
 */
#ifndef CHATS_CTL_FETCH_H
#define CHATS_CTL_FETCH_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"

#define FETCH_ANSWER_BYTES_MAX 2097152u /* head and body together; what comes after it is not read */
#define FETCH_LIMIT_S 30u               /* of a call */
#define FETCH_SAID_BYTES_MAX 256u       /* with the NUL: what curl says of a failure */
#define FETCH_HEADER_BYTES_MAX 256u     /* with the NUL: a header's value; a longer one is cut */

/* curl's exit statuses that mean something here: curl(1). */
#define FETCH_CURL_EMPTY 52       /* the server closed the connection without an answer */
#define FETCH_CURL_SEND 55        /* it broke the connection off, while curl sent */
#define FETCH_CURL_RECEIVE 56     /* or waited for the answer */
#define FETCH_CURL_CERTIFICATE 60 /* its certificate is not to be trusted */

/* Calls are made through one of these. While it is open SIGINT, SIGTERM and SIGHUP wait, unless ignored, and end a
 * call. */
struct fetcher {
    sigset_t before; /* what was blocked */
    int signals;     /* signalfd(2) */
    int signal;      /* the one that came; 0: none */
    bool insecure;   /* certificates are not minded */
};

/* What is called. Nothing is copied. */
struct fetch_call {
    const char *url;   /* url.h's characters only */
    const char *path;  /* added to it; may be NULL */
    const char *token; /* of "Authorization: Bearer"; NULL: none */
    size_t body_bytes; /* 0: a GET; else a POST of an empty JSON object that is as long as this, 2 or more */
};

/* A call under way. */
struct fetching {
    pid_t pid; /* of curl; -1: there is none */
    int answer;
    int said;
    uint64_t begun_ns; /* timestamp.h */
    uint64_t began_ns; /* the same by the monotonic clock */
};

/* How it ended. */
struct fetched {
    int curl;                        /* curl's exit status; 0: an answer came; -1: curl could not be started, or died */
    char said[FETCH_SAID_BYTES_MAX]; /* what curl said where it is not 0, printable; or why there is no curl */
    uint64_t begun_ns;               /* before the call and after it: timestamp.h */
    uint64_t ended_ns;
    int status;                 /* HTTP's, of the last answer's head; 0: none */
    struct text head;           /* its lines, with the last one's CRLF; a view of `answer` */
    struct text body;           /* likewise */
    struct buffer answer;       /* owned */
    uint64_t certificate_end_s; /* when the server's certificate expires, s since 1970; 0: there is none, or unknown */
};

/* False, with errno: the system has no signalfd(2) to give. To be closed in any case. */
bool fetcher_open(struct fetcher *ret) __attribute__((warn_unused_result));

/* Lets signals through again: the one that came ends the process here. */
void fetcher_close(struct fetcher *fetcher);

/* Makes one call, unless a signal has come. *ret is to be cleared in any case. */
void fetch(struct fetcher *fetcher, const struct fetch_call *call, struct fetched *ret);

/* The two halves, so that several are under way at once. Each that was begun is to be ended. */
void fetch_begin(struct fetcher *fetcher, const struct fetch_call *call, struct fetching *ret);
void fetch_end(struct fetcher *fetcher, struct fetching *fetching, struct fetched *ret);

void fetched_clear(struct fetched *fetched);

/*
 * How many headers of this name came, in any case of letters; the first one's value without spaces around it, and what
 * is not printable ASCII as '?', in `ret` ("": none).
 */
unsigned fetched_header(const struct fetched *fetched, const char *name, char ret[FETCH_HEADER_BYTES_MAX]);

/* Seconds since 1970 of a time as HTTP (RFC 9110 section 5.6.7) or OpenSSL writes it. False: it is none. */
bool fetch_time(const char *z, uint64_t *ret_s) __attribute__((warn_unused_result));

#endif
