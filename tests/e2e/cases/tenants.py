"""Contract, section 6, as far as there are no accounts yet: namespaces, and who needs a token."""

from lib.suite import case, equal

CREATE = ("Chats.CreateChat",)
SEND = ("Chats.SendMessage",)
LIST = ("Chats.ListMessages",)


def space(name):
    return [("Micro-Namespace", name)]


@case("the same users and ids in two namespaces are two chats", CREATE + SEND + LIST)
def _(t):
    users = [t.fresh("a"), t.fresh("b")]
    chat, one, two = t.fresh("chat"), t.fresh("one"), t.fresh("two")
    for name in (one, two):
        got = t.ok(t.post("CreateChat", {"id": chat, "user_ids": users}, space(name)))
        equal(got["chat"]["id"], chat, "the chat's id")
    body = {"id": "m", "chat_id": chat, "author_id": users[0]}
    first = t.ok(t.post("SendMessage", {**body, "text": "in one"}, space(one)))["message"]
    second = t.ok(t.post("SendMessage", {**body, "text": "in two"}, space(two)))["message"]
    for name, message in ((one, first), (two, second)):
        t.ok(t.post("ListMessages", {"chat_id": chat}, space(name)), {"messages": [message]})


@case("a chat of another namespace is not found, in the same bytes as none", SEND + LIST, ["NOT_FOUND"])
def _(t):
    chat, users = t.chat()
    elsewhere = space(t.fresh("elsewhere"))
    there = t.post("ListMessages", {"chat_id": chat}, elsewhere)
    t.error(there, "NOT_FOUND")
    nowhere = t.post("ListMessages", {"chat_id": t.fresh("nowhere")}, elsewhere)
    equal((there.body, there.status), (nowhere.body, nowhere.status), "the answers")
    body = {"chat_id": chat, "author_id": users[0], "text": "x"}
    t.error(t.post("SendMessage", body, elsewhere), "NOT_FOUND")


@case("the namespace is micro unless the header says another", CREATE)
def _(t):
    users = [t.fresh("a"), t.fresh("b")]
    first = t.post("CreateChat", {"user_ids": users})
    t.ok(first)
    equal(t.post("CreateChat", {"user_ids": users}, space("micro")).body, first.body, "the answer in micro")
    other = t.ok(t.post("CreateChat", {"user_ids": users}, space("Micro")))["chat"]["id"]
    if other.encode() in first.body:
        raise AssertionError("Micro is micro")


@case("namespaces whose names only run together alike are apart", CREATE)
def _(t):
    tag = t.fresh("n")
    for name, chat in ((f"{tag}a", "bc"), (f"{tag}ab", "c")):
        got = t.ok(t.post("CreateChat", {"id": chat, "user_ids": [name, "x"]}, space(name)))
        equal(got["chat"]["id"], chat, "the chat's id")
    t.error(t.post("ListMessages", {"chat_id": "c"}, space(f"{tag}a")), "NOT_FOUND")


@case("a namespace of 255 bytes is allowed and one of 256 refused", CREATE, ["INVALID_REQUEST"])
def _(t):
    name = t.fresh("n").ljust(255, "x")
    body = {"user_ids": ["a", "b"]}
    t.ok(t.post("CreateChat", body, space(name)))
    t.error(t.post("CreateChat", body, space(name + "x")), "INVALID_REQUEST", has="Micro-Namespace")


@case("a namespace with a control character is refused", CREATE, ["INVALID_REQUEST"])
def _(t):
    t.error(t.post("CreateChat", {"user_ids": ["a", "b"]}, space("a\u0085b")), "INVALID_REQUEST", has="Micro-Namespace")


def bearer(token):
    return [("Authorization", token)]


@case("a bad token is refused though a call without one is not", CREATE + SEND + LIST, ["UNAUTHORIZED"])
def _(t):
    chat, users = t.chat()
    for operation, body in (
        ("ListMessages", {"chat_id": chat}),
        ("SendMessage", {"chat_id": chat, "author_id": users[0], "text": "x"}),
        ("CreateChat", {"user_ids": users}),
    ):
        for value in ("Bearer nonsense", "bearer nonsense", "BEARER nonsense", "Bearer " + "x" * 4000):
            got = t.post(operation, body, bearer(value))
            t.error(got, "UNAUTHORIZED", has="token")
            equal(got.header("WWW-Authenticate").split(" ")[0], "Bearer", "WWW-Authenticate")
    equal(t.messages(chat), [], "the chat's messages")


@case("an Authorization of another kind is no token", LIST)
def _(t):
    chat, _ = t.chat()
    t.ok(t.post("ListMessages", {"chat_id": chat}, bearer("Basic YTpi")), {"messages": []})


@case("a token in the address or in a cookie is not looked at", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    t.ok(t.post("ListMessages", {"chat_id": chat}, [("Cookie", "access_token=nonsense; micro-token=x")]))
    t.error(t.post("ListMessages?access_token=x", {"chat_id": chat}), "INVALID_REQUEST", has="access_token")


@case("where auth is required every chats operation needs a token", CREATE + SEND + LIST, ["UNAUTHORIZED"])
def _(t):
    closed = t.on("closed", auth="required")
    for operation in ("CreateChat", "SendMessage", "CreateMessage", "ListMessages"):
        got = closed.post(operation, {})
        closed.error(got, "UNAUTHORIZED", has="token")
        equal(got.header("WWW-Authenticate").split(" ")[0], "Bearer", "WWW-Authenticate")
    closed.error(closed.get("ListMessages?chat_id=c"), "UNAUTHORIZED", has="token")
    closed.error(closed.post("ListMessages", {}, bearer("Bearer nonsense")), "UNAUTHORIZED", has="token")


@case("where auth is required Health needs no token", ["Chats.Health"])
def _(t):
    closed = t.on("closed", auth="required")
    closed.ok(closed.get("Health"), {"status": "ok"})


@case("authentication is checked after size and type and before the form of a request", LIST, ["UNAUTHORIZED"])
def _(t):
    closed = t.on("closed", auth="required")
    closed.error(closed.post("ListMessages", b" " * 524289), "TOO_LARGE")
    closed.error(
        closed.post("ListMessages", b"--x--", [("Content-Type", "multipart/form-data; boundary=x")]),
        "UNSUPPORTED_MEDIA_TYPE",
    )
    for data in (b"{nonsense", b"{}", b'{"unknown":1}', b"\xff"):
        closed.error(closed.post("ListMessages", data), "UNAUTHORIZED")
    closed.error(closed.call("PUT", "/chats/Chats/ListMessages"), "METHOD_NOT_ALLOWED")
    closed.error(closed.post("Nothing", {}), "UNKNOWN_OPERATION")
