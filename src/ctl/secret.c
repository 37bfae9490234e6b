#include "ctl/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
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

/* Up to the end of the line or of the input. */
static bool secret_read_line(struct secret *ret, bool only_one)
{
    ret->count = 0;
    bool ended = false;
    while (!ended && ret->count < sizeof ret->bytes) {
        /* Byte by byte on a terminal, where the next line is another answer. */
        size_t room = only_one ? sizeof ret->bytes - ret->count : 1;
        ssize_t bytes = read(STDIN_FILENO, ret->bytes + ret->count, room);
        if (bytes < 0) {
            (void)command_fail("cannot read the secret: %s", strerror(errno));
            return false;
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

/* Does nothing but end the read that it interrupts. */
static void secret_interrupted(int number)
{
    (void)number;
}

/* Reads a line without echo; the terminal is as before when this returns, even if a signal ends the program then. */
static bool secret_ask(const char *prompt, struct secret *ret)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
    enum { NUMBERS = sizeof numbers / sizeof numbers[0] };
    struct sigaction old_actions[NUMBERS];
    const struct sigaction action = {.sa_handler = secret_interrupted};
    struct termios old_mode;
    if (tcgetattr(STDIN_FILENO, &old_mode) != 0) {
        return command_fail("cannot use the terminal: %s", strerror(errno)) == 0;
    }
    struct termios mode = old_mode;
    mode.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
    for (int i = 0; i < NUMBERS; i++) {
        sigaction(numbers[i], &action, &old_actions[i]);
    }
    bool done = tcsetattr(STDIN_FILENO, TCSAFLUSH, &mode) == 0;
    if (done) {
        fputs(prompt, stderr);
        done = secret_read_line(ret, false);
        fputc('\n', stderr);
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &old_mode);
    }
    for (int i = 0; i < NUMBERS; i++) {
        sigaction(numbers[i], &old_actions[i], NULL);
    }
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
        return secret_read_line(ret, true) && secret_is_password(ret);
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
    return isatty(STDIN_FILENO) ? secret_ask("Token: ", ret) : secret_read_line(ret, true);
}
