#include "gateway.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

/* In memory. */
struct memory {
    struct transport base;
    struct text rest; /* of the body */
};

static const struct gateway_call *current;
static struct gateway_answer *answer;
static char **own_environment;

/* An empty file in memory as a descriptor. */
static void take_over(int fd)
{
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(file >= 0 && dup2(file, fd) == fd);
    (void)close(file);
}

void gateway_init(void)
{
    take_over(STDIN_FILENO);
    take_over(STDOUT_FILENO);
    own_environment = environ;
}

const char *gateway_variable(const struct gateway_call *call, const char *name)
{
    size_t bytes = strlen(name);
    for (size_t i = 0; call->variables[i] != NULL; i++) {
        if (strncmp(call->variables[i], name, bytes) == 0 && call->variables[i][bytes] == '=') {
            return call->variables[i] + bytes + 1;
        }
    }
    return NULL;
}

static bool memory_next(struct transport *t)
{
    (void)t;
    return true;
}

static const char *memory_getenv(struct transport *t, const char *name)
{
    (void)t;
    return gateway_variable(current, name);
}

static ssize_t memory_read(struct transport *t, void *data, size_t bytes_max)
{
    struct memory *memory = (struct memory *)t;
    size_t bytes = bytes_max < current->chunk_bytes ? bytes_max : current->chunk_bytes;
    bytes = bytes < memory->rest.bytes ? bytes : memory->rest.bytes;
    FUZZ_CHECK(!answer->finished && bytes_max > 0);
    if (bytes > 0) {
        memcpy(data, memory->rest.data, bytes);
        memory->rest.data += bytes;
        memory->rest.bytes -= bytes;
    }
    return (ssize_t)bytes;
}

static bool memory_write(struct transport *t, const void *data, size_t bytes)
{
    (void)t;
    FUZZ_CHECK(!answer->finished);
    buffer_append(&answer->bytes, data, bytes);
    return answer->bytes.bytes <= current->peer_takes;
}

static void memory_finish(struct transport *t, bool complete)
{
    (void)t;
    FUZZ_CHECK(!answer->finished);
    answer->finished = true;
    answer->complete = complete;
}

static void memory_free(struct transport *t)
{
    free(t);
}

static struct transport *memory_new(struct text body)
{
    static const struct transport_ops ops = {
        .next = memory_next,
        .getenv = memory_getenv,
        .read = memory_read,
        .write = memory_write,
        .finish = memory_finish,
        .free = memory_free,
    };
    struct memory *memory = calloc(1, sizeof *memory);
    FUZZ_CHECK(memory != NULL);
    memory->base.ops = &ops;
    memory->rest = body;
    return &memory->base;
}

/* Standard input holds the body, standard output nothing. */
static void cgi_prepare(const struct gateway_call *call)
{
    FUZZ_CHECK(ftruncate(STDIN_FILENO, 0) == 0 && lseek(STDOUT_FILENO, 0, SEEK_SET) == 0);
    FUZZ_CHECK(call->body.bytes == 0 ||
               pwrite(STDIN_FILENO, call->body.data, call->body.bytes, 0) == (ssize_t)call->body.bytes);
    FUZZ_CHECK(lseek(STDIN_FILENO, 0, SEEK_SET) == 0);
}

static void cgi_collect(void)
{
    off_t bytes = lseek(STDOUT_FILENO, 0, SEEK_CUR);
    FUZZ_CHECK(bytes >= 0 && bytes <= (off_t)GATEWAY_ANSWER_BYTES_MAX);
    char *room = buffer_reserve(&answer->bytes, (size_t)bytes);
    FUZZ_CHECK(bytes == 0 || (room != NULL && pread(STDOUT_FILENO, room, (size_t)bytes, 0) == bytes));
    answer->bytes.bytes = (size_t)bytes;
    answer->finished = true;
    answer->complete = true;
}

struct transport *gateway_begin(const struct gateway_call *call, struct gateway_answer *ret)
{
    current = call;
    answer = ret;
    buffer_reset(&ret->bytes);
    ret->finished = false;
    ret->complete = false;
    if (call->in_memory) {
        return memory_new(call->body);
    }
    cgi_prepare(call);
    environ = (char **)(uintptr_t)call->variables;
    struct transport *t = transport_cgi();
    FUZZ_CHECK(t != NULL && t->ops->next(t));
    return t;
}

void gateway_end(void)
{
    if (!current->in_memory) {
        environ = own_environment;
        cgi_collect();
    }
    FUZZ_CHECK(answer->finished && !answer->bytes.failed);
}
