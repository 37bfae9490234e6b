/*
 * address: a client's network address. IPv4 is held as IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2), so that each
 * address has one form.
 */
#ifndef CHATS_BASE_ADDRESS_H
#define CHATS_BASE_ADDRESS_H

#include <stdint.h>

#include "base/text.h"

#define ADDRESS_BYTES 16u

struct address {
    uint8_t bytes[ADDRESS_BYTES];
};

/* Reads a literal IPv4 or IPv6 address, as inet_pton(3) does; no port, brackets or zone. False, *ret untouched: none.
 */
bool address_parse(struct text t, struct address *ret) __attribute__((warn_unused_result));

/* The same of a URL's or a Host header's host: an IPv6 address has brackets around it (RFC 3986 section 3.2.2). */
bool address_parse_host(struct text host, struct address *ret) __attribute__((warn_unused_result));

/* True for the names that are this machine wherever they are asked for: localhost and those below it, in any case of
 * letters (RFC 6761 section 6.3). */
bool address_is_localhost(struct text host);

bool address_equal(const struct address *a, const struct address *b);

/* True for 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and ::1 (RFC 4291 section 2.5.3). */
bool address_is_loopback(const struct address *a);

/* The four bytes of an IPv4 address; NULL: it is none. Borrowed from *a. */
const uint8_t *address_ipv4(const struct address *a);

/*
 * How many leading bytes of the address tell one subscriber from another: all of an IPv4 address, the first 8 of an
 * IPv6 one, of which a subscriber is given a /64 or more (RFC 6177).
 */
size_t address_subscriber_bytes(const struct address *a);

#endif
