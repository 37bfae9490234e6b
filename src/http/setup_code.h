/*
 * setup_code: the file with the one-time code that opens the setup address (setup.h), which its owner uploads beside
 * the program. Its first line is the code. Of the words of the second, "allow-http" lets the setup be done without
 * HTTPS, "add-account" adds an account to the home that the program has. Lines may end as on Windows. The name begins
 * as Apache's stock configuration refuses to serve it; .htaccess does so, too.
 */
#ifndef CHATS_HTTP_SETUP_CODE_H
#define CHATS_HTTP_SETUP_CODE_H

#include "base/config.h"
#include "base/crypto.h"

#define SETUP_CODE_FILE ".htchats-code"
#define SETUP_CODE_BYTES_MIN 16u         /* of the code */
#define SETUP_CODE_FILE_BYTES_MAX 1024u  /* of the whole file */
#define SETUP_CODE_PLACEHOLDER "REPLACE" /* what the first line begins with as it is shipped */
#define SETUP_CODE_PAUSE_MS 3000u        /* what each try takes before it is compared */
#define SETUP_CODE_TURN_MS 10000u        /* how long the right code waits for others that are right, too */

enum setup_code_state {
    SETUP_CODE_READY,
    SETUP_CODE_ABSENT,
    SETUP_CODE_REFUSED /* `problem` says why, for the page */
};

struct setup_code {
    char path[PATH_MAX + sizeof "/" SETUP_CODE_FILE];
    int fd; /* -1: not open */
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    bool allows_http;
    bool adds_account;
};

/*
 * What a code file says. False: it is not taken, with one sentence in `problem`, which does not tell any of it. Fills
 * the digest and the two flags only.
 */
bool setup_code_parse(struct text content, struct setup_code *ret, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/*
 * Opens and reads the code file in `folder`. It must be a file of ours that nobody else may write. *ret is to be closed
 * in any case.
 */
enum setup_code_state setup_code_open(const char *folder, struct setup_code *ret,
                                      char problem[CONFIG_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

enum setup_code_try {
    SETUP_CODE_RIGHT, /* and the turn is ours until it is closed: nobody else's code is right */
    SETUP_CODE_WRONG,
    SETUP_CODE_USED, /* it was removed meanwhile */
    SETUP_CODE_BUSY  /* another that was right was at it all the time */
};

/*
 * Compares, without the blanks around what was given, after SETUP_CODE_PAUSE_MS, whether it is right or not: whoever
 * hangs up early learns nothing, and a process makes 20 tries a minute. Wrong ones keep nobody waiting: how many go on
 * at once is the host's limit of processes, and a code has SETUP_CODE_BYTES_MIN against them.
 */
enum setup_code_try setup_code_try(struct setup_code *code, struct text given) __attribute__((warn_unused_result));

/* Removes the file: the code is used up. False: errno says why it stays. */
bool setup_code_remove(const struct setup_code *code) __attribute__((warn_unused_result));

void setup_code_close(struct setup_code *code);

#endif
