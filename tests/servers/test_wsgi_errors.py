"""
What an application writes to `wsgi.errors` becomes lines of its request.
"""

from __future__ import annotations

import copy
import io
import logging
import socket
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from wsgiref.simple_server import make_server

import pytest

from ctxlog import config
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment
from tests.servers.test_wsgi import PLAIN, Server

Write = Callable[[Any], object]


@pytest.fixture
def lines(log_env: LogEnvironment) -> LogEnvironment:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    return log_env


@pytest.fixture(autouse=True)
def _unconfigured() -> Iterator[None]:
    yield
    config.unconfigure()


def serve(write: Write) -> str:
    """
    Serve a request whose application writes; return what the server's stream got.
    """

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        write(environ["wsgi.errors"])
        start_response("200 OK", PLAIN)
        return [b""]

    servers = io.StringIO()
    environ = {"wsgi.errors": servers, "HTTP_X_REQUEST_ID": "req-1"}
    Server(ContextMiddleware(app), checked=False, **environ).serve()
    return servers.getvalue()


def told(lines: LogEnvironment) -> list[tuple[str, str, str]]:
    """
    Request, level and message of what was written.
    """
    return [
        (line["requestID"], line["level"], line["message"])
        for line in lines.load_all()
        if line["logger"] == "wsgi.errors"
    ]


def crash() -> None:
    raise ValueError("bad")


def in_one_piece(stream: Any) -> None:
    """
    Write as Bottle and Falcon do.
    """
    try:
        crash()
    except ValueError:
        stream.write(f"GET /?secret=1 =>\n{traceback.format_exc()}")


def in_pieces(stream: Any) -> None:
    """
    Write line by line.
    """
    try:
        crash()
    except ValueError:
        traceback.print_exc(file=stream)


def with_a_cause(stream: Any) -> None:
    """
    Write two tracebacks in pieces, the cause first.
    """
    try:
        try:
            {}["k"]
        except KeyError as error:
            raise ValueError("bad") from error
    except ValueError:
        traceback.print_exc(file=stream)


@pytest.mark.parametrize("write", [in_one_piece, in_pieces, with_a_cause])
def test_a_traceback_is_one_line(lines: LogEnvironment, write: Write) -> None:
    """
    It has the exception, and nothing of the text around it, such as a query string.
    """
    assert serve(write) == ""
    crashed, completed = lines.load_all()
    assert crashed["message"] == "Exception in WSGI application"
    assert crashed["level"] == "ERROR"
    assert crashed["requestID"] == completed["requestID"] == "req-1"
    assert crashed["exception"]["type"] == "ValueError"
    assert "in crash" in crashed["exception"]["stack"] or write is with_a_cause
    assert ("KeyError" in crashed["exception"]["stack"]) == (write is with_a_cause)
    assert "secret" not in str(crashed)
    assert "late" not in crashed


def test_other_text_is_a_line_each(lines: LogEnvironment) -> None:
    """
    What is printed comes at once, a line each; what has no end at the request's end.
    """

    def write(stream: Any) -> None:
        print("one", "more", file=stream)
        stream.writelines(["two\n", "thr"])
        assert [message for *_, message in told(lines)] == ["one more", "two"]
        stream.write("ee")

    assert serve(write) == ""
    assert told(lines) == [
        ("req-1", "WARNING", "one more"),
        ("req-1", "WARNING", "two"),
        ("req-1", "WARNING", "three"),
    ]


def test_flush_ends_a_line(lines: LogEnvironment) -> None:
    """
    Text without an end is logged when the application flushes the stream.
    """

    def write(stream: Any) -> None:
        stream.write("one")
        stream.flush()
        assert told(lines) == [("req-1", "WARNING", "one")]
        stream.flush()

    serve(write)
    assert len(told(lines)) == 1


def test_text_without_end_is_not_kept_for_ever(lines: LogEnvironment) -> None:
    """
    What gets too long is logged before its end comes.
    """

    def write(stream: Any) -> None:
        for _ in range(70):
            stream.write("x" * 1000)
        assert len(told(lines)) == 1

    serve(write)
    assert "".join(message for *_, message in told(lines)) == "x" * 70_000


def test_what_a_thread_writes_later(lines: LogEnvironment) -> None:
    """
    It is the request's, wherever it is written, and late.
    """
    kept: list[Any] = []
    serve(kept.append)

    def write() -> None:
        try:
            crash()
        except ValueError:
            kept[0].write("still")

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    (line,) = [one for one in lines.load_all() if one["logger"] == "wsgi.errors"]
    assert (line["requestID"], line["message"]) == ("req-1", "still")
    assert line["late"] is True


def test_what_a_handler_writes_goes_on(lines: LogEnvironment) -> None:
    """
    A handler of `logging` on the stream has made its line already.
    """

    def write(stream: Any) -> None:
        handler = logging.StreamHandler(stream)
        logger = logging.Logger("of its own")
        logger.addHandler(handler)
        logger.error("made by a handler")

    assert serve(write) == "made by a handler\n"
    assert told(lines) == []


class _Forwarding(logging.Handler):
    """
    A user-defined handler, which writes to a stream.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__()
        self.stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        self.stream.write(f"forwarded: {record.getMessage()}\n")


def test_a_handler_that_writes_there_ends(lines: LogEnvironment) -> None:
    """
    Lines of the stream that a handler writes to the stream do not come again.
    """
    logger = logging.getLogger("wsgi.errors")

    def write(stream: Any) -> None:
        handler = _Forwarding(stream)
        logger.addHandler(handler)
        try:
            stream.write("text\n")
        finally:
            logger.removeHandler(handler)

    assert serve(write) == "forwarded: text\n"
    assert len(told(lines)) == 1


def test_a_logger_that_is_switched_off(lines: LogEnvironment) -> None:
    """
    The text goes to the server's stream, as without the middleware.
    """
    logger = logging.getLogger("wsgi.errors")
    logger.setLevel(logging.CRITICAL)
    try:
        assert serve(in_pieces).endswith("ValueError: bad\n")
    finally:
        logger.setLevel(logging.NOTSET)
    assert told(lines) == []


def test_a_logger_without_a_handler(
    lines: LogEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The line would be lost, so the text goes to the stream.
    """
    monkeypatch.setattr(logging.getLogger("wsgi.errors"), "propagate", False)
    assert serve(in_pieces).endswith("ValueError: bad\n")
    assert told(lines) == []


def test_an_exception_that_cannot_be_shown(lines: LogEnvironment) -> None:
    """
    Text beside an exception whose `__str__` raises is logged all the same.
    """

    class Hostile(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    def write(stream: Any) -> None:
        try:
            raise Hostile
        except Hostile:
            stream.write("something failed\n")

    serve(write)
    assert [line[0] for line in told(lines)] == ["req-1"]


def test_the_rest_is_the_servers(lines: LogEnvironment) -> None:
    """
    Whatever else is asked of the stream the server's answers.
    """
    found: list[object] = []
    serve(lambda stream: found.extend([stream.isatty(), stream.closed]))
    assert found == [False, False]


def test_a_copy_writes_likewise(lines: LogEnvironment) -> None:
    """
    Applications copy the environment, and what is in it.
    """

    def write(stream: Any) -> None:
        copy.copy(stream).write("copied\n")

    assert serve(write) == ""
    assert told(lines) == [("req-1", "WARNING", "copied")]


def raising(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise ValueError("bad")


def raising_later(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"x"
    raise ValueError("bad")


class RaisingAtItsEnd:
    """
    A body whose `close()` raises.
    """

    def __init__(self, environ: Any, start_response: Any) -> None:
        start_response("200 OK", PLAIN)

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x"])

    def close(self) -> None:
        raise ValueError("bad")


FAILING = [raising, raising_later, RaisingAtItsEnd]


@pytest.mark.parametrize("app", FAILING)
def test_a_server_that_prints_exceptions(lines: LogEnvironment, app: Any) -> None:
    """
    `wsgiref` prints them to standard error: the line is the middleware's.
    """
    server = make_server("127.0.0.1", 0, ContextMiddleware(app))
    with server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, server.server_port)
        server.handle_request()
        asked.result()
    crashed, completed = lines.load_all()
    assert crashed["logger"] == "wsgi.errors"
    assert crashed["exception"]["type"] == "ValueError"
    assert crashed["requestID"] == completed["requestID"] == "req-1"
    assert completed["level"] == "ERROR"


def ask(port: int) -> None:
    """
    Send a request by hand, and wait until the server closes the connection.
    """
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\nX-Request-ID: req-1\r\n\r\n")
        while connection.recv(65536):
            pass


@pytest.mark.parametrize("app", FAILING)
@pytest.mark.parametrize(
    ("environ", "number"),
    [
        ({"uwsgi.version": b"2.0"}, 0),  # through sys.excepthook
        ({"SERVER_SOFTWARE": "Cheroot/11"}, 1),
        ({"SERVER_SOFTWARE": "gunicorn/27.0"}, 0),
        ({"SERVER_SOFTWARE": "waitress"}, 0),
        ({"SERVER_SOFTWARE": "Cheroot/11", "x-wsgiorg.throw_errors": True}, 0),
        ({}, 0),
    ],
)
def test_who_reports(
    lines: LogEnvironment, app: Any, environ: dict[str, Any], number: int
) -> None:
    """
    One line where the server prints; none where it logs, or a debugger shows the error.
    """
    with pytest.raises(ValueError, match="bad"):
        Server(ContextMiddleware(app), checked=False, **environ).serve()
    assert len(told(lines)) == number
