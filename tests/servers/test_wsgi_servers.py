"""
WSGI servers as they are started from the command line: real sockets, several clients.
"""

from __future__ import annotations

import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from tests.helpers import clean_environment, free_port, load_line, need, until_listening

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(
        sys.platform == "win32",
        reason="gunicorn is for Unix, and signals end the servers",
    ),
]

RAW = """
import logging
import os
from wsgiref.util import FileWrapper
import ctxlog
from ctxlog.servers.wsgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("app")


def app(environ, start_response):
    ctxlog.bind(marker=environ.get("HTTP_X_MARKER"))
    log.info("started")
    size = len(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
    if environ["PATH_INFO"] == "/crash":
        raise ValueError("broken")
    if environ["PATH_INFO"] == "/file":
        wrap = environ.get("wsgi.file_wrapper", FileWrapper)
        length = str(os.stat(__file__).st_size)
        start_response("200 OK", [("Content-Length", length)])
        return wrap(open(__file__, "rb"))
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "6")])
    return body(size)


def body(size):
    log.info("streaming")
    yield b"%06d" % size


app = ContextMiddleware(app)
"""

FLASK = """
import logging
import ctxlog
import ctxlog.servers.flask
from flask import Flask, Response, request, send_file, stream_with_context

ctxlog.configure(format="json")
log = logging.getLogger("app")
app = Flask(__name__)
ctxlog.servers.flask.init_app(app)


@app.route("/<path>", methods=["GET", "POST"])
def view(path):
    ctxlog.bind(marker=request.headers.get("X-Marker"))
    log.info("started")
    size = len(request.get_data())
    if path == "crash":
        raise ValueError("broken")
    if path == "file":
        return send_file(__file__)

    def body():
        log.info("streaming")
        yield b"%06d" % size

    return Response(stream_with_context(body()), headers={"Content-Length": "6"})
"""

DJANGO = """
import logging
import sys
import ctxlog
import django
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import FileResponse, StreamingHttpResponse
from django.urls import path

ctxlog.configure(format="json")
settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="only a test",
    ALLOWED_HOSTS=["*"],
    MIDDLEWARE=["ctxlog.servers.django.ContextMiddleware"],
    LOGGING_CONFIG=None,
)
django.setup()
log = logging.getLogger("app")


def view(request, name):
    ctxlog.bind(marker=request.headers.get("X-Marker"))
    log.info("started")
    size = len(request.body)
    if name == "crash":
        raise ValueError("broken")
    if name == "file":
        return FileResponse(open(__file__, "rb"))

    def body():
        log.info("streaming")
        yield b"%06d" % size

    return StreamingHttpResponse(body(), headers={"Content-Length": "6"})


urlpatterns = [path("<str:name>", view)]
app = get_wsgi_application()

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
"""

Event = dict[str, Any]

#: The route of all requests, by the application; the plain one has none.
ROUTES = {FLASK: "/<path>", DJANGO: "<str:name>"}

_GUNICORN = ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "--access-logfile", "-")
_THREADS = (*_GUNICORN, "-k", "gthread", "--threads", "8", "served:app")
_OURS = ("--logger-class", "ctxlog.servers.gunicorn.Logger")

#: Name: application, library that it needs, how it is started, its crash reports.
STACKS: dict[str, tuple[str, str, tuple[str, ...], set[str]]] = {
    "gunicorn sync": (
        RAW,
        "gunicorn",
        (*_GUNICORN, "served:app"),
        {"gunicorn.error"},
    ),
    "gunicorn gthread": (RAW, "gunicorn", (*_THREADS, *_OURS), {"gunicorn.error"}),
    "gunicorn gthread, Flask": (FLASK, "gunicorn", _THREADS, {"served"}),
    "gunicorn gthread, Django": (
        DJANGO,
        "gunicorn",
        (*_THREADS, *_OURS),
        {"django.request"},
    ),
    "waitress": (
        RAW,
        "waitress",
        ("-m", "waitress", "--listen=127.0.0.1:{port}", "--threads=8", "served:app"),
        {"waitress"},
    ),
    "werkzeug, Flask": (
        FLASK,
        "flask",
        ("-m", "flask", "--app", "served", "run", "--port", "{port}"),
        {"served"},
    ),
    "werkzeug": (
        RAW + "\nfrom werkzeug.serving import run_simple\nimport sys\n"
        "if __name__ == '__main__':\n"
        "    run_simple('127.0.0.1', int(sys.argv[1]), app, threaded=True)\n",
        "werkzeug",
        ("served.py", "{port}"),
        {"werkzeug"},
    ),
    "runserver, Django": (
        DJANGO,
        "django",
        ("served.py", "runserver", "--noreload", "127.0.0.1:{port}"),
        {"django.request"},
    ),
}


class Server:
    """
    A server's process, and the lines that it has written so far.
    """

    def __init__(self, command: list[str], port: int, folder: Path) -> None:
        self.port = port
        self.events: list[Event] = []
        self._changed = threading.Condition()
        installed = str(Path(ctxlog.__file__).parent.parent)
        paths = f"{installed}:{folder}"
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=clean_environment(PYTHONPATH=paths, PYTHONUTF8="1", HOME=str(folder)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            # Before the application has configured logging servers write text.
            if line.startswith(b"{"):
                with self._changed:
                    self.events.append(load_line(line))
                    self._changed.notify_all()

    def until(self, wanted: Callable[[Event], bool], count: int = 1) -> None:
        """
        Wait until *count* such lines are there.
        """

        def enough() -> bool:
            return sum(map(wanted, self.events)) >= count

        with self._changed:
            assert self._changed.wait_for(enough, timeout=30), self.events[-20:]

    def connect(self) -> socket.socket:
        """
        Open a connection, as soon as the server listens.
        """
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def stop(self) -> None:
        """
        End the server, and wait for the rest of its lines.
        """
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        self._reader.join(timeout=30)
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """
    The stack of the test's name, serving.
    """
    source, library, command, _ = STACKS[request.param]
    need(library)
    (tmp_path / "served.py").write_text(source, encoding="utf-8")
    port = free_port()
    filled = [part.format(port=port) for part in command]
    served = Server(filled, port, tmp_path)
    try:
        until_listening(served.process, served.port)
        yield served
    finally:
        served.stop()


def is_completion(event: Event) -> bool:
    return event["logger"] == "ctxlog.request"


BODY = b"x" * 400_000


def client(server: Server, number: int) -> None:
    """
    Ask five times over one connection, if the server keeps it: once it crashes.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for turn in range(5):
        request_id = f"req-{number}-{turn}"
        headers = {"X-Request-ID": request_id, "X-Marker": request_id}
        path = "/crash" if turn == 3 else "/page?token=hush"
        body = BODY if turn == 1 else b""
        connection.request("POST" if body else "GET", path, body or None, headers)
        response = connection.getresponse()
        content = response.read()
        assert response.headers.get_all("X-Request-ID") == [request_id]
        assert response.status == (500 if turn == 3 else 200)
        if turn == 3:
            connection.close()  # as servers do after an error; the next one opens it
        else:
            assert content == b"%06d" % len(body)
    connection.close()


@pytest.mark.parametrize("server", STACKS, indirect=True)
def test_every_line_of_every_request(
    server: Server, request: pytest.FixtureRequest
) -> None:
    """
    Of many clients' requests each has its own lines, the crash's too, and one about it.
    """
    source, _, _, reports = STACKS[request.node.callspec.params["server"]]
    route = ROUTES.get(source)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: client(server, number), range(8)))
    server.until(is_completion, 40)
    server.until(
        lambda event: (
            event["logger"] in reports
            and "exception" in event
            or "Error on request" in event["message"]
        ),
        8,
    )
    seen: dict[str, Counter[str]] = {}
    for event in server.events:
        if event["requestID"] == "N/A":
            assert event["logger"] not in ("app", "ctxlog.request", *reports) or (
                event["level"] == "INFO"
            )
            continue
        assert event.get("marker") == event["requestID"], event
        assert "late" not in event
        assert "hush" not in str(event)
        if event["logger"] in ("app", "ctxlog.request"):
            assert event.get("route") == route
        if is_completion(event) and event["status"] == 200:
            assert event["bytesOut"] == 6
        lines = seen.setdefault(event["requestID"], Counter())
        lines[event["logger"]] += 1
    page = {"app": 2, "ctxlog.request": 1}
    crash = {"app": 1, "ctxlog.request": 1, **dict.fromkeys(reports, 1)}
    assert seen == {
        f"req-{number}-{turn}": crash if turn == 3 else page
        for number in range(8)
        for turn in range(5)
    }


@pytest.mark.parametrize("server", STACKS, indirect=True)
def test_the_size_is_what_a_client_gets(server: Server) -> None:
    """
    Of a stream, of a file that the server may send by itself, and of HEAD.
    """
    sizes = []
    for method, path in (("GET", "/page"), ("GET", "/file"), ("HEAD", "/file")):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(method, path, headers={"X-Request-ID": "req-A"})
        sizes.append(len(connection.getresponse().read()))
        connection.close()
        server.until(is_completion, len(sizes))
    lines = [event for event in server.events if is_completion(event)]
    assert [line["method"] for line in lines] == ["GET", "GET", "HEAD"]
    assert [line["bytesOut"] for line in lines] == sizes
    assert sizes[1] > sizes[0] > sizes[2] == 0


@pytest.mark.parametrize("server", ["gunicorn gthread", "waitress"], indirect=True)
def test_garbage_and_half_a_request_are_nobodys(server: Server) -> None:
    """
    What is no request has no request's id, and the server goes on serving.
    """
    client(server, 1)
    with server.connect() as connection:
        connection.sendall(b"\x00garbage\r\n\r\n")
        assert b"400" in connection.recv(65536)
    with server.connect() as connection:
        connection.sendall(b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n")
    client(server, 2)
    server.until(is_completion, 10)
    for event in server.events:
        number = re.fullmatch(r"req-[12]-\d", event["requestID"])
        assert number or "marker" not in event
