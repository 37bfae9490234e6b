/*
 * peek: the layout of the gate page, for the tests that are not written in C: one line `field offset bytes` each.
 * `lock` fields are the words of the robust mutexes that hold the owner's thread id (futex(2), "Robust futexes").
 */
#include <stddef.h>
#include <stdio.h>

#include "bdb/gate.h"

#define FIELD(field)                                                                                                   \
    {                                                                                                                  \
#field, offsetof(struct gate_page, field), sizeof(((struct gate_page *)0)->field)                              \
    }
#define LOCK(field)                                                                                                    \
    {                                                                                                                  \
#field "_lock", offsetof(struct gate_page, field), sizeof(int)                                                 \
    }

static const struct {
    const char *name;
    size_t offset;
    size_t bytes;
} fields[] = {
    FIELD(identity.layout),
    FIELD(identity.inode),
    FIELD(identity.boot_id),
    LOCK(gate),
    LOCK(leader),
    LOCK(checkpointer),
    FIELD(generation),
    FIELD(recovery_wanted),
    FIELD(recovery_done),
    FIELD(recovery_failures),
    FIELD(out_of_service),
    FIELD(damaged_reads),
    FIELD(damaged_tree),
    FIELD(damaged_page),
    FIELD(holder_pid),
    FIELD(holder_phase),
    FIELD(holder_since_ns),
    FIELD(joins),
    FIELD(leaves),
    FIELD(ticket),
    FIELD(log_end),
    FIELD(full),
    FIELD(synced),
    FIELD(failed_first),
    FIELD(failed_last),
    FIELD(recoveries),
    FIELD(checkpoints),
    FIELD(syncs),
    FIELD(deaths),
};

int main(void)
{
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        printf("%s %zu %zu\n", fields[i].name, fields[i].offset, fields[i].bytes);
    printf("phase.committing %d 0\nphase.recovering %d 0\n", GATE_COMMITTING, GATE_RECOVERING);
    return fflush(stdout) == 0 ? 0 : 1;
}
