/*
 * output: where an export goes: standard output, or a file that is there whole or not at all. It is written beside its
 * place as FILE.part, mode 0600, synced, and renamed; what is left of a command that was killed is overwritten by the
 * next. What goes wrong is said on standard error where it happens.
 */
#ifndef CHATS_CTL_OUTPUT_H
#define CHATS_CTL_OUTPUT_H

#include <limits.h>

#include "base/buffer.h"

#define OUTPUT_BYTES 262144u /* gathered before it is written */

struct output {
    const char *path; /* NULL: standard output */
    int fd;
    bool failed;           /* and said so */
    struct buffer pending; /* to append to; then output_flush */
    char part[PATH_MAX];
};

/* path NULL: standard output. Whatever is returned, *ret is to be ended. */
bool output_begin(struct output *ret, const char *path) __attribute__((warn_unused_result));

/* Writes what has gathered, if it is much. False: it cannot be written. */
bool output_flush(struct output *output) __attribute__((warn_unused_result));

/* good: writes the rest and puts the file in its place; else drops it. True: the whole of it is where it belongs. */
bool output_end(struct output *output, bool good) __attribute__((warn_unused_result));

#endif
