#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/timestamp.h"

#define VARIABLE_BYTES (PATH_MAX + 32)

/* Where a child's standard streams come from; -1: /dev/null. */
struct streams {
    int in_fd;
    int out_fd;
};

static bool is_for_sanitizer(const char *variable)
{
    const char *end = strchr(variable, '=');
    const char *name = "SAN_OPTIONS";
    return end != NULL && (size_t)(end - variable) > strlen(name) &&
           strncmp(end - strlen(name), name, strlen(name)) == 0;
}

/*
 * Runs arguments[0] with CHATS_HOME, CHATS_FAULTS and `extra` (a list ended by NULL, or NULL) for its environment, and
 * what a sanitizer's build is told by ASAN_OPTIONS and its like.
 */
static pid_t fleet_spawn(struct fleet *f, char *const *arguments, struct streams streams, const char *const *extra)
{
    char home[VARIABLE_BYTES];
    char faults[VARIABLE_BYTES];
    snprintf(home, sizeof home, "CHATS_HOME=%s", f->home);
    snprintf(faults, sizeof faults, "CHATS_FAULTS=%s", f->faults == NULL ? "" : f->faults);
    char *environment[24] = {home, (char *)"PATH=/usr/bin:/bin", faults};
    size_t count = f->faults == NULL ? 2 : 3;
    environment[count] = NULL;
    for (; extra != NULL && *extra != NULL && count + 1 < sizeof environment / sizeof *environment; extra++) {
        environment[count++] = (char *)*extra;
        environment[count] = NULL;
    }
    for (char **own = environ; *own != NULL && count + 1 < sizeof environment / sizeof *environment; own++) {
        if (is_for_sanitizer(*own)) {
            environment[count++] = *own;
            environment[count] = NULL;
        }
    }
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    pid_t pid = -1;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    if (posix_spawnattr_init(&attributes) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return -1;
    }
    int e = streams.in_fd >= 0 ? posix_spawn_file_actions_adddup2(&actions, streams.in_fd, 0)
                               : posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    e |= streams.out_fd >= 0 ? posix_spawn_file_actions_adddup2(&actions, streams.out_fd, 1)
                             : posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    e |= posix_spawn_file_actions_adddup2(&actions, f->log_fd, 2);
    e |= posix_spawnattr_setsigmask(&attributes, &none);
    e |= posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (e != 0 || posix_spawn(&pid, arguments[0], &actions, &attributes, arguments, environment) != 0)
        pid = -1;
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static bool fleet_listen(struct fleet *f)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, f->socket_path, strlen(f->socket_path) + 1);
    f->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return f->listen_fd >= 0 && bind(f->listen_fd, (const struct sockaddr *)&address, sizeof address) == 0 &&
           listen(f->listen_fd, 1024) == 0;
}

static bool fleet_add_settings(struct fleet *f, const char *settings)
{
    char path[128];
    snprintf(path, sizeof path, "%s/chats.conf", f->home);
    FILE *file = fopen(path, "ae");
    if (file == NULL)
        return false;
    bool written = fprintf(file, "\n%s", settings) >= 0;
    return fclose(file) == 0 && written;
}

bool fleet_open(struct fleet *f, const char *build, const char *faults, unsigned count, const char *settings,
                char problem[FLEET_PROBLEM_BYTES_MAX])
{
    char absolute[PATH_MAX];
    const char *temporary = getenv("TMPDIR");
    *f = (struct fleet){.listen_fd = -1, .log_fd = -1, .faults = faults, .count = count};
    if (realpath(build, absolute) == NULL) {
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "no build folder %s", build);
        return false;
    }
    snprintf(f->program, sizeof f->program, "%.4000s/cgi-bin/chats.fcgi", absolute);
    snprintf(f->control, sizeof f->control, "%.4000s/chatsctl", absolute);
    /* The socket's path must fit into sockaddr_un: 107 bytes. */
    snprintf(f->root, sizeof f->root, "%.40s/chats-test-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    if (mkdtemp(f->root) == NULL) {
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "cannot make %s: %s", f->root, strerror(errno));
        f->root[0] = '\0';
        return false;
    }
    snprintf(f->home, sizeof f->home, "%s/home", f->root);
    snprintf(f->socket_path, sizeof f->socket_path, "%s/socket", f->root);
    snprintf(f->log_path, sizeof f->log_path, "%s/log", f->root);
    f->log_fd = open(f->log_path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (f->log_fd < 0 || !fleet_listen(f)) {
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "cannot listen in %s: %s", f->root, strerror(errno));
        return false;
    }
    if (fleet_control(f, "init") != 0 || !fleet_add_settings(f, settings)) {
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "chatsctl init failed in %s", f->root);
        return false;
    }
    return true;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)type;
    (void)place;
    return remove(path);
}

void fleet_close(struct fleet *f, bool keep)
{
    for (unsigned i = 0; i < f->count; i++)
        fleet_kill(f, i);
    if (f->page != NULL)
        munmap(f->page, GATE_PAGE_BYTES);
    if (f->listen_fd >= 0)
        close(f->listen_fd);
    if (f->log_fd >= 0)
        close(f->log_fd);
    if (!keep && f->root[0] != '\0' && nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "cannot remove %s\n", f->root);
    f->page = NULL;
    f->listen_fd = f->log_fd = -1;
}

bool fleet_start(struct fleet *f, unsigned slot)
{
    char *arguments[] = {f->program, NULL};
    pid_t pid = fleet_spawn(f, arguments, (struct streams){f->listen_fd, -1}, NULL);
    f->pids[slot] = pid > 0 ? pid : 0;
    return pid > 0;
}

pid_t fleet_start_cgi(struct fleet *f, const char *operation, size_t body_bytes, int in_fd, int out_fd)
{
    char path[96];
    char length[48];
    snprintf(path, sizeof path, "PATH_INFO=/Chats/%s", operation);
    snprintf(length, sizeof length, "CONTENT_LENGTH=%zu", body_bytes);
    const char *const extra[] = {"GATEWAY_INTERFACE=CGI/1.1",
                                 "SERVER_PROTOCOL=HTTP/1.1",
                                 "REQUEST_METHOD=POST",
                                 "SCRIPT_NAME=/chats",
                                 "QUERY_STRING=",
                                 "CONTENT_TYPE=application/json",
                                 path,
                                 length,
                                 NULL};
    char *arguments[] = {f->program, NULL};
    return fleet_spawn(f, arguments, (struct streams){in_fd, out_fd}, extra);
}

int fleet_control(struct fleet *f, const char *command)
{
    bool init = strcmp(command, "init") == 0;
    char *arguments[] = {f->control, (char *)command, init ? (char *)"--auth" : NULL, (char *)"open", NULL};
    pid_t pid = fleet_spawn(f, arguments, (struct streams){-1, f->log_fd}, NULL);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

int fleet_control_words(struct fleet *f, const char *const *words, unsigned wait_ms)
{
    char *arguments[8] = {f->control};
    for (size_t i = 1; *words != NULL && i + 1 < sizeof arguments / sizeof *arguments; words++)
        arguments[i++] = (char *)*words;
    uint64_t deadline_ns = timestamp_monotonic_ns() + wait_ms * UINT64_C(1000000);
    pid_t pid = fleet_spawn(f, arguments, (struct streams){-1, f->log_fd}, NULL);
    int status = 0;
    pid_t ended = 0;
    while (pid > 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0 && timestamp_monotonic_ns() < deadline_ns)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    if (pid > 0 && ended == 0) {
        kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
    }
    return pid > 0 && ended == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool fleet_beside(struct fleet *ret, const struct fleet *f, const char *name, char problem[FLEET_PROBLEM_BYTES_MAX])
{
    *ret = (struct fleet){.listen_fd = -1, .log_fd = fcntl(f->log_fd, F_DUPFD_CLOEXEC, 0), .count = 1};
    memcpy(ret->program, f->program, sizeof ret->program);
    memcpy(ret->control, f->control, sizeof ret->control);
    memcpy(ret->log_path, f->log_path, sizeof ret->log_path);
    snprintf(ret->home, sizeof ret->home, "%s/%.20s", f->root, name);
    snprintf(ret->socket_path, sizeof ret->socket_path, "%s/%.20s.socket", f->root, name);
    unlink(ret->socket_path);
    if (ret->log_fd < 0 || !fleet_listen(ret)) {
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "cannot listen in %s: %s", f->root, strerror(errno));
        return false;
    }
    return true;
}

void fleet_remove(const struct fleet *f, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%.20s", f->root, name);
    if (access(path, F_OK) == 0 && nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "cannot remove %s\n", path);
}

bool fleet_map(struct fleet *f)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->home, GATE_FILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    void *page = mmap(NULL, GATE_PAGE_BYTES, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (page == MAP_FAILED)
        return false;
    f->page = page;
    return true;
}

bool fleet_stop(struct fleet *f, unsigned slot)
{
    siginfo_t info = {.si_pid = 0};
    int pid = f->pids[slot];
    if (pid <= 0 || kill(pid, SIGSTOP) != 0)
        return false;
    if (waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT) != 0 || info.si_code != CLD_STOPPED)
        return false;
    return waitid(P_PID, (id_t)pid, &info, WSTOPPED) == 0;
}

void fleet_continue(struct fleet *f, unsigned slot)
{
    if (f->pids[slot] > 0)
        kill(f->pids[slot], SIGCONT);
}

void fleet_kill(struct fleet *f, unsigned slot)
{
    int pid = f->pids[slot];
    if (pid <= 0)
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    f->pids[slot] = 0;
}

/* How the process that ended with this status ended. */
static void status_tell(int pid, int status, char problem[FLEET_PROBLEM_BYTES_MAX])
{
    if (WIFSIGNALED(status))
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "worker %d died of signal %d", pid, WTERMSIG(status));
    else
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "worker %d left with exit status %d", pid, WEXITSTATUS(status));
}

bool fleet_reap(struct fleet *f, unsigned *slot, char problem[FLEET_PROBLEM_BYTES_MAX])
{
    for (; *slot < f->count; (*slot)++) {
        int status = 0;
        int pid = f->pids[*slot];
        if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid) {
            status_tell(pid, status, problem);
            f->pids[*slot] = 0;
            return true;
        }
    }
    return false;
}

unsigned fleet_leave(struct fleet *f, unsigned wait_ms, char problem[FLEET_PROBLEM_BYTES_MAX])
{
    uint64_t deadline_ns = timestamp_monotonic_ns() + wait_ms * UINT64_C(1000000);
    unsigned failed = 0;
    for (unsigned i = 0; i < f->count; i++)
        if (f->pids[i] > 0)
            kill(f->pids[i], SIGTERM);
    for (unsigned i = 0; i < f->count; i++) {
        int pid = f->pids[i];
        int status = 0;
        pid_t ended = 0;
        while (pid > 0 && (ended = waitpid(pid, &status, WNOHANG)) == 0 && timestamp_monotonic_ns() < deadline_ns)
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        if (ended == pid)
            f->pids[i] = 0;
        if (pid > 0 && ended != pid) {
            snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "worker %d did not leave within %u ms", pid, wait_ms);
            failed++;
        } else if (pid > 0 && status != 0) {
            status_tell(pid, status, problem);
            failed++;
        }
    }
    return failed;
}

int fleet_slot_of(const struct fleet *f, uint32_t pid)
{
    for (unsigned i = 0; i < f->count; i++)
        if (pid != 0 && f->pids[i] == (int)pid)
            return (int)i;
    return -1;
}

bool fleet_owns(const pthread_mutex_t *mutex, pid_t pid)
{
    /* The kernel's side of a robust mutex: the owner's thread id in the lock word (futex(2), "Robust futexes"). */
    unsigned word = (unsigned)__atomic_load_n((const int *)mutex, __ATOMIC_SEQ_CST);
    unsigned owner = word & 0x3fffffffu;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%u", (int)pid, owner);
    return owner != 0 && access(path, F_OK) == 0;
}

bool fleet_joined(const struct fleet *f, pid_t pid)
{
    char path[64];
    char region[128];
    char line[PATH_MAX + 128];
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    snprintf(region, sizeof region, "%s/__db.", f->home);
    FILE *maps = fopen(path, "re");
    bool found = false;
    while (maps != NULL && !found && fgets(line, sizeof line, maps) != NULL)
        found = strstr(line, region) != NULL;
    if (maps != NULL)
        fclose(maps);
    return found;
}

void fleet_show_log(const struct fleet *f)
{
    char tail[4097];
    off_t bytes = lseek(f->log_fd, 0, SEEK_END);
    ssize_t n = pread(f->log_fd, tail, sizeof tail - 1, bytes > 4096 ? bytes - 4096 : 0);
    tail[n > 0 ? n : 0] = '\0';
    fprintf(stderr, "--- the end of %s\n%s---\n", f->log_path, tail);
}

bool fleet_log_find(const struct fleet *f, const char *const *words, char problem[FLEET_PROBLEM_BYTES_MAX])
{
    FILE *log = fopen(f->log_path, "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (log != NULL && !found && getline(&line, &room, log) >= 0) {
        for (const char *const *word = words; *word != NULL && !found; word++) {
            found = strstr(line, *word) != NULL;
        }
    }
    if (found)
        snprintf(problem, FLEET_PROBLEM_BYTES_MAX, "%.*s", (int)strcspn(line, "\n"), line);
    free(line);
    if (log != NULL)
        fclose(log);
    return found;
}
