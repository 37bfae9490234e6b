#include "bdb/damage.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "bdb/page.h"

#define DAMAGE_FILE_BYTES 40u    /* a tree's file name with its NUL */
#define DAMAGE_OF_LOG UINT32_MAX /* instead of a tree's index */
#define DAMAGE_BLANK_ROOM 64u    /* blank pages that are remembered at first; there may be any number */

struct damage_page {
    char file[DAMAGE_FILE_BYTES];
    uint32_t number;
};

/* What this thread met in its hold. */
struct damage_seen {
    bool met;
    bool counted;
    struct damage_page page; /* the first one met */
    int refused;             /* errno of the read that was refused last */
    bool lets_blank_pass;
    struct damage_page *blank; /* those let through; freed when they have been looked at */
    size_t blank_count;
    size_t blank_room;
};

static __thread struct damage_seen seen;

/* The file's name; false if it is no tree's: log files are read in such pieces, too. */
static bool damage_file_of(int fd, char ret[DAMAGE_FILE_BYTES])
{
    char descriptor[64];
    char target[PATH_MAX];
    snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(descriptor, target, sizeof target - 1);
    if (bytes <= 0) {
        return false;
    }
    target[bytes] = '\0';
    const char *slash = strrchr(target, '/');
    const char *name = slash != NULL ? slash + 1 : target;
    size_t length = strlen(name);
    if (length >= DAMAGE_FILE_BYTES || length < 3 || strcmp(name + length - 3, ".db") != 0) {
        return false;
    }
    memcpy(ret, name, length + 1);
    return true;
}

static void damage_note(const char *file, uint32_t number)
{
    if (!seen.met) {
        seen.met = true;
        snprintf(seen.page.file, sizeof seen.page.file, "%s", file);
        seen.page.number = number;
    }
}

/* False: out of memory. */
static bool damage_note_blank(const char *file, uint32_t number)
{
    if (seen.blank_count == seen.blank_room) {
        size_t room = seen.blank_room == 0 ? DAMAGE_BLANK_ROOM : seen.blank_room * 2;
        struct damage_page *blank = realloc(seen.blank, room * sizeof *blank);
        if (blank == NULL) {
            return false;
        }
        seen.blank = blank;
        seen.blank_room = room;
    }
    struct damage_page *blank = &seen.blank[seen.blank_count++];
    snprintf(blank->file, sizeof blank->file, "%s", file);
    blank->number = number;
    return true;
}

/* The library's next read, which is its second try at the page that damage_pread refused. */
static ssize_t damage_read_refused(int fd, void *buffer, size_t bytes)
{
    (void)fd;
    (void)buffer;
    (void)bytes;
    db_env_set_func_read(NULL);
    errno = seen.refused;
    return -1;
}

/*
 * What the library reads pages with. One beyond the file's end is as one that was never written. When this fails, the
 * library tries again with read(2) before it does anything else.
 */
static ssize_t damage_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    char file[DAMAGE_FILE_BYTES];
    ssize_t got = pread(fd, buffer, bytes, offset);
    if (got < 0 || bytes != ENV_PAGE_BYTES || offset % (off_t)ENV_PAGE_BYTES != 0) {
        return got;
    }
    uint32_t number = (uint32_t)(offset / (off_t)ENV_PAGE_BYTES);
    enum page_state state = got == (ssize_t)bytes ? page_look(buffer, number) : PAGE_BLANK;
    if (state == PAGE_GOOD || !damage_file_of(fd, file)) {
        return got;
    }
    if (state == PAGE_BLANK && seen.lets_blank_pass) {
        if (got != (ssize_t)bytes || damage_note_blank(file, number)) {
            return got;
        }
        errno = ENOMEM;
    } else {
        damage_note(file, number);
        errno = EIO;
    }
    seen.refused = errno;
    db_env_set_func_read(damage_read_refused);
    return -1;
}

static void damage_watch_once(void)
{
    db_env_set_func_pread(damage_pread);
}

void damage_watch(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, damage_watch_once);
}

static void damage_forget_blank(void)
{
    free(seen.blank);
    seen.blank = NULL;
    seen.blank_count = 0;
    seen.blank_room = 0;
}

void damage_forget(void)
{
    seen.met = false;
    seen.counted = false;
    seen.lets_blank_pass = false;
    damage_forget_blank();
}

bool damage_met(void)
{
    return seen.met;
}

void damage_let_blank_pass(bool let)
{
    seen.lets_blank_pass = let;
}

/* The page as the file has it; PAGE_GOOD where the file ends before it: there is nothing to be wrong. */
static enum page_state damage_look(const struct env *env, const char *file, uint32_t number)
{
    uint8_t bytes[ENV_PAGE_BYTES];
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", env->options.home, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return PAGE_GOOD;
    }
    ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)number * (off_t)ENV_PAGE_BYTES);
    close(fd);
    return got == (ssize_t)sizeof bytes ? page_look(bytes, number) : PAGE_GOOD;
}

bool damage_look_at_blank_pages(const struct env *env)
{
    for (size_t i = 0; i < seen.blank_count; i++) {
        if (damage_look(env, seen.blank[i].file, seen.blank[i].number) == PAGE_BLANK) {
            damage_note(seen.blank[i].file, seen.blank[i].number);
        }
    }
    damage_forget_blank();
    return seen.met;
}

/* A page that is cut short counts as met. */
static void damage_look_at_length(const struct env *env, const char *file)
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/%s", env->options.home, file);
    if (stat(path, &st) == 0 && st.st_size % (off_t)ENV_PAGE_BYTES != 0) {
        damage_note(file, (uint32_t)(st.st_size / (off_t)ENV_PAGE_BYTES));
    }
}

bool damage_look_at_files(const struct env *env, bool failed)
{
    for (int i = 0; i < env->options.trees_count; i++) {
        char file[DAMAGE_FILE_BYTES];
        snprintf(file, sizeof file, "%s.db", env->options.trees[i].name);
        enum page_state state = damage_look(env, file, 0);
        if (state == PAGE_DAMAGED || (state == PAGE_BLANK && failed)) {
            damage_note(file, 0);
        } else if (failed) {
            damage_look_at_length(env, file);
        }
    }
    return seen.met;
}

bool damage_is_final(const struct env *env)
{
    return atomic_load(&env->gate->page->out_of_service) != 0;
}

static void damage_log(const char *file, uint32_t number)
{
    log_error("the home is out of service: page %u of '%s' is damaged; restore a backup, or salvage into a new home",
              (unsigned)number, file);
}

bool damage_refuses(struct env *env)
{
    if (!damage_is_final(env)) {
        return false;
    }
    if (!atomic_exchange(&env->damage_logged, true)) {
        char file[DAMAGE_FILE_BYTES];
        const struct gate_page *page = env->gate->page;
        uint32_t tree = atomic_load(&page->damaged_tree);
        bool known = tree < (uint32_t)env->options.trees_count;
        if (tree == DAMAGE_OF_LOG) {
            log_error(
                "the home is out of service: its log is damaged or was cut off; restore a backup, or salvage into "
                "a new home");
            return true;
        }
        snprintf(file, sizeof file, "%s.db", known ? env->options.trees[tree].name : "?");
        damage_log(file, atomic_load(&page->damaged_page));
    }
    return true;
}

enum store_status damage_count(struct env *env)
{
    struct gate_page *page = env->gate->page;
    if (!seen.counted) {
        seen.counted = true;
        for (int i = 0; i < env->options.trees_count; i++) {
            size_t bytes = strlen(env->options.trees[i].name);
            if (strncmp(seen.page.file, env->options.trees[i].name, bytes) == 0 &&
                strcmp(seen.page.file + bytes, ".db") == 0) {
                atomic_store(&page->damaged_tree, (uint32_t)i);
            }
        }
        atomic_store(&page->damaged_page, seen.page.number);
        char reason[128];
        snprintf(reason, sizeof reason, "page %u of '%s' is damaged", (unsigned)seen.page.number, seen.page.file);
        gate_want_recovery(env->gate, reason);
        if (atomic_fetch_add(&page->damaged_reads, 1) + 1 >= DAMAGE_READS_MAX) {
            atomic_store(&page->out_of_service, 1);
            atomic_store(&env->damage_logged, true);
            damage_log(seen.page.file, seen.page.number);
        }
    }
    return damage_is_final(env) ? STORE_CORRUPT : STORE_UNAVAILABLE;
}

enum store_status damage_of_log(struct env *env)
{
    struct gate_page *page = env->gate->page;
    if (atomic_fetch_add(&page->damaged_reads, 1) + 1 < DAMAGE_READS_MAX) {
        return STORE_UNAVAILABLE;
    }
    atomic_store(&page->damaged_tree, DAMAGE_OF_LOG);
    atomic_store(&page->out_of_service, 1);
    atomic_store(&env->damage_logged, true);
    return STORE_CORRUPT;
}

void damage_reset(struct env *env)
{
    struct gate_page *page = env->gate->page;
    gate_want_recovery(env->gate, "the administrator asked for it");
    atomic_store(&page->damaged_reads, 0);
    atomic_store(&env->damage_logged, false);
    atomic_store(&page->recovery_retry_at_ns, 0);
    atomic_store(&page->out_of_service, 0);
}
