#include "envbench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/crypto.h"

/* `opened` has no context of its own. */
static struct bench *bench_of_opened;

static enum store_status opened(DB_ENV *handle, DB **trees)
{
    assert_non_null(handle);
    assert_non_null(trees[0]);
    if (bench_of_opened->wants_while_recovering) {
        struct gate *gate = NULL;
        char problem[GATE_PROBLEM_BYTES_MAX];
        bench_of_opened->wants_while_recovering = false;
        assert_int_equal(gate_open(bench_of_opened->home, env_library(), &gate, problem), STORE_OK);
        gate_want_recovery(gate, "a test said so while a recovery ran");
        gate_close(gate);
    }
    return STORE_OK;
}

static const struct env_tree trees[] = {{.name = "items", .primary = -1}};

int bench_setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    const char *temporary = getenv("TMPDIR");
    snprintf(b->home, sizeof b->home, "%.40s/chats-gate-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    *state = b;
    bench_of_opened = b;
    return crypto_init() && mkdtemp(b->home) != NULL ? 0 : -1;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

int bench_teardown(void **state)
{
    struct bench *b = *state;
    bench_of_opened = NULL;
    int removed = nftw(b->home, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(b);
    return removed;
}

struct gate *bench_gate(const struct bench *b, uint32_t library)
{
    struct gate *gate = NULL;
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    if (gate_open(b->home, library, &gate, problem) != STORE_OK)
        fail_msg("%s", problem);
    return gate;
}

struct env *bench_env(const struct bench *b, bool keep_logs)
{
    const struct env_options options = {.home = b->home,
                                        .cache_bytes = 4u << 20,
                                        .checkpoint_bytes = 1u << 20,
                                        .checkpoint_s = 60,
                                        .keep_logs = keep_logs,
                                        .trees = trees,
                                        .trees_count = 1,
                                        .opened = opened};
    struct env *env = NULL;
    char problem[GATE_PROBLEM_BYTES_MAX] = "";
    if (env_open(&options, &env, problem) != STORE_OK)
        fail_msg("%s", problem);
    return env;
}

void bench_sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&t, &t) != 0)
        continue;
}

/* A child that runs `body`, says so, and waits to be killed. */
pid_t bench_child_holding(void (*body)(struct gate *), struct gate *gate)
{
    int said[2];
    char byte = 0;
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        body(gate);
        if (write(said[1], "+", 1) == 1)
            pause();
        _exit(1);
    }
    close(said[1]);
    assert_int_equal(read(said[0], &byte, 1), 1);
    close(said[0]);
    return child;
}

void bench_child_kill(pid_t child)
{
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A child that runs `body` and must end well. */
void bench_child_run(void (*body)(const struct bench *), const struct bench *b)
{
    pid_t child = fork();
    int status = -1;
    assert_true(child >= 0);
    if (child == 0) {
        body(b);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

struct item {
    uint32_t key;
    size_t bytes; /* of the value, which is made of the key's low byte */
};

static enum store_status item_put(struct txn *txn, void *args)
{
    struct item *item = args;
    static char value[65536];
    assert_true(item->bytes <= sizeof value);
    memset(value, (int)(item->key & 255), item->bytes);
    DBT key = {.data = &item->key, .size = sizeof item->key};
    DBT data = {.flags = 0};
    data.data = value;
    data.size = (u_int32_t)item->bytes;
    DB *tree = NULL;
    int error = txn_tree_to_write(txn, 0, &tree);
    if (error == 0)
        error = tree->put(tree, txn->handle, &key, &data, 0);
    return error == 0 ? STORE_OK : txn_failed(txn, error, "put");
}

static enum store_status item_get(struct txn *txn, void *args)
{
    struct item *item = args;
    DBT key = {.data = &item->key, .size = sizeof item->key};
    DBT data = {.flags = DB_DBT_MALLOC};
    DB *tree = NULL;
    int error = txn_tree_to_read(txn, 0, &tree);
    if (error == 0)
        error = tree->get(tree, NULL, &key, &data, 0);
    if (error == DB_NOTFOUND)
        return STORE_NOT_FOUND;
    if (error != 0)
        return txn_failed(txn, error, "get");
    item->bytes = data.size;
    free(data.data);
    return STORE_OK;
}

enum store_status bench_put(struct env *env, uint32_t key, size_t bytes)
{
    return txn_write(env, item_put, &(struct item){.key = key, .bytes = bytes});
}

enum store_status bench_get(struct env *env, uint32_t key)
{
    return txn_read(env, item_get, &(struct item){.key = key});
}
