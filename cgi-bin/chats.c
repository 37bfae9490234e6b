/*
 * The program a web server starts: FastCGI responder if its standard input is a listening socket, CGI otherwise.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config.h"
#include "base/crypto.h"
#include "base/log.h"
#include "http/transport.h"
#include "http/worker.h"
#include "store/store.h"

/* A file of the home that got descriptor 2 would have the log written into it. */
static bool standard_descriptors_open(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            return false;
        }
    }
    return true;
}

/* Reads the configuration and opens the home's store; NULL, with the reason logged, if that cannot be. */
static struct store *home_open(const char *program, struct config *config)
{
    char home[PATH_MAX] = "";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct store *store = NULL;
    if (!config_find_home(program, home, problem)) {
        config_defaults(config, home);
        log_error("%s", problem);
        return NULL;
    }
    if (!config_load(config, home, problem)) {
        log_error("%s", problem);
        config_clear(config);
        config_defaults(config, home);
        return NULL;
    }
    log_set_format(config->log_format);
    log_set_level(config->log_level);
    enum store_status status = store_open(config, &store, problem);
    if (status != STORE_OK) {
        log_error("cannot open the home (%s): %s", store_status_name(status), problem);
        return NULL;
    }
    return store;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        puts(PACKAGE_STRING);
        return EXIT_SUCCESS;
    }
    worker_hold_signals();
    umask(077);
    if (!standard_descriptors_open()) {
        return EXIT_FAILURE;
    }

    /* Read at the start: after an upgrade the link names a file that is gone, and renewal is to execute the new one. */
    char program[PATH_MAX];
    ssize_t program_bytes = readlink("/proc/self/exe", program, sizeof program - 1);
    if (program_bytes < 0) {
        log_error("cannot find out the program's own path");
        return EXIT_FAILURE;
    }
    program[program_bytes] = '\0';
    if (!crypto_init()) {
        log_error("there is no source of random bytes");
        return EXIT_FAILURE;
    }

    struct config config;
    struct store *store = home_open(program, &config);
    int status = EXIT_SUCCESS;
    enum worker_end end = WORKER_STOPPED;
    if (transport_is_cgi()) {
        status = worker_run_cgi(&config, store);
    } else {
        end = worker_run_fastcgi(&config, store, STDIN_FILENO);
    }
    store_close(store);
    config_clear(&config);

    if (end == WORKER_RENEW) {
        execv(program, argv);
        log_error("cannot execute the program anew");
        status = EXIT_FAILURE;
    }
    return status;
}
