#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bdb/damage.h"
#include "bdb/env.h"
#include "bdb/files.h"
#include "bdb/replace.h"

int env_open_tree(struct env *env, DB **trees, int index, bool shadow, u_int32_t how)
{
    const struct env_tree *tree = &env->options.trees[index];
    DB *db = NULL;
    char file[80];
    char path[4096];
    snprintf(file, sizeof file, "%s%s.db", shadow ? REPLACE_PREFIX : "", tree->name);
    snprintf(path, sizeof path, "%s/%s", env->options.home, file);
    int error = db_create(&db, env->handle, 0);
    if (error != 0) {
        return error;
    }
    error = db->set_pagesize(db, ENV_PAGE_BYTES);
    if (error == 0) {
        error = db->set_flags(db, DB_CHKSUM | tree->flags | (shadow ? DB_TXN_NOT_DURABLE : 0));
    }
    if (error == 0) {
        files_tree_begin(path);
        error = db->open(db, NULL, file, NULL, DB_BTREE, how, 0600);
        files_tree_end();
    }
    if (error == 0 && tree->primary >= 0) {
        DB *primary = trees[tree->primary];
        error = primary->associate(primary, NULL, db, tree->key, DB_IMMUTABLE_KEY);
    }
    if (error != 0) {
        log_error("cannot open the tree '%s': %s", file, db_strerror(error));
        (void)db->close(db, DB_NOSYNC);
        return error;
    }
    trees[index] = db;
    return 0;
}

static bool tree_has_file(const struct env *env, int index)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.db", env->options.home, env->options.trees[index].name);
    return access(path, F_OK) == 0;
}

int env_open_all_trees(struct env *env)
{
    const struct env_options *options = &env->options;
    bool is_whole = tree_has_file(env, 0);
    for (int i = 0; i < options->trees_count; i++) {
        int index = is_whole ? i : (i + 1) % options->trees_count;
        bool add = is_whole && index > 0 && options->may_add != NULL && !tree_has_file(env, index) &&
                   options->may_add(env->writers[0], index);
        int error = env_open_tree(env, env->writers, index, false, DB_AUTO_COMMIT | (!is_whole || add ? DB_CREATE : 0));
        if (error == 0 && is_whole && i == 0 && options->replaces) {
            error = replace_settle(env, env->writers[0]);
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* A tree that recovery has opened does not open any more: why, as env_join looks for it. */
static int tree_failed(struct env *env, int error)
{
    if (!damage_look_at_files(env, true) && error == ENOENT) {
        gate_want_recovery(env->gate, "the file of a tree is gone");
    }
    return error;
}

/* One of the readers, unless it is open. */
static int tree_open_reader(struct env *env, int index)
{
    return env->readers[index] != NULL ? 0 : env_open_tree(env, env->readers, index, false, DB_RDONLY);
}

int env_tree_to_read(struct env *env, int index, DB **ret)
{
    int primary = env->options.trees[index].primary;
    int error = 0;
    if (env->writers[index] == NULL) {
        error = primary >= 0 ? tree_open_reader(env, primary) : 0;
        error = error == 0 ? tree_open_reader(env, index) : error;
    }
    if (error != 0) {
        return tree_failed(env, error);
    }
    *ret = env->writers[index] != NULL ? env->writers[index] : env->readers[index];
    return 0;
}

int env_tree_to_write(struct env *env, int index, DB **ret)
{
    const struct env_tree *trees = env->options.trees;
    int primary = trees[index].primary >= 0 ? trees[index].primary : index;
    for (int i = primary; i < env->options.trees_count; i++) {
        bool is_family = i == primary || trees[i].primary == primary;
        int error =
            is_family && env->writers[i] == NULL ? env_open_tree(env, env->writers, i, false, DB_AUTO_COMMIT) : 0;
        if (error != 0) {
            return tree_failed(env, error);
        }
    }
    *ret = env->writers[index];
    return 0;
}

/* Secondaries stand after their primaries and are closed before them. */
static void tree_close_all(const struct env *env, DB **trees)
{
    for (int i = env->options.trees_count - 1; i >= 0; i--) {
        if (trees[i] != NULL) {
            int error = trees[i]->close(trees[i], DB_NOSYNC);
            if (error != 0) {
                log_warning("closing the tree '%s': %s", env->options.trees[i].name, db_strerror(error));
            }
            trees[i] = NULL;
        }
    }
}

void env_close_trees(struct env *env)
{
    tree_close_all(env, env->readers);
    env_close_writers(env);
}

void env_close_writers(struct env *env)
{
    tree_close_all(env, env->writers);
}
