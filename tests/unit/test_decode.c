/*
 * The fields of a request, from bytes to typed arguments: what is accepted, the limits at their edges, and which error
 * comes first (contract, sections 3 to 5). Each row of the tables is a test of its own, named by the rule that it
 * shows. What is refused for its form is in test_refusal.c.
 */
#include "probe.h"
#include "rpc/jsoncheck.h"

/* The contract's own field lists, for what may be missing and in which order: sections 4 and 5. */
static const struct field send_fields[] = {
    PROBE(author_id, FIELD_ID, .missing = ERROR_MISSING_AUTHOR_ID, .absent = FIELD_CALLER),
    PROBE(chat_id, FIELD_ID, .missing = ERROR_MISSING_CHAT_ID),
    PROBE(text, FIELD_STRING, .missing = ERROR_MISSING_TEXT, .max = 65536),
    PROBE(user_ids, FIELD_ID_LIST, .missing = ERROR_MISSING_USER_IDS, .min = 2, .max = 1000),
    PROBE(limit, FIELD_INT64, .min = 0, .max = 10),
};

static const struct operation send_operation = {
    .fields = send_fields,
    .fields_count = COUNT(send_fields),
    .args_bytes = sizeof(struct probe),
};

/* Which error is named when several are there: section 4, the end. */
struct precedence {
    const char *name;
    struct text body;
    struct text query;
    enum error_kind kind;
    const char *detail;
};

static const struct precedence precedences[] = {
    {"syntax comes before missing fields", T("{\"limit\":1.}"), T(""), ERROR_INVALID_REQUEST,
     "invalid JSON at byte 11: a digit was expected"},
    {"an unknown field comes before missing fields", T("{\"foo\":1}"), T(""), ERROR_INVALID_REQUEST,
     "unknown field 'foo'"},
    {"a wrong type comes before missing fields", T("{\"limit\":\"x\"}"), T(""), ERROR_INVALID_REQUEST,
     "field 'limit' must be an integer"},
    {"the author is missed first", T("{}"), T(""), ERROR_MISSING_AUTHOR_ID, ""},
    {"an empty author is a missing one", T("{\"author_id\":\"\",\"chat_id\":\"c\",\"text\":\"t\"}"), T(""),
     ERROR_MISSING_AUTHOR_ID, ""},
    {"a null author is a missing one", T("{\"author_id\":null,\"chat_id\":\"c\",\"text\":\"t\"}"), T(""),
     ERROR_MISSING_AUTHOR_ID, ""},
    {"the chat is missed second", T("{\"author_id\":\"a\"}"), T(""), ERROR_MISSING_CHAT_ID, ""},
    {"the text is missed third", T("{\"author_id\":\"a\",\"chat_id\":\"c\"}"), T(""), ERROR_MISSING_TEXT, ""},
    {"an empty text is a missing one", T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"text\":\"\"}"), T(""),
     ERROR_MISSING_TEXT, ""},
    {"no list is a missing one", T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"text\":\"t\"}"), T(""),
     ERROR_MISSING_USER_IDS, ""},
    {"an empty list is a missing one", T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"text\":\"t\",\"user_ids\":[]}"),
     T(""), ERROR_MISSING_USER_IDS, ""},
    {"twice the same id is one", T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"text\":\"t\",\"user_ids\":[\"a\",\"a\"]}"),
     T(""), ERROR_MISSING_USER_IDS, ""},
    {"a missing field comes before a limit", T("{\"author_id\":\"a\\u0001\",\"limit\":11}"), T(""),
     ERROR_MISSING_CHAT_ID, ""},
    {"too few ids come before a bad id",
     T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"text\":\"t\",\"user_ids\":[\"\\n\",\"\\n\"]}"), T(""),
     ERROR_MISSING_USER_IDS, ""},
    {"limits come in the order of the row",
     T("{\"limit\":11,\"chat_id\":\"\\u0001\",\"author_id\":\"a\",\"text\":\"t\",\"user_ids\":[\"a\",\"b\"]}"), T(""),
     ERROR_INVALID_REQUEST, "field 'chat_id' " ID_RULE},
    {"a range comes last",
     T("{\"limit\":11,\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\",\"user_ids\":[\"a\",\"b\"]}"), T(""),
     ERROR_INVALID_REQUEST, "field 'limit' must be an integer from 0 to 10"},
    {"an empty text of the body is missing whatever the query says", T("{\"text\":\"\"}"),
     T("chat_id=c&author_id=a&text=q&user_ids=a&user_ids=b"), ERROR_MISSING_TEXT, ""},
    {"an empty list of the body is missing whatever the query says", T("{\"user_ids\":[]}"),
     T("chat_id=c&author_id=a&text=q&user_ids=a&user_ids=b"), ERROR_MISSING_USER_IDS, ""},
};

static void test_precedence(void **state)
{
    const struct precedence *p = *state;
    struct fixture f;
    probe_run(&f, &send_operation, &probe_service, MEDIA_JSON, p->body, p->query);
    assert_refused(&f, p->kind, p->detail);
    arena_clear(&f.arena);
}

/* What is accepted, and what the handler sees: the arguments in one line. */
struct acceptance {
    const char *name;
    enum media_type media;
    struct text body;
    struct text query;
    const char *seen;
};

static const struct acceptance acceptances[] = {
    {"an empty body is {}", MEDIA_JSON, T(""), T(""), "limit=0"},
    {"a body of white space is {}", MEDIA_JSON, T(" \t\r\n"), T(""), "limit=0"},
    {"white space around the object is allowed", MEDIA_JSON, T(" \n{ \"limit\" : 1 }\r\n"), T(""), "limit=1"},
    {"null is the same as absent", MEDIA_JSON,
     T("{\"text\":null,\"limit\":null,\"user_ids\":null,\"order\":null,\"sent_before\":null}"), T(""), "limit=0"},
    {"an empty string is the same as absent", MEDIA_JSON, T("{\"text\":\"\",\"chat_id\":\"\",\"order\":\"\"}"), T(""),
     "limit=0"},
    {"fields are named in snake_case", MEDIA_JSON, T("{\"author_id\":\"a\",\"chat_id\":\"c\",\"user_ids\":[\"u\"]}"),
     T(""), "author=a chat=c user=u limit=0"},
    {"fields are named in lowerCamelCase", MEDIA_JSON, T("{\"authorId\":\"a\",\"chatId\":\"c\",\"userIds\":[\"u\"]}"),
     T(""), "author=a chat=c user=u limit=0"},
    {"a name may be spelled with escapes", MEDIA_JSON, T("{\"ch\\u0061t_id\":\"c\"}"), T(""), "chat=c limit=0"},
    {"a list is a set, sorted by bytes", MEDIA_JSON, T("{\"user_ids\":[\"b\",\"a\",\"b\",\"B\",\"aa\",\"\xC3\xA9\"]}"),
     T(""), "user=B user=a user=aa user=b user=\xC3\xA9 limit=0"},
    {"a negative integer", MEDIA_JSON, T("{\"limit\":-7}"), T(""), "limit=-7"},
    {"an integer as string", MEDIA_JSON, T("{\"limit\":\"10\"}"), T(""), "limit=10"},
    {"zero as string", MEDIA_JSON, T("{\"limit\":\"0\"}"), T(""), "limit=0"},
    {"the greatest integer", MEDIA_JSON, T("{\"limit\":9223372036854775807}"), T(""), "limit=9223372036854775807"},
    {"the least integer", MEDIA_JSON, T("{\"limit\":-9223372036854775808}"), T(""), "limit=-9223372036854775808"},
    {"the greatest integer as string", MEDIA_JSON, T("{\"limit\":\"9223372036854775807\"}"), T(""),
     "limit=9223372036854775807"},
    {"the least integer as string", MEDIA_JSON, T("{\"limit\":\"-9223372036854775808\"}"), T(""),
     "limit=-9223372036854775808"},
    {"every escape of RFC 8259", MEDIA_JSON, T("{\"text\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\"}"), T(""),
     "text=\"\\/\b\f\n\r\tA\xC3\xA9\xE2\x82\xAC limit=0"},
    {"a surrogate pair is one character", MEDIA_JSON, T("{\"text\":\"\\uD83D\\uDE00\"}"), T(""),
     "text=\xF0\x9F\x98\x80 limit=0"},
    {"UTF-8 of four bytes", MEDIA_JSON, T("{\"text\":\"\xF0\x9F\x98\x80\"}"), T(""), "text=\xF0\x9F\x98\x80 limit=0"},
    {"U+007F may stand in a string", MEDIA_JSON, T("{\"text\":\"\x7F\"}"), T(""), "text=\x7F limit=0"},
    {"order asc", MEDIA_JSON, T("{\"order\":\"asc\"}"), T(""), "limit=0 asc"},
    {"order desc", MEDIA_JSON, T("{\"order\":\"desc\"}"), T(""), "limit=0"},
    {"a time of RFC 3339", MEDIA_JSON, T("{\"sent_before\":\"1970-01-01T00:00:01.000000002Z\"}"), T(""),
     "limit=0 before=1000000002"},
    {"the first moment is a time as well", MEDIA_JSON, T("{\"sentBefore\":\"1970-01-01T00:00:00Z\"}"), T(""),
     "limit=0 before=0"},
    {"a time finer than nanoseconds bounds exactly what it says", MEDIA_JSON,
     T("{\"sent_before\":\"1970-01-01T00:00:01.0000000021Z\",\"sent_after\":\"1970-01-01T00:00:01.0000000021Z\"}"),
     T(""), "limit=0 before=1000000003 after=1000000002"},
    {"digits that are 0 make a time no finer", MEDIA_JSON,
     T("{\"sent_before\":\"1970-01-01T00:00:01.00000000200Z\",\"sent_after\":\"1970-01-01T00:00:01.00000000200Z\"}"),
     T(""), "limit=0 before=1000000002 after=1000000002"},
    {"a form", MEDIA_FORM, T("chat_id=c&text=a+b%20%26%3d&limit=10&order=asc"), T(""),
     "chat=c text=a b &= limit=10 asc"},
    {"a form in lowerCamelCase", MEDIA_FORM, T("chatId=c"), T(""), "chat=c limit=0"},
    {"a list of a form is the field repeated", MEDIA_FORM, T("user_ids=b&user_ids=a"), T(""), "user=a user=b limit=0"},
    {"a list of a form may be named with []", MEDIA_FORM, T("user_ids[]=b&user_ids%5B%5D=a&user_ids=c"), T(""),
     "user=a user=b user=c limit=0"},
    {"a form's empty pairs are skipped", MEDIA_FORM, T("&&chat_id=c&"), T(""), "chat=c limit=0"},
    {"a form's name without value is empty", MEDIA_FORM, T("text&chat_id=c"), T(""), "chat=c limit=0"},
    {"a form's value may hold =", MEDIA_FORM, T("text=a=b"), T(""), "text=a=b limit=0"},
    {"raw UTF-8 in a form", MEDIA_FORM, T("text=\xC3\xA9"), T(""), "text=\xC3\xA9 limit=0"},
    {"a form body that begins with { is JSON", MEDIA_FORM, T("{\"text\":\"a+b\"}"), T(""), "text=a+b limit=0"},
    {"a form body that begins with space and { is JSON", MEDIA_FORM, T(" \n{\"text\":\"a+b\"}"), T(""),
     "text=a+b limit=0"},
    {"an empty form", MEDIA_FORM, T(""), T(""), "limit=0"},
    {"fields in the query", MEDIA_JSON, T(""), T("chat_id=c&limit=5&user_ids=b&user_ids=a"),
     "chat=c user=a user=b limit=5"},
    {"the body wins field by field", MEDIA_JSON, T("{\"limit\":1,\"user_ids\":[\"z\"]}"),
     T("chat_id=c&limit=5&user_ids=b"), "chat=c user=z limit=1"},
    {"a zero in the body wins", MEDIA_JSON, T("{\"limit\":0}"), T("limit=5"), "limit=0"},
    {"null in the body does not win", MEDIA_JSON,
     T("{\"limit\":null,\"chat_id\":null,\"user_ids\":null,\"sent_after\":null}"),
     T("limit=5&chat_id=c&user_ids=u&sent_after=1970-01-01T00:00:00Z"), "chat=c user=u limit=5 after=0"},
    {"an empty string in the body wins", MEDIA_JSON, T("{\"chat_id\":\"\",\"text\":\"\",\"order\":\"\"}"),
     T("chat_id=c&text=t&order=asc"), "limit=0"},
    {"an empty list in the body wins", MEDIA_JSON, T("{\"user_ids\":[]}"), T("user_ids=a&user_ids=b"), "limit=0"},
    {"an empty string in a form wins", MEDIA_FORM, T("chat_id=&text"), T("chat_id=c&text=t"), "limit=0"},
    {"body and query may spell differently", MEDIA_JSON, T("{\"chatId\":\"c\"}"), T("chat_id=d"), "chat=c limit=0"},
};

static void append_seen(struct buffer *b, const char *name, struct text t)
{
    if (t.bytes > 0) {
        buffer_printf(b, "%s=", name);
        buffer_append_text(b, t);
        buffer_append_z(b, " ");
    }
}

static void test_acceptance(void **state)
{
    const struct acceptance *a = *state;
    struct fixture f;
    struct buffer seen;
    buffer_init(&seen, 1000);
    probe_run(&f, &probe_operation, &probe_service, a->media, a->body, a->query);
    assert_string_equal(f.error.detail, "");
    assert_int_equal(f.kind, ERROR_NONE);
    append_seen(&seen, "author", f.args->author_id);
    append_seen(&seen, "chat", f.args->chat_id);
    append_seen(&seen, "text", f.args->text);
    for (size_t i = 0; i < f.args->user_ids.count; i++) {
        append_seen(&seen, "user", f.args->user_ids.items[i]);
    }
    buffer_printf(&seen, "limit=%lld", (long long)f.args->limit);
    if (f.args->sent_before.given) {
        buffer_printf(&seen, " before=%llu", (unsigned long long)f.args->sent_before.ceiling_ns);
    }
    if (f.args->sent_after.given) {
        buffer_printf(&seen, " after=%llu", (unsigned long long)f.args->sent_after.floor_ns);
    }
    if (f.args->order == STORE_OLDEST_FIRST) {
        buffer_append_z(&seen, " asc");
    }
    assert_text((struct text){seen.data, seen.bytes}, a->seen);
    buffer_clear(&seen);
    arena_clear(&f.arena);
}

/* {"FIELD":"xxx…"} or with `escape`, each x as \u0078. */
static struct text long_string(struct buffer *b, const char *field, size_t bytes, bool escape)
{
    buffer_init(b, 1000000);
    buffer_printf(b, "{\"%s\":\"", field);
    for (size_t i = 0; i < bytes; i++) {
        buffer_append_z(b, escape ? "\\u0078" : "x");
    }
    buffer_append_z(b, "\"}");
    return (struct text){b->data, b->bytes};
}

static void a_text_has_65536_bytes_and_no_more(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer b;
    for (int escape = 0; escape <= 1; escape++) {
        probe_json(&f, &probe_operation, long_string(&b, "text", 65536, escape == 1));
        assert_int_equal(f.kind, ERROR_NONE);
        assert_int_equal(f.args->text.bytes, 65536);
        arena_clear(&f.arena);
        buffer_clear(&b);
    }
    probe_json(&f, &probe_operation, long_string(&b, "text", 65537, false));
    assert_refused(&f, ERROR_INVALID_REQUEST, "field 'text' must be at most 65536 bytes");
    arena_clear(&f.arena);
    buffer_clear(&b);
}

static void an_id_has_255_bytes_and_no_more(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer b;
    probe_json(&f, &probe_operation, long_string(&b, "chat_id", 255, false));
    assert_int_equal(f.kind, ERROR_NONE);
    assert_int_equal(f.args->chat_id.bytes, 255);
    arena_clear(&f.arena);
    buffer_clear(&b);
    probe_json(&f, &probe_operation, long_string(&b, "chat_id", 256, false));
    assert_refused(&f, ERROR_INVALID_REQUEST, "field 'chat_id' " ID_RULE);
    arena_clear(&f.arena);
    buffer_clear(&b);
}

/* `count` different ids, each twice. */
static struct text long_list(struct buffer *b, unsigned count)
{
    buffer_init(b, 1000000);
    buffer_append_z(b, "{\"user_ids\":[\"u0\"");
    for (unsigned i = 1; i < 2 * count; i++) {
        buffer_printf(b, ",\"u%u\"", i % count);
    }
    buffer_append_z(b, "]}");
    return (struct text){b->data, b->bytes};
}

static void a_list_has_1000_different_ids_and_no_more(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer b;
    probe_json(&f, &probe_operation, long_list(&b, 1000));
    assert_int_equal(f.kind, ERROR_NONE);
    assert_int_equal(f.args->user_ids.count, 1000);
    for (size_t i = 1; i < 1000; i++) {
        assert_true(text_compare(f.args->user_ids.items[i - 1], f.args->user_ids.items[i]) < 0);
    }
    arena_clear(&f.arena);
    buffer_clear(&b);
    probe_json(&f, &probe_operation, long_list(&b, 1001));
    assert_refused(&f, ERROR_INVALID_REQUEST, "field 'user_ids' must list 1 to 1000 different ids");
    arena_clear(&f.arena);
    buffer_clear(&b);
}

/* {"text":[[[…]]]}, `depth` levels in all. */
static struct text nested(struct buffer *b, int depth)
{
    buffer_init(b, 1000000);
    buffer_append_z(b, "{\"text\":");
    for (int i = 1; i < depth; i++) {
        buffer_append_z(b, "[");
    }
    for (int i = 1; i < depth; i++) {
        buffer_append_z(b, "]");
    }
    buffer_append_z(b, "}");
    return (struct text){b->data, b->bytes};
}

static void nesting_is_16_deep_and_no_deeper(void **state)
{
    (void)state;
    static const int depths[] = {17, 100000};
    struct fixture f;
    struct buffer b;
    struct text value;
    char problem[JSONCHECK_PROBLEM_BYTES_MAX];
    assert_true(jsoncheck(nested(&b, 16), &value, problem));
    probe_json(&f, &probe_operation, (struct text){b.data, b.bytes});
    assert_refused(&f, ERROR_INVALID_REQUEST, "field 'text' must be a string"); /* json-c took it as well */
    arena_clear(&f.arena);
    buffer_clear(&b);
    for (size_t i = 0; i < COUNT(depths); i++) {
        probe_json(&f, &probe_operation, nested(&b, depths[i]));
        assert_refused(&f, ERROR_INVALID_REQUEST, "nesting deeper than 16 at byte 23");
        arena_clear(&f.arena);
        buffer_clear(&b);
    }
}

static void a_flood_of_fields_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct buffer b;
    buffer_init(&b, 1000000);
    buffer_append_z(&b, "{\"f0\":0");
    for (int i = 1; i < 50000; i++) {
        buffer_printf(&b, ",\"f%d\":0", i);
    }
    buffer_append_z(&b, "}");
    probe_json(&f, &probe_operation, (struct text){b.data, b.bytes});
    assert_int_equal(f.kind, ERROR_INVALID_REQUEST);
    assert_non_null(strstr(f.error.detail, "too many fields at byte "));
    arena_clear(&f.arena);
    buffer_clear(&b);
}

static void any_valid_json_passes_the_check(void **state)
{
    (void)state;
    static const char *const valid[] = {
        "0",
        "-0",
        "1.5e+10",
        "1E-2",
        "1e5",
        "\"\"",
        "true",
        "[]",
        "[1 , [ ] ]",
        "{}",
        "null",
        "false",
        "9007199254740993",
        "{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}",
    };
    char problem[JSONCHECK_PROBLEM_BYTES_MAX];
    for (size_t i = 0; i < COUNT(valid); i++) {
        struct text value;
        assert_true(jsoncheck(text_of(valid[i]), &value, problem));
        assert_text(value, valid[i]);
    }
}

static void a_users_author_is_itself_unless_said_otherwise(void **state)
{
    (void)state;
    static const struct caller user = {.namespace = T("micro"), .account = T("jane"), .type = ACCOUNT_USER};
    struct fixture f;
    probe_run(&f, &probe_operation, &user, MEDIA_JSON, (struct text)T("{}"), (struct text){NULL, 0});
    assert_int_equal(f.kind, ERROR_NONE);
    assert_text(f.args->author_id, "jane");
    arena_clear(&f.arena);
    probe_run(&f, &probe_operation, &user, MEDIA_JSON, (struct text)T("{\"author_id\":\"john\"}"),
              (struct text){NULL, 0});
    assert_int_equal(f.kind, ERROR_NONE);
    assert_text(f.args->author_id, "john");
    arena_clear(&f.arena);
}

static void an_operation_without_fields_takes_an_empty_object(void **state)
{
    (void)state;
    static const struct operation none = {.service = "Test", .name = "None"};
    struct fixture f;
    probe_json(&f, &none, (struct text)T("{}"));
    assert_int_equal(f.kind, ERROR_NONE);
    arena_clear(&f.arena);
    probe_json(&f, &none, (struct text)T("{\"a\":1}"));
    assert_refused(&f, ERROR_INVALID_REQUEST, "unknown field 'a'");
    arena_clear(&f.arena);
}

int main(void)
{
    static const struct CMUnitTest singles[] = {
        cmocka_unit_test(a_text_has_65536_bytes_and_no_more),
        cmocka_unit_test(an_id_has_255_bytes_and_no_more),
        cmocka_unit_test(a_list_has_1000_different_ids_and_no_more),
        cmocka_unit_test(nesting_is_16_deep_and_no_deeper),
        cmocka_unit_test(a_flood_of_fields_is_refused),
        cmocka_unit_test(any_valid_json_passes_the_check),
        cmocka_unit_test(a_users_author_is_itself_unless_said_otherwise),
        cmocka_unit_test(an_operation_without_fields_takes_an_empty_object),
    };
    struct CMUnitTest tests[COUNT(precedences) + COUNT(acceptances) + COUNT(singles)];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(precedences); i++) {
        tests[n++] =
            (struct CMUnitTest){precedences[i].name, test_precedence, NULL, NULL, (void *)(uintptr_t)&precedences[i]};
    }
    for (size_t i = 0; i < COUNT(acceptances); i++) {
        tests[n++] =
            (struct CMUnitTest){acceptances[i].name, test_acceptance, NULL, NULL, (void *)(uintptr_t)&acceptances[i]};
    }
    for (size_t i = 0; i < COUNT(singles); i++) {
        tests[n++] = singles[i];
    }
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
