/*
 * output: where an export goes: standard output, or a file that is there whole or not at all. It is written beside its
 * place as FILE.chatsctl-part-XXXXXX, mode 0600, synced, and renamed, over a file that was there, too; of a symbolic
 * link the target is what is replaced. The part that a killed command leaves is removed by the next that writes FILE
 * (temporary.h). What is no plain file (a FIFO, a device, /dev/stdout) is written to as it is. What goes wrong is said
 * on standard error where it happens.
 */
#ifndef CHATS_CTL_OUTPUT_H
#define CHATS_CTL_OUTPUT_H

#include "base/buffer.h"
#include "ctl/temporary.h"

#define OUTPUT_BYTES 262144u /* gathered before it is written */

struct output {
    const char *path;      /* as it was given; NULL: standard output */
    char target[PATH_MAX]; /* the file that is made or replaced; empty: it is written to directly */
    struct temporary part; /* what becomes `target` */
    int fd;                /* written to; -1: none */
    bool failed;           /* and said so */
    struct buffer pending; /* to append to; then output_flush */
};

/* path NULL: standard output. Whatever is returned, *ret is to be ended. */
bool output_begin(struct output *ret, const char *path) __attribute__((warn_unused_result));

/* Writes what has gathered, if it is much. False: it cannot be written. */
bool output_flush(struct output *output) __attribute__((warn_unused_result));

/* good: writes the rest and puts the file in its place; else drops it. True: the whole of it is where it belongs. */
bool output_end(struct output *output, bool good) __attribute__((warn_unused_result));

#endif
