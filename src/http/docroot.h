/*
 * docroot: whether the home lies where the web server serves files from. There anybody could fetch its trees and logs,
 * whatever their modes are: the server may run as their owner. No server says so at its start, but each request names
 * the folder: DOCUMENT_ROOT, Apache's CONTEXT_DOCUMENT_ROOT for what an Alias or a user's folder adds, and
 * SCRIPT_FILENAME, the program as it is served.
 */
#ifndef CHATS_HTTP_DOCROOT_H
#define CHATS_HTTP_DOCROOT_H

#include <stdbool.h>

#define DOCROOT_BYTES_MAX 1024u /* of a folder's name with its NUL; a longer one is not remembered */

/* One thread's last look. All zero at first. */
struct docroot {
    char folder[DOCROOT_BYTES_MAX];
    bool holds_home;
};

/*
 * True if `home` (absolute, without symbolic links) is `folder` or lies in it; the first time that is found it is
 * logged. A folder that is empty, not absolute or not there holds nothing. Looks at the file system only when `folder`
 * is another than the last time.
 */
bool docroot_holds(struct docroot *docroot, const char *folder, const char *home);

/*
 * As docroot_holds, for the folder that `file` lies in; a file that is not there, as where a server makes its name up
 * of the address, has none, nor has one in "/".
 */
bool docroot_holds_beside(struct docroot *docroot, const char *file, const char *home);

#endif
