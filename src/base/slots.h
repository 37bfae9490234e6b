/*
 * slots: at most SLOTS password hashes at a time for one home, over all of its processes and threads: each takes tens
 * of mebibytes and a core, and whoever asks for tokens could otherwise take the host down.
 *
 * A slot is a flock(2) on a file of the home, on an open file description of its own: threads and processes count
 * alike, and the kernel gives a killed holder's slot back.
 */
#ifndef CHATS_BASE_SLOTS_H
#define CHATS_BASE_SLOTS_H

#include <stdbool.h>

#define SLOTS 2
#define SLOTS_WAIT_MS 5000u /* how long a call waits for one before it is told to try again */

struct slot {
    int fd;
};

/*
 * Takes a slot of the home, waiting up to wait_ms. True: *ret is held, for slots_give. False: all were taken all the
 * time, or the home's files cannot be opened (which is logged).
 */
bool slots_take(const char *home, unsigned wait_ms, struct slot *ret) __attribute__((warn_unused_result));

void slots_give(struct slot *slot);

#endif
