"""Clients that send and list while servers are restarted, and what must hold afterwards: nothing acknowledged is lost,
nothing has to be recovered, no call is stuck."""

import collections
import http.client
import itertools
import json
import threading
import time

from lib import suite

CALL_LIMIT_S = 15  # a call is answered or broken off by then
INSIST_LIMIT_S = 60
AGAIN = (502, 503, 504)  # answers after which a client tries again, with the same id
HUNG = "not answered"
SENDERS = 3
LISTERS = 2
PAUSE_S = 0.003  # between two calls of a client

# What the program, and mod_fcgid of the program, say only where something went wrong.
TROUBLE = ("] error: ", "] warning: ", "graceful kill fail", "still did not exit")


class Line:
    """A client's way to the server: a connection for each call, or one that is kept for the next."""

    def __init__(self, port, kept):
        self.port = port
        self.kept = kept
        self.connection = None

    def call(self, operation, fields):
        """(status, body), or (why, b"") where the connection was refused or broken off, or nothing came."""
        reused = self.connection is not None
        if not reused:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=CALL_LIMIT_S)
        try:
            headers = {"Content-Type": "application/json", "Connection": "keep-alive" if self.kept else "close"}
            self.connection.request("POST", f"/chats/Chats/{operation}", suite.compact(fields), headers)
            response = self.connection.getresponse()
            outcome = response.status, response.read()
            keep = self.kept and not response.will_close
        except ConnectionRefusedError:
            outcome, keep = ("refused", b""), False
        except (ConnectionError, http.client.HTTPException):
            # Between two calls a server may close a connection that it kept: no call of a new one is broken off so.
            outcome, keep = ("closed between calls" if reused else "broken off", b""), False
        except TimeoutError:
            outcome, keep = (HUNG, b""), False
        if not keep:
            self.connection.close()
            self.connection = None
        return outcome


class Load:
    """Clients that send, each into a chat of its own, and clients that list, until they are stopped."""

    def __init__(self, port):
        self.port = port
        self.sent = [[] for _ in range(SENDERS)]  # the messages of each chat, as they were answered
        self.again = collections.Counter()  # why calls were made again
        self.calls = 0
        self.slowest_s = 0.0
        self.troubles = []
        self.stopping = threading.Event()
        for number in range(SENDERS):
            self.insist(Line(port, False), "CreateChat", {"id": f"room{number}", "user_ids": ["jane", f"john{number}"]})
        clients = [(self.send, number) for number in range(SENDERS)] + [(self.list, n) for n in range(LISTERS)]
        self.threads = [threading.Thread(target=self.run, args=client) for client in clients]
        for thread in self.threads:
            thread.start()

    def run(self, client, number):
        try:
            line = Line(self.port, kept=number % 2 == 1)
            for turn in itertools.count():
                if self.stopping.wait(PAUSE_S):
                    return
                client(line, number, turn)
        except Exception as error:  # told by `stop`
            self.troubles.append(repr(error))

    def insist(self, line, operation, fields, limit_s=INSIST_LIMIT_S):
        """The answer, decoded; again as long as a client is to try again."""
        end = time.monotonic() + limit_s
        while True:
            began = time.monotonic()
            status, body = line.call(operation, fields)
            self.calls += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if status == 200:
                return json.loads(body)
            if isinstance(status, int) and status not in AGAIN:
                raise AssertionError(f"{operation} was answered {status} {body[:300]}")
            self.again[status] += 1
            if time.monotonic() > end:
                raise AssertionError(f"{operation} had no answer in {limit_s} s, last: {status}")
            time.sleep(0.01)

    def send(self, line, number, turn):
        room = f"room{number}"
        fields = {"id": f"m{turn}", "chat_id": room, "author_id": "jane", "text": f"{turn} of {room}"}
        message = self.insist(line, "SendMessage", fields)["message"]
        suite.equal({name: message[name] for name in fields}, fields, "a message as it was answered")
        self.sent[number].append(message)

    def list(self, line, number, turn):
        """The newest message that is listed is not older than what was answered before."""
        room = (number + turn) % SENDERS
        before = len(self.sent[room])
        page = self.insist(line, "ListMessages", {"chat_id": f"room{room}", "limit": 10})["messages"]
        newest = int(page[0]["id"][1:]) if page else -1
        suite.equal(newest + 1 >= before, True, f"whether room{room} lists message {before - 1}; its newest is {newest}")

    def answered(self):
        """One call from outside; it must come to an answer."""
        self.insist(Line(self.port, False), "ListMessages", {"chat_id": "room0", "limit": 1})

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def check(self, may_hang):
        suite.equal(self.troubles, [], "what clients complain about")
        if not may_hang:
            suite.equal(self.again[HUNG], 0, "calls that were stuck")
            suite.equal(self.slowest_s < CALL_LIMIT_S, True, f"whether {self.slowest_s:.1f} s are below {CALL_LIMIT_S}")
        # Together: where mod_fcgid has a call wait for a process, whole seconds go, and one client may send little.
        total = sum(map(len, self.sent))
        suite.equal(total > 10 * SENDERS, True, f"whether {total} messages are a load")
        for number, sent in enumerate(self.sent):
            suite.equal(self.listed(f"room{number}"), sent, f"all of room{number}")

    def listed(self, room):
        found, line = [], Line(self.port, True)
        while True:
            query = {"chat_id": room, "order": "asc", "limit": 1000, "offset": len(found)}
            page = self.insist(line, "ListMessages", query)["messages"]
            found += page
            if len(page) < 1000:
                return found

    def figures(self):
        again = ", ".join(f"{why}: {count}" for why, count in sorted(self.again.items(), key=str)) or "none"
        sent = sum(map(len, self.sent))
        return f"{self.calls} calls, {sent} messages, the slowest {self.slowest_s:.2f} s; made again: {again}"


def under_load(the_server, open_page, work, may_hang=False):
    """
    Has clients send and list through the_server, which serves a new open home, while work(server, load) goes on, stops it,
    and checks what must hold afterwards. open_page: returns the home's gate page. may_hang: the server is known to forget
    calls. The Load, ended.
    """
    try:
        load = Load(the_server.port)
        page = open_page()
        recoveries = page.recoveries
        try:
            work(the_server, load)
        finally:
            load.stop()
        print(f"       {load.figures()}", flush=True)
        load.check(may_hang)
        said = [line for line in the_server.log_text().splitlines() if any(word in line for word in TROUBLE)]
        suite.equal(said, [], "what was said of troubles")
    except AssertionError:
        print(the_server.log_text()[-4000:])
        raise
    finally:
        the_server.stop()
    suite.equal(page.recoveries, recoveries, "recoveries")
    suite.equal(page.recovery_wanted, page.recovery_done, "recoveries wanted")
    suite.equal(page.joins - page.leaves, 0, "processes that ended without leaving the home in good order")
    return load
