"""
An HTTP server of 127.0.0.1 that notes what it is sent and answers as it is told.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Answers that are none: the connection is reset, or closed after half an answer.
RESET = "reset"
HALF = "half an answer"


@dataclass
class Request:
    """What was sent; its body is no longer compressed."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    """What to answer with."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    #: Waited for before the answer begins.
    after: threading.Event | None = None


class Store:
    """
    The server's state.

    Attributes:
        port: Where it listens.
        requests: What was sent, in order.
        answers: What to answer next, in order; then `usual`.
        usual: The answer to any other request.
        connections: How many connections were made.
        open: Those that are open.
    """

    def __init__(self) -> None:
        self.port = 0
        self.requests: list[Request] = []
        self.answers: deque[Answer | str] = deque()
        self.usual: Answer | str = Answer()
        self.connections = 0
        self.open: set[socket.socket] = set()
        self.changed = threading.Condition()

    def answer_to(self, request: Request) -> Answer | str:
        """Note a request, and return what to answer; to be overridden."""
        with self.changed:
            self.requests.append(request)
            self.changed.notify_all()
        return self.answers.popleft() if self.answers else self.usual

    def wait_for_requests(self, number: int) -> None:
        """Return when there have been so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.requests) >= number, 60)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.store.connections += 1
        self.server.store.open.add(self.connection)

    def _do(self) -> None:
        size = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(size)
        if len(body) < size:
            self.close_connection = True
            return
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        request = Request(self.command, self.path, dict(self.headers), body)
        answer = self.server.store.answer_to(request)
        if isinstance(answer, str):
            self._break(answer)
            return
        if answer.after is not None:
            answer.after.wait(60)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = _do

    def _break(self, how: str) -> None:
        self.close_connection = True
        if how == HALF:
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{" * 500)
            return
        reset = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        self.rfile.close()
        self.connection.close()

    def finish(self) -> None:
        self.server.store.open.discard(self.connection)
        try:
            super().finish()
        except (OSError, ValueError):  # the other side is gone
            pass

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = False
    store: Store

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # the other side is gone, or a test has ended


class _Server6(_Server):
    address_family = socket.AF_INET6


@contextmanager
def serving(
    store: Store | None = None,
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Store]:
    """
    Serve until the block ends.

    Connections that are open are closed then; a request that has been read is answered
    before.
    """
    store = Store() if store is None else store
    kind = _Server6 if ":" in host else _Server
    server = kind((host, port), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.store = store
    store.port = server.server_address[1]
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        server.socket.close()
        for connection in list(store.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        server.server_close()  # waits for its threads
        thread.join()
