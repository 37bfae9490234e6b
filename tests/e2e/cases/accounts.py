"""Contract, section 6: Auth.Generate and the accounts of a namespace."""

from cases import logins
from lib.accounts import bearer, space
from lib.suite import A_UUID, case, equal

SECRET = logins.SECRET
GENERATE = ("Auth.Generate",)
CHANGE = ("Accounts.ChangeSecret",)


def can_log_in(there, name, secret):
    got = there.auth("Auth/Token", {"id": name, "secret": secret})
    if got.status == 200:
        return True
    there.error(got, "UNAUTHORIZED")
    return False


@case("Generate makes an account, with the secret given or a random one", GENERATE, ["ACCOUNT_EXISTS"])
def _(t):
    there, service = logins.where(t)
    for kind in (None, "user", "service"):
        body = {"id": t.fresh("generated"), "secret": "12345678", "type": kind}
        got = there.ok(there.auth("Auth/Generate", body, service + space("ignored")))
        expected = {"id": body["id"], "type": kind or "user", "issuer": "micro", "secret": "12345678"}
        equal(list(got["account"].items()), list(expected.items()), "the account")
        equal(can_log_in(there, body["id"], "12345678"), True, "whether it can log in")
        there.error(there.auth("Auth/Generate", body, service), "ACCOUNT_EXISTS")
    name = t.fresh("random")
    first = there.ok(there.auth("Auth/Generate", {"id": name}, service))
    there.ok(there.auth("Auth/Generate", {"id": t.fresh("random"), "secret": ""}, service))
    secret = first["account"]["secret"]
    equal(bool(A_UUID.fullmatch(secret)), True, "whether the secret is random")
    equal(can_log_in(there, name, secret), True, "whether it can log in")


@case("a secret is 8 to 1,024 bytes", [*GENERATE, *CHANGE], ["INVALID_REQUEST"])
def _(t):
    there, service = logins.where(t)
    for secret, good in (("x" * 7, False), ("x" * 8, True), ("é" * 4, True), ("x" * 1024, True), ("x" * 1025, False)):
        name = t.fresh("limits")
        got = there.auth("Auth/Generate", {"id": name, "secret": secret}, service)
        if good:
            there.ok(got)
            equal(can_log_in(there, name, secret), True, "whether it can log in")
        else:
            there.error(got, "INVALID_REQUEST", has=["secret", "8 to 1024 bytes"])
    name = logins.user(there, service)
    headers = bearer(logins.login(there, name)["access_token"])
    body = {"id": name, "old_secret": SECRET, "new_secret": "x" * 7}
    there.error(there.auth("Accounts/ChangeSecret", body, headers), "INVALID_REQUEST", has="new_secret")


@case("an account is of type user or service", GENERATE, ["INVALID_REQUEST"])
def _(t):
    there, service = logins.where(t)
    for kind in ("admin", "User", 1):
        got = there.auth("Auth/Generate", {"id": t.fresh("typed"), "type": kind}, service)
        there.error(got, "INVALID_REQUEST", has="type")
    there.error(there.auth("Auth/Generate", {}, service), "INVALID_REQUEST", has="'id' is missing")
    there.error(there.auth("Auth/Generate", {"id": "a\nb"}, service), "INVALID_REQUEST", has="'id'")


@case("List tells the accounts of the namespace and no secret of them", ["Accounts.List"])
def _(t):
    there, service = logins.where(t)
    name = logins.user(there, service)
    for got in (there.auth("Accounts/List", {}, service), there.call("GET", "/auth/Accounts/List", None, service)):
        listed = there.ok(got)["accounts"]
        equal({"id": name, "type": "user", "issuer": "micro"} in listed, True, "whether the new one is listed")
        equal({"id": "shop", "type": "service", "issuer": "micro"} in listed, True, "whether the service is listed")
        ids = [account["id"] for account in listed]
        equal(ids, sorted(ids, key=lambda i: i.encode()), "the order")
        equal(b"argon2" in got.body, False, "whether a hash is told")


@case("Delete ends an account and all of its tokens", ["Accounts.Delete"], ["NOT_FOUND", "UNAUTHORIZED", "INVALID_REQUEST"])
def _(t):
    there, service = logins.where(t)
    name = logins.user(there, service)
    token = logins.login(there, name)
    there.ok(there.auth("Accounts/Delete", {"id": name}, service), {})
    there.error(there.post("CreateChat", {"user_ids": [name, "b"]}, bearer(token["access_token"])), "UNAUTHORIZED")
    there.error(there.auth("Auth/Token", {"refresh_token": token["refresh_token"]}), "UNAUTHORIZED")
    equal(can_log_in(there, name, SECRET), False, "whether it can log in")
    there.error(there.auth("Accounts/Delete", {"id": name}, service), "NOT_FOUND", "Account not found")
    there.error(there.auth("Accounts/Delete", {}, service), "INVALID_REQUEST", has="'id' is missing")
    # Another one of that name is another one: the old tokens stay dead.
    there.ok(there.auth("Auth/Generate", {"id": name, "secret": SECRET}, service))
    there.error(there.auth("Auth/Inspect", {"token": token["access_token"]}), "UNAUTHORIZED")


@case("ChangeSecret is the account's own, wants the old one, and ends all of its tokens", CHANGE, ["UNAUTHORIZED", "FORBIDDEN", "INVALID_REQUEST"])
def _(t):
    there, service = logins.where(t)
    name, other = logins.user(there, service), logins.user(there, service)
    tokens = [logins.login(there, name)["access_token"] for _ in range(2)]
    headers = bearer(tokens[0])
    body = {"id": name, "old_secret": SECRET, "new_secret": "another secret"}
    got = there.auth("Accounts/ChangeSecret", {**body, "old_secret": "wrong"}, headers)
    there.error(got, "UNAUTHORIZED", "id or secret is wrong")
    there.error(there.auth("Accounts/ChangeSecret", {**body, "id": other}, headers), "FORBIDDEN")
    there.error(there.auth("Accounts/ChangeSecret", body, service), "FORBIDDEN")
    for missing in ("old_secret", "new_secret"):
        got = there.auth("Accounts/ChangeSecret", {**body, missing: None}, headers)
        there.error(got, "INVALID_REQUEST", has=f"'{missing}' is missing")
    equal(can_log_in(there, name, SECRET), True, "whether the old secret still logs in")
    there.ok(there.auth("Accounts/ChangeSecret", body, headers), {})
    for token in tokens:
        there.error(there.auth("Auth/Inspect", {"token": token}), "UNAUTHORIZED")
    equal(can_log_in(there, name, SECRET), False, "whether the old secret logs in")
    equal(can_log_in(there, name, "another secret"), True, "whether the new secret logs in")
    equal(can_log_in(there, other, SECRET), True, "whether the other's secret logs in")
