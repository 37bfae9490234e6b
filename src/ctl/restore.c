#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

static void restore_progress(void *context, const char *verb, uint64_t done, uint64_t total)
{
    progress_phase(context, verb, "bytes", done, total);
}

/* The home that root restores is of whom the backup is: root makes it and becomes that one. */
static bool restore_become_owner(const char *home, const char *folder)
{
    struct stat st;
    if (geteuid() != 0 || stat(folder, &st) != 0 || st.st_uid == 0) {
        return true; /* what is wrong with the backup, if anything, is for store_restore to say */
    }
    /* Absent or empty: else it stays whose it is. */
    if (rmdir(home) == 0 || errno == ENOENT) {
        if (mkdir(home, 0700) != 0 || chown(home, st.st_uid, st.st_gid) != 0) {
            (void)command_fail("cannot make '%s': %s", home, strerror(errno));
            return false;
        }
    }
    return command_become_owner(home);
}

int command_restore(const struct command_context *context, int argc, char **argv)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct progress progress = {.verb = NULL};
    struct store_restore order = {.home = context->home, .progress = restore_progress, .context = &progress};
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--logs") == 0 && i + 1 < argc) {
            order.logs = argv[++i];
        } else if (argv[i][0] != '-' && order.folder == NULL) {
            order.folder = argv[i];
        } else {
            good = false;
        }
    }
    if (!good || order.folder == NULL) {
        (void)command_fail("usage: chatsctl restore DIR [--logs FOLDER]");
        return 2;
    }
    if (!restore_become_owner(context->home, order.folder)) {
        return 1;
    }
    enum store_status status = store_restore(&order, problem);
    progress_end(&progress);
    return status == STORE_OK ? 0 : command_fail("not restored: %s", problem);
}
