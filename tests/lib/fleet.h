/*
 * fleet: a private home and worker processes that share one listening unix socket, for tests that kill them.
 *
 * A worker is in a slot; its process may be replaced. The fleet is its workers' parent, so a process id in a slot is
 * never anybody else's until fleet_reap has seen its end. One thread at a time may change a slot.
 */
#ifndef CHATS_TESTS_FLEET_H
#define CHATS_TESTS_FLEET_H

#include <limits.h>
#include <sys/types.h>

#include "bdb/gate.h"

#define FLEET_WORKERS_MAX 64u
#define FLEET_PROBLEM_BYTES_MAX 1024u

struct fleet {
    char root[64]; /* private folder: home, socket and log are in it */
    char home[96];
    char socket_path[96];
    char log_path[96];
    char program[PATH_MAX];
    char control[PATH_MAX]; /* chatsctl */
    const char *faults;     /* CHATS_FAULTS of the workers, or NULL */
    int listen_fd;
    int log_fd;
    struct gate_page *page; /* NULL until fleet_map */
    unsigned count;
    _Atomic int pids[FLEET_WORKERS_MAX]; /* 0: none */
};

/*
 * Makes the private folder and the home (`chatsctl init --auth open`, then `settings`, lines of chats.conf, added) and
 * listens. Starts nobody. False, with one sentence in `problem`; *f is to be closed in either case.
 */
bool fleet_open(struct fleet *f, const char *build, const char *faults, unsigned count, const char *settings,
                char problem[FLEET_PROBLEM_BYTES_MAX]) __attribute__((warn_unused_result));

/* Ends what still runs, and removes the private folder unless `keep`. */
void fleet_close(struct fleet *f, bool keep);

/* Starts a worker in an empty slot. False: the system said no. */
bool fleet_start(struct fleet *f, unsigned slot) __attribute__((warn_unused_result));

/* Runs the program as CGI with these ends as its standard input and output. Its id, or -1. */
pid_t fleet_start_cgi(struct fleet *f, const char *operation, size_t body_bytes, int in_fd, int out_fd)
    __attribute__((warn_unused_result));

/* Runs `chatsctl command`, its output to the log: its exit status, or -1. */
int fleet_control(struct fleet *f, const char *command) __attribute__((warn_unused_result));

/* As fleet_control, with all words of the command (a list ended by NULL). Killed after wait_ms: -1. */
int fleet_control_words(struct fleet *f, const char *const *words, unsigned wait_ms)
    __attribute__((warn_unused_result));

/*
 * Makes *ret a fleet of the same programs and log, whose home is `name` beside f's. The home is the caller's to make.
 * fleet_close of it leaves the home to fleet_remove. False, with one sentence in `problem`; to be closed in either
 * case.
 */
bool fleet_beside(struct fleet *ret, const struct fleet *f, const char *name, char problem[FLEET_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* Removes what is called `name` in the private folder, with all that is in it; it need not be there. */
void fleet_remove(const struct fleet *f, const char *name);

/* Maps the home's gate page for reading; it is there once a worker has answered. */
bool fleet_map(struct fleet *f) __attribute__((warn_unused_result));

/* SIGSTOPs the slot's process and waits until all its threads stand. False: it ended instead. */
bool fleet_stop(struct fleet *f, unsigned slot) __attribute__((warn_unused_result));
void fleet_continue(struct fleet *f, unsigned slot);

/* SIGKILLs the slot's process and waits for its end. The slot is empty then. */
void fleet_kill(struct fleet *f, unsigned slot);

/*
 * Says in `problem` if a slot's process ended by itself, empties the slot, and returns true. *slot is where to begin
 * looking, and where it was.
 */
bool fleet_reap(struct fleet *f, unsigned *slot, char problem[FLEET_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/*
 * SIGTERMs everybody and waits up to wait_ms for them. Returns the number of those that did not leave with exit status
 * 0 in time, the last of them told in `problem`.
 */
unsigned fleet_leave(struct fleet *f, unsigned wait_ms, char problem[FLEET_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* The slot of a process, or -1. */
int fleet_slot_of(const struct fleet *f, uint32_t pid);

/* True if a thread of the stopped process `pid` owns this mutex of the page. */
bool fleet_owns(const pthread_mutex_t *mutex, pid_t pid);

/* True if the process has the environment's regions mapped: it has joined. */
bool fleet_joined(const struct fleet *f, pid_t pid);

/* Prints the log's last lines to standard error. */
void fleet_show_log(const struct fleet *f);

/* True if a line of the log has one of the words (a list ended by NULL): the first such line is in `problem`. */
bool fleet_log_find(const struct fleet *f, const char *const *words, char problem[FLEET_PROBLEM_BYTES_MAX]);

#endif
