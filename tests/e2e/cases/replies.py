"""Contract, section 4: long answers, and a service that is not there."""

import concurrent.futures
import json
import time

from lib.suite import case, equal

LIST = ("Chats.ListMessages",)
LONG_TEXT_BYTES = 60000
PRIVATE_BYTES_MAX = 8 << 20  # an answer held in memory would take 60


def long_chat(t, count):
    """A chat of `count` messages of 60 KB, sent four at a time and without --wrap; one for all cases of a home."""
    key = (str(t.variant.home), count)
    if key in t.lane.kept:
        return t.lane.kept[key]
    chat, users = t.chat()

    def send(n):
        t.send(chat, users[n % 2], f"{n:06}" + "x" * (LONG_TEXT_BYTES - 6))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(send, range(count)))
    t.lane.kept[key] = chat
    return chat


@case("an answer of 60 MB arrives whole and in order", LIST)
def _(t):
    chat = long_chat(t, 1000)
    got = t.get(f"ListMessages?chat_id={chat}&limit=1000&order=asc", wrapped=False)
    stored = t.ok(got)["messages"]
    equal(len(stored), 1000, "the number of messages")
    equal(sorted(int(m["text"][:6]) for m in stored), list(range(1000)), "the messages")
    times = [m["sent_at"] for m in stored]
    equal(times, sorted(set(times)), "the times")
    equal({len(m["text"]) for m in stored}, {LONG_TEXT_BYTES}, "the lengths")
    head = t.call("HEAD", f"/chats/Chats/ListMessages?chat_id={chat}&limit=1000", wrapped=False)
    equal((head.status, head.body), (200, b""), "HEAD of it")
    if t.lane.name == "cgi" and not t.lane.sanitized:  # a sanitizer has a memory of its own
        private = t.variant.private_bytes("/Chats/ListMessages", f"chat_id={chat}&limit=1000")
        if not 0 < private <= PRIVATE_BYTES_MAX:
            raise AssertionError(f"a call took {private} bytes of memory")


def wait_until_well(t):
    """Another worker is started for one that was killed; until then the server answers by itself."""
    limit = time.monotonic() + 10
    while t.get("Health").status != 200 and time.monotonic() < limit:
        time.sleep(0.1)


@case("an answer that breaks off midway is not ended as if it were complete", LIST)
def _(t):
    cut = t.on("cut", killed=True)  # a home of its own: who is killed there may be inside the gate, and that is said in the log
    chat = long_chat(cut, 300)
    for _ in range(20):  # the answer may be through before the kill
        wait_until_well(cut)
        got = cut.variant.cut("/Chats/ListMessages", f"chat_id={chat}&limit=1000")
        equal(got.status, 200, "the status of the answer that was begun")
        if not got.complete:
            break
        equal(len(json.loads(got.body)["messages"]), 300, "the number of messages in a complete answer")
    else:
        raise AssertionError("20 kills came too late")
    wait_until_well(cut)
    cut.ok(cut.get("Health"), {"status": "ok"})
    equal(len(cut.messages(chat, limit=2)), 2, "the messages listed after it")


@case("answers around 1 MiB arrive whole", LIST)
def _(t):
    chat = long_chat(t, 20)
    for limit in (16, 17, 18, 20):
        got = t.post("ListMessages", {"chat_id": chat, "limit": limit})
        equal(len(t.ok(got)["messages"]), limit, "the number of messages")
        equal(got.header("Content-Length"), str(len(got.body)), "Content-Length")


@case("without its home the service says when to try again", (*LIST, "Chats.Health"), ["UNAVAILABLE"])
def _(t):
    homeless = t.on("homeless", missing=True)
    for got in (
        homeless.get("Health"),
        homeless.get("ListMessages?chat_id=c"),
        homeless.post("CreateChat", {"user_ids": ["a", "b"]}),
        homeless.post("SendMessage", {"chat_id": "c", "author_id": "a", "text": "x"}),
    ):
        homeless.error(got, "UNAVAILABLE")
        equal(got.header("Retry-After").isdigit(), True, "Retry-After is a number of seconds")
        equal(got.header("Access-Control-Allow-Origin"), "*", "Access-Control-Allow-Origin")
    homeless.error(homeless.post("Nothing", {}), "UNKNOWN_OPERATION")
    homeless.error(homeless.get("CreateChat"), "METHOD_NOT_ALLOWED")
    head = homeless.call("HEAD", "/chats/Chats/Health")
    equal((head.status, head.body), (503, b""), "HEAD of Health")
