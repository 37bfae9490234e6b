#include "http/transport.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct cgi {
    struct transport base;
    bool served;
};

static bool cgi_next(struct transport *t)
{
    struct cgi *cgi = (struct cgi *)t;
    bool first = !cgi->served;
    cgi->served = true;
    return first;
}

static const char *cgi_getenv(struct transport *t, const char *name)
{
    (void)t;
    return getenv(name);
}

/* A server need not close the standard input of a program that was sent no body: reading it could wait for ever. */
static bool body_announced(void)
{
    const char *length = getenv("CONTENT_LENGTH");
    const char *coding = getenv("HTTP_TRANSFER_ENCODING");
    return (length && length[0] != '\0') || (coding && strcasestr(coding, "chunked"));
}

static ssize_t cgi_read(struct transport *t, void *data, size_t bytes_max)
{
    (void)t;
    ssize_t bytes;
    if (!body_announced()) {
        return 0;
    }
    do {
        bytes = read(STDIN_FILENO, data, bytes_max);
    } while (bytes < 0 && errno == EINTR);
    return bytes;
}

static bool cgi_write(struct transport *t, const void *data, size_t bytes)
{
    (void)t;
    const char *at = data;
    while (bytes > 0) {
        ssize_t written = write(STDOUT_FILENO, at, bytes);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written < 0) {
            return false;
        }
        at += written;
        bytes -= (size_t)written;
    }
    return true;
}

/* The server sees the end when the process exits, and a short answer by its Content-Length. */
static void cgi_finish(struct transport *t, bool complete)
{
    (void)t;
    (void)complete;
}

static void cgi_free(struct transport *t)
{
    free(t);
}

struct transport *transport_cgi(void)
{
    static const struct transport_ops ops = {
        .next = cgi_next,
        .getenv = cgi_getenv,
        .read = cgi_read,
        .write = cgi_write,
        .finish = cgi_finish,
        .interrupt = NULL,
        .free = cgi_free,
    };
    struct cgi *cgi = calloc(1, sizeof *cgi);
    if (!cgi) {
        return NULL;
    }
    cgi->base.ops = &ops;
    return &cgi->base;
}
