"""Cases and the checks they are made of. A case is a function named by the rule that it shows."""

import dataclasses
import itertools
import json
import re
import threading

from lib import differences

CASES = []

TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{9}Z"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"

# Id: (code, reason phrase, Detail if it is fixed). Contract, section 4.
ERRORS = {
    "MISSING_USER_IDs": (400, "Bad Request", "Two or more user IDs are required"),
    "MISSING_AUTHOR_ID": (400, "Bad Request", "Missing Author ID"),
    "MISSING_CHAT_ID": (400, "Bad Request", "Missing Chat ID"),
    "MISSING_TEXT": (400, "Bad Request", "Missing text"),
    "INVALID_REQUEST": (400, "Bad Request", None),
    "UNAUTHORIZED": (401, "Unauthorized", None),
    "FORBIDDEN": (403, "Forbidden", None),
    "NOT_FOUND": (404, "Not Found", "Chat not found"),
    "UNKNOWN_OPERATION": (404, "Not Found", None),
    "METHOD_NOT_ALLOWED": (405, "Method Not Allowed", None),
    "CHAT_ID_CONFLICT": (409, "Conflict", None),
    "MESSAGE_ID_CONFLICT": (409, "Conflict", None),
    "ACCOUNT_EXISTS": (409, "Conflict", None),
    "TOO_LARGE": (413, "Content Too Large", None),
    "UNSUPPORTED_MEDIA_TYPE": (415, "Unsupported Media Type", None),
    "TOO_MANY_REQUESTS": (429, "Too Many Requests", None),
    "UNAVAILABLE": (503, "Service Unavailable", None),
}


class Skip(Exception):
    """The case does not apply to the lane; the text says why."""


@dataclasses.dataclass
class Case:
    rule: str
    run: object
    operations: tuple  # ("Chats.SendMessage", ...): what it calls
    errors: tuple  # error ids that it provokes and checks


def case(rule, operations=(), errors=()):
    """Adds the decorated function as a case: its name is the rule that it shows."""

    def add(function):
        if any(c.rule == rule for c in CASES):
            raise AssertionError(f"two cases are named {rule!r}")
        CASES.append(Case(rule, function, tuple(operations), tuple(errors)))
        return function

    return add


def compact(value):
    """value as the program writes JSON: compact, UTF-8 as it is."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError(f"{what} is {_short(got)}, not {_short(expected)}")


def _short(value):
    shown = repr(value)
    return shown if len(shown) <= 600 else f"{shown[:400]}…{shown[-150:]} ({len(shown)} characters)"


def same(got, expected, what="answer"):
    """Compares decoded JSON, the order of keys too; an expected re.Pattern stands for any string that it matches."""
    if isinstance(expected, re.Pattern):
        if not isinstance(got, str) or not expected.fullmatch(got):
            raise AssertionError(f"{what} is {_short(got)}, not of the form {expected.pattern}")
    elif isinstance(expected, dict) and isinstance(got, dict):
        equal(list(got), list(expected), f"the keys of {what}")
        for key, value in expected.items():
            same(got[key], value, f"{what}.{key}")
    elif isinstance(expected, list) and isinstance(got, list):
        equal(len(got), len(expected), f"the length of {what}")
        for index, value in enumerate(expected):
            same(got[index], value, f"{what}[{index}]")
    else:
        equal(got, expected, what)


A_TIME = re.compile(TIME)
A_UUID = re.compile(UUID)


class Tester:
    """What a case is given: calls through its lane, fresh ids, and checks of answers."""

    _serial = itertools.count(1)

    def __init__(self, lane, variant=None):
        self.lane = lane
        self.variant = variant or lane.main
        self.calls_to_wrap = lane.calls_to_wrap  # of this case

    def on(self, name, **settings):
        """The same, talking to another home: see Lane.variant."""
        return Tester(self.lane, self.lane.variant(name, **settings))

    @classmethod
    def fresh(cls, prefix="id"):
        """An id that no other case uses."""
        return f"{prefix}-{next(cls._serial)}"

    def call(self, method, target, body=None, headers=(), **options):
        """body: bytes as they are, or anything else as JSON, or None."""
        if body is None:
            body = b""
        elif not isinstance(body, bytes):
            body = compact(body)
        if options.get("wrapped", True):
            options["wrapped"] = self.calls_to_wrap > 0
            self.calls_to_wrap -= 1
        response = self.variant.call(method, target, list(headers), body, **options)
        if self.lane.description is not None:
            self.lane.description.see(method, target, response)
        return response

    def post(self, operation, body=None, headers=(), **options):
        """operation: "SendMessage", of the service Chats."""
        return self.call("POST", f"/chats/Chats/{operation}", body, headers, **options)

    def get(self, target, headers=(), **options):
        return self.call("GET", f"/chats/Chats/{target}", None, headers, **options)

    def auth(self, operation, body=None, headers=(), **options):
        """operation: "Auth/Token", "Accounts/List"."""
        return self.call("POST", f"/auth/{operation}", body, headers, **options)

    def at_once(self, calls):
        """Runs the functions, all at the same time; their results in order."""
        results = [None] * len(calls)
        start = threading.Barrier(len(calls))

        def run(index, function):
            start.wait()
            try:
                results[index] = function()
            except Exception as e:  # handed to the case below
                results[index] = e

        threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    # What a case needs to begin with.

    def chat(self, **options):
        """A new chat of two users of its own: (its id, [user, user])."""
        users = [self.fresh("ann"), self.fresh("bob")]
        chat = self.fresh("chat")
        self.ok(self.post("CreateChat", {"id": chat, "user_ids": users}, wrapped=False, **options))
        return chat, users

    def send(self, chat, author, text, **more):
        """Sends one message to prepare a case; the stored message."""
        body = {"chat_id": chat, "author_id": author, "text": text, **more}
        return self.ok(self.post("SendMessage", body, wrapped=False))["message"]

    def messages(self, chat, **query):
        """The messages that ListMessages answers."""
        return self.ok(self.post("ListMessages", {"chat_id": chat, **query}))["messages"]

    # Checks.

    def differs(self, name, response):
        """True if the lane's server answers this by itself, as lib/differences.py says; the answer is checked then."""
        status = differences.status(name, self.lane.name)
        if status is None:
            return False
        equal(response.status, status, "the server's own status")
        return True

    def ok(self, response, expected=None):
        """200 with the headers of every answer, and this JSON (see `same`); returns it decoded."""
        if response.status != 200:
            raise AssertionError(f"status is {response.status}, not 200: {_short(response.body)}")
        value = self._json(response)
        if expected is not None:
            same(value, expected)
        return value

    def good(self, response):
        """200, of any operation, with the headers of every answer."""
        if response.header("Content-Type") == "application/json":
            self.ok(response)
        else:
            self.text(response)

    def text(self, response):
        """200 with a text, as Metrics has it, and the headers of every answer; returns it."""
        if response.status != 200:
            raise AssertionError(f"status is {response.status}, not 200: {_short(response.body)}")
        equal(response.header("Content-Type"), "text/plain; version=0.0.4; charset=utf-8", "Content-Type")
        self._headers(response)
        return response.body.decode("utf-8")

    def error(self, response, error_id, detail=None, has=()):
        """This error, byte for byte. detail: the exact Detail, has: texts in it, if it is not fixed by the contract."""
        code, reason, fixed = ERRORS[error_id]
        if response.status != code or f'"Id":"{error_id}"'.encode() not in response.body:
            raise AssertionError(f"{response.status} {_short(response.body)} is not {code} {error_id}")
        value = self._json(response)
        detail = detail or fixed
        if self.lane.name == "cgi":  # a server says its own
            equal(response.reason, reason, "the reason phrase")
        if detail is None:
            detail = value.get("Detail")
            if not isinstance(detail, str) or not detail:
                raise AssertionError(f"Detail is {detail!r}")
            for part in [has] if isinstance(has, str) else has:
                if part not in detail:
                    raise AssertionError(f"Detail {detail!r} does not say {part!r}")
        equal(value, {"Id": error_id, "Code": code, "Detail": detail, "Status": reason}, "the error")
        equal(list(value), ["Id", "Code", "Detail", "Status"], "the order of keys")
        for name, present in (
            ("WWW-Authenticate", code == 401),
            ("Retry-After", code in (429, 503)),
            ("Allow", code == 405),
        ):
            equal(response.header(name) is not None, present, f"the presence of {name}")
        return value

    @staticmethod
    def _headers(response):
        equal(response.complete, True, "the answer's completeness")
        equal(response.header("Cache-Control"), "no-store", "Cache-Control")
        equal(response.header("X-Content-Type-Options"), "nosniff", "X-Content-Type-Options")
        equal(response.header("Content-Length"), str(len(response.body)), "Content-Length")

    def _json(self, response):
        self._headers(response)
        equal(response.header("Content-Type"), "application/json", "Content-Type")
        value = json.loads(response.body.decode("utf-8"))
        if b"\\" not in response.body:  # escapes may be written in more than one way
            equal(response.body, compact(value), "the bytes")
        return value
