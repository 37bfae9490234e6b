/*
 * Chats.Metrics: what is counted, how it is written, and who may read it. That it is what happened, over real servers
 * and processes, is shown by tests/e2e/cases/metrics.py; the gate's and the log's figures by test_gate and test_sync.
 */
#include "base/figures.h"
#include "base/timestamp.h"
#include "served.h"
#include "service/registry.h"

#define TOKEN "chats_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHI"

/* The whole answer as a string; it lives until the next one. */
static const char *metrics_of(struct fixture *f)
{
    f->request.method = METHOD_GET;
    serve(f, "/Chats/Metrics", "");
    assert_true(f->complete);
    assert_int_equal(f->reply.code, 200);
    assert_string_equal(f->reply.media, "text/plain; version=0.0.4; charset=utf-8");
    buffer_append(&f->body, "", 1);
    f->request.method = METHOD_POST;
    return f->body.data;
}

static void assert_line(const char *text, const char *line)
{
    char whole[300];
    snprintf(whole, sizeof(whole), "\n%s\n", line);
    if (strstr(text, whole) == NULL) {
        fail_msg("there is no line '%s'", line);
    }
}

static bool yes(void *peer)
{
    (void)peer;
    return true;
}

static int set_up_local(void **state)
{
    if (set_up(state) != 0) {
        return -1;
    }
    struct fixture *f = *state;
    f->request.is_local = yes;
    f->request.began_ns = timestamp_monotonic_ns();
    return 0;
}

#define WITH_LOCAL(test) cmocka_unit_test_setup_teardown(test, set_up_local, tear_down)

/* histograms */

static void a_value_is_counted_at_the_first_bound_that_is_not_below_it(void **state)
{
    static const struct histogram_bounds bounds = {3, {10, 20, 40}};
    static const uint64_t values[] = {0, 10, 11, 20, 21, 40, 41, UINT32_MAX};
    struct histogram histogram = {0};
    uint64_t sum = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        histogram_add(&histogram, &bounds, values[i]);
        sum += values[i];
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(figures_read(&histogram.buckets[i]), 2);
    }
    assert_int_equal(figures_read(&histogram.buckets[4]), 0);
    assert_int_equal(figures_read(&histogram.sum), sum);
}

static void bounds_rise_and_leave_a_bucket_for_what_is_above_them(void **state)
{
    const struct histogram_bounds *all[] = {&figures_call_ns, &figures_gate_ns, &figures_tickets};
    (void)state;
    for (size_t i = 0; i < COUNT(all); i++) {
        assert_in_range(all[i]->count, 1, FIGURES_BUCKETS_MAX - 1);
        for (size_t j = 1; j < all[i]->count; j++) {
            assert_true(all[i]->at[j] > all[i]->at[j - 1]);
        }
    }
}

/* Processes on other cores count other operations: they do not take each other's cache lines away. */
static void each_operations_figures_have_cache_lines_of_their_own(void **state)
{
    static struct figures figures;
    (void)state;
    for (size_t i = 0; i < FIGURES_CALLS_MAX; i++) {
        assert_int_equal((uintptr_t)&figures.calls[i] % FIGURES_LINE_BYTES, 0);
    }
    assert_int_equal((uintptr_t)&figures.gate_waited_ns % FIGURES_LINE_BYTES, 0);
    assert_int_equal((uintptr_t)&figures.synced_tickets % FIGURES_LINE_BYTES, 0);
}

/* what is counted */

static void each_call_is_counted_once_by_what_it_was_answered(void **state)
{
    struct fixture *f = *state;
    const char *chat = "{\"user_ids\":[\"a\",\"b\"]}";
    for (int i = 0; i < 3; i++) {
        serve(f, "/Chats/CreateChat", chat);
    }
    serve(f, "/Chats/CreateChat", "{}");
    serve(f, "/Chats/CreateChat", "{");
    serve(f, "/Chats/NoSuch", "{}");
    serve(f, "/openapi.json", "");
    f->request.method = METHOD_GET;
    serve(f, "/openapi.json", "");
    serve(f, "/Chats/CreateChat", "");
    f->request.method = METHOD_OPTIONS;
    serve(f, "/Chats/CreateChat", "");
    f->request.method = METHOD_POST;
    f->store.status = STORE_UNAVAILABLE;
    serve(f, "/Chats/CreateChat", chat);
    f->store.status = STORE_OK;
    static const char *const lines[] = {
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"200\",error=\"\"} 3",
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"400\",error=\"MISSING_USER_IDs\"} 1",
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"400\",error=\"INVALID_REQUEST\"} 1",
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"405\",error=\"METHOD_NOT_ALLOWED\"} 1",
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"503\",error=\"UNAVAILABLE\"} 1",
        "chats_calls_total{operation=\"Chats.CreateChat\",status=\"500\",error=\"DATABASE_ERROR\"} 0",
        "chats_calls_total{operation=\"unknown\",status=\"404\",error=\"UNKNOWN_OPERATION\"} 1",
        "chats_calls_total{operation=\"openapi.json\",status=\"200\",error=\"\"} 1",
        "chats_calls_total{operation=\"openapi.json\",status=\"405\",error=\"METHOD_NOT_ALLOWED\"} 1",
        "chats_calls_total{operation=\"preflight\",status=\"204\",error=\"\"} 1",
        "chats_calls_total{operation=\"Chats.SendMessage\",status=\"200\",error=\"\"} 0",
        "chats_calls_total{operation=\"Chats.Metrics\",status=\"200\",error=\"\"} 0",
        "chats_call_duration_seconds_count{operation=\"Chats.CreateChat\"} 7",
        "chats_call_duration_seconds_count{operation=\"openapi.json\"} 2",
    };
    const char *text = metrics_of(f);
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_line(text, lines[i]);
    }
    assert_null(strstr(text, "operation=\"Chats.CreateChat\",status=\"403\",error=\"UNKNOWN_OPERATION\""));
    assert_line(metrics_of(f), "chats_calls_total{operation=\"Chats.Metrics\",status=\"200\",error=\"\"} 1");
}

/* The peer is handed the end of the answer: by then it is counted. */
static bool look_at_figures(void *context, const char *data, size_t bytes)
{
    struct fixture *f = context;
    (void)data;
    (void)bytes;
    struct histogram *took = &f->store.figures.calls[FIGURES_OPERATION].took_ns;
    f->bodies_left = figures_read(&took->buckets[0]) == 1 ? 7 : 0;
    return true;
}

static void who_has_its_answer_finds_it_counted(void **state)
{
    struct fixture *f = *state;
    f->sink.body = look_at_figures;
    f->request.began_ns = timestamp_monotonic_ns();
    serve(f, "/Chats/CreateChat", "{\"user_ids\":[\"a\",\"b\"]}");
    assert_true(f->complete);
    assert_int_equal(f->bodies_left, 7);
}

static void a_call_takes_as_long_as_since_its_request_began(void **state)
{
    struct fixture *f = *state;
    const struct histogram *took = &f->store.figures.calls[FIGURES_UNKNOWN].took_ns;
    f->request.began_ns = timestamp_monotonic_ns() - UINT64_C(3000000000);
    serve(f, "/Chats/NoSuch", "{}");
    assert_int_equal(figures_read(&took->buckets[12]), 1); /* up to 5 s */
    assert_in_range(figures_read(&took->sum), UINT64_C(3000000000), UINT64_C(5000000000));
}

static void an_answer_that_breaks_off_is_counted_as_what_broke_it(void **state)
{
    struct fixture *f = *state;
    size_t list = registry_kind(registry_find(text_of("Chats"), text_of("ListMessages")));
    f->store.messages = 40;
    f->store.text_bytes = 60000;
    f->store.fail_reading = 2;
    f->store.fail_at = 30;
    serve(f, "/Chats/ListMessages", "{\"chat_id\":\"c\",\"limit\":1000}");
    assert_false(f->complete);
    const struct figures_calls *calls = &f->store.figures.calls[list];
    assert_int_equal(figures_read(&calls->results[ERROR_NONE]), 0);
    assert_int_equal(figures_read(&calls->results[ERROR_UNAVAILABLE]), 1);
}

static void a_home_that_is_not_open_counts_nothing_and_answers_nothing(void **state)
{
    struct fixture *f = *state;
    f->request.path = text_of("/Chats/Metrics");
    serve_with(f, NULL);
    assert_error(f, 503, "UNAVAILABLE");
    assert_null(f->reply.media);
}

/*
 * Figures are kept by place, and a worker of the version before may count in the same memory: whoever changes the order
 * or takes an operation out raises GATE_LAYOUT (bdb/gate.h). New ones come at the end.
 */
static void operations_keep_their_places(void **state)
{
    static const char *const names[] = {"CreateChat", "SendMessage", "ListMessages", "Health",
                                        "Token",      "Inspect",     "Revoke",       "Generate",
                                        "List",       "Delete",      "ChangeSecret", "Metrics"};
    size_t count = 0;
    (void)state;
    for (; registry_at(count) != NULL; count++) {
        assert_int_equal(registry_kind(registry_at(count)), FIGURES_OPERATION + count);
        assert_true(count >= COUNT(names) || strcmp(registry_at(count)->name, names[count]) == 0);
    }
    assert_in_range(count, COUNT(names), FIGURES_CALLS_MAX - FIGURES_OPERATION);
}

/* how it is written */

static void figures_are_written_in_base_units(void **state)
{
    struct fixture *f = *state;
    struct figures *figures = &f->store.figures;
    figures_call(figures, FIGURES_OPERATION, ERROR_NONE, 500000);
    figures_call(figures, FIGURES_OPERATION, ERROR_NONE, 2500001);
    figures_call(figures, FIGURES_OPERATION, ERROR_NONE, UINT64_C(20000000000));
    histogram_add(&figures->gate_waited_ns, &figures_gate_ns, 0);
    histogram_add(&figures->gate_waited_ns, &figures_gate_ns, 10001);
    histogram_add(&figures->gate_held_ns, &figures_gate_ns, UINT64_C(1500000000));
    histogram_add(&figures->synced_tickets, &figures_tickets, 3);
    figures_add(&figures->gate_longest_wait_ns, 10001);
    figures_add(&figures->gate_timeouts, 2);
    figures_add(&figures->log_bytes, 12345);
    figures_add(&figures->recovery_failures, 4);
    f->store.state = (struct store_state){.out_of_service = true,
                                          .full = true,
                                          .tree_bytes = 4096,
                                          .log_bytes = 8192,
                                          .recoveries = 5,
                                          .longest_recovery_ns = 40000000,
                                          .checkpoints = 6};
    static const char *const lines[] = {
        "# TYPE chats_build_info gauge",
        "# TYPE chats_calls_total counter",
        "# TYPE chats_call_duration_seconds histogram",
        "chats_call_duration_seconds_bucket{operation=\"Chats.CreateChat\",le=\"0.0005\"} 1",
        "chats_call_duration_seconds_bucket{operation=\"Chats.CreateChat\",le=\"0.0025\"} 1",
        "chats_call_duration_seconds_bucket{operation=\"Chats.CreateChat\",le=\"0.005\"} 2",
        "chats_call_duration_seconds_bucket{operation=\"Chats.CreateChat\",le=\"10\"} 2",
        "chats_call_duration_seconds_bucket{operation=\"Chats.CreateChat\",le=\"+Inf\"} 3",
        "chats_call_duration_seconds_sum{operation=\"Chats.CreateChat\"} 20.003000001",
        "chats_call_duration_seconds_count{operation=\"Chats.CreateChat\"} 3",
        "# TYPE chats_gate_wait_seconds histogram",
        "chats_gate_wait_seconds_bucket{le=\"0.00001\"} 1",
        "chats_gate_wait_seconds_bucket{le=\"0.0001\"} 2",
        "chats_gate_wait_seconds_sum 0.000010001",
        "chats_gate_wait_seconds_count 2",
        "chats_gate_held_seconds_bucket{le=\"1\"} 0",
        "chats_gate_held_seconds_bucket{le=\"10\"} 1",
        "chats_gate_held_seconds_sum 1.5",
        "chats_gate_longest_wait_seconds 0.000010001",
        "chats_gate_timeouts_total 2",
        "chats_commit_batch_size_bucket{le=\"2\"} 0",
        "chats_commit_batch_size_bucket{le=\"4\"} 1",
        "chats_commit_batch_size_sum 3",
        "chats_commit_batch_size_count 1",
        "chats_log_written_bytes_total 12345",
        "chats_log_size_bytes 8192",
        "chats_trees_size_bytes 4096",
        "chats_checkpoints_total 6",
        "chats_recoveries_total 5",
        "chats_recovery_failures_total 4",
        "chats_recovery_longest_seconds 0.04",
        "chats_full 1",
        "chats_out_of_service 1",
    };
    const char *text = metrics_of(f);
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_line(text, lines[i]);
    }
    assert_line(text, "chats_build_info{version=\"" PACKAGE_VERSION "\"} 1");
    assert_int_equal(text[strlen(text) - 1], '\n');
}

/* who may read it */

static void who_may_read_it_is_what_chats_conf_says(void **state)
{
    static const struct {
        enum config_metrics metrics;
        bool is_local;
        const char *origin;
        const char *token; /* NULL: no header */
        enum account_type type;
        int code;
    } rows[] = {
        {CONFIG_METRICS_LOOPBACK, true, "", NULL, ACCOUNT_USER, 200},
        {CONFIG_METRICS_LOOPBACK, false, "", NULL, ACCOUNT_USER, 401},
        {CONFIG_METRICS_LOOPBACK, true, "https://evil.example", NULL, ACCOUNT_USER, 401},
        {CONFIG_METRICS_LOOPBACK, true, "", "nonsense", ACCOUNT_USER, 401},
        {CONFIG_METRICS_LOOPBACK, true, "", "", ACCOUNT_USER, 401},
        {CONFIG_METRICS_LOOPBACK, true, "", TOKEN, ACCOUNT_USER, 403},
        {CONFIG_METRICS_LOOPBACK, false, "", TOKEN, ACCOUNT_USER, 403},
        {CONFIG_METRICS_LOOPBACK, false, "", TOKEN, ACCOUNT_SERVICE, 200},
        {CONFIG_METRICS_LOOPBACK, true, "", TOKEN, ACCOUNT_SERVICE, 200},
        {CONFIG_METRICS_SERVICE, true, "", NULL, ACCOUNT_USER, 401},
        {CONFIG_METRICS_SERVICE, true, "", TOKEN, ACCOUNT_USER, 403},
        {CONFIG_METRICS_SERVICE, false, "", TOKEN, ACCOUNT_SERVICE, 200},
        {CONFIG_METRICS_OFF, true, "", NULL, ACCOUNT_USER, 403},
        {CONFIG_METRICS_OFF, false, "", NULL, ACCOUNT_USER, 403},
        {CONFIG_METRICS_OFF, true, "", TOKEN, ACCOUNT_SERVICE, 403},
    };
    struct fixture *f = *state;
    f->store.auth.token = TOKEN;
    f->store.auth.holder_namespace = "sites";
    f->store.auth.holder = "shop";
    for (size_t i = 0; i < COUNT(rows); i++) {
        f->config.auth = i % 2 == 0 ? CONFIG_AUTH_OPEN : CONFIG_AUTH_REQUIRED; /* it makes no difference */
        f->config.metrics = rows[i].metrics;
        f->request.is_local = rows[i].is_local ? yes : NULL;
        f->request.origin = text_of(rows[i].origin);
        f->request.has_bearer = rows[i].token != NULL;
        f->request.bearer = text_of(rows[i].token);
        f->store.auth.holder_type = rows[i].type;
        serve(f, "/Chats/Metrics", "");
        if (f->reply.code != rows[i].code) {
            fail_msg("row %zu: the code is %d, not %d", i, f->reply.code, rows[i].code);
        }
        assert_int_equal(f->store.calls, rows[i].code == 200 ? 1 : 0);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_counted_at_the_first_bound_that_is_not_below_it),
        cmocka_unit_test(bounds_rise_and_leave_a_bucket_for_what_is_above_them),
        cmocka_unit_test(each_operations_figures_have_cache_lines_of_their_own),
        WITH_LOCAL(each_call_is_counted_once_by_what_it_was_answered),
        WITH_LOCAL(who_has_its_answer_finds_it_counted),
        WITH_LOCAL(a_call_takes_as_long_as_since_its_request_began),
        WITH_LOCAL(an_answer_that_breaks_off_is_counted_as_what_broke_it),
        WITH_LOCAL(a_home_that_is_not_open_counts_nothing_and_answers_nothing),
        cmocka_unit_test(operations_keep_their_places),
        WITH_LOCAL(figures_are_written_in_base_units),
        WITH_LOCAL(who_may_read_it_is_what_chats_conf_says),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
