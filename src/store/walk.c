#include "store/walk.h"

#include <string.h>

/* Ours are at most RECORD_KEY_ACCOUNT_BYTES_MAX; a longer one is a damaged record's, for `visit` to find. */
#define WALK_KEY_BYTES_MAX 65536u

struct walk_state {
    const struct walk *walk;
    struct buffer at; /* the key visited last */
    bool started;
    bool ended;
};

static int walk_get(DBC *cursor, bool secondary, DBT *key, DBT *primary_key, DBT *value, u_int32_t how)
{
    return secondary ? cursor->pget(cursor, key, primary_key, value, how) : cursor->get(cursor, key, value, how);
}

/* Goes to the first entry that has not been visited. */
static int walk_position(struct walk_state *state, DBC *cursor, bool secondary, DBT *key, DBT *primary_key, DBT *value)
{
    if (!state->started) {
        return walk_get(cursor, secondary, key, primary_key, value, DB_FIRST);
    }
    *key = store_dbt(state->at.data, state->at.bytes);
    int error = walk_get(cursor, secondary, key, primary_key, value, DB_SET_RANGE);
    struct text at = {state->at.data, state->at.bytes};
    if (error == 0 && text_equal(store_dbt_text(key), at)) {
        error = walk_get(cursor, secondary, key, primary_key, value, DB_NEXT_NODUP);
    }
    return error;
}

static enum store_status walk_body(struct txn *txn, void *args)
{
    struct walk_state *state = args;
    const struct walk *walk = state->walk;
    DB *tree = NULL;
    bool secondary = trees_table()[walk->tree].primary >= 0;
    DBT key = {0};
    DBT primary_key = {0};
    DBT value = {0};
    DBC *cursor = NULL;
    int error = txn_tree_to_read(txn, (int)walk->tree, &tree);
    if (error == 0) {
        error = tree->cursor(tree, NULL, &cursor, 0);
    }
    if (error != 0) {
        return txn_failed(txn, error, "opening a cursor");
    }
    enum store_status status = STORE_OK;
    unsigned visited = 0;
    error = walk_position(state, cursor, secondary, &key, &primary_key, &value);
    while (error == 0) {
        struct text at = {state->at.data, state->at.bytes};
        bool same_key = state->started && text_equal(store_dbt_text(&key), at);
        /* A batch does not end between duplicates: a key is where the next one starts. */
        if (visited >= WALK_BATCH_RECORDS && !same_key) {
            break;
        }
        if (key.size > WALK_KEY_BYTES_MAX) {
            status = store_damaged(trees_table()[walk->tree].name);
            break;
        }
        if (!same_key) {
            buffer_reset(&state->at);
            buffer_append(&state->at, key.data, key.size);
            state->started = true;
        }
        status = walk->visit(walk->context, txn, store_dbt_text(&key),
                             secondary ? store_dbt_text(&primary_key) : (struct text){NULL, 0}, store_dbt_text(&value));
        if (status != STORE_OK || state->at.failed) {
            break;
        }
        visited++;
        error = walk_get(cursor, secondary, &key, &primary_key, &value, DB_NEXT);
    }
    (void)cursor->close(cursor);
    if (status != STORE_OK || state->at.failed) {
        return status != STORE_OK ? status : STORE_NO_MEMORY;
    }
    state->ended = error == DB_NOTFOUND;
    return error == 0 || error == DB_NOTFOUND ? STORE_OK : txn_failed(txn, error, "walking a tree");
}

enum store_status walk_run(struct store *store, const struct walk *walk)
{
    struct walk_state state = {.walk = walk};
    enum store_status status = STORE_OK;
    buffer_init(&state.at, WALK_KEY_BYTES_MAX);
    while (status == STORE_OK && !state.ended) {
        status = txn_read(store->env, walk_body, &state);
        if (status == STORE_OK && walk->after_batch != NULL) {
            status = walk->after_batch(walk->context);
        }
    }
    buffer_clear(&state.at);
    return status;
}
