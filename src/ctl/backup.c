#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

static void backup_progress(void *context, uint64_t done, uint64_t total)
{
    struct progress *progress = context;
    progress->total = total;
    progress_set(progress, done);
}

int command_backup(const struct command_context *context, int argc, char **argv)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct progress progress;
    struct store_backup order = {.progress = backup_progress, .context = &progress};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--incremental") == 0) {
            order.incremental = true;
        } else if (argv[i][0] != '-' && order.folder == NULL) {
            order.folder = argv[i];
        } else {
            order.folder = NULL;
            break;
        }
    }
    if (order.folder == NULL) {
        (void)command_fail("usage: chatsctl backup DIR [--incremental]");
        return 2;
    }
    progress_begin(&progress, "backing up", "bytes", 0);
    enum store_status status = store_backup(context->store, &order, problem);
    progress_end(&progress);
    return status == STORE_OK ? 0 : command_fail("no backup: %s", problem);
}
