/*
 * temporary: a file or folder of a private name, beside what is being written, that is gone when the command ends. One
 * that was killed leaves it, and the next command that asks for the same prefix removes it, and says so: whoever uses
 * one holds a lock on it, which ends with the process. One of the last two seconds is left alone: it may not be held
 * yet.
 */
#ifndef CHATS_CTL_TEMPORARY_H
#define CHATS_CTL_TEMPORARY_H

#include <limits.h>
#include <stdbool.h>

struct temporary {
    char path[PATH_MAX]; /* the prefix and six letters or digits; empty: there is none (any more) */
    int fd;              /* of the file, to be written to, or of the folder; -1: not open */
};

/* Nothing that would have to be removed. */
#define TEMPORARY_NONE ((struct temporary){.fd = -1})

/*
 * Makes an empty file, mode 0600, or folder, mode 0700. The prefix is a path. False, with errno, if that is not
 * possible. To be removed in any case.
 */
bool temporary_make_file(struct temporary *ret, const char *prefix) __attribute__((warn_unused_result));
bool temporary_make_folder(struct temporary *ret, const char *prefix) __attribute__((warn_unused_result));

/* Renames the file; nothing of it is left to be removed. False, with errno: it is where it was. */
bool temporary_rename(struct temporary *temporary, const char *path) __attribute__((warn_unused_result));

/* Closes and removes it, a folder with the files in it. */
void temporary_remove(struct temporary *temporary);

#endif
