#include <inttypes.h>
#include <stdio.h>

#include "ctl/commands.h"
#include "store/admin.h"

#define CHECK_PROBLEMS_SHOWN 20u

static void check_say(void *context, const char *problem)
{
    unsigned *said = context;
    if ((*said)++ < CHECK_PROBLEMS_SHOWN) {
        (void)command_fail("%s", problem);
    }
}

int command_check(const struct command_context *context, int argc, char **argv)
{
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    unsigned said = 0;
    struct store_check check = {.say = check_say, .context = &said};
    enum store_status status = store_check(context->store, &check);
    if (status != STORE_OK) {
        printf("not checked to the end (%s), %" PRIu64 " problems\n", store_status_name(status), check.problems);
        return 1;
    }
    printf("%s: %" PRIu64 " chats, %" PRIu64 " messages, %" PRIu64 " accounts, %" PRIu64 " tokens, %" PRIu64
           " pages, %" PRIu64 " problems\n",
           check.problems == 0 ? "good" : "damaged", check.chats, check.messages, check.accounts, check.tokens,
           check.pages, check.problems);
    return check.problems == 0 ? 0 : 1;
}
