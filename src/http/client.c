#include "http/client.h"

static bool is_proxy(const struct config *config, const struct address *address)
{
    for (size_t i = 0; i < config->trusted_proxies_count; i++) {
        if (address_equal(address, &config->trusted_proxies[i])) {
            return true;
        }
    }
    return false;
}

/* Takes the last item off a list by commas, without the blanks around it. */
static struct text take_last(struct text *list)
{
    size_t begin = list->bytes;
    while (begin > 0 && list->data[begin - 1] != ',') {
        begin--;
    }
    struct text item = {list->data + begin, list->bytes - begin};
    list->bytes = begin > 0 ? begin - 1 : 0;
    return text_trimmed(item);
}

struct text client_address(const struct config *config, struct text remote, struct text forwarded)
{
    struct address address;
    struct text client = remote;
    while (forwarded.bytes > 0 && address_parse(client, &address) && is_proxy(config, &address)) {
        struct text before = take_last(&forwarded);
        if (!address_parse(before, &address)) {
            break;
        }
        client = before;
    }
    return client.bytes > 0 && client.bytes <= TEXT_ID_BYTES_MAX ? client : TEXT_LITERAL(CLIENT_UNKNOWN);
}

/* A Host header that cannot be another's name for this machine, which a page in its browser may call: DNS rebinding. */
static bool is_own_host(struct text host)
{
    struct address address;
    size_t end = host.bytes;
    while (end > 0 && host.data[end - 1] >= '0' && host.data[end - 1] <= '9') {
        end--;
    }
    struct text name = {host.data, end > 0 && host.data[end - 1] == ':' ? end - 1 : host.bytes};
    return host.bytes == 0 || address_is_localhost(name) || address_parse_host(name, &address);
}

bool client_is_local(const struct config *config, client_meta_fn *meta, void *context)
{
    static const char *const said_by_proxies[] = {
        "HTTP_FORWARDED",          "HTTP_VIA",
        "HTTP_X_FORWARDED_FOR",    "HTTP_X_FORWARDED_PROTO",
        "HTTP_X_FORWARDED_HOST",   "HTTP_X_FORWARDED_PORT",
        "HTTP_X_FORWARDED_SERVER", "HTTP_X_REAL_IP",
        "HTTP_X_CLIENT_IP",        "HTTP_TRUE_CLIENT_IP",
        "HTTP_CF_CONNECTING_IP",
    };
    struct address address;
    for (size_t i = 0; i < sizeof said_by_proxies / sizeof said_by_proxies[0]; i++) {
        if (*meta(context, said_by_proxies[i]) != '\0') {
            return false;
        }
    }
    return is_own_host(text_of(meta(context, "HTTP_HOST"))) &&
           address_parse(text_of(meta(context, "REMOTE_ADDR")), &address) && address_is_loopback(&address) &&
           !is_proxy(config, &address);
}
