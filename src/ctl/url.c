#include "ctl/url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"

#define URL_HOST_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-."
#define URL_IPV6_CHARACTERS "abcdefABCDEF0123456789:."
/* RFC 3986 section 3.3: pchar and '/'. */
#define URL_PATH_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=:@/%"
#define URL_PORT_MAX 65535u

static bool url_refuse(char problem[URL_PROBLEM_BYTES_MAX], const char *why)
{
    snprintf(problem, URL_PROBLEM_BYTES_MAX, "%s; a URL is like https://example.org/chats", why);
    return false;
}

/* Takes the host off *z. */
static bool url_take_host(const char **z, struct url *url)
{
    bool bracketed = **z == '[';
    size_t bytes = bracketed ? 1 + strspn(*z + 1, URL_IPV6_CHARACTERS) : strspn(*z, URL_HOST_CHARACTERS);
    if (bracketed && (*z)[bytes++] != ']') {
        return false;
    }
    if (bytes == 0 || bytes >= sizeof url->host || **z == '-' || **z == '.') {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        url->host[i] = (char)tolower((unsigned char)(*z)[i]);
    }
    url->host[bytes] = '\0';
    *z += bytes;
    struct address address;
    return !bracketed || address_parse_host(text_of(url->host), &address);
}

/* Takes ":8443" off *z, if it is there. */
static bool url_take_port(const char **z, struct url *url)
{
    if (**z != ':') {
        return true;
    }
    size_t digits = strspn(++*z, "0123456789");
    unsigned long port = digits > 0 && digits <= 5 ? strtoul(*z, NULL, 10) : 0;
    if (port == 0 || port > URL_PORT_MAX) {
        return false;
    }
    url->port = (unsigned)port;
    *z += digits;
    return true;
}

static bool url_take_path(const char *z, struct url *url)
{
    size_t bytes = strlen(z);
    while (bytes > 0 && z[bytes - 1] == '/') {
        bytes--;
    }
    if ((*z != '\0' && *z != '/') || bytes >= sizeof url->path || strspn(z, URL_PATH_CHARACTERS) < bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (z[i] == '%' &&
            (i + 2 >= bytes || !isxdigit((unsigned char)z[i + 1]) || !isxdigit((unsigned char)z[i + 2]))) {
            return false;
        }
    }
    memcpy(url->path, z, bytes);
    url->path[bytes] = '\0';
    return true;
}

bool url_parse(const char *z, struct url *ret, char problem[URL_PROBLEM_BYTES_MAX])
{
    bool plain = strncasecmp(z, "http://", 7) == 0;
    bool tls = strncasecmp(z, "https://", 8) == 0;
    *ret = (struct url){.tls = tls};
    if (!plain && !tls && strstr(z, "://") != NULL) {
        return url_refuse(problem, "only http and https are called");
    }
    z += tls ? 8 : plain ? 7 : 0;
    if (strcspn(z, "@") < strcspn(z, "/?#")) {
        return url_refuse(problem, "a user or password has no place in the URL");
    }
    if (z[strcspn(z, "?#")] != '\0') {
        return url_refuse(problem, "the URL is where the service is mounted, without '?' or '#'");
    }
    if (!url_take_host(&z, ret)) {
        return url_refuse(problem, "the URL has no host, or one that is no name and no address");
    }
    if (!url_take_port(&z, ret)) {
        return url_refuse(problem, "the URL's port is no number from 1 to 65535");
    }
    if (!url_take_path(z, ret)) {
        return url_refuse(problem, "the URL's path is too long, or has characters that must be written as %XX");
    }
    if (!plain && !tls) {
        ret->tls = !url_is_near(ret);
    }
    return true;
}

void url_origin(const struct url *url, char ret[URL_ORIGIN_BYTES_MAX])
{
    int bytes = snprintf(ret, URL_ORIGIN_BYTES_MAX, "%s://%s", url->tls ? "https" : "http", url->host);
    if (url->port != 0) {
        snprintf(ret + bytes, URL_ORIGIN_BYTES_MAX - (size_t)bytes, ":%u", url->port);
    }
}

void url_format(const struct url *url, char ret[URL_BYTES_MAX])
{
    char origin[URL_ORIGIN_BYTES_MAX];
    url_origin(url, origin);
    snprintf(ret, URL_BYTES_MAX, "%s%s", origin, url->path);
}

bool url_is_loopback(const struct url *url)
{
    struct address address;
    struct text host = text_of(url->host);
    return address_parse_host(host, &address) ? address_is_loopback(&address) : address_is_localhost(host);
}

bool url_is_near(const struct url *url)
{
    struct address address;
    if (url_is_loopback(url)) {
        return true;
    }
    if (!address_parse_host(text_of(url->host), &address)) {
        return false;
    }
    const uint8_t *v4 = address_ipv4(&address);
    if (v4 != NULL) {
        return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) || (v4[0] == 192 && v4[1] == 168) ||
               (v4[0] == 169 && v4[1] == 254);
    }
    return (address.bytes[0] & 0xfe) == 0xfc || (address.bytes[0] == 0xfe && (address.bytes[1] & 0xc0) == 0x80);
}
