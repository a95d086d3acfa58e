"""A mail server and a web server on this machine that keep what they are sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import BaseServer, StreamRequestHandler, TCPServer, ThreadingTCPServer
from typing import Any


@dataclass
class MailBox:
    """What a mail server was handed; `refuse` is the answer to every recipient instead."""

    port: int = 0
    refuse: str = ""
    mails: list[EmailMessage] = field(default_factory=list)


@contextmanager
def serving(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


@contextmanager
def mail_server() -> Iterator[MailBox]:
    box = MailBox()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            while (line := self.rfile.readline().strip()) and line.upper() != b"QUIT":
                word = line.upper().split()[0]
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = list(iter(self.rfile.readline, b".\r\n"))
                    mail = message_from_bytes(b"".join(lines), policy=default)
                    assert isinstance(mail, EmailMessage)
                    box.mails.append(mail)
                refused = box.refuse and word == b"RCPT"
                self.wfile.write(f"{box.refuse}\r\n".encode() if refused else b"250 ok\r\n")
            self.wfile.write(b"221 bye\r\n")

    with TCPServer(("127.0.0.1", 0), Handler) as server, serving(server):
        box.port = server.server_address[1]
        yield box


@dataclass
class Hook:
    """What a web server was posted, and what it answers."""

    url: str = ""
    status: int = 200
    answer: Any = None
    raw: bytes | None = None
    """What it answers instead, as it is."""
    posts: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)


@contextmanager
def web_server() -> Iterator[Hook]:
    hook = Hook(answer={"errcode": 0, "errmsg": "ok"})

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append((self.path, json.loads(body), dict(self.headers) | {"body": body.decode()}))
            answer = json.dumps(hook.answer).encode() if hook.raw is None else hook.raw
            self.send_response(hook.status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_request(self, code: object = "-", size: object = "-") -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        hook.url = f"http://127.0.0.1:{server.server_port}/robot?key=s3cret"
        with serving(server):
            yield hook


@contextmanager
def dripping_server() -> Iterator[str]:
    """A web server that answers byte by byte, without end, until nobody reads."""
    ended = threading.Event()

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not ended.wait(0.02):
                    self.wfile.write(b"x")

    class Server(ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server, serving(server):
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        ended.set()
