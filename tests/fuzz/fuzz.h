/*
 * fuzz: what the targets of this folder share. A target is a program of libFuzzer's form: it takes one input, and what
 * is wrong ends the process. In a build without libFuzzer replay.c is its main.
 */
#ifndef CHATS_TESTS_FUZZ_H
#define CHATS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

/* libFuzzer's entries; both return 0. The first is called once and is in fuzz.c, the second is each target's own. */
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each target's own: called once, before the first input. */
void fuzz_open(void);

/* Says what promise was broken and aborts. */
void fuzz_broken(const char *file, int line, const char *what) __attribute__((noreturn));

/* Aborts unless `condition` holds. */
#define FUZZ_CHECK(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fuzz_broken(__FILE__, __LINE__, #condition);                                                               \
        }                                                                                                              \
    } while (0)

/* Takes bytes off the front of an input. */
struct fuzz_reader {
    const uint8_t *at;
    size_t bytes;
};

/* The next byte, 0 at the end. */
uint8_t fuzz_byte(struct fuzz_reader *r);

/* What stands before the next `end`, which is taken off, too; or all that is left. */
struct text fuzz_until(struct fuzz_reader *r, char end);

/* All that is left. */
struct text fuzz_rest(struct fuzz_reader *r);

#endif
