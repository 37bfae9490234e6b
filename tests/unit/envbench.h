/*
 * envbench: a private home for each test of src/bdb, with one small tree, and children that hold something and are
 * killed. Everything here fails the test if it cannot do its part.
 */
#ifndef CHATS_TESTS_ENVBENCH_H
#define CHATS_TESTS_ENVBENCH_H

#include <sys/types.h>

#include "bdb/txn.h"

struct bench {
    char home[64];
    bool wants_while_recovering; /* once: somebody wants recovery while one runs */
};

/* cmocka's: *state is a struct bench of its own, the folder is removed afterwards. */
int bench_setup(void **state);
int bench_teardown(void **state);

/* For gate_close and env_close. */
struct gate *bench_gate(const struct bench *b, uint32_t library);
struct env *bench_env(const struct bench *b, bool keep_logs);

/* A record of `bytes` bytes under the key; as txn_write and txn_read, STORE_NOT_FOUND if there is none. */
enum store_status bench_put(struct env *env, uint32_t key, size_t bytes);
enum store_status bench_get(struct env *env, uint32_t key);

/* A child that has run `body` and waits to be killed. */
pid_t bench_child_holding(void (*body)(struct gate *), struct gate *gate);
void bench_child_kill(pid_t child);

/* Runs `body` in a child, which must end well. */
void bench_child_run(void (*body)(const struct bench *), const struct bench *b);

void bench_sleep_ms(unsigned ms);

#endif
