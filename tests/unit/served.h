/*
 * served: one call of rpc_run and rpc_answer over the fake store, and what its peer received.
 */
#ifndef CHATS_TESTS_SERVED_H
#define CHATS_TESTS_SERVED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fakestore.h"
#include "rpc/rpc.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LENGTH_NONE (-2) /* no head was sent */

/* One call and what came of it. */
struct fixture {
    struct config config;
    struct store store;
    struct request request;
    struct reply_sink sink;
    struct reply reply;
    struct arena arena;
    struct buffer body; /* as the peer received it */
    int64_t length;     /* announced; -1: no head was sent */
    int heads;
    unsigned bodies_left; /* parts that the peer takes before it is gone */
    bool complete;
};

static inline bool take_head(void *context, const struct reply *reply, uint64_t bytes)
{
    struct fixture *f = context;
    assert_ptr_equal(reply, &f->reply);
    f->heads++;
    f->length = (int64_t)bytes;
    return true;
}

static inline bool take_body(void *context, const char *data, size_t bytes)
{
    struct fixture *f = context;
    if (f->bodies_left == 0) {
        return false;
    }
    f->bodies_left--;
    buffer_append(&f->body, data, bytes);
    return true;
}

static inline int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return -1;
    }
    config_defaults(&f->config, "/nowhere");
    f->config.auth = CONFIG_AUTH_OPEN;
    f->sink = (struct reply_sink){.head = take_head, .body = take_body, .context = f};
    f->length = LENGTH_NONE;
    f->bodies_left = UINT32_MAX;
    f->request.method = METHOD_POST;
    f->request.mount = text_of("/chats");
    f->request.address = text_of("192.0.2.1");
    buffer_init(&f->body, 100000000);
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;
    buffer_clear(&f->body);
    arena_clear(&f->arena);
    config_clear(&f->config);
    free(f);
    return 0;
}

static inline void serve_with(struct fixture *f, struct store *store)
{
    struct buffer out;
    buffer_init(&out, REPLY_BYTES_MAX);
    f->heads = 0;
    f->length = LENGTH_NONE;
    f->store.calls = 0;
    f->store.readings = 0;
    f->store.waits = 0;
    buffer_reset(&f->body);
    reply_init(&f->reply, &f->sink, &out);
    struct rpc rpc;
    rpc_run(&rpc, &f->config, store, &f->request, &f->arena, &f->reply);
    f->complete = rpc_answer(&rpc);
    buffer_clear(&out);
    arena_reset(&f->arena);
}

static inline void serve(struct fixture *f, const char *path, const char *body)
{
    f->request.path = text_of(path);
    f->request.body = text_of(body);
    serve_with(f, &f->store);
}

static inline void assert_answer(const struct fixture *f, int code, const char *body)
{
    assert_true(f->complete);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->body.bytes, strlen(body));
    assert_memory_equal(f->body.data, body, f->body.bytes);
    assert_int_equal(f->reply.code, code);
    assert_int_equal(f->length, f->body.bytes);
}

/* The answer is this error; its detail is not looked at. */
static inline void assert_error(const struct fixture *f, int code, const char *id)
{
    char begin[100];
    int bytes = snprintf(begin, sizeof(begin), "{\"Id\":\"%s\",\"Code\":%d,\"Detail\":\"", id, code);
    assert_true(f->complete);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->reply.code, code);
    assert_true(f->body.bytes > (size_t)bytes);
    assert_memory_equal(f->body.data, begin, (size_t)bytes);
    assert_int_equal(f->length, f->body.bytes);
}

#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
