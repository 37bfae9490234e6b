#include "bdb/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bdb/sync.h"

#define REPLACE_DECIDED "replaced"
#define REPLACE_SETTLED "settled"
#define REPLACE_ID_AT 52 /* in a tree's first page: dbinc/db_page.h, DBMETA.uid */

_Static_assert(REPLACE_ID_BYTES == DB_FILE_ID_LEN, "Berkeley DB's file ids");

static int replace_put(DB *first, DB_TXN *txn, const char *name, const struct replace_ids *ids)
{
    char key_bytes[sizeof REPLACE_DECIDED];
    struct replace_ids copy = *ids;
    size_t size = strlen(name);
    memcpy(key_bytes, name, size);
    DBT key = {.data = key_bytes, .size = (u_int32_t)size};
    DBT value = {.data = &copy, .size = sizeof copy};
    return first->put(first, txn, &key, &value, 0);
}

/* 0, DB_NOTFOUND, or the library's error. */
static int replace_get(DB *first, const char *name, struct replace_ids *ret)
{
    char key_bytes[sizeof REPLACE_DECIDED];
    size_t size = strlen(name);
    memcpy(key_bytes, name, size);
    DBT key = {.data = key_bytes, .size = (u_int32_t)size};
    DBT value = {0};
    int error = first->get(first, NULL, &key, &value, 0);
    if (error == 0 && value.size != sizeof *ret) {
        return DB_NOTFOUND;
    }
    if (error == 0) {
        memcpy(ret, value.data, sizeof *ret);
    }
    return error;
}

int replace_decide(DB *first, DB_TXN *txn, const struct replace_ids *ids)
{
    return replace_put(first, txn, REPLACE_DECIDED, ids);
}

static bool replace_read_id(const char *path, uint8_t ret[REPLACE_ID_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    bool done = pread(fd, ret, REPLACE_ID_BYTES, REPLACE_ID_AT) == (ssize_t)REPLACE_ID_BYTES;
    close(fd);
    return done;
}

bool replace_is(const char *path, const uint8_t id[REPLACE_ID_BYTES])
{
    uint8_t found[REPLACE_ID_BYTES];
    return replace_read_id(path, found) && memcmp(found, id, sizeof found) == 0;
}

bool replace_is_same(const char *path, const char *other)
{
    uint8_t id[REPLACE_ID_BYTES];
    return replace_read_id(path, id) && replace_is(other, id);
}

/* Moves one file, unless that was done. *ret_there: it is in its place. errno or 0. */
static int replace_move(const struct env *env, int tree, const uint8_t id[REPLACE_ID_BYTES], bool *ret_there)
{
    char path[4096];
    char shadow[4096];
    const char *name = env->options.trees[tree].name;
    snprintf(path, sizeof path, "%s/%s.db", env->options.home, name);
    snprintf(shadow, sizeof shadow, "%s/" REPLACE_PREFIX "%s.db", env->options.home, name);
    *ret_there = replace_is(path, id);
    if (*ret_there || !replace_is(shadow, id)) {
        return 0;
    }
    *ret_there = rename(shadow, path) == 0;
    return *ret_there ? 0 : errno;
}

static int replace_write_settled(const struct env *env, DB *first, const struct replace_ids *ids)
{
    DB_TXN *txn = NULL;
    int error = env->handle->txn_begin(env->handle, NULL, &txn, 0);
    if (error != 0) {
        return error;
    }
    error = replace_put(first, txn, REPLACE_SETTLED, ids);
    if (error != 0) {
        (void)txn->abort(txn);
        return error;
    }
    return txn->commit(txn, DB_TXN_SYNC);
}

int replace_settle(struct env *env, DB *first)
{
    static const uint8_t none[REPLACE_ID_BYTES];
    struct replace_ids decided;
    struct replace_ids settled = {0};
    unsigned meant = 0;
    unsigned there = 0;
    int error = replace_get(first, REPLACE_DECIDED, &decided);
    if (error != 0) {
        return error == DB_NOTFOUND ? 0 : error;
    }
    error = replace_get(first, REPLACE_SETTLED, &settled);
    for (int tree = 0; tree < env->options.trees_count && (error == 0 || error == DB_NOTFOUND); tree++) {
        if (memcmp(decided.ids[tree], none, sizeof none) != 0) {
            bool is_there = false;
            error = replace_move(env, tree, decided.ids[tree], &is_there);
            meant++;
            there += is_there ? 1 : 0;
        }
    }
    if (error != 0 && error != DB_NOTFOUND) {
        return error;
    }
    bool is_settled = memcmp(&decided, &settled, sizeof settled) == 0;
    if (there < meant && (is_settled || there > 0)) {
        log_error("the trees are not those that the log is about: a backup from before a compact cannot be brought "
                  "forward by logs from after it");
        return DB_OLD_VERSION;
    }
    /* None there: a backup from before, and the log ends before anything was written to the new ones. */
    if (there < meant || is_settled) {
        return 0;
    }
    error = sync_folder(env->options.home);
    return error == 0 ? replace_write_settled(env, first, &decided) : error;
}
