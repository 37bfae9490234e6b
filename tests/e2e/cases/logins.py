"""Contract, section 6: Auth.Token, Auth.Inspect, Auth.Revoke, and how guessing is slowed down."""

import re
import time

from lib import accounts, server
from lib.accounts import bearer, space
from lib.suite import case, equal, same

TOKEN = ("Auth.Token",)
A_TOKEN = re.compile(r"chats_[A-Za-z0-9_-]{43}")
A_SECOND = re.compile(r"[1-9][0-9]{9,10}")
SECRET = "correct horse battery staple"


def where(t):
    """The Tester of a home with a service "shop", in the namespace micro."""
    there = t.on("logins", auth="required", settings=(*accounts.CHEAP, "trusted_proxies = 127.0.0.1"))
    if "logins" not in t.lane.kept:
        accounts.add(t.lane.build, there.variant.home, "shop", SECRET, "service")
        t.lane.kept["logins"] = accounts.issue(t.lane.build, there.variant.home, "shop")
    return there, bearer(t.lane.kept["logins"])


def user(there, service):
    """A new user with SECRET."""
    name = there.fresh("user")
    there.ok(there.auth("Auth/Generate", {"id": name, "secret": SECRET}, service, wrapped=False))
    return name


def login(there, name, **more):
    return there.ok(there.auth("Auth/Token", {"id": name, "secret": SECRET, **more}))["token"]


def check_pair(token, expiry_s):
    same(token, {"access_token": A_TOKEN, "refresh_token": A_TOKEN, "created": A_SECOND, "expiry": A_SECOND}, "token")
    equal(int(token["expiry"]) - int(token["created"]), expiry_s, "the token's life")
    if abs(int(token["created"]) - time.time()) > 60:
        raise AssertionError(f"created is {token['created']}")


@case("the right secret gets an access token of 15 minutes and a refresh token", TOKEN)
def _(t):
    there, service = where(t)
    name = user(there, service)
    token = login(there, name)
    check_pair(token, 900)
    inspected = there.ok(there.auth("Auth/Inspect", {"token": token["access_token"]}))
    equal(inspected, {"account": {"id": name, "type": "user", "issuer": "micro"}}, "the account")
    there.ok(there.post("CreateChat", {"user_ids": [name, "b"]}, bearer(token["access_token"])))


@case("token_expiry gives an access token up to 30 days", TOKEN, ["INVALID_REQUEST"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    for asked in (1, "60", 2592000):
        check_pair(login(there, name, token_expiry=asked), int(asked))
    check_pair(login(there, name, tokenExpiry=7), 7)
    for asked in (0, -1, 2592001):
        body = {"id": name, "secret": SECRET, "token_expiry": asked}
        there.error(there.auth("Auth/Token", body), "INVALID_REQUEST", has="token_expiry")


@case("an access token ends when it expires", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    token = login(there, name, token_expiry=1)["access_token"]
    time.sleep(1.1)
    there.error(there.post("CreateChat", {"user_ids": [name, "b"]}, bearer(token)), "UNAUTHORIZED", has="expired")
    there.error(there.auth("Auth/Inspect", {"token": token}), "UNAUTHORIZED")


@case("a form logs in like JSON", TOKEN)
def _(t):
    there, service = where(t)
    name = user(there, service)
    form = [("Content-Type", "application/x-www-form-urlencoded")]
    data = f"id={name}&secret={SECRET.replace(' ', '+')}&options.namespace=micro".encode()
    check_pair(there.ok(there.auth("Auth/Token", data, form))["token"], 900)


@case("the namespace of a login is options.namespace, else the header's, else micro", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, _ = where(t)
    name, other = t.fresh("both"), t.fresh("space")
    accounts.add(t.lane.build, there.variant.home, name, "secret in micro")
    accounts.add(t.lane.build, there.variant.home, name, "secret in other", "user", other)
    for headers, options, issuer in (
        ([], {}, "micro"),
        (space(other), {}, other),
        (space("micro"), {"options": {"namespace": other}}, other),
        (space(other), {"options": {"namespace": "micro"}}, "micro"),
        (space(other), {"options": {}}, other),
        (space(other), {"options": None}, other),
    ):
        right, wrong = ("secret in micro", "secret in other")[:: 1 if issuer == "micro" else -1]
        token = there.ok(there.auth("Auth/Token", {"id": name, "secret": right, **options}, headers))["token"]
        inspected = there.ok(there.auth("Auth/Inspect", {"token": token["access_token"]}))
        equal(inspected["account"]["issuer"], issuer, "the issuer")
        got = there.auth("Auth/Token", {"id": name, "secret": wrong, **options}, headers)
        there.error(got, "UNAUTHORIZED", "id or secret is wrong")


@case("an unknown account and a wrong secret get the same bytes", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    name, site_made = user(there, service), t.fresh("site-made")
    there.ok(there.auth("Auth/Token", {"id": site_made}, service))
    answers = set()
    for body in (
        {"id": name, "secret": "wrong"},
        {"id": name, "secret": SECRET + " "},
        {"id": t.fresh("nobody"), "secret": SECRET},
        {"id": site_made, "secret": SECRET},
    ):
        got = there.auth("Auth/Token", body)
        there.error(got, "UNAUTHORIZED", "id or secret is wrong")
        answers.add(got.body)
    equal(len(answers), 1, "the number of different answers")


@case("a refresh token works once, and its second use ends all tokens of that login", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    first, other_login = login(there, name), login(there, name)
    # The header's namespace does not count: a token was issued in one.
    headers = space("another")
    second = there.ok(there.auth("Auth/Token", {"refresh_token": first["refresh_token"]}, headers))["token"]
    check_pair(second, 900)
    equal(len({first["access_token"], second["access_token"], first["refresh_token"], second["refresh_token"]}), 4, "tokens")
    there.ok(there.auth("Auth/Inspect", {"token": second["access_token"]}))
    body = {"refresh_token": first["refresh_token"]}
    there.error(there.auth("Auth/Token", body), "UNAUTHORIZED", has="used before")
    for token in (first["access_token"], second["access_token"]):
        there.error(there.auth("Auth/Inspect", {"token": token}), "UNAUTHORIZED")
    there.error(there.auth("Auth/Token", {"refresh_token": second["refresh_token"]}), "UNAUTHORIZED")
    there.ok(there.auth("Auth/Inspect", {"token": other_login["access_token"]}))


@case("of one refresh token used by many at once one gets a pair at most", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    token = login(there, user(there, service))
    body = {"refresh_token": token["refresh_token"]}
    answers = there.at_once([lambda: there.auth("Auth/Token", body, wrapped=False)] * 8)
    equal(sum(a.status == 200 for a in answers), 1, "the number of pairs")
    for answer in answers:
        if answer.status == 200:
            pair = there.ok(answer)["token"]
            there.error(there.auth("Auth/Inspect", {"token": pair["access_token"]}), "UNAUTHORIZED")
        else:
            there.error(answer, "UNAUTHORIZED")


@case("a refresh token is no access token, and an access token no refresh token", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    token = login(there, user(there, service))
    there.error(there.auth("Auth/Inspect", {"token": token["refresh_token"]}), "UNAUTHORIZED")
    got = there.post("CreateChat", {"user_ids": ["a", "b"]}, bearer(token["refresh_token"]))
    there.error(got, "UNAUTHORIZED")
    there.error(there.auth("Auth/Token", {"refresh_token": token["access_token"]}), "UNAUTHORIZED")
    there.ok(there.auth("Auth/Inspect", {"token": token["access_token"]}))


@case("a refresh token of another namespace than options.namespace is refused and stays good", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    body = {"refresh_token": login(there, user(there, service))["refresh_token"]}
    there.error(there.auth("Auth/Token", {**body, "options": {"namespace": "another"}}), "UNAUTHORIZED")
    there.ok(there.auth("Auth/Token", {**body, "options": {"namespace": "micro"}}))


@case("a service gets a token for any user of its namespace, made if missing", TOKEN, ["FORBIDDEN"])
def _(t):
    there, service = where(t)
    name = t.fresh("site-user")
    token = there.ok(there.auth("Auth/Token", {"id": name}, service + space("ignored")))["token"]
    check_pair(token, 900)
    inspected = there.ok(there.auth("Auth/Inspect", {"token": token["access_token"]}))
    equal(inspected, {"account": {"id": name, "type": "user", "issuer": "micro"}}, "the account")
    there.ok(there.auth("Auth/Token", {"id": name, "token_expiry": 60}, service))
    there.error(there.auth("Auth/Token", {"id": "shop"}, service), "FORBIDDEN")
    got = there.auth("Auth/Token", {"id": name, "options": {"namespace": "another"}}, service)
    there.error(got, "FORBIDDEN", has="options.namespace")
    there.error(there.auth("Auth/Token", {"id": name}, bearer(token["access_token"])), "FORBIDDEN", has="secret")


@case("an incomplete login says what is missing", TOKEN, ["INVALID_REQUEST"])
def _(t):
    there, _ = where(t)
    for body, says in (
        ({}, "'id' is missing"),
        ({"id": "a"}, "'secret' is missing"),
        ({"secret": SECRET}, "'id' is missing"),
        ({"id": "a", "secret": SECRET, "refresh_token": "x"}, "not both"),
        ({"id": "a", "secret": "x" * 1025}, "1024 bytes"),
        ({"id": "a", "secret": SECRET, "options": "micro"}, "object"),
        ({"id": "a", "secret": SECRET, "options": {"space": "micro"}}, "options.space"),
        ({"id": "a", "secret": SECRET, "options": {"namespace": ""}, "x": 1}, "'x'"),
    ):
        there.error(there.auth("Auth/Token", body), "INVALID_REQUEST", has=says)
    there.error(there.call("GET", "/auth/Auth/Token"), "METHOD_NOT_ALLOWED")


@case("secrets and tokens are refused in an address", [*TOKEN, "Auth.Inspect", "Auth.Revoke"], ["INVALID_REQUEST"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    token = login(there, name)["access_token"]
    for method, target in (
        ("POST", f"Auth/Token?id={name}&secret={SECRET.replace(' ', '+')}"),
        ("POST", "Auth/Token?refresh_token=x"),
        ("POST", "Auth/Token?refreshToken=x"),
        ("GET", f"Auth/Inspect?token={token}"),
        ("POST", f"Auth/Revoke?token={token}"),
    ):
        got = there.call(method, f"/auth/{target}")
        there.error(got, "INVALID_REQUEST", has="address")
        equal(b"correct horse" in got.body or token.encode() in got.body, False, "whether it is repeated")
    there.ok(there.auth("Auth/Inspect", {"token": token}))


@case("Revoke ends all tokens of that login, by either, and may be repeated", ["Auth.Revoke"], ["UNAUTHORIZED", "INVALID_REQUEST"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    kept = login(there, name)
    for which in ("access_token", "refresh_token"):
        token = login(there, name)
        for _ in range(2):
            there.ok(there.auth("Auth/Revoke", {"token": token[which]}), {})
        there.error(there.auth("Auth/Inspect", {"token": token["access_token"]}), "UNAUTHORIZED")
        there.error(there.post("CreateChat", {"user_ids": [name, "b"]}, bearer(token["access_token"])), "UNAUTHORIZED")
        there.error(there.auth("Auth/Token", {"refresh_token": token["refresh_token"]}), "UNAUTHORIZED")
    there.ok(there.auth("Auth/Inspect", {"token": kept["access_token"]}))
    there.error(there.auth("Auth/Revoke", {}), "INVALID_REQUEST", has="token")


@case("Authorization reaches the program; where it does not, the 401 says so", ["Auth.Inspect"], ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    there.ok(there.auth("Accounts/List", {}, service))
    for name in ("authorization", "AUTHORIZATION"):
        there.ok(there.auth("Accounts/List", {}, [(name, service[0][1])]))
    there.ok(there.auth("Accounts/List", {}, [("Authorization", service[0][1].replace("Bearer ", "bearer   "))]))
    there.error(there.auth("Accounts/List", {}), "UNAUTHORIZED", has=["CGIPassAuth On", "Authorization: Bearer"])
    got = there.auth("Accounts/List", {}, [("Authorization", "Basic YTpi")])
    there.error(got, "UNAUTHORIZED")
    equal(b"CGIPassAuth" in got.body, False, "whether it speaks of the server")


@case("ten wrong secrets for one account from one address, and the next is told when to try again", TOKEN, ["TOO_MANY_REQUESTS"])
def _(t):
    there, service = where(t)
    name, other = user(there, service), user(there, service)
    here, elsewhere = ([("X-Forwarded-For", f"10.0.0.1, {address}")] for address in ("198.51.100.7", "2001:db8::7"))
    for _ in range(10):
        there.error(there.auth("Auth/Token", {"id": name, "secret": "wrong"}, here, wrapped=False), "UNAUTHORIZED")
    for secret in ("wrong", SECRET):
        got = there.auth("Auth/Token", {"id": name, "secret": secret}, here)
        there.error(got, "TOO_MANY_REQUESTS", has="seconds")
        if not 1 <= int(got.header("Retry-After")) <= 900:
            raise AssertionError(f"Retry-After is {got.header('Retry-After')}")
    # Nobody can lock another out.
    there.ok(there.auth("Auth/Token", {"id": name, "secret": SECRET}, elsewhere))
    there.ok(there.auth("Auth/Token", {"id": other, "secret": SECRET}, here))


@case("a forwarded address counts only from a proxy that chats.conf names", TOKEN, ["TOO_MANY_REQUESTS"])
def _(t):
    there = t.on("no-proxies", auth="required", settings=accounts.CHEAP)
    accounts.add(t.lane.build, there.variant.home, "jane", SECRET)
    for number in range(10):
        headers = [("X-Forwarded-For", f"198.51.100.{number}")]
        there.error(there.auth("Auth/Token", {"id": "jane", "secret": "wrong"}, headers, wrapped=False), "UNAUTHORIZED")
    got = there.auth("Auth/Token", {"id": "jane", "secret": SECRET}, [("X-Forwarded-For", "203.0.113.1")])
    there.error(got, "TOO_MANY_REQUESTS")


@case("a right secret forgets the wrong ones before it", TOKEN, ["UNAUTHORIZED"])
def _(t):
    there, service = where(t)
    name = user(there, service)
    headers = [("X-Forwarded-For", "198.51.100.8")]
    for _ in range(2):
        for _ in range(9):
            got = there.auth("Auth/Token", {"id": name, "secret": "wrong"}, headers, wrapped=False)
            there.error(got, "UNAUTHORIZED")
        there.ok(there.auth("Auth/Token", {"id": name, "secret": SECRET}, headers))


@case("a login goes on working when chats.conf asks for another cost, even many at once", TOKEN)
def _(t):
    home = t.lane.folder / "costs"
    home.mkdir()
    server.make_home(t.lane.build, home / "home", "required", accounts.CHEAP)
    accounts.add(t.lane.build, home / "home", "jane", SECRET)
    conf = home / "home" / "chats.conf"
    conf.write_text(conf.read_text("utf-8").replace("password_passes = 1", "password_passes = 2"), "utf-8")
    there = t.on("costs-raised", home=home / "home")
    for _ in range(2):
        calls = [lambda: there.auth("Auth/Token", {"id": "jane", "secret": SECRET}, wrapped=False)] * 4
        for answer in there.at_once(calls):
            check_pair(there.ok(answer)["token"], 900)
