"""Contract, section 3: types, lengths and sizes of bodies."""

from lib.suite import case, equal

CREATE = ("Chats.CreateChat",)
SEND = ("Chats.SendMessage",)
LIST = ("Chats.ListMessages",)
MAX_BODY = 524288

TYPES = (
    "application/json",
    "application/json; charset=utf-8",
    "Application/JSON",
    "text/plain;charset=UTF-8",
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=UTF-8",
    "application/octet-stream",
    "nonsense",
    "",
)


def add_type(content_type):
    @case(f"a JSON body of type '{content_type}' is read as JSON", LIST)
    def _(t):
        chat, _ = t.chat()
        t.ok(t.post("ListMessages", {"chat_id": chat}, [("Content-Type", content_type)]), {"messages": []})


for _type in TYPES:
    add_type(_type)


@case("a JSON body without a type is read as JSON", LIST)
def _(t):
    chat, _ = t.chat()
    t.ok(t.post("ListMessages", {"chat_id": chat}), {"messages": []})


@case("a JSON body of a form's type may begin with white space", LIST)
def _(t):
    chat, _ = t.chat()
    headers = [("Content-Type", "application/x-www-form-urlencoded")]
    t.ok(t.post("ListMessages", b' \n{"chat_id":"%s"}' % chat.encode(), headers), {"messages": []})


def add_multipart(content_type):
    @case(f"a body of type '{content_type}' is refused", CREATE, ["UNSUPPORTED_MEDIA_TYPE"])
    def _(t):
        data = b'--x\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\nc\r\n--x--\r\n'
        t.error(t.post("CreateChat", data, [("Content-Type", content_type)]), "UNSUPPORTED_MEDIA_TYPE")


for _type in ("multipart/form-data; boundary=x", "Multipart/Form-Data;boundary=x", "multipart/form-data"):
    add_multipart(_type)


@case("an empty body is an empty object", SEND + CREATE + LIST, ["MISSING_AUTHOR_ID"])
def _(t):
    for data in (b"", b"{}", b" \r\n\t", b" {} "):
        t.error(t.post("SendMessage", data), "MISSING_AUTHOR_ID")
        t.error(t.post("CreateChat", data), "MISSING_USER_IDs")
        t.error(t.post("ListMessages", data), "MISSING_CHAT_ID")


@case("a body of max_body bytes is read", LIST)
def _(t):
    chat, _ = t.chat()
    data = b'{"chat_id":"%s"}' % chat.encode()
    t.ok(t.post("ListMessages", data + b" " * (MAX_BODY - len(data))), {"messages": []})


@case("a body of one byte more than max_body is too large", LIST, ["TOO_LARGE"])
def _(t):
    data = b'{"chat_id":"c"}'
    data += b" " * (MAX_BODY + 1 - len(data))
    t.error(t.post("ListMessages", data), "TOO_LARGE", has=str(MAX_BODY))


@case("a chunked body of one byte more than max_body is too large", LIST, ["TOO_LARGE"])
def _(t):
    data = b'{"chat_id":"c"}'
    data += b" " * (MAX_BODY + 1 - len(data))
    t.error(t.post("ListMessages", data, chunked=True), "TOO_LARGE", has=str(MAX_BODY))


@case("a body of two megabytes is too large", LIST, ["TOO_LARGE"])
def _(t):
    got = t.post("ListMessages", b" " * 2000000)
    if not t.differs("body-of-two-megabytes", got):
        t.error(got, "TOO_LARGE", has=str(MAX_BODY))


@case("max_body is what chats.conf says", LIST, ["TOO_LARGE"])
def _(t):
    small = t.on("small", settings=["max_body = 2048", "max_limit = 10"])
    data = b'{"chat_id":"nowhere"}'
    small.error(small.post("ListMessages", data + b" " * (2048 - len(data))), "NOT_FOUND")
    small.error(small.post("ListMessages", data + b" " * (2049 - len(data))), "TOO_LARGE", has="2048")


@case("the size is checked before the form of a request", LIST, ["TOO_LARGE"])
def _(t):
    t.error(t.post("ListMessages", b"\xff" * (MAX_BODY + 1)), "TOO_LARGE")


@case("a chunked body is read to its end", SEND)
def _(t):
    chat, users = t.chat()
    data = {"chat_id": chat, "author_id": users[0], "text": "in chunks"}
    equal(t.ok(t.post("SendMessage", data, chunked=True))["message"]["text"], "in chunks", "the text")


@case("an empty chunked body is an empty object", SEND, ["MISSING_AUTHOR_ID"])
def _(t):
    t.error(t.post("SendMessage", b"", chunked=True), "MISSING_AUTHOR_ID")


@case("a request without a Content-Length has no body", LIST, ["MISSING_CHAT_ID"])
def _(t):
    got = t.post("ListMessages", b"", content_length=None)
    if not t.differs("no-content-length", got):
        t.error(got, "MISSING_CHAT_ID")


@case("a body shorter than its Content-Length is refused and nothing is stored", SEND, ["INVALID_REQUEST"])
def _(t):
    chat, users = t.chat()
    data = b'{"chat_id":"%s","author_id":"%s","text":"half"}' % (chat.encode(), users[0].encode())
    got = t.post("SendMessage", data, content_length=len(data) + 10)
    if not t.differs("short-body", got):
        t.error(got, "INVALID_REQUEST")
    equal(t.messages(chat), [], "the chat's messages")


@case("of a body longer than its Content-Length only what was announced is read", LIST)
def _(t):
    chat, _ = t.chat()
    data = b'{"chat_id":"%s"}' % chat.encode()
    t.ok(t.post("ListMessages", data + b"and more", content_length=len(data)), {"messages": []})


ABSURD = ("-1", "abc", "1e3", "0x10", "1.5", "12abc", "9223372036854775808", "18446744073709551617", "9" * 60)


def add_absurd(length):
    shown = length if len(length) < 30 else f"{length[:5]}…"

    @case(f"a Content-Length of {shown} is refused", LIST, ["INVALID_REQUEST", "TOO_LARGE"])
    def _(t):
        got = t.post("ListMessages", b'{"chat_id":"c"}', content_length=length)
        if not t.differs("absurd-content-length", got):
            t.error(got, "TOO_LARGE" if length.isdigit() else "INVALID_REQUEST")


for _length in ABSURD:
    add_absurd(_length)
