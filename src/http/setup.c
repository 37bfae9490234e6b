#include "http/setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/slots.h"
#include "base/timestamp.h"
#include "http/docroot.h"
#include "http/setup_code.h"
#include "http/setup_page.h"
#include "rpc/access.h"
#include "rpc/form.h"
#include "store/admin.h"
#include "store/auth.h"

#define HOME_NAME "chats-home"

/* What shared hosts count is memory and room: measured in tests/e2e/test_shared_hosting. */
static const char settings[] = "# Made for shared hosting: mod_fcgid hands a process one request at a time, what\n"
                               "# processes share counts as theirs, and other users of the machine are strangers.\n"
                               "threads = 1\n"
                               "cache = 4M\n"
                               "checkpoint_bytes = 4M\n"
                               "auth = required\n"
                               "metrics = service\n";

/* One visit. */
struct setup {
    const struct setup_visit *visit;
    char program[PATH_MAX];
    char folder[PATH_MAX]; /* the program's */
    char home[PATH_MAX];   /* what is to be made */
    struct setup_code code;
    struct setup_form form;
    int status;                             /* of what went wrong in the making */
    char problem[CONFIG_PROBLEM_BYTES_MAX]; /* for the page */
};

/* --- whether it is there */

static bool find_program(char ret[PATH_MAX])
{
    ssize_t bytes = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    ret[bytes > 0 ? bytes : 0] = '\0';
    return bytes > 0;
}

static void find_folder(const char *program, char ret[PATH_MAX])
{
    snprintf(ret, PATH_MAX, "%.*s", (int)(strrchr(program, '/') - program), program);
}

static bool code_adds_account(const char *program)
{
    char folder[PATH_MAX];
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    struct setup_code code;
    find_folder(program, folder);
    bool adds = setup_code_open(folder, &code, problem) == SETUP_CODE_READY && code.adds_account;
    setup_code_close(&code);
    return adds;
}

/* True if `name` is the last segment of the path. */
static bool ends_with(struct text path, struct text name)
{
    while (path.bytes > 0 && path.data[path.bytes - 1] == '/') {
        path.bytes--;
    }
    if (path.bytes < name.bytes || memcmp(path.data + path.bytes - name.bytes, name.data, name.bytes) != 0) {
        return false;
    }
    return path.bytes == name.bytes || path.data[path.bytes - name.bytes - 1] == '/';
}

bool setup_is_asked(const struct request *request, bool has_store)
{
    char program[PATH_MAX];
    char home[PATH_MAX];
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    if (!ends_with(request->path, TEXT_LITERAL(SETUP_ADDRESS)) || !find_program(program)) {
        return false;
    }
    if (has_store) {
        return code_adds_account(program);
    }
    return !config_find_home(program, home, problem) || (!config_is_made(home) && !config_is_restoring(home));
}

/* --- where the home is to lie */

bool setup_choose_home(const char *folder, char ret[PATH_MAX])
{
    char path[PATH_MAX];
    struct stat st;
    bool found = false;
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = strrchr(path, '/'); slash != NULL && path[0] != '\0'; slash = strrchr(path, '/')) {
        if (stat(path, &st) == 0 && st.st_uid == geteuid() && access(path, W_OK | X_OK) == 0) {
            found = (size_t)snprintf(ret, PATH_MAX, "%s/" HOME_NAME, path) < PATH_MAX;
        }
        *slash = '\0';
    }
    return found;
}

/* A folder that need not be there, without symbolic links. */
static void resolve(char path[PATH_MAX])
{
    char parent[PATH_MAX];
    char real[PATH_MAX];
    if (realpath(path, real)) {
        memcpy(path, real, PATH_MAX);
        return;
    }
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash == NULL || slash == parent) {
        return;
    }
    *slash = '\0';
    size_t bytes = realpath(parent, real) ? strlen(real) : 0;
    size_t name_bytes = strlen(slash + 1) + 1;
    if (bytes > 0 && bytes + 1 + name_bytes <= PATH_MAX) {
        memcpy(path, real, bytes);
        path[bytes] = '/';
        memcpy(path + bytes + 1, slash + 1, name_bytes);
    }
}

static const char *meta(const struct setup *s, const char *name)
{
    struct transport *t = s->visit->transport;
    const char *value = t->ops->getenv(t, name);
    return value ? value : "";
}

static bool lies_in_web(const struct setup *s)
{
    struct docroot docroots[4] = {{.holds_home = false}};
    return docroot_holds(&docroots[0], meta(s, "DOCUMENT_ROOT"), s->home) ||
           docroot_holds(&docroots[1], meta(s, "CONTEXT_DOCUMENT_ROOT"), s->home) ||
           docroot_holds_beside(&docroots[2], meta(s, "SCRIPT_FILENAME"), s->home) ||
           docroot_holds(&docroots[3], s->folder, s->home);
}

/* s->home. False: there is no good place, or it is named badly. */
static bool find_place(struct setup *s)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX];
    if (config_home_is_named(s->program)) {
        if (!config_find_home(s->program, s->home, problem)) {
            return config_refuse(s->problem, "Nothing was made: %s.", problem);
        }
    } else if (!setup_choose_home(s->folder, s->home)) {
        return config_refuse(s->problem,
                             "Nothing was made: no folder above the program belongs to the user that it runs as. "
                             "Name one outside of the web folder, by its absolute path, in a file chats.home "
                             "beside the program.");
    }
    resolve(s->home);
    if (lies_in_web(s)) {
        return config_refuse(
            s->problem,
            "Nothing was made: the folder %.200s lies in the web folder, where anybody may fetch the data. "
            "Name another, outside of it, by its absolute path, in a file chats.home beside the program.",
            s->home);
    }
    return true;
}

/* --- the form */

bool setup_read_form(struct text body, struct arena *arena, struct setup_form *ret,
                     char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct form form = {body, 0, "form"};
    struct text name;
    struct text value;
    struct text again = {NULL, 0};
    char wrong[FORM_PROBLEM_BYTES_MAX];
    enum form_result result;
    *ret = (struct setup_form){.code = {NULL, 0}};
    while ((result = form_next(&form, arena, &name, &value, wrong)) == FORM_PAIR) {
        if (text_equal(name, TEXT_LITERAL("code"))) {
            ret->code = value;
        } else if (text_equal(name, TEXT_LITERAL("account"))) {
            ret->account = value;
        } else if (text_equal(name, TEXT_LITERAL("secret"))) {
            ret->secret = value;
        } else if (text_equal(name, TEXT_LITERAL("again"))) {
            again = value;
        }
    }
    if (result != FORM_END) {
        return config_refuse(problem, "The form could not be read: %s.",
                             result == FORM_NO_MEMORY ? "out of memory" : wrong);
    }
    if (!text_is_id(ret->account)) {
        return config_refuse(problem, "The name of the account must have 1 to %u bytes, and no control characters.",
                             TEXT_ID_BYTES_MAX);
    }
    if (ret->secret.bytes < CRYPTO_PASSWORD_BYTES_MIN || ret->secret.bytes > CRYPTO_PASSWORD_BYTES_MAX) {
        return config_refuse(problem, "The secret must have %u to %u bytes.", CRYPTO_PASSWORD_BYTES_MIN,
                             CRYPTO_PASSWORD_BYTES_MAX);
    }
    if (!text_equal(ret->secret, again)) {
        return config_refuse(problem, "The two secrets are not the same: nothing was made.");
    }
    return true;
}

/* --- the making */

/* Where a home lies below another site's web folder, the modes keep its files from a server of another user; this keeps
 * them from one that runs as ours. */
static bool deny_web(const char *home, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char path[PATH_MAX + sizeof "/.htaccess"];
    snprintf(path, sizeof path, "%s/.htaccess", home);
    FILE *file = fopen(path, "we");
    bool written = file && fputs("Require all denied\n", file) >= 0;
    if (!file || fclose(file) != 0 || !written) {
        return config_refuse(problem, "cannot write '%.200s': %s", path, strerror(errno));
    }
    return true;
}

static bool add_account(struct setup *s, const struct config *config, struct store *store,
                        char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    char hash[CRYPTO_PASSWORD_HASH_BYTES_MAX];
    struct slot slot;
    s->status = 503;
    if (!slots_take(config->home, SLOTS_WAIT_MS, &slot)) {
        return config_refuse(problem, "too many secrets are being checked at the moment: try again");
    }
    bool hashed = crypto_password_hash(s->form.secret, config->password_memory_bytes, config->password_passes, hash);
    slots_give(&slot);
    if (!hashed) {
        return config_refuse(problem, "not enough memory for a password hash");
    }
    const struct account account = {
        .id = s->form.account, .type = ACCOUNT_SERVICE, .hash = text_of(hash), .created_at_ns = timestamp_now_ns()};
    enum store_status status = store_account_add(store, TEXT_LITERAL(ACCESS_NAMESPACE_DEFAULT), &account);
    if (status == STORE_CONFLICT) {
        s->status = 409;
        return config_refuse(problem, "there is already an account of that name: take another");
    }
    if (status != STORE_OK) {
        return config_refuse(problem, "the account was not stored: %s", store_status_name(status));
    }
    s->status = 500;
    return true;
}

static bool furnish(void *context, const struct config *config, struct store *store,
                    char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    struct setup *s = context;
    if (!deny_web(config->home, problem) || !add_account(s, config, store, problem)) {
        return false;
    }
    /* Last, and before it counts as a home: what is named and whole is set up. */
    if (!config_home_is_named(s->program) && !config_name_home(s->program, s->home)) {
        return config_refuse(problem, "cannot write chats.home beside the program: %s", strerror(errno));
    }
    return true;
}

static bool make_home(struct setup *s, char problem[CONFIG_PROBLEM_BYTES_MAX])
{
    const struct store_make order = {.home = s->home, .settings = settings, .furnish = furnish, .context = s};
    s->status = 500;
    enum store_status status = store_make(&order, problem);
    if (status == STORE_EXISTS) {
        /* It may be another site's: nobody gets an account there unasked. */
        s->status = 403;
        return config_refuse(problem,
                             "there is a home at %.200s already: name it, or another, in a file chats.home beside the "
                             "program",
                             s->home);
    }
    return status == STORE_OK;
}

static bool make(struct setup *s)
{
    char problem[CONFIG_PROBLEM_BYTES_MAX] = "";
    const struct setup_visit *v = s->visit;
    if (v->store ? !add_account(s, v->config, v->store, problem) : !make_home(s, problem)) {
        log_error("setup: %s", problem);
        return config_refuse(s->problem, "Not set up: %s.", problem);
    }
    return true;
}

/* --- one visit */

static bool is_secure(const struct setup *s)
{
    /* A client that sends this last header by itself deceives nobody else. */
    return strcasecmp(meta(s, "HTTPS"), "on") == 0 || strcasecmp(meta(s, "REQUEST_SCHEME"), "https") == 0 ||
           strcasecmp(meta(s, "HTTP_X_FORWARDED_PROTO"), "https") == 0;
}

static struct setup_page say(int status, enum setup_page_kind kind, const char *message)
{
    return (struct setup_page){.status = status, .kind = kind, .message = message};
}

/* Behind the right code; nobody else is here meanwhile. */
static struct setup_page set_up(struct setup *s)
{
    s->status = 403;
    if (s->visit->store) {
        memcpy(s->home, s->visit->config->home, sizeof s->home);
    } else if (!find_place(s)) {
        return say(s->status, SETUP_PAGE_FORM, s->problem);
    }
    if (!make(s)) {
        return say(s->status, SETUP_PAGE_FORM, s->problem);
    }
    log_warning("setup: the home '%s' has a new service account", s->home);
    if (!setup_code_remove(&s->code)) {
        log_error("setup: cannot remove '%s': %s", s->code.path, strerror(errno));
        return say(200, SETUP_PAGE_DONE, "Remove the file " SETUP_CODE_FILE " by hand: the program may not.");
    }
    return say(200, SETUP_PAGE_DONE, NULL);
}

static struct setup_page take_form(struct setup *s)
{
    const struct request *request = s->visit->request;
    if (request->body_fault != BODY_READ || request->media != MEDIA_FORM) {
        return say(request->body_fault == BODY_TOO_LARGE ? 413 : 400, SETUP_PAGE_FORM, "The form could not be read.");
    }
    if (!setup_read_form(request->body, s->visit->arena, &s->form, s->problem)) {
        return say(400, SETUP_PAGE_FORM, s->problem);
    }
    switch (setup_code_try(&s->code, s->form.code)) {
    case SETUP_CODE_RIGHT:
        return set_up(s);
    case SETUP_CODE_USED:
        return say(409, SETUP_PAGE_REFUSED, "chats has just been set up: the code has been used.");
    case SETUP_CODE_BUSY:
        return say(429, SETUP_PAGE_FORM, "Somebody else is setting it up: try again in a few seconds.");
    case SETUP_CODE_WRONG:
        break;
    }
    log_warning("setup: a wrong code from %.*s", (int)request->address.bytes, request->address.data);
    return say(403, SETUP_PAGE_FORM, "That is not the code in the file " SETUP_CODE_FILE ": nothing was made.");
}

static struct setup_page answer(struct setup *s)
{
    enum method method = s->visit->request->method;
    switch (setup_code_open(s->folder, &s->code, s->problem)) {
    case SETUP_CODE_ABSENT:
        return say(403, SETUP_PAGE_NO_CODE, NULL);
    case SETUP_CODE_REFUSED:
        return say(403, SETUP_PAGE_REFUSED, s->problem);
    case SETUP_CODE_READY:
        break;
    }
    if (!is_secure(s) && !s->code.allows_http) {
        return say(403, SETUP_PAGE_REFUSED,
                   "This page came over plain HTTP, where others may read along: open it with https:// in its address. "
                   "If this host has no HTTPS, write allow-http into the second line of the file " SETUP_CODE_FILE ".");
    }
    switch (method) {
    case METHOD_GET:
    case METHOD_HEAD:
        return say(200, SETUP_PAGE_FORM,
                   is_secure(s) ? NULL
                                : "This page came over plain HTTP: code and secret will travel in the clear, where "
                                  "others may read along.");
    case METHOD_POST:
        return take_form(s);
    case METHOD_OPTIONS:
    case METHOD_OTHER:
        break;
    }
    return say(405, SETUP_PAGE_REFUSED, "This page is got or posted to.");
}

bool setup_serve(const struct setup_visit *visit, struct buffer *out)
{
    struct setup s = {.visit = visit, .code = {.fd = -1}};
    struct setup_page page = say(500, SETUP_PAGE_REFUSED, "The program's own folder could not be found.");
    if (find_program(s.program)) {
        find_folder(s.program, s.folder);
        page = answer(&s);
    }
    page.adds_account = visit->store != NULL;
    page.account = text_is_id(s.form.account) ? s.form.account : text_of(NULL);
    setup_page_render(&page, visit->request->method == METHOD_HEAD, out);
    setup_code_close(&s.code);
    return !out->failed;
}
