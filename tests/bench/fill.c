/*
 * fill: makes a large chat for tests/bench/run, through the store's own calls: no HTTP, no JSON.
 *
 *     fill HOME CHAT MESSAGES TEXT_BYTES THREADS
 *
 * appends MESSAGES messages of TEXT_BYTES bytes to the chat CHAT of the namespace "micro" (made if missing) from
 * THREADS threads, which share the group commit, and prints what it did and its rate. HOME is one that `chatsctl init`
 * made.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/timestamp.h"
#include "store/store.h"

#define THREADS_MAX 1024
#define MEMBER_BYTES_MAX (TEXT_ID_BYTES_MAX + 1)

struct fill {
    struct store *store;
    struct chat_ref chat;
    size_t text_bytes;
    uint64_t messages;
    atomic_uint_fast64_t next; /* index of the next message to append */
    atomic_bool failed;
};

static void *fill_append(void *context)
{
    struct fill *fill = context;
    char *text = malloc(fill->text_bytes);
    if (text == NULL) {
        atomic_store(&fill->failed, true);
        return NULL;
    }
    memset(text, 'x', fill->text_bytes);
    for (;;) {
        uint64_t index = atomic_fetch_add(&fill->next, 1);
        if (index >= fill->messages || atomic_load(&fill->failed)) {
            break;
        }
        char id[CRYPTO_UUID_BYTES];
        crypto_uuid(id);
        struct message draft = {
            .id = {id, sizeof id}, .author = TEXT_LITERAL("jane"), .text = {text, fill->text_bytes}};
        struct message stored;
        enum store_status status = store_message_append(fill->store, &fill->chat, &draft, &stored);
        if (status != STORE_OK) {
            fprintf(stderr, "fill: message %" PRIu64 ": %s\n", index, store_status_name(status));
            atomic_store(&fill->failed, true);
            break;
        }
        store_housekeeping(fill->store);
    }
    free(text);
    return NULL;
}

/* Makes the chat, with members of its own: a chat is found by its members first. */
static enum store_status fill_create(struct fill *fill, const char *chat)
{
    char jane[MEMBER_BYTES_MAX];
    char john[MEMBER_BYTES_MAX];
    snprintf(jane, sizeof jane, "jane of %s", chat);
    snprintf(john, sizeof john, "john of %s", chat);
    struct text members[] = {text_of(jane), text_of(john)};
    struct chat draft = {.id = fill->chat.id, .members = members, .members_count = 2};
    struct chat made;
    struct arena arena = {0};
    enum store_status status = store_chat_create(fill->store, fill->chat.namespace, &draft, &arena, &made);
    arena_clear(&arena);
    return status == STORE_EXISTS ? STORE_OK : status;
}

/* Runs `threads` appenders to their end. False if not all messages were stored. */
static bool fill_run(struct fill *fill, unsigned threads)
{
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;
    while (started < threads && pthread_create(&ids[started], NULL, fill_append, fill) == 0) {
        started++;
    }
    if (started < threads) {
        atomic_store(&fill->failed, true);
        fprintf(stderr, "fill: cannot start %u threads\n", threads);
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
    return !atomic_load(&fill->failed);
}

/* A decimal number from 1 to max; 0 for anything else. */
static uint64_t number_parse(const char *z, uint64_t max)
{
    char *end = NULL;
    uint64_t value = strtoull(z, &end, 10);
    return *z < '0' || *z > '9' || *end != '\0' || value > max ? 0 : value;
}

int main(int argc, char **argv)
{
    uint64_t messages = argc == 6 ? number_parse(argv[3], UINT32_MAX) : 0;
    uint64_t text_bytes = argc == 6 ? number_parse(argv[4], STORE_TEXT_BYTES_MAX) : 0;
    uint64_t threads = argc == 6 ? number_parse(argv[5], THREADS_MAX) : 0;
    if (messages == 0 || text_bytes == 0 || threads == 0 || strlen(argv[2]) > TEXT_ID_BYTES_MAX - 8) {
        fprintf(stderr, "usage: fill HOME CHAT MESSAGES TEXT_BYTES THREADS\n");
        return 2;
    }
    int exit_status = 1;
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "no source of random bytes";
    struct config config;
    struct fill fill = {.chat = {.namespace = TEXT_LITERAL("micro"), .id = text_of(argv[2])},
                        .text_bytes = (size_t)text_bytes,
                        .messages = messages};
    config_defaults(&config, argv[1]);
    if (!crypto_init() || !config_load(&config, argv[1], problem) ||
        store_open(&config, &fill.store, problem) != STORE_OK) {
        fprintf(stderr, "fill: %s\n", problem);
        goto out;
    }
    enum store_status status = fill_create(&fill, argv[2]);
    if (status != STORE_OK) {
        fprintf(stderr, "fill: chat '%s': %s\n", argv[2], store_status_name(status));
        goto out;
    }
    uint64_t start_ns = timestamp_monotonic_ns();
    if (!fill_run(&fill, (unsigned)threads)) {
        goto out;
    }
    double seconds = (double)(timestamp_monotonic_ns() - start_ns) / 1e9;
    printf("%" PRIu64 " messages of %" PRIu64 " bytes in %.1f s, %.0f a second\n", messages, text_bytes, seconds,
           (double)messages / seconds);
    exit_status = 0;
out:
    store_close(fill.store);
    config_clear(&config);
    return exit_status;
}
