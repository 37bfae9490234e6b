/*
 * error: what can go wrong, as a client reads it. One row of one table holds a kind's id, HTTP code and text (contract,
 * section 4); only src/rpc renders it.
 */
#ifndef CHATS_BASE_ERROR_H
#define CHATS_BASE_ERROR_H

enum error_kind {
    ERROR_NONE, /* no error: the call succeeded */
    ERROR_MISSING_USER_IDS,
    ERROR_MISSING_AUTHOR_ID,
    ERROR_MISSING_CHAT_ID,
    ERROR_MISSING_TEXT,
    ERROR_INVALID_REQUEST,
    ERROR_UNAUTHORIZED,
    ERROR_FORBIDDEN,
    ERROR_NOT_FOUND,
    ERROR_UNKNOWN_OPERATION,
    ERROR_METHOD_NOT_ALLOWED,
    ERROR_CHAT_ID_CONFLICT,
    ERROR_MESSAGE_ID_CONFLICT,
    ERROR_ACCOUNT_EXISTS,
    ERROR_TOO_LARGE,
    ERROR_UNSUPPORTED_MEDIA_TYPE,
    ERROR_TOO_MANY_REQUESTS,
    ERROR_DATABASE,
    ERROR_INTERNAL,
    ERROR_UNAVAILABLE,
    ERROR_INSUFFICIENT_STORAGE,
    ERROR_KINDS
};

struct error_row {
    const char *id;     /* "MISSING_TEXT" */
    int code;           /* HTTP status code, 400 to 599 */
    const char *status; /* its reason phrase, RFC 9110 section 15 */
    const char *detail; /* said when the call gives no detail of its own */
    unsigned retry_s;   /* Retry-After in seconds, 0 for none */
};

/* The row of a kind other than ERROR_NONE. Never NULL; lives as long as the program. */
const struct error_row *error_row(enum error_kind kind) __attribute__((returns_nonnull));

#define ERROR_DETAIL_BYTES_MAX 512u /* with the NUL; a longer detail is cut at a character */

/*
 * One error: its kind, a detail in the caller's terms ("" for the row's), and Retry-After in seconds (0: the row's).
 * Holds nothing of the inside.
 */
struct error {
    enum error_kind kind;
    unsigned retry_s;
    char detail[ERROR_DETAIL_BYTES_MAX];
};

/* Sets kind and detail and returns kind, so that a caller can `return error_set(...)`. */
enum error_kind error_set(struct error *e, enum error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
