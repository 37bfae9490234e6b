#include "ctl/arguments.h"

#include <stdlib.h>
#include <string.h>

#include "base/timestamp.h"
#include "ctl/commands.h"
#include "rpc/access.h"

#define EXPIRY_S_DEFAULT 900u
#define EXPIRY_S_MAX 2592000u /* 30 days: contract, section 6 */

static bool arguments_id(const char *what, const char *value, struct text *ret)
{
    *ret = text_of(value);
    if (!text_is_id(*ret)) {
        (void)command_fail("%s must be 1 to %u bytes of UTF-8 without control characters", what, TEXT_ID_BYTES_MAX);
        return false;
    }
    return true;
}

static bool arguments_type(const char *value, enum account_type *ret)
{
    if (strcmp(value, "user") != 0 && strcmp(value, "service") != 0) {
        (void)command_fail("--type is user or service, not '%s'", value);
        return false;
    }
    *ret = strcmp(value, "user") == 0 ? ACCOUNT_USER : ACCOUNT_SERVICE;
    return true;
}

static bool arguments_expiry(const char *value, uint64_t *ret)
{
    char *end = NULL;
    unsigned long long number = value[0] >= '0' && value[0] <= '9' ? strtoull(value, &end, 10) : 0;
    if (number < 1 || number > EXPIRY_S_MAX || *end != '\0') {
        (void)command_fail("--expiry is 1 to %u seconds, not '%s'", EXPIRY_S_MAX, value);
        return false;
    }
    *ret = number;
    return true;
}

static bool arguments_before(const char *value, uint64_t *ret_ns)
{
    uint64_t floor_ns = 0;
    if (!timestamp_parse_bound(text_of(value), &floor_ns, ret_ns)) {
        (void)command_fail("--before is a time like 2026-11-23T00:26:47Z, not '%s'", value);
        return false;
    }
    return true;
}

/* One option with its value. False: it is none of these, or the value is not good; why has been said. */
static bool arguments_option(const char *name, const char *value, unsigned takes, struct arguments *arguments)
{
    unsigned option = strcmp(name, "--namespace") == 0 ? ARGUMENT_NAMESPACE
                      : strcmp(name, "--type") == 0    ? ARGUMENT_TYPE
                      : strcmp(name, "--expiry") == 0  ? ARGUMENT_EXPIRY
                      : strcmp(name, "--before") == 0  ? ARGUMENT_BEFORE
                                                       : 0;
    if ((option & takes) == 0) {
        (void)command_fail("no option '%s' here; 'chatsctl --help' lists them", name);
        return false;
    }
    if (value == NULL) {
        (void)command_fail("'%s' needs a value", name);
        return false;
    }
    switch (option) {
    case ARGUMENT_NAMESPACE:
        arguments->has_namespace = true;
        return arguments_id("the namespace", value, &arguments->namespace);
    case ARGUMENT_BEFORE:
        arguments->has_before = true;
        return arguments_before(value, &arguments->before_ns);
    case ARGUMENT_TYPE:
        return arguments_type(value, &arguments->type);
    default:
        return arguments_expiry(value, &arguments->expiry_s);
    }
}

bool arguments_read(int argc, char **argv, unsigned takes, struct arguments *ret)
{
    *ret = (struct arguments){
        .namespace = TEXT_LITERAL(ACCESS_NAMESPACE_DEFAULT), .type = ACCOUNT_USER, .expiry_s = EXPIRY_S_DEFAULT};
    bool only_ids = false; /* after "--": an id may begin with a dash */
    for (int i = 1; i < argc; i++) {
        if (!only_ids && strcmp(argv[i], "--") == 0) {
            only_ids = true;
        } else if (!only_ids && argv[i][0] == '-') {
            if (!arguments_option(argv[i], i + 1 < argc ? argv[i + 1] : NULL, takes, ret)) {
                return false;
            }
            i++;
        } else if ((takes & (ARGUMENT_ID | ARGUMENT_NAMESPACE_NAME)) == 0 || ret->id.bytes > 0) {
            (void)command_fail("'%s' takes no argument '%s'", argv[0], argv[i]);
            return false;
        } else if (!arguments_id((takes & ARGUMENT_ID) != 0 ? "an id" : "the namespace", argv[i], &ret->id)) {
            return false;
        }
    }
    if ((takes & (ARGUMENT_ID | ARGUMENT_NAMESPACE_NAME)) != 0 && ret->id.bytes == 0) {
        (void)command_fail("'%s' needs the %s", argv[0],
                           (takes & ARGUMENT_ID) != 0 ? "account's id" : "namespace's name");
        return false;
    }
    if ((takes & ARGUMENT_BEFORE) != 0 && !ret->has_before) {
        (void)command_fail("'%s' needs --before TIME", argv[0]);
        return false;
    }
    return true;
}
