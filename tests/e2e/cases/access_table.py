"""Who may do what (contract, section 6): ONE table, which cases/access.py runs cell by cell."""

# Callers, by what their token is. `member` is in the chat `own`; `other` is a user of the same namespace that is not;
# `stranger` a user and `foreign` a service of another namespace.
CALLERS = ("service", "member", "other", "stranger", "foreign", "revoked", "expired", "garbage", "none")
AUTHS = ("required", "open")

# What is asked for. Chats: a chat of the namespace that `member` is in, one that it is not in, one that there is not.
# Accounts: one of the namespace, one of the other namespace, one that there is not; of Inspect and Revoke their tokens.
# Token: the right secret, another account's, no account. Generate: an id that is taken, one that is taken in the
# other namespace, a new one. ChangeSecret: member's own, another's, nobody's.
TARGETS = ("own", "foreign", "no such")

# Whoever calls is on this machine: so `none` may read Metrics.

# Status: error id. A cell is a status for each of TARGETS.
IDS = {400: "INVALID_REQUEST", 401: "UNAUTHORIZED", 403: "FORBIDDEN", 404: "NOT_FOUND", 409: "ACCOUNT_EXISTS"}

TABLE = """
operation             auth      service      member       other        stranger     foreign      revoked      expired      garbage      none
Chats.CreateChat      required  200/200/200  200/403/200  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  401/401/401
Chats.CreateChat      open      200/200/200  200/403/200  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  200/200/200
Chats.SendMessage     required  200/200/404  200/404/404  404/404/404  404/404/404  404/404/404  401/401/401  401/401/401  401/401/401  401/401/401
Chats.SendMessage     open      200/200/404  200/404/404  404/404/404  404/404/404  404/404/404  401/401/401  401/401/401  401/401/401  200/200/404
Chats.ListMessages    required  200/200/404  200/404/404  404/404/404  404/404/404  404/404/404  401/401/401  401/401/401  401/401/401  401/401/401
Chats.ListMessages    open      200/200/404  200/404/404  404/404/404  404/404/404  404/404/404  401/401/401  401/401/401  401/401/401  200/200/404
Chats.Health          required  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200
Chats.Health          open      200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200
Chats.Metrics         required  200/200/200  403/403/403  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  200/200/200
Chats.Metrics         open      200/200/200  403/403/403  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  200/200/200
Auth.Token            required  200/401/401  200/401/401  200/401/401  401/401/401  401/401/401  401/401/401  401/401/401  401/401/401  200/401/401
Auth.Token            open      200/401/401  200/401/401  200/401/401  401/401/401  401/401/401  401/401/401  401/401/401  401/401/401  200/401/401
Auth.Inspect          required  200/200/401  200/200/401  200/200/401  200/200/401  200/200/401  401/401/401  401/401/401  401/401/401  200/200/401
Auth.Inspect          open      200/200/401  200/200/401  200/200/401  200/200/401  200/200/401  401/401/401  401/401/401  401/401/401  200/200/401
Auth.Revoke           required  200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  401/401/401  401/401/401  401/401/401  200/200/200
Auth.Revoke           open      200/200/200  200/200/200  200/200/200  200/200/200  200/200/200  401/401/401  401/401/401  401/401/401  200/200/200
Auth.Generate         required  409/200/200  403/403/403  403/403/403  403/403/403  200/409/200  401/401/401  401/401/401  401/401/401  401/401/401
Auth.Generate         open      409/200/200  403/403/403  403/403/403  403/403/403  200/409/200  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.List         required  200/200/200  403/403/403  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.List         open      200/200/200  403/403/403  403/403/403  403/403/403  200/200/200  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.Delete       required  200/404/404  403/403/403  403/403/403  403/403/403  404/200/404  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.Delete       open      200/404/404  403/403/403  403/403/403  403/403/403  404/200/404  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.ChangeSecret required  403/403/403  200/403/403  403/403/403  403/403/403  403/403/403  401/401/401  401/401/401  401/401/401  401/401/401
Accounts.ChangeSecret open      403/403/403  200/403/403  403/403/403  403/403/403  403/403/403  401/401/401  401/401/401  401/401/401  401/401/401
"""


def rows():
    """{(operation, auth): {caller: {target: status}}} of the table."""
    head, *lines = TABLE.strip().splitlines()
    names = head.split()[2:]
    found = {}
    for line in lines:
        operation, auth, *cells = line.split()
        if (operation, auth) in found:
            raise AssertionError(f"{operation} where auth is {auth} stands twice in the table")
        statuses = [dict(zip(TARGETS, map(int, cell.split("/")))) for cell in cells]
        found[operation, auth] = dict(zip(names, statuses))
    return found


def gaps(operations):
    """What the table lacks of {callers} x these operations x {targets} x {auth}, and what it has beyond."""
    found = rows()
    troubles = [f"{key[0]} where auth is {key[1]} is no operation" for key in found if key[0] not in operations]
    for operation in sorted(operations):
        for auth in AUTHS:
            row = found.get((operation, auth), {})
            for caller in CALLERS:
                for target in TARGETS:
                    status = row.get(caller, {}).get(target)
                    if status != 200 and status not in IDS:
                        troubles.append(f"{operation}, auth = {auth}, {caller}, {target}: the cell is {status}")
    return troubles
