/*
 * One call from its address to its answer: addresses, methods, the order of checks, access (contract, sections 1 to 4
 * and 6).
 */
#include "served.h"

static const char send_body[] = "{\"id\":\"m1\",\"chat_id\":\"c1\",\"author_id\":\"jane\",\"text\":\"a \\\"b\\\"\"}";

/* Section 1 of the contract. What an empty call answers tells which operation was found. */
static const struct called_address {
    const char *mount;
    const char *path;
    const char *id;
} addresses[] = {
    {"/chats", "/Chats/CreateChat", "MISSING_USER_IDs"},
    {"", "/chats/Chats/CreateChat", "MISSING_USER_IDs"},
    {"/chats", "/CreateChat", "MISSING_USER_IDs"},
    {"", "//chats/Chats/CreateChat", "MISSING_USER_IDs"},
    {"/chats", "//Chats//CreateChat//", "MISSING_USER_IDs"},
    {"/v1", "/chats/CreateChat", "MISSING_USER_IDs"},
    {"", "/v1/chats/CreateChat", "MISSING_USER_IDs"},
    {"/cgi-bin/chats.cgi", "/chats/Chats/CreateChat", "MISSING_USER_IDs"},
    {"/chats/", "/create-chat", "MISSING_USER_IDs"},
    {"/chats/Chats/CreateChat", "", "MISSING_USER_IDs"},
    {"/chats", "/createChat", "MISSING_USER_IDs"},
    {"/chats", "/chats/send-message", "MISSING_AUTHOR_ID"},
    {"/chats", "/Chats/SendMessage", "MISSING_AUTHOR_ID"},
    {"/chats", "/Chats/CreateMessage", "MISSING_AUTHOR_ID"},
    {"/chats", "/Chats/create-message", "MISSING_AUTHOR_ID"},
    {"/chats", "/Chats/ListMessages", "MISSING_CHAT_ID"},
    {"/chats", "/Chats/listMessages", "MISSING_CHAT_ID"},
    {"/chats", "/Chats/listmessages", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/LISTMESSAGES", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/Create--Chat", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/-create-chat", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/create-chat-", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/Create_Chat", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/CreateChat/x", "UNKNOWN_OPERATION"},
    {"/chats", "/Chats/CreateChat ", "UNKNOWN_OPERATION"},
    {"/chats", "/Chat/CreateChat", "UNKNOWN_OPERATION"},
    {"", "/CreateChat", "UNKNOWN_OPERATION"},
    {"/chats", "/", "UNKNOWN_OPERATION"},
    {"", "", "UNKNOWN_OPERATION"},
    {"/chats", "/-", "UNKNOWN_OPERATION"},
};

static void an_operation_is_named_by_the_last_two_segments(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(addresses); i++) {
        f->request.mount = text_of(addresses[i].mount);
        serve(f, addresses[i].path, "");
        assert_error(f, strcmp(addresses[i].id, "UNKNOWN_OPERATION") == 0 ? 404 : 400, addresses[i].id);
    }
}

static void an_unknown_operation_is_named_whatever_its_bytes(void **state)
{
    struct fixture *f = *state;
    serve(f, "/Chats/Foo", "");
    assert_answer(f, 404,
                  "{\"Id\":\"UNKNOWN_OPERATION\",\"Code\":404,\"Detail\":\"there is no operation 'Chats/Foo'\","
                  "\"Status\":\"Not Found\"}");
    serve(f, "/a\"\\\n/\xC0\xAF%s", "");
    assert_answer(f, 404,
                  "{\"Id\":\"UNKNOWN_OPERATION\",\"Code\":404,\"Detail\":\"there is no operation 'a\\\"\\\\\\n/"
                  "\xEF\xBF\xBD%s'\",\"Status\":\"Not Found\"}");
    char path[5000] = "/Chats/";
    memset(path + 7, 'F', sizeof(path) - 8);
    serve(f, path, "");
    assert_error(f, 404, "UNKNOWN_OPERATION");
    assert_true(f->body.bytes < 250);
}

static void methods_are_those_of_section_2(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum method method;
        const char *path;
        int code;
        const char *allow;
    } rows[] = {
        {METHOD_POST, "/Health", 200, NULL},
        {METHOD_GET, "/Health", 200, NULL},
        {METHOD_HEAD, "/Health", 200, NULL},
        {METHOD_OTHER, "/Health", 405, "GET, HEAD, POST, OPTIONS"},
        {METHOD_GET, "/SendMessage", 405, "POST, OPTIONS"},
        {METHOD_HEAD, "/SendMessage", 405, "POST, OPTIONS"},
        {METHOD_OTHER, "/CreateChat", 405, "POST, OPTIONS"},
        {METHOD_OPTIONS, "/Foo", 404, NULL},
        {METHOD_OTHER, "/Foo", 404, NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->request.method = rows[i].method;
        f->sink.discards = rows[i].method == METHOD_HEAD;
        serve(f, rows[i].path, "");
        assert_true(f->complete);
        assert_int_equal(f->reply.code, rows[i].code);
        assert_true((rows[i].allow == NULL) == (f->reply.allow == NULL));
        if (rows[i].allow != NULL) {
            assert_string_equal(f->reply.allow, rows[i].allow);
        }
        assert_true(f->sink.discards || f->body.bytes > 0);
    }
}

static void options_on_a_known_address_is_an_empty_204(void **state)
{
    struct fixture *f = *state;
    f->request.method = METHOD_OPTIONS;
    f->request.has_bearer = true;
    f->request.body_fault = BODY_TOO_LARGE;
    serve(f, "/SendMessage", "nonsense");
    assert_answer(f, 204, "");
    assert_string_equal(f->reply.status, "No Content");
    assert_int_equal(f->store.calls, 0);
}

static void a_preflight_for_an_unknown_address_is_answered_too(void **state)
{
    struct fixture *f = *state;
    f->request.method = METHOD_OPTIONS;
    f->request.is_preflight = true;
    serve(f, "/Nothing", "");
    assert_answer(f, 204, "");
}

static void body_faults_come_after_the_method_and_before_access(void **state)
{
    struct fixture *f = *state;
    f->request.has_bearer = true;
    f->request.body_fault = BODY_TOO_LARGE;
    serve(f, "/SendMessage", "");
    assert_answer(f, 413,
                  "{\"Id\":\"TOO_LARGE\",\"Code\":413,\"Detail\":\"the body is over the limit of 524288 bytes\","
                  "\"Status\":\"Content Too Large\"}");
    f->request.body_fault = BODY_CUT_SHORT;
    serve(f, "/SendMessage", "");
    assert_error(f, 400, "INVALID_REQUEST");
    f->request.body_fault = BODY_BAD_LENGTH;
    serve(f, "/SendMessage", "");
    assert_error(f, 400, "INVALID_REQUEST");
    f->request.body_fault = BODY_NO_MEMORY;
    serve(f, "/SendMessage", "");
    assert_error(f, 503, "UNAVAILABLE");
    f->request.method = METHOD_GET;
    serve(f, "/SendMessage", "");
    assert_error(f, 405, "METHOD_NOT_ALLOWED");
    f->request.method = METHOD_POST;
    f->request.body_fault = BODY_READ;
    f->request.media = MEDIA_MULTIPART;
    serve(f, "/SendMessage", "");
    assert_error(f, 415, "UNSUPPORTED_MEDIA_TYPE");
    f->request.media = MEDIA_JSON;
    serve(f, "/SendMessage", "nonsense");
    assert_error(f, 401, "UNAUTHORIZED");
}

static void without_a_store_every_operation_is_unavailable(void **state)
{
    struct fixture *f = *state;
    static const char *const paths[] = {"/Health", "/CreateChat", "/SendMessage", "/ListMessages"};
    for (size_t i = 0; i < COUNT(paths); i++) {
        f->request.path = text_of(paths[i]);
        serve_with(f, NULL);
        assert_error(f, 503, "UNAVAILABLE");
        assert_int_equal(f->reply.retry_s, 1);
    }
    f->request.path = text_of("/Foo");
    serve_with(f, NULL);
    assert_error(f, 404, "UNKNOWN_OPERATION");
    f->request.path = text_of("/CreateChat");
    f->request.method = METHOD_GET;
    serve_with(f, NULL);
    assert_error(f, 405, "METHOD_NOT_ALLOWED");
    f->request.method = METHOD_OPTIONS;
    serve_with(f, NULL);
    assert_answer(f, 204, "");
}

static void an_open_call_is_a_service_of_the_headers_namespace(void **state)
{
    struct fixture *f = *state;
    serve(f, "/SendMessage", send_body);
    assert_int_equal(f->reply.code, 200);
    assert_string_equal(f->store.namespace, "micro");
    assert_string_equal(f->store.member, "");
    f->request.namespace = text_of("shop");
    serve(f, "/SendMessage", send_body);
    assert_int_equal(f->reply.code, 200);
    assert_string_equal(f->store.namespace, "shop");
    f->request.namespace = text_of("a\tb");
    serve(f, "/SendMessage", send_body);
    assert_error(f, 400, "INVALID_REQUEST");
    assert_int_equal(f->store.calls, 0);
}

static void an_unknown_token_is_refused_in_both_modes(void **state)
{
    struct fixture *f = *state;
    f->request.has_bearer = true;
    f->request.bearer = text_of("x");
    for (int open = 0; open <= 1; open++) {
        f->config.auth = open == 1 ? CONFIG_AUTH_OPEN : CONFIG_AUTH_REQUIRED;
        serve(f, "/SendMessage", send_body);
        assert_error(f, 401, "UNAUTHORIZED");
        assert_true(f->reply.challenge);
        assert_int_equal(f->store.calls, 0);
        serve(f, "/Health", "");
        assert_answer(f, 200, "{\"status\":\"ok\"}");
    }
}

static void where_auth_is_required_a_call_without_a_token_is_refused(void **state)
{
    struct fixture *f = *state;
    f->config.auth = CONFIG_AUTH_REQUIRED;
    f->request.namespace = text_of("a\tb");
    serve(f, "/SendMessage", "nonsense");
    assert_answer(
        f, 401,
        "{\"Id\":\"UNAUTHORIZED\",\"Code\":401,\"Detail\":\"a token is needed: send it as 'Authorization: Bearer "
        "TOKEN'; if you did, the web server may be stripping that header (Apache: CGIPassAuth On)\",\"Status\":"
        "\"Unauthorized\"}");
    assert_true(f->reply.challenge);
    f->request.has_authorization = true;
    serve(f, "/SendMessage", "nonsense");
    assert_answer(
        f, 401,
        "{\"Id\":\"UNAUTHORIZED\",\"Code\":401,\"Detail\":\"a token is needed: send it as 'Authorization: Bearer "
        "TOKEN'\",\"Status\":\"Unauthorized\"}");
    assert_true(f->reply.challenge);
    serve(f, "/Health", "");
    assert_answer(f, 200, "{\"status\":\"ok\"}");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_FIXTURE(an_operation_is_named_by_the_last_two_segments),
        WITH_FIXTURE(an_unknown_operation_is_named_whatever_its_bytes),
        WITH_FIXTURE(methods_are_those_of_section_2),
        WITH_FIXTURE(options_on_a_known_address_is_an_empty_204),
        WITH_FIXTURE(a_preflight_for_an_unknown_address_is_answered_too),
        WITH_FIXTURE(body_faults_come_after_the_method_and_before_access),
        WITH_FIXTURE(without_a_store_every_operation_is_unavailable),
        WITH_FIXTURE(an_open_call_is_a_service_of_the_headers_namespace),
        WITH_FIXTURE(an_unknown_token_is_refused_in_both_modes),
        WITH_FIXTURE(where_auth_is_required_a_call_without_a_token_is_refused),
    };
    return cmocka_run_group_tests_name("rpc", tests, NULL, NULL);
}
