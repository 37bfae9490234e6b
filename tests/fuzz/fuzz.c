#include "fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where to say so: libFuzzer's -close_fd_mask, for the sake of the program's log, would close standard error. */
static int said_to = STDERR_FILENO;

int LLVMFuzzerInitialize(int *argc, char ***argv) /* NOLINT(readability-non-const-parameter): libFuzzer's prototype */
{
    (void)argc;
    (void)argv;
    said_to = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    fuzz_open();
    return 0;
}

void fuzz_broken(const char *file, int line, const char *what)
{
    (void)dprintf(said_to, "%s:%d: broken: %s\n", file, line, what);
    abort();
}

uint8_t fuzz_byte(struct fuzz_reader *r)
{
    if (r->bytes == 0) {
        return 0;
    }
    r->bytes--;
    return *r->at++;
}

static struct text take(struct fuzz_reader *r, size_t bytes)
{
    struct text t = {(const char *)r->at, bytes};
    r->at += bytes;
    r->bytes -= bytes;
    return t;
}

struct text fuzz_until(struct fuzz_reader *r, char end)
{
    const uint8_t *found = r->bytes == 0 ? NULL : memchr(r->at, end, r->bytes);
    if (found == NULL) {
        return fuzz_rest(r);
    }
    struct text t = take(r, (size_t)(found - r->at));
    (void)fuzz_byte(r);
    return t;
}

struct text fuzz_rest(struct fuzz_reader *r)
{
    if (r->bytes == 0) {
        return (struct text){NULL, 0};
    }
    return take(r, r->bytes);
}
