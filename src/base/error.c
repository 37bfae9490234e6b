#include "base/error.h"

#include <assert.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#define BAD_REQUEST 400, "Bad Request"
#define CONFLICT 409, "Conflict"
#define SERVER_ERROR 500, "Internal Server Error"

/* Reason phrases: RFC 9110 section 15; 429: RFC 6585 section 4; 507: RFC 4918 section 11.5. */
static const struct error_row rows[ERROR_KINDS] = {
    [ERROR_MISSING_USER_IDS] = {"MISSING_USER_IDs", BAD_REQUEST, "Two or more user IDs are required", 0},
    [ERROR_MISSING_AUTHOR_ID] = {"MISSING_AUTHOR_ID", BAD_REQUEST, "Missing Author ID", 0},
    [ERROR_MISSING_CHAT_ID] = {"MISSING_CHAT_ID", BAD_REQUEST, "Missing Chat ID", 0},
    [ERROR_MISSING_TEXT] = {"MISSING_TEXT", BAD_REQUEST, "Missing text", 0},
    [ERROR_INVALID_REQUEST] = {"INVALID_REQUEST", BAD_REQUEST, "The request is not valid", 0},
    [ERROR_UNAUTHORIZED] = {"UNAUTHORIZED", 401, "Unauthorized", "A valid access token is required", 0},
    [ERROR_FORBIDDEN] = {"FORBIDDEN", 403, "Forbidden", "This account may not do that", 0},
    [ERROR_NOT_FOUND] = {"NOT_FOUND", 404, "Not Found", "Chat not found", 0},
    [ERROR_UNKNOWN_OPERATION] = {"UNKNOWN_OPERATION", 404, "Not Found", "There is no such operation", 0},
    [ERROR_METHOD_NOT_ALLOWED] = {"METHOD_NOT_ALLOWED", 405, "Method Not Allowed",
                                  "This method is not allowed for this operation", 0},
    [ERROR_CHAT_ID_CONFLICT] = {"CHAT_ID_CONFLICT", CONFLICT, "The ID is taken by a chat of other users", 0},
    [ERROR_MESSAGE_ID_CONFLICT] = {"MESSAGE_ID_CONFLICT", CONFLICT,
                                   "The ID is taken by a message with another author or text", 0},
    [ERROR_ACCOUNT_EXISTS] = {"ACCOUNT_EXISTS", CONFLICT, "There is an account of this ID already", 0},
    [ERROR_TOO_LARGE] = {"TOO_LARGE", 413, "Content Too Large", "The request is too large", 0},
    [ERROR_UNSUPPORTED_MEDIA_TYPE] = {"UNSUPPORTED_MEDIA_TYPE", 415, "Unsupported Media Type",
                                      "Send the fields as JSON or as a form", 0},
    [ERROR_TOO_MANY_REQUESTS] = {"TOO_MANY_REQUESTS", 429, "Too Many Requests", "Too many requests: try again later",
                                 1},
    [ERROR_DATABASE] = {"DATABASE_ERROR", SERVER_ERROR, "The database could not answer", 0},
    [ERROR_INTERNAL] = {"INTERNAL_ERROR", SERVER_ERROR, "The service could not answer", 0},
    [ERROR_UNAVAILABLE] = {"UNAVAILABLE", 503, "Service Unavailable",
                           "The service is not available at the moment: try again, with the same ID", 1},
    [ERROR_INSUFFICIENT_STORAGE] = {"INSUFFICIENT_STORAGE", 507, "Insufficient Storage",
                                    "There is no room left: nothing was stored", 0},
};

const struct error_row *error_row(enum error_kind kind)
{
    assert(kind > ERROR_NONE && kind < ERROR_KINDS);
    return &rows[kind];
}

/* Where to cut z, of `bytes` bytes, so that it does not end within a UTF-8 character. */
static size_t whole_characters(const char *z, size_t bytes)
{
    size_t lead = bytes;
    while (lead > 0 && bytes - lead < 3 && ((unsigned char)z[lead - 1] & 0xc0) == 0x80) {
        lead--;
    }
    if (lead == 0) {
        return bytes;
    }
    unsigned char c = (unsigned char)z[--lead];
    size_t length = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
    return length > bytes - lead ? lead : bytes;
}

enum error_kind error_set(struct error *e, enum error_kind kind, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int bytes = vsnprintf(e->detail, sizeof e->detail, format, args);
    va_end(args);
    if (bytes < 0) {
        e->detail[0] = '\0';
    } else if ((size_t)bytes >= sizeof e->detail) {
        e->detail[whole_characters(e->detail, sizeof e->detail - 1)] = '\0';
    }
    e->kind = kind;
    return kind;
}
