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
    while (item.bytes > 0 && (*item.data == ' ' || *item.data == '\t')) {
        item.data++;
        item.bytes--;
    }
    while (item.bytes > 0 && (item.data[item.bytes - 1] == ' ' || item.data[item.bytes - 1] == '\t')) {
        item.bytes--;
    }
    return item;
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

bool client_is_local(const struct config *config, client_meta_fn *meta, void *context)
{
    static const char *const said_by_proxies[] = {"HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP",
                                                  "HTTP_VIA"};
    struct address address;
    for (size_t i = 0; i < sizeof said_by_proxies / sizeof said_by_proxies[0]; i++) {
        if (*meta(context, said_by_proxies[i]) != '\0') {
            return false;
        }
    }
    return address_parse(text_of(meta(context, "REMOTE_ADDR")), &address) && address_is_loopback(&address) &&
           !is_proxy(config, &address);
}
