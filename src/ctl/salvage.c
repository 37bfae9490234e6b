#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/commands.h"
#include "ctl/line.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "ctl/temporary.h"
#include "store/salvage.h"

struct salvage_file {
    struct output output;
    struct progress progress;
};

static bool salvage_chat(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    struct salvage_file *file = context;
    line_append_chat(&file->output.pending, namespace, chat, last_sent_at_ns);
    return output_flush(&file->output);
}

static bool salvage_message(void *context, struct text namespace, struct text chat_id, const struct message *message)
{
    struct salvage_file *file = context;
    line_append_message(&file->output.pending, namespace, chat_id, message);
    return output_flush(&file->output);
}

static void salvage_problem(void *context, const char *problem)
{
    struct salvage_file *file = context;
    progress_end(&file->progress);
    (void)command_fail("%s", problem);
}

static void salvage_progress(void *context, const char *verb, uint64_t done, uint64_t total)
{
    struct salvage_file *file = context;
    progress_phase(&file->progress, verb, "pages", done, total);
}

/* Beside the file, where there is room for an export; else where temporary files go that may be large. */
static bool scratch_make(const struct output *output, struct temporary *ret)
{
    char prefix[PATH_MAX];
    const char *folder = getenv("TMPDIR");
    int bytes;
    if (output->target[0] != '\0') {
        bytes = snprintf(prefix, sizeof prefix, "%s.chatsctl-scratch-", output->target);
    } else {
        bytes = snprintf(prefix, sizeof prefix, "%s/chats-salvage-", folder != NULL ? folder : "/var/tmp");
    }
    *ret = TEMPORARY_NONE;
    errno = ENAMETOOLONG;
    if ((size_t)bytes >= sizeof prefix || !temporary_make_folder(ret, prefix)) {
        return command_fail("cannot make a folder for the copy: %s", strerror(errno)) == 0;
    }
    return true;
}

static bool salvage_run(const char *home, struct salvage_file *file)
{
    struct temporary scratch;
    struct store_salvage salvage = {
        .give = {.chat = salvage_chat, .message = salvage_message, .context = file},
        .say = salvage_problem,
        .progress = salvage_progress,
    };
    if (!scratch_make(&file->output, &scratch)) {
        return false;
    }
    enum store_status status = store_salvage(home, scratch.path, &salvage);
    progress_end(&file->progress);
    temporary_remove(&scratch);
    return status == STORE_OK || command_fail_status("salvage", status) == 0;
}

int command_salvage(const struct command_context *context, int argc, char **argv)
{
    struct salvage_file file = {.progress = {.verb = NULL}};
    const char *path = NULL;
    if (!command_file_argument(argc, argv, &path)) {
        return 2;
    }
    if (!command_become_owner(context->home)) {
        return 1;
    }
    bool good = output_begin(&file.output, path) && salvage_run(context->home, &file);
    return output_end(&file.output, good) ? 0 : 1;
}
