#include <inttypes.h>
#include <stdio.h>

#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

#define CHECK_PROBLEMS_SHOWN 20u

struct check_run {
    struct progress progress;
    unsigned said;
};

static void check_say(void *context, const char *problem)
{
    struct check_run *run = context;
    if (run->said++ < CHECK_PROBLEMS_SHOWN) {
        progress_end(&run->progress);
        (void)command_fail("%s", problem);
    }
}

static void check_progress(void *context, const char *verb, const char *unit, uint64_t done, uint64_t total)
{
    struct check_run *run = context;
    progress_phase(&run->progress, verb, unit, done, total);
}

int command_check(const struct command_context *context, int argc, char **argv)
{
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    struct check_run run = {.said = 0};
    struct store_check check = {.say = check_say, .progress = check_progress, .context = &run};
    enum store_status status = store_check(context->store, &check);
    progress_end(&run.progress);
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
