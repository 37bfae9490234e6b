#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/config.h"
#include "base/crypto.h"
#include "bdb/gate.h"
#include "ctl/doctor.h"
#include "ctl/temporary.h"

#define HOST_HOME "home"
#define HOST_WORKERS "workers"
#define HOST_ELSEWHERE "run it on the server, as root or as the home's owner"
#define HOST_PROBE "doctor-probe-"
#define HOST_PROBE_BYTES 32u /* of its content, hexadecimal digits */
#define HOST_ADDRESS_BYTES_MAX (3 * PATH_MAX + 32)
#define HOST_STALE_MAX 64u

/* --- the home in the web root */

/* `name` as it stands in a URL: RFC 3986 section 2.1. */
static void host_escape(const char *name, char *ret, size_t ret_bytes)
{
    size_t bytes = 0;
    for (; *name != '\0' && bytes + 4 < ret_bytes; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = c < 0x80 && (isalnum(c) || strchr("/-._~", c) != NULL);
        bytes += (size_t)snprintf(ret + bytes, ret_bytes - bytes, plain ? "%c" : "%%%02X", c);
    }
    ret[bytes] = '\0';
}

/* Whether base + path is answered with the probe's content. */
static bool host_is_served(struct doctor *doctor, const char *base, const char *path, const char *content)
{
    struct fetched fetched;
    fetch(&doctor->fetcher, &(struct fetch_call){.url = base, .path = path}, &fetched);
    bool served = fetched.curl == 0 && text_equal(fetched.body, text_of(content));
    fetched_clear(&fetched);
    return served;
}

/*
 * The addresses that a file of the home would have where one of the folders above it is a document root, below the host
 * or below the mount, or a user's own pages (mod_userdir). True, with the one in `ret`: it is served.
 */
static bool host_find_served(struct doctor *doctor, const char *probe, const char *content, char ret[],
                             size_t ret_bytes)
{
    static const char pages[] = "/public_html/";
    char origin[URL_ORIGIN_BYTES_MAX];
    char path[HOST_ADDRESS_BYTES_MAX];
    url_origin(&doctor->url, origin);
    const char *bases[] = {origin, doctor->mount};
    size_t bases_count = doctor->url.path[0] != '\0' ? 2 : 1;
    for (const char *below = strrchr(probe, '/'); below != NULL;) {
        host_escape(below, path, sizeof path);
        for (size_t i = 0; i < bases_count; i++) {
            if (host_is_served(doctor, bases[i], path, content)) {
                snprintf(ret, ret_bytes, "%s%s", bases[i], path);
                return true;
            }
        }
        below = below > probe ? memrchr(probe, '/', (size_t)(below - probe)) : NULL;
    }
    const char *own = strstr(probe, pages);
    const char *user = own != NULL ? memrchr(probe, '/', (size_t)(own - probe)) : NULL;
    if (user != NULL) {
        char own_pages[PATH_MAX];
        snprintf(own_pages, sizeof own_pages, "/~%.*s/%s", (int)(own - user - 1), user + 1, own + sizeof pages - 1);
        host_escape(own_pages, path, sizeof path);
        if (host_is_served(doctor, origin, path, content)) {
            snprintf(ret, ret_bytes, "%s%s", origin, path);
            return true;
        }
    }
    return false;
}

static void host_hexadecimal(char ret[HOST_PROBE_BYTES + 1])
{
    for (size_t i = 0; i < HOST_PROBE_BYTES; i += 16) {
        snprintf(ret + i, 17, "%016llx", (unsigned long long)crypto_random_u64());
    }
}

void doctor_check_home(struct doctor *doctor)
{
    char prefix[PATH_MAX];
    char content[HOST_PROBE_BYTES + 1];
    char served[URL_BYTES_MAX + HOST_ADDRESS_BYTES_MAX];
    char home[PATH_MAX];
    struct temporary probe = TEMPORARY_NONE;
    if (!doctor->home_is_ours || realpath(doctor->home, home) == NULL) {
        report_skip(HOST_HOME, HOST_ELSEWHERE);
        return;
    }
    host_hexadecimal(content);
    if ((size_t)snprintf(prefix, sizeof prefix, "%s/" HOST_PROBE, home) >= sizeof prefix) {
        errno = ENAMETOOLONG;
    } else if (temporary_make_file(&probe, prefix) &&
               write(probe.fd, content, HOST_PROBE_BYTES) == (ssize_t)HOST_PROBE_BYTES) {
        if (host_find_served(doctor, probe.path, content, served, sizeof served)) {
            report_wrong(&doctor->report, HOST_HOME, "anybody may fetch its files: %s was answered", served);
            report_say(
                "Take all that is in it as read by others. End the web server, move it, name its new place where");
            report_say(
                "the server's configuration has CHATS_HOME, and give the accounts new secrets (account passwd):");
            report_line("mv '%s' '%s/lib/chats-home'", home, CHATS_LOCALSTATEDIR);
        } else if (doctor->fetcher.signal == 0) {
            report_ok(HOST_HOME, "the web server does not give out the files of %s", home);
        }
        temporary_remove(&probe);
        return;
    }
    report_skip(HOST_HOME, "cannot make a file in %s: %s", home, strerror(errno));
    temporary_remove(&probe);
}

/* --- workers of an older build */

struct host_worker {
    long pid;
    char file[PATH_MAX]; /* what it runs, and what is no longer what it was */
};

/* A line of /proc/PID/maps, proc(5). *ret_name: a view of the line, "" if the mapping is of no file. */
static bool host_read_map(char *line, char ret_modes[5], dev_t *ret_device, unsigned long *ret_inode,
                          const char **ret_name)
{
    unsigned major = 0;
    unsigned minor = 0;
    int name = 0;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%*x-%*x %4s %*x %x:%x %lu %n", ret_modes, &major, &minor, ret_inode, &name) != 4) {
        return false;
    }
    *ret_device = makedev(major, minor);
    *ret_name = name > 0 ? line + name : "";
    return true;
}

/* Whether the file that a process runs is another one now, seen from where it runs. */
static bool host_exe_is_replaced(long pid, char ret[PATH_MAX])
{
    char path[PATH_MAX + 32];
    struct stat runs;
    struct stat named;
    snprintf(path, sizeof path, "/proc/%ld/exe", pid);
    ssize_t bytes = readlink(path, ret, PATH_MAX - 1);
    if (bytes <= 0 || stat(path, &runs) != 0) {
        return false;
    }
    ret[bytes] = '\0';
    snprintf(path, sizeof path, "/proc/%ld/root%s", pid, ret);
    return stat(path, &named) != 0 || named.st_dev != runs.st_dev || named.st_ino != runs.st_ino;
}

/*
 * Whether the process has the gate open, and with it the home. *ret_stale: and runs what is no longer installed: the
 * program or a library of it; ret_file names it then.
 */
static bool host_uses(long pid, const struct stat *gate, const char *gate_path, bool *ret_stale,
                      char ret_file[PATH_MAX])
{
    static const char deleted[] = " (deleted)";
    char path[64];
    char *line = NULL;
    size_t capacity = 0;
    bool uses = false;
    *ret_stale = false;
    snprintf(path, sizeof path, "/proc/%ld/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps != NULL && getline(&line, &capacity, maps) > 0) {
        char modes[5] = "";
        dev_t device = 0;
        unsigned long inode = 0;
        const char *name = "";
        if (!host_read_map(line, modes, &device, &inode, &name)) {
            continue;
        }
        size_t bytes = strlen(name);
        /* Some file systems have other device numbers there than in stat(2). */
        uses = uses || (inode == gate->st_ino && (device == gate->st_dev || strcmp(name, gate_path) == 0));
        if (!*ret_stale && modes[2] == 'x' && name[0] == '/' && bytes > sizeof deleted &&
            strcmp(name + bytes - (sizeof deleted - 1), deleted) == 0) {
            *ret_stale = true;
            snprintf(ret_file, PATH_MAX, "%s", name);
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    free(line);
    if (uses && !*ret_stale) {
        *ret_stale = host_exe_is_replaced(pid, ret_file);
    }
    return uses;
}

/* How many processes use the home; the stale ones among them, up to HOST_STALE_MAX, in `stale`. */
static unsigned host_find_workers(const char *home, struct host_worker *stale, unsigned *ret_stale)
{
    char gate_path[PATH_MAX + sizeof GATE_FILE];
    struct stat gate;
    unsigned count = 0;
    *ret_stale = 0;
    snprintf(gate_path, sizeof gate_path, "%s/" GATE_FILE, home);
    DIR *processes = stat(gate_path, &gate) == 0 ? opendir("/proc") : NULL;
    const struct dirent *entry;
    while (processes != NULL && (entry = readdir(processes)) != NULL) {
        char *end = NULL;
        bool is_stale = false;
        long pid = strtol(entry->d_name, &end, 10);
        struct host_worker *worker = &stale[*ret_stale];
        if (pid <= 0 || *end != '\0' || !host_uses(pid, &gate, gate_path, &is_stale, worker->file)) {
            continue;
        }
        count++;
        if (is_stale && *ret_stale + 1 < HOST_STALE_MAX) {
            worker->pid = pid;
            ++*ret_stale;
        }
    }
    if (processes != NULL) {
        closedir(processes);
    }
    return count;
}

static void host_say_stale(struct doctor *doctor, const struct host_worker *stale, unsigned stale_count, unsigned count)
{
    report_wrong(&doctor->report, HOST_WORKERS, "%u of %u processes of the home run what is no longer installed",
                 stale_count, count);
    for (unsigned i = 0; i < stale_count; i++) {
        report_say("process %ld: %s", stale[i].pid, stale[i].file);
    }
    report_say("They are of before an upgrade. Each ends in good order, and its server starts another:");
    fputs("           kill", stdout);
    for (unsigned i = 0; i < stale_count; i++) {
        printf(" %ld", stale[i].pid);
    }
    putchar('\n');
    report_say("Or all of them:");
    report_restart(&doctor->report);
}

void doctor_check_workers(struct doctor *doctor)
{
    char home[PATH_MAX];
    unsigned stale_count = 0;
    if (!doctor->home_is_ours || realpath(doctor->home, home) == NULL) {
        report_skip(HOST_WORKERS, HOST_ELSEWHERE);
        return;
    }
    struct host_worker *stale = calloc(HOST_STALE_MAX, sizeof *stale);
    if (stale == NULL) {
        report_skip(HOST_WORKERS, "%s", strerror(ENOMEM));
        return;
    }
    unsigned count = host_find_workers(home, stale, &stale_count);
    if (stale_count > 0) {
        host_say_stale(doctor, stale, stale_count, count);
    } else if (count == 0) {
        report_ok(HOST_WORKERS, "none has the home open at the moment");
    } else {
        report_ok(HOST_WORKERS, "%u process%s of the home, of the program that is installed", count,
                  count == 1 ? "" : "es");
    }
    free(stale);
}
