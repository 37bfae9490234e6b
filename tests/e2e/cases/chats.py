"""Contract, section 5: Chats.CreateChat."""

import datetime
import re

from lib.suite import A_TIME, A_UUID, case, equal

CREATE = ("Chats.CreateChat",)


@case("a chat is answered with its id, its sorted users and its time", CREATE)
def _(t):
    a, b, chat = t.fresh("b"), t.fresh("a"), t.fresh("chat")
    expected = {"chat": {"id": chat, "user_ids": sorted([a, b]), "created_at": A_TIME}}
    t.ok(t.post("CreateChat", {"id": chat, "user_ids": [a, b]}), expected)


@case("a chat without an id is given a UUID of version 4", CREATE)
def _(t):
    for body in ({}, {"id": None}, {"id": ""}):
        users = sorted([t.fresh("a"), t.fresh("b")])
        expected = {"chat": {"id": A_UUID, "user_ids": users, "created_at": A_TIME}}
        t.ok(t.post("CreateChat", {**body, "user_ids": users}), expected)


@case("the documented request is answered as documented", CREATE + ("Chats.SendMessage", "Chats.ListMessages"))
def _(t):
    headers = [("Content-Type", "application/json"), ("Micro-Namespace", "micro")]
    path = "//chats/Chats"
    chat = {"chat": {"id": A_UUID, "user_ids": ["jane", "john"], "created_at": A_TIME}}
    chat = t.ok(t.call("POST", f"{path}/CreateChat", {"user_ids": ["john", "jane"]}, headers), chat)["chat"]["id"]
    body = {"author_id": "jane", "chat_id": chat, "text": "Hey John, how are you?"}
    message = {"message": {"id": A_UUID, **body, "sent_at": A_TIME}}
    message = t.ok(t.call("POST", f"{path}/SendMessage", body, headers), message)["message"]
    equal(list(message), ["id", "author_id", "chat_id", "text", "sent_at"], "the order of fields")
    t.ok(t.call("POST", f"{path}/ListMessages", {"chat_id": chat}, headers), {"messages": [message]})


@case("user_ids are a set, sorted by their bytes", CREATE)
def _(t):
    tag = t.fresh("u")
    users = [tag + x for x in ("é", "z", "Z", "a", "zz", "\U0001f600", "\uffee", "10", "9", " ")]
    got = t.ok(t.post("CreateChat", {"user_ids": users + users[:4] + [users[0]]}))["chat"]["user_ids"]
    equal(got, sorted(users, key=lambda u: u.encode()), "user_ids")


@case("the same users get the same chat, byte for byte, whatever id is asked for", CREATE)
def _(t):
    a, b = t.fresh("a"), t.fresh("b")
    first = t.post("CreateChat", {"user_ids": [a, b]})
    t.ok(first)
    other, _ = t.chat()
    for body in (
        {"user_ids": [a, b]},
        {"user_ids": [b, a]},
        {"user_ids": [b, a, b, a, a]},
        {"id": t.fresh("another"), "user_ids": [a, b]},
        {"id": other, "user_ids": [a, b]},
    ):
        equal(t.post("CreateChat", body).body, first.body, f"the answer to {body}")


@case("a subset or superset of a chat's users gets a chat of its own", CREATE)
def _(t):
    a, b, c = t.fresh("a"), t.fresh("b"), t.fresh("c")
    ids = {t.ok(t.post("CreateChat", {"user_ids": users}))["chat"]["id"] for users in ([a, b], [a, b, c], [a, c])}
    equal(len(ids), 3, "the number of chats")


@case("users whose ids only run together alike are other users", CREATE)
def _(t):
    tag = t.fresh("u")
    pairs = ([f"{tag}ab", "c"], [f"{tag}a", "bc"], [f"{tag}a,b", "c"], [f"{tag}a", "b", "c"])
    ids = {t.ok(t.post("CreateChat", {"user_ids": users}))["chat"]["id"] for users in pairs}
    equal(len(ids), len(pairs), "the number of chats")


@case("an id taken by a chat of other users is a conflict", CREATE, ["CHAT_ID_CONFLICT"])
def _(t):
    chat, users = t.chat()
    strangers = [t.fresh("x"), t.fresh("y")]
    got = t.error(t.post("CreateChat", {"id": chat, "user_ids": strangers}), "CHAT_ID_CONFLICT")
    for user in users:
        if user in str(got):
            raise AssertionError(f"{got} tells whose chat it is")
    t.error(t.post("CreateChat", {"id": chat, "user_ids": [*users, strangers[0]]}), "CHAT_ID_CONFLICT")
    again = t.ok(t.post("CreateChat", {"user_ids": strangers}))["chat"]
    if again["id"] == chat:
        raise AssertionError("strangers were given the chat")


@case("fewer than two distinct users are too few", CREATE, ["MISSING_USER_IDs"])
def _(t):
    for users in ([], ["a"], ["a", "a"], ["a"] * 5):
        t.error(t.post("CreateChat", {"user_ids": users}), "MISSING_USER_IDs")


@case("a chat may have 1,000 users", CREATE)
def _(t):
    tag = t.fresh("m")
    users = [f"{tag}-{n:04}" for n in range(1000)]
    got = t.ok(t.post("CreateChat", {"user_ids": users[::-1] + users[:1]}))["chat"]
    equal(got["user_ids"], users, "user_ids")
    equal(t.ok(t.post("CreateChat", {"user_ids": users}))["chat"], got, "the chat, asked for again")


@case("a chat may have 1,000 users whose ids have 255 bytes", CREATE)
def _(t):
    tag = t.fresh("m")
    users = [f"{tag}-{n:04}".ljust(255, "x") for n in range(1000)]
    equal(t.ok(t.post("CreateChat", {"user_ids": users}))["chat"]["user_ids"], users, "user_ids")


@case("a chat may not have 1,001 users", CREATE, ["INVALID_REQUEST"])
def _(t):
    users = [f"u{n}" for n in range(1001)]
    t.error(t.post("CreateChat", {"user_ids": users}), "INVALID_REQUEST", has=["user_ids", "1000"])


# name: an id that is allowed
GOOD_IDS = {
    "one byte": "x",
    "255 bytes": "x" * 255,
    "255 bytes of three each": "€" * 85,
    "255 bytes with four-byte characters": "😀" * 63 + "abc",
    "spaces": " a b ",
    "a slash, quotes and a backslash": "a/b\"c'd\\e",
    "U+00A0, after the controls": "\u00a0",
    "U+2028": "\u2028",
    "U+10FFFF": "\U0010ffff",
    "a comma and a percent sign": "a,b%20c",
}
BAD_IDS = {
    "256 bytes": "x" * 256,
    "256 bytes in 255 characters": "é" + "x" * 254,
    "U+0001": "a\u0001",
    "a newline": "a\nb",
    "U+001F": "\u001f",
    "U+007F": "a\u007fb",
    "U+0080": "\u0080",
    "U+0085": "a\u0085",
    "U+009F": "\u009f",
}


def add_good_id(name, value):
    @case(f"an id may be: {name}", CREATE + ("Chats.SendMessage", "Chats.ListMessages"))
    def _(t):
        other = t.fresh("other")
        space = [("Micro-Namespace", t.fresh("space"))]
        got = t.ok(t.post("CreateChat", {"id": value, "user_ids": [value, other]}, space))["chat"]
        equal((got["id"], set(got["user_ids"])), (value, {value, other}), "the chat")
        body = {"id": value, "chat_id": value, "author_id": value, "text": "x"}
        message = t.ok(t.post("SendMessage", body, space))["message"]
        equal({k: message[k] for k in body}, body, "the message")
        equal(t.ok(t.post("ListMessages", {"chat_id": value}, space)), {"messages": [message]}, "the list")


def add_bad_id(name, value):
    @case(f"an id may not be: {name}", CREATE + ("Chats.SendMessage", "Chats.ListMessages"), ["INVALID_REQUEST"])
    def _(t):
        chat, users = t.chat()
        send = {"chat_id": chat, "author_id": users[0], "text": "x"}
        for operation, body, field in (
            ("CreateChat", {"id": value, "user_ids": [t.fresh(), "b"]}, "id"),
            ("CreateChat", {"user_ids": ["a", "b", value]}, "user_ids"),
            ("SendMessage", {**send, "id": value}, "id"),
            ("SendMessage", {**send, "chat_id": value}, "chat_id"),
            ("SendMessage", {**send, "author_id": value}, "author_id"),
            ("ListMessages", {"chat_id": value}, "chat_id"),
        ):
            t.error(t.post(operation, body), "INVALID_REQUEST", has=f"'{field}'")
        equal(t.messages(chat), [], "the chat's messages")


for _name, _value in GOOD_IDS.items():
    add_good_id(_name, _value)
for _name, _value in BAD_IDS.items():
    add_bad_id(_name, _value)


@case("an empty user id among others is refused", CREATE, ["INVALID_REQUEST"])
def _(t):
    t.error(t.post("CreateChat", {"user_ids": ["a", "b", ""]}), "INVALID_REQUEST", has="user_ids")


@case("ids are compared as bytes: case and normal form matter", CREATE)
def _(t):
    tag, other = t.fresh("id"), t.fresh("o")
    names = [f"{tag}é", f"{tag}e\u0301", f"{tag}É", f"{tag}E"]
    ids = {t.ok(t.post("CreateChat", {"user_ids": [name, other]}))["chat"]["id"] for name in names}
    equal(len(ids), len(names), "the number of chats")


@case("two who create the same chat at once get the same chat, byte for byte", CREATE)
def _(t):
    a, b = t.fresh("a"), t.fresh("b")

    def create(n):
        users = [a, b] if n % 2 else [b, a]
        return lambda: t.post("CreateChat", {"user_ids": users}, wrapped=False)

    answers = t.at_once([create(n) for n in range(8)])
    t.ok(answers[0])
    equal({r.body for r in answers}, {answers[0].body}, "the answers")


@case("of two who want one id for different users at once, one gets it", CREATE, ["CHAT_ID_CONFLICT"])
def _(t):
    chat = t.fresh("wanted")
    pairs = [[t.fresh("a"), t.fresh("b")] for _ in range(6)]
    answers = t.at_once([lambda p=p: t.post("CreateChat", {"id": chat, "user_ids": p}, wrapped=False) for p in pairs])
    equal(sorted(r.status for r in answers), [200] + [409] * 5, "the codes")
    for answer in answers:
        if answer.status != 200:
            t.error(answer, "CHAT_ID_CONFLICT")


@case("created_at lies between the clock before and after", CREATE)
def _(t):
    def now():
        return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")

    before = now()
    created = t.ok(t.post("CreateChat", {"user_ids": [t.fresh(), t.fresh()]}))["chat"]["created_at"]
    after = now()
    if not re.fullmatch(A_TIME, created) or not before <= created[:26] <= after:
        raise AssertionError(f"{created} is not within {before} to {after}")
