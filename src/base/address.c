#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#define IPV6_SUBSCRIBER_BYTES 8u

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool address_parse(struct text t, struct address *ret)
{
    char z[INET6_ADDRSTRLEN];
    uint8_t v4[4];
    struct address address;
    if (t.bytes == 0 || t.bytes >= sizeof z || memchr(t.data, '\0', t.bytes) != NULL) {
        return false;
    }
    memcpy(z, t.data, t.bytes);
    z[t.bytes] = '\0';
    if (inet_pton(AF_INET, z, v4) == 1) {
        memcpy(address.bytes, mapped_prefix, sizeof mapped_prefix);
        memcpy(address.bytes + sizeof mapped_prefix, v4, sizeof v4);
    } else if (inet_pton(AF_INET6, z, address.bytes) != 1) {
        return false;
    }
    *ret = address;
    return true;
}

bool address_parse_host(struct text host, struct address *ret)
{
    if (host.bytes > 0 && host.data[0] == '[') {
        return host.data[host.bytes - 1] == ']' && memchr(host.data, ':', host.bytes) != NULL &&
               address_parse((struct text){host.data + 1, host.bytes - 2}, ret);
    }
    return (host.bytes == 0 || memchr(host.data, ':', host.bytes) == NULL) && address_parse(host, ret);
}

bool address_is_localhost(struct text host)
{
    struct text name = TEXT_LITERAL("localhost");
    if (host.bytes < name.bytes) {
        return false;
    }
    size_t before = host.bytes - name.bytes;
    return strncasecmp(host.data + before, name.data, name.bytes) == 0 && (before == 0 || host.data[before - 1] == '.');
}

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, ADDRESS_BYTES) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const uint8_t v6[ADDRESS_BYTES] = {[ADDRESS_BYTES - 1] = 1};
    const uint8_t *v4 = address_ipv4(a);
    return v4 != NULL ? v4[0] == 127 : memcmp(a->bytes, v6, sizeof v6) == 0;
}

const uint8_t *address_ipv4(const struct address *a)
{
    return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0 ? a->bytes + sizeof mapped_prefix : NULL;
}

size_t address_subscriber_bytes(const struct address *a)
{
    return address_ipv4(a) != NULL ? ADDRESS_BYTES : IPV6_SUBSCRIBER_BYTES;
}
