"""Services that are none, for tests of those who call one: a stub of ours, and a proxy that leads to one port."""

import contextlib
import http.server
import socket
import threading

LIMIT_S = 60  # of an answer that never comes

NEVER, BROKEN = object(), object()  # answers of a Stub: none, and the connection broken off


class Stub:
    """
    A service that answers as ours would, but for paths with one of these words: (status, headers, body), NEVER or
    BROKEN. hangs: set while one waits for the former.
    """

    def __init__(self, answers):
        self.hangs = threading.Event()
        self.ends = threading.Event()
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            server_version, sys_version = "Stub/1", ""

            def do_GET(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                answer = next((a for word, a in answers.items() if word in self.path), Stub.usual(self.path))
                if answer is NEVER:
                    stub.hangs.set()
                    stub.ends.wait(LIMIT_S)
                if answer in (NEVER, BROKEN):
                    self.close_connection = True
                    return
                status, headers, body = answer
                self.send_response(status)
                for name, value in (("Content-Length", str(len(body))), *headers):
                    self.send_header(name, value)
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, *_):
                pass

        self.service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.service.daemon_threads = True
        self.port = self.service.server_address[1]
        threading.Thread(target=self.service.serve_forever, daemon=True).start()

    @staticmethod
    def usual(path):
        headers = [("Cache-Control", "no-store"), ("Access-Control-Allow-Origin", "*")]
        if path.endswith("/Chats/Health"):
            return 200, headers, b'{"status":"ok"}'
        detail = b"this token is unknown, expired or revoked: x" if path.endswith("/Accounts/List") else b"x"
        status = 401 if path.endswith("/Accounts/List") else 404
        return status, headers, b'{"Id":"X","Code":%d,"Detail":"%s","Status":"X"}' % (status, detail)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.service.shutdown()
        self.service.server_close()


class Tunnel:
    """A proxy that leads each CONNECT, to whatever host, to one port here; 0: refuses."""

    def __init__(self, port):
        self.to = port
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self.lead, args=(client,), daemon=True).start()

    def lead(self, client):
        with client, contextlib.suppress(OSError):
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                part = client.recv(65536)
                if not part:
                    return
                head += part
            if not self.to:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
                return
            with socket.create_connection(("127.0.0.1", self.to)) as there:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(there, client), daemon=True)
                back.start()
                self.pump(client, there)
                back.join()

    @staticmethod
    def pump(source, sink):
        with contextlib.suppress(OSError):
            while part := source.recv(65536):
                sink.sendall(part)
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listening.close()
