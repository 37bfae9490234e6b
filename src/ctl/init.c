#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "store/admin.h"

static bool init_folder_is_empty(const char *home)
{
    DIR *directory = opendir(home);
    bool empty = directory != NULL;
    const struct dirent *entry;
    while (empty && (entry = readdir(directory)) != NULL) {
        empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return empty;
}

/* The folder: made, or found empty. */
static int init_folder(const char *home)
{
    char path[PATH_MAX + sizeof CONFIG_FILE];
    if (mkdir(home, 0700) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return command_fail("cannot make '%s': %s", home, strerror(errno));
    }
    snprintf(path, sizeof path, "%s/%s", home, CONFIG_FILE);
    if (access(path, F_OK) == 0) {
        return command_fail("'%s' is a home already", home);
    }
    if (!init_folder_is_empty(home)) {
        return command_fail("'%s' is not empty and not a home: nothing was changed", home);
    }
    if (!command_become_owner(home)) {
        return 1;
    }
    return chmod(home, 0700) == 0 ? 0 : command_fail("cannot set the mode of '%s': %s", home, strerror(errno));
}

/* Written under another name first: a home with half a chats.conf is never seen. */
static int init_config(const char *home, const char *auth)
{
    char path[PATH_MAX + sizeof CONFIG_FILE];
    char draft[PATH_MAX + sizeof CONFIG_FILE + 4];
    snprintf(path, sizeof path, "%s/%s", home, CONFIG_FILE);
    snprintf(draft, sizeof draft, "%s.new", path);
    FILE *file = fopen(draft, "we");
    if (file == NULL) {
        return command_fail("cannot write '%s': %s", draft, strerror(errno));
    }
    bool written = fprintf(file, "%s\nauth = %s\n", config_template(), auth) > 0;
    written = fflush(file) == 0 && fsync(fileno(file)) == 0 && written;
    written = fclose(file) == 0 && written;
    if (!written || rename(draft, path) != 0) {
        return command_fail("cannot write '%s': %s", path, strerror(errno));
    }
    return 0;
}

/* The first opening makes the trees. */
static int init_trees(const char *home)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    struct store *store = NULL;
    int exit_status = 1;
    if (!config_load(&config, home, problem) || store_open(&config, &store, problem) != STORE_OK) {
        (void)command_fail("%s", problem);
        goto out;
    }
    enum store_status status = store_ping(store);
    exit_status = status == STORE_OK ? 0 : command_fail_status("cannot make the trees", status);
    store_close(store);
out:
    config_clear(&config);
    return exit_status;
}

int command_init(const struct command_context *context, int argc, char **argv)
{
    const char *auth = "required";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    if (argc == 3 && strcmp(argv[1], "--auth") == 0 &&
        (strcmp(argv[2], "open") == 0 || strcmp(argv[2], "required") == 0)) {
        auth = argv[2];
    } else if (argc != 1) {
        (void)command_fail("usage: chatsctl init [--auth open|required]");
        return 2;
    }
    if (init_folder(context->home) != 0) {
        return 1;
    }
    struct config config;
    config_defaults(&config, context->home);
    if (!store_prove(context->home, problem) || !store_prove_room(&config, problem)) {
        return command_fail("%s", problem);
    }
    if (init_config(context->home, auth) != 0 || init_trees(context->home) != 0) {
        return 1;
    }
    printf("made the home '%s', auth = %s\n", context->home, auth);
    return 0;
}
