#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logtail.h"

#include "store/admin.h"
#include "store/internal.h"

#define CHATS 5u
#define LOG_FILE "log.0000000001" /* all fits into the first */
#define TEXT_BYTES_MAX 900u

static void chat_id(unsigned chat, char ret[16])
{
    snprintf(ret, 16, "chat-%u", chat);
}

static void message_id(unsigned chat, unsigned number, char ret[32])
{
    snprintf(ret, 32, "message-%u-%u", chat, number);
}

static struct store *open_home(const char *home, struct config *config, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct store *store = NULL;
    config_defaults(config, home);
    config->cache_bytes = 1u << 20;
    config->checkpoint_bytes = 256u << 10; /* a small ballast: it is made in each case */
    return store_open(config, &store, problem) == STORE_OK ? store : NULL;
}

/* --- making it --- */

static bool send(struct store *store, unsigned chat, unsigned number, uint32_t bytes)
{
    char chat_name[16];
    char id[32];
    char text[TEXT_BYTES_MAX];
    struct message stored;
    chat_id(chat, chat_name);
    message_id(chat, number, id);
    contents_text(text_of(id), bytes, text);
    const struct chat_ref ref = {.namespace = TEXT_LITERAL(CONTENTS_NAMESPACE), .id = text_of(chat_name)};
    const struct message draft = {.id = text_of(id), .author = TEXT_LITERAL("jane"), .text = {text, bytes}};
    return store_message_append(store, &ref, &draft, &stored, NULL) == STORE_OK;
}

static bool make_chats(struct store *store)
{
    struct arena arena = {0};
    bool good = true;
    for (unsigned i = 0; i < CHATS && good; i++) {
        char id[16];
        chat_id(i, id);
        struct text members[] = {text_of(id), TEXT_LITERAL("jane")};
        const struct chat draft = {.id = text_of(id), .members = members, .members_count = 2};
        struct chat made;
        good = store_chat_create(store, TEXT_LITERAL(CONTENTS_NAMESPACE), &draft, &arena, &made, NULL) == STORE_OK;
    }
    arena_clear(&arena);
    return good;
}

/* In a child: a process that has not opened the library yet forks the cases. */
static bool fill(const char *home, bool checkpoint, struct told *told)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    struct store *store = open_home(home, &config, problem);
    bool good = store != NULL && make_chats(store);
    for (unsigned i = 0; i < LOGTAIL_MESSAGES && good; i++) {
        struct told_message *m = &told->messages[i];
        m->chat = i * 7 % 11 % CHATS;
        m->number = i;
        m->bytes = 1 + i * 37 % TEXT_BYTES_MAX;
        good = send(store, m->chat, m->number, m->bytes);
        m->log_end = good ? store->env->gate->page->log_end & UINT32_MAX : 0;
        told->count += good;
    }
    good = good && (!checkpoint || env_checkpoint(store->env, true) == STORE_OK);
    if (!good) {
        fprintf(stderr, "cannot fill the home: %s\n", problem);
    }
    store_close(store);
    config_clear(&config);
    return good;
}

static bool is_shared_memory(const char *name)
{
    return strcmp(name, GATE_FILE) == 0 || strncmp(name, "__db.", 5) == 0;
}

static bool keep_file(struct base *base, const char *folder, const char *name)
{
    char path[192];
    struct stat st;
    snprintf(path, sizeof path, "%s/%.60s", folder, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (base->files_count == LOGTAIL_FILES_MAX || fd < 0 || fstat(fd, &st) != 0) {
        return false;
    }
    struct base_file *file = &base->files[base->files_count++];
    snprintf(file->name, sizeof file->name, "%.60s", name);
    file->size = file->used = (uint64_t)st.st_size;
    file->data = malloc(file->size + 1);
    bool good = file->data != NULL && read(fd, file->data, file->size) == (ssize_t)file->size;
    close(fd);
    while (good && file->used > 0 && file->data[file->used - 1] == '\0') {
        file->used--;
    }
    if (good && strcmp(name, LOG_FILE) == 0) {
        base->log_end = file->used;
    }
    return good;
}

static bool keep_files(struct base *base, const char *home)
{
    DIR *directory = opendir(home);
    const struct dirent *entry;
    bool good = directory != NULL;
    while (good && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.' && !is_shared_memory(entry->d_name)) {
            good = keep_file(base, home, entry->d_name);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
    return good && base->log_end > 0;
}

bool base_make(struct base *base, bool checkpoint)
{
    const char *temporary = getenv("TMPDIR");
    char home[128];
    *base = (struct base){0};
    base->told = mmap(NULL, sizeof *base->told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    snprintf(base->folder, sizeof base->folder, "%.40s/chats-tail-XXXXXX", temporary == NULL ? "/tmp" : temporary);
    if (base->told == MAP_FAILED || mkdtemp(base->folder) == NULL) {
        perror("cannot make a folder");
        return false;
    }
    snprintf(home, sizeof home, "%s/home", base->folder);
    if (mkdir(home, 0700) != 0) {
        perror("cannot make the home");
        return false;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(fill(home, checkpoint, base->told) ? 0 : 1);
    }
    int status = 0;
    bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0 && keep_files(base, home);
    base_remove(home);
    return good && base->told->count == LOGTAIL_MESSAGES;
}

void base_free(struct base *base)
{
    for (unsigned i = 0; i < base->files_count; i++) {
        free(base->files[i].data);
    }
    munmap(base->told, sizeof *base->told);
    if (rmdir(base->folder) != 0) {
        fprintf(stderr, "cannot remove %s\n", base->folder);
    }
}

/* --- one case --- */

static void empty_folder(const char *home)
{
    char path[384];
    DIR *directory = opendir(home);
    const struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", home, entry->d_name);
            unlink(path);
        }
    }
    if (directory != NULL) {
        closedir(directory);
    }
}

void base_remove(const char *home)
{
    empty_folder(home);
    rmdir(home);
}

static bool lay_out_file(const struct base_file *file, const struct damage *damage, const char *home)
{
    char path[192];
    snprintf(path, sizeof path, "%s/%s", home, file->name);
    bool is_log = strcmp(file->name, LOG_FILE) == 0;
    uint64_t size = is_log && !damage->flips ? damage->place : file->size;
    uint64_t used = file->used < size ? file->used : size;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && write(fd, file->data, used) == (ssize_t)used && ftruncate(fd, (off_t)size) == 0;
    if (good && is_log && damage->flips) {
        char byte = (char)(file->data[damage->place] ^ (1 << damage->place % 8));
        good = pwrite(fd, &byte, 1, (off_t)damage->place) == 1;
    }
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

bool base_lay_out(const struct base *base, const struct damage *damage, const char *home)
{
    if (mkdir(home, 0700) != 0 && errno != EEXIST) {
        return false;
    }
    empty_folder(home);
    bool good = true;
    for (unsigned i = 0; i < base->files_count && good; i++) {
        good = lay_out_file(&base->files[i], damage, home);
    }
    return good;
}

struct reading {
    const struct base *base;
    unsigned chat;
    unsigned next;  /* index of the chat's next message in told, or later */
    unsigned last;  /* index behind the last of all that is there */
    unsigned count; /* of all */
    struct verdict *verdict;
};

static bool wrong(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool wrong(struct verdict *verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->sentence, sizeof verdict->sentence, format, arguments);
    va_end(arguments);
    verdict->outcome = LOGTAIL_WRONG;
    return false;
}

static bool read_message(void *context, const struct message *m)
{
    struct reading *r = context;
    const struct told *told = r->base->told;
    char id[32];
    while (r->next < told->count && told->messages[r->next].chat != r->chat) {
        r->next++;
    }
    if (r->next == told->count) {
        return wrong(r->verdict, "chat %u holds more than it was sent", r->chat);
    }
    message_id(r->chat, told->messages[r->next].number, id);
    if (!text_equal(m->id, text_of(id)) || m->text.bytes != told->messages[r->next].bytes ||
        !contents_text_is_right(m->id, m->text)) {
        return wrong(r->verdict, "'%.*s' stands where '%s' was sent", (int)m->id.bytes, m->id.data, id);
    }
    r->next++;
    r->count++;
    r->last = r->next > r->last ? r->next : r->last;
    return true;
}

/* False: not all could be read, or it is wrong (the verdict says so then). */
static enum store_status read_all(struct store *store, struct reading *r)
{
    enum store_status status = STORE_OK;
    for (r->chat = 0; r->chat < CHATS && status == STORE_OK; r->chat++) {
        char id[16];
        chat_id(r->chat, id);
        r->next = 0;
        status = contents_read(store, text_of(id), read_message, r);
        if (status == STORE_NOT_FOUND) {
            status = STORE_OK;
        }
    }
    return status;
}

/* How many messages must be there: those whose commit ended before the place. */
static unsigned undamaged(const struct base *base, const struct damage *damage)
{
    unsigned n = 0;
    while (n < base->told->count && base->told->messages[n].log_end <= damage->place) {
        n++;
    }
    return n;
}

static void judge_contents(const struct base *base, const struct damage *damage, const struct reading *r,
                           struct verdict *ret)
{
    unsigned least = undamaged(base, damage);
    if (ret->outcome == LOGTAIL_WRONG) {
        return;
    }
    if (r->last != r->count) {
        (void)wrong(ret, "%u messages are there, but not the first %u", r->count, r->last);
    } else if (r->count < least) {
        (void)wrong(ret, "%u messages are there, and %u were committed before the damage", r->count, least);
    } else {
        ret->outcome = LOGTAIL_OPENED;
    }
}

/* The home takes a new message and checks clean. */
static void judge_further(struct store *store, const struct reading *r, struct verdict *ret)
{
    struct store_check check = {0};
    if (store_check(store, &check) != STORE_OK || check.problems != 0 || check.messages != r->count) {
        (void)wrong(ret, "it does not check clean: %u messages, %u problems", (unsigned)check.messages,
                    (unsigned)check.problems);
    } else if (r->count > 0 && !send(store, r->base->told->messages[0].chat, LOGTAIL_MESSAGES, 100)) {
        (void)wrong(ret, "it takes no new message");
    }
}

/* The last line that was logged, without its time and process. */
static void last_line(int fd, char ret[LOGTAIL_SENTENCE_BYTES])
{
    char log[8192];
    ssize_t bytes = pread(fd, log, sizeof log - 1, 0);
    ret[0] = '\0';
    if (bytes <= 0) {
        return;
    }
    log[bytes] = '\0';
    char *line = log;
    for (char *rest = strchr(line, '\n'); rest != NULL && rest[1] != '\0'; rest = strchr(line, '\n')) {
        line = rest + 1;
    }
    const char *words = strstr(line, "] ");
    snprintf(ret, LOGTAIL_SENTENCE_BYTES, "%.*s", (int)strcspn(words ? words + 2 : line, "\n"),
             words ? words + 2 : line);
}

void base_judge(const struct base *base, const struct damage *damage, const char *home, struct verdict *ret)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config config;
    int log_fd = memfd_create("log", MFD_CLOEXEC);
    if (log_fd < 0 || dup2(log_fd, STDERR_FILENO) < 0) {
        (void)wrong(ret, "no log");
        return;
    }
    struct store *store = open_home(home, &config, problem);
    if (store == NULL) {
        (void)wrong(ret, "%s", problem);
        return;
    }
    struct reading reading = {.base = base, .verdict = ret};
    enum store_status status = read_all(store, &reading);
    if (status != STORE_OK) {
        ret->outcome = LOGTAIL_REFUSED;
        last_line(log_fd, ret->sentence);
    } else {
        judge_contents(base, damage, &reading, ret);
    }
    if (ret->outcome == LOGTAIL_OPENED) {
        judge_further(store, &reading, ret);
    }
    store_close(store);
}
