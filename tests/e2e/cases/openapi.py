"""The service's own description, /chats/openapi.json. That answers are as it says is checked of every case's: e2e/run."""

import re
import urllib.parse

from lib import accounts
from lib.accounts import bearer
from lib.suite import A_TIME, Skip, case, compact, equal, same

# (request path, SCRIPT_NAME where it is not the one that the files in deploy/ mount).
ADDRESSES = (
    ("/chats/openapi.json", None),
    ("/auth/openapi.json", None),
    ("/v1/openapi.json", None),
    ("/cgi-bin/chats.cgi/openapi.json", None),
    ("/cgi-bin/chats.cgi/chats/openapi.json", None),
    ("/chats/Chats/openapi.json", None),
    ("/openapi.json", ""),
    ("/chats/openapi.json", ""),
    ("/some/where/below/openapi.json", "/some/where/below"),
)

A_TOKEN = re.compile(r"chats_[A-Za-z0-9_-]{43}")
A_NUMBER = re.compile(r"[0-9]{10}")


def document_of(t, path="/chats/openapi.json", **options):
    return t.ok(t.call("GET", path, **options))


def add_address(path, mount):
    where = "" if mount is None else f" mounted at '{mount}'"

    @case(f"{path}{where} is the description, and its operations are where it says", ["Chats.CreateChat"])
    def _(t):
        if mount is not None and t.lane.name != "cgi":
            raise Skip("deploy/ has its own mounts")
        document = document_of(t, path, mount=mount)
        equal(document["openapi"], "3.1.0", "the version of OpenAPI")
        equal(document, document_of(t), "the document")
        base = urllib.parse.urljoin(path, document["servers"][0]["url"])
        users = [t.fresh("a"), t.fresh("b")]
        for address, service in (("/Chats/CreateChat", True), ("/Auth/Token", False)):
            equal("post" in document["paths"][address], True, f"the presence of {address}")
            got = t.call("POST", base.rstrip("/") + address, {"user_ids": users} if service else {}, mount=mount)
            if service:
                equal(t.ok(got)["chat"]["user_ids"], sorted(users), "the members")
            else:
                t.error(got, "INVALID_REQUEST", has="id")


for _path, _mount in ADDRESSES:
    add_address(_path, _mount)


@case("the description is read with GET and HEAD, without a token, and as any answer", errors=["METHOD_NOT_ALLOWED"])
def _(t):
    locked = t.on("description-locked", auth="required")
    got = locked.call("GET", "/chats/openapi.json?any=thing")
    locked.ok(got)
    equal(got.header("Access-Control-Allow-Origin"), "*", "Access-Control-Allow-Origin")
    head = locked.call("HEAD", "/chats/openapi.json")
    equal((head.status, head.body), (200, b""), "status and body of HEAD")
    plain = locked.call("GET", "/chats/openapi.json")
    equal(head.header("Content-Length"), plain.header("Content-Length"), "Content-Length of HEAD")
    for method in ("POST", "PUT", "DELETE"):
        got = locked.call(method, "/chats/openapi.json", b"{}" if method == "POST" else None)
        locked.error(got, "METHOD_NOT_ALLOWED")
        equal(got.header("Allow"), "GET, HEAD, OPTIONS", "Allow")
    equal(locked.call("OPTIONS", "/chats/openapi.json").status, 204, "the status of OPTIONS")


@case("the description has the limits of chats.conf", ["Chats.ListMessages"], ["INVALID_REQUEST"])
def _(t):
    small = t.on("description-limits", settings=("max_limit = 7", "max_body = 2048"))
    call = document_of(small)["paths"]["/Chats/ListMessages"]["post"]
    limit = call["requestBody"]["content"]["application/json"]["schema"]["properties"]["limit"]
    equal((limit["minimum"], limit["maximum"]), (0, 7), "the range of limit")
    equal(call["requestBody"]["description"], "At most 2048 bytes.", "what is said of the body")
    chat, _ = small.chat()
    small.ok(small.post("ListMessages", {"chat_id": chat, "limit": limit["maximum"]}), {"messages": []})
    got = small.post("ListMessages", {"chat_id": chat, "limit": limit["maximum"] + 1})
    small.error(got, "INVALID_REQUEST", "field 'limit' must be an integer from 0 to 7")


def loosened(value):
    """An example's answer, with a pattern where every service has a value of its own."""
    if isinstance(value, dict):
        return {key: loosened(item) for key, item in value.items()}
    if isinstance(value, list):
        return [loosened(item) for item in value]
    return next((form for form in (A_TIME, A_TOKEN, A_NUMBER) if form.fullmatch(value)), value)


# In this order they fit together. Whose token: of the service `shop`, or of `jane`, who is made by Auth.Generate.
ORDER = (
    ("/Auth/Generate", "shop"),
    ("/Auth/Token", None),
    ("/Auth/Inspect", None),
    ("/Chats/CreateChat", "jane"),
    ("/Chats/SendMessage", "jane"),
    ("/Chats/ListMessages", "jane"),
    ("/Chats/Health", None),
    ("/Chats/Metrics", None),
    ("/Auth/Revoke", None),
    ("/Accounts/ChangeSecret", "jane"),
    ("/Accounts/List", "shop"),
    ("/Accounts/Delete", "shop"),
)


@case("each example of the description is answered as it says", [path[1:].replace("/", ".") for path, _ in ORDER])
def _(t):
    there = t.on("description-examples", auth="required", settings=accounts.CHEAP)
    accounts.add(t.lane.build, there.variant.home, "shop", "the secret of the shop", "service")
    tokens = {None: None, "shop": accounts.issue(t.lane.build, there.variant.home, "shop")}
    document = document_of(there)
    equal({path for path, _ in ORDER}, set(document["paths"]), "the operations")
    for path, caller in ORDER:
        call = document["paths"][path]["post"]
        body = call.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example", {})
        for name in set(body) & {"token"}:
            body[name] = tokens["jane"]
        if path == "/Accounts/ChangeSecret":  # Auth.Revoke has ended the other
            tokens["jane"] = accounts.issue(t.lane.build, there.variant.home, "jane")
        answer = there.call("POST", f"/chats{path}", compact(body), bearer(tokens[caller]))
        if path == "/Chats/Metrics":  # the example is some of its lines
            (example,) = call["responses"]["200"]["content"].values()
            equal(set(example["example"].splitlines()) - set(there.text(answer).splitlines()), set(), "what is missing")
            continue
        got = there.ok(answer)
        expected = loosened(call["responses"]["200"]["content"]["application/json"]["example"])
        if path == "/Auth/Token":
            tokens["jane"] = got["token"]["access_token"]
        if path == "/Accounts/List":  # the shop is there, too
            equal(got["accounts"].pop(), {"id": "shop", "type": "service", "issuer": "micro"}, "the second account")
        same(got, expected, f"the answer of {path}")
