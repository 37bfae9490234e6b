/*
 * folder: one that is being filled, by one process at a time. It holds a marker file from before the first file until
 * after the last: a folder with the marker is a job that was broken off, and may be emptied and begun again; one that
 * has files without it is somebody else's.
 */
#ifndef CHATS_STORE_FOLDER_H
#define CHATS_STORE_FOLDER_H

#include "store/copying.h"

struct folder {
    char path[PATH_MAX]; /* absolute, without symbolic links */
    const char *marker;
    int fd;    /* holds a lock on it; -1: not open */
    bool made; /* by us */
};

/* Opens and locks a folder that is there. */
enum store_status folder_open(struct folder *ret, const struct copying *copying, const char *path)
    __attribute__((warn_unused_result));

/*
 * Makes the folder, mode 0700, or takes one that is empty or has the marker, empties it, and puts the marker there.
 * `outside`: a folder that it must not lie in (NULL: any place). *ret is to be closed in any case.
 */
enum store_status folder_begin(struct folder *ret, const struct copying *copying, const char *path, const char *marker,
                               const char *outside) __attribute__((warn_unused_result));

/* Everything that it holds is on the disk: removes the marker. */
enum store_status folder_finish(const struct folder *folder, const struct copying *copying)
    __attribute__((warn_unused_result));

/* Removes what was begun, and the folder if we made it. */
void folder_undo(struct folder *folder);

/* True if there is such a file in it. */
bool folder_has(const struct folder *folder, const char *name);

/* STORE_FULL if its file system has no room for so many bytes. */
enum store_status folder_has_room(const struct folder *folder, const struct copying *copying, uint64_t bytes)
    __attribute__((warn_unused_result));

void folder_close(struct folder *folder);

#endif
