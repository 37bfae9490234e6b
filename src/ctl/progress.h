/*
 * progress: how far a long command is, on standard error if that is a terminal; else nothing. One line, drawn anew at
 * most four times a second: what is done, of how much, the rate since the beginning and the time that is left. Beside
 * it the command says nothing but errors.
 *
 *     restoring: 310.2 of 1024.0 MiB (30 %), 52.1 MiB/s, 13 s left
 */
#ifndef CHATS_CTL_PROGRESS_H
#define CHATS_CTL_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
    const char *verb;
    const char *unit;
    uint64_t total;
    uint64_t done;
    uint64_t begun_ns; /* monotonic */
    uint64_t drawn_ns; /* monotonic */
    size_t width;      /* of the line as it stands */
    bool shown;        /* there is a terminal */
};

/*
 * verb, as in "restoring", and unit, as in "messages", must outlive the progress; the unit "bytes" is shown as MiB.
 * total 0: unknown.
 */
void progress_begin(struct progress *progress, const char *verb, const char *unit, uint64_t total);

/* `done` so far, in the unit; draws if a quarter of a second has passed. Cheap enough for every record. */
void progress_set(struct progress *progress, uint64_t done);

/*
 * For a command of several phases, in place of the two: where the verb (a literal) is another than before, or none has
 * begun, the line before is ended, and a new one begun. Start with a zeroed struct.
 */
void progress_phase(struct progress *progress, const char *verb, const char *unit, uint64_t done, uint64_t total);

/* Draws what came of it, with the time it took, and ends the line. Call it before anything else is said. */
void progress_end(struct progress *progress);

#endif
