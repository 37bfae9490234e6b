"""Contract, sections 1 and 2: addresses and methods."""

from lib.suite import Skip, case, equal

CREATE = ("Chats.CreateChat",)
READ = ("Chats.ListMessages",)
SEND = ("Chats.SendMessage",)
HEALTH = ("Chats.Health",)

# (request path, SCRIPT_NAME where it is not the one that deploy/lighttpd mounts). The contract's table first.
ADDRESSES = (
    ("/chats/Chats/CreateChat", None),
    ("/chats/Chats/CreateChat", ""),
    ("/chats/CreateChat", None),
    ("//chats/Chats/CreateChat", None),
    ("//chats/Chats/CreateChat", "/"),
    ("/v1/chats/CreateChat", None),
    ("/v1/chats/CreateChat", ""),
    ("/cgi-bin/chats.cgi/chats/Chats/CreateChat", None),
    ("/chats//Chats///CreateChat/", None),
    ("/chats/chats/createChat", None),
    ("/chats/chats/create-chat", None),
    ("/chats/Chats/Create-Chat", None),
    ("/v1/chats/create-chat", None),
    ("/chats/Chats/Create%43hat", None),
)


def add_address(path, mount):
    where = "" if mount is None else f" mounted at '{mount}'"

    @case(f"{path}{where} is Chats.CreateChat", CREATE)
    def _(t):
        if mount is not None and t.lane.name != "cgi":
            raise Skip("deploy/lighttpd has its own mounts")
        users = [t.fresh("a"), t.fresh("b")]
        chat = t.fresh("chat")
        got = t.call("POST", path, {"id": chat, "user_ids": users}, mount=mount)
        equal(t.ok(got)["chat"]["id"], chat, "the chat's id")


for _path, _mount in ADDRESSES:
    add_address(_path, _mount)


@case("CreateMessage is another name of SendMessage", SEND)
def _(t):
    chat, users = t.chat()
    for name in ("CreateMessage", "create-message", "createMessage", "SendMessage", "send-message"):
        body = {"id": name, "chat_id": chat, "author_id": users[0], "text": name}
        equal(t.ok(t.post(name, body))["message"]["id"], name, "the message's id")
    equal(len(t.messages(chat)), 5, "the number of messages")


UNKNOWN = (
    ("/chats/Chats/DeleteChat", "Chats/DeleteChat"),
    ("/chats/Chats/CreateChats", "Chats/CreateChats"),
    ("/chats/Rooms/CreateChat", "Rooms/CreateChat"),
    ("/chats/Chats/CREATECHAT", "Chats/CREATECHAT"),
    ("/chats/Chats/CreateChat/x", "CreateChat/x"),
    ("/chats/", "chats"),
    ("/chats", "chats"),
    ("/v1", "v1"),
    ("/chats/Chats/Cr%C3%A9er", "Créer"),
    ("/chats/Chats/a%22b%5C", 'a"b\\'),
    ("/auth/Auth/Login", "Auth/Login"),
    ("/auth/Tokens", "auth/Tokens"),
    ("/chats/Accounts/Lists", "Accounts/Lists"),
)


def add_unknown(path, name):
    @case(f"{path} is an unknown operation", errors=["UNKNOWN_OPERATION"])
    def _(t):
        t.error(t.call("POST", path, {}), "UNKNOWN_OPERATION", has=name)


for _path, _name in UNKNOWN:
    add_unknown(_path, _name)


@case("an address of bytes that are not UTF-8 is an unknown operation, named in UTF-8", errors=["UNKNOWN_OPERATION"])
def _(t):
    got = t.call("POST", "/chats/Chats/%FF%C0%AF", {})
    if not t.differs("address-not-utf8", got):
        t.error(got, "UNKNOWN_OPERATION")


@case("an address of 4,000 bytes is an unknown operation", errors=["UNKNOWN_OPERATION"])
def _(t):
    t.error(t.call("POST", "/chats/Chats/" + "x" * 4000, {}), "UNKNOWN_OPERATION")


@case("GET calls an operation that reads", READ + HEALTH)
def _(t):
    chat, users = t.chat()
    sent = t.send(chat, users[0], "read me")
    t.ok(t.get(f"ListMessages?chat_id={chat}"), {"messages": [sent]})
    t.ok(t.get("Health"), {"status": "ok"})


@case("HEAD answers the headers of GET and no body", READ + HEALTH)
def _(t):
    chat, users = t.chat()
    t.send(chat, users[0], "head")
    for target in (f"ListMessages?chat_id={chat}", "Health", "ListMessages?chat_id=nowhere", "Nothing"):
        get = t.get(target)
        head = t.call("HEAD", f"/chats/Chats/{target}")
        equal(head.status, get.status, "the status")
        equal(head.body, b"", "the body")
        equal(head.complete, True, "the answer's completeness")
        for name in ("Content-Type", "Content-Length", "Cache-Control", "Access-Control-Allow-Origin"):
            equal(head.header(name), get.header(name), name)


def add_not_allowed(method, operation, allow):
    @case(f"{method} on {operation} is not allowed", [f"Chats.{operation}"], ["METHOD_NOT_ALLOWED"])
    def _(t):
        got = t.call(method, f"/chats/Chats/{operation}")
        if method == "HEAD":
            equal(got.status, 405, "the status")
        else:
            t.error(got, "METHOD_NOT_ALLOWED")
        equal(sorted(got.header("Allow").replace(" ", "").split(",")), sorted(allow), "Allow")


WRITE_METHODS = ("OPTIONS", "POST")
READ_METHODS = ("GET", "HEAD", "OPTIONS", "POST")
for _operation in ("CreateChat", "SendMessage"):
    for _method in ("GET", "HEAD", "PUT", "DELETE", "PATCH"):
        add_not_allowed(_method, _operation, WRITE_METHODS)
for _operation in ("ListMessages", "Health"):
    for _method in ("PUT", "DELETE", "PATCH"):
        add_not_allowed(_method, _operation, READ_METHODS)


@case("GET on the other name of an operation that writes is not allowed", SEND, ["METHOD_NOT_ALLOWED"])
def _(t):
    t.error(t.get("CreateMessage?chat_id=x&author_id=y&text=z"), "METHOD_NOT_ALLOWED")


@case("a method that is no method is refused", READ, ["METHOD_NOT_ALLOWED"])
def _(t):
    got = t.call("BREW", "/chats/Chats/ListMessages")
    if not t.differs("unknown-method", got):
        t.error(got, "METHOD_NOT_ALLOWED")


@case("the address is checked before the method", errors=["UNKNOWN_OPERATION"])
def _(t):
    t.error(t.call("DELETE", "/chats/Chats/Nothing"), "UNKNOWN_OPERATION")


@case("the method is checked before the type", CREATE, ["METHOD_NOT_ALLOWED"])
def _(t):
    headers = [("Content-Type", "multipart/form-data; boundary=x")]
    t.error(t.call("PUT", "/chats/Chats/CreateChat", b"--x--", headers), "METHOD_NOT_ALLOWED")


@case("Health answers that it is well, without arguments", HEALTH)
def _(t):
    for method in ("GET", "POST"):
        for path in ("/chats/Chats/Health", "/chats/Health", "/v1/chats/health"):
            t.ok(t.call(method, path), {"status": "ok"})
