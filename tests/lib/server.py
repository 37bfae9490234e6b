"""Homes made by chatsctl, and web servers started from the very files in deploy/, with paths and port filled in."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = TOP / "deploy" / "lighttpd"


def free_port():
    """A port that was free a moment ago, picked by the system."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def program_environment(home):
    """What the project's programs are told: the home, and what a sanitizer's or a fault's build wants to know."""
    kept = {k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS") or k == "CHATS_FAULTS"}
    return {"PATH": os.environ["PATH"], "CHATS_HOME": str(home), **kept}


def make_home(build, home, auth="open", settings=()):
    """A new home at `home`, with these `key = value` lines added to its chats.conf."""
    subprocess.run(
        [str(build / "chatsctl"), "init", "--auth", auth],
        env=program_environment(home),
        check=True,
        capture_output=True,
        timeout=60,
    )
    if settings:
        with open(home / "chats.conf", "a", encoding="utf-8") as conf:
            conf.writelines(f"{line}\n" for line in settings)
    return home


def fill(text, values):
    """text with the values of its `var.NAME = ...` lines replaced; a name that has no such line is an error."""
    for name, value in values.items():
        shown = str(value) if isinstance(value, int) else f'"{value}"'
        text, count = re.subn(rf"(?m)^(var\.{name}\s*)=.*$", lambda m, s=shown: f"{m[1]}= {s}", text)
        if count != 1:
            raise AssertionError(f"var.{name} stands {count} times in the file")
    return text


def mounted(text, where):
    """
    The text of a deploy/ file with another of its places uncommented. Each stands below a line "# - beside …",
    "# - below …" or "# - at the root …", whose first word is `where`; a list of them ends at an indented or empty line.
    """
    lines, place, found = [], None, 0
    for line in text.splitlines(keepends=True):
        if line.startswith("# - "):
            place = line.split()[2]
        elif not line.strip() or line[0].isspace():
            place = None
        elif place is not None:
            found += place == where
            line = line.lstrip("#") if place == where else "#" + line.lstrip("#")
        lines.append(line)
    if found != 2:
        raise AssertionError(f"{found} lines say where chats is, {where}; there should be two")
    return "".join(lines)


def heed_ctrl_c():
    """For a child before it starts: as from a terminal. What a shell runs in the background ignores SIGINT, and so do its heirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def children(pid):
    """Process ids of pid's children."""
    found = []
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def processes_of(program):
    """Process ids of those that run this program."""
    found = []
    for exe in pathlib.Path("/proc").glob("[0-9]*/exe"):
        try:
            if os.readlink(exe) == str(program):
                found.append(int(exe.parent.name))
        except OSError:
            continue
    return found


def private_kib(pid):
    """Memory that is this process's alone, in KiB.

    Not smaps_rollup: that counts a page of a *shared* mapping (Berkeley DB's regions, the gate) as private while only one
    process has it mapped. Mappings with the letter 'p' are private by their nature, proc(5).
    """
    total, private = 0, False
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text("utf-8").splitlines():
        mapping = re.match(r"[0-9a-f]+-[0-9a-f]+ ...([ps]) ", line)
        if mapping:
            private = mapping[1] == "p"
        elif private and line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total


class Server:
    """
    A web server with chats behind it, in a private folder. A subclass says how its configuration is written and what
    it is started with; `log` is the server's error log. where: "beside", "below" or "at", of the places that the file
    in deploy/ knows.
    """

    def __init__(self, build, home, folder, where="beside"):
        self.where = where
        self.build = build
        self.home = home
        self.folder = folder
        self.log = folder / "server.log"
        self.output = folder / "output"
        folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        for _ in range(5):  # the port may be taken between its choice and its use
            self.port = free_port()
            self.configure()
            if self.launch():
                return
        self.stop()  # the workers that do not end with it
        raise AssertionError(f"the server does not start: {self.log_text()}")

    def launch(self):
        """Starts it at its port, where none of it runs; False if it ended at once, as where the port is taken."""
        with open(self.output, "ab") as output:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=output, stderr=output, **self.start_options()
            )
        return self._wait_until_it_listens()

    def prepare(self):
        """Before the port is known."""

    def configure(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    @staticmethod
    def start_options():
        """For Popen."""
        return {"env": {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"}}

    def _wait_until_it_listens(self):
        for _ in range(400):
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except ConnectionRefusedError:
                time.sleep(0.025)
        raise AssertionError("the server does not listen after 10 s")

    def log_files(self):
        """All that the server and the program write to."""
        return (self.log, self.output)

    def log_text(self):
        """All that the server and the program said so far."""
        return "".join(f.read_text("utf-8", errors="replace") for f in self.log_files() if f.exists())

    def workers(self):
        """Process ids of the program's processes."""
        return children(self.process.pid)

    def stop(self):
        """Ends the server and waits until it and its workers are gone."""
        workers = self.workers()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        limit = time.monotonic() + 15
        while any(os.path.exists(f"/proc/{pid}/exe") for pid in workers):
            if time.monotonic() > limit:
                raise AssertionError(f"workers {workers} still run 15 s after their server has ended")
            time.sleep(0.02)


class Lighttpd(Server):
    """kind: "fastcgi" or "cgi". extra: lines of configuration added to the end. program: the build's that is started."""

    def __init__(self, kind, build, home, folder, extra="", where="beside", program="chats.fcgi"):
        self.kind = kind
        self.program = program
        self.extra = extra
        super().__init__(build, home, folder, where)

    def prepare(self):
        self.log = self.folder / "lighttpd.log"
        paths = {
            "chats_program": self.build / "cgi-bin" / self.program,
            "chats_home": self.home,
            "chats_web": TOP / "src" / "web",
        }
        if self.kind == "fastcgi":
            paths["chats_socket"] = self.folder / "fastcgi.socket"
        self.name = f"chats-{self.kind}.conf"
        conf = mounted((DEPLOY / self.name).read_text("utf-8"), self.where)
        (self.folder / self.name).write_text(fill(conf, paths), "utf-8")

    def configure(self):
        whole = {"server_port": self.port, "server_folder": self.folder, "server_chats": self.name}
        conf = fill((DEPLOY / "server.conf").read_text("utf-8"), whole) + self.extra
        (self.folder / "server.conf").write_text(conf, "utf-8")

    def command(self):
        return ["lighttpd", "-D", "-f", str(self.folder / "server.conf")]

    def log_files(self):
        return (self.log, self.output, self.folder / "program.log")  # server.breakagelog in deploy/lighttpd/server.conf
