"""Contract, section 7: pages on other origins."""

from lib.suite import case, equal

LIST = ("Chats.ListMessages",)
PAGE = "https://page.example"
LISTED = ["allow_origins = https://one.example http://two.example:8080"]


def origin(name):
    return [("Origin", name)]


def cross(response, allowed, vary=None):
    equal(response.header("Access-Control-Allow-Origin"), allowed, "Access-Control-Allow-Origin")
    equal(response.header("Vary"), vary, "Vary")
    equal(response.header("Access-Control-Allow-Credentials"), None, "Access-Control-Allow-Credentials")


def preflight(response):
    equal(response.status, 204, "the status")
    equal(response.body, b"", "the body")
    for name, values in (
        ("Access-Control-Allow-Methods", "GET, POST, OPTIONS"),
        ("Access-Control-Allow-Headers", "Authorization, Content-Type, Micro-Namespace"),
        ("Access-Control-Max-Age", "86400"),
        ("Content-Type", None),
    ):
        equal(response.header(name), values, name)


ASKED = [("Access-Control-Request-Method", "POST"), ("Access-Control-Request-Headers", "content-type,micro-namespace")]


def add_preflight(operation):
    @case(f"a preflight for {operation} is answered, from any origin", [f"Chats.{operation}"])
    def _(t):
        got = t.call("OPTIONS", f"/chats/Chats/{operation}", None, origin(PAGE) + ASKED)
        preflight(got)
        cross(got, "*")


for _operation in ("CreateChat", "SendMessage", "ListMessages", "Health"):
    add_preflight(_operation)


@case("OPTIONS without an origin is a preflight as well", LIST)
def _(t):
    preflight(t.call("OPTIONS", "/chats/Chats/ListMessages"))


@case("OPTIONS of an unknown operation is an unknown operation", errors=["UNKNOWN_OPERATION"])
def _(t):
    got = t.call("OPTIONS", "/chats/Chats/Nothing", None, origin(PAGE))
    t.error(got, "UNKNOWN_OPERATION")
    cross(got, "*")


@case("a preflight for an unknown operation is answered: the page is to read the error of the call")
def _(t):
    got = t.call("OPTIONS", "/chats/Chats/Nothing", None, origin(PAGE) + ASKED)
    preflight(got)
    cross(got, "*")


@case("a preflight needs no token where auth is required", LIST)
def _(t):
    got = t.on("closed", auth="required").call("OPTIONS", "/chats/Chats/ListMessages", None, origin(PAGE) + ASKED)
    preflight(got)
    cross(got, "*")


@case("answers are for any origin unless a list is configured", LIST)
def _(t):
    chat, _ = t.chat()
    for headers in ([], origin(PAGE), origin("null")):
        got = t.post("ListMessages", {"chat_id": chat}, headers)
        t.ok(got)
        cross(got, "*")


@case("errors carry the same headers for other origins as answers", LIST, ["MISSING_CHAT_ID", "METHOD_NOT_ALLOWED"])
def _(t):
    for got, error_id in (
        (t.post("ListMessages", {}, origin(PAGE)), "MISSING_CHAT_ID"),
        (t.post("ListMessages", b"{", origin(PAGE)), "INVALID_REQUEST"),
        (t.post("ListMessages", {"chat_id": "nowhere"}, origin(PAGE)), "NOT_FOUND"),
        (t.post("Nothing", {}, origin(PAGE)), "UNKNOWN_OPERATION"),
        (t.get("SendMessage", origin(PAGE)), "METHOD_NOT_ALLOWED"),
        (t.post("ListMessages", b" " * 524289, origin(PAGE)), "TOO_LARGE"),
        (t.post("ListMessages", {}, [*origin(PAGE), ("Authorization", "Bearer x")]), "UNAUTHORIZED"),
    ):
        t.error(got, error_id)
        cross(got, "*")


@case("an origin on the configured list is allowed by name", LIST)
def _(t):
    listed = t.on("listed", settings=LISTED)
    for name in ("https://one.example", "http://two.example:8080"):
        got = listed.post("ListMessages", {"chat_id": "nowhere"}, origin(name))
        listed.error(got, "NOT_FOUND")
        cross(got, name, "Origin")
        got = listed.call("OPTIONS", "/chats/Chats/ListMessages", None, origin(name) + ASKED)
        preflight(got)
        cross(got, name, "Origin")


@case("an origin that is not on the configured list is not allowed", LIST)
def _(t):
    listed = t.on("listed", settings=LISTED)
    for name in (
        "https://other.example",
        "http://one.example",
        "https://one.example:444",
        "https://one.example.evil.example",
        "https://one.exampl",
        "null",
        "*",
    ):
        got = listed.post("ListMessages", {"chat_id": "nowhere"}, origin(name))
        listed.error(got, "NOT_FOUND")
        cross(got, None, "Origin")
        cross(listed.call("OPTIONS", "/chats/Chats/ListMessages", None, origin(name) + ASKED), None, "Origin")
    cross(listed.post("ListMessages", {"chat_id": "nowhere"}), None, "Origin")
