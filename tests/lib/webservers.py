"""Apache and nginx, started from the very files in deploy/apache and deploy/nginx."""

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time

from lib import server

APACHE = server.TOP / "deploy" / "apache"
NGINX = server.TOP / "deploy" / "nginx"
USER = "www-data"  # of these servers where the tests run as root: Apache refuses to serve as root


def filled(text, pattern, values):
    """text with what stands behind each name replaced; a name that does not stand there once is an error."""
    for name, value in values.items():
        text, count = re.subn(pattern.format(name), lambda m, v=value: f"{m[1]}{v}{m[2]}", text)
        if count != 1:
            raise AssertionError(f"{name} stands {count} times in the file")
    return text


def there(path):
    """The folder and all in it, if it exists."""
    return (path, *path.rglob("*")) if path.exists() else ()


class Ordinary(server.Server):
    """
    A server that is run as an ordinary user, with the program and the pages copied into its folder: that user may not
    be allowed to read the build. `program`: the name under which the program lies there.
    """

    program_name = "chats.fcgi"

    def prepare(self):
        self.program = self.folder / "bin" / self.program_name
        self.web = self.folder / "web"
        self.program.parent.mkdir()
        shutil.copy(self.build / "cgi-bin" / "chats.fcgi", self.program)
        shutil.copytree(server.TOP / "src" / "web", self.web)
        if os.geteuid() == 0:
            entry = pwd.getpwnam(USER)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
            for path in (*there(self.home), *there(self.folder)):
                os.chown(path, entry.pw_uid, entry.pw_gid)
            for path in self.folder.parents:  # the tests' own temporary folder: to be entered, not listed
                if path.stat().st_mode & 0o011 != 0o011:
                    path.chmod(path.stat().st_mode | 0o011)
        else:
            self.user = {}

    def start_options(self):
        return {**super().start_options(), **self.user, "start_new_session": True}

    def workers(self):
        return server.processes_of(self.program)


def socket_answers(path):
    """True if somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX) as s:
        try:
            s.connect(str(path))
        except OSError:
            return False
    return True


class Spawned:
    """Workers kept running on a Unix socket by spawn-fcgi, as deploy/systemd does it."""

    def __init__(self, program, home, path, output, user):
        again = 'while :; do rm -f "$1"; spawn-fcgi -n -s "$1" -- "$2"; done'
        with open(output, "ab") as errors:
            self.process = subprocess.Popen(
                ["sh", "-c", again, "sh", str(path), str(program)],
                env=server.program_environment(home),
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                start_new_session=True,
                **user,
            )
        for _ in range(400):
            if socket_answers(path):
                return
            time.sleep(0.025)
        raise AssertionError(f"no worker listens at {path} after 10 s")

    def stop(self):
        """Ends who starts workers; those that run stay."""
        self.process.kill()
        self.process.wait()


class Apache(Ordinary):
    """kind: "fcgid", "proxy-fcgi" or "cgid", after the file in deploy/apache. extra: lines of configuration added to the end."""

    def __init__(self, kind, build, home, folder, extra="", where="beside"):
        self.kind = kind
        self.extra = extra
        self.spawned = None
        if kind == "cgid":
            self.program_name = "chats.cgi"
        super().__init__(build, home, folder, where)

    def prepare(self):
        super().prepare()
        self.log = self.folder / "apache.log"
        self.conf = f"chats-{self.kind}.conf"
        values = {"chats_web": self.web}
        if self.kind == "proxy-fcgi":
            values["chats_socket"] = self.folder / "fastcgi.socket"
            self.spawned = Spawned(self.program, self.home, values["chats_socket"], self.output, self.user)
        else:
            values |= {"chats_program": self.program, "chats_home": self.home}
        conf = server.mounted((APACHE / self.conf).read_text("utf-8"), self.where)
        (self.folder / self.conf).write_text(self.defined(conf, values), "utf-8")

    @staticmethod
    def defined(text, values):
        return filled(text, r"(?m)^(Define {} ).*()$", values)

    def configure(self):
        whole = {"server_port": self.port, "server_folder": self.folder, "server_chats": self.conf}
        conf = self.defined((APACHE / "server.conf").read_text("utf-8"), whole)
        (self.folder / "server.conf").write_text(conf + self.passed_on() + self.extra, "utf-8")

    def passed_on(self):
        """A sanitizer's options, which mod_fcgid and mod_cgid keep from the program unless told."""
        kept = {k: v for k, v in server.program_environment(self.home).items() if k.endswith("_OPTIONS") or k == "CHATS_FAULTS"}
        directive = {"fcgid": "FcgidInitialEnv", "cgid": "SetEnv"}.get(self.kind)
        return "".join(f'{directive} {k} "{v}"\n' for k, v in kept.items()) if directive else ""

    def command(self):
        return ["apache2", "-DFOREGROUND", "-f", str(self.folder / "server.conf")]

    def stop(self):
        stop_both(self, super().stop)


class Nginx(Ordinary):
    keeper = Spawned  # what starts the worker

    def prepare(self):
        super().prepare()
        self.log = self.folder / "nginx.log"
        values = {"chats_web": self.web, "chats_socket": self.folder / "fastcgi.socket"}
        conf = server.mounted((NGINX / "chats.conf").read_text("utf-8"), self.where)
        conf = filled(conf, r"(?m)^(set \${} +)[^;]*(;)$", values)
        (self.folder / "chats.conf").write_text(conf, "utf-8")
        self.spawned = self.keeper(self.program, self.home, values["chats_socket"], self.output, self.user)

    def configure(self):
        conf = (NGINX / "server.conf").read_text("utf-8")
        conf = conf.replace("/var/lib/chats/server", str(self.folder)).replace("127.0.0.1:8080", f"127.0.0.1:{self.port}")
        (self.folder / "server.conf").write_text(conf, "utf-8")

    def command(self):
        return ["nginx", "-e", str(self.log), "-g", "daemon off;", "-c", str(self.folder / "server.conf")]

    def stop(self):
        stop_both(self, super().stop)


def stop_both(self, stop_server):
    """The server first, then the workers that it does not own."""
    if self.spawned is not None:
        self.spawned.stop()
        for pid in self.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
    stop_server()
