"""The peer: PHP-FPM and SQLite, behind the same lighttpd. What it runs is in peer/, and what it needs in packages."""

import contextlib
import grp
import hashlib
import os
import pathlib
import pwd
import shutil
import signal
import socket
import sqlite3
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
INSTALL = HERE.parent / "lib" / "install"
PROGRAM = "php-fpm8.2"
CHILDREN = (2, 4, 8, 16)  # which are tried

MOUNT = """
$HTTP["url"] =~ "^/peer/" {{
    alias.url = ( "/peer" => "{script}" )
    fastcgi.server = ( "/peer" => ((
        "socket" => "{folder}/fpm.socket",
        "check-local" => "disable",
        "disable-time" => 0
    )))
    server.stream-request-body = 0
    server.stream-response-body = 1
}}
"""


def program():
    """Where PHP-FPM is; None if it is not installed."""
    return shutil.which(PROGRAM, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


def missing():
    """Why there can be no peer, after an attempt to install it; None if there can."""
    install = subprocess.run([str(INSTALL), str(HERE / "packages")], capture_output=True, text=True, timeout=600, check=False)
    if install.returncode == 0 and program() is not None:
        return None
    said = (install.stdout + install.stderr).strip().splitlines()
    return f"the peer's packages cannot be installed: {said[-1] if said else 'no php-fpm8.2'}"


class Peer:
    """One database and the processes over it, which `start` may be asked for again in another number."""

    def __init__(self, folder, token, account):
        self.folder = folder
        self.process = None
        self.children = 0
        folder.mkdir()
        with contextlib.closing(sqlite3.connect(folder / "peer.db")) as db:
            db.executescript((HERE / "peer" / "schema.sql").read_text("utf-8"))
            digest = hashlib.sha256(token.encode()).hexdigest()
            row = (digest, "micro", account, "user", int(time.time()) + 86400)
            db.execute("INSERT INTO tokens (digest, namespace, account, type, expiry) VALUES (?, ?, ?, ?, ?)", row)
            db.commit()
        self.mount = MOUNT.format(script=HERE / "peer" / "index.php", folder=folder)

    def start(self, children):
        """Runs so many processes, no others."""
        if self.children == children:
            return
        self.stop()
        values = {
            "folder": self.folder,
            "children": children,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "group": grp.getgrgid(os.getegid()).gr_name,
        }
        conf = (HERE / "peer" / "php-fpm.conf").read_text("utf-8").format(**values)
        (self.folder / "php-fpm.conf").write_text(conf, "utf-8")
        command = [program(), "--nodaemonize", "--fpm-config", str(self.folder / "php-fpm.conf")]
        command += ["--allow-to-run-as-root"] if os.geteuid() == 0 else []
        with open(self.folder / "fpm.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        limit = time.monotonic() + 10
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > limit:
                raise AssertionError(f"php-fpm does not start: {(self.folder / 'fpm.log').read_text('utf-8')}")
            time.sleep(0.02)
        self.children = children

    def _answers(self):
        with socket.socket(socket.AF_UNIX) as s:
            try:
                s.connect(str(self.folder / "fpm.socket"))
            except OSError:
                return False
        return True

    def stop(self):
        """Ends them."""
        self.children = 0
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def messages(self):
        """How many are stored."""
        with contextlib.closing(sqlite3.connect(self.folder / "peer.db")) as db:
            return db.execute("SELECT count(*) FROM messages").fetchone()[0]
