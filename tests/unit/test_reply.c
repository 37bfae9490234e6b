/*
 * How an answer leaves: whole with its length, streamed, or rendered twice; and how it breaks off (contract, section
 * 4).
 */
#include "served.h"

/* A page whose answer is 40 messages of 65,536 bytes with 93 bytes around each. */
#define LONG_BYTES (40 * (65536 + 93) + 39 + 15)

static void serve_long_page(struct fixture *f)
{
    f->store.messages = 40;
    f->store.text_bytes = 65536;
    serve(f, "/ListMessages", "{\"chat_id\":\"c\"}");
}

static void assert_long_body(const struct fixture *f)
{
    assert_int_equal(f->body.bytes, LONG_BYTES);
    assert_memory_equal(f->body.data, "{\"messages\":[{\"id\":\"m\"", 22);
    assert_memory_equal(f->body.data + LONG_BYTES - 4, "\"}]}", 4);
}

static void an_answer_up_to_1_mib_has_its_length(void **state)
{
    struct fixture *f = *state;
    f->store.messages = 15;
    f->store.text_bytes = 65536;
    serve(f, "/ListMessages", "{\"chat_id\":\"c\"}");
    assert_true(f->complete);
    assert_int_equal(f->length, 15 * (65536 + 93) + 14 + 15);
    assert_int_equal(f->body.bytes, f->length);
    assert_int_equal(f->store.readings, 1);
}

static void a_longer_answer_is_rendered_twice_and_has_its_length(void **state)
{
    struct fixture *f = *state;
    serve_long_page(f);
    assert_true(f->complete);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->length, LONG_BYTES);
    assert_int_equal(f->store.readings, 2);
    assert_long_body(f);
}

static void head_has_the_length_and_no_body(void **state)
{
    struct fixture *f = *state;
    f->request.method = METHOD_HEAD;
    f->sink.discards = true;
    serve_long_page(f);
    assert_true(f->complete);
    assert_int_equal(f->length, LONG_BYTES);
    assert_int_equal(f->store.readings, 1);
    assert_int_equal(f->body.bytes, 0);
    serve(f, "/Health", "");
    assert_true(f->complete);
    assert_int_equal(f->length, 15);
    assert_int_equal(f->body.bytes, 0);
}

static void an_error_before_anything_has_left_is_a_whole_answer(void **state)
{
    struct fixture *f = *state;
    f->store.fail_reading = 1;
    f->store.fail_at = 5; /* still gathering */
    serve_long_page(f);
    assert_error(f, 503, "UNAVAILABLE");
    f->store.fail_at = 30; /* measuring */
    serve_long_page(f);
    assert_error(f, 503, "UNAVAILABLE");
}

static void an_error_after_bytes_have_left_breaks_the_answer_off(void **state)
{
    struct fixture *f = *state;
    f->store.fail_reading = 2; /* replaying */
    f->store.fail_at = 30;
    serve_long_page(f);
    assert_false(f->complete);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->length, LONG_BYTES);
    assert_true(f->body.bytes < LONG_BYTES);
}

static void a_second_rendering_of_another_length_is_broken_off(void **state)
{
    struct fixture *f = *state;
    f->store.text_bytes_later = 65535;
    serve_long_page(f);
    assert_false(f->complete);
    assert_true(f->body.bytes <= LONG_BYTES);
    f->store.text_bytes_later = 65537;
    serve_long_page(f);
    assert_false(f->complete);
    assert_true(f->body.bytes <= LONG_BYTES);
}

static void a_peer_that_is_gone_ends_the_reading(void **state)
{
    struct fixture *f = *state;
    f->bodies_left = 2;
    serve_long_page(f);
    assert_false(f->complete);
    assert_int_equal(f->heads, 1);
    assert_int_equal(f->bodies_left, 0);
    assert_true(f->body.bytes < LONG_BYTES);
}

static bool take_head_of_what_is_on_the_disk(void *context, const struct reply *reply, uint64_t bytes)
{
    const struct fixture *f = context;
    assert_true(f->store.waits > 0);
    return take_head(context, reply, bytes);
}

static void nothing_leaves_before_it_is_on_the_disk(void **state)
{
    struct fixture *f = *state;
    f->store.ticket = 7;
    f->sink.head = take_head_of_what_is_on_the_disk;
    static const enum store_status statuses[] = {STORE_OK, STORE_NOT_FOUND, STORE_CONFLICT};
    for (size_t i = 0; i < COUNT(statuses); i++) {
        f->store.status = statuses[i];
        serve(f, "/SendMessage", "{\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\"}");
        assert_true(f->complete);
    }
    f->store.status = STORE_OK;
    serve(f, "/CreateChat", "{\"user_ids\":[\"a\",\"b\"]}");
    assert_true(f->complete);
    serve(f, "/ListMessages", "{\"chat_id\":\"c\"}");
    assert_true(f->complete);
    serve_long_page(f);
    assert_true(f->complete);
    assert_long_body(f);
}

static void what_does_not_get_to_the_disk_is_a_503_whatever_it_was(void **state)
{
    struct fixture *f = *state;
    static const enum store_status statuses[] = {STORE_OK, STORE_EXISTS, STORE_NOT_FOUND, STORE_CONFLICT};
    f->store.ticket = 7;
    f->store.waits_in_vain = true;
    for (size_t i = 0; i < COUNT(statuses); i++) {
        f->store.status = statuses[i];
        serve(f, "/SendMessage", "{\"chat_id\":\"c\",\"author_id\":\"a\",\"text\":\"t\"}");
        assert_error(f, 503, "UNAVAILABLE");
        assert_int_equal(f->reply.result, ERROR_UNAVAILABLE);
    }
    f->store.status = STORE_OK;
    serve_long_page(f);
    assert_int_equal(f->store.readings, 1);
    assert_error(f, 503, "UNAVAILABLE");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        WITH_FIXTURE(an_answer_up_to_1_mib_has_its_length),
        WITH_FIXTURE(a_longer_answer_is_rendered_twice_and_has_its_length),
        WITH_FIXTURE(head_has_the_length_and_no_body),
        WITH_FIXTURE(an_error_before_anything_has_left_is_a_whole_answer),
        WITH_FIXTURE(an_error_after_bytes_have_left_breaks_the_answer_off),
        WITH_FIXTURE(a_second_rendering_of_another_length_is_broken_off),
        WITH_FIXTURE(a_peer_that_is_gone_ends_the_reading),
        WITH_FIXTURE(nothing_leaves_before_it_is_on_the_disk),
        WITH_FIXTURE(what_does_not_get_to_the_disk_is_a_503_whatever_it_was),
    };
    return cmocka_run_group_tests_name("reply", tests, NULL, NULL);
}
