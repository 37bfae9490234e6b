"""The rows about the program by itself: instructions of one call, memory of a worker."""

import contextlib
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import time

from bench import measure, stands
from lib import load, server

CALLS = 400  # and twice as many: the difference is free of the start
START = 154_448  # instructions of a call where issue 6 starts, commit b08624a
CONNECTIONS = 64

# FastCGI 1.0, section 8.
BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6


def record(kind, content):
    """A record of request 1."""
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def parameters(pairs):
    """The name-value pairs of a request; each name is short."""
    coded = b""
    for name, value in pairs.items():
        length = bytes([len(value)]) if len(value) < 128 else struct.pack(">I", len(value) | 1 << 31)
        coded += bytes([len(name)]) + length + name.encode() + value.encode()
    return coded


def request(token):
    """A ListMessages as lighttpd 1.4.69 hands it on, with wrk's headers."""
    body = json.dumps({"chat_id": stands.LISTED}, separators=(",", ":")).encode()
    pairs = {
        "CONTENT_LENGTH": str(len(body)),
        "QUERY_STRING": "",
        "REQUEST_URI": "/chats/Chats/ListMessages",
        "REDIRECT_STATUS": "200",
        "SCRIPT_NAME": "/chats",
        "PATH_INFO": "/Chats/ListMessages",
        "PATH_TRANSLATED": "/usr/local/share/chats/web/Chats/ListMessages",
        "SCRIPT_FILENAME": "/usr/local/share/chats/web/chats",
        "DOCUMENT_ROOT": "/usr/local/share/chats/web/",
        "REQUEST_METHOD": "POST",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "lighttpd/1.4.69",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_SCHEME": "http",
        "SERVER_PORT": "8080",
        "SERVER_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1:8080",
        "REMOTE_ADDR": "127.0.0.1",
        "REMOTE_PORT": "50000",
        "HTTP_HOST": "127.0.0.1:8080",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "CONTENT_TYPE": "application/json",
        "HTTP_CONTENT_LENGTH": str(len(body)),
    }
    begin = record(BEGIN_REQUEST, struct.pack(">HB5x", 1, 0))
    return begin + record(PARAMS, parameters(pairs)) + record(PARAMS, b"") + record(STDIN, body) + record(STDIN, b"")


def ask(path, whole):
    """Sends a request over a connection of its own, as lighttpd does: the answer's bytes."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        s.connect(str(path))
        s.sendall(whole)
        data = b"".join(iter(lambda: s.recv(65536), b""))
    out, at = b"", 0
    while at < len(data):
        _, kind, _, length, padding, _ = struct.unpack_from(">BBHHBB", data, at)
        out += data[at + 8 : at + 8 + length] if kind == STDOUT else b""
        at += 8 + length + padding
    return out


def instructions(bench, home, token, calls):
    """What callgrind counts from the worker's start to its end, with so many calls between."""
    folder = bench.folder / f"callgrind-{calls}"
    folder.mkdir()
    path, counted = folder / "socket", folder / "callgrind.out"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(16)
        program = str(bench.build / "cgi-bin" / "chats.fcgi")
        command = ["valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={counted}", program]
        with open(folder / "log", "wb") as log:
            worker = subprocess.Popen(command, stdin=listening, stdout=log, stderr=log, env=server.program_environment(home))
    try:
        whole = request(token)
        for _ in range(calls):
            answer = ask(path, whole)
            if b"Status: 200" not in answer or answer.count(stands.TEXT.encode()) != stands.PAGE:
                raise AssertionError(f"under callgrind: {answer[:300]} {(folder / 'log').read_text('utf-8')}")
    finally:
        worker.send_signal(signal.SIGTERM)
        try:
            worker.wait(60)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
    found = re.search(r"^(?:totals|summary): (\d+)", counted.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise AssertionError(f"callgrind says nothing: {(folder / 'log').read_text('utf-8')}")
    return int(found[1])


def instructions_row(bench):
    """The worker with one thread, called through its socket."""
    if shutil.which("valgrind") is None:
        raise measure.Skipped("there is no valgrind")
    home, token = stands.new_home(bench.build, bench.folder / "instructions", "threads = 1")
    stands.prepare(lambda operation, body: stands.canned_reply(bench.build, home, token, operation, body))
    few, many = (instructions(bench, home, token, calls) for calls in (CALLS, 2 * CALLS))
    each = (many - few) / CALLS
    title = "instructions of one authenticated ListMessages of 25, callgrind"
    ratio = measure.Ratio(f"of {START:,}, where issue 6 starts", each / START, aim=0.5, sense="<=")
    return measure.Row("instructions", title, {"chats": {"instructions": each}}, [ratio])


def memory_row(bench):
    """A worker's private memory: once it has answered, and the most while it serves."""
    most = 0
    with contextlib.closing(stands.Stand(bench.build, bench.folder / "memory", bench.options)) as stand:
        stand.call("chats", "ListMessages", {"chat_id": stands.LISTED})
        (worker,) = set(server.processes_of(bench.build / "cgi-bin" / "chats.fcgi")) & set(stand.lighttpd.workers())
        rest = server.private_kib(worker)
        target = stand.targets["chats"]
        seconds = max(2, bench.options.seconds)
        serving = subprocess.Popen(
            load.command(target.base, CONNECTIONS, seconds, "reads", 1, stands.HOT, headers=target.headers),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        while serving.poll() is None:
            most = max(most, server.private_kib(worker))
            time.sleep(0.05)
        if serving.returncode != 0:
            raise AssertionError(f"wrk ended with {serving.returncode}")
    title = f"private memory of a worker of {bench.options.threads} threads, {CONNECTIONS} connections"
    ratios = [
        measure.Ratio("at rest", rest / 1024, bar=4.0, sense="<=", unit=" MiB"),
        measure.Ratio("serving", most / 1024, bar=8.0, sense="<=", unit=" MiB"),
    ]
    return measure.Row("memory", title, {"chats": {"rest_kib": rest, "serving_kib": most}}, ratios)
