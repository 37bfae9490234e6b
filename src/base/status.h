/*
 * status: what calls into storage return. Causes (errno, db_strerror) are logged where they happen and go no further.
 */
#ifndef CHATS_BASE_STATUS_H
#define CHATS_BASE_STATUS_H

#include <stdbool.h>
#include <stdint.h>

enum store_status {
    STORE_OK,
    STORE_NOT_FOUND,   /* no such chat (or none that the caller may see) */
    STORE_EXISTS,      /* it was there already, the same: the stored one is returned */
    STORE_CONFLICT,    /* the id is taken by something else; nothing was changed */
    STORE_FULL,        /* no room on the disk or in the quota; nothing was changed */
    STORE_UNAVAILABLE, /* not now: recovery, a stalled holder, a failed sync. Whether it was stored is unknown */
    STORE_CORRUPT,     /* the stored data is damaged or of a version that this program does not know */
    STORE_NO_MEMORY    /* this process is out of memory; nothing was changed */
};

/*
 * What a result still waits for: it is true, but a power cut could take it back until the log is on the disk up to this
 * ticket (bdb/sync.h). Zeroed: it waits for nothing.
 */
struct store_ticket {
    uint64_t number;
    uint64_t deadline_ns; /* monotonic: until then it is waited for, however many wait one after the other */
    bool writes;          /* of a call that stores something, which has to be in the home as it still stands then */
};

/* A short name for logs: "ok", "not found", ... */
const char *store_status_name(enum store_status status);

#endif
