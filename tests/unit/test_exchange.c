/*
 * Which answers may be left to another thread: those that only the disk can keep waiting. Over the fake store and a
 * transport in memory, and the real FastCGI transport over a socket.
 */
#include "served.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "http/http.h"
#include "http/setup.h"

/* The setup page makes homes, by the real store. It is asked for by nobody here. */
bool setup_is_asked(const struct request *request, bool has_store)
{
    (void)request;
    (void)has_store;
    return false;
}

bool setup_serve(const struct setup_visit *visit, struct buffer *out)
{
    (void)visit;
    (void)out;
    return false;
}

struct memory {
    struct transport base;
    const char *path;
    const char *body;
    size_t read;
    size_t unread; /* what else the peer sends behind the body */
    size_t written;
    unsigned finished;
    bool at_once;
};

static bool memory_next(struct transport *t)
{
    ((struct memory *)t)->read = 0;
    return true;
}

static const char *memory_getenv(struct transport *t, const char *name)
{
    static char length[24];
    const struct memory *m = (const struct memory *)t;
    if (strcmp(name, "REQUEST_METHOD") == 0) {
        return "POST";
    }
    if (strcmp(name, "PATH_INFO") == 0) {
        return m->path;
    }
    if (strcmp(name, "CONTENT_LENGTH") == 0) {
        snprintf(length, sizeof length, "%zu", strlen(m->body));
        return length;
    }
    return strcmp(name, "REMOTE_ADDR") == 0 ? "192.0.2.1" : NULL;
}

static ssize_t memory_read(struct transport *t, void *data, size_t bytes_max)
{
    struct memory *m = (struct memory *)t;
    size_t left = strlen(m->body) - m->read;
    size_t bytes = left < bytes_max ? left : bytes_max;
    memcpy(data, m->body + m->read, bytes);
    m->read += bytes;
    if (bytes == 0 && m->unread > 0) {
        m->unread--;
        *(char *)data = 'x';
        return 1;
    }
    return (ssize_t)bytes;
}

static bool memory_write(struct transport *t, const void *data, size_t bytes)
{
    (void)data;
    ((struct memory *)t)->written += bytes;
    return true;
}

static bool memory_answers_at_once(struct transport *t)
{
    return ((struct memory *)t)->at_once;
}

static void memory_finish(struct transport *t, bool complete)
{
    assert_true(complete);
    ((struct memory *)t)->finished++;
}

static void memory_free(struct transport *t)
{
    (void)t;
}

static const struct transport_ops memory_ops = {
    .next = memory_next,
    .getenv = memory_getenv,
    .read = memory_read,
    .write = memory_write,
    .answers_at_once = memory_answers_at_once,
    .finish = memory_finish,
    .free = memory_free,
};

static const char send_body[] = "{\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\"}";

/* Runs a call, says whether its answer may be left, and answers it. */
static bool waits(struct fixture *f, struct memory *m, const char *path, const char *body)
{
    m->path = path;
    m->body = body;
    m->written = 0;
    m->finished = 0;
    f->store.waits = 0;
    struct exchange *x = exchange_new(&m->base, &f->config, &f->store);
    assert_non_null(x);
    assert_true(exchange_next(x));
    exchange_run(x);
    bool answer = exchange_waits(x);
    assert_int_equal(m->written, 0);
    assert_int_equal(m->finished, 0);
    bool sweeps = exchange_answer(x);
    assert_false(sweeps);
    assert_true(m->written > 0);
    assert_int_equal(m->finished, 1);
    exchange_free(x);
    return answer;
}

static void a_short_answer_that_is_not_on_the_disk_may_be_left(void **state)
{
    struct fixture *f = *state;
    struct memory m = {.base.ops = &memory_ops, .at_once = true};
    f->store.ticket = 7;
    assert_true(waits(f, &m, "/Chats/SendMessage", send_body));
    assert_true(waits(f, &m, "/Chats/ListMessages", "{\"chat_id\":\"c\"}"));
}

static void what_waits_for_nothing_is_not_left(void **state)
{
    struct fixture *f = *state;
    struct memory m = {.base.ops = &memory_ops, .at_once = true};
    assert_false(waits(f, &m, "/Chats/SendMessage", send_body));
    f->store.ticket = 7;
    assert_false(waits(f, &m, "/Chats/Health", ""));
    assert_false(waits(f, &m, "/Chats/Nothing", ""));
}

static void what_waits_for_its_peer_is_not_left(void **state)
{
    struct fixture *f = *state;
    struct memory m = {.base.ops = &memory_ops, .at_once = true, .unread = 1};
    f->store.ticket = 7;
    assert_false(waits(f, &m, "/Chats/SendMessage", send_body));
    m.unread = 0;
    m.at_once = false;
    assert_false(waits(f, &m, "/Chats/SendMessage", send_body));
    static const struct transport_ops cannot_say = {
        .next = memory_next,
        .getenv = memory_getenv,
        .read = memory_read,
        .write = memory_write,
        .finish = memory_finish,
        .free = memory_free,
    };
    m.base.ops = &cannot_say;
    assert_false(waits(f, &m, "/Chats/SendMessage", send_body));
}

static void a_long_answer_is_not_left(void **state)
{
    struct fixture *f = *state;
    struct memory m = {.base.ops = &memory_ops, .at_once = true};
    f->store.ticket = 7;
    f->store.messages = 1;
    f->store.text_bytes = 16000;
    assert_true(waits(f, &m, "/Chats/ListMessages", "{\"chat_id\":\"c\"}"));
    f->store.text_bytes = 16400;
    assert_false(waits(f, &m, "/Chats/ListMessages", "{\"chat_id\":\"c\"}"));
}

/* A request without a body, by FastCGI 1.0 section 8: FCGI_BEGIN_REQUEST, empty FCGI_PARAMS, empty FCGI_STDIN. */
static void send_request(int fd, bool keep)
{
    unsigned char records[] = {1, 1, 0, 1, 0, 8, 0, 0, 0, 1, keep, 0, 0, 0, 0, 0, /* the role: responder */
                               1, 4, 0, 1, 0, 0, 0, 0,                            /**/
                               1, 5, 0, 1, 0, 0, 0, 0};
    assert_int_equal(write(fd, records, sizeof records), sizeof records);
}

/* What the transport says of a request that came in by such a socket. */
static bool answers_at_once(int listen_fd, int client_fd, bool keep)
{
    struct transport_stop stop = {.fd = eventfd(0, EFD_CLOEXEC), .accepting = PTHREAD_MUTEX_INITIALIZER};
    struct transport *t = transport_fastcgi(listen_fd, &stop);
    assert_non_null(t);
    send_request(client_fd, keep);
    assert_true(t->ops->next(t));
    bool answer = t->ops->answers_at_once(t);
    t->ops->finish(t, true);
    close(client_fd);
    t->ops->free(t);
    close(stop.fd);
    return answer;
}

static int client_of(int listen_fd, int family)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &bytes), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, bytes), 0);
    return fd;
}

static void only_a_local_connection_that_is_not_kept_answers_at_once(void **state)
{
    (void)state;
    struct sockaddr_un local = {.sun_family = AF_UNIX}; /* unix(7), "autobind": a name of the kernel's choice */
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&local, sizeof(sa_family_t)), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_true(answers_at_once(fd, client_of(fd, AF_UNIX), false));
    assert_false(answers_at_once(fd, client_of(fd, AF_UNIX), true));
    close(fd);
    struct sockaddr_in loopback = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&loopback, sizeof loopback), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_false(answers_at_once(fd, client_of(fd, AF_INET), false));
    close(fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_short_answer_that_is_not_on_the_disk_may_be_left),
        WITH_FIXTURE(what_waits_for_nothing_is_not_left),
        WITH_FIXTURE(what_waits_for_its_peer_is_not_left),
        WITH_FIXTURE(a_long_answer_is_not_left),
        WITH_FIXTURE(only_a_local_connection_that_is_not_kept_answers_at_once),
    };
    return cmocka_run_group_tests_name("exchange", tests, NULL, NULL);
}
