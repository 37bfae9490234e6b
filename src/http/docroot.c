#include "http/docroot.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

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

bool docroot_holds(struct docroot *docroot, const char *folder, const char *home)
{
    if (folder[0] != '/') {
        return false;
    }
    if (strcmp(folder, docroot->folder) == 0) {
        return docroot->holds_home;
    }
    char real[PATH_MAX];
    bool holds = realpath(folder, real) != NULL && docroot_is_within(home, real);
    if (holds) {
        log_error("the home '%s' lies under the web server's document root '%s', where anybody may fetch its files: "
                  "move it elsewhere",
                  home, folder);
    }
    size_t bytes = strlen(folder);
    if (bytes < sizeof docroot->folder) {
        memcpy(docroot->folder, folder, bytes + 1);
        docroot->holds_home = holds;
    }
    return holds;
}
