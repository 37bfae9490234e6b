/* What the storm's promises are, said when broken; the chats made, and all of them read back. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "storm.h"

#define PROMISES_SHOWN_MAX 12u

void storm_broken(struct storm *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&s->promises_lock);
    if (s->promises_broken++ < PROMISES_SHOWN_MAX) {
        printf("broken: ");
        vprintf(format, arguments);
        printf("\n");
        fflush(stdout);
    }
    pthread_mutex_unlock(&s->promises_lock);
    va_end(arguments);
    if (s->options.fail_fast)
        s->giving_up = true;
}

uint64_t storm_random(uint64_t *state)
{
    /* splitmix64, as in ledger.c. */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void storm_sleep_us(uint64_t us)
{
    struct timespec t = {.tv_sec = (time_t)(us / 1000000u), .tv_nsec = (long)(us % 1000000u) * 1000};
    while (nanosleep(&t, &t) != 0)
        continue;
}

bool storm_create_chats(struct storm *s, struct answer *answer)
{
    for (unsigned chat = 0; chat < STORM_CHATS; chat++) {
        char id[LEDGER_ID_BYTES];
        char body[256];
        ledger_chat_id(s->ledger, chat, id);
        snprintf(body, sizeof body,
                 "{\"id\":\"%s\",\"user_ids\":[\"room-%u\",\"author-0\",\"author-1\",\"author-2\",\"author-3\","
                 "\"author-4\",\"author-5\",\"author-6\"]}",
                 id, chat);
        if (!storm_insist(s, "CreateChat", text_of(body), answer))
            return false;
    }
    return true;
}

/* Reads a chat from its beginning, by time or by offset. */
static bool chat_verify(struct storm *s, unsigned chat, struct answer *answer)
{
    struct ledger_page page = {.count = 0};
    unsigned long offset = 0;
    do {
        char query[128];
        char after[32];
        memcpy(after, page.last, sizeof after);
        if (chat % 2 == 0 && after[0] != '\0')
            snprintf(query, sizeof query, ",\"limit\":1000,\"sent_after\":\"%s\"", after);
        else
            snprintf(query, sizeof query, ",\"limit\":1000,\"offset\":%lu", offset);
        if (!storm_list(s, chat, query, true, true, answer, &page))
            return false;
        offset += page.count;
    } while (page.count == 1000);
    return true;
}

void storm_verify(struct storm *s, bool pairs, struct answer *answer, struct ledger_totals *ret)
{
    char sentence[LEDGER_SENTENCE_BYTES];
    bool read = true;
    for (unsigned chat = 0; chat < STORM_CHATS && read; chat++)
        read = chat_verify(s, chat, answer);
    for (unsigned pair = 0; pairs && pair < STORM_PAIRS && read; pair++)
        read = !ledger_pair_known(s->ledger, pair) || storm_pair(s, pair, answer);
    *ret = ledger_total(s->ledger, sentence);
    if (!read) {
        ret->lost = ret->found = 0; /* said already; what was not read cannot be counted */
        return;
    }
    if (ret->lost > 0 || ret->doubled > 0)
        storm_broken(s, "%llu acknowledged messages were lost and %llu found twice: %s", (unsigned long long)ret->lost,
                     (unsigned long long)ret->doubled, sentence);
    if (ret->disordered > 0)
        storm_broken(s, "%llu messages stand before one that was acknowledged before they were sent",
                     (unsigned long long)ret->disordered);
}
