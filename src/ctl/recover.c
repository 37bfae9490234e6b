#include <stdio.h>

#include "ctl/commands.h"
#include "store/admin.h"

int command_recover(const struct command_context *context, int argc, char **argv)
{
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    enum store_status status = store_recover(context->store);
    if (status != STORE_OK) {
        return command_fail_status("recovery", status);
    }
    puts("recovered");
    return 0;
}
