#include "ctl/secret.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/commands.h"

struct text secret_text(const struct secret *secret)
{
    return (struct text){secret->bytes, secret->count};
}

void secret_clear(struct secret *secret)
{
    crypto_wipe(secret, sizeof *secret);
}

static int secret_read_failed(void)
{
    return command_fail("cannot read the secret: %s", strerror(errno));
}

/* Up to the end of the line or of the input. `signals` is a signalfd(2) whose signals end it, or -1. */
static bool secret_read_line(struct secret *ret, int signals)
{
    bool only_one = signals < 0;
    ret->count = 0;
    bool ended = false;
    while (!ended && ret->count < sizeof ret->bytes) {
        struct pollfd waits[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        if (poll(waits, 2, -1) < 0) {
            return secret_read_failed() == 0;
        }
        if (waits[1].revents != 0) {
            return command_fail("interrupted") == 0;
        }
        /* Byte by byte on a terminal, where the next line is another answer. */
        size_t room = only_one ? sizeof ret->bytes - ret->count : 1;
        ssize_t bytes = read(STDIN_FILENO, ret->bytes + ret->count, room);
        if (bytes < 0) {
            return secret_read_failed() == 0;
        }
        ret->count += (size_t)bytes;
        ended = bytes == 0 || (!only_one && ret->bytes[ret->count - 1] == '\n');
    }
    if (ret->count > 0 && ret->bytes[ret->count - 1] == '\n') {
        ret->count--;
    }
    if (memchr(ret->bytes, '\n', ret->count) != NULL) {
        (void)command_fail("one line is expected on standard input");
        return false;
    }
    return true;
}

/*
 * Reads a line without echo. The signals that end or stop a program wait until the terminal is as it was before: they
 * are blocked, a signalfd(2) tells of them, and they take effect where the mask is restored. (A handler that interrupts
 * read(2) would lose a signal that comes just before the read.)
 */
static bool secret_ask(const char *prompt, struct secret *ret)
{
    sigset_t numbers;
    sigset_t old_mask;
    struct termios old_mode;
    if (tcgetattr(STDIN_FILENO, &old_mode) != 0) {
        return command_fail("cannot use the terminal: %s", strerror(errno)) == 0;
    }
    sigemptyset(&numbers);
    sigaddset(&numbers, SIGINT);
    sigaddset(&numbers, SIGTERM);
    sigaddset(&numbers, SIGHUP);
    sigaddset(&numbers, SIGQUIT);
    sigaddset(&numbers, SIGTSTP);
    int signals = signalfd(-1, &numbers, SFD_CLOEXEC);
    if (signals < 0) {
        return secret_read_failed() == 0;
    }
    struct termios mode = old_mode;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    pthread_sigmask(SIG_BLOCK, &numbers, &old_mask);
    bool done = tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode) == 0;
    if (done) {
        fputs(prompt, stderr);
        done = secret_read_line(ret, signals);
        fputc('\n', stderr);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old_mode);
    }
    close(signals);
    pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
    return done;
}

static bool secret_is_password(const struct secret *secret)
{
    struct text t = secret_text(secret);
    if (t.bytes < CRYPTO_PASSWORD_BYTES_MIN || t.bytes > CRYPTO_PASSWORD_BYTES_MAX || !text_is_utf8(t) ||
        memchr(t.data, '\0', t.bytes) != NULL) {
        (void)command_fail("a secret is %u to %u bytes of UTF-8 without U+0000", CRYPTO_PASSWORD_BYTES_MIN,
                           CRYPTO_PASSWORD_BYTES_MAX);
        return false;
    }
    return true;
}

bool secret_read_password(struct secret *ret)
{
    if (!isatty(STDIN_FILENO)) {
        return secret_read_line(ret, -1) && secret_is_password(ret);
    }
    struct secret again = {.count = 0};
    bool good = secret_ask("Secret: ", ret) && secret_is_password(ret) && secret_ask("The same again: ", &again);
    if (good && !text_equal(secret_text(ret), secret_text(&again))) {
        (void)command_fail("the two are not the same");
        good = false;
    }
    secret_clear(&again);
    return good;
}

bool secret_read_token(struct secret *ret)
{
    return isatty(STDIN_FILENO) ? secret_ask("Token: ", ret) : secret_read_line(ret, -1);
}
