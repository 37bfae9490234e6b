/*
 * What the setup address takes for a code file, a form and a good place, and that its pages escape what they show.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "http/setup.h"
#include "http/setup_code.h"
#include "http/setup_page.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define CODE "sixteen letters!"

struct code_row {
    const char *name;
    const char *content;
    const char *wrong; /* what the sentence says; NULL: taken */
    bool allows_http;
    bool adds_account;
};

static const struct code_row code_rows[] = {
    {"a line is a code", CODE "\n", NULL, false, false},
    {"without its end, too", CODE, NULL, false, false},
    {"as Windows writes it", CODE "\r\n\r\n", NULL, false, false},
    {"with blanks around and a mark before", "\xEF\xBB\xBF " CODE " \n", NULL, false, false},
    {"a second line allows plain HTTP", CODE "\nallow-http\n", NULL, true, false},
    {"as Windows writes it", CODE "\r\nallow-http \r\n", NULL, true, false},
    {"or adds an account", CODE "\nadd-account\n", NULL, false, true},
    {"or both", CODE "\n add-account\tallow-http\r\n", NULL, true, true},
    {"a third line is a comment", CODE "\n\nallow-http\n", NULL, false, false},
    {"a second line of another kind is refused", CODE "\nallow-https\n", "second line", false, false},
    {"also in part", CODE "\nadd-account please\n", "second line", false, false},
    {"an empty file is refused", "", "too short", false, false},
    {"fifteen letters are too short", "fifteen letters\n", "too short", false, false},
    {"and no longer with blanks", "fifteen letters     \n", "too short", false, false},
    {"the line it came with is refused", "REPLACE this line with a code of your own: 16 characters or more\n",
     "came with", false, false},
};

static void test_code(void **state)
{
    const struct code_row *row = *state;
    uint8_t digest[CRYPTO_DIGEST_BYTES];
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct setup_code code;
    bool taken = setup_code_parse(text_of(row->content), &code, problem);
    assert_int_equal(taken, row->wrong == NULL);
    if (row->wrong) {
        assert_non_null(strstr(problem, row->wrong));
        return;
    }
    crypto_token_digest(TEXT_LITERAL(CODE), digest);
    assert_memory_equal(code.digest, digest, sizeof digest);
    assert_int_equal(code.allows_http, row->allows_http);
    assert_int_equal(code.adds_account, row->adds_account);
}

struct form_row {
    const char *name;
    const char *body;
    const char *wrong;
};

static const struct form_row form_rows[] = {
    {"a form is read", "code=c%26d&account=site&secret=12345678&again=12345678", NULL},
    {"fields that nobody knows are passed over", "x=1&code=c%26d&account=site&secret=12345678&again=12345678", NULL},
    {"an account without a name is refused", "code=c&account=&secret=12345678&again=12345678", "name of the account"},
    {"nor may it be missing", "code=c&secret=12345678&again=12345678", "name of the account"},
    {"nor have a control character", "code=c&account=%09&secret=12345678&again=12345678", "name of the account"},
    {"a short secret is refused", "code=c&account=site&secret=1234567&again=1234567", "8 to 1024 bytes"},
    {"two secrets that differ are refused", "code=c&account=site&secret=12345678&again=12345679", "not the same"},
    {"what is no UTF-8 is refused", "code=c&account=%FF&secret=12345678&again=12345678", "could not be read"},
    {"what is no escape is refused", "code=%", "could not be read"},
};

static void test_form(void **state)
{
    const struct form_row *row = *state;
    struct arena arena = {NULL};
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct setup_form form;
    bool taken = setup_read_form(text_of(row->body), &arena, &form, problem);
    assert_int_equal(taken, row->wrong == NULL);
    if (row->wrong) {
        assert_non_null(strstr(problem, row->wrong));
    } else {
        assert_true(text_equal(form.code, TEXT_LITERAL("c&d")));
        assert_true(text_equal(form.account, TEXT_LITERAL("site")));
        assert_true(text_equal(form.secret, TEXT_LITERAL("12345678")));
    }
    arena_clear(&arena);
}

static char *rendered(const struct setup_page *page, bool discards)
{
    struct buffer out;
    buffer_init(&out, SETUP_PAGE_BYTES_MAX);
    setup_page_render(page, discards, &out);
    assert_false(out.failed);
    char *text = strndup(out.data, out.bytes);
    assert_non_null(text);
    buffer_clear(&out);
    return text;
}

static void what_came_from_outside_is_escaped(void **state)
{
    (void)state;
    const struct setup_page page = {.status = 400,
                                    .kind = SETUP_PAGE_FORM,
                                    .message = "<i>",
                                    .account = TEXT_LITERAL("\"><script>alert('&')</script>")};
    char *text = rendered(&page, false);
    assert_non_null(strstr(text, "Status: 400 Bad Request\r\n"));
    assert_non_null(strstr(text, "&lt;i&gt;"));
    assert_non_null(strstr(text, "value=\"&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;\""));
    assert_null(strstr(text, "<script"));
    assert_null(strstr(text, "<i>"));
    free(text);
}

static void the_longest_account_fits(void **state)
{
    (void)state;
    char account[TEXT_ID_BYTES_MAX];
    memset(account, '"', sizeof account);
    const struct setup_page page = {.status = 200, .kind = SETUP_PAGE_FORM, .account = {account, sizeof account}};
    free(rendered(&page, false));
}

static void a_head_has_the_length_and_no_page(void **state)
{
    (void)state;
    char announced[64];
    const struct setup_page page = {.status = 403, .kind = SETUP_PAGE_NO_CODE};
    char *whole = rendered(&page, false);
    char *head = rendered(&page, true);
    const char *body = strstr(whole, "\r\n\r\n");
    assert_non_null(body);
    snprintf(announced, sizeof announced, "Content-Length: %zu\r\n", strlen(body + 4));
    assert_non_null(strstr(head, announced));
    assert_non_null(strstr(head, "Content-Security-Policy: default-src 'none';"));
    assert_int_equal(strlen(head), body + 4 - whole);
    free(whole);
    free(head);
}

/* A private folder; the current one. */
static int enter_folder(void **state)
{
    char folder[] = "/tmp/chats-test_setup-XXXXXX";
    *state = NULL;
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return -1;
    }
    *state = realpath(folder, NULL);
    return *state == NULL ? -1 : 0;
}

static int leave_folder(void **state)
{
    int error = unlink(SETUP_CODE_FILE) != 0 && access(SETUP_CODE_FILE, F_OK) == 0;
    error |= chdir("/") != 0 || rmdir(*state) != 0;
    free(*state);
    return error;
}

static void write_code(mode_t mode)
{
    FILE *file = fopen(SETUP_CODE_FILE, "we");
    assert_non_null(file);
    assert_true(fputs(CODE "\n", file) >= 0);
    assert_int_equal(fchmod(fileno(file), mode), 0);
    assert_int_equal(fclose(file), 0);
}

static void only_a_file_of_ours_is_a_code(void **state)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct setup_code code;
    assert_int_equal(setup_code_open(*state, &code, problem), SETUP_CODE_ABSENT);
    write_code(0660);
    assert_int_equal(setup_code_open(*state, &code, problem), SETUP_CODE_REFUSED);
    assert_non_null(strstr(problem, "600"));
    setup_code_close(&code);
    write_code(0646);
    assert_int_equal(setup_code_open(*state, &code, problem), SETUP_CODE_REFUSED);
    setup_code_close(&code);
    write_code(0644);
    assert_int_equal(setup_code_open(*state, &code, problem), SETUP_CODE_READY);
    setup_code_close(&code);
    assert_int_equal(rename(SETUP_CODE_FILE, "other"), 0);
    assert_int_equal(symlink("other", SETUP_CODE_FILE), 0);
    assert_int_equal(setup_code_open(*state, &code, problem), SETUP_CODE_REFUSED);
    setup_code_close(&code);
    assert_int_equal(unlink("other"), 0);
}

static void a_code_is_right_once(void **state)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    struct setup_code first;
    struct setup_code second;
    write_code(0600);
    assert_int_equal(setup_code_open(*state, &first, problem), SETUP_CODE_READY);
    assert_int_equal(setup_code_open(*state, &second, problem), SETUP_CODE_READY);
    assert_int_equal(setup_code_try(&first, TEXT_LITERAL("sixteen letters?")), SETUP_CODE_WRONG);
    assert_int_equal(setup_code_try(&first, TEXT_LITERAL(CODE " ")), SETUP_CODE_RIGHT);
    assert_true(setup_code_remove(&first));
    setup_code_close(&first);
    assert_int_equal(setup_code_try(&second, TEXT_LITERAL(CODE)), SETUP_CODE_USED);
    setup_code_close(&second);
}

static void the_home_is_in_the_highest_folder_of_ours(void **state)
{
    char home[PATH_MAX] = "";
    char wanted[PATH_MAX];
    char folder[PATH_MAX];
    if (geteuid() == 0) {
        /* To root /tmp is its own: somebody else is not. */
        assert_int_equal(chown(*state, 65534, 65534), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    snprintf(folder, sizeof folder, "%s/www", (const char *)*state);
    assert_int_equal(mkdir("www", 0755), 0);
    bool found = setup_choose_home(folder, home);
    bool other = setup_choose_home("/proc", wanted);
    assert_int_equal(rmdir("www"), 0);
    if (getuid() == 0) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_true(found);
    assert_false(other);
    snprintf(wanted, sizeof wanted, "%s/chats-home", (const char *)*state);
    assert_string_equal(home, wanted);
}

static void only_the_last_segment_is_the_address(void **state)
{
    (void)state;
    struct request request = {.path = TEXT_LITERAL("/chats/Chats/Health")};
    assert_false(setup_is_asked(&request, false));
    request.path = TEXT_LITERAL("/setup/Health");
    assert_false(setup_is_asked(&request, false));
    request.path = TEXT_LITERAL("/resetup");
    assert_false(setup_is_asked(&request, false));
    assert_int_equal(setenv("CHATS_HOME", "/nowhere/at/all", 1), 0);
    request.path = TEXT_LITERAL("/chats/setup/");
    assert_true(setup_is_asked(&request, false));
    request.path = TEXT_LITERAL("setup");
    assert_true(setup_is_asked(&request, false));
    assert_int_equal(unsetenv("CHATS_HOME"), 0);
}

static void a_home_that_is_being_restored_is_a_home(void **state)
{
    const struct request request = {.path = TEXT_LITERAL("/setup")};
    assert_int_equal(setenv("CHATS_HOME", *state, 1), 0);
    assert_true(setup_is_asked(&request, false));
    FILE *file = fopen(CONFIG_RESTORING_FILE, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    bool asked = setup_is_asked(&request, false);
    assert_int_equal(unlink(CONFIG_RESTORING_FILE), 0);
    assert_int_equal(unsetenv("CHATS_HOME"), 0);
    assert_false(asked);
}

static void a_program_served_beside_the_home_is_noticed(void **state)
{
    char file[PATH_MAX];
    char home[PATH_MAX];
    struct docroot docroot = {.holds_home = false};
    struct docroot other = docroot;
    write_code(0600);
    snprintf(file, sizeof file, "%s/" SETUP_CODE_FILE, (const char *)*state);
    snprintf(home, sizeof home, "%s/home", (const char *)*state);
    assert_true(docroot_holds_beside(&docroot, file, home));
    assert_true(docroot_holds_beside(&docroot, file, home));
    assert_true(docroot_holds_beside(&other, file, *state));
    assert_false(docroot_holds_beside(&docroot, "/usr/lib/cgi-bin/chats.fcgi", home));
    assert_false(docroot_holds_beside(&docroot, "/proc", home));
    assert_false(docroot_holds_beside(&docroot, "", home));
    assert_false(docroot_holds_beside(&docroot, "proxy:fcgi://localhost/chats", home));
    snprintf(file, sizeof file, "%s/chats", (const char *)*state);
    assert_false(docroot_holds_beside(&docroot, file, home));
}

int main(void)
{
    static struct CMUnitTest tests[COUNT(code_rows) + COUNT(form_rows) + 9];
    size_t count = 0;
    if (!crypto_init()) {
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < COUNT(code_rows); i++) {
        tests[count++] = (struct CMUnitTest){
            .name = code_rows[i].name, .test_func = test_code, .initial_state = (void *)(uintptr_t)&code_rows[i]};
    }
    for (size_t i = 0; i < COUNT(form_rows); i++) {
        tests[count++] = (struct CMUnitTest){
            .name = form_rows[i].name, .test_func = test_form, .initial_state = (void *)(uintptr_t)&form_rows[i]};
    }
    const struct CMUnitTest more[] = {
        cmocka_unit_test(what_came_from_outside_is_escaped),
        cmocka_unit_test(the_longest_account_fits),
        cmocka_unit_test(a_head_has_the_length_and_no_page),
        cmocka_unit_test_setup_teardown(only_a_file_of_ours_is_a_code, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(a_code_is_right_once, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(the_home_is_in_the_highest_folder_of_ours, enter_folder, leave_folder),
        cmocka_unit_test(only_the_last_segment_is_the_address),
        cmocka_unit_test_setup_teardown(a_home_that_is_being_restored_is_a_home, enter_folder, leave_folder),
        cmocka_unit_test_setup_teardown(a_program_served_beside_the_home_is_noticed, enter_folder, leave_folder),
    };
    memcpy(&tests[count], more, sizeof more);
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests_name("setup", tests, NULL, NULL);
}
