"""Contract, section 6: who may do what, cell by cell of access_table, and that nothing crosses from one to another."""

import time

from cases import access_table
from lib import accounts
from lib.accounts import bearer, space
from lib.suite import case, equal

HOME, AWAY = "site", "elsewhere"  # namespaces
SECRET = "a secret of everybody"


class Cast:
    """The accounts, tokens and chats of one home that the table speaks of."""

    def __init__(self, t):
        self.t, self.build, self.home = t, t.lane.build, t.variant.home
        for name, kind, where in (
            ("shop", "service", HOME),
            ("ann", "user", HOME),
            ("bob", "user", HOME),
            ("cyd", "user", HOME),
            ("dan", "user", HOME),
            ("eve", "user", HOME),
            ("mia", "user", AWAY),
            ("market", "service", AWAY),
        ):
            accounts.add(self.build, self.home, name, SECRET, kind, where)
        expired = self.token("ann", expiry=1)
        began = time.monotonic()
        self.tokens = {
            "service": self.token("shop"),
            "member": self.token("ann"),
            "other": self.token("eve"),
            "stranger": self.token("mia", AWAY),
            "foreign": self.token("market", AWAY),
            "revoked": self.token("ann"),
            "expired": expired,
            "garbage": "chats_" + "A" * 43,
            "none": None,
        }
        accounts.chatsctl(self.build, self.home, "token", "revoke", stdin=self.tokens["revoked"])
        self.chats = {"own": self.chat("ann", "bob"), "foreign": self.chat("cyd", "dan"), "no such": "no such chat"}
        time.sleep(max(0.0, began + 1.1 - time.monotonic()))

    def token(self, name, namespace=HOME, expiry=3600):
        return accounts.issue(self.build, self.home, name, namespace, expiry)

    def chat(self, *users):
        headers = bearer(self.tokens["service"])
        return self.t.ok(self.t.post("CreateChat", {"user_ids": users}, headers, wrapped=False))["chat"]["id"]

    def account(self, target):
        """A new account where the target says, or just a name."""
        name = self.t.fresh("new")
        if target != "no such":
            caller = "service" if target == "own" else "foreign"
            body = {"id": name, "secret": SECRET}
            self.t.ok(self.t.auth("Auth/Generate", body, bearer(self.tokens[caller]), wrapped=False))
        return name

    def held(self, target):
        """A new token of an account where the target says, or garbage."""
        return {"own": lambda: self.token("eve"), "foreign": lambda: self.token("mia", AWAY)}.get(
            target, lambda: "chats_nonsense"
        )()


def cast_of(t, auth):
    """(the Tester of that home, its Cast), made by the first case that asks."""
    name = f"access-{auth}"
    there = t.on(name, auth=auth, settings=accounts.CHEAP)
    if name not in t.lane.kept:
        t.lane.kept[name] = Cast(there)
    return there, t.lane.kept[name]


# What each operation is asked for, by target; `acts` is the author that a caller who may act for others names.
def create(cast, caller, target):
    users = {"own": ["ann", "bob"], "foreign": ["cyd", "dan"]}.get(target, ["ann", cast.t.fresh("new")])
    return {"user_ids": users}


def send(cast, caller, target):
    acts = {"author_id": "ann"} if caller not in ("member", "other", "stranger") else {}
    return {"chat_id": cast.chats[target], "text": "hello", **acts}


BODIES = {
    "Chats.CreateChat": create,
    "Chats.SendMessage": send,
    "Chats.ListMessages": lambda cast, caller, target: {"chat_id": cast.chats[target]},
    "Chats.Health": lambda cast, caller, target: {},
    "Chats.Metrics": lambda cast, caller, target: {},
    "Auth.Token": lambda cast, caller, target: {
        "id": {"own": "bob", "foreign": "cyd", "no such": "nobody"}[target],
        "secret": SECRET if target == "own" else "the secret of another",
    },
    "Auth.Inspect": lambda cast, caller, target: {"token": cast.held(target)},
    "Auth.Revoke": lambda cast, caller, target: {"token": cast.held(target)},
    "Auth.Generate": lambda cast, caller, target: {"id": cast.account(target), "secret": SECRET},
    "Accounts.List": lambda cast, caller, target: {},
    "Accounts.Delete": lambda cast, caller, target: {"id": cast.account(target)},
    "Accounts.ChangeSecret": lambda cast, caller, target: {
        "id": {"own": "ann", "foreign": "cyd", "no such": "nobody"}[target],
        "old_secret": SECRET,
        "new_secret": SECRET,
    },
}


def call_cell(there, cast, operation, caller, target):
    """The answer to one cell's call."""
    service, name = operation.split(".")
    mount = "/chats" if service == "Chats" else "/auth"
    body = BODIES[operation](cast, caller, target)
    headers = space(HOME) + bearer(cast.tokens[caller])
    wrapped = caller == "member" and target == "own"  # under valgrind all cells would take an hour
    return there.call("POST", f"{mount}/{service}/{name}", body, headers, wrapped=wrapped)


def add_row(operation, auth, row):
    statuses = {status for cells in row.values() for status in cells.values()} - {200}

    @case(
        f"who may call {operation} where auth is {auth}: every cell of the table",
        [operation],
        sorted(access_table.IDS[status] for status in statuses),
    )
    def _(t):
        there, cast = cast_of(t, auth)
        troubles = []
        for caller in access_table.CALLERS:
            for target in access_table.TARGETS:
                got = call_cell(there, cast, operation, caller, target)
                try:
                    if row[caller][target] == 200:
                        there.good(got)
                    else:
                        of_account = operation == "Accounts.Delete" and row[caller][target] == 404
                        detail = "Account not found" if of_account else None
                        there.error(got, access_table.IDS[row[caller][target]], detail)
                except AssertionError as error:
                    troubles.append(f"{caller}, {target}: {error}")
                if operation == "Accounts.ChangeSecret" and got.status == 200:
                    cast.tokens["member"] = cast.token("ann")  # all of its tokens are revoked
        equal(troubles, [], "what is not as the table says")


for (_operation, _auth), _row in access_table.rows().items():
    add_row(_operation, _auth, _row)


@case("a chat that one may not see and one that does not exist answer with the same bytes", ["Chats.ListMessages"], ["NOT_FOUND"])
def _(t):
    there, cast = cast_of(t, "required")
    for operation in ("Chats.ListMessages", "Chats.SendMessage"):
        for caller in ("member", "other", "stranger"):
            hidden = call_cell(there, cast, operation, caller, "foreign")
            missing = call_cell(there, cast, operation, caller, "no such")
            there.error(hidden, "NOT_FOUND")
            equal((hidden.status, hidden.body), (missing.status, missing.body), f"what {caller} gets")


@case("a user acts as itself only, and need not say who it is", ["Chats.SendMessage", "Chats.CreateChat"], ["FORBIDDEN"])
def _(t):
    there, cast = cast_of(t, "required")
    headers = bearer(cast.tokens["member"])
    chat = cast.chats["own"]
    sent = there.ok(there.post("SendMessage", {"chat_id": chat, "text": "it is me"}, headers))["message"]
    equal(sent["author_id"], "ann", "the author")
    sent = there.ok(there.post("SendMessage", {"chat_id": chat, "author_id": "ann", "text": "me"}, headers))["message"]
    equal(sent["author_id"], "ann", "the author")
    there.error(there.post("SendMessage", {"chat_id": chat, "author_id": "bob", "text": "not me"}, headers), "FORBIDDEN")
    there.error(there.post("CreateChat", {"user_ids": ["bob", "cyd"]}, headers), "FORBIDDEN", has="user_ids")
    listed = there.ok(there.post("ListMessages", {"chat_id": chat}, headers))["messages"]
    equal([m["text"] for m in listed if m["text"] == "not me"], [], "what was not stored")


@case("a service writes as anybody in any chat of its namespace", ["Chats.SendMessage"], ["MISSING_AUTHOR_ID"])
def _(t):
    there, cast = cast_of(t, "required")
    headers = bearer(cast.tokens["service"])
    body = {"chat_id": cast.chats["foreign"], "text": "from the site"}
    there.error(there.post("SendMessage", body, headers), "MISSING_AUTHOR_ID")
    sent = there.ok(there.post("SendMessage", {**body, "author_id": "the site"}, headers))["message"]
    equal(sent["author_id"], "the site", "the author")


@case("a token's namespace holds whatever the header says", ["Chats.CreateChat", "Chats.ListMessages", "Auth.Inspect"], ["NOT_FOUND"])
def _(t):
    there, cast = cast_of(t, "open")
    mia = bearer(cast.tokens["stranger"])
    chat = there.ok(there.post("CreateChat", {"user_ids": ["mia", "ann"]}, mia + space(HOME)))["chat"]["id"]
    there.ok(there.post("ListMessages", {"chat_id": chat}, mia + space("micro")))
    there.ok(there.post("ListMessages", {"chat_id": chat}, space(AWAY)))
    there.error(there.post("ListMessages", {"chat_id": chat}, space(HOME)), "NOT_FOUND")
    there.error(there.post("ListMessages", {"chat_id": chat}, bearer(cast.tokens["member"])), "NOT_FOUND")
    account = {"id": "mia", "type": "user", "issuer": AWAY}
    there.ok(there.auth("Auth/Inspect", {"token": cast.tokens["stranger"]}, space(HOME)), {"account": account})


@case("two namespaces with the same ids of chats, messages and accounts never see each other", ["Chats.ListMessages", "Accounts.List"], ["UNAUTHORIZED"])
def _(t):
    there = t.on("twins", auth="required", settings=accounts.CHEAP)
    spaces = ("one", "two")
    tokens, secrets, listed = {}, {}, {}
    for space_name in spaces:
        accounts.add(t.lane.build, there.variant.home, "shop", f"{space_name} secret", "service", space_name)
        service = bearer(accounts.issue(t.lane.build, there.variant.home, "shop", space_name))
        secrets[space_name] = f"secret of jane in {space_name}"
        there.ok(there.auth("Auth/Generate", {"id": "jane", "secret": secrets[space_name]}, service))
        login = {"id": "jane", "secret": secrets[space_name], "options": {"namespace": space_name}}
        tokens[space_name] = there.ok(there.auth("Auth/Token", login))["token"]["access_token"]
        jane = bearer(tokens[space_name])
        chat = there.ok(there.post("CreateChat", {"id": "chat", "user_ids": ["jane", "john"]}, jane))["chat"]
        equal(chat["id"], "chat", "the chat's id")
        there.ok(there.post("SendMessage", {"id": "m", "chat_id": "chat", "text": f"in {space_name}"}, jane))
        listed[space_name] = there.ok(there.auth("Accounts/List", {}, service))["accounts"]
    for space_name in spaces:
        got = there.ok(there.post("ListMessages", {"chat_id": "chat"}, bearer(tokens[space_name])))["messages"]
        equal([m["text"] for m in got], [f"in {space_name}"], f"what jane of {space_name} sees")
        equal({a["issuer"] for a in listed[space_name]}, {space_name}, "the issuers of the accounts listed")
        equal(sorted(a["id"] for a in listed[space_name]), ["jane", "shop"], "the accounts listed")
    crossed = {"id": "jane", "secret": secrets["one"], "options": {"namespace": "two"}}
    there.error(there.auth("Auth/Token", crossed), "UNAUTHORIZED")


# Every pair of these lists would be one, were members or keys joined with what stands in them.
NASTY = (
    ["a-b", "c"],
    ["a", "b-c"],
    ["a:b", "c"],
    ["a", "b:c"],
    ["a/b", "c"],
    ["a", "b/c"],
    ["a b", "c"],
    ["a", "b c"],
    ["a,b", "c"],
    ["a", "b,c"],
    ["😀-😁", "😂"],
    ["😀", "😁-😂"],
    ["😀:", ":😂"],
    ["😀::", "😂"],
    ["a", "-", "b"],
    ["a-", "-b"],
    ["a--", "b"],
)


@case("ids full of separators and four-byte characters do not collide", ["Chats.CreateChat", "Chats.SendMessage", "Auth.Token"])
def _(t):
    there, cast = cast_of(t, "required")
    service = bearer(cast.tokens["service"])
    ids = {}
    for users in NASTY:
        chat = there.ok(there.post("CreateChat", {"user_ids": users}, service, wrapped=False))["chat"]
        equal(chat["user_ids"], sorted(users, key=lambda u: u.encode()), "the members")
        ids[tuple(users)] = chat["id"]
    equal(len(set(ids.values())), len(NASTY), "the number of chats")
    pairs = [(f"{t.fresh('k')}:{i}", f"{i}/-: 😀") for i in range(3)]
    for chat, message in pairs:
        there.ok(there.post("CreateChat", {"id": chat, "user_ids": [chat, "x"]}, service, wrapped=False))
        body = {"id": message, "chat_id": chat, "author_id": "x", "text": f"{chat}|{message}"}
        there.ok(there.post("SendMessage", body, service, wrapped=False))
    for chat, message in pairs:
        got = there.ok(there.post("ListMessages", {"chat_id": chat}, service, wrapped=False))["messages"]
        equal([(m["id"], m["text"]) for m in got], [(message, f"{chat}|{message}")], "the chat's messages")
    # A namespace and an account that run together alike.
    for space_name, account in (("ns-a", "b-c"), ("ns-a-b", "c"), ("ns", "a-b-c"), ("ns😀", "/: "), ("ns", "😀/: ")):
        accounts.add(t.lane.build, there.variant.home, account, f"{space_name}|{account}", "user", space_name)
        login = {"id": account, "secret": f"{space_name}|{account}", "options": {"namespace": space_name}}
        token = there.ok(there.auth("Auth/Token", login, wrapped=False))["token"]["access_token"]
        inspected = there.ok(there.auth("Auth/Inspect", {"token": token}, wrapped=False))
        equal(inspected, {"account": {"id": account, "type": "user", "issuer": space_name}}, "the account")
