#include "http/setup_code.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50u

__attribute__((format(printf, 2, 3))) static enum setup_code_state refuse(char problem[CONFIG_PROBLEM_BYTES_MAX],
                                                                          const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(problem, CONFIG_PROBLEM_BYTES_MAX, format, args);
    va_end(args);
    return SETUP_CODE_REFUSED;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct text trimmed(struct text t)
{
    while (t.bytes > 0 && is_blank(t.data[0])) {
        t.data++;
        t.bytes--;
    }
    while (t.bytes > 0 && is_blank(t.data[t.bytes - 1])) {
        t.bytes--;
    }
    return t;
}

/* Takes the first line off, without the blanks around it. */
static struct text take_line(struct text *t)
{
    const char *end = t->bytes > 0 ? memchr(t->data, '\n', t->bytes) : NULL;
    size_t bytes = end ? (size_t)(end - t->data) : t->bytes;
    struct text line = {t->data, bytes};
    size_t taken = end ? bytes + 1 : bytes;
    t->data += taken;
    t->bytes -= taken;
    return trimmed(line);
}

/* The words of the second line. False: there is another one. */
static bool parse_options(struct text line, struct setup_code *ret)
{
    while (line.bytes > 0) {
        struct text word = {line.data, 0};
        while (word.bytes < line.bytes && !is_blank(word.data[word.bytes])) {
            word.bytes++;
        }
        if (text_equal(word, TEXT_LITERAL("allow-http"))) {
            ret->allows_http = true;
        } else if (text_equal(word, TEXT_LITERAL("add-account"))) {
            ret->adds_account = true;
        } else {
            return false;
        }
        line = trimmed((struct text){line.data + word.bytes, line.bytes - word.bytes});
    }
    return true;
}

bool setup_code_parse(struct text content, struct setup_code *ret, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    static const char mark[] = "\xEF\xBB\xBF"; /* what some editors put before UTF-8 */
    const size_t placeholder_bytes = sizeof SETUP_CODE_PLACEHOLDER - 1;
    if (content.bytes >= 3 && memcmp(content.data, mark, 3) == 0) {
        content.data += 3;
        content.bytes -= 3;
    }
    struct text code = take_line(&content);
    struct text options = take_line(&content);
    if (code.bytes >= placeholder_bytes && memcmp(code.data, SETUP_CODE_PLACEHOLDER, placeholder_bytes) == 0) {
        refuse(problem, "The file %s still has the line that it came with: put a code of your own there.",
               SETUP_CODE_FILE);
        return false;
    }
    if (code.bytes < SETUP_CODE_BYTES_MIN) {
        refuse(problem, "The code in the file %s is too short: its first line must have %u characters or more.",
               SETUP_CODE_FILE, SETUP_CODE_BYTES_MIN);
        return false;
    }
    ret->allows_http = false;
    ret->adds_account = false;
    if (!parse_options(options, ret)) {
        refuse(problem, "The second line of the file %s may have the words allow-http and add-account, and no other.",
               SETUP_CODE_FILE);
        return false;
    }
    crypto_token_digest(code, ret->digest);
    return true;
}

/* The reason why a file is not taken; NULL if it is. */
static const char *code_wrong(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        return "it is not a plain file";
    }
    if (st.st_uid != geteuid()) {
        return "it belongs to another user than the one that the program runs as";
    }
    if ((st.st_mode & 022) != 0) {
        return "others may write it: set its permissions to 600";
    }
    return (size_t)st.st_size > SETUP_CODE_FILE_BYTES_MAX ? "it is too long" : NULL;
}

enum setup_code_state setup_code_open(const char *folder, struct setup_code *ret,
                                      char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char content[SETUP_CODE_FILE_BYTES_MAX];
    *ret = (struct setup_code){.fd = -1};
    snprintf(ret->path, sizeof ret->path, "%s/" SETUP_CODE_FILE, folder);
    ret->fd = open(ret->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (ret->fd < 0 && errno == ENOENT) {
        return SETUP_CODE_ABSENT;
    }
    if (ret->fd < 0) {
        return refuse(problem, "The file %s cannot be read: %s.", SETUP_CODE_FILE, strerror(errno));
    }
    const char *wrong = code_wrong(ret->fd);
    if (wrong) {
        return refuse(problem, "The file %s is not taken: %s.", SETUP_CODE_FILE, wrong);
    }
    ssize_t bytes = pread(ret->fd, content, sizeof content, 0);
    if (bytes < 0) {
        return refuse(problem, "The file %s cannot be read: %s.", SETUP_CODE_FILE, strerror(errno));
    }
    bool taken = setup_code_parse((struct text){content, (size_t)bytes}, ret, problem);
    crypto_wipe(content, sizeof content);
    return taken ? SETUP_CODE_READY : SETUP_CODE_REFUSED;
}

static void pause_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        ;
    }
}

enum setup_code_try setup_code_try(struct setup_code *code, struct text given)
{
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    struct stat st;
    pause_ms(SETUP_CODE_PAUSE_MS);
    crypto_token_digest(trimmed(given), digest);
    if (!crypto_equal(digest, code->digest, sizeof digest)) {
        return SETUP_CODE_WRONG;
    }
    for (unsigned waited_ms = 0; flock(code->fd, LOCK_EX | LOCK_NB) != 0; waited_ms += POLL_MS) {
        if (waited_ms >= SETUP_CODE_TURN_MS) {
            return SETUP_CODE_BUSY;
        }
        pause_ms(POLL_MS);
    }
    if (fstat(code->fd, &st) != 0 || st.st_nlink == 0) {
        return SETUP_CODE_USED;
    }
    return SETUP_CODE_RIGHT;
}

bool setup_code_remove(const struct setup_code *code)
{
    return unlink(code->path) == 0;
}

void setup_code_close(struct setup_code *code)
{
    if (code->fd >= 0) {
        close(code->fd);
        code->fd = -1;
    }
}
