#include "ctl/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crypto.h"
#include "ctl/commands.h"

/* Whether the home is there for this process to look at, which becomes its owner first. */
static bool doctor_may_use_home(const char *home)
{
    char path[PATH_MAX + sizeof CONFIG_FILE];
    snprintf(path, sizeof path, "%s/%s", home, CONFIG_FILE);
    return command_become_owner(home) && access(home, R_OK | W_OK | X_OK) == 0 && access(path, R_OK) == 0;
}

/* In this order; the builds come before the body, whose size they tell. */
static void doctor_examine(struct doctor *doctor)
{
    static const struct {
        const char *name; /* of the check, where it is not made */
        void (*check)(struct doctor *);
        bool needs_well; /* makes sense only where the service is well */
    } checks[] = {
        {"HTTPS", doctor_check_https, false},    {"Authorization", doctor_check_authorization, true},
        {"builds", doctor_check_builds, true},   {"body limit", doctor_check_body, true},
        {"headers", doctor_check_headers, true}, {"clock", doctor_check_clock, false},
        {"home", doctor_check_home, false},      {"workers", doctor_check_workers, false},
    };
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && doctor->fetcher.signal == 0; i++) {
        if (checks[i].needs_well && doctor->found != DOCTOR_WELL) {
            report_skip(&doctor->report, checks[i].name, DOCTOR_LATER);
        } else {
            checks[i].check(doctor);
        }
    }
}

static int doctor_run(struct doctor *doctor)
{
    doctor_reach(doctor);
    if (doctor->fetcher.signal != 0) {
        return 1;
    }
    if (doctor->found == DOCTOR_NOTHING) {
        (void)command_fail("%s is not reached: %s", doctor->mount, doctor->health.said);
        return 2;
    }
    doctor_examine(doctor);
    report_end(&doctor->report);
    return doctor->report.wrong > 0 ? 1 : 0;
}

int command_doctor(const struct command_context *context, int argc, char **argv)
{
    char problem[URL_PROBLEM_BYTES_MAX] = "";
    struct doctor doctor = {.home = context->home, .found = DOCTOR_NOTHING};
    if (argc != 2) {
        (void)command_fail("usage: chatsctl doctor URL");
        return 2;
    }
    if (!url_parse(argv[1], &doctor.url, problem)) {
        (void)command_fail("%s", problem);
        return 2;
    }
    url_format(&doctor.url, doctor.mount);
    if (!crypto_init()) {
        return command_fail("there is no source of random bytes");
    }
    doctor.home_is_ours = doctor_may_use_home(context->home);
    int exit_status = 2;
    if (fetcher_open(&doctor.fetcher)) {
        exit_status = doctor_run(&doctor);
    } else {
        (void)command_fail("cannot wait for signals: %s", strerror(errno));
    }
    fetched_clear(&doctor.health);
    fetcher_close(&doctor.fetcher);
    return exit_status;
}
