#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define KI (UINT64_C(1) << 10)
#define MI (UINT64_C(1) << 20)
#define GI (UINT64_C(1) << 30)

#define PROGRAM_HOME_FILE "chats.home"
#define BESIDE_PATH_BYTES_MAX (PATH_MAX + 16)

bool config_refuse(char problem[CONFIG_PROBLEM_BYTES_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, CONFIG_PROBLEM_BYTES_MAX, format, args);
    va_end(args);
    return false;
}

static char *trim(char *z)
{
    while (isspace((unsigned char)*z)) {
        z++;
    }
    size_t bytes = strlen(z);
    while (bytes > 0 && isspace((unsigned char)z[bytes - 1])) {
        z[--bytes] = '\0';
    }
    return z;
}

/* `from` says where the name was found, as the problem's subject. */
static bool accept_home(const char *name, const char *from, char ret_home[PATH_MAX],
                        char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    size_t bytes = strlen(name);
    if (name[0] != '/') {
        return config_refuse(problem, "the home that %s names is not an absolute path: \"%s\"", from, name);
    }
    while (bytes > 1 && name[bytes - 1] == '/') {
        bytes--;
    }
    if (bytes >= PATH_MAX) {
        return config_refuse(problem, "the home that %s names is too long a path", from);
    }
    memcpy(ret_home, name, bytes);
    ret_home[bytes] = '\0';
    return true;
}

enum beside { BESIDE_FOUND, BESIDE_NONE, BESIDE_REFUSED };

/* The path of the file beside the program, with `suffix`. False: the program has no folder. */
static bool path_beside(const char *program, const char *suffix, char ret[BESIDE_PATH_BYTES_MAX])
{
    const char *slash = strrchr(program, '/');
    if (!slash || slash - program >= PATH_MAX) {
        return false;
    }
    snprintf(ret, BESIDE_PATH_BYTES_MAX, "%.*s/" PROGRAM_HOME_FILE "%s", (int)(slash - program), program, suffix);
    return true;
}

/* The first line of the file beside the program, if there is one. */
static enum beside home_beside(const char *program, char ret_home[PATH_MAX], char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char path[BESIDE_PATH_BYTES_MAX];
    if (!path_beside(program, "", path)) {
        return BESIDE_NONE;
    }
    FILE *file = fopen(path, "re");
    if (!file) {
        if (errno == ENOENT) {
            return BESIDE_NONE;
        }
        config_refuse(problem, "cannot read \"%s\": %s", path, strerror(errno));
        return BESIDE_REFUSED;
    }
    enum beside found = BESIDE_REFUSED;
    char *line = NULL;
    size_t capacity = 0;
    if (getline(&line, &capacity, file) < 0) {
        config_refuse(problem, "\"%s\" is empty: its first line must name the home", path);
    } else if (accept_home(trim(line), path, ret_home, problem)) {
        found = BESIDE_FOUND;
    }
    free(line);
    fclose(file);
    return found;
}

bool config_find_home(const char *program, char ret_home[PATH_MAX], char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    const char *named = getenv("CHATS_HOME");
    if (named && named[0] != '\0') {
        return accept_home(named, "CHATS_HOME", ret_home, problem);
    }
    switch (home_beside(program, ret_home, problem)) {
    case BESIDE_FOUND:
        return true;
    case BESIDE_REFUSED:
        return false;
    case BESIDE_NONE:
        break;
    }
    return accept_home(CHATS_LOCALSTATEDIR "/lib/chats", "the build", ret_home, problem);
}

bool config_home_is_named(const char *program)
{
    char path[BESIDE_PATH_BYTES_MAX];
    const char *named = getenv("CHATS_HOME");
    return (named && named[0] != '\0') || (path_beside(program, "", path) && access(path, F_OK) == 0);
}

bool config_name_home(const char *program, const char *home)
{
    char path[BESIDE_PATH_BYTES_MAX];
    char draft[BESIDE_PATH_BYTES_MAX];
    if (!path_beside(program, "", path) || !path_beside(program, ".new", draft)) {
        errno = ENOENT;
        return false;
    }
    FILE *file = fopen(draft, "we");
    if (!file) {
        return false;
    }
    bool written = fprintf(file, "%s\n", home) > 0;
    written = fflush(file) == 0 && fsync(fileno(file)) == 0 && written;
    written = fclose(file) == 0 && written;
    return written && rename(draft, path) == 0;
}

void config_defaults(struct config *c, const char *home)
{
    *c = (struct config){
        .auth = CONFIG_AUTH_REQUIRED,
        .threads = 16,
        .body_bytes_max = 512 * KI,
        .limit_max = 1000,
        .cache_bytes = 32 * MI,
        .checkpoint_bytes = 16 * MI,
        .checkpoint_s = 60,
        .keep_logs = false,
        .metrics = CONFIG_METRICS_LOOPBACK,
        .log_format = LOG_FORMAT_TEXT,
        .log_level = LOG_LEVEL_WARNING,
        .password_memory_bytes = 19 * MI,
        .password_passes = 2,
    };
    /* Without links: the kernel names the home's files so, and recovery looks for them (/proc/self/maps). */
    if (!realpath(home, c->home)) {
        snprintf(c->home, sizeof c->home, "%s", home);
    }
}

enum value_kind { VALUE_COUNT, VALUE_SIZE, VALUE_WORD, VALUE_ORIGINS, VALUE_PROXIES };

/* One key: a number from min to max, or one of `words`, whose index is the value. */
struct key {
    const char *name;
    enum value_kind kind;
    uint64_t min;
    uint64_t max;
    const char *words[5]; /* NULL ends them */
    void (*set)(struct config *c, uint64_t value);
};

static void set_auth(struct config *c, uint64_t value)
{
    c->auth = value == 0 ? CONFIG_AUTH_REQUIRED : CONFIG_AUTH_OPEN;
}

static void set_threads(struct config *c, uint64_t value)
{
    c->threads = (unsigned)value;
}

static void set_body(struct config *c, uint64_t value)
{
    c->body_bytes_max = (size_t)value;
}

static void set_limit(struct config *c, uint64_t value)
{
    c->limit_max = (unsigned)value;
}

static void set_cache(struct config *c, uint64_t value)
{
    c->cache_bytes = value;
}

static void set_checkpoint_bytes(struct config *c, uint64_t value)
{
    c->checkpoint_bytes = value;
}

static void set_checkpoint_seconds(struct config *c, uint64_t value)
{
    c->checkpoint_s = (unsigned)value;
}

static void set_keep_logs(struct config *c, uint64_t value)
{
    c->keep_logs = value == 1;
}

static void set_metrics(struct config *c, uint64_t value)
{
    c->metrics = (enum config_metrics)value;
}

static void set_log_calls(struct config *c, uint64_t value)
{
    c->log_calls = value == 1;
}

static void set_log_format(struct config *c, uint64_t value)
{
    c->log_format = (enum log_format)value;
}

static void set_log_level(struct config *c, uint64_t value)
{
    c->log_level = (enum log_level)value;
}

static void set_password_memory(struct config *c, uint64_t value)
{
    c->password_memory_bytes = value;
}

static void set_password_passes(struct config *c, uint64_t value)
{
    c->password_passes = (unsigned)value;
}

static const struct key keys[] = {
    {"auth", VALUE_WORD, 0, 0, {"required", "open"}, set_auth},
    {"threads", VALUE_COUNT, 1, 256, {NULL}, set_threads},
    {"max_body", VALUE_SIZE, 1024, 64 * MI, {NULL}, set_body},
    {"max_limit", VALUE_COUNT, 1, 1000, {NULL}, set_limit},
    {"cache", VALUE_SIZE, MI, 4 * GI, {NULL}, set_cache},
    {"checkpoint_bytes", VALUE_SIZE, 256 * KI, GI, {NULL}, set_checkpoint_bytes},
    {"checkpoint_seconds", VALUE_COUNT, 1, 86400, {NULL}, set_checkpoint_seconds},
    {"keep_logs", VALUE_WORD, 0, 0, {"no", "yes"}, set_keep_logs},
    {"metrics", VALUE_WORD, 0, 0, {"loopback", "service", "off"}, set_metrics},
    {"log_level", VALUE_WORD, 0, 0, {"error", "warning", "info", "debug"}, set_log_level},
    {"log_calls", VALUE_WORD, 0, 0, {"no", "yes"}, set_log_calls},
    {"log_format", VALUE_WORD, 0, 0, {"text", "json", "journal"}, set_log_format},
    {"allow_origins", VALUE_ORIGINS, 0, 0, {NULL}, NULL},
    {"password_memory", VALUE_SIZE, 8 * MI, GI, {NULL}, set_password_memory},
    {"password_passes", VALUE_COUNT, 1, 10, {NULL}, set_password_passes},
    {"trusted_proxies", VALUE_PROXIES, 0, 0, {NULL}, NULL},
};

#define KEYS_COUNT (sizeof keys / sizeof keys[0])

/* Digits, and for a size perhaps one of K, M, G, the powers of 1024. False if z is anything else or beyond 64 bits. */
static bool read_number(const char *z, bool is_size, uint64_t *ret)
{
    uint64_t value = 0;
    const char *at = z;
    for (; *at >= '0' && *at <= '9'; at++) {
        if (__builtin_mul_overflow(value, UINT64_C(10), &value) ||
            __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value)) {
            return false;
        }
    }
    if (at == z) {
        return false;
    }
    if (is_size && *at != '\0') {
        uint64_t unit = *at == 'K' ? KI : *at == 'M' ? MI : *at == 'G' ? GI : 0;
        if (unit == 0 || __builtin_mul_overflow(value, unit, &value)) {
            return false;
        }
        at++;
    }
    *ret = value;
    return *at == '\0';
}

/* An origin as browsers send it: scheme://host[:port], RFC 6454 section 6.2. */
static bool is_origin(const char *z)
{
    const char *host = strstr(z, "://");
    if (!host || host == z) {
        return false;
    }
    host += 3;
    if (*host == '\0') {
        return false;
    }
    for (const char *at = z; *at != '\0'; at++) {
        if (*at <= 0x20 || *at >= 0x7f || *at == ',') {
            return false;
        }
    }
    return strpbrk(host, "/?#") == NULL;
}

static bool set_origins(struct config *c, char *value, const char *at, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char *rest = NULL;
    if (strcmp(value, "*") == 0) {
        return true;
    }
    for (char *word = strtok_r(value, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (!is_origin(word)) {
            return config_refuse(problem, "%s: \"%s\" is not an origin like https://www.example.org", at, word);
        }
        if (c->origins_count == CONFIG_ORIGINS_MAX) {
            return config_refuse(problem, "%s: more than %d origins", at, CONFIG_ORIGINS_MAX);
        }
        char *copy = strdup(word);
        if (!copy) {
            return config_refuse(problem, "%s: out of memory", at);
        }
        c->origins[c->origins_count++] = copy;
    }
    return true;
}

static bool set_proxies(struct config *c, char *value, const char *at, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char *rest = NULL;
    for (char *word = strtok_r(value, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (c->trusted_proxies_count == CONFIG_PROXIES_MAX) {
            return config_refuse(problem, "%s: more than %d proxies", at, CONFIG_PROXIES_MAX);
        }
        if (!address_parse(text_of(word), &c->trusted_proxies[c->trusted_proxies_count])) {
            return config_refuse(problem, "%s: \"%s\" is not an IPv4 or IPv6 address", at, word);
        }
        c->trusted_proxies_count++;
    }
    return true;
}

static bool set_value(struct config *c, const struct key *key, char *value, const char *at,
                      char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    uint64_t number = 0;
    switch (key->kind) {
    case VALUE_ORIGINS:
        return set_origins(c, value, at, problem);
    case VALUE_PROXIES:
        return set_proxies(c, value, at, problem);
    case VALUE_WORD:
        while (key->words[number] && strcmp(key->words[number], value) != 0) {
            number++;
        }
        if (!key->words[number]) {
            return config_refuse(problem, "%s: \"%s\" cannot be \"%s\"; it is one of: %s %s %s %s", at, key->name,
                                 value, key->words[0], key->words[1], key->words[2] ? key->words[2] : "",
                                 key->words[2] && key->words[3] ? key->words[3] : "");
        }
        break;
    case VALUE_COUNT:
    case VALUE_SIZE:
        if (!read_number(value, key->kind == VALUE_SIZE, &number) || number < key->min || number > key->max) {
            return config_refuse(problem, "%s: \"%s\" must be a number from %llu to %llu%s, not \"%s\"", at, key->name,
                                 (unsigned long long)key->min, (unsigned long long)key->max,
                                 key->kind == VALUE_SIZE ? " (K, M and G are understood)" : "", value);
        }
        break;
    }
    key->set(c, number);
    return true;
}

/* Cuts a comment: '#' at the start of the line or after a space. */
static void cut_comment(char *line)
{
    for (char *at = line; *at != '\0'; at++) {
        if (*at == '#' && (at == line || isspace((unsigned char)at[-1]))) {
            *at = '\0';
            return;
        }
    }
}

/* One line, of so many bytes. `seen` has a flag for each key. */
static bool read_line(struct config *c, char *line, size_t bytes, unsigned number, bool seen[KEYS_COUNT],
                      char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char at[64];
    bool is_whole = strlen(line) == bytes;
    cut_comment(line);
    char *name = trim(line);
    if (*name == '\0' && is_whole) {
        return true;
    }
    /* Not before: most lines are comments, and a plain CGI run reads them all for each call. */
    snprintf(at, sizeof at, "%s line %u", CONFIG_FILE, number);
    if (!is_whole) {
        return config_refuse(problem, "%s: a byte of value zero", at);
    }
    char *equals = strchr(name, '=');
    if (!equals || equals == name) {
        return config_refuse(problem, "%s: not of the form \"key = value\"", at);
    }
    *equals = '\0';
    name = trim(name);
    for (size_t i = 0; i < KEYS_COUNT; i++) {
        if (strcmp(keys[i].name, name) != 0) {
            continue;
        }
        if (seen[i]) {
            return config_refuse(problem, "%s: \"%s\" is given twice", at, name);
        }
        seen[i] = true;
        return set_value(c, &keys[i], trim(equals + 1), at, problem);
    }
    return config_refuse(problem, "%s: unknown key \"%s\"", at, name);
}

bool config_is_restoring(const char *home)
{
    char path[PATH_MAX + sizeof "/" CONFIG_RESTORING_FILE];
    snprintf(path, sizeof path, "%s/" CONFIG_RESTORING_FILE, home);
    return access(path, F_OK) == 0;
}

bool config_is_made(const char *home)
{
    char path[PATH_MAX + sizeof "/" CONFIG_FILE];
    snprintf(path, sizeof path, "%s/" CONFIG_FILE, home);
    return access(path, F_OK) == 0;
}

static bool config_load_file(struct config *c, const char *home, const char *name,
                             char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    config_defaults(c, home);
    char path[PATH_MAX + sizeof "/" CONFIG_DRAFT_FILE];
    snprintf(path, sizeof path, "%s/%s", c->home, name);
    FILE *file = fopen(path, "re");
    if (!file) {
        if (errno == ENOENT && config_is_restoring(c->home)) {
            return config_refuse(problem, "cannot use the home \"%s\": " CONFIG_RESTORING, c->home);
        }
        if (errno == ENOENT || errno == ENOTDIR) {
            return config_refuse(problem, "not a home of chats, which `chatsctl init` would make: \"%s\"", c->home);
        }
        return config_refuse(problem, "cannot read \"%s\": %s", path, strerror(errno));
    }
    bool loaded = true;
    bool seen[KEYS_COUNT] = {false};
    char *line = NULL;
    size_t capacity = 0;
    ssize_t bytes;
    for (unsigned number = 1; loaded && (bytes = getline(&line, &capacity, file)) >= 0; number++) {
        loaded = read_line(c, line, (size_t)bytes, number, seen, problem);
    }
    if (loaded && !feof(file)) {
        loaded = config_refuse(problem, "cannot read \"%s\": %s", path, strerror(errno));
    }
    free(line);
    fclose(file);
    return loaded;
}

bool config_load(struct config *c, const char *home, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    return config_load_file(c, home, CONFIG_FILE, problem);
}

bool config_load_draft(struct config *c, const char *home, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    return config_load_file(c, home, CONFIG_DRAFT_FILE, problem);
}

void config_clear(struct config *c)
{
    for (size_t i = 0; i < c->origins_count; i++) {
        free(c->origins[i]);
    }
    c->origins_count = 0;
}

const char *config_template(void)
{
    return "# chats.conf: how this home is served. Lines are \"key = value\"; what follows a '#' is a comment.\n"
           "# The commented lines show the defaults. Sizes may end in K, M or G (powers of 1024).\n"
           "# A running worker reads this file when it starts.\n"
           "\n"
           "# Responder threads of a FastCGI worker, 1 to 256. Under mod_fcgid, which hands a process one request at\n"
           "# a time, 1 is enough.\n"
           "#threads = 16\n"
           "\n"
           "# The largest request body, 1024 bytes to 64M. The web server's own limit must not be lower.\n"
           "#max_body = 512K\n"
           "\n"
           "# The most messages in one page, 1 to 1000.\n"
           "#max_limit = 1000\n"
           "\n"
           "# Berkeley DB's page cache, 1M to 4G, shared by all processes of this home.\n"
           "#cache = 32M\n"
           "\n"
           "# A checkpoint is made after so much log (256K to 1G) or so many seconds (1 to 86400).\n"
           "#checkpoint_bytes = 16M\n"
           "#checkpoint_seconds = 60\n"
           "\n"
           "# yes: old log files are never removed.\n"
           "#keep_logs = no\n"
           "\n"
           "# What goes to the web server's error log: error, warning, info or debug.\n"
           "#log_level = warning\n"
           "\n"
           "# yes: also a line for each call: what was called, by whom, with what result, and how long it took. The "
           "web\n"
           "# server has a log of that, too.\n"
           "#log_calls = no\n"
           "\n"
           "# How a line is written: text, json (an object a line) or journal (no time; systemd's journal has it).\n"
           "#log_format = text\n"
           "\n"
           "# Pages of which origins may call: a list by spaces, like https://www.example.org; empty: all.\n"
           "#allow_origins =\n"
           "\n"
           "# What one password hash costs (argon2id): memory, 8M to 1G, and passes over it, 1 to 10. At most two are\n"
           "# made at a time. An account's hash is made anew at its next login when this has changed.\n"
           "#password_memory = 19M\n"
           "#password_passes = 2\n"
           "\n"
           "# Addresses, by spaces, of proxies in front of the web server whose X-Forwarded-For is believed when\n"
           "# failed logins are counted. Name none that others can call from.\n"
           "#trusted_proxies =\n"
           "\n"
           "# Who may read Chats/Metrics: loopback (a service with its token, and whoever calls from this machine),\n"
           "# service (only the former) or off. Say service where strangers use this machine, and behind a reverse\n"
           "# proxy on it that adds no X-Forwarded-For: there everybody seems to call from here.\n"
           "#metrics = loopback\n"
           "\n"
           "# Who may call: required (every chats operation needs a token; this is the default) or open (a call\n"
           "# without a token acts for the namespace that it names).\n";
}
