"""A shared host: Apache with suexec in a root of its own, where nothing of ours is installed and jane may only upload files."""

import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import time

from lib import server

JANE = 20001  # uid and gid; of nobody outside of the host's own /etc/passwd
ADDRESS_SPACE_KIB = 131072  # of each process: what hosts allow at the least

# AllowOverride as hosts give it, from the least that .htaccess says it needs to what control panels give.
LEAST = "FileInfo Options=ExecCGI"
PANEL = "AuthConfig FileInfo Indexes Limit Options=Indexes,SymLinksIfOwnerMatch,MultiViews,ExecCGI,Includes,IncludesNOEXEC"

MODULES = ("mpm_prefork", "authz_core", "rewrite", "setenvif", "mime", "dir", "suexec", "userdir")
HOME = pathlib.PurePath("/var/www/jane")  # jane's, as she sees it; suexec of Debian runs what lies below /var/www

CONF = """
ServerRoot "/etc/apache2"
ServerName your.site
Listen 127.0.0.1:{port}
PidFile "/run/apache.pid"
ErrorLog "/var/log/apache2/error.log"
DefaultRuntimeDir "/run"
{modules}
User www-data
Group www-data
TypesConfig /dev/null
StartServers 2
<IfModule mod_fcgid.c>
    FcgidIPCDir "/run/fcgid"
    FcgidProcessTableFile "/run/fcgid/shm"
</IfModule>
<IfModule mod_cgid.c>
    ScriptSock "/run/cgid.socket"
</IfModule>
UserDir {userdir}
DocumentRoot "{root}"
<Directory "/">
    Require all denied
    AllowOverride None
</Directory>
<Directory "/var/www">
    Require all granted
    Options {options}
    AllowOverride {override}
</Directory>
{site}
"""


def needs(program):
    """The libraries of a program of Debian, by ldd."""
    said = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=True).stdout
    return re.findall(r"(?:=> |^\t)(/\S+) \(0x", said, re.M)


class Host:
    """
    Made once, started as often as wanted. `folder` is private to root but may be entered. The host's root is folder/root.
    """

    def __init__(self, folder):
        self.root = folder / "root"
        self.output = folder / "output"
        self.process = None
        self.port = None
        folder.mkdir()
        for path in (folder, *folder.parents):
            if path.stat().st_mode & 0o011 != 0o011:
                path.chmod(path.stat().st_mode | 0o011)
        for name in ("dev", "proc", "tmp", "etc/apache2", "var/log/apache2", "var/www/html"):
            (self.root / name).mkdir(parents=True)
        (self.root / "tmp").chmod(0o1777)
        for link in ("bin", "lib", "lib64", "sbin"):
            (self.root / "usr" / link).mkdir(parents=True)
            (self.root / link).symlink_to(f"usr/{link}")
        self.modules = pathlib.Path("/usr/lib/apache2/modules")
        files = [pathlib.Path("/usr/sbin/apache2"), pathlib.Path("/bin/dash"), self.suexec()]
        files += [self.modules / f"mod_{name}.so" for name in (*MODULES, "fcgid", "cgid")]
        for file in {*files, *(pathlib.Path(lib) for file in files for lib in needs(file))}:
            target = self.root / str(file).lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
        (self.root / "bin/sh").symlink_to("dash")
        self.accounts()
        suexec = self.root / "usr/lib/apache2/suexec"
        shutil.move(self.root / str(self.suexec()).lstrip("/"), suexec)
        os.chown(suexec, 0, 33)
        suexec.chmod(0o4754)
        self.jane = self.inside(HOME)
        self.web = self.jane / "public_html"
        self.web.mkdir(parents=True)
        for path in (self.jane, self.web):
            os.chown(path, JANE, JANE)

    @staticmethod
    def suexec():
        return pathlib.Path("/usr/lib/apache2/suexec-pristine")

    def inside(self, path):
        """Where a path of the host lies for us."""
        return self.root / str(path).lstrip("/")

    def accounts(self):
        (self.root / "etc/passwd").write_text(
            "root:x:0:0::/:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\n" f"jane:x:{JANE}:{JANE}::{HOME}:/bin/false\n", "utf-8"
        )
        (self.root / "etc/group").write_text(f"root:x:0:\nwww-data:x:33:\njane:x:{JANE}:\n", "utf-8")
        (self.root / "etc/nsswitch.conf").write_text("passwd: files\ngroup: files\n", "utf-8")

    def start(self, kind, override=LEAST, options="SymLinksIfOwnerMatch", userdir=False):
        """kind: fcgid, cgid or both, the modules there are. userdir: jane has no site, but /~jane of another's."""
        modules = "".join(f"LoadModule {m}_module {self.modules}/mod_{m}.so\n" for m in (*MODULES, *kind.split()))
        conf = {
            "modules": modules,
            "override": override,
            "options": options,
            "userdir": "public_html" if userdir else "disabled",
            "root": "/var/www/html" if userdir else HOME / "public_html",
            "site": "" if userdir else "SuexecUserGroup jane jane",
        }
        # Mounts and processes end with the namespaces.
        inside = (
            f"mount -t proc proc {self.root}/proc && mount --bind /dev {self.root}/dev && ulimit -v {ADDRESS_SPACE_KIB} && "
            f"exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot {self.root} /usr/sbin/apache2 -DFOREGROUND -f /etc/apache2/apache2.conf"
        )
        shutil.rmtree(self.root / "run", ignore_errors=True)  # of one that was killed
        (self.root / "run/fcgid").mkdir(parents=True)
        os.chown(self.root / "run/fcgid", 33, 33)
        for _ in range(5):  # the port may be taken between its choice and its use
            self.port = server.free_port()
            (self.root / "etc/apache2/apache2.conf").write_text(CONF.format(port=self.port, **conf), "utf-8")
            with open(self.output, "ab") as output:
                self.process = subprocess.Popen(
                    ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", inside],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            if self.listens():
                return
            self.stop()
        raise AssertionError(f"Apache does not start: {self.said()}")

    def listens(self):
        for _ in range(400):
            with socket.socket() as s:
                if s.connect_ex(("127.0.0.1", self.port)) == 0:
                    return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.025)
        return False

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def said(self):
        """All that Apache and the program have logged."""
        logs = [self.output, *sorted((self.root / "var/log/apache2").iterdir())]
        return "".join(log.read_text("utf-8", "replace") for log in logs if log.exists())

    def call(self, method, path, body=None, headers=None, connection=None):
        """(status, answer), both as they came."""
        own = connection is None
        connection = connection or self.connect()
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        if own:
            connection.close()
        return answer.status, text

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def unpack(self, archive, umask=0o022):
        """As a panel's file manager does with what was uploaded, as jane."""
        there = self.web / archive.name
        shutil.copy(archive, there)
        there.chmod(0o644)
        words = ["tar", "-xzf", archive.name] if archive.name.endswith(".tar.gz") else ["unzip", "-q", archive.name]
        subprocess.run(words, cwd=self.web, user=JANE, group=JANE, extra_groups=[], umask=umask, check=True)
        there.unlink()

    def remove(self):
        """What jane has and what was logged: for the next case."""
        for log in (self.output, *(self.root / "var/log/apache2").iterdir()):
            log.unlink(missing_ok=True)
        for path in (*self.jane.iterdir(), *self.web.iterdir()):
            if path != self.web:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
