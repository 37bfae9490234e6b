#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "bdb/gate.h"
#include "ctl/doctor.h"

#define WORKERS "workers"
#define WORKER_STALE_MAX 64u

struct worker {
    long pid;
    char file[PATH_MAX]; /* what it runs, and what is no longer what it was */
};

/* A line of /proc/PID/maps, proc(5). *ret_name: a view of the line, "" if the mapping is of no file. */
static bool worker_read_map(char *line, char ret_modes[5], dev_t *ret_device, unsigned long *ret_inode,
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
static bool worker_exe_is_replaced(long pid, char ret[PATH_MAX])
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
    if (stat(path, &named) != 0) {
        return errno == ENOENT || errno == ENOTDIR; /* else it may be there, where we may not look */
    }
    return named.st_dev != runs.st_dev || named.st_ino != runs.st_ino;
}

/*
 * Whether the process has the gate open, and with it the home. *ret_stale: and runs what is no longer installed: the
 * program or a library of it; ret_file names it then.
 */
static bool worker_uses(long pid, const struct stat *gate, const char *gate_path, bool *ret_stale,
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
        if (!worker_read_map(line, modes, &device, &inode, &name)) {
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
        *ret_stale = worker_exe_is_replaced(pid, ret_file);
    }
    return uses;
}

/* How many processes use the home; the stale ones among them, up to WORKER_STALE_MAX, in `stale`. */
static unsigned worker_find_all(const char *home, struct worker *stale, unsigned *ret_stale)
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
        struct worker *worker = &stale[*ret_stale];
        if (pid <= 0 || *end != '\0' || !worker_uses(pid, &gate, gate_path, &is_stale, worker->file)) {
            continue;
        }
        count++;
        if (is_stale && *ret_stale + 1 < WORKER_STALE_MAX) {
            worker->pid = pid;
            ++*ret_stale;
        }
    }
    if (processes != NULL) {
        closedir(processes);
    }
    return count;
}

static void worker_say_stale(struct doctor *doctor, const struct worker *stale, unsigned stale_count, unsigned count)
{
    report_wrong(&doctor->report, WORKERS, "%u of %u processes of the home run what is no longer installed",
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
        report_skip(&doctor->report, WORKERS, DOCTOR_ELSEWHERE, doctor->home);
        return;
    }
    struct worker *stale = calloc(WORKER_STALE_MAX, sizeof *stale);
    if (stale == NULL) {
        report_skip(&doctor->report, WORKERS, "%s", strerror(ENOMEM));
        return;
    }
    unsigned count = worker_find_all(home, stale, &stale_count);
    if (stale_count > 0) {
        worker_say_stale(doctor, stale, stale_count, count);
    } else if (count == 0) {
        report_ok(WORKERS, "none has the home open at the moment");
    } else {
        report_ok(WORKERS, "%u process%s of the home, of the program that is installed", count, count == 1 ? "" : "es");
    }
    free(stale);
}
