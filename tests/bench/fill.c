/*
 * fill: makes large chats for tests/bench/run, through the store's own calls: no HTTP, no JSON.
 *
 *     fill HOME CHAT MESSAGES TEXT_BYTES THREADS [CHATS BURST]
 *
 * appends MESSAGES messages of TEXT_BYTES bytes to the chat CHAT of the namespace "micro" (made if missing) from
 * THREADS threads, which share the group commit, and prints what it did and its rate. With CHATS these are spread over
 * the chats CHAT-000001, CHAT-000002, … of that number: BURST messages to each in turn, and again from the first. Every
 * chat has the member "jane". HOME is one that `chatsctl init` made.
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
#define CHATS_MAX 999999 /* as many as the digits of a name can tell apart */
#define NAMESPACE TEXT_LITERAL("micro")
#define ID_BYTES_MAX (TEXT_ID_BYTES_MAX + 1)

/* One step of the work, on any thread. */
typedef enum store_status fill_step(struct store *store, const void *plan, uint64_t index);

struct plan {
    const char *chat;
    uint64_t chats; /* 0: one, of that very name */
    uint64_t burst;
    struct text text;
};

struct fill {
    struct store *store;
    const struct plan *plan;
    fill_step *step;
    uint64_t steps;
    atomic_uint_fast64_t next; /* index of the next step */
    atomic_bool failed;
};

static struct text chat_name(const struct plan *plan, uint64_t number, char ret[ID_BYTES_MAX])
{
    if (plan->chats == 0) {
        snprintf(ret, ID_BYTES_MAX, "%s", plan->chat);
    } else {
        snprintf(ret, ID_BYTES_MAX, "%s-%06" PRIu64, plan->chat, number + 1);
    }
    return text_of(ret);
}

/* Makes a chat, with members of its own: a chat is found by its members first. */
static enum store_status step_create(struct store *store, const void *context, uint64_t index)
{
    char id[ID_BYTES_MAX];
    char john[ID_BYTES_MAX + sizeof "john of "];
    struct chat draft = {.id = chat_name(context, index, id), .members_count = 2};
    snprintf(john, sizeof john, "john of %s", id);
    struct text members[] = {TEXT_LITERAL("jane"), text_of(john)};
    draft.members = members;
    struct chat made;
    struct arena arena = {0};
    enum store_status status = store_chat_create(store, NAMESPACE, &draft, &arena, &made, NULL);
    arena_clear(&arena);
    return status == STORE_EXISTS ? STORE_OK : status;
}

static enum store_status step_append(struct store *store, const void *context, uint64_t index)
{
    const struct plan *plan = context;
    char name[ID_BYTES_MAX];
    char id[CRYPTO_UUID_BYTES];
    uint64_t number = plan->chats == 0 ? 0 : index / plan->burst % plan->chats;
    struct chat_ref chat = {.namespace = NAMESPACE, .id = chat_name(plan, number, name)};
    crypto_uuid(id);
    struct message draft = {.id = {id, sizeof id}, .author = TEXT_LITERAL("jane"), .text = plan->text};
    struct message stored;
    return store_message_append(store, &chat, &draft, &stored, NULL);
}

static void *fill_thread(void *context)
{
    struct fill *fill = context;
    for (;;) {
        uint64_t index = atomic_fetch_add(&fill->next, 1);
        if (index >= fill->steps || atomic_load(&fill->failed)) {
            return NULL;
        }
        enum store_status status = fill->step(fill->store, fill->plan, index);
        if (status != STORE_OK) {
            fprintf(stderr, "fill: step %" PRIu64 ": %s\n", index, store_status_name(status));
            atomic_store(&fill->failed, true);
            return NULL;
        }
        store_housekeeping(fill->store);
    }
}

/* Takes `steps` steps on so many threads. False if not all were taken. */
static bool fill_run(struct store *store, const struct plan *plan, fill_step *step, uint64_t steps, unsigned threads)
{
    struct fill fill = {.store = store, .plan = plan, .step = step, .steps = steps};
    pthread_t ids[THREADS_MAX];
    unsigned started = 0;
    while (started < threads && pthread_create(&ids[started], NULL, fill_thread, &fill) == 0) {
        started++;
    }
    if (started < threads) {
        atomic_store(&fill.failed, true);
        fprintf(stderr, "fill: cannot start %u threads\n", threads);
    }
    for (unsigned i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
    return !atomic_load(&fill.failed);
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
    bool spread = argc == 8;
    bool complete = argc == 6 || spread;
    uint64_t messages = complete ? number_parse(argv[3], UINT32_MAX) : 0;
    uint64_t text_bytes = complete ? number_parse(argv[4], STORE_TEXT_BYTES_MAX) : 0;
    uint64_t threads = complete ? number_parse(argv[5], THREADS_MAX) : 0;
    struct plan plan = {
        .chat = complete ? argv[2] : "",
        .chats = spread ? number_parse(argv[6], CHATS_MAX) : 0,
        .burst = spread ? number_parse(argv[7], UINT32_MAX) : 1,
    };
    if (messages == 0 || text_bytes == 0 || threads == 0 || strlen(plan.chat) > TEXT_ID_BYTES_MAX - 16 ||
        plan.burst == 0 || (spread && plan.chats == 0)) {
        fprintf(stderr, "usage: fill HOME CHAT MESSAGES TEXT_BYTES THREADS [CHATS BURST]\n");
        return 2;
    }
    int exit_status = 1;
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "no source of random bytes, or no memory";
    struct config config;
    struct store *store = NULL;
    char *text = malloc(text_bytes);
    config_defaults(&config, argv[1]);
    if (text == NULL || !crypto_init() || !config_load(&config, argv[1], problem) ||
        store_open(&config, &store, problem) != STORE_OK) {
        fprintf(stderr, "fill: %s\n", problem);
        goto out;
    }
    memset(text, 'x', text_bytes);
    plan.text = (struct text){text, text_bytes};
    if (!fill_run(store, &plan, step_create, spread ? plan.chats : 1, (unsigned)threads)) {
        goto out;
    }
    uint64_t start_ns = timestamp_monotonic_ns();
    if (!fill_run(store, &plan, step_append, messages, (unsigned)threads)) {
        goto out;
    }
    double seconds = (double)(timestamp_monotonic_ns() - start_ns) / 1e9;
    printf("%" PRIu64 " messages of %" PRIu64 " bytes in %.1f s, %.0f a second\n", messages, text_bytes, seconds,
           (double)messages / seconds);
    exit_status = 0;
out:
    store_close(store);
    config_clear(&config);
    free(text);
    return exit_status;
}
