/*
 * commands: the administrator's commands, a row each. To add one: its file, its run function here, its row in
 * chatsctl.c.
 */
#ifndef CHATS_CTL_COMMANDS_H
#define CHATS_CTL_COMMANDS_H

#include "base/config.h"
#include "store/store.h"

/* What a command works on. `store` is NULL for a command that needs no open home. */
struct command_context {
    const char *home;            /* absolute */
    const struct config *config; /* NULL with `store` */
    struct store *store;
};

enum command_needs { COMMAND_NEEDS_STORE, COMMAND_NEEDS_NOTHING };

/* Returns the exit status: 0 done, 1 not done or something is wrong with the home, 2 wrongly called. */
typedef int command_fn(const struct command_context *context, int argc, char **argv);

struct command {
    const char *name;
    const char *verb;      /* the second word of a command that has two, else NULL */
    const char *arguments; /* for the usage line */
    const char *summary;
    enum command_needs needs;
    command_fn *run;
};

/* argv[0] is the command's last word. */
int command_init(const struct command_context *context, int argc, char **argv);
int command_check(const struct command_context *context, int argc, char **argv);
int command_recover(const struct command_context *context, int argc, char **argv);
int command_backup(const struct command_context *context, int argc, char **argv);
int command_restore(const struct command_context *context, int argc, char **argv);
int command_stats(const struct command_context *context, int argc, char **argv);
int command_compact(const struct command_context *context, int argc, char **argv);
int command_prune(const struct command_context *context, int argc, char **argv);
int command_namespace_list(const struct command_context *context, int argc, char **argv);
int command_namespace_remove(const struct command_context *context, int argc, char **argv);
int command_export(const struct command_context *context, int argc, char **argv);
int command_salvage(const struct command_context *context, int argc, char **argv);
int command_import(const struct command_context *context, int argc, char **argv);
int command_account_add(const struct command_context *context, int argc, char **argv);
int command_account_list(const struct command_context *context, int argc, char **argv);
int command_account_passwd(const struct command_context *context, int argc, char **argv);
int command_account_remove(const struct command_context *context, int argc, char **argv);
int command_token_issue(const struct command_context *context, int argc, char **argv);
int command_doctor(const struct command_context *context, int argc, char **argv);
int command_token_revoke(const struct command_context *context, int argc, char **argv);

/* One line to standard error, "chatsctl: …"; returns 1. */
int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* For a store call that did not succeed: says which; returns 1. */
int command_fail_status(const char *what, enum store_status status);

/* True if no arguments follow the command's name; else says so. */
bool command_no_arguments(int argc, char **argv) __attribute__((warn_unused_result));

/* The one argument FILE that may follow; *ret_path is NULL without it and for "-". False: more than that; said so. */
bool command_file_argument(int argc, char **argv, const char **ret_path) __attribute__((warn_unused_result));

/* A process of root becomes the home's owner for good, so that it leaves no file behind that the workers cannot use. */
bool command_become_owner(const char *home) __attribute__((warn_unused_result));

#endif
