/*
 * trees: the B-trees of a home. The table of DESIGN section 3, as data: each row's key and value are described in
 * record.h, the secondaries are kept by Berkeley DB's own DB->associate in the same transaction as their primary.
 */
#ifndef CHATS_STORE_TREES_H
#define CHATS_STORE_TREES_H

#include "bdb/env.h"

/*
 * Of a home as a whole; raise it when an older program could not read a newer home, or would leave an index behind.
 * 2: tokens have indexes, failed logins are counted.
 */
#define TREES_FORMAT 2u

enum tree {
    TREE_META,              /* name -> value */
    TREE_CHATS,             /* namespace, chat id -> chat record */
    TREE_CHATS_BY_MEMBERS,  /* namespace, digest of the members -> a chat; secondary, duplicates allowed */
    TREE_MESSAGES,          /* chat number, sequence -> message record */
    TREE_MESSAGES_BY_TIME,  /* chat number, sent_at -> a message; secondary */
    TREE_MESSAGES_BY_ID,    /* chat number, message id -> a message; secondary */
    TREE_ACCOUNTS,          /* namespace, account id -> account record */
    TREE_TOKENS,            /* digest of the token -> token record */
    TREE_TOKENS_BY_ACCOUNT, /* namespace, account, family -> tokens; secondary, duplicates allowed. From format 2 on */
    TREE_TOKENS_BY_EXPIRY,  /* expiry -> tokens; secondary, duplicates allowed. From format 2 on */
    TREE_LOGINS,            /* digest of whom and from where -> failures; from format 2 on */
    TREES
};

/* The rows, TREES of them. Live as long as the program. */
const struct env_tree *trees_table(void);

/* For env_options.opened: checks meta's format, or writes it, into a new home and one of an older format. */
enum store_status trees_opened(DB_ENV *handle, DB **trees);

/* For env_options.may_add: true if the home is of a format that did not have this tree. */
bool trees_may_add(DB *meta, int tree);

#endif
