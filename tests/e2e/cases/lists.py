"""Contract, section 5: Chats.ListMessages."""

from itertools import product

from lib.suite import case, equal

LIST = ("Chats.ListMessages",)


def filled(t, count):
    """(chat, users, its messages oldest first)."""
    chat, users = t.chat()
    return chat, users, [t.send(chat, users[n % 2], f"message {n}") for n in range(count)]


@case("a chat without messages lists none", LIST)
def _(t):
    chat, _ = t.chat()
    equal(t.post("ListMessages", {"chat_id": chat}).body, b'{"messages":[]}', "the answer")
    for query in ({"order": "asc"}, {"offset": 5}, {"sent_before": "2100-01-01T00:00:00Z"}):
        equal(t.messages(chat, **query), [], f"the messages by {query}")


@case("messages are listed newest first, unless asked for oldest first", LIST)
def _(t):
    chat, _, sent = filled(t, 5)
    for order in ("desc", "", None):
        equal(t.messages(chat, order=order), sent[::-1], f"the order {order!r}")
    equal(t.messages(chat), sent[::-1], "the order by default")
    equal(t.messages(chat, order="asc"), sent, "the order asc")


@case("an order that is neither is refused", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    for order in ("ASC", "Desc", "ascending", "up", " ", "asc "):
        t.error(t.post("ListMessages", {"chat_id": chat, "order": order}), "INVALID_REQUEST", has="order")


@case("a page has 25 messages unless a limit says otherwise", LIST)
def _(t):
    chat, _, sent = filled(t, 27)
    newest = sent[::-1]
    for query, count in (
        ({}, 25),
        ({"limit": 0}, 25),
        ({"limit": "0"}, 25),
        ({"limit": None}, 25),
        ({"limit": 1}, 1),
        ({"limit": 26}, 26),
        ({"limit": 27}, 27),
        ({"limit": 1000}, 27),
        ({"limit": "1000"}, 27),
    ):
        equal(t.messages(chat, **query), newest[:count], f"the page by {query}")


@case("a limit of 1,001 or below 0 is refused", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    for limit in (1001, "1001", -1, "-1", 9223372036854775807, -9223372036854775808):
        t.error(t.post("ListMessages", {"chat_id": chat, "limit": limit}), "INVALID_REQUEST", has=["limit", "1000"])


@case("max_limit is what chats.conf says", LIST, ["INVALID_REQUEST"])
def _(t):
    small = t.on("small", settings=["max_body = 2048", "max_limit = 10"])
    chat, users = small.chat()
    for n in range(12):
        small.send(chat, users[0], str(n))
    equal(len(small.messages(chat, limit=10)), 10, "the number of messages")
    small.error(small.post("ListMessages", {"chat_id": chat, "limit": 11}), "INVALID_REQUEST", has=["limit", "10"])


@case("an offset below 0 is refused", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    for offset in (-1, "-1", -9223372036854775808):
        t.error(t.post("ListMessages", {"chat_id": chat, "offset": offset}), "INVALID_REQUEST", has="offset")


@case("an offset counts from the end that the order starts at", LIST)
def _(t):
    chat, _, sent = filled(t, 10)
    for order, whole in (("desc", sent[::-1]), ("asc", sent)):
        for offset in (0, 1, 5, 9, 10, 11, 1000000):
            got = t.messages(chat, order=order, offset=offset, limit=3)
            equal(got, whole[offset : offset + 3], f"{order} from {offset}")


@case("pages by offset, put together, are the chat, in both directions", LIST)
def _(t):
    chat, _, sent = filled(t, 23)
    for order, whole in (("desc", sent[::-1]), ("asc", sent)):
        pages, page = [], None
        while page is None or page:
            page = t.messages(chat, order=order, offset=len(pages), limit=7)
            pages += page
        equal(pages, whole, f"the pages, {order}")


@case("pages by time go back without gaps or repeats while others write", LIST)
def _(t):
    chat, users, sent = filled(t, 20)
    pages = t.messages(chat, limit=6)
    while page := t.messages(chat, limit=6, sent_before=pages[-1]["sent_at"]):
        pages += page
        t.send(chat, users[0], "a newer one")
    equal(pages, sent[::-1], "the pages")


@case("pages by time go forward without gaps or repeats while others write", LIST)
def _(t):
    chat, users, sent = filled(t, 14)
    late = [t.fresh("late") for _ in range(4)]
    pages = t.messages(chat, limit=6, order="asc")
    while page := t.messages(chat, limit=6, order="asc", sent_after=pages[-1]["sent_at"]):
        pages += page
        if late:
            sent.append(t.send(chat, users[0], late.pop()))
    equal(pages, sent, "the pages")


@case("sent_before and sent_after are exclusive, alone and together, with order, offset and limit", LIST)
def _(t):
    chat, _, sent = filled(t, 9)
    times = [m["sent_at"] for m in sent]
    for low, high in ((None, 4), (4, None), (2, 6), (3, 4), (6, 2), (4, 4), (0, 8), (8, None), (None, 0)):
        window = sent[0 if low is None else low + 1 : 9 if high is None else high]
        query = {}
        if low is not None:
            query["sent_after"] = times[low]
        if high is not None:
            query["sent_before"] = times[high]
        equal(t.messages(chat, **query), window[::-1], f"newest first, {low} to {high}")
        equal(t.messages(chat, order="asc", **query), window, f"oldest first, {low} to {high}")
        equal(t.messages(chat, offset=1, limit=2, **query), window[::-1][1:3], f"a page, {low} to {high}")
        equal(t.messages(chat, order="asc", offset=1, limit=2, **query), window[1:3], f"a page, asc, {low} to {high}")


@case("a time finer than nanoseconds is before the next nanosecond and after its own", LIST)
def _(t):
    chat, _, sent = filled(t, 3)
    for at, rest, before, after in (
        (1, "0", sent[:1], sent[2:]),
        (1, "000", sent[:1], sent[2:]),
        (1, "1", sent[:2], sent[2:]),
        (1, "0000000001", sent[:2], sent[2:]),
        (2, "9", sent, []),
    ):
        time = f"{sent[at]['sent_at'][:-1]}{rest}Z"
        equal(t.messages(chat, order="asc", sent_before=time), before, f"the messages before {time}")
        equal(t.messages(chat, order="asc", sent_after=time), after, f"the messages after {time}")


@case("a time is any RFC 3339 time", LIST)
def _(t):
    chat, _, sent = filled(t, 1)
    for early in (
        "2001-02-03T04:05:06Z",
        "2001-02-03t04:05:06z",
        "2001-02-03T04:05:06.7Z",
        "2001-02-03T04:05:06.123456789Z",
        "2001-02-03T04:05:06+01:00",
        "2001-02-03T04:05:06-23:59",
        "2000-02-29T23:59:59.999999999+00:00",
        "1998-12-31T23:59:60Z",
        "1969-12-31T23:59:59Z",
        "0001-01-01T00:00:00Z",
        "2001-02-03T04:05:06.1234567890Z",
        "2001-02-03T04:05:06." + "9" * 40 + "Z",
    ):
        equal(t.messages(chat, sent_after=early), sent, f"the messages after {early}")
        equal(t.messages(chat, sent_before=early), [], f"the messages before {early}")
    equal(t.messages(chat, sent_before="9999-12-31T23:59:59Z"), sent, "the messages before the end")
    equal(t.messages(chat, sent_after="9999-12-31T23:59:59Z"), [], "the messages after the end")
    stamp = sent[0]["sent_at"]
    hour = int(stamp[11:13])
    if hour < 23:
        shifted = f"{stamp[:11]}{hour + 1:02}{stamp[13:-1]}+01:00"
        equal(t.messages(chat, sent_before=shifted), [], f"the messages before {shifted}, which is {stamp}")


BAD_TIMES = (
    "yesterday",
    "2026-11-23",
    "2026-11-23T00:26:47",
    "2026-11-23 00:26:47Z",
    "2026-11-23T00:26Z",
    "2026-11-23T00:26:47.Z",
    "2026-11-23T00:26:47.0420000011",
    "",
    "2026-11-23T00:26:47+0100",
    "2026-11-23T00:26:47+24:00",
    "2026-11-23T24:00:00Z",
    "2026-11-23T00:60:00Z",
    "2026-11-23T00:00:61Z",
    "2026-11-23T12:00:60Z",
    "2026-02-29T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-13-10T00:00:00Z",
    "2026-11-31T00:00:00Z",
    "26-11-23T00:26:47Z",
    "+2026-11-23T00:26:47Z",
    "2026-11-23T00:26:47Z ",
    "1700000000",
)


@case("a time that is not RFC 3339 is refused", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    for time, name in product(BAD_TIMES, ("sent_before", "sent_after")):
        try:
            t.error(t.post("ListMessages", {"chat_id": chat, name: time}), "INVALID_REQUEST", has=name)
        except AssertionError as e:
            raise AssertionError(f"{name} {time!r}: {e}") from None


@case("an empty time is refused in a form and in a query as well", LIST, ["INVALID_REQUEST"])
def _(t):
    chat, _ = t.chat()
    for name in ("sent_before", "sent_after"):
        form = [("Content-Type", "application/x-www-form-urlencoded")]
        t.error(t.post("ListMessages", f"chat_id={chat}&{name}=".encode(), form), "INVALID_REQUEST", has=name)
        t.error(t.get(f"ListMessages?chat_id={chat}&{name}="), "INVALID_REQUEST", has=name)
        t.error(t.post(f"ListMessages?{name}=", {"chat_id": chat}), "INVALID_REQUEST", has=name)


@case("the messages of a chat that is not there are not found", LIST, ["NOT_FOUND"])
def _(t):
    t.error(t.post("ListMessages", {"chat_id": "nowhere"}), "NOT_FOUND")
