/* Unit tests of base/config and base/log, each in a folder of its own. A test's name is a rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/config.h"
#include "base/log.h"
#include "base/text.h"
#include "base/timestamp.h"

#define T(literal) TEXT_LITERAL(literal)
#define COUNT(array) (sizeof(array) / sizeof(array)[0])

/* config: *state is a private folder */

static void path_in(char path[PATH_MAX], const char *folder, const char *name)
{
    assert_true(snprintf(path, PATH_MAX, "%s/%s", folder, name) < PATH_MAX);
}

static void file_write(const char *folder, const char *name, struct text content)
{
    char path[PATH_MAX];
    path_in(path, folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(content.data, 1, content.bytes, file), content.bytes);
    assert_int_equal(fclose(file), 0);
}

static bool load(const char *home, const char *content, struct config *c, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    file_write(home, CONFIG_FILE, text_of(content));
    problem[0] = '\0';
    return config_load(c, home, problem);
}

static void assert_defaults(const struct config *c)
{
    assert_int_equal(c->auth, CONFIG_AUTH_REQUIRED);
    assert_int_equal(c->threads, 16);
    assert_int_equal(c->body_bytes_max, 524288);
    assert_int_equal(c->limit_max, 1000);
    assert_int_equal(c->cache_bytes, 33554432);
    assert_int_equal(c->checkpoint_bytes, 16777216);
    assert_int_equal(c->checkpoint_s, 60);
    assert_false(c->keep_logs);
    assert_int_equal(c->metrics, CONFIG_METRICS_LOOPBACK);
    assert_int_equal(c->log_level, LOG_LEVEL_WARNING);
    assert_false(c->log_calls);
    assert_int_equal(c->log_format, LOG_FORMAT_TEXT);
    assert_int_equal(c->origins_count, 0);
    assert_int_equal(c->password_memory_bytes, 19 << 20);
    assert_int_equal(c->password_passes, 2);
    assert_int_equal(c->trusted_proxies_count, 0);
}

static void an_empty_chats_conf_means_the_defaults(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    assert_true(load(home, "", &c, problem));
    assert_defaults(&c);
    assert_string_equal(c.home, home);
    config_clear(&c);
    assert_true(load(home, "\n  \t\n# auth = open\n   # threads = 3", &c, problem));
    assert_defaults(&c);
    config_clear(&c);
}

static void the_template_says_the_defaults(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    assert_true(load(home, config_template(), &c, problem));
    assert_defaults(&c);
    config_clear(&c);

    /* With its commented settings switched on it says the same, and names every key but auth. */
    char text[8192] = "";
    size_t settings = 0;
    const char *line = config_template();
    while (*line != '\0') {
        size_t bytes = strcspn(line, "\n");
        if (line[0] == '#' && line[1] != ' ') {
            assert_true(strlen(text) + bytes < sizeof text);
            strncat(text, line + 1, bytes);
            settings++;
        }
        line += bytes + 1;
    }
    assert_int_equal(settings, 15);
    assert_true(load(home, text, &c, problem));
    assert_defaults(&c);
    config_clear(&c);
    assert_non_null(strstr(config_template(), "required"));
    /* chatsctl init writes its auth line behind it. */
    assert_int_equal(config_template()[strlen(config_template()) - 1], '\n');
}

static void every_key_is_read(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    assert_true(load(home,
                     "auth = open\n"
                     "threads=4 # for mod_fcgid\n"
                     "  max_body\t= 1M  \n"
                     "max_limit = 10\r\n"
                     "cache = 2G\n"
                     "checkpoint_bytes = 256K\n"
                     "checkpoint_seconds = 5\n"
                     "keep_logs = yes\n"
                     "metrics = off\n"
                     "log_level = debug\n"
                     "log_calls = yes\n"
                     "log_format = json\n"
                     "allow_origins = https://a.example http://localhost:8080\n"
                     "password_memory = 64M\n"
                     "password_passes = 3\n"
                     "trusted_proxies = 10.0.0.1\t2001:db8::1\n",
                     &c, problem));
    assert_int_equal(c.auth, CONFIG_AUTH_OPEN);
    assert_int_equal(c.threads, 4);
    assert_int_equal(c.body_bytes_max, 1048576);
    assert_int_equal(c.limit_max, 10);
    assert_int_equal(c.cache_bytes, UINT64_C(2147483648));
    assert_int_equal(c.checkpoint_bytes, 262144);
    assert_int_equal(c.checkpoint_s, 5);
    assert_true(c.keep_logs);
    assert_int_equal(c.metrics, CONFIG_METRICS_OFF);
    assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
    assert_true(c.log_calls);
    assert_int_equal(c.log_format, LOG_FORMAT_JSON);
    assert_int_equal(c.origins_count, 2);
    assert_string_equal(c.origins[0], "https://a.example");
    assert_string_equal(c.origins[1], "http://localhost:8080");
    assert_int_equal(c.password_memory_bytes, 67108864);
    assert_int_equal(c.password_passes, 3);
    struct address proxy;
    assert_int_equal(c.trusted_proxies_count, 2);
    assert_true(address_parse(T("10.0.0.1"), &proxy));
    assert_true(address_equal(&c.trusted_proxies[0], &proxy));
    assert_true(address_parse(T("2001:db8:0::1"), &proxy));
    assert_true(address_equal(&c.trusted_proxies[1], &proxy));
    config_clear(&c);
    assert_int_equal(c.origins_count, 0);
}

static void values_are_allowed_up_to_their_edges(void **state)
{
    static const char *const allowed[] = {
        "threads = 1",
        "threads = 256",
        "max_body = 1024",
        "max_body = 1K",
        "max_body = 67108864",
        "max_body = 64M",
        "max_limit = 1",
        "max_limit = 1000",
        "cache = 1M",
        "cache = 4G",
        "checkpoint_bytes = 1G",
        "checkpoint_seconds = 1",
        "checkpoint_seconds = 86400",
        "keep_logs = no",
        "metrics = loopback",
        "metrics = service",
        "log_calls = no",
        "log_format = text",
        "log_format = journal",
        "log_level = error",
        "log_level = warning",
        "log_level = info",
        "allow_origins =",
        "allow_origins = *",
        "auth = required",
        "password_memory = 8M",
        "password_memory = 1G",
        "password_passes = 1",
        "password_passes = 10",
        "trusted_proxies =",
        "trusted_proxies = ::1",
    };
    const char *home = *state;
    for (size_t i = 0; i < COUNT(allowed); i++) {
        struct config c;
        char problem[CONFIG_PROBLEM_BYTES_MAX];
        if (!load(home, allowed[i], &c, problem))
            fail_msg("%s: %s", allowed[i], problem);
        config_clear(&c);
    }
}

static void a_refusal_names_its_line(void **state)
{
    static const char *const refused[] = {
        "colour = red",
        "Auth = open",
        "auth",
        "= open",
        "auth = maybe",
        "auth =",
        "auth = open required",
        "threads = 0",
        "threads = 257",
        "threads = -1",
        "threads = 4K",
        "threads = four",
        "threads =",
        "threads = 1.5",
        "threads = 18446744073709551617",
        "max_body = 1023",
        "max_body = 67108865",
        "max_body = 65M",
        "max_body = 1 M",
        "max_body = 1m",
        "max_body = 1MB",
        "max_body = 17179869185G",
        "max_limit = 0",
        "max_limit = 1001",
        "cache = 1048575",
        "cache = 5G",
        "checkpoint_bytes = 255K",
        "checkpoint_bytes = 2G",
        "checkpoint_seconds = 0",
        "checkpoint_seconds = 86401",
        "keep_logs = true",
        "log_level = loud",
        "allow_origins = example.org",
        "allow_origins = https://example.org/",
        "allow_origins = https://example.org/path",
        "allow_origins = https://",
        "allow_origins = ://x",
        "allow_origins = https://a.example,https://b.example",
        "allow_origins = https://a.example *",
        "password_memory = 8388607",
        "password_memory = 1073741825",
        "password_passes = 0",
        "password_passes = 11",
        "trusted_proxies = proxy.example.org",
        "trusted_proxies = 10.0.0.0/8",
        "trusted_proxies = 10.0.0.1,10.0.0.2",
        "trusted_proxies = 10.0.0.1:80",
        "trusted_proxies = *",
        "max_limit = 5\nmax_limit = 5",
    };
    const char *home = *state;
    for (size_t i = 0; i < COUNT(refused); i++) {
        struct config c;
        char problem[CONFIG_PROBLEM_BYTES_MAX];
        char content[256];
        snprintf(content, sizeof content, "# first\n\n%s\n", refused[i]);
        if (load(home, content, &c, problem))
            fail_msg("%s was allowed", refused[i]);
        const char *line = strchr(refused[i], '\n') ? "chats.conf line 4" : "chats.conf line 3";
        if (!strstr(problem, line))
            fail_msg("%s: \"%s\" does not name the line", refused[i], problem);
        config_clear(&c);
    }
}

static void a_zero_byte_in_chats_conf_is_refused(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    file_write(home, CONFIG_FILE, T("auth = open\0\n"));
    assert_false(config_load(&c, home, problem));
    assert_non_null(strstr(problem, "line 1"));
    config_clear(&c);
}

static void more_origins_than_there_is_room_for_are_refused(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    struct buffer content;
    buffer_init(&content, 4096);
    buffer_append_z(&content, "allow_origins =");
    for (int i = 0; i < CONFIG_ORIGINS_MAX; i++)
        buffer_append_z(&content, " http://a.example");
    file_write(home, CONFIG_FILE, (struct text){content.data, content.bytes});
    assert_true(config_load(&c, home, problem));
    assert_int_equal(c.origins_count, CONFIG_ORIGINS_MAX);
    config_clear(&c);
    buffer_append_z(&content, " http://a.example");
    file_write(home, CONFIG_FILE, (struct text){content.data, content.bytes});
    assert_false(config_load(&c, home, problem));
    buffer_clear(&content);
    assert_non_null(strstr(problem, "line 1"));
    config_clear(&c);
}

static void more_proxies_than_there_is_room_for_are_refused(void **state)
{
    const char *home = *state;
    struct config c;
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    struct buffer content;
    buffer_init(&content, 4096);
    buffer_append_z(&content, "trusted_proxies =");
    for (int i = 0; i < CONFIG_PROXIES_MAX; i++)
        buffer_printf(&content, " 10.0.0.%d", i);
    file_write(home, CONFIG_FILE, (struct text){content.data, content.bytes});
    assert_true(config_load(&c, home, problem));
    assert_int_equal(c.trusted_proxies_count, CONFIG_PROXIES_MAX);
    config_clear(&c);
    buffer_append_z(&content, " 10.0.1.0");
    file_write(home, CONFIG_FILE, (struct text){content.data, content.bytes});
    assert_false(config_load(&c, home, problem));
    buffer_clear(&content);
    assert_non_null(strstr(problem, "line 1"));
    config_clear(&c);
}

static void a_folder_without_chats_conf_is_not_a_home(void **state)
{
    const char *folder = *state;
    char home[PATH_MAX];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct config c;
    path_in(home, folder, "nothing-here");
    assert_false(config_load(&c, home, problem));
    assert_non_null(strstr(problem, "chatsctl init"));
    assert_non_null(strstr(problem, home));
    config_clear(&c);
}

static void the_environment_names_the_home_first(void **state)
{
    const char *folder = *state;
    char program[PATH_MAX];
    char home[PATH_MAX] = "";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    path_in(program, folder, "chats.fcgi");
    file_write(folder, "chats.home", T("/srv/beside\n"));
    assert_int_equal(setenv("CHATS_HOME", "/srv/environment/", 1), 0);
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, "/srv/environment");
    assert_int_equal(setenv("CHATS_HOME", "/", 1), 0);
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, "/");
    assert_int_equal(setenv("CHATS_HOME", "relative/path", 1), 0);
    assert_false(config_find_home(program, home, problem));
    assert_non_null(strstr(problem, "relative/path"));

    char too_long[PATH_MAX + 2];
    memset(too_long, 'a', sizeof too_long - 1);
    too_long[0] = '/';
    too_long[sizeof too_long - 1] = '\0';
    assert_int_equal(setenv("CHATS_HOME", too_long, 1), 0);
    assert_false(config_find_home(program, home, problem));
    too_long[PATH_MAX - 1] = '\0';
    assert_int_equal(setenv("CHATS_HOME", too_long, 1), 0);
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, too_long);
}

static void the_file_beside_the_program_names_it_next(void **state)
{
    const char *folder = *state;
    char program[PATH_MAX];
    char home[PATH_MAX] = "";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    path_in(program, folder, "chats.fcgi");
    assert_int_equal(setenv("CHATS_HOME", "", 1), 0);
    file_write(folder, "chats.home", T("  /srv/beside  \r\n/srv/second\n"));
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, "/srv/beside");
    file_write(folder, "chats.home", T("/srv/unended"));
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, "/srv/unended");
    file_write(folder, "chats.home", T("srv\n"));
    assert_false(config_find_home(program, home, problem));
    assert_non_null(strstr(problem, "chats.home"));
    file_write(folder, "chats.home", T("\n/srv/second\n"));
    assert_false(config_find_home(program, home, problem));
    file_write(folder, "chats.home", T(""));
    assert_false(config_find_home(program, home, problem));
}

static void else_the_home_is_the_builds(void **state)
{
    const char *folder = *state;
    char program[PATH_MAX];
    char home[PATH_MAX] = "";
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    path_in(program, folder, "chats.fcgi");
    assert_int_equal(unsetenv("CHATS_HOME"), 0);
    assert_true(config_find_home(program, home, problem));
    assert_string_equal(home, CHATS_LOCALSTATEDIR "/lib/chats");
}

/* log */

/* What log_error makes of a text, as it arrives on descriptor 2. */
static size_t logged(const char *folder, const char *text, char ret[4096])
{
    char path[PATH_MAX];
    path_in(path, folder, "log");
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int before = dup(STDERR_FILENO);
    assert_true(file >= 0 && before >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    log_error("%s", text);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    ssize_t bytes = pread(file, ret, 4095, 0);
    close(file);
    assert_true(bytes >= 0);
    ret[bytes] = '\0';
    return (size_t)bytes;
}

static void a_log_line_has_time_process_and_level(void **state)
{
    char line[4096];
    char expected[64];
    uint64_t ns;
    logged(*state, "the disk is full", line);
    assert_true(timestamp_parse((struct text){line, TIMESTAMP_BYTES}, &ns));
    snprintf(expected, sizeof expected, " chats[%ld] error: the disk is full\n", (long)getpid());
    assert_string_equal(line + TIMESTAMP_BYTES, expected);
}

static void a_log_line_is_one_line_of_at_most_1000_bytes(void **state)
{
    char line[4096];
    char text[3000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(logged(*state, text, line), 1000);
    assert_int_equal(line[999], '\n');
    assert_null(memchr(line, '\n', 999));
    logged(*state, "one\ntwo\r\x1b[0m", line);
    assert_non_null(strstr(line, "one?two??[0m\n"));
}

static void lines_above_the_level_are_dropped(void **state)
{
    char line[4096];
    log_set_level(LOG_LEVEL_ERROR);
    assert_true(logged(*state, "kept", line) > 0);
    int before = dup(STDERR_FILENO);
    char path[PATH_MAX];
    path_in(path, *state, "log");
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(before >= 0 && file >= 0);
    assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
    log_warning("dropped");
    log_info("dropped");
    log_debug("dropped");
    off_t dropped = lseek(file, 0, SEEK_END);
    log_set_level(LOG_LEVEL_DEBUG);
    log_warning("kept");
    log_info("kept");
    log_debug("kept");
    off_t kept = lseek(file, 0, SEEK_END);
    assert_int_equal(dup2(before, STDERR_FILENO), STDERR_FILENO);
    close(before);
    close(file);
    log_set_level(LOG_LEVEL_WARNING);
    assert_int_equal(dropped, 0);
    assert_true(kept > (off_t)3 * TIMESTAMP_BYTES);
}

static int folder_make(void **state)
{
    const char *parent = getenv("TMPDIR");
    char *folder = malloc(PATH_MAX);
    if (!folder)
        return -1;
    snprintf(folder, PATH_MAX, "%s/chats-test-base.XXXXXX", parent ? parent : "/tmp");
    *state = folder;
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    static const char *const names[] = {CONFIG_FILE, "chats.home", "log"};
    char path[PATH_MAX];
    for (size_t i = 0; i < COUNT(names); i++) {
        path_in(path, *state, names[i]);
        unlink(path);
    }
    int result = rmdir(*state);
    free(*state);
    return result;
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(an_empty_chats_conf_means_the_defaults),
        IN_FOLDER(the_template_says_the_defaults),
        IN_FOLDER(every_key_is_read),
        IN_FOLDER(values_are_allowed_up_to_their_edges),
        IN_FOLDER(a_refusal_names_its_line),
        IN_FOLDER(a_zero_byte_in_chats_conf_is_refused),
        IN_FOLDER(more_origins_than_there_is_room_for_are_refused),
        IN_FOLDER(more_proxies_than_there_is_room_for_are_refused),
        IN_FOLDER(a_folder_without_chats_conf_is_not_a_home),
        IN_FOLDER(the_environment_names_the_home_first),
        IN_FOLDER(the_file_beside_the_program_names_it_next),
        IN_FOLDER(else_the_home_is_the_builds),
        IN_FOLDER(a_log_line_has_time_process_and_level),
        IN_FOLDER(a_log_line_is_one_line_of_at_most_1000_bytes),
        IN_FOLDER(lines_above_the_level_are_dropped),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
