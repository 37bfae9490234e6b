/*
 * url: where a service is mounted, as somebody types it: https://example.org/chats. Only what may stand in a URL by
 * RFC 3986 gets through, so that one can be given to another program as it is.
 */
#ifndef CHATS_CTL_URL_H
#define CHATS_CTL_URL_H

#include <stdbool.h>

#define URL_HOST_BYTES_MAX 256u    /* with the NUL; a name of the DNS has 253 */
#define URL_PATH_BYTES_MAX 1024u   /* with the NUL */
#define URL_PROBLEM_BYTES_MAX 256u /* with the NUL */
#define URL_ORIGIN_BYTES_MAX 280u  /* scheme, host and port, with the NUL */
#define URL_BYTES_MAX (URL_ORIGIN_BYTES_MAX + URL_PATH_BYTES_MAX)

struct url {
    bool tls;                      /* https */
    unsigned port;                 /* 1 to 65535; 0: the scheme's own */
    char host[URL_HOST_BYTES_MAX]; /* in lower case; an IPv6 address with its brackets */
    char path[URL_PATH_BYTES_MAX]; /* of the mount: empty, or begins with a slash and ends with none */
};

/*
 * Reads z. Without a scheme it is https, but for a host of url_is_near: http. False, with one sentence in `problem`, if
 * it is anything but http or https, has a user, a query or a fragment, or is no URL at all.
 */
bool url_parse(const char *z, struct url *ret, char problem[URL_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

/* "https://example.org:8443" */
void url_origin(const struct url *url, char ret[URL_ORIGIN_BYTES_MAX]);

/* The origin and the mount's path, without a slash at its end. */
void url_format(const struct url *url, char ret[URL_BYTES_MAX]);

/* True for this machine itself: localhost, the names below it, and loopback addresses. */
bool url_is_loopback(const struct url *url) __attribute__((warn_unused_result));

/*
 * True if nobody but this machine or its local network is on the way: localhost (RFC 6761 section 6.3) and literal
 * addresses that are loopback, private or link-local (RFC 1122, 1918, 3927, 4193, 4291). Other names are far: they are
 * what people elsewhere type, too.
 */
bool url_is_near(const struct url *url) __attribute__((warn_unused_result));

#endif
