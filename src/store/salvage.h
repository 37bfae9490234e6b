/*
 * salvage: what can be read of a damaged home, without its gate and its environment, which may no longer open.
 *
 * The trees 'chats' and 'messages' and the log are copied to a scratch folder, each page looked at, and recovered there
 * by the library: a damaged page is blank in the copy, and the log fills in what had not reached the other pages (and
 * the page itself, where the log goes back to its beginning). Then every leaf page is read by pagefile.h, not through
 * the tree, so that a lost inner page takes nothing with it. If the copy cannot be recovered, the files are read as
 * they are, and that is said.
 *
 * Memory: 40 bytes a message, and the ids of the chats.
 */
#ifndef CHATS_STORE_SALVAGE_H
#define CHATS_STORE_SALVAGE_H

#include "store/transfer.h"

/* A chat whose record is lost: its namespace, and what its id and a member that stands for those unknown begin with. */
#define SALVAGE_NAMESPACE "salvaged"
#define SALVAGE_CHAT "salvaged-"

struct store_salvage {
    struct store_export give; /* as an export, in its order; the chats whose record is lost come last */
    void (*say)(void *context, const char *problem); /* one sentence for each page or record that is lost */
    void (*progress)(void *context, const char *verb, uint64_t done, uint64_t total); /* in pages */
    uint64_t problems;                                                                /* how many were said */
    bool without_log; /* what was in the log only is missing; said too */
};

/*
 * Reads the home, which is not changed; `scratch` is an empty folder of ours, which will hold a copy. STORE_OK: all was
 * given that could be read. STORE_UNAVAILABLE: the trees' files cannot be opened, or STORE_FULL: the scratch folder has
 * no room; said so. STORE_NO_MEMORY.
 */
enum store_status store_salvage(const char *home, const char *scratch, struct store_salvage *salvage)
    __attribute__((warn_unused_result));

/* Shared by salvage.c and salvage_copy.c: says a problem. */
void salvage_say(struct store_salvage *salvage, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Copies and recovers. *ret_bad: page numbers (uint32_t) that were damaged, by tree: 0 chats, 1 messages.
 * STORE_UNAVAILABLE: the copy cannot be recovered.
 */
struct salvage_bad {
    struct buffer pages[2];
};
enum store_status salvage_copy(const char *home, const char *scratch, struct store_salvage *salvage,
                               struct salvage_bad *bad) __attribute__((warn_unused_result));

#define SALVAGE_TREES 2
extern const char *const salvage_trees[SALVAGE_TREES];

#endif
