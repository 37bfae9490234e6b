/*
 * answer: what a call brought back, read as the program's own words. What else came is the web server's, or somebody
 * else's.
 */
#ifndef CHATS_CTL_ANSWER_H
#define CHATS_CTL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/build.h"
#include "base/error.h"
#include "ctl/fetch.h"

#define ANSWER_ID_BYTES_MAX 64u
#define ANSWER_VERSION_BYTES_MAX 32u

/* All texts are NUL-terminated printable ASCII: what else came is a '?', what is too long is cut. */
struct answer {
    bool ours;                    /* the program's: a good Health, or an error (contract, section 4) */
    bool well;                    /* a good Health */
    char id[ANSWER_ID_BYTES_MAX]; /* of an error, else "" */
    char detail[ERROR_DETAIL_BYTES_MAX];
};

void answer_read(const struct fetched *fetched, struct answer *ret);

/* What openapi.json says of who made it. */
struct answer_build {
    char version[ANSWER_VERSION_BYTES_MAX];
    char build[BUILD_ID_BYTES]; /* "": not told */
    size_t body_bytes_max;      /* max_body; 0: not told */
};

/* False: it is not our openapi.json. */
bool answer_read_build(const struct fetched *fetched, struct answer_build *ret) __attribute__((warn_unused_result));

#endif
