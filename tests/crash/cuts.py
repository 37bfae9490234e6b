"""Power cuts: homes and folders whose changes are recorded, and images of them as a cut may leave them.

What the suites tests/crash/power and tests/crash/power_jobs share. Each image (disk.py) of a home is opened as after
another boot: it must recover by itself, hold every message and chat that was acknowledged or shown before the cut,
nothing that was never sent, and check clean; recovered once more it must hold the same; and what is sent then must be
there, and nothing else, after one more cut.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
import disk  # noqa: E402
import lab as crash  # noqa: E402
import server  # noqa: E402
from lab import Broken, check  # noqa: E402

CHATS = [f"room-{i}" for i in range(6)]
SYNC_US = 400
APPENDED = 20  # messages sent to each chat of a recovered image
LIMIT_S = 60  # of one command: longer is a hang
SETTINGS = ("threads = 4", "cache = 1M", "checkpoint_bytes = 256K", "checkpoint_seconds = 2")
REGION = re.compile(r"__db\.00\d$")


def text_of(message, size):
    """As contents_text of tests/crash/contents.h has it."""
    return ((message + ".") * (size // (len(message) + 1) + 1))[:size]


# --- what is recorded ---


class Recording:
    """All that is done to one folder, a home or another, by the programs that are started with its environment."""

    def __init__(self, lab, recorded):
        self.lab = lab
        self.folder = pathlib.Path(lab.folder)
        self.recorded = recorded
        library = lab.build / "tests/crash/recorder.so"
        self.recorder = disk.Recorder(library, self.folder / "trace", recorded, SYNC_US)
        self.sent = {}  # message id -> (chat, size)
        self.kills = 0
        self.has_own_settings = False  # a chats.conf that the recorder does not know
        self.promised = []  # before it began
        # What is in the folder then, and on the disk: (name, inode, content)
        files = list(recorded.iterdir()) if recorded.exists() else []
        self.begun_with = [(file.name, file.stat().st_ino, file.read_bytes()) for file in files]

    def control(self, home, *words):
        """chatsctl, recorded, to its end, which must be a good one and is marked."""
        good(self.lab.build, home, *words, env=self.recorder.env)
        self.recorder.mark(f"done {words[0]}")

    def begun(self, home, *words):
        """chatsctl, recorded, that runs; its words are in a log of the lab's."""
        self.lab.count += 1
        command = [str(self.lab.build / "chatsctl"), *map(str, words)]
        env = {**server.program_environment(home), **self.recorder.env}
        with open(self.folder / f"log{self.lab.count}", "wb") as log:
            return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def end(self):
        self.folder_inode = self.recorded.stat().st_ino
        self.records = self.recorder.records()
        os.unlink(self.recorder.trace)

    def disks(self, cuts):
        """Of each cut, in their order: the disk.Disk as it is then, and what had been promised."""
        state = disk.Disk(self.folder_inode)
        for name, inode, content in self.begun_with:
            state.has(name, inode, content)
        promised, done = list(self.promised), 0
        for cut in cuts:
            for record in self.records[done : cut.at]:
                if record[1] == disk.MARK:
                    promised.append(record[5].decode())
                else:
                    state.do(record)
            done = cut.at
            yield state, list(promised)


class HomeRecording(Recording):
    """A home, workers and what is sent to them."""

    def __init__(self, lab, faults=""):
        super().__init__(lab, pathlib.Path(lab.folder) / "home")
        self.home = self.recorded
        self.faults = faults
        self.workers = []

    def begin(self, settings=SETTINGS):
        """Makes the home."""
        self.control(self.home, "init", "--auth", "open")
        with open(self.home / "chats.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{line}\n" for line in settings)
        self.has_own_settings = True

    def start_worker(self):
        like = self.workers[0] if self.workers else None
        worker = self.lab.worker(self.home, faults=self.faults, extra_env=self.recorder.env, like=like)
        self.workers.append(worker)

    def call(self, operation, **fields):
        """The answer, or None: 503 or broken off."""
        try:
            answer = self.workers[0].call(operation, **fields)
        except Broken:
            return None
        check(answer.code in (200, 503), f"{operation} was answered {answer!r}")
        return answer if answer.code == 200 else None

    def create(self, chat):
        while self.call("CreateChat", id=chat, user_ids=[chat, "jane"]) is None:
            time.sleep(0.005)
        self.recorder.mark(f"chat {chat}")

    def send(self, chat, message, size):
        self.sent[message] = (chat, size)
        fields = {"id": message, "chat_id": chat, "author_id": "jane", "text": text_of(message, size)}
        for _ in range(3):  # a repeat may be told that it is there; or nobody ever hears of it
            if self.call("SendMessage", **fields):
                self.recorder.mark(f"message {chat} {message}")
                return
            time.sleep(0.005)

    def show(self, chat):
        answer = self.call("ListMessages", chat_id=chat, limit=3)
        if answer:
            for message in answer.data["messages"]:
                self.recorder.mark(f"message {chat} {message['id']}")

    def kill(self, chance):
        """A worker is killed between two changes of the home, and another started."""
        victim = chance.choice(self.workers)
        with self.recorder:
            victim.kill()
        self.recorder.mark("kill")
        self.kills += 1
        self.start_worker()
        self.workers = [w for w in self.workers if w is not victim]

    def end(self):
        for worker in self.workers:
            worker.leave()
        super().end()


# --- images ---


class Cut:
    """One image to be built: the place in the records before which the power goes, and what is kept of the unsynced."""

    def __init__(self, at, keep, strict, seed):
        self.at, self.keep, self.strict, self.seed = at, keep, strict, seed

    def image(self, state):
        return state.image(self.keep, random.Random(self.seed), self.strict)

    def __str__(self):
        names = ", any names" if self.strict else ""
        return f"cut before record {self.at}, keep {self.keep}{names}, seed {self.seed}"


def boundaries(records):
    """Before each end of a sync: as much as can be is acknowledged, and as little as can be on the disk."""
    return [i for i, record in enumerate(records) if record[1] == disk.SYNCED]


def rare_boundaries(records):
    """Those near a kill, a new, renamed or removed name, or a sync of the folder."""
    rare = set()
    for i, record in enumerate(records):
        if record[1] in (disk.CREATE, disk.RENAME, disk.REMOVE) or record[5] == b"kill":
            rare.update(range(i, min(i + 40, len(records))))
    return [i for i in boundaries(records) if i in rare] + [i + 1 for i in sorted(rare) if i + 1 < len(records)]


def choose_cuts(records, count, seed):
    """count cuts, a third of them at rare places, a quarter with everything unsynced lost."""
    chance = random.Random(seed)
    common, rare = boundaries(records), rare_boundaries(records)
    cuts = []
    for i in range(count):
        at = chance.choice(rare) if i % 3 == 0 else common[i * len(common) // count]
        keep = (0, 0.5, 0.9, 0.1, 0, 0.5, 0.97, 1)[i % 8]
        cuts.append(Cut(at, keep, chance.random() < 0.5, f"{seed}/{i}"))
    return sorted(cuts, key=lambda cut: cut.at)


class Images:
    """Builds and judges images of a recorded home, two at a time."""

    chats = CHATS

    def __init__(self, recording, options):
        self.recording = recording
        self.keep_broken = options.keep
        self.cut_again_every = 1 if options.long else 3
        self.build = recording.lab.build
        self.failures = []
        self.refused = 0
        self.judged = 0
        self.acknowledged = 0

    def run(self, cuts, fail_fast=False):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            running = []
            for cut, (state, promised) in zip(cuts, self.recording.disks(cuts), strict=True):
                running.append(pool.submit(self.judge, cut, cut.image(state), promised))
                running = [r for r in running if not r.done() or r.result()]
                while len(running) > 3:
                    concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
                    running = [r for r in running if not r.done() or r.result()]
                if fail_fast and self.failures:
                    break
            for r in running:
                r.result()
        check(self.judged > 0, "no image was judged")

    def judge(self, cut, image, promised):
        folder = self.recording.folder / f"image-{cut.at}-{cut.seed.replace('/', '-')}"
        try:
            self.judge_in(folder, cut, image, promised)
        except AssertionError as e:
            self.failures.append(f"{cut}: {e}")
            if self.keep_broken:
                shutil.move(folder, f"{tempfile.gettempdir()}/{folder.name}")
        finally:
            self.judged += 1
        shutil.rmtree(folder, ignore_errors=True)

    def judge_in(self, folder, cut, image, promised):
        home = folder / "1"
        write(self.recording, home, image)
        if not self.opens(home, promised):
            self.refused += 1
            return
        first, _ = self.contents(home)
        self.compare(first, promised)
        self.goes_on(folder, home, first)

    def goes_on(self, folder, home, first):
        """Its contents are `first`, after another cut, too; and what is then sent is there after one more."""
        again = another_boot(home, folder / "2")
        if self.judged % self.cut_again_every != 0:
            same(first, self.contents(again)[0], "recovered again it holds other messages")
            return
        second, third = self.contents(again, "--append", str(APPENDED))
        same(first, second, "recovered again it holds other messages")
        last = another_boot(again, folder / "3")
        fourth, _ = self.contents(last)
        same(third, fourth, "after what was sent to the recovered home and another cut")
        after = [line for line in fourth if " after-" in line]
        chats = [line for line in fourth if line.startswith("chat ")]
        check(len(after) == APPENDED * len(chats), f"{len(after)} of {APPENDED * len(chats)} new messages are there")
        same(first, [line for line in fourth if " after-" not in line], "the older messages are others")

    def opens(self, home, promised):
        """False: it was refused with a sentence, and nothing had been promised."""
        done = control(self.build, home, "check")
        if done.returncode == 0:
            return True
        check(not promised, f"chatsctl check: {(done.stdout + done.stderr).strip()}")
        sentence_of(done, "chatsctl check")
        return False

    def contents(self, home, *options):
        """The lines of tests/crash/contents, before and after what it sends; the home must check clean."""
        command = [str(self.build / "tests/crash/contents"), str(home), *options, *self.chats]
        done = run(command, {"PATH": os.environ["PATH"]}, "reading the contents")
        check(done.returncode == 0, f"the contents cannot be read: {done.stderr.strip()}")
        good, *lines = done.stdout.splitlines()
        cut = lines.index("appended") if "appended" in lines else len(lines)
        chats = sum(line.startswith("chat ") for line in lines[:cut])
        messages = sum(not line.startswith(("chat ", "none ")) for line in lines[:cut])
        check(good == f"good {chats} {messages}", f"checked {good}, but {chats} chats and {messages} messages are listed")
        return lines[:cut], lines[cut + 1 :]

    def compare(self, lines, promised):
        there, last = {}, {}
        for line in lines:
            words = line.split()
            if words[0] in ("chat", "none"):
                if words[0] == "chat":
                    there[words[1]] = None
                continue
            chat, message, sent_at, size, right = words
            check(self.recording.sent.get(message) == (chat, int(size)), f"nobody sent {line!r}")
            check(right == "right", f"{line!r} has another text")
            check(message not in there, f"{message} is there twice")
            check(last.get(chat, 0) < int(sent_at), f"{line!r} is out of order")
            there[message], last[chat] = chat, int(sent_at)
        for words in (words.split() for words in promised):
            if words[0] == "chat":
                check(words[1] in there, f"the chat {words[1]} was acknowledged and is not there")
            elif words[0] == "message":
                check(there.get(words[2]) == words[1], f"{words[2]} was acknowledged or shown and is not there")
                self.acknowledged += 1


def write(recording, home, image):
    os.makedirs(home, mode=0o700)
    for name, content in image.items():
        with open(home / name, "wb") as f:
            used = len(content.rstrip(b"\0")) if name.startswith("log.") else len(content)
            f.write(memoryview(content)[:used])
            f.truncate(len(content))
    if recording.has_own_settings and image.get("chats.conf"):
        shutil.copyfile(recording.recorded / "chats.conf", home / "chats.conf")


def another_boot(home, target):
    """A copy as after a boot: no gate page, no regions."""
    os.makedirs(target, mode=0o700)
    for entry in os.scandir(home):
        if entry.name != "gate" and not REGION.match(entry.name):
            copy_sparse(entry.path, target / entry.name)
    return target


def copy_sparse(source, target):
    with open(source, "rb") as f, open(target, "wb") as g:
        content = f.read()
        g.write(content.rstrip(b"\0"))
        g.truncate(len(content))


def same(first, second, what):
    if first != second:
        gone = [line for line in first if line not in set(second)][:3]
        new = [line for line in second if line not in set(first)][:3]
        raise AssertionError(f"{what}: no longer {gone}, newly {new}")


def run(command, env, what):
    try:
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{what} hangs") from None


def control(build, home, *words, env=None):
    """chatsctl, to its end."""
    environment = {**server.program_environment(home), **(env or {})}
    return run([str(build / "chatsctl"), *map(str, words)], environment, f"chatsctl {words[0]}")


def good(build, home, *words, env=None):
    done = control(build, home, *words, env=env)
    check(done.returncode == 0, f"chatsctl {words[0]} ended with {done.returncode}: {(done.stdout + done.stderr).strip()}")


def sentence_of(done, what):
    """Of a refusal: chatsctl's one sentence."""
    said = (done.stdout + done.stderr).strip()
    check(done.returncode > 0, f"{what} died of signal {-done.returncode}: {said}")
    lines = [line for line in said.splitlines() if line.startswith("chatsctl: ")]
    check(len(lines) == 1, f"{what} refused without a sentence: {said!r}")
    return lines[0]


def summary(recording, images):
    kinds = [record[1] for record in recording.records]
    syncs, names = kinds.count(disk.SYNCED), sum(kinds.count(k) for k in (disk.CREATE, disk.RENAME, disk.REMOVE))
    logs = sum(r[1] == disk.REMOVE and r[5].startswith(b"log.") for r in recording.records)
    return (
        f"{images.judged} images of {len(kinds)} records, {syncs} syncs, {names} names, {logs} logs removed, "
        f"{recording.kills} kills, {images.acknowledged} acknowledged messages looked for, {images.refused} refused"
    )


def fail_with(images):
    check(not images.failures, f"{len(images.failures)} of {images.judged} images:\n" + "\n".join(images.failures[:10]))


def main(description, cases, images):
    """The command line of a suite; `cases`: (rule, function of lab and options). images: (short, long)"""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--build", default="build")
    parser.add_argument("--faults", default=None)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--images", type=int, default=None)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave broken images where they are")
    parser.add_argument("--case", default="")
    options = parser.parse_args()
    options.images = options.images or images[options.long]
    options.faults = options.faults and pathlib.Path(options.faults).resolve()
    bound = [(rule, lambda lab, case=case: case(lab, options)) for rule, case in cases]
    return crash.run_cases(bound, pathlib.Path(options.build).resolve(), options.case)
