#include "store/salvage.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/copying.h"
#include "store/internal.h"
#include "store/pagefile.h"

#define SALVAGE_RECORD_BYTES_MAX 1048576u /* the longest record is a chat's: 1,000 members of 255 bytes */
#define SALVAGE_PROGRESS_PAGES 256u

const char *const salvage_trees[SALVAGE_TREES] = {"chats", "messages"};

/* Where a record lies. */
struct place {
    uint64_t lsn; /* of two with one key the newer counts */
    uint32_t page;
    uint32_t slot; /* of its value */
};

struct found_message {
    uint64_t chat;
    uint64_t sequence;
    struct place place;
};

struct found_chat {
    uint64_t number;
    size_t key_at; /* in `keys` */
    size_t key_bytes;
    struct place place;
};

struct salvage {
    struct store_salvage *order;
    struct salvage_bad bad;
    int fds[SALVAGE_TREES];
    struct buffer keys;     /* of the chats */
    struct buffer chats;    /* struct found_chat */
    struct buffer messages; /* struct found_message */
    struct buffer numbers;  /* uint64_t: of the chats that were given */
    struct buffer record;
    uint8_t page[PAGEFILE_BYTES];
    uint32_t page_number; /* of the messages' tree; 0: none */
    bool stopped;
};

void salvage_say(struct store_salvage *salvage, const char *format, ...)
{
    char line[256];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    salvage->problems++;
    if (salvage->say != NULL) {
        salvage->say(salvage->give.context, line);
    }
}

static bool salvage_named(const struct salvage *salvage, int tree, uint32_t number)
{
    const struct buffer *pages = &salvage->bad.pages[tree];
    uint32_t named;
    for (size_t at = 0; at + sizeof named <= pages->bytes; at += sizeof named) {
        memcpy(&named, pages->data + at, sizeof named);
        if (named == number) {
            return true;
        }
    }
    return false;
}

/* The whole value; false, said so, if it is lost with a page that it reaches over. */
static bool salvage_value(struct salvage *salvage, int tree, uint32_t page, const struct pagefile_item *item)
{
    uint32_t bad = 0;
    buffer_reset(&salvage->record);
    if (pagefile_item_read(salvage->fds[tree], item, &salvage->record, &bad)) {
        return true;
    }
    salvage_say(salvage->order, "a record on page %u of the tree '%s' is lost: it goes on on page %u", (unsigned)page,
                salvage_trees[tree], (unsigned)bad);
    return false;
}

static void salvage_find_chat(struct salvage *salvage, const struct pagefile_item *key,
                              const struct pagefile_item *item, struct place place)
{
    struct record_chat chat;
    if (key->overflow != 0 || !salvage_value(salvage, 0, place.page, item)) {
        return;
    }
    if (!record_chat_decode((struct text){salvage->record.data, salvage->record.bytes}, &chat)) {
        salvage_say(salvage->order, "a record on page %u of the tree 'chats' is damaged", (unsigned)place.page);
        return;
    }
    struct found_chat found = {chat.number, salvage->keys.bytes, key->size, place};
    buffer_append_text(&salvage->keys, key->bytes);
    buffer_append(&salvage->chats, &found, sizeof found);
}

static void salvage_find_message(struct salvage *salvage, const struct pagefile_item *key, struct place place)
{
    if (key->overflow != 0 || key->size != RECORD_KEY_PAIR_BYTES) {
        salvage_say(salvage->order, "a record on page %u of the tree 'messages' is damaged", (unsigned)place.page);
        return;
    }
    struct found_message found = {record_get_u64(key->bytes.data), record_get_u64(key->bytes.data + 8), place};
    buffer_append(&salvage->messages, &found, sizeof found);
}

static void salvage_leaf(struct salvage *salvage, int tree, uint32_t number, const uint8_t page[PAGEFILE_BYTES])
{
    for (unsigned i = 0; i + 1 < pagefile_items(page); i += 2) {
        struct pagefile_item key;
        struct pagefile_item item;
        struct place place = {pagefile_lsn(page), number, i + 1};
        if (!pagefile_item(page, i, &key) || !pagefile_item(page, i + 1, &item)) {
            salvage_say(salvage->order, "a record on page %u of the tree '%s' is damaged", (unsigned)number,
                        salvage_trees[tree]);
        } else if (!key.deleted && !item.deleted && tree == 0) {
            salvage_find_chat(salvage, &key, &item, place);
        } else if (!key.deleted && !item.deleted) {
            salvage_find_message(salvage, &key, place);
        }
    }
}

/* Every leaf page, whether or not the tree leads to it: a freed page is of another type. */
static enum store_status salvage_scan(struct salvage *salvage, int tree)
{
    uint8_t page[PAGEFILE_BYTES];
    uint32_t count = 0;
    if (!pagefile_count(salvage->fds[tree], &count)) {
        return STORE_UNAVAILABLE;
    }
    for (uint32_t number = 0; number < count; number++) {
        enum pagefile_state state = pagefile_read(salvage->fds[tree], number, page);
        if (state == PAGEFILE_GOOD && pagefile_type(page) == PAGEFILE_LEAF) {
            salvage_leaf(salvage, tree, number, page);
        } else if (state != PAGEFILE_GOOD && !salvage_named(salvage, tree, number)) {
            salvage_say(salvage->order, "page %u of the tree '%s' is %s", (unsigned)number, salvage_trees[tree],
                        state == PAGEFILE_BLANK ? "blank" : "damaged");
        }
        if (salvage->order->progress != NULL && number % SALVAGE_PROGRESS_PAGES == 0) {
            salvage->order->progress(salvage->order->give.context, "reading", number, count);
        }
    }
    return salvage->keys.failed || salvage->chats.failed || salvage->messages.failed ? STORE_NO_MEMORY : STORE_OK;
}

static int compare_places(const struct place *a, const struct place *b)
{
    return (a->lsn < b->lsn) - (a->lsn > b->lsn); /* the newest first */
}

static int compare_messages(const void *a, const void *b)
{
    const struct found_message *left = a;
    const struct found_message *right = b;
    if (left->chat != right->chat) {
        return left->chat < right->chat ? -1 : 1;
    }
    if (left->sequence != right->sequence) {
        return left->sequence < right->sequence ? -1 : 1;
    }
    return compare_places(&left->place, &right->place);
}

static struct text chat_key(const struct salvage *salvage, const struct found_chat *chat)
{
    return (struct text){salvage->keys.data + chat->key_at, chat->key_bytes};
}

static int compare_chats(const void *a, const void *b, void *context)
{
    const struct found_chat *left = a;
    const struct found_chat *right = b;
    int order = text_compare(chat_key(context, left), chat_key(context, right));
    return order != 0 ? order : compare_places(&left->place, &right->place);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static const struct found_message *messages_of(const struct salvage *salvage, size_t *ret_count)
{
    *ret_count = salvage->messages.bytes / sizeof(struct found_message);
    return (const struct found_message *)(const void *)salvage->messages.data;
}

/* Index of the first message of this chat or a later one. */
static size_t messages_from(const struct salvage *salvage, uint64_t chat)
{
    size_t high;
    size_t low = 0;
    const struct found_message *messages = messages_of(salvage, &high);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (messages[middle].chat < chat) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* What import would take: what passes came whole from the disk, and was a message of this service. */
static bool message_fits(const struct record_message *message)
{
    struct text text = message->text;
    return message->sent_at_ns <= STORE_IMPORT_TIME_MAX && text_is_id(message->id) && text_is_id(message->author) &&
           text.bytes > 0 && text.bytes <= STORE_TEXT_BYTES_MAX && text_is_utf8(text) &&
           memchr(text.data, 0, text.bytes) == NULL;
}

enum salvage_read { READ_MESSAGE, READ_MARKER, READ_LOST };

/* The record of a message; its texts live until the next call. */
static enum salvage_read read_message(struct salvage *salvage, const struct found_message *found, bool say,
                                      struct record_message *ret)
{
    struct pagefile_item item;
    uint32_t bad = 0;
    if (salvage->page_number != found->place.page) {
        salvage->page_number = found->place.page;
        if (pagefile_read(salvage->fds[1], found->place.page, salvage->page) != PAGEFILE_GOOD) {
            salvage->page_number = 0;
            return READ_LOST;
        }
    }
    if (!pagefile_item(salvage->page, found->place.slot, &item)) {
        return READ_LOST;
    }
    buffer_reset(&salvage->record);
    if (!pagefile_item_read(salvage->fds[1], &item, &salvage->record, &bad)) {
        if (say) {
            salvage_say(salvage->order, "a message on page %u of the tree 'messages' is lost: it goes on on page %u",
                        (unsigned)found->place.page, (unsigned)bad);
        }
        return READ_LOST;
    }
    bool decoded = record_message_decode((struct text){salvage->record.data, salvage->record.bytes}, ret);
    if (decoded && (ret->flags & RECORD_FLAG_HIDDEN) != 0) {
        return READ_MARKER;
    }
    if (!decoded || !message_fits(ret)) {
        if (say) {
            salvage_say(salvage->order, "a message on page %u of the tree 'messages' is damaged",
                        (unsigned)found->place.page);
        }
        return READ_LOST;
    }
    return READ_MESSAGE;
}

/* The messages first .. of one chat, each once. */
static void give_messages(struct salvage *salvage, size_t first, struct text namespace, struct text id)
{
    size_t count;
    const struct found_message *messages = messages_of(salvage, &count);
    const struct store_export *give = &salvage->order->give;
    for (size_t i = first; i < count && messages[i].chat == messages[first].chat && !salvage->stopped; i++) {
        struct record_message stored;
        bool again = i > first && messages[i].sequence == messages[i - 1].sequence;
        if (again || read_message(salvage, &messages[i], true, &stored) != READ_MESSAGE) {
            continue;
        }
        struct message message = {
            .id = stored.id, .author = stored.author, .text = stored.text, .sent_at_ns = stored.sent_at_ns};
        salvage->stopped = !give->message(give->context, namespace, id, &message);
    }
}

/* The time that a marker keeps, if the chat's last record is one; else 0. */
static uint64_t marker_time(struct salvage *salvage, size_t first, uint64_t chat)
{
    size_t count;
    const struct found_message *messages = messages_of(salvage, &count);
    struct record_message stored;
    size_t last = first;
    while (last < count && messages[last].chat == chat) {
        last++;
    }
    bool marker = last > first && read_message(salvage, &messages[last - 1], false, &stored) == READ_MARKER;
    return marker && stored.sent_at_ns <= STORE_IMPORT_TIME_MAX ? stored.sent_at_ns : 0;
}

static bool chat_members(const struct record_chat *chat, struct text *members)
{
    size_t at = 0;
    bool good = chat->members_count >= STORE_MEMBERS_MIN && chat->members_count <= STORE_MEMBERS_MAX;
    for (size_t i = 0; i < chat->members_count && good; i++) {
        good = record_chat_member(chat, &at, &members[i]) && text_is_id(members[i]) &&
               (i == 0 || text_compare(members[i - 1], members[i]) < 0);
    }
    return good && at == chat->members.bytes;
}

static void give_chat(struct salvage *salvage, const struct found_chat *found)
{
    uint8_t page[PAGEFILE_BYTES];
    struct pagefile_item item;
    struct record_chat stored;
    struct text namespace;
    struct chat chat = {0};
    struct text members[STORE_MEMBERS_MAX];
    const struct store_export *give = &salvage->order->give;
    uint32_t bad = 0;
    size_t first = messages_from(salvage, found->number);
    uint64_t marker_ns = marker_time(salvage, first, found->number);
    buffer_reset(&salvage->record);
    bool good = pagefile_read(salvage->fds[0], found->place.page, page) == PAGEFILE_GOOD &&
                pagefile_item(page, found->place.slot, &item) &&
                pagefile_item_read(salvage->fds[0], &item, &salvage->record, &bad) &&
                record_chat_decode((struct text){salvage->record.data, salvage->record.bytes}, &stored) &&
                record_key_name_split(chat_key(salvage, found), &namespace, &chat.id) && text_is_id(namespace) &&
                text_is_id(chat.id) && stored.created_at_ns <= STORE_IMPORT_TIME_MAX && chat_members(&stored, members);
    if (!good) {
        salvage_say(salvage->order, "a chat on page %u of the tree 'chats' is damaged", (unsigned)found->place.page);
        return;
    }
    chat.created_at_ns = stored.created_at_ns;
    chat.members = members;
    chat.members_count = stored.members_count;
    buffer_append(&salvage->numbers, &found->number, sizeof found->number);
    salvage->stopped = !give->chat(give->context, namespace, &chat, marker_ns);
    give_messages(salvage, first, namespace, chat.id);
}

/* Adds a member to the sorted list, unless it is there or the list is full. False: out of memory. */
static bool add_member(struct arena *arena, struct text *members, size_t *count, struct text member)
{
    size_t at = 0;
    while (at < *count && text_compare(members[at], member) < 0) {
        at++;
    }
    if ((at < *count && text_equal(members[at], member)) || *count == STORE_MEMBERS_MAX) {
        return true;
    }
    struct text copy = arena_text(arena, member);
    if (copy.data == NULL) {
        return false;
    }
    memmove(&members[at + 1], &members[at], (*count - at) * sizeof *members);
    members[at] = copy;
    ++*count;
    return true;
}

/* A chat of which there are messages only. Its members: who wrote in it, and one that no other chat has. */
static enum store_status give_lost_chat(struct salvage *salvage, size_t first)
{
    size_t count;
    const struct found_message *messages = messages_of(salvage, &count);
    const struct store_export *give = &salvage->order->give;
    struct text members[STORE_MEMBERS_MAX];
    struct arena arena = {0};
    char id[64];
    uint64_t number = messages[first].chat;
    struct chat chat = {.members = members};
    snprintf(id, sizeof id, SALVAGE_CHAT "%" PRIu64, number);
    chat.id = text_of(id);
    bool memory = add_member(&arena, members, &chat.members_count, chat.id);
    for (size_t i = first; i < count && messages[i].chat == number && memory; i++) {
        struct record_message stored;
        if (read_message(salvage, &messages[i], false, &stored) == READ_MESSAGE) {
            chat.created_at_ns = chat.created_at_ns == 0 ? stored.sent_at_ns : chat.created_at_ns;
            memory = add_member(&arena, members, &chat.members_count, stored.author);
        }
    }
    if (memory && chat.members_count >= STORE_MEMBERS_MIN) {
        salvage_say(salvage->order, "the record of chat %" PRIu64 " is lost: its messages are in chat '%s' of '%s'",
                    number, id, SALVAGE_NAMESPACE);
        salvage->stopped = !give->chat(give->context, TEXT_LITERAL(SALVAGE_NAMESPACE), &chat, 0);
        give_messages(salvage, first, TEXT_LITERAL(SALVAGE_NAMESPACE), chat.id);
    }
    arena_clear(&arena);
    return memory ? STORE_OK : STORE_NO_MEMORY;
}

static enum store_status salvage_give(struct salvage *salvage)
{
    struct found_chat *chats = (struct found_chat *)(void *)salvage->chats.data;
    size_t chats_count = salvage->chats.bytes / sizeof *chats;
    size_t count;
    const struct found_message *messages = messages_of(salvage, &count);
    if (count > 0) {
        qsort(salvage->messages.data, count, sizeof *messages, compare_messages);
    }
    if (chats_count > 0) {
        qsort_r(chats, chats_count, sizeof *chats, compare_chats, salvage);
    }
    for (size_t i = 0; i < chats_count && !salvage->stopped; i++) {
        if (i == 0 || !text_equal(chat_key(salvage, &chats[i]), chat_key(salvage, &chats[i - 1]))) {
            give_chat(salvage, &chats[i]);
        }
    }
    size_t given = salvage->numbers.bytes / sizeof(uint64_t);
    if (given > 0) {
        qsort(salvage->numbers.data, given, sizeof(uint64_t), compare_numbers);
    }
    enum store_status status = salvage->numbers.failed ? STORE_NO_MEMORY : STORE_OK;
    for (size_t i = 0; i < count && !salvage->stopped && status == STORE_OK; i++) {
        bool first = i == 0 || messages[i].chat != messages[i - 1].chat;
        if (first && (given == 0 || bsearch(&messages[i].chat, salvage->numbers.data, given, sizeof(uint64_t),
                                            compare_numbers) == NULL)) {
            status = give_lost_chat(salvage, i);
        }
    }
    return status;
}

static enum store_status salvage_open(struct salvage *salvage, const char *folder)
{
    for (int tree = 0; tree < SALVAGE_TREES; tree++) {
        char name[64];
        snprintf(name, sizeof name, "%s.db", salvage_trees[tree]);
        salvage->fds[tree] = copying_open(folder, name, O_RDONLY);
        if (salvage->fds[tree] < 0) {
            salvage_say(salvage->order, "cannot open '%s' in '%.150s': %s", name, folder, strerror(errno));
            return STORE_UNAVAILABLE;
        }
    }
    return STORE_OK;
}

static void salvage_clear(struct salvage *salvage)
{
    struct buffer *const buffers[] = {&salvage->keys,        &salvage->chats,  &salvage->messages,
                                      &salvage->numbers,     &salvage->record, &salvage->bad.pages[0],
                                      &salvage->bad.pages[1]};
    for (size_t i = 0; i < sizeof buffers / sizeof buffers[0]; i++) {
        buffer_clear(buffers[i]);
    }
    for (int tree = 0; tree < SALVAGE_TREES; tree++) {
        if (salvage->fds[tree] >= 0) {
            close(salvage->fds[tree]);
        }
    }
}

enum store_status store_salvage(const char *home, const char *scratch, struct store_salvage *salvage)
{
    struct salvage run = {.order = salvage, .fds = {-1, -1}};
    buffer_init(&run.keys, SIZE_MAX / 2);
    buffer_init(&run.chats, SIZE_MAX / 2);
    buffer_init(&run.messages, SIZE_MAX / 2);
    buffer_init(&run.numbers, SIZE_MAX / 2);
    buffer_init(&run.record, SALVAGE_RECORD_BYTES_MAX);
    buffer_init(&run.bad.pages[0], SIZE_MAX / 2);
    buffer_init(&run.bad.pages[1], SIZE_MAX / 2);
    enum store_status status = salvage_copy(home, scratch, salvage, &run.bad);
    salvage->without_log = status == STORE_UNAVAILABLE;
    if (status == STORE_OK || salvage->without_log) {
        status = salvage_open(&run, salvage->without_log ? home : scratch);
    }
    for (int tree = 0; tree < SALVAGE_TREES && status == STORE_OK; tree++) {
        status = salvage_scan(&run, tree);
    }
    if (status == STORE_OK) {
        status = salvage_give(&run);
    }
    salvage_clear(&run);
    return status;
}
