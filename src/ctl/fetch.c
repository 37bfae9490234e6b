#include "ctl/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"
#include "ctl/url.h"

#define FETCH_CONNECT_LIMIT_S 10u
#define FETCH_GRACE_S 5u /* curl ends by itself at FETCH_LIMIT_S; this much later it is ended */
#define FETCH_READ_BYTES 65536u
#define FETCH_BODY_FD 3 /* in curl */
#define FETCH_NS_PER_S UINT64_C(1000000000)
#define FETCH_NO_CURL "this needs the program curl, which is not there: apt-get install curl"

bool fetcher_open(struct fetcher *ret)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    sigset_t ending;
    *ret = (struct fetcher){.signals = -1};
    sigemptyset(&ending);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction now;
        if (sigaction(numbers[i], NULL, &now) == 0 && now.sa_handler != SIG_IGN) {
            sigaddset(&ending, numbers[i]);
        }
    }
    (void)sigprocmask(SIG_BLOCK, &ending, &ret->before);
    ret->signals = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    return ret->signals >= 0;
}

static void fetcher_take_signal(struct fetcher *fetcher)
{
    struct signalfd_siginfo info;
    if (read(fetcher->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        fetcher->signal = (int)info.ssi_signo;
    }
}

void fetcher_close(struct fetcher *fetcher)
{
    if (fetcher->signals >= 0) {
        fetcher_take_signal(fetcher);
        close(fetcher->signals);
        fetcher->signals = -1;
    }
    if (fetcher->signal != 0) {
        (void)raise(fetcher->signal);
    }
    (void)sigprocmask(SIG_SETMASK, &fetcher->before, NULL);
}

/* A file in memory, at its beginning; -1: there is none to be had. */
static int fetch_memory(const char *name, struct text content)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    for (size_t done = 0; done < content.bytes;) {
        ssize_t bytes = write(fd, content.data + done, content.bytes - done);
        if (bytes <= 0) {
            close(fd);
            return -1;
        }
        done += (size_t)bytes;
    }
    (void)lseek(fd, 0, SEEK_SET);
    return fd;
}

/* An empty JSON object with spaces behind it: RFC 8259 section 2 allows them. */
static int fetch_body(size_t bytes)
{
    char *content = malloc(bytes);
    if (content == NULL) {
        return -1;
    }
    memset(content, ' ', bytes);
    memcpy(content, "{}", 2);
    int fd = fetch_memory("body", (struct text){content, bytes});
    free(content);
    return fd;
}

/* curl(1), --config. No value has a quote or a backslash: url.h, base64url. */
static int fetch_config(const struct fetcher *fetcher, const struct fetch_call *call)
{
    struct buffer config;
    struct url url;
    char problem[URL_PROBLEM_BYTES_MAX];
    buffer_init(&config, FETCH_READ_BYTES);
    buffer_printf(&config,
                  "url = \"%s%s\"\nproto = \"=http,https\"\nconnect-timeout = %u\nmax-time = %u\n"
                  "globoff\nhttp1.1\nsilent\nshow-error\ninclude\nsuppress-connect-headers\n"
                  "user-agent = \"chatsctl doctor\"\nheader = \"Origin: https://doctor.invalid\"\n",
                  call->url, call->path != NULL ? call->path : "", FETCH_CONNECT_LIMIT_S, FETCH_LIMIT_S);
    if (strncmp(call->url, "https:", 6) == 0) {
        /* Since curl 7.88; an older one says that it knows no such variable, and goes on. */
        buffer_append_z(&config, "write-out = \"%{stderr}%{certs}\"\n");
    }
    if (url_parse(call->url, &url, problem) && url_is_near(&url)) {
        buffer_append_z(&config, "noproxy = \"*\"\n"); /* a proxy has nothing to do with who is that near */
    }
    if (fetcher->insecure) {
        buffer_append_z(&config, "insecure\n");
    }
    if (call->token != NULL) {
        buffer_printf(&config, "header = \"Authorization: Bearer %s\"\n", call->token);
    }
    if (call->body_bytes > 0) {
        buffer_printf(&config,
                      "header = \"Content-Type: application/json\"\nheader = \"Expect:\"\n"
                      "data-binary = \"@/dev/fd/%d\"\n",
                      FETCH_BODY_FD);
    }
    int fd = config.failed ? -1 : fetch_memory("config", (struct text){config.data, config.bytes});
    buffer_clear(&config);
    return fd;
}

/* Starts curl with these descriptors; those that are not named close by themselves. 0, or what errno would be. */
static int fetch_spawn(const struct fetcher *fetcher, int config, int answer, int said, int body, pid_t *ret_pid)
{
    char *arguments[] = {"curl", "-q", "-K", "-", NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t usual;
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    sigaddset(&usual, SIGXFSZ);
    if (posix_spawn_file_actions_init(&files) != 0) {
        return ENOMEM;
    }
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&files);
        return ENOMEM;
    }
    int error = posix_spawn_file_actions_adddup2(&files, config, STDIN_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&files, answer, STDOUT_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&files, said, STDERR_FILENO);
    if (body >= 0) {
        error = error != 0 ? error : posix_spawn_file_actions_adddup2(&files, body, FETCH_BODY_FD);
    }
    (void)posix_spawnattr_setsigmask(&attributes, &fetcher->before);
    (void)posix_spawnattr_setsigdefault(&attributes, &usual);
    (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    error = error != 0 ? error : posix_spawnp(ret_pid, arguments[0], &files, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return error;
}

static void fetch_close(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void fetch_begin(struct fetcher *fetcher, const struct fetch_call *call, struct fetching *ret)
{
    int ends[2] = {-1, -1};
    int config = -1;
    int body = -1;
    *ret = (struct fetching){.pid = -1, .answer = -1, .said = -1};
    fetcher_take_signal(fetcher);
    if (fetcher->signal != 0) {
        return;
    }
    config = fetch_config(fetcher, call);
    body = call->body_bytes > 0 ? fetch_body(call->body_bytes) : -1;
    ret->said = fetch_memory("said", TEXT_LITERAL(""));
    ret->begun_ns = timestamp_now_ns();
    ret->began_ns = timestamp_monotonic_ns();
    int error = errno;
    if (config >= 0 && ret->said >= 0 && (body >= 0 || call->body_bytes == 0) && pipe2(ends, O_CLOEXEC) == 0) {
        error = fetch_spawn(fetcher, config, ends[1], ret->said, body, &ret->pid);
        ret->pid = error == 0 ? ret->pid : -1;
    }
    if (ret->pid < 0 && ret->said >= 0) {
        dprintf(ret->said, "%s", error == ENOENT ? FETCH_NO_CURL : strerror(error));
    }
    ret->answer = ends[0];
    fetch_close(ends[1]);
    fetch_close(config);
    fetch_close(body);
}

/* Reads what curl gives until its end. False: a signal came, the time or the room is up, and curl is to be ended. */
static bool fetch_read(struct fetcher *fetcher, const struct fetching *fetching, struct buffer *answer)
{
    struct pollfd both[2] = {{.fd = fetching->answer, .events = POLLIN}, {.fd = fetcher->signals, .events = POLLIN}};
    uint64_t end_ns = fetching->began_ns + (FETCH_LIMIT_S + FETCH_GRACE_S) * FETCH_NS_PER_S;
    for (;;) {
        uint64_t now_ns = timestamp_monotonic_ns();
        int wait_ms = now_ns < end_ns ? (int)((end_ns - now_ns) / 1000000 + 1) : 0;
        int ready = poll(both, 2, wait_ms);
        if (ready == 0 || (ready < 0 && errno != EINTR)) {
            return false;
        }
        if (ready > 0 && both[1].revents != 0) {
            fetcher_take_signal(fetcher);
        }
        if (fetcher->signal != 0) {
            return false;
        }
        if (ready < 0 || both[0].revents == 0) {
            continue;
        }
        char part[FETCH_READ_BYTES];
        ssize_t bytes = read(fetching->answer, part, sizeof part);
        if (bytes <= 0) {
            return bytes == 0;
        }
        buffer_append(answer, part, (size_t)bytes);
        if (answer->failed) {
            return false;
        }
    }
}

static int fetch_wait(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void fetch_print_safely(char *z)
{
    for (; *z != '\0'; z++) {
        *z = *z >= ' ' && *z <= '~' ? *z : '?';
    }
}

/* What curl said: its complaint, and of the first certificate, the server's own, when it ends. */
static void fetch_read_said(const struct fetching *fetching, struct fetched *fetched)
{
    static const char expires[] = "Expire date:";
    bool is_first = true;
    char *said = calloc(1, FETCH_READ_BYTES);
    ssize_t bytes = said != NULL ? pread(fetching->said, said, FETCH_READ_BYTES - 1, 0) : -1;
    char *rest = said;
    for (char *line = bytes > 0 ? strsep(&rest, "\n") : NULL; line != NULL; line = strsep(&rest, "\n")) {
        if (strncmp(line, expires, sizeof expires - 1) == 0) {
            is_first = is_first && !fetch_time(line + sizeof expires - 1, &fetched->certificate_end_s);
        } else if (fetched->said[0] == '\0' && (fetching->pid < 0 || strncmp(line, "curl: (", 7) == 0)) {
            snprintf(fetched->said, sizeof fetched->said, "%s", line);
            fetch_print_safely(fetched->said);
        }
    }
    free(said);
}

/* Status, head and body of the last answer: others, of codes below 200, may stand before it. */
static void fetch_split(struct fetched *fetched)
{
    struct text rest = {fetched->answer.data, fetched->answer.bytes};
    do {
        const char *end = memmem(rest.data, rest.bytes, "\r\n\r\n", 4);
        char line[64] = "";
        if (rest.bytes < 5 || memcmp(rest.data, "HTTP/", 5) != 0 || end == NULL) {
            return;
        }
        memcpy(line, rest.data, rest.bytes < sizeof line ? rest.bytes : sizeof line - 1);
        const char *space = strchr(line, ' ');
        fetched->status = space != NULL ? (int)strtol(space + 1, NULL, 10) : 0;
        fetched->head = (struct text){rest.data, (size_t)(end - rest.data) + 2};
        rest = (struct text){end + 4, rest.bytes - fetched->head.bytes - 2};
    } while (fetched->status >= 100 && fetched->status < 200);
    fetched->body = rest;
}

void fetch_end(struct fetcher *fetcher, struct fetching *fetching, struct fetched *ret)
{
    *ret = (struct fetched){.curl = -1, .begun_ns = fetching->begun_ns};
    buffer_init(&ret->answer, FETCH_ANSWER_BYTES_MAX);
    if (fetching->pid >= 0) {
        if (!fetch_read(fetcher, fetching, &ret->answer)) {
            (void)kill(fetching->pid, SIGTERM);
        }
        ret->curl = fetch_wait(fetching->pid);
        ret->curl = ret->answer.failed ? 0 : ret->curl; /* the rest of a long answer is not wanted */
    }
    ret->ended_ns = timestamp_now_ns();
    if (fetching->said >= 0) {
        fetch_read_said(fetching, ret);
    }
    if (ret->answer.bytes > 0) {
        fetch_split(ret);
    }
    if (ret->curl != 0 && ret->said[0] == '\0') {
        snprintf(ret->said, sizeof ret->said, "curl ended before its answer");
    }
    fetch_close(fetching->answer);
    fetch_close(fetching->said);
    *fetching = (struct fetching){.pid = -1, .answer = -1, .said = -1};
}

void fetch(struct fetcher *fetcher, const struct fetch_call *call, struct fetched *ret)
{
    struct fetching fetching;
    fetch_begin(fetcher, call, &fetching);
    fetch_end(fetcher, &fetching, ret);
}

void fetched_clear(struct fetched *fetched)
{
    buffer_clear(&fetched->answer);
    fetched->head = (struct text){NULL, 0};
    fetched->body = (struct text){NULL, 0};
}

static void fetch_copy_value(struct text line, size_t colon, char ret[FETCH_HEADER_BYTES_MAX])
{
    size_t begin = colon + 1;
    while (begin < line.bytes && line.data[begin] == ' ') {
        begin++;
    }
    snprintf(ret, FETCH_HEADER_BYTES_MAX, "%.*s", (int)(line.bytes - begin), line.data + begin);
    fetch_print_safely(ret);
}

unsigned fetched_header(const struct fetched *fetched, const char *name, char ret[FETCH_HEADER_BYTES_MAX])
{
    unsigned count = 0;
    size_t name_bytes = strlen(name);
    struct text rest = fetched->head;
    const char *end;
    ret[0] = '\0';
    while (rest.bytes > 0 && (end = memmem(rest.data, rest.bytes, "\r\n", 2)) != NULL) {
        struct text line = {rest.data, (size_t)(end - rest.data)};
        if (line.bytes > name_bytes && line.data[name_bytes] == ':' && strncasecmp(line.data, name, name_bytes) == 0 &&
            count++ == 0) {
            fetch_copy_value(line, name_bytes, ret);
        }
        rest = (struct text){end + 2, rest.bytes - line.bytes - 2};
    }
    return count;
}

bool fetch_time(const char *z, uint64_t *ret_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%b %d %H:%M:%S %Y GMT"};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct tm tm = {0};
        const char *end = strptime(z, forms[i], &tm);
        time_t s = end != NULL && *end == '\0' ? timegm(&tm) : -1;
        if (s >= 0) {
            *ret_s = (uint64_t)s;
            return true;
        }
    }
    return false;
}
