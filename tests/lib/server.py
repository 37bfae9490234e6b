"""Homes made by chatsctl and lighttpd started from the very files in deploy/lighttpd, with paths and port filled in."""

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


class Lighttpd:
    """One lighttpd with chats behind it. kind: "fastcgi" or "cgi". extra: lines of configuration added to the end."""

    def __init__(self, kind, build, home, folder, extra=""):
        self.folder = folder
        self.log = folder / "lighttpd.log"
        self.output = folder / "output"
        self.program_log = folder / "program.log"  # server.breakagelog in deploy/lighttpd/server.conf
        folder.mkdir(parents=True, exist_ok=True)
        paths = {"chats_program": build / "cgi-bin" / "chats.fcgi", "chats_home": home, "chats_web": TOP / "src" / "web"}
        if kind == "fastcgi":
            paths["chats_socket"] = folder / "fastcgi.socket"
        name = f"chats-{kind}.conf"
        (folder / name).write_text(fill((DEPLOY / name).read_text("utf-8"), paths), "utf-8")
        for _ in range(5):  # the port may be taken between its choice and its use
            self.port = free_port()
            whole = {"server_port": self.port, "server_folder": folder, "server_chats": name}
            conf = fill((DEPLOY / "server.conf").read_text("utf-8"), whole) + extra
            (folder / "server.conf").write_text(conf, "utf-8")
            with open(self.output, "ab") as output:
                self.process = subprocess.Popen(
                    ["lighttpd", "-D", "-f", str(folder / "server.conf")],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin"},
                )
            if self._wait_until_it_listens():
                return
        raise AssertionError(f"lighttpd does not start: {self.log_text()}")

    def _wait_until_it_listens(self):
        for _ in range(400):
            if self.process.poll() is not None:
                return False
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return True
            except ConnectionRefusedError:
                time.sleep(0.025)
        raise AssertionError("lighttpd does not listen after 10 s")

    def log_text(self):
        """All that the server and the program said so far."""
        files = (self.log, self.output, self.program_log)
        return "".join(f.read_text("utf-8", errors="replace") for f in files if f.exists())

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
