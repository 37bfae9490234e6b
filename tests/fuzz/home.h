/*
 * home: a home in memory for the targets that need a real store, made anew now and then so that it stays small.
 * The folder that holds it goes when the process ends by exit(3); after a crash it stays, for whoever looks why.
 */
#ifndef CHATS_TESTS_HOME_H
#define CHATS_TESTS_HOME_H

#include "base/config.h"
#include "store/store.h"

struct home {
    struct config config;
    struct store *store;
    uint64_t calls;      /* since it was made */
    uint64_t checked_at; /* calls, when store_check was last asked */
};

/*
 * Makes a home in the folder that CHATS_FUZZ_FOLDER names, else in /dev/shm, with a small cache and passwords of next
 * to no cost, and gives it to `fill`. Aborts if that cannot be.
 */
void home_make(struct home *home, void (*fill)(struct home *home));

/*
 * To be called before each use: makes the home anew after calls_max calls. `sound`: store_check, of the old home, must
 * find nothing.
 */
void home_renew(struct home *home, uint64_t calls_max, bool sound, void (*fill)(struct home *home));

/* store_check: aborts if it does not end well, or finds a problem in a home that is to be sound. */
void home_check(struct home *home, bool sound);

#endif
