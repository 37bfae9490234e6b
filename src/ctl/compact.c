#include <inttypes.h>

#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

struct compact_shown {
    struct progress progress;
    bool begun;
};

static void compact_step(void *context, const struct store_compact *compact)
{
    struct compact_shown *shown = context;
    if (!shown->begun) {
        progress_begin(&shown->progress, "compacting", "messages", compact->messages);
        shown->begun = true;
    }
    progress_set(&shown->progress, compact->copied);
}

int command_compact(const struct command_context *context, int argc, char **argv)
{
    struct compact_shown shown = {.begun = false};
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    struct store_compact compact = {.step = compact_step, .context = &shown};
    enum store_status status = store_compact(context->store, &compact);
    if (shown.begun) {
        progress_end(&shown.progress);
    }
    switch (status) {
    case STORE_OK:
        return 0;
    case STORE_EXISTS:
        return command_fail("a backup or another compact is running: try again later");
    case STORE_CONFLICT:
        return command_fail("too much happened meanwhile, nothing was changed: try again later");
    case STORE_FULL:
        return command_fail("compacting needs %" PRIu64 " MiB of free space: nothing was changed",
                            compact.needed >> 20);
    default:
        return command_fail_status("compact", status);
    }
}
