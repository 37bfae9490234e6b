#include "ledger.h"

#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/timestamp.h"

#define BLOCK_ENTRIES 4096u
#define BLOCKS_MAX 1024u

struct entry {
    uint64_t started_ns;      /* monotonic: before the first try */
    uint64_t acknowledged_ns; /* monotonic: the first answer; 0: none */
    uint64_t sent_at_ns;      /* as first answered or shown; 0: unknown */
    uint16_t chat;
    uint16_t found; /* times, in this reading */
    bool shown;
    bool due; /* this reading has to find it */
};

struct client {
    pthread_mutex_t lock; /* over the entries */
    unsigned count;
    struct entry *blocks[BLOCKS_MAX];
    uint64_t newest_ns[LEDGER_CHATS_MAX];
};

struct chat_progress {
    uint64_t last_ns;           /* of the reading */
    uint64_t newest_started_ns; /* of the messages found so far */
};

struct ledger {
    uint64_t seed;
    unsigned chats;
    unsigned clients_count;
    struct client clients[LEDGER_CLIENTS_MAX];
    struct chat_progress progress[LEDGER_CHATS_MAX];
    uint64_t disordered;
    _Atomic uint64_t pruned_ns;
    pthread_mutex_t pairs_lock;
    char *pairs[LEDGER_PAIRS_MAX]; /* the first answer's bytes */
};

struct ledger *ledger_new(uint64_t seed, unsigned chats, unsigned clients)
{
    struct ledger *l = calloc(1, sizeof *l);
    if (l == NULL)
        return NULL;
    l->seed = seed;
    l->chats = chats;
    l->clients_count = clients;
    pthread_mutex_init(&l->pairs_lock, NULL);
    for (unsigned i = 0; i < clients; i++)
        pthread_mutex_init(&l->clients[i].lock, NULL);
    return l;
}

void ledger_free(struct ledger *l)
{
    if (l == NULL)
        return;
    for (unsigned i = 0; i < l->clients_count; i++)
        for (unsigned j = 0; j < BLOCKS_MAX; j++)
            free(l->clients[i].blocks[j]);
    for (unsigned i = 0; i < LEDGER_PAIRS_MAX; i++)
        free(l->pairs[i]);
    free(l);
}

/* Under the client's lock. NULL: there is none. */
static struct entry *entry_find(struct client *c, unsigned number)
{
    return number < c->count ? &c->blocks[number / BLOCK_ENTRIES][number % BLOCK_ENTRIES] : NULL;
}

bool ledger_begin(struct ledger *l, unsigned client, unsigned chat, struct ledger_send *ret)
{
    struct client *c = &l->clients[client];
    bool begun = false;
    pthread_mutex_lock(&c->lock);
    unsigned block = c->count / BLOCK_ENTRIES;
    if (block < BLOCKS_MAX && c->blocks[block] == NULL)
        c->blocks[block] = calloc(BLOCK_ENTRIES, sizeof(struct entry));
    if (block < BLOCKS_MAX && c->blocks[block] != NULL) {
        *ret = (struct ledger_send){.client = client, .number = c->count, .chat = chat};
        c->blocks[block][c->count % BLOCK_ENTRIES] =
            (struct entry){.started_ns = timestamp_monotonic_ns(), .chat = (uint16_t)chat};
        c->count++;
        begun = true;
    }
    pthread_mutex_unlock(&c->lock);
    return begun;
}

bool ledger_acknowledged(struct ledger *l, unsigned client, unsigned number, struct ledger_send *ret)
{
    struct client *c = &l->clients[client];
    pthread_mutex_lock(&c->lock);
    const struct entry *e = entry_find(c, number);
    bool acknowledged = e != NULL && e->acknowledged_ns != 0;
    if (acknowledged)
        *ret = (struct ledger_send){.client = client, .number = number, .chat = e->chat};
    pthread_mutex_unlock(&c->lock);
    return acknowledged;
}

static uint64_t mix(uint64_t *state)
{
    /* splitmix64 (Steele, Lea, Flood 2014): any seed is a good one. */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The text of a message: mostly short, some long, with characters that JSON escapes and of 2 to 4 bytes. */
static void text_append(const struct ledger *l, unsigned client, unsigned number, struct buffer *b)
{
    static const char *const pieces[16] = {"a", "B", "7 ",   "\"",     "\\", "\n", "/", "ä",
                                           "€", "😀", "the ", "quick ", "x",  "\t", "é", "fox"};
    uint64_t state = l->seed ^ (uint64_t)client << 40 ^ number;
    uint64_t dice = mix(&state);
    size_t bytes = dice % 64 == 0 ? 4000 + dice % 15000 : 1 + dice % 200;
    size_t end = b->bytes + bytes;
    do {
        uint64_t r = mix(&state);
        for (unsigned i = 0; i < 16 && b->bytes < end; i++, r >>= 4)
            buffer_append_z(b, pieces[r & 15]);
    } while (b->bytes < end && !b->failed);
}

static void id_format(unsigned client, unsigned number, char ret[LEDGER_ID_BYTES])
{
    snprintf(ret, LEDGER_ID_BYTES, "m-%u-%u", client, number);
}

static void author_format(unsigned client, char ret[LEDGER_ID_BYTES])
{
    snprintf(ret, LEDGER_ID_BYTES, "author-%u", client % 7);
}

void ledger_chat_id(const struct ledger *l, unsigned chat, char ret[LEDGER_ID_BYTES])
{
    (void)l;
    snprintf(ret, LEDGER_ID_BYTES, "chat-%u", chat);
}

/* The fields that request and answer share, in the answer's order. */
static void fields_append(struct ledger *l, const struct ledger_send *s, struct buffer *b)
{
    char name[LEDGER_ID_BYTES];
    struct buffer text;
    buffer_init(&text, 2 * LEDGER_TEXT_BYTES_MAX);
    text_append(l, s->client, s->number, &text);
    id_format(s->client, s->number, name);
    buffer_printf(b, "{\"id\":\"%s\"", name);
    author_format(s->client, name);
    buffer_printf(b, ",\"author_id\":\"%s\"", name);
    ledger_chat_id(l, s->chat, name);
    buffer_printf(b, ",\"chat_id\":\"%s\",\"text\":", name);
    json_append_text(b, (struct text){text.data, text.bytes});
    b->failed |= text.failed;
    buffer_clear(&text);
}

void ledger_request(struct ledger *l, const struct ledger_send *s, struct buffer *b)
{
    fields_append(l, s, b);
    buffer_append_z(b, "}");
}

/* Notes the time of a message; a sentence if another one was told before. */
static const char *entry_time(struct entry *e, uint64_t sent_at_ns, const char *id,
                              char sentence[LEDGER_SENTENCE_BYTES])
{
    if (e->sent_at_ns != 0 && e->sent_at_ns != sent_at_ns) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "message %s changed its time from %llu to %llu ns", id,
                 (unsigned long long)e->sent_at_ns, (unsigned long long)sent_at_ns);
        return sentence;
    }
    e->sent_at_ns = sent_at_ns;
    return NULL;
}

const char *ledger_answer(struct ledger *l, const struct ledger_send *s, struct text body,
                          char sentence[LEDGER_SENTENCE_BYTES])
{
    char id[LEDGER_ID_BYTES];
    id_format(s->client, s->number, id);
    struct buffer b;
    buffer_init(&b, 8 * LEDGER_TEXT_BYTES_MAX);
    buffer_append_z(&b, "{\"message\":");
    fields_append(l, s, &b);
    buffer_append_z(&b, ",\"sent_at\":\"");
    uint64_t time_ns = 0;
    bool same = !b.failed && body.bytes == b.bytes + TIMESTAMP_BYTES + 3 && memcmp(body.data, b.data, b.bytes) == 0 &&
                memcmp(body.data + body.bytes - 3, "\"}}", 3) == 0 &&
                timestamp_parse((struct text){body.data + b.bytes, TIMESTAMP_BYTES}, &time_ns);
    buffer_clear(&b);
    if (!same) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "the answer to message %s is not what was sent: %.*s", id,
                 (int)(body.bytes < 200 ? body.bytes : 200), body.data);
        return sentence;
    }
    struct client *c = &l->clients[s->client];
    pthread_mutex_lock(&c->lock);
    struct entry *e = entry_find(c, s->number);
    if (e->acknowledged_ns == 0)
        e->acknowledged_ns = timestamp_monotonic_ns();
    const char *broken = entry_time(e, time_ns, id, sentence);
    if (c->newest_ns[s->chat] < time_ns)
        c->newest_ns[s->chat] = time_ns;
    pthread_mutex_unlock(&c->lock);
    return broken;
}

void ledger_prune(struct ledger *l, uint64_t before_ns)
{
    l->pruned_ns = before_ns;
}

void ledger_newest(struct ledger *l, unsigned client, unsigned chat, char ret_time[32])
{
    uint64_t newest_ns = l->clients[client].newest_ns[chat];
    ret_time[0] = ret_time[TIMESTAMP_BYTES] = '\0';
    if (newest_ns != 0 && newest_ns >= l->pruned_ns)
        timestamp_format(newest_ns, ret_time);
}

static const char *field(struct json_object *o, const char *name)
{
    struct json_object *value = NULL;
    const char *z = json_object_object_get_ex(o, name, &value) ? json_object_get_string(value) : NULL;
    return z == NULL ? "" : z;
}

/* One listed message against what was sent. Sets *ret_ns, its time. */
static const char *message_check(struct ledger *l, unsigned chat, bool final, struct json_object *m, uint64_t *ret_ns,
                                 char sentence[LEDGER_SENTENCE_BYTES])
{
    unsigned client = 0;
    unsigned number = 0;
    char again[LEDGER_ID_BYTES] = "";
    char author[LEDGER_ID_BYTES] = "";
    char chat_id[LEDGER_ID_BYTES];
    const char *id = field(m, "id");
    ledger_chat_id(l, chat, chat_id);
    if (sscanf(id, "m-%9u-%9u", &client, &number) == 2) {
        id_format(client, number, again);
        author_format(client, author);
    }
    if (client >= l->clients_count || strcmp(id, again) != 0) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "nobody sent the message %.100s that chat %u lists", id, chat);
        return sentence;
    }
    struct buffer text;
    buffer_init(&text, 2 * LEDGER_TEXT_BYTES_MAX);
    text_append(l, client, number, &text);
    bool same = strcmp(field(m, "author_id"), author) == 0 && strcmp(field(m, "chat_id"), chat_id) == 0 &&
                text_equal(text_of(field(m, "text")), (struct text){text.data, text.bytes}) &&
                timestamp_parse(text_of(field(m, "sent_at")), ret_ns);
    buffer_clear(&text);

    const char *broken = NULL;
    struct client *c = &l->clients[client];
    pthread_mutex_lock(&c->lock);
    struct entry *e = entry_find(c, number);
    if (e == NULL || e->chat != chat || !same) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "message %s, listed in chat %u, is not as it was sent", id, chat);
        broken = sentence;
    } else {
        broken = entry_time(e, *ret_ns, id, sentence);
        e->shown = true;
        if (final) {
            struct chat_progress *p = &l->progress[chat];
            e->found++;
            if (e->acknowledged_ns != 0 && e->acknowledged_ns < p->newest_started_ns)
                l->disordered++;
            if (p->newest_started_ns < e->started_ns)
                p->newest_started_ns = e->started_ns;
        }
    }
    pthread_mutex_unlock(&c->lock);
    return broken;
}

const char *ledger_page(struct ledger *l, unsigned chat, bool ascending, bool final, struct text body,
                        struct ledger_page *ret, char sentence[LEDGER_SENTENCE_BYTES])
{
    *ret = (struct ledger_page){.count = 0};
    const char *broken = NULL;
    struct json_tokener *tokener = json_tokener_new();
    struct json_object *root = tokener == NULL ? NULL : json_tokener_parse_ex(tokener, body.data, (int)body.bytes);
    struct json_object *messages = NULL;
    if (!json_object_object_get_ex(root, "messages", &messages) || !json_object_is_type(messages, json_type_array)) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "a page of chat %u is not one: %.*s", chat,
                 (int)(body.bytes < 200 ? body.bytes : 200), body.data);
        broken = sentence;
        goto out;
    }
    uint64_t before_ns = final ? l->progress[chat].last_ns : ascending ? 0 : UINT64_MAX;
    for (size_t i = 0; broken == NULL && i < json_object_array_length(messages); i++) {
        struct json_object *m = json_object_array_get_idx(messages, i);
        uint64_t time_ns = 0;
        broken = message_check(l, chat, final, m, &time_ns, sentence);
        if (broken == NULL && (ascending ? time_ns <= before_ns : time_ns >= before_ns)) {
            snprintf(sentence, LEDGER_SENTENCE_BYTES, "message %s is out of order in chat %u", field(m, "id"), chat);
            broken = sentence;
        }
        before_ns = time_ns;
        snprintf(i == 0 ? ret->first : ret->last, sizeof ret->last, "%s", field(m, "sent_at"));
        if (i == 0)
            memcpy(ret->last, ret->first, sizeof ret->last);
        ret->count++;
    }
    if (final)
        l->progress[chat].last_ns = before_ns;
out:
    json_object_put(root);
    if (tokener != NULL)
        json_tokener_free(tokener);
    return broken;
}

const char *ledger_pair_answer(struct ledger *l, unsigned pair, struct text body, char sentence[LEDGER_SENTENCE_BYTES])
{
    const char *broken = NULL;
    pthread_mutex_lock(&l->pairs_lock);
    if (l->pairs[pair] == NULL)
        l->pairs[pair] = strndup(body.data, body.bytes);
    if (l->pairs[pair] == NULL || !text_equal(text_of(l->pairs[pair]), body)) {
        snprintf(sentence, LEDGER_SENTENCE_BYTES, "pair %u has two chats: %.150s and %.*s", pair,
                 l->pairs[pair] == NULL ? "" : l->pairs[pair], (int)(body.bytes < 150 ? body.bytes : 150), body.data);
        broken = sentence;
    }
    pthread_mutex_unlock(&l->pairs_lock);
    return broken;
}

bool ledger_pair_known(struct ledger *l, unsigned pair)
{
    pthread_mutex_lock(&l->pairs_lock);
    bool known = l->pairs[pair] != NULL;
    pthread_mutex_unlock(&l->pairs_lock);
    return known;
}

void ledger_read(struct ledger *l)
{
    memset(l->progress, 0, sizeof l->progress);
    for (unsigned i = 0; i < l->clients_count; i++) {
        struct client *c = &l->clients[i];
        pthread_mutex_lock(&c->lock);
        for (unsigned number = 0; number < c->count; number++) {
            struct entry *e = entry_find(c, number);
            e->found = 0;
            e->due = (e->acknowledged_ns != 0 || e->shown) && e->sent_at_ns >= l->pruned_ns;
        }
        pthread_mutex_unlock(&c->lock);
    }
}

struct ledger_totals ledger_total(struct ledger *l, char sentence[LEDGER_SENTENCE_BYTES])
{
    struct ledger_totals t = {.disordered = l->disordered};
    sentence[0] = '\0';
    for (unsigned i = 0; i < l->clients_count; i++) {
        pthread_mutex_lock(&l->clients[i].lock);
        for (unsigned number = 0; number < l->clients[i].count; number++) {
            const struct entry *e = entry_find(&l->clients[i], number);
            bool lost = e->found == 0 && e->due;
            t.sent++;
            t.due += e->due;
            t.acknowledged += e->acknowledged_ns != 0;
            t.shown += e->shown;
            t.found += e->found != 0;
            t.doubled += e->found > 1;
            t.lost += lost;
            if ((lost || e->found > 1) && sentence[0] == '\0')
                snprintf(sentence, LEDGER_SENTENCE_BYTES, "message m-%u-%u of chat %u was %s", i, number, e->chat,
                         lost ? "lost" : "found twice");
        }
        pthread_mutex_unlock(&l->clients[i].lock);
    }
    return t;
}
