"""`chatsctl doctor` and what it says; servers from deploy/ with faults in their configuration; programs of another build."""

import contextlib
import ctypes
import glob
import re
import shutil
import subprocess

from lib import server, standalone, suite, webservers

BUILD = standalone.build_folder()
LIMIT_S = 60
CHECKS = (
    *("service", "PATH_INFO", "HTTPS", "Authorization", "builds"),
    *("body limit", "headers", "clock", "home", "workers"),
)
VERDICT = re.compile(r"(ok|WRONG|not looked at) +([^:]+): (.*)")


class Report:
    """What doctor printed: for each check its verdict, its line, and the lines below it."""

    def __init__(self, done):
        self.status = done.returncode
        self.text = done.stdout
        self.errors = done.stderr
        self.verdicts, self.below = {}, {}
        name = None
        for line in done.stdout.splitlines():
            found = VERDICT.fullmatch(line)
            if found:
                name = found[2]
                self.verdicts[name] = found[1]
                self.below[name] = [found[3]]
            elif name and line.startswith(" "):
                self.below[name].append(line.strip())

    def wrong(self):
        return {name for name, verdict in self.verdicts.items() if verdict == "WRONG"}

    def content(self, but=()):
        """All is well, and was looked at, but for these."""
        but = but if kernel_keeps_time() else (*but, "clock")  # these servers are on this machine
        suite.equal((self.status, self.errors), (0, ""), f"status and errors; it says\n{self.text}")
        expected = {name: "not looked at" if name in but else "ok" for name in CHECKS}
        suite.equal(self.verdicts, expected, "the verdicts")
        last = f"nothing wrong was found, {len(but)} not looked at" if but else "all is well"
        suite.equal(self.text.splitlines()[-1], last, "the last line")

    def finds(self, *names, says=(), lines=()):
        """These are wrong and nothing else; the first says these words and has these lines to mend it."""
        suite.equal((self.status, self.errors), (1, ""), f"status and errors; it says\n{self.text}")
        suite.equal(self.wrong(), set(names), f"what is wrong; it says\n{self.text}")
        count = sum(line.startswith("WRONG ") for line in self.text.splitlines())
        suite.equal(self.text.splitlines()[-1].startswith(f"{count} wrong"), True, f"the last line of\n{self.text}")
        told = "\n".join(self.below[names[0]])
        for word in [says] if isinstance(says, str) else says:
            suite.equal(word in told, True, f"whether {word!r} is said; it says\n{self.text}")
        for line in [lines] if isinstance(lines, str) else lines:
            suite.equal(line in self.below[names[0]], True, f"whether the line {line!r} is there; it says\n{self.text}")


def start_doctor(url, home, environment=None, words=(), preexec=server.heed_ctrl_c):
    env = {**server.program_environment(home), **(environment or {})}
    words = [str(BUILD / "chatsctl"), "doctor", *([url] if url is not None else []), *words]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(words, env=env, **pipes, text=True, preexec_fn=preexec)


def doctor(url, home, **options):
    with start_doctor(url, home, **options) as process:
        try:
            out, err = process.communicate(timeout=LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"doctor did not end within {LIMIT_S} s") from None
    return Report(subprocess.CompletedProcess((), process.returncode, out, err))


def edited(make, edits):
    """The server with (old, new) replaced in its configuration; PORT and FOLDER in `new` are its own."""
    maker, *kind = make

    class Edited(maker):
        def configure(self):
            super().configure()
            for old, new in edits:
                new = new.replace("PORT", str(self.port)).replace("FOLDER", str(self.folder))
                old = old.replace("PORT", str(self.port))
                seen = 0
                for conf in self.folder.glob("*.conf"):
                    text = conf.read_text("utf-8")
                    seen += (old in text) + (new != "" and new in text)  # a second time where the port was taken
                    conf.write_text(text.replace(old, new) if new not in text or new == "" else text, "utf-8")
                suite.equal(seen > 0, True, f"whether {old!r} is there to be replaced")

    return lambda *place: Edited(*kind, *place)


FCGID = (webservers.Apache, "fcgid")
PROXY = (webservers.Apache, "proxy-fcgi")
CGID = (webservers.Apache, "cgid")
LIGHTTPD = (server.Lighttpd, "fastcgi")
NGINX = (webservers.Nginx,)


@contextlib.contextmanager
def serving(make, home, folder, edits=()):
    the_server = edited(make, edits)(BUILD, home, folder)
    try:
        yield the_server
    finally:
        the_server.stop()


def mount(the_server, host="127.0.0.1"):
    return f"http://{host}:{the_server.port}/chats"


def make_home(folder, **options):
    return server.make_home(BUILD, folder, auth="required", **options)


def planted(folder, make, edits, mended, found, says=(), lines=(), **options):
    """
    With the edits doctor finds that, and tells these lines; with those of `mended` on top, it is content. Each line that
    it tells has to be in the latter.
    """
    home = make_home(folder / "home")
    with serving(make, home, folder / "planted", edits) as the_server:
        doctor(mount(the_server), home, **options).finds(*found, says=says, lines=lines)
    with serving(make, home, folder / "mended", [*edits, *mended]) as the_server:
        applied = "".join(new for _, new in mended)
        for line in lines:
            suite.equal(line in applied, True, f"whether {line!r} is applied")
        doctor(mount(the_server), home, **options).content()


def clock(offset):
    """The environment in which a program sees another time, "+100" or "-3" seconds away, "+9d" days."""
    libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not libraries:
        raise standalone.Skipped("libfaketime (Debian's package faketime) is not installed")
    if b"__asan_init" in (BUILD / "chatsctl").read_bytes():
        raise standalone.Skipped("a sanitizer wants to be loaded before libfaketime")
    return {"LD_PRELOAD": libraries[0], "FAKETIME": offset, "DONT_FAKE_MONOTONIC": "1"}


def kernel_keeps_time():
    """What adjtimex(2) says here: TIME_ERROR where the clock is not synchronised."""
    return ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(1024)) in range(5)


def kernel_saying(folder, kept):
    """The environment in which the kernel says that the clock is kept in time, or not."""
    if b"__asan_init" in (BUILD / "chatsctl").read_bytes():
        raise standalone.Skipped("a sanitizer wants to be loaded before the library that speaks for the kernel")
    source = f"int adjtimex(struct timex *t) {{ t->status = {0 if kept else 'STA_UNSYNC'}; return 0; }}\n"
    library = folder / f"kernel{kept}.so"
    command = ["cc", "-shared", "-fPIC", "-o", str(library), "-xc", "-"]
    subprocess.run(command, input="#include <sys/timex.h>\n" + source, text=True, check=True)
    return {"LD_PRELOAD": str(library)}


def another_build(program, to, version=None):
    """A copy with another build id, and if that is asked for of another version."""
    data = program.read_bytes()
    at = data.index(b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0") + 16
    data = data[:at] + bytes(reversed(data[at : at + 20])) + data[at + 20 :]
    if version is not None:
        said = re.search(rb'"version":"([0-9.]+)"', data)
        data = data.replace(said[0], said[0].replace(said[1], version))
    to.write_bytes(data)
    shutil.copymode(program, to)
    return to
