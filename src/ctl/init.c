#include <stdio.h>
#include <string.h>

#include "ctl/commands.h"
#include "store/admin.h"

int command_init(const struct command_context *context, int argc, char **argv)
{
    const char *auth = "required";
    char settings[64];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    if (argc == 3 && strcmp(argv[1], "--auth") == 0 &&
        (strcmp(argv[2], "open") == 0 || strcmp(argv[2], "required") == 0)) {
        auth = argv[2];
    } else if (argc != 1) {
        (void)command_fail("usage: chatsctl init [--auth open|required]");
        return 2;
    }
    snprintf(settings, sizeof settings, "auth = %s\n", auth);
    const struct store_make order = {.home = context->home, .settings = settings};
    if (!command_become_owner(context->home)) {
        return 1;
    }
    if (store_make(&order, problem) != STORE_OK) {
        return command_fail("%s", problem);
    }
    printf("made the home '%s', auth = %s\n", context->home, auth);
    return 0;
}
