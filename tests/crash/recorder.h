/*
 * recorder: all that a program does to the files of its home, in one order over all its processes and threads.
 *
 * A library for LD_PRELOAD. It writes each change of the home (a write with its bytes, a new size, a new, renamed or
 * removed name), each sync's begin and end, and the marks of the test, into one file, the trace, that all processes
 * share. tests/crash/disk.py reads it, and builds what may be on the disk after a power cut.
 *
 * The trace is mapped; a robust mutex in it is held while a change is made and written down, so that the order in the
 * trace is the order on the file system. A sync is made outside the mutex, between two records: what was written after
 * its begin is not taken to be on the disk at its end. A test that kills a process holds the mutex meanwhile
 * (recorder_hold): so no change is made that is not written down.
 *
 * Left out: what is mapped and is no part of a home that boots anew (the gate page, the regions __db.001 ...), and what
 * another home's files do. A file written through stdio is written down whole when it is synced or closed.
 *
 * Environment: RECORDER_TRACE, the trace's path, RECORDER_HOME, the home (without links in its path), and
 * RECORDER_SYNC_US, how long a sync takes besides, so that group commit has a group.
 */
#ifndef CHATS_TESTS_RECORDER_H
#define CHATS_TESTS_RECORDER_H

#include <pthread.h>
#include <stdint.h>

enum record_kind {
    RECORD_WRITE = 1, /* inode, offset, data */
    RECORD_SIZE,      /* inode, offset: the file's new size */
    RECORD_CREATE,    /* inode; data: name */
    RECORD_RENAME,    /* data: old name, NUL, new name */
    RECORD_REMOVE,    /* data: name */
    RECORD_SYNC,      /* inode (the home's for its folder): a sync begins */
    RECORD_SYNCED,    /* inode; offset: where in the trace its RECORD_SYNC stands */
    RECORD_MARK       /* data: words of the test */
};

/* Each stands at a multiple of 8 bytes, followed by its data. All numbers as the machine has them. */
struct record {
    uint32_t kind;
    uint32_t pid;
    uint64_t inode;
    uint64_t offset;
    uint64_t bytes; /* of data */
};

#define TRACE_FIRST 4096u /* offset of the first record; before it is the head */

struct trace_head {
    uint64_t bytes_max;
    _Atomic uint64_t end; /* offset behind the last record */
    pthread_mutex_t lock;
};

/* For the test, which loads this library by dlopen(3). All but recorder_make want recorder_make or the environment. */

/* Makes a trace of at most bytes_max bytes (a file with holes) and maps it. 0, or errno. */
int recorder_make(const char *path, uint64_t bytes_max);

/* Writes a mark. What the caller was answered before is before it in the trace. */
void recorder_mark(const char *words);

/* Between these nothing is done to the home. */
void recorder_hold(void);
void recorder_release(void);

#endif
