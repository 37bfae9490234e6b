"""Accounts and tokens for the suites: made by chatsctl, as an administrator makes them, or by Auth.Token."""

import subprocess

from lib import server

# So that a run of thousands of logins does not take minutes; the cost is chats.conf's own business.
CHEAP = ("password_memory = 8M", "password_passes = 1")


def chatsctl(build, home, *words, stdin=""):
    """Runs chatsctl on the home; what it printed."""
    done = subprocess.run(
        [str(build / "chatsctl"), *words],
        env=server.program_environment(home),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        raise AssertionError(f"chatsctl {' '.join(words)} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def add(build, home, account, secret, kind="user", namespace="micro"):
    """Makes an account."""
    chatsctl(build, home, "account", "add", account, "--type", kind, "--namespace", namespace, stdin=secret)


def issue(build, home, account, namespace="micro", expiry=3600):
    """A new access token of the account."""
    words = ("token", "issue", account, "--namespace", namespace, "--expiry", str(expiry))
    return chatsctl(build, home, *words).strip()


def bearer(token):
    """The headers of a call with this token; none without one."""
    return [] if token is None else [("Authorization", f"Bearer {token}")]


def space(namespace):
    """The headers of a call in this namespace."""
    return [("Micro-Namespace", namespace)]
