#include "base/address.h"

#include <arpa/inet.h>
#include <string.h>

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

bool address_equal(const struct address *a, const struct address *b)
{
    return memcmp(a->bytes, b->bytes, ADDRESS_BYTES) == 0;
}

bool address_is_loopback(const struct address *a)
{
    static const uint8_t v6[ADDRESS_BYTES] = {[ADDRESS_BYTES - 1] = 1};
    bool is_v4 = memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0;
    return (is_v4 && a->bytes[sizeof mapped_prefix] == 127) || memcmp(a->bytes, v6, sizeof v6) == 0;
}

size_t address_subscriber_bytes(const struct address *a)
{
    return memcmp(a->bytes, mapped_prefix, sizeof mapped_prefix) == 0 ? ADDRESS_BYTES : IPV6_SUBSCRIBER_BYTES;
}
