"""A raw HTTP/1.1 client: sends exactly the bytes it is told to and reads the answer without mercy."""

import dataclasses
import socket

AUTO = object()  # content_length: announce what is sent


@dataclasses.dataclass
class Response:
    """An answer. status 0: the connection ended without one."""

    status: int
    reason: str
    headers: list  # (name, value) as sent
    body: bytes
    complete: bool  # the body ended as its framing said it would

    def header(self, name):
        """The header's value, None if it is absent; a header sent twice is an error."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        if len(values) > 1:
            raise AssertionError(f"header {name} was sent {len(values)} times")
        return values[0] if values else None


NO_ANSWER = Response(0, "", [], b"", False)


def parse_head(head):
    """The first line and the headers of b"...\\r\\n...": (line, [(name, value)])."""
    lines = head.decode("latin-1").split("\r\n")
    headers = []
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise AssertionError(f"not a header: {line!r}")
        headers.append((name, value.strip()))
    return lines[0], headers


def dechunk(data):
    """(body, complete) of a chunked message's bytes."""
    body, at = [], 0
    while True:
        end = data.find(b"\r\n", at)
        if end < 0:
            return b"".join(body), False
        size = int(data[at:end].split(b";")[0], 16)
        at = end + 2
        if size == 0:
            return b"".join(body), data[at:] == b"\r\n"
        if len(data) < at + size + 2:
            return b"".join(body) + data[at : at + size], False
        body.append(data[at : at + size])
        at += size + 2


def parse_response(data, head_only):
    """The Response in the bytes that a connection gave until its end."""
    while True:
        head, blank, rest = data.partition(b"\r\n\r\n")
        if not blank:
            return NO_ANSWER
        line, headers = parse_head(head)
        _, code, reason = (line + " ").split(" ", 2)
        if code != "100":
            break
        data = rest
    response = Response(int(code), reason.strip(), headers, rest, True)
    if head_only or response.status in (204, 304):
        response.complete = rest == b""
    elif (response.header("Transfer-Encoding") or "").lower() == "chunked":
        response.body, response.complete = dechunk(rest)
    elif response.header("Content-Length") is not None:
        response.complete = len(rest) == int(response.header("Content-Length"))
    return response


def request_bytes(method, target, headers, body, content_length, chunked):
    """The request as it goes over the wire."""
    head = [f"{method} {target} HTTP/1.1", "Connection: close"]
    if not any(name == "Host" for name, _ in headers):
        head.append("Host: 127.0.0.1")
    head += [f"{name}: {value}" for name, value in headers]
    if chunked:
        head.append("Transfer-Encoding: chunked")
        sent = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:7], body[7:]) if p) + b"0\r\n\r\n"
    else:
        sent = body
        if content_length is AUTO:
            content_length = len(body) if body or method == "POST" else None
        if content_length is not None:
            head.append(f"Content-Length: {content_length}")
    return "\r\n".join(head).encode("utf-8") + b"\r\n\r\n" + sent


def exchange(port, data, head_only=False, hang_up=False, after=None, timeout_s=60):
    """
    Sends data to 127.0.0.1:port and reads to the end. hang_up: says before that no more will be sent. after: (bytes,
    function), called once so many bytes have come.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_s) as s:
        parts = []
        try:
            s.sendall(data)
            if hang_up:
                s.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: the answer may be there all the same
        try:
            while True:
                part = s.recv(1 << 18)
                if not part:
                    break
                parts.append(part)
                if after is not None and sum(map(len, parts)) >= after[0]:
                    after[1]()
                    after = None
        except ConnectionResetError:
            pass
    return parse_response(b"".join(parts), head_only)
