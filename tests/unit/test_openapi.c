/*
 * The service's own description: where it lies, and that it says what the operation tables and the configuration say.
 * Whether it is valid OpenAPI, and whether answers are as it says, is shown by tests/openapi and tests/e2e.
 */
#include <json-c/json.h>

#include "base/build.h"
#include "rpc/decode.h"
#include "rpc/openapi.h"
#include "served.h"
#include "service/registry.h"

static struct json_object *description_of(struct fixture *f)
{
    f->request.method = METHOD_GET;
    serve(f, "/openapi.json", "");
    assert_true(f->complete);
    assert_int_equal(f->reply.code, 200);
    assert_true(f->body.bytes < REPLY_WHOLE_BYTES_MAX);
    buffer_append(&f->body, "", 1);
    struct json_object *description = json_tokener_parse(f->body.data);
    assert_non_null(description);
    return description;
}

/* The member at the end of this path of names, which are separated by spaces. Fails where there is none. */
static struct json_object *at(struct json_object *object, const char *path)
{
    char names[300];
    char *rest = NULL;
    assert_true(strlen(path) < sizeof(names));
    memcpy(names, path, strlen(path) + 1);
    for (char *name = strtok_r(names, " ", &rest); name != NULL; name = strtok_r(NULL, " ", &rest)) {
        struct json_object *member = NULL;
        if (!json_object_object_get_ex(object, name, &member)) {
            fail_msg("%s: there is no '%s'", path, name);
        }
        object = member;
    }
    return object;
}

static void it_lies_at_the_end_of_every_mount(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *mount;
        const char *path;
        bool is_there;
    } rows[] = {
        {"/chats", "/openapi.json", true},
        {"/auth", "/openapi.json", true},
        {"", "/openapi.json", true},
        {"", "/chats/openapi.json", true},
        {"/a/b/chats", "//openapi.json/", true},
        {"/cgi-bin/chats.cgi", "/chats/openapi.json", true},
        {"/chats/openapi.json", "", true},
        {"/chats", "/Openapi.json", false},
        {"/chats", "/openapi.json/x", false},
        {"/chats", "/openapi", false},
    };
    f->request.method = METHOD_GET;
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->request.mount = text_of(rows[i].mount);
        serve(f, rows[i].path, "");
        assert_int_equal(f->reply.code, rows[i].is_there ? 200 : 404);
    }
}

static void it_is_read_with_get_and_head_only(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum method method;
        int code;
    } rows[] = {{METHOD_GET, 200}, {METHOD_HEAD, 200}, {METHOD_OPTIONS, 204}, {METHOD_POST, 405}, {METHOD_OTHER, 405}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->request.method = rows[i].method;
        serve(f, "/openapi.json", "");
        assert_int_equal(f->reply.code, rows[i].code);
        if (rows[i].code == 405) {
            assert_error(f, 405, "METHOD_NOT_ALLOWED");
            assert_string_equal(f->reply.allow, "GET, HEAD, OPTIONS");
        }
    }
}

static void it_needs_neither_a_token_nor_a_store(void **state)
{
    struct fixture *f = *state;
    f->config.auth = CONFIG_AUTH_REQUIRED;
    f->request.method = METHOD_GET;
    f->request.path = text_of("/openapi.json");
    serve_with(f, NULL);
    assert_int_equal(f->reply.code, 200);
    f->request.has_bearer = true;
    f->request.bearer = text_of("nonsense");
    serve_with(f, &f->store);
    assert_int_equal(f->reply.code, 200);
    assert_int_equal(f->store.calls, 0);
}

static void every_operation_and_field_is_in_it(void **state)
{
    struct fixture *f = *state;
    struct json_object *description = description_of(f);
    struct json_object *paths = at(description, "paths");
    const struct operation *operation;
    size_t count = 0;
    for (; (operation = registry_at(count)) != NULL; count++) {
        char path[200];
        snprintf(path, sizeof(path), "/%s/%s post responses 200 content", operation->service, operation->name);
        at(paths, path);
        for (size_t i = 0; i < operation->fields_count; i++) {
            const char *name = operation->fields[i].name;
            snprintf(path, sizeof(path),
                     "/%s/%s post requestBody content application/json schema properties %s description",
                     operation->service, operation->name,
                     strcmp(name, "options.namespace") == 0 ? "options properties namespace" : name);
            at(paths, path);
        }
    }
    assert_int_equal(json_object_object_length(paths), count);
    json_object_put(description);
}

static void a_get_is_described_of_what_reads_and_takes_no_secret(void **state)
{
    struct json_object *description = description_of(*state);
    struct json_object *paths = at(description, "paths");
    struct json_object *unused = NULL;
    at(paths, "/Chats/ListMessages get parameters");
    at(paths, "/Chats/Health get responses");
    at(paths, "/Accounts/List get responses");
    assert_false(json_object_object_get_ex(at(paths, "/Auth/Inspect"), "get", &unused));
    assert_false(json_object_object_get_ex(at(paths, "/Chats/SendMessage"), "get", &unused));
    json_object_put(description);
}

static int64_t number_at(struct json_object *description, const char *path)
{
    return json_object_get_int64(at(description, path));
}

static void limits_are_those_of_the_tables_and_of_the_configuration(void **state)
{
    struct fixture *f = *state;
    f->config.limit_max = 77;
    f->config.body_bytes_max = 4321;
    struct json_object *description = description_of(f);
    struct json_object *list =
        at(description, "paths /Chats/ListMessages post requestBody content application/json schema properties");
    assert_int_equal(number_at(list, "limit minimum"), 0);
    assert_int_equal(number_at(list, "limit maximum"), 77);
    assert_int_equal(number_at(list, "offset minimum"), 0);
    assert_string_equal(
        json_object_get_string(at(description, "paths /Chats/SendMessage post requestBody description")),
        "At most 4321 bytes.");
    struct json_object *create =
        at(description, "paths /Chats/CreateChat post requestBody content application/json schema properties");
    assert_int_equal(number_at(create, "user_ids minItems"), STORE_MEMBERS_MIN);
    assert_int_equal(number_at(create, "user_ids maxItems"), STORE_MEMBERS_MAX);
    assert_int_equal(number_at(description, "components schemas Id maxLength"), TEXT_ID_BYTES_MAX);
    assert_int_equal(number_at(description, "info " OPENAPI_BODY_MAX), 4321);
    json_object_put(description);
}

static void it_says_which_build_answers(void **state)
{
    struct fixture *f = *state;
    char id[BUILD_ID_BYTES];
    build_id(id);
    assert_int_equal(strlen(id), BUILD_ID_BYTES - 1);
    assert_int_equal(strspn(id, "0123456789abcdef"), BUILD_ID_BYTES - 1);
    struct json_object *description = description_of(f);
    assert_string_equal(json_object_get_string(at(description, "info " OPENAPI_BUILD)), id);
    assert_string_equal(json_object_get_string(at(description, "info version")), PACKAGE_VERSION);
    json_object_put(description);
}

static void who_needs_a_token_is_in_it(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *path;
        enum config_auth auth;
        const char *security;
    } rows[] = {
        {"/Chats/Health", CONFIG_AUTH_REQUIRED, "[]"},
        {"/Chats/SendMessage", CONFIG_AUTH_OPEN, "[{},{\"token\":[]}]"},
        {"/Chats/SendMessage", CONFIG_AUTH_REQUIRED, "[{\"token\":[]}]"},
        {"/Auth/Token", CONFIG_AUTH_REQUIRED, "[{},{\"token\":[]}]"},
        {"/Auth/Generate", CONFIG_AUTH_OPEN, "[{\"token\":[]}]"},
        {"/Accounts/ChangeSecret", CONFIG_AUTH_OPEN, "[{\"token\":[]}]"},
        {"/Chats/Metrics", CONFIG_AUTH_REQUIRED, "[{},{\"token\":[]}]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->config.auth = rows[i].auth;
        struct json_object *description = description_of(f);
        struct json_object *call = at(at(at(description, "paths"), rows[i].path), "post");
        assert_string_equal(json_object_to_json_string_ext(at(call, "security"), JSON_C_TO_STRING_PLAIN),
                            rows[i].security);
        json_object_put(description);
    }
}

static void every_example_is_taken(void **state)
{
    struct fixture *f = *state;
    const struct caller caller = {TEXT_LITERAL("micro"), TEXT_LITERAL("jane"), ACCOUNT_USER};
    const struct operation *operation;
    for (size_t i = 0; (operation = registry_at(i)) != NULL; i++) {
        struct error error = {.kind = ERROR_NONE};
        void *args = NULL;
        f->request.body = text_of(operation->example);
        assert_true((operation->example != NULL) == (operation->fields_count > 0));
        enum error_kind kind = decode_request(&f->config, operation, &f->request, &caller, &f->arena, &args, &error);
        if (kind != ERROR_NONE) {
            fail_msg("%s.%s: %s", operation->service, operation->name, error.detail);
        }
        assert_true((operation->example_answer != NULL) == (operation->answer != NULL || operation->media != NULL));
        assert_true(operation->answer == NULL || operation->media == NULL);
        assert_non_null(operation->about);
    }
}

/* What a response of one code is made of stands side by side. */
static void the_kinds_of_errors_stand_in_the_order_of_their_codes(void **state)
{
    (void)state;
    for (int kind = ERROR_NONE + 2; kind < ERROR_KINDS; kind++) {
        assert_true(error_row((enum error_kind)(kind - 1))->code <= error_row((enum error_kind)kind)->code);
    }
}

static bool may_answer(const char *service, const char *name, enum error_kind kind)
{
    const struct operation *operation = registry_find(text_of(service), text_of(name));
    assert_non_null(operation);
    return operation_may_answer(operation, kind);
}

static void an_operation_answers_the_errors_of_its_row_fields_and_policy(void **state)
{
    (void)state;
    assert_true(may_answer("Chats", "CreateChat", ERROR_MISSING_USER_IDS));
    assert_false(may_answer("Chats", "CreateChat", ERROR_MISSING_TEXT));
    assert_true(may_answer("Chats", "CreateChat", ERROR_CHAT_ID_CONFLICT));
    assert_false(may_answer("Chats", "ListMessages", ERROR_FORBIDDEN));
    assert_true(may_answer("Chats", "ListMessages", ERROR_NOT_FOUND));
    assert_true(may_answer("Accounts", "List", ERROR_FORBIDDEN));
    assert_true(may_answer("Chats", "Metrics", ERROR_FORBIDDEN));
    assert_true(may_answer("Auth", "Token", ERROR_UNAUTHORIZED));
    assert_false(may_answer("Chats", "Health", ERROR_UNAUTHORIZED));
    assert_true(may_answer("Chats", "Health", ERROR_UNAVAILABLE));
    assert_false(may_answer("Auth", "Revoke", ERROR_TOO_MANY_REQUESTS));
    assert_false(may_answer("Auth", "Revoke", ERROR_UNKNOWN_OPERATION));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(it_lies_at_the_end_of_every_mount),
        WITH_FIXTURE(it_is_read_with_get_and_head_only),
        WITH_FIXTURE(it_needs_neither_a_token_nor_a_store),
        WITH_FIXTURE(every_operation_and_field_is_in_it),
        WITH_FIXTURE(a_get_is_described_of_what_reads_and_takes_no_secret),
        WITH_FIXTURE(limits_are_those_of_the_tables_and_of_the_configuration),
        WITH_FIXTURE(it_says_which_build_answers),
        WITH_FIXTURE(who_needs_a_token_is_in_it),
        WITH_FIXTURE(every_example_is_taken),
        cmocka_unit_test(the_kinds_of_errors_stand_in_the_order_of_their_codes),
        cmocka_unit_test(an_operation_answers_the_errors_of_its_row_fields_and_policy),
    };
    cmocka_set_test_filter(getenv("CHATS_TEST"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
