/*
 * logtail: what its parts share. logtail.c runs the cases; logtail_home.c makes the home, damages its log and judges.
 */
#ifndef CHATS_TESTS_LOGTAIL_H
#define CHATS_TESTS_LOGTAIL_H

#include <stdbool.h>
#include <stdint.h>

#include "contents.h"

#define LOGTAIL_MESSAGES 400u
#define LOGTAIL_SENTENCE_BYTES 512u
#define LOGTAIL_FILES_MAX 24u

/* A message that was acknowledged, in the order of the commits. */
struct told_message {
    unsigned chat;
    unsigned number;  /* within the chat */
    uint64_t log_end; /* offset in the log file behind its commit */
    uint32_t bytes;
};

struct told {
    unsigned count;
    struct told_message messages[LOGTAIL_MESSAGES];
};

struct base_file {
    char name[64];
    char *data;
    uint64_t used; /* bytes of data: up to the last that is not zero */
    uint64_t size;
};

/* The home as it was left, in memory. */
struct base {
    char folder[64];   /* private, for the cases */
    struct told *told; /* shared: filled by the child that made the home */
    uint64_t log_end;  /* offset behind the log's last record */
    unsigned files_count;
    struct base_file files[LOGTAIL_FILES_MAX];
};

struct damage {
    uint64_t place; /* offset in the log file */
    bool flips;     /* one bit of that byte; else the file ends there */
};

enum outcome { LOGTAIL_DIED, LOGTAIL_OPENED, LOGTAIL_REFUSED, LOGTAIL_WRONG };

struct verdict {
    enum outcome outcome;
    char sentence[LOGTAIL_SENTENCE_BYTES]; /* why it was refused, or what is wrong */
};

/* Makes the home, sends, checkpoints if asked for, leaves, and keeps what is on the disk. False: said to stderr. */
bool base_make(struct base *base, bool checkpoint) __attribute__((warn_unused_result));
void base_free(struct base *base);

/* Writes the files with the damage into the folder `home`, and nothing else. */
bool base_lay_out(const struct base *base, const struct damage *damage, const char *home)
    __attribute__((warn_unused_result));

/* Removes the folder and the files in it. */
void base_remove(const char *home);

/* Opens the home, and says what it holds. */
void base_judge(const struct base *base, const struct damage *damage, const char *home, struct verdict *ret);

#endif
