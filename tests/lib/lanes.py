"""The seven ways in which a case reaches the program: each takes the same call and gives the same Response."""

import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import tempfile
import urllib.parse

from lib import server, webservers, wire

MOUNTS = ("/chats", "/auth", "/v1", "/cgi-bin/chats.cgi")  # as the files in deploy/ mount the program
CUT_AFTER_BYTES = 65536
NAMES = ("cgi", "lighttpd-fastcgi", "lighttpd-cgi", "apache-fcgid", "apache-proxy-fcgi", "apache-cgid", "nginx")


def split_mount(path):
    """(SCRIPT_NAME, PATH_INFO) as a server with MOUNTS would say; anything else is mounted at the root."""
    for mount in MOUNTS:
        if path == mount or path.startswith(mount + "/"):
            return mount, path[len(mount) :]
    return "", path


class Variant:
    """A home with its own chats.conf and what serves it. A lane has one, and makes more for cases that ask."""

    def __init__(self, home):
        self.home = home

    def call(self, method, target, headers=(), body=b"", content_length=wire.AUTO, chunked=False, **_cgi_only):
        raise NotImplementedError

    def stop(self):
        pass


class CgiVariant(Variant):
    """The program run directly, no server: one process a call, the environment of RFC 3875."""

    def __init__(self, build, home, wrap):
        super().__init__(home)
        self.program = str(build / "cgi-bin" / "chats.fcgi")
        self.wrap = wrap
        self.said = []  # what its runs put out on standard error

    def call(
        self,
        method,
        target,
        headers=(),
        body=b"",
        content_length=wire.AUTO,
        chunked=False,
        mount=None,
        wrapped=True,
    ):
        """mount: the SCRIPT_NAME, if not the one of MOUNTS; wrapped=False: without --wrap, to prepare a case."""
        path, _, query = target.partition("?")
        path = urllib.parse.unquote_to_bytes(path)
        if mount is None:
            script, info = split_mount(path.decode("utf-8", "surrogateescape"))
        else:
            script, info = mount, path.decode("utf-8", "surrogateescape").removeprefix(mount)
        env = self.environment(method, script, info, query)
        for name, value in headers:
            name = name.upper().replace("-", "_")
            env["CONTENT_TYPE" if name == "CONTENT_TYPE" else "HTTP_" + name] = value
        if chunked:
            env["HTTP_TRANSFER_ENCODING"] = "chunked"
        elif content_length is wire.AUTO:
            if body or method == "POST":
                env["CONTENT_LENGTH"] = str(len(body))
        elif content_length is not None:
            env["CONTENT_LENGTH"] = str(content_length)
        command = [*(self.wrap if wrapped else []), self.program]
        with tempfile.TemporaryFile() as errors:
            with subprocess.Popen(
                command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, cwd="/"
            ) as process:
                try:
                    output, _ = process.communicate(body, timeout=120)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise AssertionError("the program did not end within 120 s") from None
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
        if process.returncode != 0:
            raise AssertionError(f"the program ended with status {process.returncode}: {said[-3000:]}")
        self.said.append(said)
        return self._parse(output, method)

    def environment(self, method, script, info, query):
        """What a server tells every CGI program."""
        return {
            **server.program_environment(self.home),
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": script,
            "PATH_INFO": info,
            "QUERY_STRING": query,
        }

    def cut(self, info, query):
        """The Response of a GET whose process is killed when the first of it has come."""
        with subprocess.Popen(
            [self.program],
            env=self.environment("GET", "/chats", info, query),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd="/",
        ) as process:
            output = process.stdout.read(CUT_AFTER_BYTES)
            process.kill()
            output += process.stdout.read()
        return self._parse(output, "GET")

    def private_bytes(self, info, query):
        """The most memory of its own that a GET took, looked at again and again while its answer is read."""
        most = 0
        with subprocess.Popen(
            [self.program],
            env=self.environment("GET", "/chats", info, query),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd="/",
        ) as process:
            while process.stdout.read(1 << 20):
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text("utf-8")
                found = re.search(r"RssAnon:\s*(\d+) kB", status)  # a process that has ended has none
                most = max(most, int(found[1]) * 1024 if found else 0)
        return most

    @staticmethod
    def _parse(output, method):
        head, blank, body = output.partition(b"\r\n\r\n")
        if not blank:
            raise AssertionError(f"no header block in {output[:200]!r}")
        first, rest = wire.parse_head(b"X\r\n" + head)
        assert first == "X"
        if rest[0][0] != "Status":
            raise AssertionError(f"the first header is {rest[0][0]}, not Status")
        code, _, reason = rest[0][1].partition(" ")
        response = wire.Response(int(code), reason, rest[1:], body, True)
        length = response.header("Content-Length")
        if method == "HEAD":
            response.complete = body == b""
        elif length is not None:
            response.complete = len(body) == int(length)
        return response

    def program_log(self):
        return "".join(self.said)


def start(lane, build, home, folder, where):
    """The lane's web server. where: see Server."""
    name, _, kind = lane.partition("-")
    if name == "nginx":
        return webservers.Nginx(build, home, folder, where)
    return {"lighttpd": server.Lighttpd, "apache": webservers.Apache}[name](kind, build, home, folder, where=where)


class ServerVariant(Variant):
    """Through a web server, started from its files in deploy/."""

    def __init__(self, lane, build, home, folder, where="beside"):
        super().__init__(home)
        self.server = start(lane, build, home, folder, where)

    def call(
        self,
        method,
        target,
        headers=(),
        body=b"",
        content_length=wire.AUTO,
        chunked=False,
        mount=None,
        wrapped=True,
    ):
        del mount, wrapped
        data = wire.request_bytes(method, target, headers, body, content_length, chunked)
        short = content_length not in (wire.AUTO, None) and not chunked
        short = short and str(content_length).isdigit() and int(content_length) > len(body)
        return wire.exchange(self.server.port, data, head_only=method == "HEAD", hang_up=short)

    def cut(self, info, query):
        """The Response of a GET whose workers are killed when the first of it has come."""

        def kill():
            for pid in self.server.workers():
                with contextlib.suppress(ProcessLookupError):  # a CGI run of a call before, which has ended meanwhile
                    os.kill(pid, signal.SIGKILL)

        data = wire.request_bytes("GET", f"/chats{info}?{query}", [], b"", None, False)
        return wire.exchange(self.server.port, data, after=(CUT_AFTER_BYTES, kill))

    def stop(self):
        self.server.stop()

    def program_log(self):
        return self.server.log_text()


class Lane:
    """One way in, with its main home and, by name, the others that cases asked for."""

    def __init__(self, name, build, folder, wrap="", calls_to_wrap=1 << 30):
        self.name = name
        self.calls_to_wrap = calls_to_wrap  # of each case
        self.build = build
        self.folder = folder
        self.wrap = shlex.split(wrap) if name == "cgi" else []
        program = (build / "cgi-bin" / "chats.fcgi").read_bytes()
        self.sanitized = b"__asan_init" in program or b"__tsan_init" in program
        self._variants = {}
        self._missing = set()
        self._killed = set()
        self.description = None  # what every answer to a case is held against
        self.kept = {}  # what a case leaves for the next: by a name of its choice
        self.main = self.variant("main")

    def _make(self, home, folder, where):
        if self.name == "cgi":
            return CgiVariant(self.build, home, self.wrap)
        return ServerVariant(self.name, self.build, home, folder, where)

    def variant(self, name, auth="open", settings=(), missing=False, killed=False, home=None, where="beside"):
        """
        The variant of this name, made at its first use. missing: there is no home where the program looks; killed:
        the case kills what serves it; home: serve this one, which is there; where: see Server.
        """
        if name not in self._variants:
            folder = self.folder / name
            folder.mkdir()
            if killed:
                self._killed.add(name)
            if missing:
                self._missing.add(name)
            if home is None:
                home = folder / "home"
                if not missing:
                    server.make_home(self.build, home, auth, settings)
            self._variants[name] = self._make(home, folder / "server", where)
        return self._variants[name]

    def stop(self):
        """Ends what was started; returns what the servers' logs say that no healthy program says."""
        troubles = []
        for name, variant in self._variants.items():
            try:
                variant.stop()
            except AssertionError as e:
                troubles.append(f"{name}: {e}")
            for line in variant.program_log().splitlines():
                expected = name in self._missing and "not a home" in line
                if any(word in line for word in TROUBLE) and not expected and name not in self._killed:
                    troubles.append(f"{name}: {line}")
        return troubles


# Words that only a fault, a crash, a sanitizer's report or a worker that died on its own puts into a log.
TROUBLE = (
    "] error: ",
    "] warning: ",
    "Sanitizer",
    "runtime error:",
    "signalled",
    "by signal",
    "died",
    "abnormally",
    "Assertion",
    "invalid data",
)
