/*
 * folder: one that is being filled, by one process at a time. It holds a marker file from before the first file until
 * after the last: a folder with the marker is a job that was broken off, and may be emptied and begun again; one that
 * has files without it is somebody else's. The marker is known by its first line, "chats NAME 1": a file of its name
 * that says anything else is somebody else's, too.
 */
#ifndef CHATS_STORE_FOLDER_H
#define CHATS_STORE_FOLDER_H

#include "store/copying.h"

struct folder {
    char path[PATH_MAX]; /* absolute, without symbolic links */
    const char *marker;
    int fd;    /* holds a lock on it; -1: not open */
    bool made; /* by us */
    bool ours; /* the marker is there, or is being written */
};

/* Opens and locks a folder that is there. */
enum store_status folder_open(struct folder *ret, const struct copying *copying, const char *path)
    __attribute__((warn_unused_result));

/*
 * Makes the folder, mode 0700, or takes one that is empty or has the marker, empties it, and puts the marker there.
 * Any other folder is refused and left as it is. `outside`: one that it must not lie in (NULL: any place). *ret is to
 * be closed in any case.
 */
enum store_status folder_begin(struct folder *ret, const struct copying *copying, const char *path, const char *marker,
                               const char *outside) __attribute__((warn_unused_result));

/* Everything that it holds is on the disk: removes the marker. */
enum store_status folder_finish(const struct folder *folder, const struct copying *copying)
    __attribute__((warn_unused_result));

/* Of a folder that was opened only: removes a marker of that name, if it is one. */
void folder_unmark(const struct folder *folder, const char *marker);

/* Removes what was begun, and the folder if we made it. */
void folder_undo(struct folder *folder);

/* STORE_FULL if its file system has no room for so many bytes. */
enum store_status folder_has_room(const struct folder *folder, const struct copying *copying, uint64_t bytes)
    __attribute__((warn_unused_result));

void folder_close(struct folder *folder);

#endif
