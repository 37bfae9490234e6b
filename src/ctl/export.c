#include "ctl/commands.h"
#include "ctl/line.h"
#include "ctl/output.h"
#include "ctl/progress.h"
#include "store/admin.h"

struct export_file {
    struct output output;
    struct progress progress;
    uint64_t messages;
};

static bool export_chat(void *context, struct text namespace, const struct chat *chat, uint64_t last_sent_at_ns)
{
    struct export_file *file = context;
    line_append_chat(&file->output.pending, namespace, chat, last_sent_at_ns);
    return output_flush(&file->output);
}

static bool export_message(void *context, struct text namespace, struct text chat_id, const struct message *message)
{
    struct export_file *file = context;
    line_append_message(&file->output.pending, namespace, chat_id, message);
    progress_set(&file->progress, ++file->messages);
    return output_flush(&file->output);
}

int command_export(const struct command_context *context, int argc, char **argv)
{
    struct export_file file = {.messages = 0};
    const struct store_export export = {.chat = export_chat, .message = export_message, .context = &file};
    const char *path = NULL;
    if (!command_file_argument(argc, argv, &path)) {
        return 2;
    }
    bool good = output_begin(&file.output, path);
    if (good) {
        struct store_stats stats = {0};
        enum store_status status = STORE_OK;
        progress_begin(&file.progress, "exporting", "messages", 0);
        if (file.progress.shown) {
            status = store_stats_read(context->store, &stats); /* how much there is, for the time left */
            progress_begin(&file.progress, "exporting", "messages", stats.messages);
        }
        if (status == STORE_OK) {
            status = store_export(context->store, &export);
        }
        progress_end(&file.progress);
        good = status == STORE_OK || command_fail_status("export", status) == 0;
    }
    return output_end(&file.output, good) ? 0 : 1;
}
