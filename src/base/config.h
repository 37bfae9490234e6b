/*
 * config: where the home is, and what its chats.conf says. All programs read the same file the same way.
 */
#ifndef CHATS_BASE_CONFIG_H
#define CHATS_BASE_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/log.h"

#define CONFIG_FILE "chats.conf"
#define CONFIG_DRAFT_FILE CONFIG_FILE ".new" /* of a home that is being made */
#define CONFIG_RESTORING_FILE "restoring"    /* a home with this file is being restored, or that was broken off */
#define CONFIG_RESTORING "it is being restored, or that was broken off: run 'chatsctl restore' again"
#define CONFIG_ORIGINS_MAX 32
#define CONFIG_PROXIES_MAX 32
#define CONFIG_PROBLEM_BYTES_MAX 512u

enum config_auth { CONFIG_AUTH_REQUIRED, CONFIG_AUTH_OPEN };

/* Who may read Chats.Metrics: a service, and without a token programs of this machine; a service; nobody. */
enum config_metrics { CONFIG_METRICS_LOOPBACK, CONFIG_METRICS_SERVICE, CONFIG_METRICS_OFF };

struct config {
    char home[PATH_MAX];               /* absolute; without symbolic links, if it is there */
    enum config_auth auth;             /* auth = open|required */
    unsigned threads;                  /* threads = 1..256: responder threads of a FastCGI worker */
    size_t body_bytes_max;             /* max_body = 1024..67108864, bytes */
    unsigned limit_max;                /* max_limit = 1..1000, messages a page */
    uint64_t cache_bytes;              /* cache = 1M..4G: Berkeley DB's page cache, shared by all processes */
    uint64_t checkpoint_bytes;         /* checkpoint_bytes = 256K..1G of log between checkpoints */
    unsigned checkpoint_s;             /* checkpoint_seconds = 1..86400 */
    bool keep_logs;                    /* keep_logs = yes|no: never remove old log files */
    enum config_metrics metrics;       /* metrics = loopback|service|off */
    bool log_calls;                    /* log_calls = no|yes: a line for each call */
    enum log_format log_format;        /* log_format = text|json|journal */
    enum log_level log_level;          /* log_level = error|warning|info|debug */
    char *origins[CONFIG_ORIGINS_MAX]; /* allow_origins = a list by spaces; none: any origin ("*"). Owned */
    size_t origins_count;
    uint64_t password_memory_bytes; /* password_memory = 8M..1G: what one password hash takes (argon2id) */
    unsigned password_passes;       /* password_passes = 1..10 */
    /* trusted_proxies = a list by spaces of addresses whose X-Forwarded-For is believed; none by default */
    struct address trusted_proxies[CONFIG_PROXIES_MAX];
    size_t trusted_proxies_count;
};

/* Writes a problem's sentence. Always false, for its caller to give back. */
bool config_refuse(char problem[CONFIG_PROBLEM_BYTES_MAX], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Finds the home: CHATS_HOME in the environment, else the first line of a file "chats.home" beside the program, else
 * $(localstatedir)/lib/chats. Nothing else is taken from the environment. `program` is the program's path.
 * False, with one sentence in `problem`, if the name found is not an absolute path or too long.
 */
bool config_find_home(const char *program, char ret_home[PATH_MAX], char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* True if CHATS_HOME, or the file beside the program, names the home: config_find_home does not take the build's. */
bool config_home_is_named(const char *program) __attribute__((warn_unused_result));

/* Names the home for all later starts: writes the file beside the program, whole or not at all. False: errno says why.
 */
bool config_name_home(const char *program, const char *home) __attribute__((warn_unused_result));

/* The defaults, for the home at `home`. */
void config_defaults(struct config *c, const char *home);

/*
 * Reads home/chats.conf over the defaults. An unknown key, a value out of range or a malformed line is an error that
 * names the line. False, with one sentence in `problem`, then; *c is to be cleared in either case.
 */
bool config_load(struct config *c, const char *home, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* As config_load, but of the CONFIG_DRAFT_FILE. */
bool config_load_draft(struct config *c, const char *home, char problem[CONFIG_PROBLEM_BYTES_MAX])
    __attribute__((warn_unused_result));

/* True if there is a chats.conf in `home`. */
bool config_is_made(const char *home) __attribute__((warn_unused_result));

/* True if the home has the file of one that is being restored. */
bool config_is_restoring(const char *home) __attribute__((warn_unused_result));

/* Frees what config_load allocated. */
void config_clear(struct config *c);

/* The text of a new chats.conf: every key with its default, explained. Lives as long as the program. */
const char *config_template(void);

#endif
