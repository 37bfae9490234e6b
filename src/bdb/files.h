/*
 * files: how the library opens its files. It calls functions of ours (db_env_set_func_open, _close and _exists) because
 *
 * - left to itself it tries three times where descriptors or room have run out, and sleeps for 12 s between;
 * - it does not see to it that a new log file's name is on the disk before anything is written to the file;
 * - to open a tree, Berkeley DB 5.3 asks three times whether its file is there, opens it, reads its first bytes, closes
 *   it and opens it again: eight system calls inside the gate, of which plain CGI pays for six trees in each call.
 * While it is told which file that is, it gets the same descriptor twice, and is told that what it has open is there.
 */
#ifndef CHATS_BDB_FILES_H
#define CHATS_BDB_FILES_H

/* From now on, in the whole process. Anybody, any number of times, before the library is used. */
void files_watch(void);

/* Inside the gate, before and after one DB->open of a tree: its file, as the library names it; borrowed until
 * files_tree_end. */
void files_tree_begin(const char *path);
void files_tree_end(void);

#endif
