"""Contract, section 5: Chats.SendMessage."""

from lib.suite import A_TIME, A_UUID, case, equal

SEND = ("Chats.SendMessage",)


@case("a message is answered with its fields, an id and its time", SEND)
def _(t):
    chat, users = t.chat()
    body = {"author_id": users[0], "chat_id": chat, "text": "hello"}
    for extra in ({}, {"id": None}, {"id": ""}):
        t.ok(t.post("SendMessage", {**body, **extra}), {"message": {"id": A_UUID, **body, "sent_at": A_TIME}})
    t.ok(t.post("SendMessage", {"id": "mine", **body}), {"message": {"id": "mine", **body, "sent_at": A_TIME}})


@case("a repeated send is answered with the first, byte for byte, and stored once", SEND)
def _(t):
    chat, users = t.chat()
    body = {"id": "once", "chat_id": chat, "author_id": users[0], "text": 'a "quoted" \\ text\n😀'}
    first = t.post("SendMessage", body)
    t.ok(first)
    for _ in range(3):
        again = t.post("SendMessage", body)
        equal((again.status, again.body), (200, first.body), "the repeated answer")
    t.send(chat, users[1], "in between")
    equal(t.post("SendMessage", body).body, first.body, "the answer after another message")
    equal(t.post("CreateMessage", body).body, first.body, "the answer by the other name")
    equal([m["id"] for m in t.messages(chat)][1:], ["once"], "the ids stored")


@case("a repeated send with another text is a conflict", SEND, ["MESSAGE_ID_CONFLICT"])
def _(t):
    chat, users = t.chat()
    stored = t.send(chat, users[0], "one", id="m")
    for text in ("two", "One", "one ", "on", "one\n"):
        body = {"id": "m", "chat_id": chat, "author_id": users[0], "text": text}
        t.error(t.post("SendMessage", body), "MESSAGE_ID_CONFLICT")
    equal(t.messages(chat), [stored], "what is stored")


@case("a repeated send by another author is a conflict", SEND, ["MESSAGE_ID_CONFLICT"])
def _(t):
    chat, users = t.chat()
    stored = t.send(chat, users[0], "one", id="m")
    body = {"id": "m", "chat_id": chat, "author_id": users[1], "text": "one"}
    t.error(t.post("SendMessage", body), "MESSAGE_ID_CONFLICT")
    equal(t.messages(chat), [stored], "what is stored")


@case("message ids are scoped to their chat", SEND)
def _(t):
    (one, users), (two, others) = t.chat(), t.chat()
    first = t.send(one, users[0], "in one", id="same")
    second = t.send(two, others[0], "in two", id="same")
    equal((t.messages(one), t.messages(two)), ([first], [second]), "what is stored")


@case("the same text sent twice without an id is two messages", SEND)
def _(t):
    chat, users = t.chat()
    ids = {t.send(chat, users[0], "again")["id"] for _ in range(2)}
    equal(len(ids), 2, "the number of ids")
    equal(len(t.messages(chat)), 2, "the number of messages")


@case("one message sent by many at once is stored once, and all get the same bytes", SEND)
def _(t):
    chat, users = t.chat()
    body = {"id": "once", "chat_id": chat, "author_id": users[0], "text": "at once"}
    answers = t.at_once([lambda: t.post("SendMessage", body, wrapped=False) for _ in range(8)])
    t.ok(answers[0])
    equal({r.body for r in answers}, {answers[0].body}, "the answers")
    equal(len(t.messages(chat)), 1, "the number of messages")


@case("sent_at strictly increases within a chat, whoever sends", SEND)
def _(t):
    chat, users = t.chat()

    def sender(n):
        return lambda: [t.send(chat, users[n % 2], f"{n}.{i}") for i in range(5)]

    answered = [m for sent in t.at_once([sender(n) for n in range(6)]) for m in sent]
    stored = t.messages(chat, order="asc", limit=100)
    equal(len(stored), 30, "the number of messages")
    times = [m["sent_at"] for m in stored]
    equal(times, sorted(set(times)), "the times")
    equal(stored, sorted(answered, key=lambda m: m["sent_at"]), "what is stored, in order")
    for n in range(6):
        own = [m["text"] for m in stored if m["text"].startswith(f"{n}.")]
        equal(own, [f"{n}.{i}" for i in range(5)], "one sender's order")


@case("a message to a chat that is not there is not found", SEND, ["NOT_FOUND"])
def _(t):
    t.error(t.post("SendMessage", {"chat_id": "nowhere", "author_id": "a", "text": "x"}), "NOT_FOUND")


# name: (text, sent as)
TEXTS = {
    "one byte": ("x", None),
    "a space": (" ", None),
    "a line of white space": ("\t\r\n ", None),
    "four-byte characters": ("😀🚀𝄞 \U0010ffff", None),
    "controls, all escaped": ("".join(map(chr, range(1, 32))) + "\x7f\x85", None),
    "JSON's own characters": ('{"a":["b\\"]}', None),
    "markup": ("<script>alert('&amp;')</script>\u2028", None),
    "65,536 bytes": ("x" * 65536, None),
    "65,536 bytes of quotes, all escaped": ('"' * 65536, None),
    "65,536 bytes of four-byte characters": ("😀" * 16384, None),
    "65,536 bytes, every character escaped": ("x" * 65536, b"\\u0078" * 65536),
    "65,536 control characters, escaped": ("\x01" * 65536, b"\\u0001" * 65536),
    "65,536 bytes of surrogate pairs": ("😀" * 16384, b"\\ud83d\\ude00" * 16384),
}


def add_text(name, text, escaped):
    @case(f"a text may be: {name}", SEND + ("Chats.ListMessages",))
    def _(t):
        chat, users = t.chat()
        body = {"id": "m", "chat_id": chat, "author_id": users[0], "text": text}
        data = body
        if escaped is not None:
            fields = f'{{"id":"m","chat_id":"{chat}","author_id":"{users[0]}","text":"'
            data = fields.encode() + escaped + b'"}'
        message = t.ok(t.post("SendMessage", data))["message"]
        equal(message["text"], text, "the text answered")
        t.ok(t.post("ListMessages", {"chat_id": chat}), {"messages": [message]})
        equal(t.ok(t.post("SendMessage", body))["message"], message, "the message, sent again unescaped")


for _name, (_text, _escaped) in TEXTS.items():
    add_text(_name, _text, _escaped)


@case("a text may not have 65,537 bytes", SEND, ["INVALID_REQUEST"])
def _(t):
    chat, users = t.chat()
    for text in ("x" * 65537, "😀" * 16384 + "x", "é" * 32769):
        body = {"chat_id": chat, "author_id": users[0], "text": text}
        t.error(t.post("SendMessage", body), "INVALID_REQUEST", has=["text", "65536"])
    equal(t.messages(chat), [], "what is stored")


@case("an author need not be a member where a service calls", SEND)
def _(t):
    chat, _ = t.chat()
    equal(t.send(chat, "somebody else", "hello")["author_id"], "somebody else", "the author")


@case("the answers to large requests arrive whole, every time", SEND)
def _(t):
    chat, users = t.chat()
    body = {"id": "m", "chat_id": chat, "author_id": users[0], "text": "x" * 65536}
    first = t.post("SendMessage", body, wrapped=False)
    t.ok(first)
    for _ in range(60):  # a worker that hangs up too early loses some of them, not all
        again = t.post("SendMessage", body, wrapped=False)
        equal((again.complete, again.body), (True, first.body), "the answer")
