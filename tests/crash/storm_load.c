/* The clients of the storm: mixed load, each answer checked as it comes. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "storm.h"

#define INSIST_MS 30000u /* a call that is answered 503 or broken off for so long is a hang by another name */
#define CGI_PAUSE_US 20000u
#define CGI_PAUSE_PACED_US 250000u /* where there is a rate */

static void answered(struct storm *s, uint64_t began_ns)
{
    uint64_t now_ns = timestamp_monotonic_ns();
    uint64_t last_ns = atomic_exchange(&s->last_answer_ns, now_ns);
    uint64_t pause_ns = last_ns != 0 && now_ns > last_ns ? now_ns - last_ns : 0;
    uint64_t longest_ns = s->longest_pause_ns;
    while (s->killing && pause_ns > longest_ns &&
           !atomic_compare_exchange_weak(&s->longest_pause_ns, &longest_ns, pause_ns))
        continue;
    uint64_t slowest_ns = s->slowest_ns;
    while (now_ns - began_ns > slowest_ns &&
           !atomic_compare_exchange_weak(&s->slowest_ns, &slowest_ns, now_ns - began_ns))
        continue;
    s->answers++;
}

/* Judges an answer as storm_call does. */
static bool judge(struct storm *s, const char *operation, enum answer_outcome outcome, const struct answer *answer,
                  uint64_t began_ns, bool *ret_again)
{
    *ret_again = false;
    if (outcome == ANSWER_WHOLE && answer->code == 200) {
        answered(s, began_ns);
        return true;
    }
    if (outcome == ANSWER_WHOLE && answer->code == 503) {
        s->unavailable++;
        *ret_again = true;
    } else if (outcome == ANSWER_BROKEN) {
        s->broken_off++;
        *ret_again = true;
    } else if (outcome == ANSWER_LATE) {
        storm_broken(s, "a call of %s was not answered in %u ms", operation, STORM_DEADLINE_MS);
    } else {
        storm_broken(s, "a call of %s was %s: %d %.*s", operation, answer_outcome_name(outcome), answer->code,
                     (int)(answer->body.bytes < 200 ? answer->body.bytes : 200),
                     answer->body.data == NULL ? "" : answer->body.data);
    }
    return false;
}

bool storm_call(struct storm *s, const char *operation, struct text body, struct answer *answer, bool *ret_again)
{
    uint64_t began_ns = timestamp_monotonic_ns();
    enum answer_outcome outcome = service_call(&s->service, operation, body, answer);
    return judge(s, operation, outcome, answer, began_ns, ret_again);
}

bool storm_insist(struct storm *s, const char *operation, struct text body, struct answer *answer)
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + INSIST_MS * UINT64_C(1000000);
    bool again = true;
    while (again && !s->giving_up) {
        if (storm_call(s, operation, body, answer, &again))
            return true;
        if (again && timestamp_monotonic_ns() > deadline_ns) {
            storm_broken(s, "a call of %s was refused or broken off for %u ms", operation, INSIST_MS);
            return false;
        }
        storm_sleep_us(3000);
    }
    return false;
}

static bool send_message(struct storm *s, const struct ledger_send *send, struct answer *answer)
{
    char sentence[LEDGER_SENTENCE_BYTES];
    struct buffer body;
    buffer_init(&body, 1u << 20);
    ledger_request(s->ledger, send, &body);
    bool done = storm_insist(s, "SendMessage", (struct text){body.data, body.bytes}, answer);
    buffer_clear(&body);
    const char *broken = done ? ledger_answer(s->ledger, send, answer->body, sentence) : NULL;
    if (broken != NULL)
        storm_broken(s, "%s", broken);
    return done && broken == NULL;
}

bool storm_list(struct storm *s, unsigned chat, const char *query, bool ascending, bool final, struct answer *answer,
                struct ledger_page *ret)
{
    char id[LEDGER_ID_BYTES];
    char body[256];
    char sentence[LEDGER_SENTENCE_BYTES];
    ledger_chat_id(s->ledger, chat, id);
    snprintf(body, sizeof body, "{\"chat_id\":\"%s\",\"order\":\"%s\"%s}", id, ascending ? "asc" : "desc", query);
    if (!storm_insist(s, "ListMessages", text_of(body), answer))
        return false;
    const char *broken = ledger_page(s->ledger, chat, ascending, final, answer->body, ret, sentence);
    if (broken != NULL)
        storm_broken(s, "%s", broken);
    return broken == NULL;
}

bool storm_pair(struct storm *s, unsigned pair, struct answer *answer)
{
    char body[128];
    char sentence[LEDGER_SENTENCE_BYTES];
    snprintf(body, sizeof body, "{\"user_ids\":[\"pair-%u-b\",\"pair-%u-a\"]}", pair, pair);
    if (!storm_insist(s, "CreateChat", text_of(body), answer))
        return false;
    const char *broken = ledger_pair_answer(s->ledger, pair, answer->body, sentence);
    if (broken != NULL)
        storm_broken(s, "%s", broken);
    return broken == NULL;
}

/* The newest page must reach what this client was told before it asked. */
static void list_some(struct storm *s, unsigned client, uint64_t dice, struct answer *answer)
{
    unsigned chat = (unsigned)(dice >> 8) % STORM_CHATS;
    char newest[32];
    char query[64] = "";
    struct ledger_page page;
    ledger_newest(s->ledger, client, chat, newest);
    bool ascending = dice >> 16 & 1;
    if (ascending)
        snprintf(query, sizeof query, ",\"offset\":%u", (unsigned)(dice >> 17) % 200);
    if (storm_list(s, chat, query, ascending, false, answer, &page) && !ascending && newest[0] != '\0' &&
        (page.count == 0 || strcmp(page.first, newest) < 0))
        storm_broken(s, "chat %u did not show the message of %s that was acknowledged before", chat, newest);
}

/* Waits until the thread's next call is due, if there is a rate. *due_ns is 0 before the first. */
static void pace(const struct storm *s, uint64_t *due_ns)
{
    uint64_t now_ns = timestamp_monotonic_ns();
    if (s->options.rate == 0)
        return;
    if (*due_ns > now_ns)
        storm_sleep_us((*due_ns - now_ns) / 1000);
    else
        *due_ns = now_ns; /* what was missed is not caught up on */
    *due_ns += UINT64_C(1000000000) * s->options.clients / s->options.rate;
}

/* An earlier send of the client's, of `sent`. */
static bool choose_earlier(struct storm *s, unsigned client, unsigned sent, uint64_t dice, struct ledger_send *ret)
{
    unsigned last = s->options.resend_last;
    unsigned among = last == 0 || last > sent ? sent : last;
    return among > 0 && ledger_acknowledged(s->ledger, client, sent - 1 - (unsigned)(dice >> 8) % among, ret);
}

void *storm_client(void *argument)
{
    struct storm_thread *t = argument;
    struct storm *s = t->storm;
    uint64_t random = s->options.seed ^ (uint64_t)(t->client + 1) << 32;
    struct answer answer;
    answer_init(&answer);
    unsigned sent = 0;
    uint64_t due_ns = 0;
    while (s->loading && !s->giving_up) {
        pace(s, &due_ns);
        uint64_t dice = storm_random(&random);
        unsigned what = (unsigned)(dice % 100);
        struct ledger_send send;
        if (what < 66) {
            if (!ledger_begin(s->ledger, t->client, (unsigned)(dice >> 8) % STORM_CHATS, &send))
                break;
            sent++;
            (void)send_message(s, &send, &answer);
        } else if (what < 74) {
            if (choose_earlier(s, t->client, sent, dice, &send))
                (void)send_message(s, &send, &answer);
        } else if (what < 90) {
            list_some(s, t->client, dice, &answer);
        } else {
            storm_pair(s, (unsigned)(dice >> 8) % STORM_PAIRS, &answer);
        }
    }
    answer_clear(&answer);
    return NULL;
}

/* All that a CGI run says until its end, or until the deadline; true at its end. */
static bool read_to_end(int fd, unsigned wait_ms, struct answer *answer)
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + wait_ms * UINT64_C(1000000);
    buffer_reset(&answer->raw);
    for (;;) {
        uint64_t now_ns = timestamp_monotonic_ns();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now_ns >= deadline_ns)
            return false;
        if (poll(&p, 1, (int)((deadline_ns - now_ns) / 1000000u) + 1) <= 0)
            continue;
        char *room = buffer_reserve(&answer->raw, 65536);
        ssize_t n = room == NULL ? -1 : read(fd, room, 65536);
        if (n <= 0)
            return n == 0;
        answer->raw.bytes += (size_t)n;
    }
}

/* Until it has ended. One that has answered may hang in its leave, behind the mutex of one that died. */
static void cgi_wait(struct storm *s, pid_t pid)
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + STORM_DEADLINE_MS * UINT64_C(1000000);
    pid_t ended = 0;
    while (ended == 0 || (ended < 0 && errno == EINTR)) {
        ended = waitpid(pid, NULL, WNOHANG);
        if (ended == 0 && timestamp_monotonic_ns() > deadline_ns) {
            storm_broken(s, "a CGI run that has answered does not end");
            kill(pid, SIGKILL);
            deadline_ns = UINT64_MAX;
        } else if (ended == 0) {
            storm_sleep_us(200);
        }
    }
}

/* One CGI run that sends the message; `kill_after_us` > 0: it is killed then. True if it was answered 200. */
static bool cgi_run(struct storm *s, const struct ledger_send *send, uint64_t kill_after_us, struct answer *answer)
{
    char sentence[LEDGER_SENTENCE_BYTES];
    int in[2] = {-1, -1};
    int out[2] = {-1, -1};
    bool done = false;
    pid_t pid = -1;
    struct buffer body;
    buffer_init(&body, 1u << 20);
    ledger_request(s->ledger, send, &body);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
        goto out;
    uint64_t began_ns = timestamp_monotonic_ns();
    pid = fleet_start_cgi(&s->fleet, "SendMessage", body.bytes, in[0], out[1]);
    close(in[0]);
    close(out[1]);
    in[0] = out[1] = -1;
    /* A pipe holds 64 KiB (pipe(7)), and no request is longer: this does not block. */
    bool written = write(in[1], body.data, body.bytes) == (ssize_t)body.bytes;
    close(in[1]);
    in[1] = -1;
    s->cgi_runs++;
    if (kill_after_us > 0) {
        storm_sleep_us(kill_after_us);
        if (pid > 0 && kill(pid, SIGKILL) == 0)
            s->cgi_kills++;
    }
    bool ended = pid > 0 && written && read_to_end(out[0], STORM_DEADLINE_MS, answer);
    bool again = false;
    enum answer_outcome outcome = !ended ? ANSWER_LATE : answer->raw.bytes == 0 ? ANSWER_BROKEN : answer_parse(answer);
    /* What a killed run had said may be cut anywhere. */
    if (kill_after_us > 0 && outcome == ANSWER_MALFORMED)
        outcome = ANSWER_BROKEN;
    if (kill_after_us == 0 && outcome == ANSWER_BROKEN)
        storm_broken(s, "a CGI run that nobody killed said nothing");
    done = judge(s, "SendMessage by CGI", outcome, answer, began_ns, &again);
    const char *broken = done ? ledger_answer(s->ledger, send, answer->body, sentence) : NULL;
    if (broken != NULL)
        storm_broken(s, "%s", broken);
out:
    if (pid > 0 && !done)
        kill(pid, SIGKILL);
    if (pid > 0)
        cgi_wait(s, pid);
    for (int i = 0; i < 2; i++) {
        if (in[i] >= 0)
            close(in[i]);
        if (out[i] >= 0)
            close(out[i]);
    }
    buffer_clear(&body);
    return done;
}

void *storm_cgi_client(void *argument)
{
    struct storm_thread *t = argument;
    struct storm *s = t->storm;
    uint64_t random = s->options.seed ^ (uint64_t)(t->client + 1) << 32;
    struct answer answer;
    answer_init(&answer);
    while (s->loading && !s->giving_up) {
        uint64_t dice = storm_random(&random);
        struct ledger_send send;
        if (!ledger_begin(s->ledger, t->client, (unsigned)(dice >> 8) % STORM_CHATS, &send))
            break;
        bool victim = !s->options.outside && s->killing && dice % 2 == 0;
        bool done = cgi_run(s, &send, victim ? 200 + (dice >> 20) % 12000 : 0, &answer);
        /* Half of the killed ones are sent again, to a worker; of the others nobody knows. */
        if (!done && dice >> 40 & 1)
            (void)send_message(s, &send, &answer);
        storm_sleep_us(s->options.rate == 0 ? CGI_PAUSE_US : CGI_PAUSE_PACED_US);
    }
    answer_clear(&answer);
    return NULL;
}
