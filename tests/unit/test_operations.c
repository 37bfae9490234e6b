/*
 * The operations above a fake store: their answers byte by byte, their limits, the store's statuses as the contract's
 * errors (contract, sections 4 to 6).
 */
#include "rpc/decode.h"
#include "served.h"
#include "service/registry.h"

static const char send_body[] = "{\"id\":\"m1\",\"chat_id\":\"c1\",\"author_id\":\"jane\",\"text\":\"a \\\"b\\\"\"}";

static void health_is_well_only_if_the_store_answers(void **state)
{
    struct fixture *f = *state;
    static const enum store_status bad[] = {STORE_NOT_FOUND, STORE_FULL, STORE_UNAVAILABLE, STORE_NO_MEMORY};
    for (size_t i = 0; i < COUNT(bad); i++) {
        f->store.status = bad[i];
        serve(f, "/Health", "");
        assert_error(f, 503, "UNAVAILABLE");
        assert_int_equal(f->reply.retry_s, 1);
    }
    f->store.status = STORE_CORRUPT;
    serve(f, "/Health", "");
    assert_error(f, 500, "DATABASE_ERROR");
}

static void a_status_of_the_store_becomes_the_contracts_error(void **state)
{
    struct fixture *f = *state;
    static const struct {
        enum store_status status;
        int code;
        const char *chat_id;
        const char *message_id;
        const char *list_id;
    } rows[] = {
        {STORE_CONFLICT, 409, "CHAT_ID_CONFLICT", "MESSAGE_ID_CONFLICT", NULL},
        {STORE_NOT_FOUND, 404, NULL, "NOT_FOUND", "NOT_FOUND"},
        {STORE_FULL, 507, "INSUFFICIENT_STORAGE", "INSUFFICIENT_STORAGE", "INSUFFICIENT_STORAGE"},
        {STORE_UNAVAILABLE, 503, "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"},
        {STORE_NO_MEMORY, 503, "UNAVAILABLE", "UNAVAILABLE", "UNAVAILABLE"},
        {STORE_CORRUPT, 500, "DATABASE_ERROR", "DATABASE_ERROR", "DATABASE_ERROR"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->store.status = rows[i].status;
        if (rows[i].chat_id != NULL) {
            serve(f, "/CreateChat", "{\"user_ids\":[\"a\",\"b\"]}");
            assert_error(f, rows[i].code, rows[i].chat_id);
        }
        if (rows[i].message_id != NULL) {
            serve(f, "/SendMessage", send_body);
            assert_error(f, rows[i].code, rows[i].message_id);
        }
        if (rows[i].list_id != NULL) {
            serve(f, "/ListMessages", "{\"chat_id\":\"c1\"}");
            assert_error(f, rows[i].code, rows[i].list_id);
        }
    }
    f->store.status = STORE_NOT_FOUND;
    serve(f, "/SendMessage", send_body);
    assert_answer(f, 404, "{\"Id\":\"NOT_FOUND\",\"Code\":404,\"Detail\":\"Chat not found\",\"Status\":\"Not Found\"}");
}

static void answers_are_those_of_section_5(void **state)
{
    struct fixture *f = *state;
    for (int exists = 0; exists <= 1; exists++) {
        f->store.status = exists == 1 ? STORE_EXISTS : STORE_OK;
        serve(f, "/CreateChat", "{\"id\":\"c1\",\"user_ids\":[\"john\",\"jane\",\"john\"]}");
        assert_answer(f, 200,
                      "{\"chat\":{\"id\":\"c1\",\"user_ids\":[\"jane\",\"john\"],"
                      "\"created_at\":\"1970-01-01T00:00:01.000000002Z\"}}");
        serve(f, "/SendMessage", send_body);
        assert_answer(f, 200,
                      "{\"message\":{\"id\":\"m1\",\"author_id\":\"jane\",\"chat_id\":\"c1\",\"text\":\"a \\\"b\\\"\","
                      "\"sent_at\":\"1970-01-01T00:00:01.000000002Z\"}}");
    }
    f->store.status = STORE_OK;
    serve(f, "/ListMessages", "{\"chat_id\":\"c1\"}");
    assert_answer(f, 200, "{\"messages\":[]}");
    f->store.messages = 2;
    f->store.text_bytes = 2;
    serve(f, "/ListMessages", "{\"chat_id\":\"c1\"}");
    assert_answer(
        f, 200,
        "{\"messages\":[{\"id\":\"m\",\"author_id\":\"a\",\"chat_id\":\"c1\",\"text\":\"xx\","
        "\"sent_at\":\"1970-01-01T00:00:01.000000002Z\"},{\"id\":\"m\",\"author_id\":\"a\",\"chat_id\":\"c1\","
        "\"text\":\"xx\",\"sent_at\":\"1970-01-01T00:00:01.000000002Z\"}]}");
}

static void without_an_id_a_uuid_of_version_4_is_given(void **state)
{
    struct fixture *f = *state;
    static const char begin[] = "{\"chat\":{\"id\":\"";
    char first[37];
    for (int i = 0; i < 2; i++) {
        serve(f, "/CreateChat", "{\"id\":\"\",\"user_ids\":[\"a\",\"b\"]}");
        assert_int_equal(f->reply.code, 200);
        const char *id = f->body.data + sizeof(begin) - 1;
        assert_memory_equal(f->body.data, begin, sizeof(begin) - 1);
        assert_int_equal(id[36], '"');
        assert_int_equal(id[14], '4');
        assert_int_equal(strspn(id, "0123456789abcdef-"), 36);
        if (i == 1) {
            assert_memory_not_equal(first, id, 36);
        }
        memcpy(first, id, 36);
    }
}

static void limits_of_a_page_are_those_of_section_5(void **state)
{
    struct fixture *f = *state;
    static const struct {
        unsigned limit_max;
        const char *body;
        uint64_t limit; /* 0: refused */
    } rows[] = {
        {1000, "{\"chat_id\":\"c\"}", 25},
        {1000, "{\"chat_id\":\"c\",\"limit\":0}", 25},
        {1000, "{\"chat_id\":\"c\",\"limit\":1}", 1},
        {1000, "{\"chat_id\":\"c\",\"limit\":\"1000\"}", 1000},
        {1000, "{\"chat_id\":\"c\",\"limit\":1001}", 0},
        {1000, "{\"chat_id\":\"c\",\"limit\":-1}", 0},
        {10, "{\"chat_id\":\"c\"}", 10},
        {10, "{\"chat_id\":\"c\",\"limit\":11}", 0},
        {1000, "{\"chat_id\":\"c\",\"offset\":-1}", 0},
        {1000, "{\"chat_id\":\"c\",\"offset\":-9223372036854775808}", 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->config.limit_max = rows[i].limit_max;
        serve(f, "/ListMessages", rows[i].body);
        if (rows[i].limit == 0) {
            assert_error(f, 400, "INVALID_REQUEST");
            assert_int_equal(f->store.calls, 0);
        } else {
            assert_int_equal(f->reply.code, 200);
            assert_int_equal(f->store.query.limit, rows[i].limit);
        }
    }
    serve(
        f, "/ListMessages",
        "{\"chat_id\":\"c\",\"offset\":9223372036854775807,\"order\":\"asc\",\"sent_before\":\"1970-01-01T00:00:02Z\","
        "\"sent_after\":\"1970-01-01T00:00:00Z\"}");
    assert_int_equal(f->reply.code, 200);
    assert_int_equal(f->store.query.offset, INT64_MAX);
    assert_int_equal(f->store.query.order, STORE_OLDEST_FIRST);
    assert_true(f->store.query.has_before && f->store.query.has_after);
    assert_int_equal(f->store.query.before_ns, 2000000000);
    assert_int_equal(f->store.query.after_ns, 0);
    serve(f, "/ListMessages",
          "{\"chat_id\":\"c\",\"sent_before\":\"1970-01-01T00:00:02.0000000001Z\","
          "\"sent_after\":\"1970-01-01T00:00:01.9999999999Z\"}");
    assert_int_equal(f->reply.code, 200);
    assert_int_equal(f->store.query.before_ns, 2000000001);
    assert_int_equal(f->store.query.after_ns, 1999999999);
}

/* What the user jane may do: section 6. */
static enum error_kind run_as_jane(struct fixture *f, const char *name, const char *body)
{
    struct error error = {.kind = ERROR_NONE};
    struct call call = {
        .config = &f->config,
        .store = &f->store,
        .caller = {TEXT_LITERAL("micro"), TEXT_LITERAL("jane"), ACCOUNT_USER},
        .arena = &f->arena,
        .reply = &f->reply,
        .error = &error,
    };
    const struct operation *operation = registry_find(TEXT_LITERAL("Chats"), text_of(name));
    void *args = NULL;
    struct buffer out;
    assert_non_null(operation);
    f->request.body = text_of(body);
    buffer_init(&out, REPLY_BYTES_MAX);
    reply_init(&f->reply, &f->sink, &out);
    enum error_kind kind = decode_request(&f->config, operation, &f->request, &call.caller, &f->arena, &args, &error);
    if (kind == ERROR_NONE) {
        kind = operation->run(&call, args);
    }
    buffer_clear(&out);
    return kind;
}

static void a_user_acts_as_itself_only(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_as_jane(f, "CreateChat", "{\"user_ids\":[\"john\",\"jane\"]}"), ERROR_NONE);
    assert_int_equal(run_as_jane(f, "CreateChat", "{\"user_ids\":[\"john\",\"jim\"]}"), ERROR_FORBIDDEN);
    assert_int_equal(run_as_jane(f, "SendMessage", "{\"chat_id\":\"c\",\"text\":\"t\"}"), ERROR_NONE);
    assert_string_equal(f->store.member, "jane");
    assert_int_equal(run_as_jane(f, "SendMessage", "{\"chat_id\":\"c\",\"text\":\"t\",\"author_id\":\"jane\"}"),
                     ERROR_NONE);
    assert_int_equal(run_as_jane(f, "SendMessage", "{\"chat_id\":\"c\",\"text\":\"t\",\"author_id\":\"john\"}"),
                     ERROR_FORBIDDEN);
    assert_int_equal(run_as_jane(f, "ListMessages", "{\"chat_id\":\"c\"}"), ERROR_NONE);
    assert_string_equal(f->store.member, "jane");
}

static void every_operation_is_found_by_its_name_and_alias(void **state)
{
    (void)state;
    const struct operation *operation;
    size_t count = 0;
    for (; (operation = registry_at(count)) != NULL; count++) {
        assert_ptr_equal(registry_find(text_of(operation->service), text_of(operation->name)), operation);
        if (operation->alias != NULL) {
            assert_ptr_equal(registry_find(text_of(operation->service), text_of(operation->alias)), operation);
        }
        for (size_t i = 0; i < operation->fields_count; i++) {
            assert_true(operation->fields[i].offset < operation->args_bytes);
        }
    }
    assert_int_equal(count, 12);
    assert_null(registry_at(1000));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_FIXTURE(health_is_well_only_if_the_store_answers),
        WITH_FIXTURE(a_status_of_the_store_becomes_the_contracts_error),
        WITH_FIXTURE(answers_are_those_of_section_5),
        WITH_FIXTURE(without_an_id_a_uuid_of_version_4_is_given),
        WITH_FIXTURE(limits_of_a_page_are_those_of_section_5),
        WITH_FIXTURE(a_user_acts_as_itself_only),
        cmocka_unit_test(every_operation_is_found_by_its_name_and_alias),
    };
    return cmocka_run_group_tests_name("operations", tests, NULL, NULL);
}
