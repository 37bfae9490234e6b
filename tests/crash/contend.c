/*
 * contend: many clients want the same things at the same moment.
 *
 *   contend (--fcgi SOCKET | --http PORT) [--clients N] [--calls N] [--prefix Z]
 *
 * Clients go in groups of four through the same list of steps, all of a group from one barrier: a step is one message
 * id sent by all four, or one pair of users asked for by all four, or (every other step) something of each client's
 * own. So half of the calls are duplicates. Then: all answers of a group's step are the same bytes, each message is
 * stored exactly once, and times strictly increase within the chat. The clients' other calls must be stored, too.
 *
 * Prints a sentence for each broken promise and one line of figures. Exit status 0: all were kept; 1: not.
 */
#include <getopt.h>
#include <json-c/json.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fcgi_client.h"

#define GROUP 4u
#define CLIENTS_MAX 256u
#define DEADLINE_MS 30000u
#define BROKEN_SHOWN_MAX 10u

struct contest {
    struct service service;
    const char *prefix; /* of all ids, so that contests can share a home */
    unsigned clients;
    unsigned calls;
    _Atomic unsigned broken;
    _Atomic unsigned again; /* 503 or broken off: sent once more, with the same id */
    pthread_barrier_t barriers[CLIENTS_MAX / GROUP];
    char **answers; /* [client][call]: the bodies */
};

struct contender {
    struct contest *contest;
    unsigned number;
    pthread_t thread;
};

static void broken(struct contest *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void broken(struct contest *c, const char *format, ...)
{
    va_list arguments;
    if (c->broken++ >= BROKEN_SHOWN_MAX)
        return;
    va_start(arguments, format);
    flockfile(stdout);
    printf("broken: ");
    vprintf(format, arguments);
    printf("\n");
    funlockfile(stdout);
    va_end(arguments);
}

/* The body of an answer 200, for free(); NULL: there was none, and it has been said. */
static char *call(struct contest *c, const char *operation, const char *body)
{
    struct answer answer;
    char *copy = NULL;
    answer_init(&answer);
    for (unsigned tries = 0; tries < 100; tries++) {
        enum answer_outcome outcome = service_call(&c->service, operation, text_of(body), &answer);
        if (outcome == ANSWER_WHOLE && answer.code == 200) {
            copy = strndup(answer.body.data, answer.body.bytes);
            break;
        }
        if (outcome != ANSWER_BROKEN && !(outcome == ANSWER_WHOLE && answer.code == 503)) {
            broken(c, "%s %s was %s: %d %.*s", operation, body, answer_outcome_name(outcome), answer.code,
                   (int)(answer.body.bytes < 200 ? answer.body.bytes : 200),
                   answer.body.data == NULL ? "" : answer.body.data);
            break;
        }
        c->again++;
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    if (copy == NULL)
        broken(c, "%s %s got no answer", operation, body);
    answer_clear(&answer);
    return copy;
}

/* What a client calls as its `step`: even steps are the group's, odd ones its own; of either, every other is a pair. */
static const char *step_format(const struct contest *c, unsigned client, unsigned step, char *ret, size_t bytes)
{
    bool shared = step % 2 == 0;
    bool pair = step / 2 % 2 == 1;
    unsigned group = client / GROUP;
    unsigned who = shared ? 0 : client % GROUP + 1;
    if (pair) {
        /* The pair is named from either end. */
        bool turned = client % 2 == 1;
        snprintf(ret, bytes, "{\"user_ids\":[\"%s-%u-%u-%u-%c\",\"%s-%u-%u-%u-%c\"]}", c->prefix, group, step, who,
                 turned ? 'b' : 'a', c->prefix, group, step, who, turned ? 'a' : 'b');
        return "CreateChat";
    }
    snprintf(ret, bytes, "{\"id\":\"%u-%u-%u\",\"chat_id\":\"%s-hot\",\"author_id\":\"jane\",\"text\":\"step %u\"}",
             group, step, who, c->prefix, step);
    return "SendMessage";
}

static void *contender_run(void *argument)
{
    struct contender *me = argument;
    struct contest *c = me->contest;
    for (unsigned step = 0; step < c->calls; step++) {
        char body[512];
        const char *operation = step_format(c, me->number, step, body, sizeof body);
        if (step % 2 == 0)
            pthread_barrier_wait(&c->barriers[me->number / GROUP]);
        c->answers[me->number * c->calls + step] = call(c, operation, body);
    }
    return NULL;
}

/* Every shared step: four answers, the same bytes. Returns how many different messages must be in the chat. */
static unsigned answers_compare(struct contest *c)
{
    unsigned messages = 0;
    for (unsigned client = 0; client < c->clients; client++) {
        for (unsigned step = 0; step < c->calls; step++) {
            const char *mine = c->answers[client * c->calls + step];
            const char *first = c->answers[(client - client % GROUP) * c->calls + step];
            bool shared = step % 2 == 0;
            if (shared && (mine == NULL || first == NULL || strcmp(mine, first) != 0))
                broken(c, "two answers to one step differ: %s and %s", mine == NULL ? "none" : mine,
                       first == NULL ? "none" : first);
            if (step / 2 % 2 == 0 && (!shared || client % GROUP == 0))
                messages++;
        }
    }
    return messages;
}

static const char *field(struct json_object *o, const char *name)
{
    struct json_object *value = NULL;
    const char *z = json_object_object_get_ex(o, name, &value) ? json_object_get_string(value) : NULL;
    return z == NULL ? "" : z;
}

static int ids_compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Reads a page by sent_after; appends its ids. The messages in it. */
static size_t page_read(struct contest *c, char last[64], char **ids, size_t count, size_t count_max)
{
    char body[256];
    char after[96] = "";
    if (last[0] != '\0')
        snprintf(after, sizeof after, ",\"sent_after\":\"%s\"", last);
    snprintf(body, sizeof body, "{\"chat_id\":\"%s-hot\",\"order\":\"asc\",\"limit\":1000%s}", c->prefix, after);
    char *text = call(c, "ListMessages", body);
    struct json_object *root = text == NULL ? NULL : json_tokener_parse(text);
    struct json_object *messages = NULL;
    size_t got = json_object_object_get_ex(root, "messages", &messages) ? json_object_array_length(messages) : 0;
    for (size_t i = 0; i < got; i++) {
        struct json_object *m = json_object_array_get_idx(messages, i);
        if (strcmp(field(m, "sent_at"), last) <= 0)
            broken(c, "message %s of %s stands behind one of %s", field(m, "id"), field(m, "sent_at"), last);
        snprintf(last, 64, "%s", field(m, "sent_at"));
        if (count + i < count_max)
            ids[count + i] = strdup(field(m, "id"));
    }
    json_object_put(root);
    free(text);
    return got;
}

/* Exactly one of each message is in the chat. */
static void chat_verify(struct contest *c, size_t messages)
{
    char last[64] = "";
    size_t count = 0;
    size_t count_max = messages + 1000;
    char **ids = calloc(count_max, sizeof *ids);
    if (ids == NULL)
        abort();
    for (size_t got = 1000; got == 1000 && count < count_max; count += got)
        got = page_read(c, last, ids, count, count_max);
    if (count != messages)
        broken(c, "%zu messages are stored, %zu were sent", count, messages);
    count = count < count_max ? count : count_max;
    qsort(ids, count, sizeof *ids, ids_compare);
    for (size_t i = 1; i < count; i++)
        if (strcmp(ids[i - 1], ids[i]) == 0)
            broken(c, "message %s is stored twice", ids[i]);
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
    free(ids);
}

static bool options_read(int argc, char **argv, struct contest *c)
{
    static const struct option names[] = {
        {"fcgi", required_argument, NULL, 'f'},    {"http", required_argument, NULL, 'h'},
        {"clients", required_argument, NULL, 'c'}, {"calls", required_argument, NULL, 'n'},
        {"prefix", required_argument, NULL, 'p'},  {NULL, 0, NULL, 0},
    };
    for (int o; (o = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        const char *value = optarg == NULL ? "" : optarg;
        switch (o) {
        case 'f':
            c->service.socket_path = value;
            break;
        case 'h':
            c->service.port = (unsigned)strtoul(value, NULL, 10);
            break;
        case 'c':
            c->clients = (unsigned)strtoul(value, NULL, 10);
            break;
        case 'n':
            c->calls = (unsigned)strtoul(value, NULL, 10);
            break;
        case 'p':
            c->prefix = value;
            break;
        default:
            return false;
        }
    }
    return optind == argc && (c->service.socket_path != NULL || c->service.port != 0) && c->clients > 0 &&
           c->clients % GROUP == 0 && c->clients <= CLIENTS_MAX && c->calls > 0;
}

int main(int argc, char **argv)
{
    static struct contest contest = {
        .service = {.deadline_ms = DEADLINE_MS}, .prefix = "race", .clients = 64, .calls = 500};
    static struct contender contenders[CLIENTS_MAX];
    struct contest *c = &contest;
    char body[256];
    signal(SIGPIPE, SIG_IGN);
    if (!options_read(argc, argv, c)) {
        fprintf(stderr, "contend: unknown option, or a number out of range (clients go by %u)\n", GROUP);
        return 2;
    }
    c->answers = calloc((size_t)c->clients * c->calls, sizeof *c->answers);
    if (c->answers == NULL)
        return 2;
    snprintf(body, sizeof body, "{\"id\":\"%s-hot\",\"user_ids\":[\"jane\",\"%s-john\"]}", c->prefix, c->prefix);
    free(call(c, "CreateChat", body));
    for (unsigned i = 0; i < c->clients / GROUP; i++)
        pthread_barrier_init(&c->barriers[i], NULL, GROUP);
    for (unsigned i = 0; i < c->clients; i++) {
        contenders[i] = (struct contender){.contest = c, .number = i};
        if (pthread_create(&contenders[i].thread, NULL, contender_run, &contenders[i]) != 0)
            abort();
    }
    for (unsigned i = 0; i < c->clients; i++)
        pthread_join(contenders[i].thread, NULL);
    unsigned messages = answers_compare(c);
    chat_verify(c, messages);
    printf("contend: %u clients x %u calls, %u messages, sent again %u, broken promises %u\n", c->clients, c->calls,
           messages, c->again, c->broken);
    for (size_t i = 0; i < (size_t)c->clients * c->calls; i++)
        free(c->answers[i]);
    free(c->answers);
    return c->broken > 0 ? 1 : 0;
}
