/*
 * contents HOME [--append N] CHAT...: what a home holds, for tests that compare it.
 *
 * Checks the home as `chatsctl check` does and prints `good CHATS MESSAGES`; then `chat CHAT` or `none CHAT`, and for
 * each of its messages, oldest first, `CHAT ID SENT_AT_NS BYTES right|wrong` (wrong: not the text of that id,
 * contents.h). --append: then N messages with ids after-1 ... are sent to each chat that is there, and all chats
 * printed once more after a line `appended`; it ends without leaving, as a process does that loses its power.
 */
#include "contents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/admin.h"

#define APPENDED_BYTES 300u

static bool print_message(void *context, const struct message *m)
{
    const char *chat = context;
    printf("%s %.*s %" PRIu64 " %zu %s\n", chat, (int)m->id.bytes, m->id.data, m->sent_at_ns, m->text.bytes,
           contents_text_is_right(m->id, m->text) ? "right" : "wrong");
    return true;
}

static enum store_status print_chat(struct store *store, char *chat)
{
    enum store_status status = contents_read(store, text_of(chat), print_message, chat);
    if (status == STORE_OK || status == STORE_NOT_FOUND) {
        printf("%s %s\n", status == STORE_OK ? "chat" : "none", chat);
        return STORE_OK;
    }
    return status;
}

static enum store_status append(struct store *store, const char *chat, unsigned count)
{
    const struct chat_ref ref = {.namespace = TEXT_LITERAL(CONTENTS_NAMESPACE), .id = text_of(chat)};
    for (unsigned i = 1; i <= count; i++) {
        char id[32];
        char text[APPENDED_BYTES];
        struct message stored;
        snprintf(id, sizeof id, "after-%u", i);
        contents_text(text_of(id), sizeof text, text);
        const struct message draft = {.id = text_of(id), .author = TEXT_LITERAL("jane"), .text = {text, sizeof text}};
        enum store_status status = store_message_append(store, &ref, &draft, &stored, NULL);
        if (status == STORE_NOT_FOUND) {
            return STORE_OK;
        }
        if (status != STORE_OK && status != STORE_EXISTS) {
            return status;
        }
    }
    return STORE_OK;
}

static enum store_status print_chats(struct store *store, int count, char **chats)
{
    enum store_status status = STORE_OK;
    for (int i = 0; i < count && status == STORE_OK; i++) {
        status = print_chat(store, chats[i]);
    }
    return status;
}

static void say(void *context, const char *problem)
{
    (void)context;
    fprintf(stderr, "%s\n", problem);
}

static enum store_status print_check(struct store *store)
{
    struct store_check check = {.say = say};
    enum store_status status = store_check(store, &check);
    printf("%s %" PRIu64 " %" PRIu64 "\n", check.problems == 0 ? "good" : "damaged", check.chats, check.messages);
    return status == STORE_OK && check.problems > 0 ? STORE_CORRUPT : status;
}

static enum store_status run(struct store *store, unsigned appended, int count, char **chats)
{
    enum store_status status = print_check(store);
    if (status == STORE_OK) {
        status = print_chats(store, count, chats);
    }
    if (status != STORE_OK || appended == 0) {
        return status;
    }
    for (int i = 0; i < count && status == STORE_OK; i++) {
        status = append(store, chats[i], appended);
    }
    printf("appended\n");
    return status == STORE_OK ? print_chats(store, count, chats) : status;
}

int main(int argc, char **argv)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    struct store *store = NULL;
    bool appends = argc > 3 && strcmp(argv[2], "--append") == 0;
    int first = appends ? 4 : 2;
    if (argc < 2) {
        fprintf(stderr, "usage: contents HOME [--append N] CHAT...\n");
        return 2;
    }
    if (!config_load(&config, argv[1], problem) || store_open(&config, &store, problem) != STORE_OK) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    enum store_status status =
        run(store, appends ? (unsigned)strtoul(argv[3], NULL, 10) : 0, argc - first, argv + first);
    if (status != STORE_OK) {
        fprintf(stderr, "the contents cannot be read: %s\n", store_status_name(status));
    }
    int exit_status = status == STORE_OK && fflush(stdout) == 0 ? 0 : 1;
    if (appends) {
        _exit(exit_status);
    }
    store_close(store);
    config_clear(&config);
    return exit_status;
}
