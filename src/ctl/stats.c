#include <inttypes.h>
#include <stdio.h>

#include "ctl/commands.h"
#include "store/admin.h"

int command_stats(const struct command_context *context, int argc, char **argv)
{
    if (!command_no_arguments(argc, argv)) {
        return 2;
    }
    struct store_stats stats;
    enum store_status status = store_stats_read(context->store, &stats);
    if (status != STORE_OK) {
        return command_fail_status("stats", status);
    }
    printf("out_of_service %d\n", stats.state.out_of_service);
    if (!stats.state.out_of_service) {
        printf("chats %" PRIu64 "\nmessages %" PRIu64 "\naccounts %" PRIu64 "\ntokens %" PRIu64 "\n", stats.chats,
               stats.messages, stats.accounts, stats.tokens);
    }
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"tree_bytes", stats.state.tree_bytes},
        {"log_bytes", stats.state.log_bytes},
        {"generation", stats.generation},
        {"recoveries", stats.state.recoveries},
        {"longest_recovery_us", stats.state.longest_recovery_ns / 1000},
        {"checkpoints", stats.state.checkpoints},
        {"log_syncs", stats.syncs},
        {"joins", stats.joins},
        {"leaves", stats.leaves},
        {"full", stats.state.full},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        printf("%s %" PRIu64 "\n", rows[i].name, rows[i].value);
    }
    return stats.state.out_of_service ? 1 : 0;
}
