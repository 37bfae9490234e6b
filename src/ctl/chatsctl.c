#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/status.h"
#include "ctl/commands.h"
#include "rpc/access.h"
#include "store/admin.h"

#define ID_NAMESPACE "ID [--namespace NS]"

static const struct command commands[] = {
    {"init", NULL, "[--auth open|required]", "make the home", COMMAND_NEEDS_NOTHING, command_init},
    {"check", NULL, "", "show that trees, indexes and checksums are good", COMMAND_NEEDS_STORE, command_check},
    {"recover", NULL, "", "recover the environment now, and checkpoint", COMMAND_NEEDS_STORE, command_recover},
    {"doctor", NULL, "URL", "call the service mounted at URL; say what is wrong, and what mends it",
     COMMAND_NEEDS_NOTHING, command_doctor},
    {"backup", NULL, "DIR [--incremental]", "copy the home, which may be in use, to DIR", COMMAND_NEEDS_STORE,
     command_backup},
    {"restore", NULL, "DIR [--logs FOLDER]", "make the home anew of the backup in DIR", COMMAND_NEEDS_NOTHING,
     command_restore},
    {"stats", NULL, "", "print what is stored and how it went", COMMAND_NEEDS_STORE, command_stats},
    {"compact", NULL, "", "give the free space of the messages' trees back", COMMAND_NEEDS_STORE, command_compact},
    {"prune", NULL, "--before TIME [--namespace NS]", "remove the messages sent before TIME (RFC 3339)",
     COMMAND_NEEDS_STORE, command_prune},
    {"namespace", "list", "", "print each namespace, its chats and accounts, by tabs", COMMAND_NEEDS_STORE,
     command_namespace_list},
    {"namespace", "remove", "NS", "remove all chats, messages, accounts and tokens of NS", COMMAND_NEEDS_STORE,
     command_namespace_remove},
    {"export", NULL, "[FILE]", "print all chats and messages as JSON Lines, or write them to FILE", COMMAND_NEEDS_STORE,
     command_export},
    {"salvage", NULL, "[FILE]", "print what can be read of a damaged home, as an export", COMMAND_NEEDS_NOTHING,
     command_salvage},
    {"import", NULL, "[FILE]", "take in an export, from standard input or FILE; again does no harm",
     COMMAND_NEEDS_STORE, command_import},
    {"account", "add", ID_NAMESPACE " [--type user|service]", "make an account; asks for its secret",
     COMMAND_NEEDS_STORE, command_account_add},
    {"account", "list", "[--namespace NS]", "print id, type and time of making, by tabs", COMMAND_NEEDS_STORE,
     command_account_list},
    {"account", "passwd", ID_NAMESPACE, "give a new secret; revokes all its tokens", COMMAND_NEEDS_STORE,
     command_account_passwd},
    {"account", "remove", ID_NAMESPACE, "remove the account and revoke its tokens", COMMAND_NEEDS_STORE,
     command_account_remove},
    {"token", "issue", ID_NAMESPACE " [--expiry SECONDS]", "print a new access token of the account",
     COMMAND_NEEDS_STORE, command_token_issue},
    {"token", "revoke", "", "end the family of the token given on standard input", COMMAND_NEEDS_STORE,
     command_token_revoke},
};

#define COMMANDS_COUNT (sizeof commands / sizeof commands[0])

int command_fail(const char *format, ...)
{
    va_list args;
    fputs("chatsctl: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 1;
}

int command_fail_status(const char *what, enum store_status status)
{
    return command_fail("%s: %s", what, store_status_name(status));
}

bool command_no_arguments(int argc, char **argv)
{
    if (argc > 1) {
        (void)command_fail("'%s' takes no argument '%s'", argv[0], argv[1]);
        return false;
    }
    return true;
}

bool command_file_argument(int argc, char **argv, const char **ret_path)
{
    int words = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1; /* after "--": a file's name may begin with a dash */
    if (argc > words + 1 || (words == 1 && argc == 2 && argv[1][0] == '-' && argv[1][1] != '\0')) {
        (void)command_fail("'%s' takes no argument '%s'", argv[0], argv[argc - 1]);
        return false;
    }
    *ret_path = argc == words + 1 && strcmp(argv[words], "-") != 0 ? argv[words] : NULL;
    return true;
}

bool command_become_owner(const char *home)
{
    struct stat st;
    if (geteuid() != 0 || stat(home, &st) != 0 || st.st_uid == 0) {
        return true; /* what is wrong with the home, if anything, is for store_open to say */
    }
    if (setgroups(0, NULL) != 0 || setgid(st.st_gid) != 0 || setuid(st.st_uid) != 0) {
        (void)command_fail("cannot become the home's owner: %s", strerror(errno));
        return false;
    }
    return true;
}

static void chatsctl_usage(FILE *out)
{
    fputs("usage: chatsctl COMMAND\n\n"
          "The home is the folder that CHATS_HOME names, else a file chats.home beside this program, "
          "else " CHATS_LOCALSTATEDIR "/lib/chats.\n\n",
          out);
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        char call[96];
        const struct command *command = &commands[i];
        snprintf(call, sizeof call, "%s%s%s %s", command->name, command->verb != NULL ? " " : "",
                 command->verb != NULL ? command->verb : "", command->arguments);
        fprintf(out, "  %-56s %s\n", call, command->summary);
    }
    fputs("\nA secret or a token is read from the terminal, without echo, or from standard input. The namespace is "
          "\"" ACCESS_NAMESPACE_DEFAULT "\" unless it is given; prune works on all of them.\n",
          out);
}

/* The row that the words name; NULL after saying why there is none. *ret_words: how many of them it takes. */
static const struct command *chatsctl_find(int argc, char **argv, int *ret_words)
{
    bool has_verbs = false;
    for (size_t i = 0; i < COMMANDS_COUNT; i++) {
        const struct command *command = &commands[i];
        if (strcmp(argv[1], command->name) != 0) {
            continue;
        }
        if (command->verb == NULL || (argc > 2 && strcmp(argv[2], command->verb) == 0)) {
            *ret_words = command->verb == NULL ? 1 : 2;
            return command;
        }
        has_verbs = true;
    }
    if (has_verbs) {
        (void)command_fail("no command '%s%s%s'; 'chatsctl --help' lists them", argv[1], argc > 2 ? " " : "",
                           argc > 2 ? argv[2] : "");
    } else {
        (void)command_fail("no command '%s'; 'chatsctl --help' lists them", argv[1]);
    }
    return NULL;
}

static int chatsctl_with_store(const struct command *command, const char *home, int argc, char **argv)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    struct command_context context = {.home = home, .config = &config};
    int exit_status = 1;
    if (!command_become_owner(home)) {
        return 1;
    }
    if (!config_load(&config, home, problem)) {
        (void)command_fail("%s", problem);
        goto out;
    }
    log_set_level(config.log_level);
    if (store_open(&config, &context.store, problem) != STORE_OK) {
        (void)command_fail("%s", problem);
        goto out;
    }
    store_insist(context.store);
    exit_status = command->run(&context, argc, argv);
    store_close(context.store);
out:
    config_clear(&config);
    return exit_status;
}

int main(int argc, char **argv)
{
    char home[PATH_MAX];
    char program[PATH_MAX];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a write beyond RLIMIT_FSIZE is to fail: bdb/ballast.h */
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        chatsctl_usage(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts(PACKAGE_STRING);
        return 0;
    }
    int words = 0;
    const struct command *command = chatsctl_find(argc, argv, &words);
    if (command == NULL) {
        return 2;
    }
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    program[bytes > 0 ? bytes : 0] = '\0';
    if (!config_find_home(program, home, problem)) {
        return command_fail("%s", problem);
    }
    if (command->needs == COMMAND_NEEDS_NOTHING) {
        struct command_context context = {.home = home};
        return command->run(&context, argc - words, argv + words);
    }
    return chatsctl_with_store(command, home, argc - words, argv + words);
}
