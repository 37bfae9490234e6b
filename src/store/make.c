#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bdb/ballast.h"
#include "store/admin.h"
#include "store/folder.h"

#define MAKE_MARKER "making" /* folder.h */

/* Shows that there is room for what recoveries need. */
static enum store_status make_prove_room(const struct config *config, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    const struct env_options options = {
        .home = config->home,
        .cache_bytes = config->cache_bytes,
        .checkpoint_bytes = config->checkpoint_bytes,
    };
    return ballast_prove(&options, problem) ? STORE_OK : STORE_UNAVAILABLE;
}

/* What will be its chats.conf, under another name: without one it is not taken for a home. */
static enum store_status make_draft(const struct store_make *order, const struct copying *copying,
                                    const struct folder *folder, struct config *ret)
{
    char *text = NULL;
    if (asprintf(&text, "%s\n%s", config_template(), order->settings) < 0) {
        return copying_failed(copying, ENOMEM, "cannot write '" CONFIG_DRAFT_FILE "'");
    }
    enum store_status status = copying_write_file(copying, folder->path, CONFIG_DRAFT_FILE, text_of(text));
    free(text);
    if (status == STORE_OK && !config_load_draft(ret, folder->path, copying->problem)) {
        status = STORE_UNAVAILABLE;
    }
    return status;
}

/* The first opening makes the trees. */
static enum store_status make_trees(const struct store_make *order, const struct config *config,
                                    const struct copying *copying)
{
    struct store *store = NULL;
    enum store_status status = store_open(config, &store, copying->problem);
    if (status != STORE_OK) {
        return status;
    }
    store_insist(store);
    status = store_ping(store);
    if (status != STORE_OK) {
        (void)copying_failed(copying, 0, "cannot make the trees: %s", store_status_name(status));
    } else if (order->furnish != NULL && !order->furnish(order->context, config, store, copying->problem)) {
        status = STORE_UNAVAILABLE;
    }
    store_close(store);
    return status;
}

/* From this rename on it is a home; the marker is of no use to anybody any more. */
static enum store_status make_finish(const struct folder *folder, const struct copying *copying)
{
    char draft[PATH_MAX + sizeof "/" CONFIG_DRAFT_FILE];
    char path[PATH_MAX + sizeof "/" CONFIG_FILE];
    snprintf(draft, sizeof draft, "%s/" CONFIG_DRAFT_FILE, folder->path);
    snprintf(path, sizeof path, "%s/" CONFIG_FILE, folder->path);
    if (rename(draft, path) != 0) {
        return copying_failed(copying, errno, "cannot write '" CONFIG_FILE "'");
    }
    enum store_status status = copying_sync_folder(copying, folder->path);
    return status == STORE_OK ? folder_finish(folder, copying) : status;
}

static enum store_status make_exists(const char *home, const struct copying *copying)
{
    struct folder folder;
    if (folder_open(&folder, copying, home) == STORE_OK) {
        folder_unmark(&folder, MAKE_MARKER);
    }
    folder_close(&folder);
    (void)copying_failed(copying, 0, "'%.200s' is a home already", home);
    return STORE_EXISTS;
}

enum store_status store_make(const struct store_make *order, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    const struct copying copying = {.problem = problem};
    struct folder folder;
    struct config config = {.origins_count = 0};
    if (config_is_made(order->home)) {
        return make_exists(order->home, &copying);
    }
    enum store_status status = folder_begin(&folder, &copying, order->home, MAKE_MARKER, NULL);
    if (status == STORE_OK && (!crypto_init() || !gate_prove(folder.path, problem))) {
        status = STORE_UNAVAILABLE;
    }
    if (status == STORE_OK) {
        status = make_draft(order, &copying, &folder, &config);
    }
    if (status == STORE_OK) {
        status = make_prove_room(&config, problem);
    }
    if (status == STORE_OK) {
        status = make_trees(order, &config, &copying);
    }
    if (status == STORE_OK) {
        status = make_finish(&folder, &copying);
    }
    if (status != STORE_OK) {
        folder_undo(&folder);
    }
    folder_close(&folder);
    config_clear(&config);
    return status;
}
