#include "prunebench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    snprintf(f->home, sizeof f->home, "/tmp/chats-prune.XXXXXX");
    if (mkdtemp(f->home) == NULL) {
        return -1;
    }
    config_defaults(&f->config, f->home);
    if (store_open(&f->config, &f->store, problem) != STORE_OK) {
        print_error("%s\n", problem);
        return -1;
    }
    *state = f;
    return 0;
}

int fixture_close(void **state)
{
    struct fixture *f = *state;
    char command[160];
    store_close(f->store);
    arena_clear(&f->arena);
    config_clear(&f->config);
    snprintf(command, sizeof command, "rm -rf '%s' '%s'-*", f->home,
             f->home); /* with what a failed test left beside it */
    int status = system(command);
    free(f);
    return status;
}

uint64_t fixed_clock_ns(void)
{
    return BASE_NS;
}

void create(struct fixture *f, const char *namespace, const char *id, const char *a, const char *b)
{
    struct text members[] = {text_of(a), text_of(b)};
    struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
    struct chat ret;
    assert_int_equal(store_chat_create(f->store, text_of(namespace), &draft, &f->arena, &ret, NULL), STORE_OK);
}

enum store_status append(struct fixture *f, const char *namespace, const char *chat, const char *id, struct text text,
                         struct message *ret)
{
    const struct chat_ref ref = {.namespace = text_of(namespace), .id = text_of(chat), .member = {NULL, 0}};
    struct message draft = {.id = text_of(id), .author = text_of("a"), .text = text};
    return store_message_append(f->store, &ref, &draft, ret, NULL);
}

void grow(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        struct message message;
        snprintf(id, sizeof id, "m%u", f->next);
        assert_int_equal(append(f, "micro", "c1", id, f->text.bytes > 0 ? f->text : text_of("t"), &message), STORE_OK);
        assert_int_equal(message.sent_at_ns, BASE_NS + f->next);
        f->next++;
    }
}

uint64_t prune(struct fixture *f, const char *namespace, uint64_t before_ns)
{
    struct store_prune report = {.namespace = text_of(namespace), .before_ns = before_ns};
    assert_int_equal(store_prune(f->store, &report), STORE_OK);
    assert_int_equal(report.found, report.removed);
    return report.removed;
}

static void say(void *context, const char *problem)
{
    (void)context;
    print_error("%s\n", problem);
}

void check(struct fixture *f, uint64_t chats, uint64_t messages)
{
    struct store_check report = {.say = say};
    struct store_stats stats;
    assert_int_equal(store_check(f->store, &report), STORE_OK);
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.chats, chats);
    assert_int_equal(report.messages, messages);
    assert_int_equal(store_stats_read(f->store, &stats), STORE_OK);
    assert_int_equal(stats.chats, chats);
    assert_int_equal(stats.messages, messages);
}

bool listed_take(void *context, const struct message *message)
{
    struct listed *listed = context;
    assert_true(message->id.bytes > 0 && message->author.bytes > 0 && message->text.bytes > 0);
    assert_true(listed->count < MODEL_MAX);
    snprintf(listed->ids[listed->count], sizeof listed->ids[0], "%.*s", (int)message->id.bytes, message->id.data);
    listed->count++;
    return true;
}

const struct chat_ref c1 = {.namespace = {"micro", 5}, .id = {"c1", 2}, .member = {NULL, 0}};

/* A page of c1, against the model. low, high: numbers of messages, exclusive; -1: no bound. */
static void page_is_the_models(struct fixture *f, enum store_order order, uint64_t offset, int low, int high)
{
    static struct listed listed;
    const struct page_query query = {
        .order = order,
        .offset = offset,
        .limit = 7,
        .has_after = low >= 0,
        .after_ns = BASE_NS + (uint64_t)(low >= 0 ? low : 0),
        .has_before = high >= 0,
        .before_ns = BASE_NS + (uint64_t)(high >= 0 ? high : 0),
    };
    struct store_page page;
    uint64_t skipped = 0;
    unsigned count = 0;
    listed.count = 0;
    assert_int_equal(store_page_open(f->store, &c1, &query, &page, NULL), STORE_OK);
    assert_int_equal(store_page_read(f->store, &page, listed_take, &listed), STORE_OK);
    for (unsigned i = f->first; i < f->next; i++) {
        unsigned at = order == STORE_OLDEST_FIRST ? i : f->next - 1 - (i - f->first);
        bool within = (low < 0 || at > (unsigned)low) && (high < 0 || at < (unsigned)high);
        if (within && skipped < offset) {
            skipped++;
        } else if (within && count < query.limit) {
            char id[16];
            snprintf(id, sizeof id, "m%u", at);
            assert_true(count < listed.count);
            assert_string_equal(listed.ids[count], id);
            count++;
        }
    }
    assert_int_equal(listed.count, count);
    assert_int_equal(page.count, count);
    store_page_clear(&page);
}

void all_pages_are_the_models(struct fixture *f)
{
    int step = 3 + (int)f->next / 12;
    for (int low = -1; low <= (int)f->next; low += step + 1) {
        for (int high = -1; high <= (int)f->next + 1; high += step) {
            for (uint64_t offset = 0; offset < f->next - f->first + 2; offset += (uint64_t)step + 2) {
                page_is_the_models(f, STORE_OLDEST_FIRST, offset, low, high);
                page_is_the_models(f, STORE_NEWEST_FIRST, offset, low, high);
            }
        }
    }
}
