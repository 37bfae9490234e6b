"""Load by wrk, with what load.lua sends: one run, its figures, and the verdict that every answer was a good one."""

import dataclasses
import pathlib
import re
import subprocess
import urllib.error
import urllib.request

LUA = pathlib.Path(__file__).with_name("load.lua")


@dataclasses.dataclass
class Figures:
    """What one run of wrk found."""

    requests: int
    per_s: float
    p50_us: float
    p99_us: float


def command(url, connections, seconds, *arguments, headers=()):
    """The command line of wrk's one thread against url, with these headers ("Name: value") too."""
    words = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s", str(LUA)]
    words += [word for header in headers for word in ("-H", header)]
    return [*words, url, "--", *map(str, arguments)]


def wrk(url, connections, seconds, *arguments, headers=()):
    """Runs it to its end: its Figures. An answer of 400 and above, or a broken connection, is an error."""
    words = command(url, connections, seconds, *arguments, headers=headers)
    run = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 60, check=False)
    found = re.search(r"^RESULT (.*)$", run.stdout, re.MULTILINE)
    if run.returncode != 0 or found is None:
        raise AssertionError(f"wrk ended with {run.returncode}: {run.stdout}{run.stderr}")
    requests, duration_us, p50, p99, *errors = map(int, found[1].split())
    if requests == 0 or any(errors):
        names = ("answers of 400 and above", "connect", "read", "write", "timeout")
        counts = ", ".join(f"{name} {count}" for name, count in zip(names, errors))
        raise AssertionError(f"{url}: {requests} answers; errors: {counts}")
    return Figures(requests, requests / duration_us * 1e6, p50, p99)


@dataclasses.dataclass
class Answer:
    """An answer over HTTP."""

    status: int
    headers: list  # (name, value)
    body: bytes


def answer(url, body, token=None):
    """One call; its Answer, whatever it is."""
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, body.encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return Answer(response.status, response.getheaders(), response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, list(error.headers.items()), error.read())


def post(url, body, token=None):
    """One call; its answer's bytes. Anything but a 200 is an error."""
    found = answer(url, body, token)
    if found.status != 200:
        raise AssertionError(f"{url}: {found.status} {found.body[:300]}")
    return found.body
