"""The rows about large stores: depth, size on the disk, the sheer number of messages, recovery."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

from bench import measure, stands
from lib import accounts, load, server

FILL_THREADS = 128  # which share the group commit
CHAT = "deep"
SPREAD = 1000  # chats of the second store whose size is looked at
LARGE, SMALL = (10_000_000, 100_000), (10_000, 100)  # messages, chats
READ_TREES = ("chats", "messages")  # by a first page
KILLS_MAX, RECOVERIES = 40, 5
SEED = 6


def fill(bench, home, messages, chats=0, burst=1):
    """Messages in one chat, or by turns in several; what fill says of it."""
    words = [CHAT, messages, len(stands.TEXT), FILL_THREADS, *((chats, burst) if chats else ())]
    command = [str(bench.build / "tests" / "bench" / "fill"), str(home), *map(str, words)]
    filled = subprocess.run(command, capture_output=True, text=True, timeout=7200, check=False)
    if filled.returncode != 0:
        raise AssertionError(f"fill: {filled.stdout}{filled.stderr}")
    return filled.stdout.strip()


def tree_bytes(bench, home):
    """What the trees take on the disk, once all that the cache holds of them is there."""
    accounts.chatsctl(bench.build, home, "recover")
    return sum(tree.stat().st_blocks * 512 for tree in home.glob("*.db"))


def scaled(bench, whole):
    """How many messages or chats to make: far fewer with --quick."""
    return whole // 100 if bench.options.quick else whole


class Filled:
    """A home with many messages, made in the bench's folder; `served` puts lighttpd before it."""

    def __init__(self, bench, name, messages, chats=0, burst=1):
        self.build, self.folder = bench.build, bench.folder / name
        self.folder.mkdir()
        self.messages, self.chats = messages, chats
        settings = (f"threads = {bench.options.threads}", "log_level = info")  # recoveries are logged at that level
        self.home, self.token = stands.new_home(bench.build, self.folder / "home", *settings)
        self.filled = fill(bench, self.home, messages, chats, burst)
        self.bytes = tree_bytes(bench, self.home)

    @contextlib.contextmanager
    def served(self):
        """lighttpd with the service, as a (server, Target)."""
        lighttpd = server.Lighttpd("fastcgi", self.build, self.home, self.folder / "server")
        try:
            base = f"http://127.0.0.1:{lighttpd.port}/chats/Chats"
            yield lighttpd, measure.Target("chats", base, stands.bearer(self.token))
        finally:
            lighttpd.stop()

    def close(self):
        """Removes it."""
        shutil.rmtree(self.folder)


def reader(bench, target, kind, *arguments):
    """A function(round) that reads pages through one kept connection, other ones in each round: its Figures."""

    def run(number):
        url = f"{target.base}/ListMessages"
        return load.wrk(url, 1, max(1, bench.options.seconds // 2), kind, number + 1, *arguments, headers=target.headers)

    return run


def from_memory(store, read):
    """As `read`, but that the kernel has the trees in its memory. Some drop what nobody has read for a minute."""

    def run(number):
        for tree in READ_TREES:
            with open(store.home / f"{tree}.db", "rb", buffering=0) as file:
                while file.read(1 << 20):
                    pass
        return read(number)

    return run


def from_disk(store, read):
    """As `read`, but that the kernel has none of the trees in its memory."""

    def run(number):
        for tree in READ_TREES:
            with open(store.home / f"{tree}.db", "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return read(number)

    return run


def tree_sizes(store):
    """{tree: bytes a message}, of those that count."""
    sizes = {tree.stem: round(tree.stat().st_size / store.messages, 1) for tree in store.home.glob("*.db")}
    return {tree: size for tree, size in sorted(sizes.items()) if size >= 1}


def disk_row(bench):
    """One chat is the best case, many in turn the worst: then each tree is filled at many places."""
    spread = Filled(bench, "spread", bench.deep.messages, scaled(bench, SPREAD))
    try:
        ratios, figures = [], {}
        for store, where in ((bench.deep, "in one chat"), (spread, f"by turns in {spread.chats:,} chats")):
            each = store.bytes / store.messages
            figures[f"bytes {where}"] = each
            ratios.append(measure.Ratio(f"bytes a message, {where}", each, bar=420, sense="<="))
        notes = {"filled": [bench.deep.filled, spread.filled], "trees": [tree_sizes(bench.deep), tree_sizes(spread)]}
    finally:
        spread.close()
    title = f"the trees' size on the disk after {bench.deep.messages:,} messages of 100 bytes"
    return measure.Row("disk", title, {"chats": figures}, ratios, notes)


def depth_row(bench):
    """Pages of one chat, through one kept connection."""
    deepest = bench.deep.messages - stands.PAGE
    with bench.deep.served() as (_, target):
        def page(body):
            words = json.dumps({"chat_id": CHAT, **body})
            return json.loads(load.post(f"{target.base}/ListMessages", words, bench.deep.token))["messages"]

        after = page({"order": "asc", "offset": stands.PAGE, "limit": 1})[0]["sent_at"]
        bodies = {"first": {"offset": 0}, "deep": {"offset": deepest}, "sent_before": {"sent_before": after}}
        if page(bodies["deep"]) != page(bodies["sent_before"]) or len(page(bodies["deep"])) != stands.PAGE:
            raise AssertionError("the deepest page by offset is not the one by time")
        readers = {n: reader(bench, target, "body", json.dumps({"chat_id": CHAT, **b})) for n, b in bodies.items()}
        readers["random"] = reader(bench, target, "page", CHAT, "random", bench.deep.messages)
        runs = measure.in_turn(2 * bench.options.rounds, readers)
    what = {"deep": f"offset {deepest:,} to 0", "sent_before": "sent_before to offset 0", "random": "random offsets to 0"}
    title = f"a page of {bench.deep.messages:,} messages, one connection, p50"
    return by_first("depth", title, runs, what, {"deep": 1.2, "sent_before": 1.2, "random": 1.5})


def by_first(name, title, runs, what, bars):
    """A Row of p50s, each against that of "first"."""
    figures = {f"{form}_p50_us": measure.summary(found)["p50_us"] for form, found in runs.items()}
    times = {form: [run.p50_us for run in found] for form, found in runs.items()}
    ratios = [measure.median_ratio(what[f], times[f], times["first"], bar=bar, sense="<=") for f, bar in bars.items()]
    return measure.Row(name, title, {"chats": figures}, ratios)


def large_row(bench):
    """First pages of chats at random, so that it is not one page in the cache that is measured."""
    small = Filled(bench, "small", *SMALL, SMALL[0] // SMALL[1])
    with contextlib.closing(small), small.served() as (_, few), bench.large.served() as (_, many):
        chat = f"{CHAT}-%06d"
        any_chat = reader(bench, many, "list-many", chat, bench.large.chats)
        readers = {
            "first": reader(bench, few, "list-many", chat, small.chats),
            "many": from_memory(bench.large, any_chat),
            "many_one": reader(bench, many, "list-many", chat, 1),
            "many_disk": from_disk(bench.large, any_chat),
        }
        runs = measure.in_turn(2 * bench.options.rounds, readers)
    title = f"the first page of a chat of {bench.large.chats:,} with {bench.large.messages:,} messages, one connection, p50"
    smaller = f"to {small.messages:,} in {small.chats:,}"
    what = {
        "many": f"any chat, {smaller}",
        "many_one": f"always the same chat, {smaller}",
        "many_disk": f"any chat, none in the kernel's memory, {smaller}",
    }
    row = by_first("large", title, runs, what, {"many": 1.3, "many_one": None, "many_disk": None})
    row.notes = {"filled": bench.large.filled, "bytes": bench.large.bytes}
    return row


def answers_again(url, token):
    """Seconds until a page is answered."""
    started = time.monotonic()
    while time.monotonic() - started < 60:
        with contextlib.suppress(OSError):
            if load.answer(url, f'{{"chat_id":"{CHAT}-000001"}}', token).status == 200:
                return time.monotonic() - started
        time.sleep(0.005)
    raise AssertionError("a minute after a kill there is no answer")


def recoveries_ms(lighttpd):
    """How long each recovery took that the workers have logged so far."""
    return [int(ms) for ms in re.findall(r"recovered in (\d+) ms", lighttpd.log_text())]


def recovery_row(bench):
    """Kills of the worker under sends to all chats at random, until some were inside the gate."""
    store, rng, pauses = bench.large, random.Random(SEED), []
    with store.served() as (lighttpd, target):
        url = f"{target.base}/ListMessages"
        answers_again(url, store.token)
        arguments = ("send-many", 1, f"{CHAT}-%06d", store.chats)
        command = load.command(f"{target.base}/SendMessage", 64, 3600, *arguments, headers=target.headers)
        sending = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            while len(recoveries_ms(lighttpd)) < RECOVERIES:
                if len(pauses) == KILLS_MAX:
                    raise AssertionError(f"{KILLS_MAX} kills, and recoveries of {recoveries_ms(lighttpd)} ms only")
                time.sleep(rng.uniform(0.2, 1.0 if bench.options.quick else 5.0))
                for worker in lighttpd.workers():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(worker, signal.SIGKILL)
                pauses.append(answers_again(url, store.token))
        finally:
            sending.kill()
            sending.wait()
        took = recoveries_ms(lighttpd)
    title = f"kill -9 under sends to {store.chats:,} chats with {store.messages:,} messages: {len(pauses)} kills, {len(took)} recoveries"
    figures = {"recovery_ms": max(took), "until_the_next_answer_ms": max(pauses) * 1000}
    ratio = measure.Ratio("the longest recovery", max(took) / 1000, bar=2.0, sense="<=", values=took, unit=" s")
    return measure.Row("recovery", title, {"chats": figures}, [ratio], {"pauses_s": [round(p, 3) for p in pauses]})
