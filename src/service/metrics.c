#include <inttypes.h>
#include <stdio.h>

#include "service/registry.h"

/*
 * Chats.Metrics: what base/figures.h counts, in Prometheus's text exposition format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/). The figures are the home's: no namespace and no id is
 * among them. It takes no gate, so that it answers when nothing else does; only a token that comes with the call is
 * looked up before, as for any operation.
 */

#define MEDIA "text/plain; version=0.0.4; charset=utf-8"

#define NS_DECIMALS 9 /* of a second; tickets are written as they are, with none */

/* value / 10^decimals, without zeros at the end. */
static void append_decimal(struct buffer *out, uint64_t value, int decimals)
{
    uint64_t unit = 1;
    int shown = decimals;
    for (int i = 0; i < decimals; i++) {
        unit *= 10;
    }
    uint64_t fraction = value % unit;
    buffer_printf(out, "%" PRIu64, value / unit);
    if (fraction > 0) {
        for (; fraction % 10 == 0; fraction /= 10) {
            shown--;
        }
        buffer_printf(out, ".%0*" PRIu64, shown, fraction);
    }
}

static void append_help(struct buffer *out, const char *name, const char *type, const char *help)
{
    buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_value(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value,
                         int decimals)
{
    append_help(out, name, type, help);
    buffer_printf(out, "%s ", name);
    append_decimal(out, value, decimals);
    buffer_append_z(out, "\n");
}

static void append_counter(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    append_value(out, name, "counter", help, value, 0);
}

static void append_gauge(struct buffer *out, const char *name, const char *help, uint64_t value)
{
    append_value(out, name, "gauge", help, value, 0);
}

/* The series of one histogram: of an operation, or NULL. */
static void append_series(struct buffer *out, const char *name, const char *operation,
                          const struct histogram *histogram, const struct histogram_bounds *bounds, int decimals)
{
    uint64_t count = 0;
    char labels[REGISTRY_NAME_BYTES + 20] = "";
    char alone[REGISTRY_NAME_BYTES + 20] = "";
    if (operation != NULL) {
        snprintf(labels, sizeof labels, "operation=\"%s\",", operation);
        snprintf(alone, sizeof alone, "{operation=\"%s\"}", operation);
    }
    for (size_t i = 0; i <= bounds->count; i++) {
        count += figures_read(&histogram->buckets[i]);
        buffer_printf(out, "%s_bucket{%sle=\"", name, labels);
        if (i < bounds->count) {
            append_decimal(out, bounds->at[i], decimals);
        } else {
            buffer_append_z(out, "+Inf");
        }
        buffer_printf(out, "\"} %" PRIu64 "\n", count);
    }
    buffer_printf(out, "%s_sum%s ", name, alone);
    append_decimal(out, figures_read(&histogram->sum), decimals);
    buffer_printf(out, "\n%s_count%s %" PRIu64 "\n", name, alone, count);
}

static void append_histogram(struct buffer *out, const char *name, const char *help, const struct histogram *histogram,
                             const struct histogram_bounds *bounds, int decimals)
{
    append_help(out, name, "histogram", help);
    append_series(out, name, NULL, histogram, bounds, decimals);
}

/* True if the figure is shown while it is zero, so that its first rise is one. */
static bool is_expected(size_t kind, enum error_kind result)
{
    if (kind >= FIGURES_OPERATION) {
        return result == ERROR_NONE || operation_may_answer(registry_at(kind - FIGURES_OPERATION), result);
    }
    return result == (kind == FIGURES_UNKNOWN ? ERROR_UNKNOWN_OPERATION : ERROR_NONE);
}

static void append_results(struct buffer *out, size_t kind, const char *name, const struct figures_calls *calls)
{
    for (int result = ERROR_NONE; result < ERROR_KINDS; result++) {
        uint64_t count = figures_read(&calls->results[result]);
        int status = kind == FIGURES_PREFLIGHT ? 204 : 200;
        const char *error = "";
        if (result != ERROR_NONE) {
            status = error_row((enum error_kind)result)->code;
            error = error_row((enum error_kind)result)->id;
        }
        if (count > 0 || is_expected(kind, (enum error_kind)result)) {
            buffer_printf(out, "chats_calls_total{operation=\"%s\",status=\"%d\",error=\"%s\"} %" PRIu64 "\n", name,
                          status, error, count);
        }
    }
}

static void append_calls(struct buffer *out, const struct figures *figures)
{
    char room[REGISTRY_NAME_BYTES];
    const char *name;
    append_help(out, "chats_calls_total", "counter", "Calls that were answered, by operation and result.");
    for (size_t kind = 0; (name = registry_kind_name(kind, room)) != NULL; kind++) {
        append_results(out, kind, name, &figures->calls[kind]);
    }
    append_help(out, "chats_call_duration_seconds", "histogram",
                "Time from a call's headers, read, to its answer, ready to leave.");
    for (size_t kind = 0; (name = registry_kind_name(kind, room)) != NULL; kind++) {
        append_series(out, "chats_call_duration_seconds", name, &figures->calls[kind].took_ns, &figures_call_ns,
                      NS_DECIMALS);
    }
}

static void append_gate(struct buffer *out, const struct figures *figures)
{
    append_histogram(out, "chats_gate_wait_seconds", "Time that whoever got the gate had waited for it.",
                     &figures->gate_waited_ns, &figures_gate_ns, NS_DECIMALS);
    append_histogram(out, "chats_gate_held_seconds", "Time that the gate was held at a stretch.",
                     &figures->gate_held_ns, &figures_gate_ns, NS_DECIMALS);
    append_value(out, "chats_gate_longest_wait_seconds", "gauge", "The longest of these waits.",
                 figures_read(&figures->gate_longest_wait_ns), NS_DECIMALS);
    append_counter(out, "chats_gate_timeouts_total", "Waits for the gate that were given up.",
                   figures_read(&figures->gate_timeouts));
}

static void append_store(struct buffer *out, const struct figures *figures, const struct store_state *state)
{
    append_histogram(out, "chats_commit_batch_size", "Commits that one sync of the log put on the disk.",
                     &figures->synced_tickets, &figures_tickets, 0);
    append_counter(out, "chats_log_written_bytes_total", "Bytes written to the log.",
                   figures_read(&figures->log_bytes));
    append_gauge(out, "chats_log_size_bytes", "Size of the log files that are kept.", state->log_bytes);
    append_gauge(out, "chats_trees_size_bytes", "Size of the trees' files.", state->tree_bytes);
    append_counter(out, "chats_checkpoints_total", "Checkpoints, without those of recoveries.", state->checkpoints);
    append_counter(out, "chats_recoveries_total", "Recoveries; the first one opens the home.", state->recoveries);
    append_counter(out, "chats_recovery_failures_total", "Recoveries that failed.",
                   figures_read(&figures->recovery_failures));
    append_value(out, "chats_recovery_longest_seconds", "gauge", "The longest recovery.", state->longest_recovery_ns,
                 NS_DECIMALS);
    append_gauge(out, "chats_full", "1: there is no room left on the disk, writes are refused.", state->full);
    append_gauge(out, "chats_out_of_service", "1: a page or the log is damaged, every call is refused.",
                 state->out_of_service);
}

static enum error_kind metrics(struct call *call, const void *args)
{
    struct buffer *out = reply_out(call->reply);
    struct store_state state;
    (void)args;
    enum store_status status = store_state_read(call->store, &state);
    if (status != STORE_OK) {
        return operation_store_error(call, status, ERROR_INTERNAL);
    }
    const struct figures *figures = store_figures(call->store);
    append_help(out, "chats_build_info", "gauge", "The program that answers this call.");
    buffer_append_z(out, "chats_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
    append_calls(out, figures);
    append_gate(out, figures);
    append_store(out, figures, &state);
    return ERROR_NONE;
}

static const struct operation rows[] = {
    {
        .service = "Chats",
        .name = "Metrics",
        .effect = OPERATION_READS,
        .policy = POLICY_SERVICE_OR_LOCAL,
        .run = metrics,
        .about = "What this home's processes have counted since it was first opened after the machine started, in "
                 "Prometheus's text format. For services, and for programs of the same machine.",
        .media = MEDIA,
        .example_answer = "# HELP chats_recoveries_total Recoveries; the first one opens the home.\\n"
                          "# TYPE chats_recoveries_total counter\\nchats_recoveries_total 1\\n",
    },
};

const struct operation_table metrics_operations = {rows, sizeof(rows) / sizeof(rows[0])};
