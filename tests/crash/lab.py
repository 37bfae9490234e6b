"""What the crash tests that are written in Python share: workers of a home that can be stopped, killed and looked into."""

import concurrent.futures
import json
import mmap
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests" / "lib"))
sys.dont_write_bytecode = True
import server  # noqa: E402

CALL_LIMIT_S = 30


class Skip(Exception):
    """This case cannot be tried here; says why."""


class Broken(Exception):
    """The connection broke before the answer's end."""


class Answer:
    """code, headers (lower-case names), body (bytes) and data (the body's JSON, None if it is none)."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        lines = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        self.headers = {name.lower(): value for name, value in lines}
        self.code = int(self.headers["status"].split()[0])
        self.data = json.loads(self.body) if self.headers["content-type"] == "application/json" else None

    def __repr__(self):
        return f"{self.code} {self.body[:200]!r}"


def _record(kind, content):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def fcgi_request(operation, fields, extra=None):
    """The bytes of a FastCGI request (FastCGI specification 1.0). extra: more parameters."""
    body = json.dumps(fields).encode()
    params = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/chats/Chats/{operation}",
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        **(extra or {}),
    }
    pairs = b"".join(bytes([len(n), len(v.encode())]) + n.encode() + v.encode() for n, v in params.items())
    head = _record(1, b"\0\1\0\0\0\0\0\0") + _record(4, pairs) + _record(4, b"")
    return head + _record(5, body) + _record(5, b"")


def fcgi_call(path, operation, fields, limit_s=CALL_LIMIT_S, extra=None):
    """One FastCGI request on a connection of its own; its Answer."""
    request = fcgi_request(operation, fields, extra)
    received, at, out = bytearray(), 0, bytearray()
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(limit_s)
            s.connect(str(path))
            s.sendall(request)
            while True:
                part = s.recv(65536)
                if not part:
                    raise Broken("no end of request")
                received += part
                while len(received) >= at + 8:
                    _, kind, _, length, padding, _ = struct.unpack_from(">BBHHBB", received, at)
                    if len(received) < at + 8 + length + padding:
                        break
                    if kind == 6:
                        out += received[at + 8 : at + 8 + length]
                    if kind == 3:
                        return Answer(bytes(out))
                    at += 8 + length + padding
    except OSError as e:
        if isinstance(e, TimeoutError):
            raise
        raise Broken(str(e)) from e


class Page:
    """The gate page of a home, read in place: page.holder_pid, page.generation, ..."""

    layouts = {}

    def __init__(self, build, home):
        if build not in Page.layouts:
            out = subprocess.run([str(build / "tests/crash/peek")], check=True, capture_output=True, text=True).stdout
            lines = [line.split() for line in out.splitlines()]
            Page.layouts[build] = {name: (int(offset), int(size)) for name, offset, size in lines}
        self._layout = Page.layouts[build]
        with open(home / "gate", "rb") as f:
            self._map = mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ)

    def __getattr__(self, name):
        offset, size = self._layout[name]
        return int.from_bytes(self._map[offset : offset + size], sys.byteorder)

    @property
    def inode(self):
        """Of the file that the page says it is."""
        return getattr(self, "identity.inode")

    def number(self, name):
        """A constant of the page's header."""
        return self._layout[name][0]

    def deaths_while(self, phase):
        """Holders found dead in this phase ("recovering")."""
        offset = self._layout["deaths"][0] + 8 * self.number(f"phase.{phase}")
        return int.from_bytes(self._map[offset : offset + 8], sys.byteorder)

    def is_held(self, pid, phase):
        """True if the process is inside the gate in this phase."""
        return self.holder_phase == self.number(f"phase.{phase}") and self.holder_pid == pid


class Worker:
    """One worker process, on a socket of its own, or on `like`'s. `wrap`: a command that runs it, as strace does."""

    def __init__(self, lab, home, faults="", extra_env=None, like=None, wrap=()):
        lab.count += 1
        self.lab = lab
        self.home = home
        self.path = like.path if like else lab.folder / f"socket{lab.count}"
        self.log = lab.folder / f"log{lab.count}"
        env = {**server.program_environment(home), **(extra_env or {})}
        if faults:
            env["CHATS_FAULTS"] = faults
        if like:
            self.listening = like.listening
        else:
            self.listening = socket.socket(socket.AF_UNIX)
            self.listening.bind(str(self.path))
            self.listening.listen(256)
        with open(self.log, "wb") as log:
            program = [*wrap, str(lab.build / "cgi-bin/chats.fcgi")]
            self.process = subprocess.Popen(
                program, stdin=self.listening, stdout=subprocess.DEVNULL, stderr=log, env=env
            )
        self.pid = self.process.pid
        self.wrapped = bool(wrap)
        lab.workers.append(self)

    def call(self, operation, limit_s=CALL_LIMIT_S, **fields):
        return fcgi_call(self.path, operation, fields, limit_s)

    def insist(self, operation, limit_s=20, **fields):
        """As call, again while it is 503 or broken off."""
        end = time.monotonic() + limit_s
        while True:
            try:
                answer = self.call(operation, **fields)
                if answer.code != 503:
                    return answer
            except Broken as e:
                answer = e
            if time.monotonic() > end:
                raise AssertionError(f"{operation} had no answer in {limit_s} s, last: {answer!r}; log: {self.said()}")
            time.sleep(0.05)

    def send(self, message, text="hello", chat="room"):
        return self.call("SendMessage", id=message, chat_id=chat, author_id="jane", text=text)

    def ids(self, chat="room"):
        """All message ids of a small chat, oldest first."""
        answer = self.insist("ListMessages", chat_id=chat, order="asc", limit=1000)
        check(answer.code == 200, f"a list was {answer!r}")
        times = [m["sent_at"] for m in answer.data["messages"]]
        check(times == sorted(set(times)), "times do not strictly increase")
        return [m["id"] for m in answer.data["messages"]]

    def page(self):
        return Page(self.lab.build, self.home)

    def said(self):
        """Its log."""
        return self.log.read_text("utf-8", errors="replace")

    def signal(self, number):
        os.kill(self.pid, number)

    def freeze(self):
        """SIGSTOP, and waits until all its threads stand."""
        self.signal(signal.SIGSTOP)
        pid, status = os.waitpid(self.pid, os.WUNTRACED)
        check(pid == self.pid and os.WIFSTOPPED(status), "the worker ended")

    def kill(self):
        for child in server.children(self.pid) if self.wrapped else []:
            os.kill(child, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def leave_wrapped(self):
        """As leave, where the worker is the child of what it was wrapped into."""
        (worker,) = server.children(self.pid)
        os.kill(worker, signal.SIGTERM)
        check(self.process.wait(15) == 0, f"a worker left with {self.process.returncode}: {self.said()}")

    def leave(self):
        """SIGTERM; it must leave cleanly."""
        self.process.terminate()
        check(self.process.wait(15) == 0, f"a worker left with {self.process.returncode}: {self.said()}")


class Lab:
    """A private folder with homes and workers, cleaned up at the end of a case."""

    def __init__(self, build):
        self.build = build
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="chats-lab-"))
        self.workers = []
        self.count = 0
        self.threads = concurrent.futures.ThreadPoolExecutor(16)
        self.at_end = []  # functions, called when the workers are gone and before the folder goes

    def home(self, name="home", settings=("threads = 4",), auth="open"):
        return server.make_home(self.build, self.folder / name, auth, settings)

    def worker(self, home, faults="", extra_env=None, like=None, wrap=()):
        return Worker(self, home, faults, extra_env, like, wrap)

    def room(self, worker, messages=()):
        """The chat "room", with these messages."""
        answer = worker.insist("CreateChat", id="room", user_ids=["jane", "john"])
        check(answer.code == 200, f"no chat: {answer!r}")
        for message in messages:
            check(worker.send(message).code == 200, f"message {message} was not accepted")

    def later(self, function, *arguments):
        """Runs it in a thread; .result() is its result or raises."""
        return self.threads.submit(function, *arguments)

    def check_home(self, home):
        control = [str(self.build / "chatsctl"), "check"]
        env = server.program_environment(home)
        done = subprocess.run(control, env=env, capture_output=True, text=True, timeout=60)
        check(done.returncode == 0, f"chatsctl check: {done.stdout}{done.stderr}")

    def close(self):
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
            worker.listening.close()
        self.threads.shutdown(wait=True)
        for function in self.at_end:
            function()
        shutil.rmtree(self.folder)


def check(condition, sentence):
    if not condition:
        raise AssertionError(sentence)


def until(condition, sentence, limit_s=10.0, pause_s=0.0005):
    """Waits until condition() is true; fails with the sentence after limit_s."""
    end = time.monotonic() + limit_s
    while not condition():
        check(time.monotonic() < end, f"not within {limit_s} s: {sentence}")
        if pause_s:
            time.sleep(pause_s)


def check_reports(lab):
    """A sanitizer's report fails the case, whoever made it and however that one ended."""
    for log in lab.folder.rglob("*log*"):
        if log.is_file() and not log.name.startswith("log."):  # nor those of a home
            lines = log.read_text("utf-8", errors="replace").splitlines()
            reports = [line for line in lines if "Sanitizer" in line or "runtime error:" in line]
            check(not reports, f"a sanitizer's report in {log.name}: {reports[:1]}")


def run_cases(cases, build, pattern=""):
    """Runs (rule, function) pairs, prints a line each and the sum; the exit status."""
    passed = failed = skipped = 0
    for rule, function in cases:
        if pattern not in rule:
            continue
        lab = Lab(build)
        try:
            note = function(lab)
            check_reports(lab)
            print(f"ok - {rule}" + (f" ({note})" if note else ""), flush=True)
            passed += 1
        except Skip as e:
            print(f"skipped - {rule}: {e}", flush=True)
            skipped += 1
        except Exception as e:  # a case may fail in any way
            print(f"not ok - {rule}: {e or type(e).__name__}", flush=True)
            if not isinstance(e, AssertionError):
                traceback.print_exc()
            for worker in lab.workers:
                sys.stderr.write(f"--- {worker.log.name}\n{worker.said()[-2000:]}")
            failed += 1
        finally:
            lab.close()
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed + skipped == 0 else 0
