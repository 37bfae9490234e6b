"""What a server answers by itself, before the program is asked: the one list of it, told in deploy/README.md too."""

# name: (why, the server's status). 0: the connection is closed without an answer. The lane cgi has no differences.
LIGHTTPD = {
    "address-not-utf8": ("lighttpd refuses an address that is not UTF-8", 400),
    "unknown-method": ("lighttpd refuses a method that it does not know", 501),
    "no-content-length": ("lighttpd wants a Content-Length or chunks with a POST", 411),
    "short-body": ("lighttpd waits for the rest and gives up when the client hangs up", 0),
    "absurd-content-length": ("lighttpd refuses a Content-Length that is no number of 63 bits", 400),
    "query-control-character": ("lighttpd refuses %00 to %1F and %7F in an address or query", 400),
    "query-not-utf8": ("lighttpd refuses an address or query that is not UTF-8", 400),
    "query-bad-escape": ("lighttpd writes %25 for a percent sign that begins no escape: here, a chat not found", 404),
    "body-of-two-megabytes": ("server.max-request-size is 1 MiB in deploy/lighttpd/server.conf", 413),
}
