"""Contract, section 3: names of fields, null, integers, queries and forms; section 4: the order of checks."""

from urllib.parse import quote, urlencode

from lib.suite import case, equal, same

CREATE = ("Chats.CreateChat",)
SEND = ("Chats.SendMessage",)
LIST = ("Chats.ListMessages",)
FORM = [("Content-Type", "application/x-www-form-urlencoded")]


@case("fields are named in lowerCamelCase as well", CREATE + SEND + LIST)
def _(t):
    users = sorted([t.fresh("a"), t.fresh("b")])
    chat = t.ok(t.post("CreateChat", {"userIds": users}))["chat"]
    equal(chat["user_ids"], users, "user_ids")
    body = {"chatId": chat["id"], "authorId": users[0], "text": "camel"}
    message = t.ok(t.post("SendMessage", body))["message"]
    for name in ("sentBefore", "sentAfter"):
        equal(t.messages(chat["id"], **{name: message["sent_at"]}), [], name)
    t.ok(t.post("ListMessages", {"chatId": chat["id"]}), {"messages": [message]})


@case("null is the same as absent", CREATE + SEND + LIST, ["MISSING_TEXT", "MISSING_USER_IDs"])
def _(t):
    users = [t.fresh("a"), t.fresh("b")]
    chat = t.ok(t.post("CreateChat", {"id": None, "user_ids": users}))["chat"]["id"]
    t.ok(t.post("SendMessage", {"id": None, "chat_id": chat, "author_id": users[0], "text": "x"}))
    t.error(t.post("SendMessage", {"chat_id": chat, "author_id": users[0], "text": None}), "MISSING_TEXT")
    t.error(t.post("CreateChat", {"user_ids": None}), "MISSING_USER_IDs")
    nulls = {name: None for name in ("limit", "offset", "order", "sent_before", "sent_after")}
    equal(len(t.messages(chat, **nulls)), 1, "the number of messages")


@case("an integer is a JSON integer or a decimal string", LIST)
def _(t):
    chat, users = t.chat()
    for text in "abc":
        t.send(chat, users[0], text)
    for limit in (2, "2"):
        for offset in (1, "1"):
            got = [m["text"] for m in t.messages(chat, limit=limit, offset=offset)]
            equal(got, ["b", "a"], f"limit={limit!r} offset={offset!r}")
    equal(t.messages(chat, offset=9223372036854775807), [], "the page at the greatest offset")
    equal(t.messages(chat, offset="9223372036854775807"), [], "the page at the greatest offset")


@case("fields may come in the query string", CREATE + SEND + LIST)
def _(t):
    users = sorted([t.fresh("ä b+c&d="), t.fresh("b")])
    query = urlencode([("user_ids", users[1]), ("user_ids", users[0])])
    chat = t.ok(t.post(f"CreateChat?{query}"))["chat"]
    equal(chat["user_ids"], users, "user_ids")
    query = urlencode({"chatId": chat["id"], "author_id": users[0], "text": "50% ünd + plus&"})
    message = t.ok(t.post(f"SendMessage?{query}"))["message"]
    equal(message["text"], "50% ünd + plus&", "the text")
    t.ok(t.get(f"ListMessages?chat_id={chat['id']}&limit=1&order=asc"), {"messages": [message]})


@case("a text in the query string may have a newline in it", SEND)
def _(t):
    chat, users = t.chat()
    got = t.post("SendMessage?" + urlencode({"chat_id": chat, "author_id": users[0], "text": "two\nlines"}))
    if not t.differs("query-control-character", got):
        equal(t.ok(got)["message"]["text"], "two\nlines", "the text")


@case("fields of the query string and the body are taken together, and the body wins", SEND + LIST)
def _(t):
    chat, users = t.chat()
    for text in "abc":
        t.send(chat, users[0], text)
    got = t.ok(t.post("ListMessages?limit=1&order=asc&chat_id=elsewhere", {"chat_id": chat, "order": "desc"}))
    equal([m["text"] for m in got["messages"]], ["c"], "the texts")
    got = t.ok(t.post("ListMessages?limit=1&chat_id=elsewhere", f"chat_id={chat}&limit=2".encode(), FORM))
    equal([m["text"] for m in got["messages"]], ["c", "b"], "the texts")
    got = t.ok(t.post("ListMessages?limit=1&chat_id=elsewhere", {"chatId": chat}))
    equal([m["text"] for m in got["messages"]], ["c"], "the texts")


@case("a form body is read as form fields", CREATE + SEND + LIST)
def _(t):
    users = sorted([t.fresh("ä b"), t.fresh("b")])
    for name in ("user_ids", "user_ids[]", "user_ids%5B%5D", "userIds", "userIds[]"):
        data = "&".join(f"{name}={quote(user)}" for user in users).encode()
        equal(t.ok(t.post("CreateChat", data, FORM))["chat"]["user_ids"], users, name)
    chat = t.ok(t.post("CreateChat", {"user_ids": users}))["chat"]["id"]
    data = urlencode({"chat_id": chat, "author_id": users[0], "text": "a + b = ü&\r\n😀"}).encode()
    message = t.ok(t.post("SendMessage", data, FORM))["message"]
    equal(message["text"], "a + b = ü&\r\n😀", "the text")
    t.ok(t.post("ListMessages", f"chat_id={chat}&limit=5&offset=0&order=desc".encode(), FORM), {"messages": [message]})


# name: (form, what Detail says[, what a server does with it in a query: see lib/differences.py])
BAD_FORMS = {
    "an unknown field": ("chat_id=c&frobnicate=1", "frobnicate"),
    "a field given twice": ("chat_id=c&chat_id=d", "chat_id"),
    "a field given twice in two spellings": ("chat_id=c&chatId=c", "chat_id"),
    "brackets on a field that is no list": ("chat_id[]=c", "chat_id"),
    "a percent sign without digits": ("chat_id=100%", "%", "query-bad-escape"),
    "a percent sign with one digit": ("chat_id=%4", "%", "query-bad-escape"),
    "a percent sign with letters that are no digits": ("chat_id=%zz", "%", "query-bad-escape"),
    "U+0000": ("chat_id=a%00b", "U+0000", "query-control-character"),
    "bytes that are not UTF-8": ("chat_id=%ff", "UTF-8", "query-not-utf8"),
    "an overlong": ("chat_id=%C0%AF", "UTF-8", "query-not-utf8"),
    "a surrogate": ("chat_id=%ED%A0%80", "UTF-8"),
    "an integer that is none": ("chat_id=c&limit=1.0", "limit"),
    "an integer out of range": ("chat_id=c&offset=9223372036854775808", "range"),
}


def add_bad_form(name, data, says, difference=None):
    @case(f"{name} in a form is refused", LIST, ["INVALID_REQUEST"])
    def _(t):
        t.error(t.post("ListMessages", data.encode(), FORM), "INVALID_REQUEST", has=says)

    @case(f"{name} in a query is refused", LIST, ["INVALID_REQUEST"])
    def _(t):
        got = t.get(f"ListMessages?{data}")
        if difference is None or not t.differs(difference, got):
            t.error(got, "INVALID_REQUEST", has=says)


for _name, _row in BAD_FORMS.items():
    add_bad_form(_name, *_row)


@case("a fault in the query is refused though the body would win", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    t.error(t.post("ListMessages?frobnicate=1", {"chat_id": chat}), "INVALID_REQUEST", has="frobnicate")
    t.error(t.post("ListMessages?limit=x", {"chat_id": chat}), "INVALID_REQUEST", has="limit")


# (operation, body, error): each body has more than one fault; the one that is checked first is told.
ORDER = (
    ("SendMessage", {}, "MISSING_AUTHOR_ID"),
    ("SendMessage", {"chat_id": "c", "text": "t"}, "MISSING_AUTHOR_ID"),
    ("SendMessage", {"author_id": "a"}, "MISSING_CHAT_ID"),
    ("SendMessage", {"author_id": "a", "text": "t"}, "MISSING_CHAT_ID"),
    ("SendMessage", {"author_id": "a", "chat_id": "c"}, "MISSING_TEXT"),
    ("SendMessage", {"author_id": "", "chat_id": "", "text": ""}, "MISSING_AUTHOR_ID"),
    ("SendMessage", {"author_id": "a", "chat_id": "", "text": ""}, "MISSING_CHAT_ID"),
    ("SendMessage", {"author_id": "a", "chat_id": "c", "text": ""}, "MISSING_TEXT"),
    ("SendMessage", {"author_id": "a" * 256, "chat_id": "c"}, "MISSING_TEXT"),
    ("SendMessage", {"unknown": 1}, "INVALID_REQUEST"),
    ("SendMessage", {"text": 7}, "INVALID_REQUEST"),
    ("SendMessage", {"author_id": "a", "chat_id": "nowhere", "text": "x" * 65537}, "INVALID_REQUEST"),
    ("SendMessage", {"author_id": "a", "chat_id": "nowhere", "text": "x"}, "NOT_FOUND"),
    ("CreateChat", {}, "MISSING_USER_IDs"),
    ("CreateChat", {"id": "x" * 256}, "MISSING_USER_IDs"),
    ("CreateChat", {"id": 1}, "INVALID_REQUEST"),
    ("ListMessages", {}, "MISSING_CHAT_ID"),
    ("ListMessages", {"chat_id": ""}, "MISSING_CHAT_ID"),
    ("ListMessages", {"limit": 5000}, "MISSING_CHAT_ID"),
    ("ListMessages", {"limit": "x"}, "INVALID_REQUEST"),
    ("ListMessages", {"chat_id": "nowhere", "limit": 5000}, "INVALID_REQUEST"),
    ("ListMessages", {"chat_id": "nowhere"}, "NOT_FOUND"),
)


def add_order(number, operation, body, error_id):
    shown = {k: v if len(str(v)) < 20 else f"{str(v)[:3]}…" for k, v in body.items()}

    @case(f"order of checks {number}: {operation} of {shown} is {error_id}", [f"Chats.{operation}"], [error_id])
    def _(t):
        t.error(t.post(operation, body), error_id)


for _number, _row in enumerate(ORDER, 1):
    add_order(_number, *_row)


@case("of two faults in one request the form's comes before a missing field", SEND, ["INVALID_REQUEST"])
def _(t):
    t.error(t.post("SendMessage", {"author_id": "a", "limit": 1}), "INVALID_REQUEST", has="limit")


@case("a list in the body replaces the one in the query", CREATE, ["MISSING_USER_IDs"])
def _(t):
    got = t.post("CreateChat?user_ids=a", {"user_ids": ["b"]})
    same(t.error(got, "MISSING_USER_IDs")["Code"], 400)


@case("an empty string or list in the body wins over the query", CREATE + SEND, ["MISSING_TEXT", "MISSING_USER_IDs"])
def _(t):
    chat, users = t.chat()
    query = urlencode({"chat_id": chat, "author_id": users[0], "text": "q"})
    t.error(t.post(f"SendMessage?{query}", {"text": ""}), "MISSING_TEXT")
    t.error(t.post(f"SendMessage?{query}", b"text=", FORM), "MISSING_TEXT")
    t.error(t.post("CreateChat?user_ids=a&user_ids=b", {"user_ids": []}), "MISSING_USER_IDs")
    equal(t.messages(chat), [], "the messages")
    equal(t.ok(t.post(f"SendMessage?{query}", {"text": None}))["message"]["text"], "q", "the text by null")
