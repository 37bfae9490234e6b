/*
 * damage: pages of the trees' files that are not what was written there. They are never served, and what they do to a
 * home is bounded (DESIGN section 5).
 *
 * Left to itself the library panics the environment at a page whose checksum is wrong, does not say of which file, and
 * leaves a record in the log because of which every later recovery fails. A page of zeros it takes for an empty one
 * of another kind: it shows bytes from elsewhere, or follows them for ever. So each page is looked at before the
 * library gets it: every read of a tree's file goes through a function of ours (db_env_set_func_pread), which fails
 * with EIO where the page is not whole (page.h), and notes file and page.
 *
 * Each hold in which that happened counts one, and wants a recovery: what went wrong may have been the reading. At
 * the second the home is out of service: the gate page says so, with file and page, the log names them, and nobody
 * calls the library any more: every operation is STORE_CORRUPT at once, until the administrator restores or salvages
 * into a new home, or has tried `chatsctl recover`, which counts from the start, as a reboot does.
 *
 * So it is where the log is damaged (logend.h), at the second recovery that finds that: it, too, may have been the
 * reading.
 *
 * In recovery, blank pages are let through: those that the log fills again are there by right. Those that are still
 * blank when it has run are damage: the log named them, and the library passed them over.
 *
 * What was noted belongs to the thread, and to its hold. All functions are called under the gate but for the two that
 * say otherwise.
 */
#ifndef CHATS_BDB_DAMAGE_H
#define CHATS_BDB_DAMAGE_H

#include "bdb/env.h"

#define DAMAGE_READS_MAX 2u /* the home is out of service at this one */

/* From now on pages are looked at, in the whole process. Anybody, any number of times, before the library is used. */
void damage_watch(void);

/* At the beginning of a hold: nothing has been met in it. */
void damage_forget(void);

/* True if a damaged page was met in this hold, whatever became of the call that met it. */
bool damage_met(void);

/* Counts what was met (once a hold). STORE_UNAVAILABLE: recovery is wanted. STORE_CORRUPT: the home is out of service.
 */
enum store_status damage_count(struct env *env);

/* By recovery: the log is damaged, which the caller has logged. Results as damage_count. */
enum store_status damage_of_log(struct env *env);

/* By recovery: whether blank pages are let through, until it is called again or a new hold begins. */
void damage_let_blank_pass(bool let);

/* By recovery, when it has run: true if pages that were let through are still blank: one of them has been met then. */
bool damage_look_at_blank_pages(const struct env *env);

/*
 * Looks at the trees' files in what the library reads in another way when it opens them: before recovery at the first
 * page of each, and where trees could not be opened (`failed`) also at a first page that is blank, which before
 * recovery may be right, and at the length. True if something is wrong: that page has been met then.
 */
bool damage_look_at_files(const struct env *env, bool failed);

/* True if the home is out of service. Anybody. */
bool damage_is_final(const struct env *env);

/* As damage_is_final; then also logs it, once a process, for those who look there. Anybody. */
bool damage_refuses(struct env *env);

/* For the administrator: in service again, counted from the start, after a recovery, which is wanted now. */
void damage_reset(struct env *env);

#endif
