#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.h"
#include "bdb/damage.h"
#include "bdb/page.h"
#include "store/check.h"
#include "store/pagefile.h"
#include "store/seek.h"

#define CHECK_PAGES_PER_HOLD 64u
#define CHECK_NUMBERS_BYTES_MAX (SIZE_MAX / 2)

void check_say(struct check *check, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    check->report->problems++;
    if (check->report->say != NULL) {
        check->report->say(check->report->context, line);
    }
}

enum store_status check_index(struct check *check, struct txn *txn, enum tree tree, const void *key_bytes,
                              size_t key_size, struct text primary_key, const char *what)
{
    DB *index = NULL;
    DBT key = store_dbt(key_bytes, key_size);
    DBT found = store_dbt(primary_key.data, primary_key.bytes);
    DBT value = {.flags = DB_DBT_PARTIAL};
    bool duplicates = (trees_table()[tree].flags & DB_DUPSORT) != 0;
    int error = txn_tree_to_read(txn, (int)tree, &index);
    if (error == 0) {
        error = index->pget(index, NULL, &key, &found, &value, duplicates ? DB_GET_BOTH : 0);
    }
    if (error == DB_NOTFOUND) {
        check_say(check, "%s is missing from the tree '%s'", what, trees_table()[tree].name);
    } else if (error != 0) {
        return txn_failed(txn, error, "looking into an index");
    } else if (!text_equal(store_dbt_text(&found), primary_key)) {
        check_say(check, "%s is another's in the tree '%s'", what, trees_table()[tree].name);
    }
    return STORE_OK;
}

/* Inside: whether the chat has a record before this one. *ret is false unless it is so. */
static enum store_status check_has_before(struct txn *txn, uint64_t number, uint64_t sequence, bool *ret)
{
    struct seek seek;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES, 0);
    if (status != STORE_OK) {
        return status;
    }
    int error = seek_below(&seek, number, sequence);
    *ret = error == 0;
    seek_close(&seek);
    return error == 0 || error == DB_NOTFOUND ? STORE_OK : txn_failed(txn, error, "looking for the message before");
}

/* What came before may have been pruned since the last batch: a gap is one, and a marker not alone, if it is there. */
static enum store_status check_order(struct check *check, struct txn *txn, uint64_t number, uint64_t sequence,
                                     const struct record_message *message)
{
    enum store_status status = STORE_OK;
    bool has_before = false;
    if (number == check->chat_number && (sequence != check->sequence + 1 || check->hidden)) {
        status = check_has_before(txn, number, sequence, &has_before);
    }
    if (number != check->chat_number) {
        buffer_append(&check->message_chats, &number, sizeof number);
    } else if (has_before && check->hidden) {
        check_say(check, "chat %" PRIu64 ": a hidden record before others", number);
    } else if (has_before) {
        check_say(check, "chat %" PRIu64 ": message %" PRIu64 " follows %" PRIu64, number, sequence, check->sequence);
    } else if (message->sent_at_ns <= check->sent_at_ns) {
        check_say(check, "chat %" PRIu64 ": message %" PRIu64 " is not later than the one before", number, sequence);
    }
    check->chat_number = number;
    check->sequence = sequence;
    check->sent_at_ns = message->sent_at_ns;
    check->hidden = (message->flags & RECORD_FLAG_HIDDEN) != 0;
    return status;
}

static enum store_status check_visit_message(void *context, struct txn *txn, struct text key, struct text primary_key,
                                             struct text record)
{
    (void)primary_key;
    struct check *check = context;
    struct record_message message;
    char what[64];
    if (key.bytes != RECORD_KEY_PAIR_BYTES || !record_message_decode(record, &message)) {
        check_say(check, "a record in the tree 'messages' is damaged");
        return STORE_OK;
    }
    uint64_t number = record_get_u64(key.data);
    uint64_t sequence = record_get_u64(key.data + 8);
    snprintf(what, sizeof what, "chat %" PRIu64 ": message %" PRIu64, number, sequence);
    if ((message.flags & RECORD_FLAG_HIDDEN) != 0) {
        return check_order(check, txn, number, sequence, &message);
    }
    check->report->messages++;
    /* The record's bytes are the library's, until its next call. */
    char key_bytes[RECORD_KEY_PAIR_BYTES];
    uint8_t by_time[RECORD_KEY_PAIR_BYTES];
    uint8_t by_id[RECORD_KEY_ID_BYTES_MAX];
    memcpy(key_bytes, key.data, sizeof key_bytes);
    struct text own_key = {key_bytes, sizeof key_bytes};
    size_t by_id_size = record_key_id(number, message.id, by_id);
    size_t by_time_size = record_key_pair(number, message.sent_at_ns, by_time);
    enum store_status status = check_order(check, txn, number, sequence, &message);
    if (status == STORE_OK) {
        status = check_index(check, txn, TREE_MESSAGES_BY_TIME, by_time, by_time_size, own_key, what);
    }
    if (status == STORE_OK) {
        status = check_index(check, txn, TREE_MESSAGES_BY_ID, by_id, by_id_size, own_key, what);
    }
    return status;
}

static enum store_status check_visit_time(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)txn;
    struct record_message message;
    uint8_t expected[RECORD_KEY_PAIR_BYTES];
    if (primary_key.bytes == RECORD_KEY_PAIR_BYTES && record_message_head(record, &message) &&
        (message.flags & RECORD_FLAG_HIDDEN) == 0) {
        record_key_pair(record_get_u64(primary_key.data), message.sent_at_ns, expected);
        if (text_equal(key, (struct text){(const char *)expected, sizeof expected})) {
            return STORE_OK;
        }
    }
    check_say(context, "an entry of the tree 'messages_by_time' leads to another message");
    return STORE_OK;
}

static enum store_status check_visit_id(void *context, struct txn *txn, struct text key, struct text primary_key,
                                        struct text record)
{
    (void)txn;
    struct record_message message;
    uint8_t expected[RECORD_KEY_ID_BYTES_MAX];
    if (primary_key.bytes == RECORD_KEY_PAIR_BYTES && record_message_decode(record, &message) &&
        (message.flags & RECORD_FLAG_HIDDEN) == 0) {
        size_t bytes = record_key_id(record_get_u64(primary_key.data), message.id, expected);
        if (text_equal(key, (struct text){(const char *)expected, bytes})) {
            return STORE_OK;
        }
    }
    check_say(context, "an entry of the tree 'messages_by_id' leads to another message");
    return STORE_OK;
}

static enum store_status check_visit_members(void *context, struct txn *txn, struct text key, struct text primary_key,
                                             struct text record)
{
    (void)txn;
    struct record_chat chat;
    struct text namespace;
    struct text id;
    uint8_t expected[RECORD_KEY_MEMBERS_BYTES_MAX];
    if (record_key_name_split(primary_key, &namespace, &id) && record_chat_decode(record, &chat)) {
        size_t bytes = record_key_members(namespace, chat.digest, expected);
        if (text_equal(key, (struct text){(const char *)expected, bytes})) {
            return STORE_OK;
        }
    }
    check_say(context, "an entry of the tree 'chats_by_members' leads to another chat");
    return STORE_OK;
}

static enum store_status check_visit_chat(void *context, struct txn *txn, struct text key, struct text primary_key,
                                          struct text record)
{
    (void)primary_key;
    struct check *check = context;
    struct record_chat chat;
    struct text namespace;
    struct text id;
    uint8_t by_members[RECORD_KEY_MEMBERS_BYTES_MAX];
    char key_bytes[RECORD_KEY_NAME_BYTES_MAX];
    if (key.bytes > sizeof key_bytes || !record_key_name_split(key, &namespace, &id) ||
        !record_chat_decode(record, &chat)) {
        check_say(check, "a record in the tree 'chats' is damaged");
        return STORE_OK;
    }
    check->report->chats++;
    buffer_append(&check->chat_numbers, &chat.number, sizeof chat.number);
    uint32_t bytes = (uint32_t)record.bytes;
    buffer_append(&check->chats, &bytes, sizeof bytes);
    buffer_append_text(&check->chats, record);
    memcpy(key_bytes, key.data, key.bytes);
    size_t by_members_size = record_key_members(namespace, chat.digest, by_members);
    return check_index(check, txn, TREE_CHATS_BY_MEMBERS, by_members, by_members_size,
                       (struct text){key_bytes, key.bytes}, "a chat");
}

/* Members in order, and the digest theirs. */
static void check_members(struct check *check, const struct record_chat *chat)
{
    struct text *members = calloc(chat->members_count + 1, sizeof *members);
    if (members == NULL) {
        check_say(check, "out of memory");
        return;
    }
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    size_t at = 0;
    size_t count = 0;
    bool good = true;
    while (count < chat->members_count && record_chat_member(chat, &at, &members[count])) {
        good = good && (count == 0 || text_compare(members[count - 1], members[count]) < 0);
        count++;
    }
    crypto_digest_list(members, count, digest);
    if (!good || count != chat->members_count || at != chat->members.bytes || count < STORE_MEMBERS_MIN ||
        memcmp(digest, chat->digest, sizeof digest) != 0) {
        check_say(check, "chat %" PRIu64 ": its members and their digest do not agree", chat->number);
    }
    free(members);
}

/* Counts for all visits. */
static enum store_status check_visit(void *context, struct txn *txn, struct text key, struct text primary_key,
                                     struct text record)
{
    struct check *check = context;
    check->entries++;
    return check->visit(check, txn, key, primary_key, record);
}

static enum store_status check_batch(void *context)
{
    const struct check *check = context;
    if (check->report->progress != NULL) {
        check->report->progress(check->report->context, "checking records", "records", check->entries,
                                check->entries_total);
    }
    return STORE_OK;
}

static enum store_status check_chats_batch(void *context)
{
    struct check *check = context;
    if (check->chats.failed) {
        return STORE_NO_MEMORY;
    }
    for (size_t at = 0; at < check->chats.bytes;) {
        uint32_t bytes;
        struct record_chat chat;
        memcpy(&bytes, check->chats.data + at, sizeof bytes);
        if (record_chat_decode((struct text){check->chats.data + at + sizeof bytes, bytes}, &chat)) {
            check_members(check, &chat);
        }
        at += sizeof bytes + bytes;
    }
    buffer_reset(&check->chats);
    return check_batch(check);
}

static int check_compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* STORE_NOT_FOUND: this chat has no messages. */
static enum store_status check_messages_body(struct txn *txn, void *args)
{
    const uint64_t *number = args;
    struct seek seek;
    enum store_status status = seek_open(&seek, txn, TREE_MESSAGES, 0);
    if (status == STORE_OK) {
        int error = seek_from(&seek, *number, 0);
        seek_close(&seek);
        if (error != 0) {
            return error == DB_NOTFOUND ? STORE_NOT_FOUND : txn_failed(txn, error, "looking for messages");
        }
    }
    return status;
}

/* Its namespace may have been removed between the two walks: then its messages are gone, too. */
static enum store_status check_orphans(struct store *store, struct check *check, uint64_t number)
{
    enum store_status status = txn_read(store->env, check_messages_body, &number);
    if (status == STORE_OK) {
        check_say(check, "messages of chat %" PRIu64 ", which does not exist", number);
    }
    return status == STORE_NOT_FOUND ? STORE_OK : status;
}

/* Every chat number is one chat's, and messages name chats that are there. */
static enum store_status check_numbers(struct store *store, struct check *check)
{
    enum store_status status = STORE_OK;
    uint64_t *chats = (uint64_t *)(void *)check->chat_numbers.data;
    size_t chats_count = check->chat_numbers.bytes / sizeof *chats;
    const uint64_t *named = (const uint64_t *)(const void *)check->message_chats.data;
    size_t named_count = check->message_chats.bytes / sizeof *named;
    if (chats_count > 0) {
        qsort(chats, chats_count, sizeof *chats, check_compare_numbers);
    }
    for (size_t i = 1; i < chats_count; i++) {
        if (chats[i] == chats[i - 1]) {
            check_say(check, "two chats have the number %" PRIu64, chats[i]);
        }
    }
    for (size_t i = 0; i < named_count && status == STORE_OK; i++) {
        if (chats_count == 0 || bsearch(&named[i], chats, chats_count, sizeof *chats, check_compare_numbers) == NULL) {
            status = check_orphans(store, check, named[i]);
        }
    }
    return status;
}

struct check_pages {
    struct check *check;
    enum tree tree;
    db_pgno_t next;
    db_pgno_t counts[TREES]; /* pages that each tree's file had when all of them were complete */
};

static void check_path(const struct env *env, enum tree tree, char ret[4096])
{
    snprintf(ret, 4096, "%s/%s.db", env->options.home, trees_table()[tree].name);
}

/* How many pages the files have now; what they grow by later has holes. */
static void check_count_pages(const struct env *env, struct check_pages *pages)
{
    for (int tree = 0; tree < TREES; tree++) {
        char path[4096];
        struct stat st;
        check_path(env, (enum tree)tree, path);
        if (stat(path, &st) != 0) {
            check_say(pages->check, "the file of the tree '%s' cannot be found", trees_table()[tree].name);
        } else if (st.st_size % ENV_PAGE_BYTES != 0 || st.st_size == 0) {
            check_say(pages->check, "the file of the tree '%s' is cut short", trees_table()[tree].name);
        } else {
            pages->counts[tree] = (db_pgno_t)(st.st_size / ENV_PAGE_BYTES);
            pages->check->pages_total += pages->counts[tree];
        }
    }
}

/* Inside: all pages of the cache to the files, and how long these are then. */
static enum store_status check_complete_body(struct txn *txn, void *args)
{
    DB_ENV *handle = txn->env->handle;
    int error = handle->memp_sync(handle, NULL);
    if (error != 0) {
        return txn_failed(txn, error, "writing the trees");
    }
    check_count_pages(txn->env, args);
    return STORE_OK;
}

/* A few pages, from the file: what is in the environment's cache is never read from there again. */
static enum store_status check_some_pages(const struct env *env, struct check_pages *pages)
{
    uint8_t bytes[ENV_PAGE_BYTES];
    char path[4096];
    check_path(env, pages->tree, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return STORE_UNAVAILABLE;
    }
    for (unsigned i = 0; i < CHECK_PAGES_PER_HOLD && pages->next < pages->counts[pages->tree]; i++, pages->next++) {
        ssize_t got = pread(fd, bytes, sizeof bytes, (off_t)pages->next * ENV_PAGE_BYTES);
        if (got == 0) {
            pages->next = pages->counts[pages->tree]; /* a compaction has given the rest back */
            break;
        }
        pages->check->report->pages++;
        if (got != (ssize_t)sizeof bytes || page_look(bytes, pages->next) != PAGE_GOOD) {
            check_say(pages->check, "page %u of the tree '%s' is damaged", (unsigned)pages->next,
                      trees_table()[pages->tree].name);
        } else if (pagefile_type(bytes) == PAGEFILE_LEAF) {
            pages->check->entries_total += pagefile_items(bytes) / 2;
        }
    }
    close(fd);
    return STORE_OK;
}

/* Inside, so that no page is half written. */
static enum store_status check_pages_body(struct txn *txn, void *args)
{
    return check_some_pages(txn->env, args);
}

static enum store_status check_all_pages(struct store *store, struct check *check)
{
    struct check_pages pages = {.check = check};
    struct env *env = store->env;
    /* Out of service nobody is inside, nor may we be: the files are as they will stay. */
    bool final = damage_refuses(env);
    enum store_status status = STORE_OK;
    if (final) {
        check_count_pages(env, &pages);
    } else {
        /* Most of it in short holds. */
        status = env_checkpoint(env, true);
        if (status == STORE_OK) {
            status = txn_read(env, check_complete_body, &pages);
        }
    }
    for (int tree = 0; tree < TREES && status == STORE_OK; tree++) {
        pages.tree = (enum tree)tree;
        for (pages.next = 0; status == STORE_OK && pages.next < pages.counts[tree];) {
            status = final ? check_some_pages(env, &pages) : txn_read(env, check_pages_body, &pages);
            if (check->report->progress != NULL) {
                check->report->progress(check->report->context, "checking pages", "pages", check->report->pages,
                                        check->pages_total);
            }
        }
    }
    /* The walks would read the same pages through the environment. */
    return status == STORE_OK && (final || check->report->problems > 0) ? STORE_CORRUPT : status;
}

enum store_status store_check(struct store *store, struct store_check *check)
{
    struct check state = {.report = check};
    const struct walk walks[] = {
        {TREE_MESSAGES, &state, check_visit_message, check_batch},
        {TREE_MESSAGES_BY_TIME, &state, check_visit_time, check_batch},
        {TREE_MESSAGES_BY_ID, &state, check_visit_id, check_batch},
        /* After the messages: a chat is made before its first message. */
        {TREE_CHATS, &state, check_visit_chat, check_chats_batch},
        {TREE_CHATS_BY_MEMBERS, &state, check_visit_members, check_batch},
        {TREE_ACCOUNTS, &state, check_visit_account, check_batch},
        {TREE_TOKENS, &state, check_visit_token, check_batch},
        {TREE_TOKENS_BY_ACCOUNT, &state, check_visit_token_account, check_batch},
        {TREE_TOKENS_BY_EXPIRY, &state, check_visit_token_expiry, check_batch},
        {TREE_LOGINS, &state, check_visit_login, check_batch},
    };
    buffer_init(&state.message_chats, CHECK_NUMBERS_BYTES_MAX);
    buffer_init(&state.chat_numbers, CHECK_NUMBERS_BYTES_MAX);
    buffer_init(&state.chats, CHECK_NUMBERS_BYTES_MAX);
    enum store_status status = check_all_pages(store, &state);
    for (size_t i = 0; status == STORE_OK && i < sizeof walks / sizeof walks[0]; i++) {
        const struct walk walk = {walks[i].tree, &state, check_visit, walks[i].after_batch};
        state.visit = walks[i].visit;
        status = walk_run(store, &walk);
        /* The library's word for it; what comes after it in the index cannot be looked at. */
        if (status == STORE_CORRUPT && trees_table()[walks[i].tree].primary >= 0 && !damage_is_final(store->env)) {
            check_say(&state, "the index '%s' leads to a record that is not there", trees_table()[walks[i].tree].name);
            status = STORE_OK;
        }
    }
    if (status == STORE_OK && (state.message_chats.failed || state.chat_numbers.failed)) {
        status = STORE_NO_MEMORY;
    }
    if (status == STORE_OK) {
        status = check_numbers(store, &state);
    }
    buffer_clear(&state.message_chats);
    buffer_clear(&state.chat_numbers);
    buffer_clear(&state.chats);
    return status;
}
