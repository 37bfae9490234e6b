#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/line.h"
#include "ctl/output.h"
#include "ctl/progress.h"
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

/* Empties a folder of ours that holds files only, and removes it. */
static void scratch_remove(const char *path)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    }
    if (directory != NULL) {
        closedir(directory);
    }
    (void)rmdir(path);
}

/* Beside the file, where there is room for an export; else where temporary files go that may be large. */
static bool scratch_make(const char *file, char ret[PATH_MAX])
{
    const char *folder = getenv("TMPDIR");
    int bytes;
    if (file != NULL) {
        bytes = snprintf(ret, PATH_MAX, "%s.scratch-XXXXXX", file);
    } else {
        bytes = snprintf(ret, PATH_MAX, "%s/chats-salvage-XXXXXX", folder != NULL ? folder : "/var/tmp");
    }
    if (bytes >= PATH_MAX || mkdtemp(ret) == NULL) {
        return command_fail("cannot make a folder for the copy: %s", strerror(errno)) == 0;
    }
    return true;
}

static bool salvage_run(const char *home, const char *path, struct salvage_file *file)
{
    char scratch[PATH_MAX];
    struct store_salvage salvage = {
        .give = {.chat = salvage_chat, .message = salvage_message, .context = file},
        .say = salvage_problem,
        .progress = salvage_progress,
    };
    if (!scratch_make(path, scratch)) {
        return false;
    }
    enum store_status status = store_salvage(home, scratch, &salvage);
    progress_end(&file->progress);
    scratch_remove(scratch);
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
    bool good = output_begin(&file.output, path) && salvage_run(context->home, path, &file);
    return output_end(&file.output, good) ? 0 : 1;
}
