"""A Debian of its own in a folder, made by debootstrap: commands in it, and the whole of it started with its systemd."""

import os
import re
import shutil
import subprocess
import time

from lib import standalone, suite

START_LIMIT_S = 60
CLEAN = ("env", "-i", "HOME=/root", "LC_ALL=C", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive")


def make(root, include=(), given=None):
    """A minimal Debian 12 in the folder `root`, with these packages; or a copy of the folder `given`."""
    if os.geteuid() != 0:
        raise standalone.Skipped("needs root")
    if given:
        run("cp", "-a", given, root)
    elif shutil.which("debootstrap"):
        words = [f"--include={','.join(include)}"] if include else []
        run("debootstrap", "--variant=minbase", *words, "bookworm", root, "http://deb.debian.org/debian")
    else:
        raise standalone.Skipped("there is no debootstrap")
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    return root


def run(*words, **options):
    """Its output; an error with all that it said if it does not succeed."""
    options = {"stdin": subprocess.DEVNULL, **options}
    words = [str(word) for word in words]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    suite.equal(done.returncode, 0, f"the status of {words} that says {done.stdout[-3000:]}")
    return done.stdout


def inside(root, script, network=True):
    """The command that gives `script` to a shell in `root`. Its mounts and processes end with it."""
    spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child"] + ([] if network else ["--net"])
    up = "" if network else "ip link set lo up && "
    shm = 'mount -t tmpfs -o mode=1777 tmpfs "$0/dev/shm"'
    mount = f'{up}mount -t proc proc "$0/proc" && {shm} && exec chroot "$0" "$@"'
    return [*spaces, "sh", "-c", mount, str(root), *CLEAN, "sh", "-c", script]


def no_services(root, none):
    """Whether packages that are installed start no services. They would outside of `root`."""
    policy = root / "usr/sbin/policy-rc.d"
    policy.unlink(missing_ok=True)
    if none:
        policy.write_text("#!/bin/sh\nexit 101\n", "utf-8")
        policy.chmod(0o755)


def install(root, words):
    """Has apt-get install these."""
    run(*inside(root, f"apt-get -q update && apt-get -q -y --no-install-recommends install {words}"))


class Booted:
    """The Debian in `root`, started by systemd-nspawn; it shares this machine's network."""

    def __init__(self, root, output):
        self.root = root
        command = ["systemd-nspawn", "-q", "-b", "-D", str(root), "--register=no", "--keep-unit", "--console=pipe"]
        with open(output, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            self.init = self.wait_for(self.first_process)
            self.wait_for(lambda: re.match("running|degraded", self.run("systemctl is-system-running || true")))
            # systemd-nspawn lays a boot id of its own over the machine's, and hardened units do not see it: to
            # the worker and to chatsctl these were two boots.
            self.run("umount /proc/sys/kernel/random/boot_id")
        except BaseException:
            self.stop()
            raise

    def wait_for(self, ready):
        end = time.monotonic() + START_LIMIT_S
        while not (found := ready()):
            suite.equal(self.process.poll(), None, "how systemd-nspawn ended")
            suite.equal(time.monotonic() < end, True, f"that it has started within {START_LIMIT_S} s")
            time.sleep(0.2)
        return found

    def first_process(self):
        """The process id of its systemd, as it is here."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            for child in children.read().split():
                with open(f"/proc/{child}/comm", encoding="ascii") as name:
                    if name.read() == "systemd\n":
                        return child
        return None

    def run(self, script, **options):
        """What the script says in there; it has to succeed."""
        return run("nsenter", "-a", "-r", "-w", "-t", self.init, *CLEAN, "sh", "-c", script, **options)

    def stop(self):
        """Halts it: SIGTERM makes systemd-nspawn say so to its systemd."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(START_LIMIT_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
