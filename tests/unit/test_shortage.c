/* What is done where memory runs out: Berkeley DB's reserve, and what json-c leaves out without saying so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bdb/memory.h"
#include "rpc/jsoncheck.h"
#include "rpc/jsonwhole.h"

#define LARGE_BYTES ((size_t)300 << 10) /* more than malloc has at hand: it asks the system */

/* From now on the system gives no more; *ret_before is for memory_again. False: not under a sanitizer, which asks. */
static bool memory_ends(struct rlimit *ret_before)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    (void)ret_before;
    return false;
#else
    struct rlimit none = {0, 0};
    assert_int_equal(getrlimit(RLIMIT_AS, ret_before), 0);
    none.rlim_max = ret_before->rlim_max;
    assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
    return true;
#endif
}

static void memory_again(const struct rlimit *before)
{
    assert_int_equal(setrlimit(RLIMIT_AS, before), 0);
}

static void the_reserve_is_used_when_malloc_has_nothing(void **state)
{
    (void)state;
    struct rlimit before;
    char *ordinary = memory_alloc(LARGE_BYTES);
    assert_non_null(ordinary);
    assert_true(memory_reserve_used() == 0);
    memset(ordinary, 'o', LARGE_BYTES);
    if (!memory_ends(&before)) {
        memory_free(ordinary);
        skip();
    }
    char *first = memory_alloc(LARGE_BYTES);
    char *second = memory_realloc(ordinary, 2 * LARGE_BYTES); /* moves into it, with what it held */
    size_t used = memory_reserve_used();
    char *third = memory_alloc(LARGE_BYTES); /* more than is left */
    memory_again(&before);
    assert_non_null(first);
    assert_non_null(second);
    assert_null(third);
    assert_true(used >= 3 * LARGE_BYTES);
    assert_true(second[0] == 'o' && second[LARGE_BYTES - 1] == 'o');
    assert_true((uintptr_t)first % 16 == 0 && (uintptr_t)second % 16 == 0);
    first = memory_realloc(first, 2 * LARGE_BYTES); /* leaves it again */
    assert_non_null(first);
    memory_free(second);
    assert_true(memory_reserve_used() == 0);
    memory_free(first);
    memory_free(NULL);
}

static void assert_whole(const char *z, const char *other)
{
    struct text json = {NULL, 0};
    char problem[JSONCHECK_PROBLEM_BYTES_MAX];
    assert_true(jsoncheck((struct text){z, strlen(z)}, &json, problem));
    struct json_object *tree = json_tokener_parse(other);
    assert_non_null(tree);
    if (jsonwhole(json, tree) != (z == other)) {
        fail_msg("%s and %s", z, other);
    }
    json_object_put(tree);
}

static void a_tree_that_holds_all_is_whole(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{}",
        " {\"a\":1,\"b\" : -2.5e3 ,\"c\":[true,false,null,{}],\"d\":\"\"}\n",
        "{\"\\u0061\\n\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}",
        "{\"a\":\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud83d\\ude00\"}",
        "{\"\xc3\xa4\":\"\xf0\x9f\x98\x80 \xe2\x82\xac\",\"b\":[[[\"x\"]],[]]}",
        "{\"a\":{\"b\":{\"c\":null}},\"[,]\":\"{:}\"}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_whole(texts[i], texts[i]);
    }
}

static void what_is_left_out_is_noticed(void **state)
{
    (void)state;
    assert_whole("{\"a\":1,\"b\":2}", "{\"a\":1}");
    assert_whole("{\"a\":\"long text\"}", "{\"a\":\"long\"}");
    assert_whole("{\"long name\":1}", "{\"long\":1}");
    assert_whole("{\"a\":[1,2,3]}", "{\"a\":[1,2]}");
    assert_whole("{\"a\":\"\"}", "{\"a\":null}");
    assert_whole("{\"a\":{\"b\":1}}", "{\"a\":{}}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reserve_is_used_when_malloc_has_nothing),
        cmocka_unit_test(a_tree_that_holds_all_is_whole),
        cmocka_unit_test(what_is_left_out_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
