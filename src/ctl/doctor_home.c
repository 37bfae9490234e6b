#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "ctl/doctor.h"
#include "ctl/temporary.h"

#define HOME "home"
#define HOME_PROBE "doctor-probe-"
#define HOME_PROBE_BYTES 32u /* of its content, hexadecimal digits */
#define HOME_ADDRESS_BYTES_MAX (3 * PATH_MAX + 32)

enum home_seen { HOME_UNSEEN, HOME_UNKNOWN, HOME_GUARDED, HOME_SERVED };

/* A file in the home, and what the web server says when it is asked for. */
struct home_probe {
    struct doctor *doctor;
    struct temporary file;
    char content[HOME_PROBE_BYTES + 1];
    enum home_seen seen;
    char address[URL_BYTES_MAX + HOME_ADDRESS_BYTES_MAX]; /* where, if it is HOME_GUARDED or HOME_SERVED */
    char said[FETCH_SAID_BYTES_MAX];                      /* why it is HOME_UNKNOWN */
};

/* `name` as it stands in a URL: RFC 3986 section 2.1. */
static void home_escape(const char *name, char *ret, size_t ret_bytes)
{
    size_t bytes = 0;
    for (; *name != '\0' && bytes + 4 < ret_bytes; name++) {
        unsigned char c = (unsigned char)*name;
        bool plain = c < 0x80 && (isalnum(c) || strchr("/-._~", c) != NULL);
        bytes += (size_t)snprintf(ret + bytes, ret_bytes - bytes, plain ? "%c" : "%%%02X", c);
    }
    ret[bytes] = '\0';
}

/* The status of base + name; *ret_served: the probe's content came. 0: no answer came, and `said` has why. */
static int home_ask(struct home_probe *probe, const char *base, const char *name, bool *ret_served)
{
    char path[HOME_ADDRESS_BYTES_MAX];
    struct fetched fetched;
    home_escape(name, path, sizeof path);
    fetch(&probe->doctor->fetcher, &(struct fetch_call){.url = base, .path = path}, &fetched);
    *ret_served = fetched.curl == 0 && text_equal(fetched.body, text_of(probe->content));
    if (fetched.curl != 0) {
        memcpy(probe->said, fetched.said, sizeof probe->said);
    }
    int status = fetched.curl == 0 ? fetched.status : 0;
    fetched_clear(&fetched);
    return status;
}

/*
 * Asks for base + name. Where that is forbidden and the same name in a folder that is not there is not found, the
 * server looks there, and only the modes of files are in its way. False: nothing more is to be asked for.
 */
static bool home_try(struct home_probe *probe, const char *base, const char *name)
{
    bool served = false;
    const char *last = strrchr(name, '/');
    int status = home_ask(probe, base, name, &served);
    if (status == 0) {
        probe->seen = HOME_UNKNOWN;
    } else if (served) {
        probe->seen = HOME_SERVED;
    } else if (status == 403 && last > name) {
        char other[PATH_MAX + HOME_PROBE_BYTES];
        snprintf(other, sizeof other, "%.*s-%.8s%s", (int)(last - name), name, probe->content, last);
        probe->seen = home_ask(probe, base, other, &served) == 404 ? HOME_GUARDED : HOME_UNSEEN;
    }
    if (probe->seen != HOME_UNSEEN) {
        snprintf(probe->address, sizeof probe->address, "%s%s", base, name);
    }
    return probe->seen == HOME_UNSEEN;
}

/* What the probe is called in a user's own pages: mod_userdir. False: it does not lie there. */
static bool home_user_name(const char *path, char ret[PATH_MAX])
{
    static const char pages[] = "/public_html/";
    const char *own = strstr(path, pages);
    const char *user = own != NULL ? memrchr(path, '/', (size_t)(own - path)) : NULL;
    if (user == NULL) {
        return false;
    }
    snprintf(ret, PATH_MAX, "/~%.*s/%s", (int)(own - user - 1), user + 1, own + sizeof pages - 1);
    return true;
}

/* The addresses that the probe has where one of the folders above it is what the host, or the mount, gives out. */
static void home_look(struct home_probe *probe)
{
    char origin[URL_ORIGIN_BYTES_MAX];
    char name[PATH_MAX];
    const char *path = probe->file.path;
    const char *below = path + strlen(path);
    url_origin(&probe->doctor->url, origin);
    while (below > path && (below = memrchr(path, '/', (size_t)(below - path))) != NULL) {
        if (!home_try(probe, origin, below) ||
            (probe->doctor->url.path[0] != '\0' && !home_try(probe, probe->doctor->mount, below))) {
            return;
        }
    }
    if (home_user_name(path, name)) {
        (void)home_try(probe, origin, name);
    }
}

static void home_say_seen(const struct home_probe *probe, const char *home)
{
    struct report *report = &probe->doctor->report;
    if (probe->seen == HOME_SERVED) {
        report_wrong(report, HOME, "anybody may fetch its files: %s was answered", probe->address);
        report_say(
            "Take all that is in it as read by others. End the web server, move it, name its new place where the");
        report_say("server's configuration has CHATS_HOME, and give the accounts new secrets (account passwd):");
    } else {
        report_wrong(report, HOME, "it lies where the web server looks for files: %s is forbidden", probe->address);
        report_say("Only the modes of its files are in the way. End the web server, move it, and name its new place");
        report_say("where the server's configuration has CHATS_HOME:");
    }
    report_line("mv '%s' '%s/lib/chats-home'", home, CHATS_LOCALSTATEDIR);
}

static void home_say(const struct home_probe *probe, const char *home)
{
    switch (probe->seen) {
    case HOME_UNSEEN:
        report_ok(HOME, "the web server does not give out the files of %s", home);
        return;
    case HOME_UNKNOWN:
        report_skip(&probe->doctor->report, HOME, "%s: %s", probe->address, probe->said);
        return;
    case HOME_GUARDED:
    case HOME_SERVED:
        home_say_seen(probe, home);
        return;
    }
}

static bool home_make_probe(struct home_probe *probe, const char *home)
{
    char prefix[PATH_MAX];
    for (size_t i = 0; i < HOME_PROBE_BYTES; i += 16) {
        snprintf(probe->content + i, 17, "%016llx", (unsigned long long)crypto_random_u64());
    }
    if ((size_t)snprintf(prefix, sizeof prefix, "%s/" HOME_PROBE, home) >= sizeof prefix) {
        errno = ENAMETOOLONG;
        return false;
    }
    return temporary_make_file(&probe->file, prefix) &&
           write(probe->file.fd, probe->content, HOME_PROBE_BYTES) == (ssize_t)HOME_PROBE_BYTES;
}

void doctor_check_home(struct doctor *doctor)
{
    char home[PATH_MAX];
    if (!doctor->home_is_ours || realpath(doctor->home, home) == NULL) {
        report_skip(&doctor->report, HOME, DOCTOR_ELSEWHERE, doctor->home);
        return;
    }
    struct home_probe *probe = calloc(1, sizeof *probe);
    if (probe == NULL) {
        report_skip(&doctor->report, HOME, "%s", strerror(errno));
        return;
    }
    probe->doctor = doctor;
    probe->file = TEMPORARY_NONE;
    if (home_make_probe(probe, home)) {
        home_look(probe);
        if (doctor->fetcher.signal == 0) {
            home_say(probe, home);
        }
    } else {
        report_skip(&doctor->report, HOME, "cannot make a file in %s: %s", home, strerror(errno));
    }
    temporary_remove(&probe->file);
    free(probe);
}
