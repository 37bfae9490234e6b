/*
 * floor: a FastCGI responder that does nothing, for tests/bench/run to measure against.
 *
 * It has the worker's own transport (src/http/fastcgi.c) and as many threads, reads the request's body to its end and
 * answers the bytes of a file: the reply that the service itself gave, headers and all. So the difference between the
 * two is what the service does, and not the web server, the protocol, libfcgi or the size of an answer.
 *
 *     floor DIR THREADS
 *
 * answers a request for …/NAME with the contents of DIR/NAME, all read before the first request. It is started by the
 * web server with the listening socket as descriptor 0, and ends by SIGTERM.
 */
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "http/transport.h"

#define REPLIES_MAX 8
#define REPLY_BYTES_MAX 65536u
#define NAME_BYTES_MAX 64u
#define THREADS_MAX 256

struct canned {
    char name[NAME_BYTES_MAX];
    char data[REPLY_BYTES_MAX];
    size_t bytes;
};

struct floor {
    struct canned replies[REPLIES_MAX];
    size_t count;
};

static int floor_load(struct floor *floor, const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        return -1;
    }
    int result = 0;
    const struct dirent *entry;
    while (result == 0 && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        char path[4096];
        struct canned *canned = &floor->replies[floor->count];
        if (floor->count == REPLIES_MAX || strlen(entry->d_name) >= NAME_BYTES_MAX ||
            snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) >= (int)sizeof path) {
            result = -1;
            break;
        }
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            result = -1;
            break;
        }
        memcpy(canned->name, entry->d_name, strlen(entry->d_name) + 1);
        canned->bytes = fread(canned->data, 1, REPLY_BYTES_MAX, file);
        result = ferror(file) || !feof(file) ? -1 : 0;
        fclose(file);
        floor->count++;
    }
    closedir(dir);
    return result;
}

static const struct canned *floor_find(const struct floor *floor, const char *path)
{
    const char *slash = path == NULL ? NULL : strrchr(path, '/');
    if (slash == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < floor->count; i++) {
        if (strcmp(floor->replies[i].name, slash + 1) == 0) {
            return &floor->replies[i];
        }
    }
    return NULL;
}

struct responder {
    const struct floor *floor;
    struct transport *transport;
    pthread_t thread;
};

static void *floor_respond(void *context)
{
    const struct responder *responder = context;
    struct transport *t = responder->transport;
    while (t->ops->next(t)) {
        static const char not_found[] = "Status: 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        char body[4096];
        while (t->ops->read(t, body, sizeof body) > 0) {
        }
        const struct canned *canned = floor_find(responder->floor, t->ops->getenv(t, "PATH_INFO"));
        bool sent = canned == NULL ? t->ops->write(t, not_found, sizeof not_found - 1)
                                   : t->ops->write(t, canned->data, canned->bytes);
        t->ops->finish(t, sent);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char *end = NULL;
    long threads = argc == 3 ? strtol(argv[2], &end, 10) : 0;
    if (threads < 1 || threads > THREADS_MAX || *end != '\0') {
        fprintf(stderr, "usage: floor DIR THREADS\n");
        return 2;
    }
    int exit_status = 1;
    long started = 0;
    struct transport_stop stop = {.fd = eventfd(0, EFD_CLOEXEC), .accepting = PTHREAD_MUTEX_INITIALIZER};
    struct responder *responders = calloc((size_t)threads, sizeof *responders);
    struct floor *floor = calloc(1, sizeof *floor);
    if (responders == NULL || floor == NULL || stop.fd < 0 || floor_load(floor, argv[1]) != 0) {
        fprintf(stderr, "floor: cannot read the replies in '%s'\n", argv[1]);
        goto out;
    }
    for (; started < threads; started++) {
        struct responder *responder = &responders[started];
        responder->floor = floor;
        responder->transport = transport_fastcgi(STDIN_FILENO, &stop);
        if (responder->transport == NULL || pthread_create(&responder->thread, NULL, floor_respond, responder) != 0) {
            break;
        }
    }
    /* FCGX_Init made it a request to stop at the next accept, which an idle thread never sees. */
    signal(SIGTERM, SIG_DFL);
    for (long i = 0; i < started; i++) {
        pthread_join(responders[i].thread, NULL);
    }
    exit_status = started == threads ? 0 : 1;
out:
    free(floor);
    free(responders);
    return exit_status;
}
