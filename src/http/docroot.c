#include "http/docroot.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* Both without symbolic links. */
static bool docroot_is_within(const char *path, const char *folder)
{
    size_t bytes = strlen(folder);
    if (strncmp(path, folder, bytes) != 0) {
        return false;
    }
    /* "/" is the one that ends with a slash. */
    return path[bytes] == '\0' || path[bytes] == '/' || folder[bytes - 1] == '/';
}

static bool docroot_look(const char *folder, const char *home)
{
    char real[PATH_MAX];
    bool holds = realpath(folder, real) != NULL && docroot_is_within(home, real);
    if (holds) {
        log_error("the home '%s' lies under the web server's document root '%s', where anybody may fetch its files: "
                  "move it elsewhere",
                  home, folder);
    }
    return holds;
}

static void docroot_remember(struct docroot *docroot, const char *name, bool holds)
{
    size_t bytes = strlen(name);
    if (bytes < sizeof docroot->folder) {
        memcpy(docroot->folder, name, bytes + 1);
        docroot->holds_home = holds;
    }
}

bool docroot_holds(struct docroot *docroot, const char *folder, const char *home)
{
    if (folder[0] != '/') {
        return false;
    }
    if (strcmp(folder, docroot->folder) == 0) {
        return docroot->holds_home;
    }
    bool holds = docroot_look(folder, home);
    docroot_remember(docroot, folder, holds);
    return holds;
}

bool docroot_holds_beside(struct docroot *docroot, const char *file, const char *home)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(file, '/');
    if (file[0] != '/' || slash == file || slash - file >= PATH_MAX) {
        return false;
    }
    if (strcmp(file, docroot->folder) == 0) {
        return docroot->holds_home;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - file), file);
    bool holds = access(file, F_OK) == 0 && docroot_look(folder, home);
    docroot_remember(docroot, file, holds);
    return holds;
}
