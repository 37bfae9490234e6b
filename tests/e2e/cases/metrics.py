"""Chats.Metrics: that it counts what happened, whoever served it, and who may read it."""

from lib import accounts, exposition, lanes
from lib.accounts import bearer
from lib.suite import Skip, case, equal

METRICS = ("Chats.Metrics",)
HANDED_ON = (  # what proxies add
    *("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port"),
    *("X-Forwarded-Server", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"),
)


def figures(t):
    """What is counted by now."""
    if exposition.parser is None:
        raise Skip(exposition.MISSING)
    return exposition.Figures(t.text(t.get("Metrics", wrapped=False)))


def calls_of_every_kind(t):
    """A few calls of each result: {operation: {(status, error id): calls}}."""
    chat, users = t.chat()
    for n in range(5):
        t.send(chat, users[n % 2], f"text {n}")
    t.messages(chat)
    for body, error in (({"chat_id": chat, "author_id": "x"}, "MISSING_TEXT"), ({"chat": 1}, "INVALID_REQUEST")):
        t.error(t.post("SendMessage", body), error)
    for _ in range(3):
        t.error(t.post("ListMessages", {"chat_id": "nowhere"}), "NOT_FOUND")
    t.error(t.get("SendMessage"), "METHOD_NOT_ALLOWED")
    t.error(t.post("Nothing"), "UNKNOWN_OPERATION")
    t.error(t.post("ListMessages", {}, bearer("chats_nonsense")), "UNAUTHORIZED")
    equal(t.call("OPTIONS", "/chats/Chats/SendMessage").status, 204, "the status of OPTIONS")
    t.ok(t.call("GET", "/chats/openapi.json"))
    return {
        "Chats.CreateChat": {(200, ""): 1},
        "Chats.SendMessage": {
            (200, ""): 5,
            (400, "MISSING_TEXT"): 1,
            (400, "INVALID_REQUEST"): 1,
            (405, "METHOD_NOT_ALLOWED"): 1,
        },
        "Chats.ListMessages": {(200, ""): 1, (404, "NOT_FOUND"): 3, (401, "UNAUTHORIZED"): 1},
        "unknown": {(404, "UNKNOWN_OPERATION"): 1},
        "preflight": {(204, ""): 1},
        "openapi.json": {(200, ""): 1},
    }


ERRORS = ("MISSING_TEXT", "INVALID_REQUEST", "NOT_FOUND", "METHOD_NOT_ALLOWED", "UNKNOWN_OPERATION", "UNAUTHORIZED")


@case("Metrics counts each call once, by operation and result, whichever process served it", METRICS, ERRORS)
def _(t):
    one = t.on("counted")
    two = t.on("counted-again", home=one.variant.home)  # another server, or process, for the same home
    expected = calls_of_every_kind(one)
    served = [one, two]
    if t.lane.name.startswith("lighttpd"):  # a home of ours: a CGI run of ours may use it, too
        served.append(type(t)(t.lane, lanes.CgiVariant(t.lane.build, one.variant.home, [])))
    for other in served[1:]:
        calls_of_every_kind(other)
    rounds = len(served)
    got = figures(two)
    for operation, results in expected.items():
        equal(got.calls(operation), {result: n * rounds for result, n in results.items()}, f"the calls of {operation}")
        took = got("chats_call_duration_seconds_count", operation=operation)
        equal(took, rounds * sum(results.values()), f"the durations of {operation}")
    equal(got.calls("Chats.Metrics"), {}, "the calls of Chats.Metrics before the first has its answer")
    equal(figures(one).calls("Chats.Metrics"), {(200, ""): 1}, "the calls of Chats.Metrics")


@case("Metrics tells of the gate, the group commit, the log and recoveries what can be true", METRICS)
def _(t):
    there = t.on("told")
    chat, users = there.chat()
    before = figures(there)
    sends = 40
    there.at_once([lambda n=n: there.send(chat, users[0], f"text {n}" + "x" * 1000) for n in range(sends)])
    got = figures(there)
    equal(got.problems(), [], "what is wrong with the answer")

    def more(name):
        return got(name) - before(name)

    synced, batches = more("chats_commit_batch_size_sum"), more("chats_commit_batch_size_count")
    if not (batches >= 1 and sends <= synced):
        raise AssertionError(f"{batches} syncs put {synced} commits on the disk, of {sends} that were acknowledged")
    if not sends * 1000 < more("chats_log_written_bytes_total") < sends * 20000:
        raise AssertionError(f"{more('chats_log_written_bytes_total')} bytes of log for {sends} messages of 1,000 bytes")
    if more("chats_gate_held_seconds_count") < sends or more("chats_gate_wait_seconds_count") < sends:
        raise AssertionError("the gate was held and waited for less often than messages were sent")
    for name in ("chats_gate_held_seconds_sum", "chats_recovery_longest_seconds", "chats_log_size_bytes", "chats_trees_size_bytes"):
        if got(name) <= 0:
            raise AssertionError(f"{name} is {got(name)}")
    equal(got("chats_recoveries_total"), 1, "the recoveries: the one that opened the home")
    for name in ("chats_full", "chats_out_of_service", "chats_recovery_failures_total", "chats_gate_timeouts_total"):
        equal(got(name), 0, name)


@case("Metrics is read by a service, or on this machine where no proxy speaks for another", METRICS, ["UNAUTHORIZED"])
def _(t):
    home = t.on("read", auth="open", settings=accounts.CHEAP)
    accounts.add(t.lane.build, home.variant.home, "shop", "a secret", "service")
    shop = bearer(accounts.issue(t.lane.build, home.variant.home, "shop"))
    for path in ("/chats/metrics", "/chats/Chats/Metrics", "/v1/chats/Metrics"):
        home.text(home.call("GET", path))
    for header, value in (*((name, "192.0.2.1") for name in HANDED_ON), ("Origin", "https://a.example"), ("Host", "a.example")):
        handed_on = [(header, value)]
        home.error(home.get("Metrics", handed_on), "UNAUTHORIZED")
        home.text(home.get("Metrics", handed_on + shop))
    home.text(home.get("Metrics", [("Host", "chats.localhost:8080")]))
    head = home.call("HEAD", "/chats/metrics")
    equal((head.status, head.body), (200, b""), "status and body of HEAD")
