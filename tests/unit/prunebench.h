/*
 * prunebench: a home with a chat and a model of it, for the tests of prune, namespaces and compact.
 */
#ifndef CHATS_TESTS_PRUNEBENCH_H
#define CHATS_TESTS_PRUNEBENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/admin.h"
#include "store/internal.h"

#define BASE_NS UINT64_C(1000000000)
#define MODEL_MAX 4096u
#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

struct fixture {
    char home[64];
    struct config config;
    struct store *store;
    struct arena arena;
    unsigned first; /* of the chat c1: what is left is first .. next - 1, each with BASE_NS + its number for a time */
    unsigned next;
    struct text text; /* of what is sent to c1; "t" unless it is set */
};

extern const struct chat_ref c1;

/* cmocka's setup and teardown; *state is a struct fixture. */
int fixture_open(void **state);
int fixture_close(void **state);

/* A clock that stands, so that the times of a chat are BASE_NS, BASE_NS + 1, … */
uint64_t fixed_clock_ns(void);

void create(struct fixture *f, const char *namespace, const char *id, const char *a, const char *b);
enum store_status append(struct fixture *f, const char *namespace, const char *chat, const char *id, struct text text,
                         struct message *ret);

/* The next messages of c1, which the model has, too. */
void grow(struct fixture *f, unsigned count);

/* Prunes (namespace "": all of them), but not the model; how many were removed. */
uint64_t prune(struct fixture *f, const char *namespace, uint64_t before_ns);

/* The check finds nothing, and as many chats and messages as there should be in all. */
void check(struct fixture *f, uint64_t chats, uint64_t messages);

struct listed {
    unsigned count;
    char ids[MODEL_MAX][8];
};

/* A store_message_fn; context is a struct listed. */
bool listed_take(void *context, const struct message *message);

/* Many pages of c1, in both orders, with and without bounds, are what the model says. */
void all_pages_are_the_models(struct fixture *f);

#endif
