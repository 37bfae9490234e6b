#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/commands.h"
#include "ctl/progress.h"
#include "store/admin.h"

static void restore_progress(void *context, const char *verb, uint64_t done, uint64_t total)
{
    progress_phase(context, verb, "bytes", done, total);
}

static bool restore_is_empty(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
    unsigned entries = 0;
    errno = 0;
    while (directory != NULL && entries <= 2 && readdir(directory) != NULL) {
        entries++; /* "." and ".." are two */
    }
    bool is_empty = directory != NULL && entries == 2 && errno == 0;
    if (directory != NULL) {
        closedir(directory);
    } else if (fd >= 0) {
        close(fd);
    }
    return is_empty;
}

/*
 * Makes the home's folder where it is absent, and gives it to the backup's owner if it is empty and root's. Where it is
 * reached by a link nothing is given: who laid that says where it leads.
 */
static bool restore_give_folder(const char *home, const struct stat *backup)
{
    struct stat st;
    if (mkdir(home, 0700) != 0 && errno != EEXIST) {
        return false;
    }
    int fd = open(home, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno == ELOOP || errno == ENOTDIR; /* as it is; store_restore says what is wrong */
    }
    int error = fstat(fd, &st) == 0 ? 0 : errno;
    if (error == 0 && st.st_uid == 0 && restore_is_empty(fd) && fchown(fd, backup->st_uid, backup->st_gid) != 0) {
        error = errno;
    }
    close(fd);
    errno = error;
    return error == 0;
}

/*
 * The home that root restores belongs to whom its folder belongs. An absent one, and an empty one of root's, such as a
 * mount point, is given to whom the backup belongs. What is wrong with home or backup otherwise store_restore says.
 */
static bool restore_become_owner(const char *home, const char *folder)
{
    struct stat backup;
    char inside[PATH_MAX];
    if (geteuid() != 0 || stat(folder, &backup) != 0) {
        return true;
    }
    if (backup.st_uid != 0 && !restore_give_folder(home, &backup)) {
        (void)command_fail("cannot make '%s': %s", home, strerror(errno));
        return false;
    }
    if (!command_become_owner(home)) {
        return false;
    }
    snprintf(inside, sizeof inside, "%s/.", folder);
    if (geteuid() != 0 && access(inside, R_OK | X_OK) != 0 && errno == EACCES) {
        (void)command_fail(
            "the owner of '%s' may not read the backup: make it theirs (chown -R), or let the home's folder "
            "be absent",
            home);
        return false;
    }
    return true;
}

int command_restore(const struct command_context *context, int argc, char **argv)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct progress progress = {.verb = NULL};
    struct store_restore order = {.home = context->home, .progress = restore_progress, .context = &progress};
    bool good = true;
    for (int i = 1; i < argc && good; i++) {
        if (strcmp(argv[i], "--logs") == 0 && i + 1 < argc) {
            order.logs = argv[++i];
        } else if (argv[i][0] != '-' && order.folder == NULL) {
            order.folder = argv[i];
        } else {
            good = false;
        }
    }
    if (!good || order.folder == NULL) {
        (void)command_fail("usage: chatsctl restore DIR [--logs FOLDER]");
        return 2;
    }
    if (!restore_become_owner(context->home, order.folder)) {
        return 1;
    }
    enum store_status status = store_restore(&order, problem);
    progress_end(&progress);
    return status == STORE_OK ? 0 : command_fail("not restored: %s", problem);
}
