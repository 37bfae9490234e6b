"""Contract, section 8: micro.js is served by the project itself, beside the program, and so is the page that tries it."""

import pathlib
import re

from lib.suite import Skip, case, equal

WEB = pathlib.Path(__file__).resolve().parents[3] / "src" / "web"
TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}


def get(t, target):
    """A server's own answer, which has none of the program's headers."""
    if t.lane.name == "cgi":
        raise Skip("no server, no pages")
    return t.call("GET", target)


def check_file(got, path):
    equal(got.status, 200, "the status")
    equal(got.complete, True, "the answer's completeness")
    equal(got.body, path.read_bytes(), f"what is served as {path.name}")
    equal(got.header("Content-Type"), TYPES[path.suffix], "Content-Type")


@case("micro.js and its page are served at the root and beside the program")
def _(t):
    files = [path for path in sorted(WEB.iterdir()) if path.suffix in TYPES]
    equal({"index.html", "micro.js"} <= {path.name for path in files}, True, "whether both are there")
    for path in files:
        for mount in ("", "/chats"):
            check_file(get(t, f"{mount}/{path.name}"), path)
    check_file(get(t, "/"), WEB / "index.html")


@case("what the page loads is served beside it, wherever it is")
def _(t):
    for page in ("/index.html", "/chats/index.html"):
        text = get(t, page).body.decode("utf-8")
        names = re.findall(r'<(?:script|link)[^>]*(?:src|href)="(?!data:)([^"]+)"', text)
        equal(bool(names), True, "whether it loads anything")
        for name in names:
            equal("/" in name, False, f"whether {name} is beside the page")
            equal(get(t, f"{page.rpartition('/')[0]}/{name}").status, 200, f"the status of {name}")


@case("a script at /chats/micro.js reaches the program below its own folder", ["Chats.Health", "Auth.Inspect"], ["UNAUTHORIZED"])
def _(t):
    t.ok(t.call("GET", "/chats/chats/Chats/Health"), {"status": "ok"})
    t.error(t.call("POST", "/chats/auth/Auth/Inspect", {"token": "x"}), "UNAUTHORIZED")


def check_place(t, where, base):
    if t.lane.name == "cgi":
        raise Skip("no server, no places")
    t = t.on(f"at-{where}", home=t.variant.home, where=where)
    for name in ("index.html", "micro.js"):
        check_file(get(t, f"{base}/{name}"), WEB / name)
    users = [t.fresh("a"), t.fresh("b")]
    chat = t.fresh("chat")
    for path in ("/chats/Chats/CreateChat", "/v1/chats/CreateChat", "/Chats/CreateChat"):
        got = t.ok(t.call("POST", base + path, {"id": chat, "user_ids": users}))
        equal(got["chat"]["id"], chat, f"the chat's id at {path}")
    sent = t.ok(t.call("POST", f"{base}/chats/Chats/SendMessage", {"chat_id": chat, "author_id": users[0], "text": "x"}))
    listed = t.call("GET", f"{base}/chats/Chats/ListMessages?chat_id={chat}")
    t.ok(listed, {"messages": [sent["message"]]})
    t.error(t.call("POST", f"{base}/auth/Auth/Inspect", {"token": "x"}), "UNAUTHORIZED")
    t.error(t.call("POST", f"{base}/Nothing", {}), "UNKNOWN_OPERATION")


@case("mounted below one address, pages and program are there and nowhere else", ["Chats.CreateChat", "Auth.Inspect"])
def _(t):
    check_place(t, "below", "/talk")
    for path in ("/chats/Chats/Health", "/talks/Chats/Health", "/auth/Auth/Inspect"):
        got = t.on("at-below").call("GET", path)
        equal((got.status, b"UNKNOWN_OPERATION" in got.body), (404, False), f"what {path} is answered with")


@case("mounted at the root, pages and program are there", ["Chats.CreateChat", "Auth.Inspect"])
def _(t):
    check_place(t, "at", "")
    check_file(t.on("at-at").call("GET", "/"), WEB / "index.html")


@case("nothing but the pages is served: no file of the home, the configuration or the folder above")
def _(t):
    for target in ("/chats.conf", "/gate", "/server.conf", "/lighttpd.log", "/..%2f..%2fREADME.md", "/../Makefile.am"):
        got = get(t, target)
        equal(got.status in (400, 403, 404), True, f"whether {target} is refused (status {got.status})")
    got = get(t, "/chats/..%2fstore%2fauth.h")
    equal(got.status, 404, "the status of a path out of the folder")
