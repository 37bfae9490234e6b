#include "base/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"
#include "base/log.h"
#include "base/timestamp.h"

#define PAUSE_MS_MIN 5u
#define PAUSE_MS_MORE 10u /* a random part: waiters do not march in step */

static int slot_open(const char *home, int index)
{
    char path[PATH_MAX + sizeof "/hash.0"];
    snprintf(path, sizeof path, "%s/hash.%d", home, index);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        log_error("cannot open '%s': %s", path, strerror(errno));
    }
    return fd;
}

bool slots_take(const char *home, unsigned wait_ms, struct slot *ret)
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + wait_ms * UINT64_C(1000000);
    int fds[SLOTS];
    int taken = -1;
    bool opened = true;
    for (int i = 0; i < SLOTS; i++) {
        fds[i] = slot_open(home, i);
        opened = opened && fds[i] >= 0;
    }
    while (opened && taken < 0) {
        for (int i = 0; taken < 0 && i < SLOTS; i++) {
            if (flock(fds[i], LOCK_EX | LOCK_NB) == 0) {
                taken = i;
            }
        }
        if (taken >= 0 || timestamp_monotonic_ns() >= deadline_ns) {
            break;
        }
        uint64_t pause_ms = PAUSE_MS_MIN + crypto_random_u64() % PAUSE_MS_MORE;
        struct timespec pause = {0, (long)(pause_ms * 1000000)};
        nanosleep(&pause, NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        if (i != taken && fds[i] >= 0) {
            close(fds[i]);
        }
    }
    if (taken < 0) {
        return false;
    }
    ret->fd = fds[taken];
    return true;
}

void slots_give(struct slot *slot)
{
    if (slot->fd >= 0) {
        close(slot->fd);
    }
    slot->fd = -1;
}
