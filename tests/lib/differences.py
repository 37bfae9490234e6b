"""What a server answers by itself, before the program is asked: the one list of it, told in deploy/README.md too."""

SERVERS = ("lighttpd", "apache-fcgid", "apache-proxy-fcgi", "apache-cgid", "nginx")

# name: (the request, {server: its status}). 0: the connection is closed without an answer. Where a server is not named
# the program answers, as it does in the lane cgi.
DIFFERENCES = {
    "address-not-utf8": ("an address that is not UTF-8", {"lighttpd": 400}),
    "unknown-method": ("a method that it does not know", {"lighttpd": 501}),
    "no-content-length": ("a POST with neither Content-Length nor chunks", {"lighttpd": 411}),
    "short-body": (
        "a body that ends before its Content-Length",
        {"lighttpd": 0, "apache-fcgid": 500, "apache-proxy-fcgi": 400, "apache-cgid": 400, "nginx": 0},
    ),
    "absurd-content-length": (
        "a Content-Length that is no number of 63 bits",
        {"lighttpd": 400, "apache-fcgid": 400, "apache-proxy-fcgi": 400, "apache-cgid": 400, "nginx": 400},
    ),
    "query-control-character": ("%00 to %1F and %7F in an address or query", {"lighttpd": 400}),
    "query-not-utf8": ("a query that is not UTF-8", {"lighttpd": 400}),
    "query-bad-escape": ("a percent sign in a query that begins no escape, which becomes %25: a chat not found", {"lighttpd": 404}),
    "body-of-two-megabytes": ("a body above the server's own limit in deploy/", {"lighttpd": 413}),
}


def status(name, lane):
    """What the lane's server answers by itself; None if the program does."""
    server = "lighttpd" if lane.startswith("lighttpd") else lane
    return DIFFERENCES[name][1].get(server)


def rows():
    """The lines of deploy/README.md's table."""
    for request, statuses in DIFFERENCES.values():
        shown = ({None: "", 0: "no answer"}.get(statuses.get(s), statuses.get(s)) for s in SERVERS)
        yield f"| {request} | " + " | ".join(str(s) for s in shown) + " |"
