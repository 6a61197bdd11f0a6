"""
The completion line under WSGI: sizes of bodies, what is asked for, rules of one's own.
"""

from __future__ import annotations

import gc
import io
import json
import logging
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest

import ctxlog
from ctxlog.line.redact import REDACTED
from ctxlog.servers import _environ
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment
from tests.servers.test_wsgi import PLAIN, Server, completion

LOG = logging.getLogger("tests.app")

FIELDS = (
    *("query", "userAgent", "referer", "host", "scheme", "httpVersion", "bytesIn"),
    *("bytesOut", "ttfbMs", "header:X-Tenant", "header:Authorization"),
    *(
        "header:Content-Type",
        "responseHeader:Content-Type",
        "responseHeader:Set-Cookie",
    ),
)


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    ctxlog.configure(format="json", stream=log_env.stream)
    yield log_env
    ctxlog.unconfigure()


def hello(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", PLAIN)
    return [b"hel", b"", b"lo"]


def streaming(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"hel"
    yield b"lo"


def writing(environ: Any, start_response: Any) -> Iterable[bytes]:
    write = start_response("200 OK", PLAIN)
    write(b"he")
    write(b"l")
    return [b"lo"]


def replacing(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Content-Length", "77")])
    try:
        raise ValueError("broken")
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
        start_response("500 Oops", PLAIN, info)
    return (b"hello",)


def crashing(environ: Any, start_response: Any) -> Iterable[bytes]:
    raise ValueError("broken")


@pytest.mark.parametrize("app", [hello, streaming, writing, replacing])
@pytest.mark.parametrize(("method", "size"), [("GET", 5), ("HEAD", 0)])
def test_the_size_of_a_body(
    lines: LogEnvironment, app: Any, method: str, size: int
) -> None:
    """
    It is what the server was given by the body and by `write()`; none for HEAD.
    """
    Server(ContextMiddleware(app), REQUEST_METHOD=method, checked=False).serve()
    assert completion(lines)["bytesOut"] == size


def test_the_size_of_what_a_client_took(lines: LogEnvironment) -> None:
    """
    A body that is closed early counts as far as it was read.
    """
    body = Server(ContextMiddleware(streaming)).respond()
    next(body)
    body.close()
    line = completion(lines)
    assert (line["bytesOut"], line["disconnected"]) == (3, True)


def test_the_size_of_an_error_that_the_middleware_answers(
    lines: LogEnvironment,
) -> None:
    """
    Its 500 has a body, too.
    """
    server = Server(ContextMiddleware(crashing))
    with pytest.raises(ValueError, match="broken"):
        server.serve()
    assert completion(lines)["bytesOut"] == len(server.body) > 0


def test_what_is_no_bytes_is_left_to_the_server(lines: LogEnvironment) -> None:
    """
    Parts that a server refuses are handed on as they are, and not counted.
    """
    parts: list[Any] = ["text", None, 7, bytearray(b"ab")]

    def odd(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return parts

    assert [*Server(ContextMiddleware(odd), checked=False).respond()] == parts
    gc.collect()
    assert completion(lines)["bytesOut"] == 2


class QuickWrapper(FileWrapper):
    """
    A file wrapper whose file a server sends past the middleware.
    """


def sent_file(environ: Any, start_response: Any) -> Any:
    headers = [*PLAIN]
    if environ["PATH_INFO"] == "/known":
        headers.append(("Content-Length", "5"))
    start_response("200 OK", headers)
    return environ["wsgi.file_wrapper"](io.BytesIO(b"hello"))


@pytest.mark.parametrize(
    ("method", "path", "size"),
    [("GET", "/known", 5), ("GET", "/unknown", None), ("HEAD", "/known", 0)],
)
def test_the_size_of_a_file_that_the_server_sends(
    lines: LogEnvironment, method: str, path: str, size: int | None
) -> None:
    """
    It is what the response promises; unknown without that.
    """
    environ = {"wsgi.file_wrapper": QuickWrapper, "PATH_INFO": path}
    app = ContextMiddleware(sent_file)
    body = Server(app, REQUEST_METHOD=method, checked=False, **environ).respond()
    assert type(body) is QuickWrapper
    body.close()
    assert completion(lines).get("bytesOut") == size


def test_a_file_that_was_not_sent_whole_has_no_size(lines: LogEnvironment) -> None:
    """
    Only the server knows how much of it the client has.
    """
    environ = {"wsgi.file_wrapper": QuickWrapper, "PATH_INFO": "/known"}
    body = Server(ContextMiddleware(sent_file), checked=False, **environ).respond()

    def send() -> None:
        try:
            raise ConnectionResetError
        finally:
            body.close()

    with pytest.raises(ConnectionResetError):
        send()
    line = completion(lines)
    assert line["disconnected"] is True
    assert "bytesOut" not in line


def cookies(environ: Any, start_response: Any) -> Iterable[bytes]:
    start_response("200 OK", [*PLAIN, ("Set-Cookie", "a=1"), ("set-cookie", "b=2")])
    return [b"ok"]


ASKED: dict[str, Any] = {
    "QUERY_STRING": "page=2&token=abc",
    "HTTP_USER_AGENT": "curl/8",
    "HTTP_REFERER": "https://alice:pw@shop.example/cart?token=abc#top",
    "HTTP_HOST": "shop.example:8443",
    "HTTP_X_TENANT": "acme",
    "HTTP_AUTHORIZATION": "Bearer abc",
    "HTTP_CONTENT_LENGTH": "3",  # twice, as some servers have it
    "CONTENT_LENGTH": "3",
    "CONTENT_TYPE": "text/csv",
    "wsgi.url_scheme": "https",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def test_all_that_may_be_asked_for(lines: LogEnvironment) -> None:
    """
    Each field comes from the environment, without secrets.
    """
    app = ContextMiddleware(cookies, completion_fields=FIELDS)
    Server(app, checked=False, **ASKED).serve()
    line = completion(lines)
    expected = {
        "query": f"page=2&token={REDACTED}",
        "userAgent": "curl/8",
        "referer": f"https://shop.example/cart?token={REDACTED}",
        "host": "shop.example:8443",
        "scheme": "https",
        "httpVersion": "1.1",
        "bytesIn": 3,
        "bytesOut": 2,
        "headers": {
            "X-Tenant": "acme",
            "Authorization": REDACTED,
            "Content-Type": "text/csv",
        },
        "responseHeaders": {"Content-Type": "text/plain", "Set-Cookie": REDACTED},
    }
    assert {name: line.get(name) for name in expected} == expected
    assert 0 <= line["ttfbMs"] <= line["durationMs"]
    text = lines.text()
    assert "abc" not in text
    assert "alice" not in text


def test_what_the_environment_does_not_have_is_absent(lines: LogEnvironment) -> None:
    """
    A server, or a test, may give next to nothing.
    """
    app = ContextMiddleware(hello, completion_fields=FIELDS)
    [*app({}, lambda *_: None)]
    gc.collect()
    line = completion(lines)
    wanted = {"query", "userAgent", "referer", "host", "scheme", "httpVersion"}
    assert not wanted & {*line}
    assert not {"bytesIn", "headers"} & {*line}


@pytest.mark.parametrize(
    ("protocol", "version"),
    [
        ("HTTP/1.0", "1.0"),
        ("HTTP/2.0", "2"),
        ("HTTP/2", "2"),
        ("HTTP/3", "3"),
        ("INCLUDED", None),
        ("", None),
        (None, None),
        ("uwsgi/1", None),
    ],
)
def test_the_version_of_http(
    lines: LogEnvironment, protocol: str | None, version: str | None
) -> None:
    """
    It is as ASGI has it; a server without HTTP has none.
    """
    app = ContextMiddleware(hello, completion_fields=["httpVersion"])
    Server(app, SERVER_PROTOCOL=protocol, checked=False).serve()
    assert completion(lines).get("httpVersion") == version


#: Values that a client, a server or a middleware put into the environment.
HOSTILE: dict[str, dict[str, Any]] = {
    "a query of 1 MB": {"QUERY_STRING": "a=" + "x" * 1_000_000 + "&token=hush"},
    "a million parameters": {"QUERY_STRING": "token=hush&" * 100_000},
    "a query of bytes": {"QUERY_STRING": b"token=hush"},
    "a header of 8 kB": {"HTTP_X_TENANT": "x" * 8192, "HTTP_REFERER": "y" * 8192},
    "control characters": {"HTTP_X_TENANT": "a\r\nSet-Cookie: x\x00\x1b[31m"},
    "Latin-1": {"HTTP_USER_AGENT": "caf\xc3\xa9\xff", "QUERY_STRING": "\xff=\xfe"},
    "surrogates": {"HTTP_USER_AGENT": "\udce9", "HTTP_REFERER": "http://\udce9/"},
    "numbers": {"HTTP_X_TENANT": 7, "CONTENT_LENGTH": 7, "HTTP_HOST": 1.5},
    "None": dict.fromkeys(ASKED),
    "objects": {key: object() for key in ASKED if key != "wsgi.url_scheme"},
    "a length that is none": {"CONTENT_LENGTH": "-1"},
    "a length of digits": {"CONTENT_LENGTH": "9" * 5000},
    "digits of another script": {"CONTENT_LENGTH": "\u0663"},
    "a referer that is no URL": {"HTTP_REFERER": "http://[::1/?token=hush"},
}


@pytest.mark.parametrize("environ", HOSTILE.values(), ids=HOSTILE)
def test_hostile_requests_have_their_line(
    lines: LogEnvironment, environ: dict[str, Any]
) -> None:
    """
    Whatever the environment holds, there is one line, short and without secrets.
    """
    app = ContextMiddleware(hello, completion_fields=FIELDS)
    Server(app, checked=False, **environ).serve()
    assert completion(lines)["bytesOut"] == 5
    text = lines.text()
    assert "hush" not in text
    assert len(text) < 20_000
    assert text.count("\n") == 1


# Rules ----------------------------------------------------------------------------


def test_completion_gets_the_environment(lines: LogEnvironment) -> None:
    """
    As its request, and the headers by their names; nothing is kept.
    """

    class Environ(dict[str, Any]):
        pass

    def fields(done: Any) -> dict[str, object]:
        return {
            "remote": done.request["REMOTE_ADDR"],
            "tenant": done.headers["x-tenant"],
            "type": done.headers["Content-Type"],
            "seen": [done.method, done.path, done.status, done.route],
        }

    app = ContextMiddleware(hello, completion=fields)
    environ = Environ(
        Server(hello, HTTP_X_TENANT="acme", CONTENT_TYPE="text/csv").environ
    )
    alive = weakref.ref(environ)
    gc.collect()
    gc.disable()
    try:
        body: Any = app(environ, lambda *_: None)
        assert [*body] == [b"hel", b"", b"lo"]
        body.close()
        del body, environ
        assert alive() is None
    finally:
        gc.enable()
    line = completion(lines)
    assert (line["remote"], line["tenant"]) == ("203.0.113.7", "acme")
    assert line["type"] == "text/csv"
    assert line["seen"] == ["GET", "/", 200, None]


def gone(app: Any, **environ: Any) -> None:
    body = Server(app, **environ).respond()
    next(body)
    body.close()


def served(app: Any, **environ: Any) -> None:
    server = Server(app, **environ)
    try:
        server.serve()
    except ValueError:
        assert server.status.startswith("500")


@pytest.mark.parametrize(
    ("app", "serve", "status", "level"),
    [
        (hello, served, 200, "INFO"),
        (streaming, served, 200, "INFO"),
        (streaming, gone, 200, "WARNING"),
        (crashing, served, 500, "ERROR"),
    ],
)
def test_rules_of_every_end(
    lines: LogEnvironment, app: Any, serve: Callable[..., None], status: int, level: str
) -> None:
    """
    Fields, a level, slowness or no line at all: for lists, streams, those that a client
    leaves, and errors.
    """
    errors: list[object] = []

    def note(done: Any) -> dict[str, object]:
        errors.append(done.error)
        return {"status": "mine", "tenant": "acme"}

    serve(ContextMiddleware(app, completion=note, slow=0))
    line = completion(lines)
    assert (line["status"], line["fields.status"], line["tenant"]) == (
        *(status, "mine"),
        "acme",
    )
    assert line["slow"] is True
    assert line["level"] == ("WARNING" if level == "INFO" else level)
    assert (errors[0] is None) == (status == 200)

    lines.stream.seek(0)
    lines.stream.truncate()
    serve(ContextMiddleware(app, completion_level=lambda done: "CRITICAL"))
    assert completion(lines)["level"] == "CRITICAL"

    lines.stream.seek(0)
    lines.stream.truncate()
    serve(ContextMiddleware(app, completion=lambda done: False))
    assert all(one["logger"] != "ctxlog.request" for one in lines.load_all())


@pytest.mark.parametrize("app", [hello, streaming, writing])
def test_a_rule_that_fails_costs_its_fields(lines: LogEnvironment, app: Any) -> None:
    """
    The request is served, its line is there, and one report says why it is bare.
    """

    def divide(done: Any) -> Any:
        return 1 / 0

    middleware = ContextMiddleware(
        app, completion=divide, completion_level=lambda done: [][0]
    )
    server = Server(middleware, HTTP_X_REQUEST_ID="req-A", checked=False).serve()
    assert server.body == b"hello"
    line = completion(lines)
    assert (line["level"], line["status"]) == ("INFO", 200)
    reports = [one for one in lines.load_all() if one["logger"] == "ctxlog"]
    assert sorted(one["exception"]["type"] for one in reports) == [
        "IndexError",
        "ZeroDivisionError",
    ]
    assert {one["requestID"] for one in reports} == {"req-A"}


def test_a_rule_that_returns_ten_megabytes(lines: LogEnvironment) -> None:
    """
    The line is cut to the size of any line.
    """
    app = ContextMiddleware(hello, completion=lambda done: {"big": "x" * 10_000_000})
    Server(app).serve()
    (line,) = lines.text().splitlines()
    assert len(line) <= 262_144
    assert json.loads(line)["status"] == 200


# Prefixes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ("", "/orders/{number}"),
        (None, "/orders/{number}"),
        (7, "/orders/{number}"),
        ("/", "/orders/{number}"),
        ("/api", "/api/orders/{number}"),
        ("/api/", "/api/orders/{number}"),
        ("/caf\xc3\xa9", "/caf\u00e9/orders/{number}"),
        ("/caf\u00e9", "/caf\u00e9/orders/{number}"),
        ("/\u20ac", "/\u20ac/orders/{number}"),
        ("/" + "x" * 300, "/orders/{number}"),
    ],
)
def test_a_prefix_is_a_part_of_the_route(
    mount: Any, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A prefix that is no prefix, or too long to be one, is left out.
    """
    monkeypatch.setattr(_environ, "_mounts", set())
    environ = {"SCRIPT_NAME": mount}
    assert _environ.mounted("/orders/{number}", environ) == expected


def test_a_file_of_the_disk(lines: LogEnvironment) -> None:
    """
    The standard library's server reads a file through the body, which is counted.
    """
    path = Path(__file__)

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return FileWrapper(path.open("rb"))

    Server(ContextMiddleware(app)).serve()
    assert completion(lines)["bytesOut"] == path.stat().st_size
