#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl/arguments.h"
#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

static bool namespace_print(void *context, const struct store_namespace *namespace)
{
    (void)context;
    return printf("%.*s\t%" PRIu64 "\t%" PRIu64 "\n", (int)namespace->name.bytes, namespace->name.data,
                  namespace->chats, namespace->accounts) > 0;
}

int command_namespace_list(const struct command_context *context, int argc, char **argv)
{
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    enum store_status status = store_namespace_list(context->store, namespace_print, NULL);
    return status == STORE_OK ? 0 : command_fail_status("namespaces", status);
}

/* What is to be removed, as it is now. */
struct namespace_wanted {
    struct text name;
    uint64_t chats;
    uint64_t accounts;
    bool found;
};

static bool namespace_find(void *context, const struct store_namespace *namespace)
{
    struct namespace_wanted *wanted = context;
    if (text_equal(namespace->name, wanted->name)) {
        wanted->chats = namespace->chats;
        wanted->accounts = namespace->accounts;
        wanted->found = true;
    }
    return !wanted->found;
}

/* On a terminal the name is to be typed again; a script means what it says. */
static bool namespace_is_meant(const struct namespace_wanted *wanted)
{
    char line[TEXT_ID_BYTES_MAX + 2] = "";
    if (isatty(STDIN_FILENO) != 1) {
        return true;
    }
    fprintf(stderr,
            "This removes %" PRIu64 " chats with all their messages, and %" PRIu64
            " accounts. Type the namespace's name again: ",
            wanted->chats, wanted->accounts);
    if (fgets(line, sizeof line, stdin) == NULL) {
        line[0] = '\0';
        fputc('\n', stderr);
    }
    line[strcspn(line, "\n")] = '\0';
    if (!text_equal(text_of(line), wanted->name)) {
        (void)command_fail("that is not its name: nothing was removed");
        return false;
    }
    return true;
}

static void namespace_step(void *context, const struct store_removal *removal)
{
    progress_set(context, removal->chats + removal->accounts);
}

int command_namespace_remove(const struct command_context *context, int argc, char **argv)
{
    struct arguments arguments;
    struct progress progress;
    if (!arguments_read(argc, argv, ARGUMENT_NAMESPACE_NAME, &arguments)) {
        return 2;
    }
    struct namespace_wanted wanted = {.name = arguments.id};
    enum store_status status = store_namespace_list(context->store, namespace_find, &wanted);
    if (status != STORE_OK) {
        return command_fail_status("namespaces", status);
    }
    if (!wanted.found) {
        return command_fail("there is no namespace '%.*s'", (int)wanted.name.bytes, wanted.name.data);
    }
    if (!namespace_is_meant(&wanted)) {
        return 1;
    }
    struct store_removal removal = {.namespace = wanted.name, .step = namespace_step, .context = &progress};
    progress_begin(&progress, "removing", "chats and accounts", wanted.chats + wanted.accounts);
    status = store_namespace_remove(context->store, &removal);
    progress_end(&progress);
    return status == STORE_OK ? 0 : command_fail_status("namespaces", status);
}
