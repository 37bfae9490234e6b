#include "home.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "fuzz.h"
#include "rules.h"
#include "store/admin.h"

#define CACHE_BYTES (1u << 20)
#define CHECKPOINT_BYTES (1u << 20)
#define PASSWORD_BYTES 8192u /* the least that libsodium takes */

static char folder[PATH_MAX / 2];
static pid_t owner; /* a child of libFuzzer's must not remove it */

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    FUZZ_CHECK(nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}

static void remove_folder(void)
{
    if (getpid() == owner) {
        remove_tree(folder);
    }
}

static void make_folder(void)
{
    const char *parent = getenv("CHATS_FUZZ_FOLDER");
    (void)snprintf(folder, sizeof folder, "%s/chats-fuzz-XXXXXX", parent != NULL ? parent : "/dev/shm");
    FUZZ_CHECK(mkdtemp(folder) != NULL);
    owner = getpid();
    FUZZ_CHECK(atexit(remove_folder) == 0);
}

void home_make(struct home *home, void (*fill)(struct home *home))
{
    char path[PATH_MAX / 2 + 8];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    if (folder[0] == '\0') {
        make_folder();
    }
    (void)snprintf(path, sizeof path, "%s/home", folder);
    FUZZ_CHECK(mkdir(path, 0700) == 0);
    memset(home, 0, sizeof *home);
    config_defaults(&home->config, path);
    home->config.auth = CONFIG_AUTH_OPEN;
    home->config.cache_bytes = CACHE_BYTES;
    home->config.checkpoint_bytes = CHECKPOINT_BYTES;
    home->config.password_memory_bytes = PASSWORD_BYTES;
    home->config.password_passes = 1;
    if (store_open(&home->config, &home->store, problem) != STORE_OK) {
        fuzz_broken(__FILE__, __LINE__, problem);
    }
    fill(home);
}

static void say(void *context, const char *problem)
{
    const struct home *home = context;
    FUZZ_CHECK(problem[0] != '\0' && rules_utf8(text_of(problem)));
    if (home != NULL) {
        (void)fprintf(stderr, "%s\n", problem);
    }
}

void home_check(struct home *home, bool sound)
{
    struct store_check check = {.say = say, .context = sound ? home : NULL};
    enum store_status status = store_check(home->store, &check);
    if (status != STORE_OK) {
        fuzz_broken(__FILE__, __LINE__, store_status_name(status));
    }
    FUZZ_CHECK(!sound || check.problems == 0);
    home->checked_at = home->calls;
}

void home_renew(struct home *home, uint64_t calls_max, bool sound, void (*fill)(struct home *home))
{
    if (home->calls++ < calls_max) {
        return;
    }
    home_check(home, sound);
    store_close(home->store);
    remove_tree(home->config.home);
    config_clear(&home->config);
    home_make(home, fill);
}
