#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

struct prune_shown {
    struct progress progress;
    bool begun;
};

static void prune_step(void *context, const struct store_prune *prune)
{
    struct prune_shown *shown = context;
    if (!shown->begun) {
        progress_begin(&shown->progress, "pruning", "messages", prune->found);
        shown->begun = true;
    }
    progress_set(&shown->progress, prune->removed);
}

int command_prune(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    struct prune_shown shown = {.begun = false};
    if (!arguments_read(argc, argv, ARGUMENT_NAMESPACE | ARGUMENT_BEFORE, &arguments)) {
        return 2;
    }
    struct store_prune prune = {.before_ns = arguments.before_ns, .step = prune_step, .context = &shown};
    if (arguments.has_namespace) {
        prune.namespace = arguments.namespace;
    }
    enum store_status status = store_prune(context->store, &prune);
    if (shown.begun) {
        progress_end(&shown.progress);
    }
    return status == STORE_OK ? 0 : command_fail_status("prune", status);
}
