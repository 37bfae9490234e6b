"""Homes and the web servers in front of them, as the rows need them: the service, and beside it the floor and the peer."""

import json
import re
import shutil
import subprocess

from bench import fpm, measure
from lib import accounts, load, server

TEXT = "x" * 100
PAGE = 25
MANY = 1000  # chats that sends are spread over
# Of one length, so that all answers are of one length.
HOT, LISTED, MANY_FORMAT = "hots-000000", "list-000000", "many-%06d"
SECRET = "the secret of jane"
KINDS = {  # of load.lua: the operation (None: the kind names them itself), and what the kind is told
    "list": ("ListMessages", (LISTED,)),
    "send": ("SendMessage", (HOT,)),
    "send-many": ("SendMessage", (MANY_FORMAT, MANY)),
    "create": ("CreateChat", ()),
    "reads": (None, (HOT,)),
}

FASTCGI_MOUNT = """
$HTTP["url"] =~ "^/{at}/" {{
    fastcgi.server = ( "/{at}" => ((
        "bin-path" => "{command}",
        "bin-environment" => ( "CHATS_HOME" => "{home}" ),
        "socket" => "{folder}/{at}.socket",
        "max-procs" => {processes},
        "check-local" => "disable"
    )))
    server.stream-request-body = 0
    server.stream-response-body = 1
}}
"""

CGI_FLOOR_MOUNT = """
$HTTP["url"] =~ "^/floor/" {{
    alias.url = ( "/floor" => "{program}" )
    setenv.set-environment = ( "BENCH_REPLIES" => "{replies}" )
    cgi.assign = ( "" => "" )
    server.stream-request-body = 0
    server.stream-response-body = 1
}}
"""


def new_home(build, home, *settings, auth="required"):
    """A new home; (home, a token of the user jane)."""
    server.make_home(build, home, auth, settings)
    accounts.add(build, home, "jane", SECRET)
    return home, accounts.issue(build, home, "jane", expiry=86400)


def bearer(token):
    """wrk's headers with this token."""
    return (f"Authorization: Bearer {token}",)


def canned_reply(build, home, token, operation, body):
    """The very bytes, headers and all, that the program answers to a call (token: or None): run once as CGI."""
    data = json.dumps(body).encode()
    environment = {
        "CHATS_HOME": str(home),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "/chats",
        "PATH_INFO": f"/Chats/{operation}",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(data)),
        "SERVER_PROTOCOL": "HTTP/1.1",
        **({"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}),
    }
    program = str(build / "cgi-bin" / "chats.fcgi")
    run = subprocess.run([program], env=environment, input=data, capture_output=True, timeout=60, check=True)
    if b"Status: 200" not in run.stdout:
        raise AssertionError(f"{operation} as CGI: {run.stdout[:300]} {run.stderr[:300]}")
    return run.stdout


def shipped(build, folder):
    """The program for plain CGI as `make shared-hosting` puts it into its archive: stripped."""
    program = folder / "cgi-bin" / "chats.fcgi"  # not beside the home, which the program would refuse
    program.parent.mkdir()
    subprocess.run(["strip", "-o", program, build / "cgi-bin" / "chats-static"], timeout=60, check=True)
    return program


def prepare(call):
    """The chats that the load works on, by way of call(operation, body)."""
    for chat in (HOT, LISTED):
        call("CreateChat", {"id": chat, "user_ids": ["jane", f"john of {chat}"]})
        for _ in range(PAGE):
            call("SendMessage", {"chat_id": chat, "author_id": "jane", "text": TEXT})


def import_many(build, home):
    """The chats that sends are spread over."""
    lines = []
    for number in range(1, MANY + 1):
        chat = {"namespace": "micro", "id": MANY_FORMAT % number, "user_ids": ["jane", f"john {number}"]}
        lines.append(json.dumps({"chat": {**chat, "created_at": "2026-01-01T00:00:00.000000000Z"}}))
    accounts.chatsctl(build, home, "import", stdin="\n".join(lines) + "\n")


def runner(target, kind, connections, seconds):
    """A function(round) that sends such load to the target: its Figures."""
    operation, arguments = KINDS[kind]
    url = target.base if operation is None else f"{target.base}/{operation}"

    def run(number):
        mark = f"{kind}-{target.name}-{connections}-{number}" if kind == "create" else number + 1
        return load.wrk(url, connections, seconds, kind, mark, *arguments, headers=target.headers)

    return run


def stored(build, home):
    """What `chatsctl stats` counts: {"messages": N, "chats": N, …}."""
    lines = accounts.chatsctl(build, home, "stats").splitlines()
    return {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 2 and words[1].isdigit()}


class Stand:
    """
    One lighttpd with the service (FastCGI, or with kind="cgi" plain CGI) and the floor behind it, and the peer where
    with_peer. The hot chat, the chats of MANY and the page are there. `targets`: {name: Target}.
    """

    def __init__(self, build, folder, options, kind="fastcgi", with_peer=False):
        self.build = build
        self.folder = folder
        self.seconds = options.seconds
        self.answered = {}  # {(contestant, noun): [how many were acknowledged, at least, at most]}
        self.lighttpd = self.peer = None
        folder.mkdir()
        try:
            self._start(options, kind, with_peer)
        except BaseException:
            self.close()
            raise

    def _start(self, options, kind, with_peer):
        build, folder = self.build, self.folder
        self.home, self.token = new_home(build, folder / "home", f"threads = {options.threads}")
        prepare(lambda operation, body: canned_reply(build, self.home, self.token, operation, body))
        import_many(build, self.home)
        replies = self._replies(folder / "replies")
        if with_peer:
            self.peer = fpm.Peer(folder / "peer", self.token, "jane")
        if kind == "fastcgi":
            command = f"{build}/tests/bench/floor {replies} {options.threads}"
            mounts = FASTCGI_MOUNT.format(at="floor", command=command, home="", folder=folder, processes=1)
        else:
            mounts = CGI_FLOOR_MOUNT.format(program=build / "tests" / "bench" / "noop", replies=replies)
        mounts += self.peer.mount if self.peer else ""
        program = "chats.fcgi" if kind == "fastcgi" else shipped(build, folder)
        self.lighttpd = server.Lighttpd(kind, build, self.home, folder / "server", mounts, program=program)
        contestants = ("floor", "chats", "peer") if with_peer else ("floor", "chats")
        self.targets = {name: self._target(name) for name in contestants}
        if self.peer:
            self._prepare_peer()
        self.before = self.stored()

    def _target(self, name):
        return measure.Target(name, f"http://127.0.0.1:{self.lighttpd.port}/{name}/Chats", bearer(self.token))

    def _replies(self, folder):
        """What the floor answers: as many bytes as the service does while it is measured."""
        bodies = {
            "CreateChat": {"user_ids": ["jane", "john create-chats-64-x 0 12345"]},
            "SendMessage": {"chat_id": HOT, "author_id": "jane", "text": TEXT},
            "ListMessages": {"chat_id": LISTED},
        }
        folder.mkdir()
        for operation, body in bodies.items():
            (folder / operation).write_bytes(canned_reply(self.build, self.home, self.token, operation, body))
        return folder

    def call(self, who, operation, body):
        """One call; its answer."""
        return json.loads(load.post(f"{self.targets[who].base}/{operation}", json.dumps(body), self.token))

    def _prepare_peer(self):
        self.peer.start(fpm.CHILDREN[0])
        prepare(lambda operation, body: self.call("peer", operation, body))
        ours = self.shape("chats")
        theirs = self.shape("peer")
        if ours != theirs:
            differing = [f"{o}\n  the peer: {t}" for o, t in zip(ours, theirs) if o != t]
            raise AssertionError("the peer answers otherwise:\n  chats:    " + "\n".join(differing))

    def runner(self, who, kind, connections):
        """As the function of this name; what was acknowledged is counted."""
        run = runner(self.targets[who], kind, connections, self.seconds)
        noun, share = {"create": ("chats", 1), "list": (None, 1), "reads": ("messages", 5)}.get(kind, ("messages", 1))

        def counted(number):
            found = run(number)
            if noun:
                # Of so many requests one writes. wrk leaves a round's last request on each connection unanswered.
                counts = self.answered.setdefault((who, noun), [0, 0])
                counts[0] += max(0, found.requests // share - connections)
                counts[1] += -(-found.requests // share) + connections
            return found

        return counted

    def stored(self):
        """{(contestant, noun): how many are stored}."""
        ours = stored(self.build, self.home)
        found = {("chats", noun): ours[noun] for noun in ("messages", "chats")}
        if self.peer:
            found["peer", "messages"] = self.peer.messages()
        return found

    def verify(self):
        """Every answer of 200 to what writes left one record behind, and the page is the one that was stored."""
        for (who, noun), after in self.stored().items():
            least, most = self.answered.get((who, noun), (0, 0))
            found = after - self.before[who, noun]
            if not least <= found <= most:
                raise AssertionError(f"{who}: {least} to {most} {noun} were acknowledged, and {found} are stored")
        for who in self.targets:
            page = self.call(who, "ListMessages", {"chat_id": LISTED})["messages"]
            if len(page) != PAGE or any(m["text"] != TEXT for m in page):
                raise AssertionError(f"{who}: the page that was measured is not the one that was stored")

    def close(self):
        """Ends all of it and removes what it stored."""
        if self.lighttpd:
            self.lighttpd.stop()
        if self.peer:
            self.peer.stop()
        shutil.rmtree(self.folder)

    def shape(self, who):
        """The answers to one call of each kind, with ids and times blotted out, and without what lighttpd adds."""
        shown = []
        for operation, body in (
            ("CreateChat", {"user_ids": ["john", "jane", "jane", "ünder/\"\\\u2028"]}),
            ("CreateChat", {"id": "other", "user_ids": ["jane", f"john of {HOT}"]}),
            ("SendMessage", {"id": "first", "chat_id": HOT, "author_id": "jane", "text": "ünder/\"\\\n\u2028<'&"}),
            ("SendMessage", {"id": "first", "chat_id": HOT, "author_id": "jane", "text": "ünder/\"\\\n\u2028<'&"}),
            ("SendMessage", {"chat_id": HOT, "text": TEXT}),
            ("ListMessages", {"chat_id": HOT, "order": "asc"}),
            ("ListMessages", {"chat_id": LISTED}),
            ("ListMessages", {"chat_id": LISTED, "limit": 3, "offset": "24", "order": "asc"}),
            ("ListMessages", {"chat_id": LISTED, "sent_before": "2026-01-01T00:00:00Z"}),
        ):
            answer = load.answer(f"{self.targets[who].base}/{operation}", json.dumps(body), self.token)
            text = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|20\d\d-\d\d-\d\dT[\d:]{8}\.\d{9}Z", "*", answer.body.decode())
            headers = sorted(h for h in answer.headers if h[0] not in ("Server", "Date"))
            shown.append(f"{operation} {body}: {answer.status} {headers} {text}")
        for operation, body, token in (
            ("ListMessages", {"chat_id": HOT}, "not a token"),
            ("ListMessages", {"chat_id": "none"}, self.token),
            ("SendMessage", {"chat_id": HOT, "author_id": "john", "text": TEXT}, self.token),
            ("SendMessage", {"id": "first", "chat_id": HOT, "text": TEXT}, self.token),
            ("SendMessage", {"chat_id": HOT}, self.token),
            ("CreateChat", {"user_ids": ["jane", "jane"]}, self.token),
            ("CreateChat", {"user_ids": ["john", "joan"]}, self.token),
            ("CreateChat", {"id": HOT, "user_ids": ["jane", "joan"]}, self.token),
        ):
            answer = load.answer(f"{self.targets[who].base}/{operation}", json.dumps(body), token)
            shown.append(f"{operation} {body}: {answer.status} {json.loads(answer.body)['Id']}")
        return shown


class Variants:
    """
    The service in several forms, {name: (auth, threads, processes)}, each over a home of its own, behind one lighttpd.
    The chats are there; `targets`: {name: Target}.
    """

    def __init__(self, build, folder, variants):
        folder.mkdir()
        self.folder = folder
        mounts, tokens, homes = "", {}, {}
        for name, (auth, threads, processes) in variants.items():
            home, token = new_home(build, folder / name, f"threads = {threads}", auth=auth)
            homes[name], tokens[name] = home, token if auth == "required" else None
            prepare(lambda operation, body, n=name: canned_reply(build, homes[n], tokens[n], operation, body))
            program = build / "cgi-bin" / "chats.fcgi"
            mounts += FASTCGI_MOUNT.format(at=name, command=program, home=home, folder=folder, processes=processes)
        # The first home is behind deploy's own mount, too, where nobody calls.
        self.lighttpd = server.Lighttpd("fastcgi", build, next(iter(homes.values())), folder / "server", mounts)
        base = f"http://127.0.0.1:{self.lighttpd.port}"
        self.targets = {
            name: measure.Target(name, f"{base}/{name}/Chats", bearer(token) if token else ())
            for name, token in tokens.items()
        }

    def close(self):
        """Ends it and removes what it stored."""
        self.lighttpd.stop()
        shutil.rmtree(self.folder)
