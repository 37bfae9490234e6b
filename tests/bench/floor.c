/*
 * floor: a FastCGI responder that does nothing, for tests/bench/run to measure against.
 *
 * It has the worker's model (threads, each with its own FCGX_Request), reads the request's body to its end and answers
 * the bytes of a file: the reply that the service itself gave, headers and all. So the difference between the two is
 * what the service does, and not the web server, the protocol or the size of an answer.
 *
 *     floor DIR THREADS
 *
 * answers a request for …/NAME with the contents of DIR/NAME, all read before the first request. It is started by the
 * web server with the listening socket as descriptor 0, and ends by SIGTERM.
 */
#include <dirent.h>
#include <fcgiapp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REPLIES_MAX 8
#define REPLY_BYTES_MAX 65536u
#define NAME_BYTES_MAX 64u
#define THREADS_MAX 256

struct canned {
    char name[NAME_BYTES_MAX];
    char data[REPLY_BYTES_MAX];
    int bytes;
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
        canned->bytes = (int)fread(canned->data, 1, REPLY_BYTES_MAX, file);
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

static void *floor_respond(void *context)
{
    const struct floor *floor = context;
    FCGX_Request request;
    if (FCGX_InitRequest(&request, 0, 0) != 0) {
        return NULL;
    }
    while (FCGX_Accept_r(&request) == 0) {
        char body[4096];
        while (FCGX_GetStr(body, (int)sizeof body, request.in) == (int)sizeof body) {
        }
        const struct canned *canned = floor_find(floor, FCGX_GetParam("PATH_INFO", request.envp));
        if (canned == NULL) {
            FCGX_PutS("Status: 404 Not Found\r\nContent-Length: 0\r\n\r\n", request.out);
        } else {
            FCGX_PutStr(canned->data, canned->bytes, request.out);
        }
        FCGX_Finish_r(&request);
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
    pthread_t ids[THREADS_MAX];
    long started = 0;
    struct floor *floor = calloc(1, sizeof *floor);
    if (floor == NULL || floor_load(floor, argv[1]) != 0 || FCGX_Init() != 0) {
        fprintf(stderr, "floor: cannot read the replies in '%s'\n", argv[1]);
        goto out;
    }
    signal(SIGTERM,
           SIG_DFL); /* FCGX_Init made it a request to stop at the next accept, which an idle thread never sees */
    while (started < threads && pthread_create(&ids[started], NULL, floor_respond, floor) == 0) {
        started++;
    }
    for (long i = 0; i < started; i++) {
        pthread_join(ids[i], NULL);
    }
    exit_status = started == threads ? 0 : 1;
out:
    free(floor);
    return exit_status;
}
