/*
 * setup_page: the pages of the setup address (setup.h) as HTML, for people, without scripts. What came from outside is
 * escaped; a secret or the code is on none of them.
 */
#ifndef CHATS_HTTP_SETUP_PAGE_H
#define CHATS_HTTP_SETUP_PAGE_H

#include "base/buffer.h"

#define SETUP_ADDRESS "setup" /* the last segment of the address */
#define SETUP_PAGE_BYTES_MAX 16384u

enum setup_page_kind {
    SETUP_PAGE_FORM,    /* asks for code, account and secret */
    SETUP_PAGE_REFUSED, /* only says what is in the way */
    SETUP_PAGE_NO_CODE, /* what to do: there is no code file */
    SETUP_PAGE_DONE
};

struct setup_page {
    int status; /* the HTTP status code: one of 200, 400, 403, 405, 409, 413, 429, 500, 503 */
    enum setup_page_kind kind;
    bool adds_account;   /* of the form: there is a home, which gets an account */
    const char *message; /* plain text, above the rest; NULL: none */
    struct text account; /* fills the form's field; of the page when it is done: whose it is. An id, or empty */
};

/* Status line, headers and, unless `discards`, the page, as a CGI program answers. out->failed: it did not fit. */
void setup_page_render(const struct setup_page *page, bool discards, struct buffer *out);

/* Appends t with the characters that mean something to HTML as references. */
void setup_page_escape(struct buffer *out, struct text t);

#endif
