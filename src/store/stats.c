#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "bdb/damage.h"
#include "store/admin.h"
#include "store/seek.h"
#include "store/walk.h"

void store_insist(struct store *store)
{
    store->env->insists = true;
}

enum store_status store_recover(struct store *store)
{
    damage_reset(store->env);
    enum store_status status = store_ping(store);
    return status == STORE_OK ? env_checkpoint(store->env, true) : status;
}

/* A chat's messages are dense: the difference of two sequence numbers counts them. */
static enum store_status stats_visit_chat(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)key;
    (void)primary_key;
    struct store_stats *stats = context;
    struct record_chat chat;
    struct record_message last;
    struct seek seek;
    if (!record_chat_decode(record, &chat)) {
        return store_damaged("chats");
    }
    stats->chats++;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES, RECORD_MESSAGE_HEAD_BYTES);
    if (status != STORE_OK) {
        return status;
    }
    int error = seek_last(&seek, chat.number);
    if (error == 0 && !record_message_head(store_dbt_text(&seek.value), &last)) {
        status = store_damaged("messages");
    } else if (error == 0 && (last.flags & RECORD_FLAG_HIDDEN) == 0) {
        uint64_t high = seek_sequence(&seek);
        error = seek_from(&seek, chat.number, 0);
        if (error == 0) {
            stats->messages += high - seek_sequence(&seek) + 1;
        }
    }
    if (error != 0 && error != DB_NOTFOUND) {
        status = txn_failed(txn, error, "counting messages");
    }
    seek_close(&seek);
    return status;
}

/* context: the uint64_t to count up. */
static enum store_status stats_count(void *context, struct txn *txn, struct text key, struct text primary_key,
                                     struct text record)
{
    (void)txn;
    (void)key;
    (void)primary_key;
    (void)record;
    uint64_t *count = context;
    ++*count;
    return STORE_OK;
}

static bool stats_is_log(const char *name)
{
    return strncmp(name, "log.", 4) == 0 && strlen(name) == strlen("log.0000000001");
}

static bool stats_is_tree(const char *name)
{
    size_t bytes = strlen(name);
    return bytes > 3 && strcmp(name + bytes - 3, ".db") == 0;
}

static enum store_status stats_files(const char *home, struct store_state *state)
{
    DIR *directory = opendir(home);
    if (directory == NULL) {
        log_error("cannot read '%s': %s", home, strerror(errno));
        return STORE_UNAVAILABLE;
    }
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        struct stat st;
        if (fstatat(dirfd(directory), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(st.st_mode)) {
            continue;
        }
        if (stats_is_log(entry->d_name)) {
            state->log_bytes += (uint64_t)st.st_size;
        } else if (stats_is_tree(entry->d_name)) {
            state->tree_bytes += (uint64_t)st.st_size;
        }
    }
    closedir(directory);
    return STORE_OK;
}

struct figures *store_figures(struct store *store)
{
    return &store->env->gate->page->figures;
}

enum store_status store_state_read(struct store *store, struct store_state *ret)
{
    const struct gate_page *page = store->env->gate->page;
    struct store_state state = {
        .out_of_service = damage_is_final(store->env),
        .full = atomic_load(&page->full) != 0,
        .recoveries = atomic_load(&page->recoveries),
        .longest_recovery_ns = atomic_load(&page->recovery_longest_ns),
        .checkpoints = atomic_load(&page->checkpoints),
    };
    enum store_status status = stats_files(store->env->options.home, &state);
    if (status == STORE_OK) {
        *ret = state;
    }
    return status;
}

enum store_status store_stats_read(struct store *store, struct store_stats *ret)
{
    struct store_stats stats = {0};
    const struct walk walks[] = {
        {TREE_CHATS, &stats, stats_visit_chat, NULL},
        {TREE_ACCOUNTS, &stats.accounts, stats_count, NULL},
        {TREE_TOKENS, &stats.tokens, stats_count, NULL},
    };
    enum store_status status = STORE_OK;
    bool out_of_service = damage_refuses(store->env); /* logged: why is what the administrator wants to know */
    for (size_t i = 0; !out_of_service && status == STORE_OK && i < sizeof walks / sizeof walks[0]; i++) {
        status = walk_run(store, &walks[i]);
    }
    if (status == STORE_OK) {
        status = store_state_read(store, &stats.state);
    }
    if (status != STORE_OK) {
        return status;
    }
    const struct gate_page *page = store->env->gate->page;
    stats.state.out_of_service = out_of_service;
    stats.generation = atomic_load(&page->generation);
    stats.syncs = atomic_load(&page->syncs);
    stats.joins = atomic_load(&page->joins);
    stats.leaves = atomic_load(&page->leaves);
    *ret = stats;
    return STORE_OK;
}
