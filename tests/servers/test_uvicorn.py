"""
uvicorn as it is started from the command line: real sockets, its own loggers.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import need
from tests.servers.serving import (
    Response,
    Server,
    is_completion,
    is_crash,
    of,
    request,
    serving,
)

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(sys.platform == "win32", reason="ends the server with a signal"),
]

APP = """
import asyncio
import logging
import os

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json", access_lines=os.environ["APP_ACCESS_LINES"])
log = logging.getLogger("app")
arrived = 0
all_here = asyncio.Event()


async def read(receive):
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    return size


async def app(scope, receive, send):
    global arrived
    if scope["type"] != "http":
        raise NotImplementedError
    headers = dict(scope["headers"])
    ctxlog.bind(marker=headers.get(b"x-marker", b"").decode())
    log.info("started %s", scope["path"])
    size = await read(receive)
    if scope["path"] == "/crash":
        raise ValueError("broken")
    if scope["path"] == "/barrier":
        arrived += 1
        if arrived == int(headers[b"x-count"]):
            all_here.set()
        await all_here.wait()
    log.info("read %d", size)
    body = str(size).encode()
    await send({
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-length", str(len(body)).encode())],
    })
    await send({"type": "http.response.body", "body": body})
    await asyncio.sleep(0)
    log.info("done")


app = ContextMiddleware(app)
"""

FRAMEWORK_APP = """
import logging

import ctxlog
from ctxlog.servers.asgi import install
from starlette.applications import Starlette
from starlette.routing import Route

ctxlog.configure(format="json")


async def crash(request):
    logging.getLogger("app").info("started")
    raise ValueError("broken")


app = Starlette(routes=[Route("/crash", crash)])
install(app)
"""

Start = Callable[..., Server]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """
    Start uvicorn on a free port; it is stopped afterwards, with an empty stderr.
    """
    need("uvicorn")
    with contextlib.ExitStack() as servers:

        def run(http: str, source: str = APP, access_lines: str = "ctxlog") -> Server:
            need(http)
            return servers.enter_context(
                serving(source, tmp_path, http, APP_ACCESS_LINES=access_lines)
            )

        yield run


BODY = b"x" * 400_000
https = pytest.mark.parametrize("http", ["h11", "httptools"])


@https
def test_a_kept_connection_shares_nothing(start: Start, http: str) -> None:
    """
    After a large request, the next one on the connection, and its crash line, is alone.
    """
    server = start(http)
    with server.connect() as connection:
        connection.sendall(
            request("/read", request_id="first", marker="m-1", body=BODY)
        )
        first = Response(connection)
        assert (first.status, first.body) == (200, b"400000")
        assert first.headers["x-request-id"] == "first"
        connection.sendall(request("/crash", marker="m-2"))
        second = Response(connection)
    assert second.status == 500
    made = second.headers["x-request-id"]
    server.until(is_crash)
    events = server.stop()
    with_first = [one for one in events if one["requestID"] == "first"]
    with_second = [one for one in events if one["requestID"] == made]
    assert [one["message"] for one in with_first] == [
        "started /read",
        "read 400000",
        "done",
        "POST /read 200",
    ]
    assert {one["marker"] for one in with_first} == {"m-1"}
    messages = [one["message"].strip() for one in with_second]
    assert messages[:2] == ["started /crash", "GET /crash 500"]
    assert messages[2].startswith("Exception in ASGI application")
    assert len(messages) == 3
    assert {one["marker"] for one in with_second} == {"m-2"}
    (crash,) = [one for one in events if is_crash(one)]
    assert "first" not in str(crash)
    assert "m-1" not in str(crash)
    assert "late" not in crash


@https
def test_garbage_on_a_kept_connection_is_nobodys(start: Start, http: str) -> None:
    """
    The server's line about garbage after a large request has no request's fields.
    """
    server = start(http)
    with server.connect() as connection:
        connection.sendall(
            request("/read", request_id="first", marker="m-1", body=BODY)
        )
        assert Response(connection).status == 200
        server.until(is_completion)
        connection.sendall(b"\x00garbage\r\n\r\n")
        assert Response(connection).status == 400
    line = server.until(lambda one: "Invalid HTTP request" in one["message"])
    assert line["requestID"] == "N/A"
    assert "marker" not in line
    assert "late" not in line


@https
def test_two_requests_at_once_on_a_connection(start: Start, http: str) -> None:
    """
    Pipelined requests, the second read before the first is answered, share nothing.
    """
    server = start(http)
    with server.connect() as connection:
        connection.sendall(
            request("/a", request_id="id-a", marker="m-a", body=BODY)
            + request("/b", marker="m-b")
        )
        server.until(is_completion, count=2)
    for event in of(server.stop(), "app"):
        assert (event["requestID"] == "id-a") is (event["marker"] == "m-a")


@https
def test_every_line_has_its_own_id(start: Start, http: str) -> None:
    """
    Of 200 requests at once every line has the id of its own request, and each has four.
    """
    server = start(http)
    ids = [uuid.uuid4().hex for _ in range(200)]

    async def one(request_id: str) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        head = (
            "GET /barrier HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"X-Request-ID: {request_id}\r\nX-Marker: {request_id}\r\n"
            f"X-Count: {len(ids)}\r\n\r\n"
        )
        writer.write(head.encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        assert f"x-request-id: {request_id}".encode() in answer

    async def everyone() -> None:
        await asyncio.gather(*(one(request_id) for request_id in ids))

    asyncio.run(everyone())
    server.until(is_completion, count=len(ids))
    lines = [one for one in server.stop() if one["logger"] != "uvicorn.error"]
    assert len(lines) == 4 * len(ids)
    assert {one["requestID"] for one in lines} == set(ids)
    assert all(one["marker"] == one["requestID"] for one in lines)


@https
def test_starlettes_crash_is_one_requests(start: Start, http: str) -> None:
    """
    With install(app) the 500, the completion line and the crash line have one id.
    """
    need("starlette")
    server = start(http, FRAMEWORK_APP)
    with server.connect() as connection:
        connection.sendall(request("/crash"))
        response = Response(connection)
    assert response.status == 500
    server.until(is_crash)
    crashed = [one for one in server.stop() if one["requestID"] != "N/A"]
    assert [one["logger"] for one in crashed] == [
        "app",
        "ctxlog.request",
        "uvicorn.error",
    ]
    made = {response.headers["x-request-id"]}
    assert {one["requestID"] for one in crashed} == made


@https
@pytest.mark.parametrize("access_lines", ["ctxlog", "both"])
def test_uvicorns_access_line(start: Start, http: str, access_lines: str) -> None:
    """
    uvicorn's access line is left out, or kept with its request's id.
    """
    server = start(http, access_lines=access_lines)
    with server.connect() as connection:
        connection.sendall(request("/read", request_id="one"))
        assert Response(connection).status == 200
        server.until(is_completion)
    kept = [one["requestID"] for one in of(server.stop(), "uvicorn.access")]
    assert kept == ([] if access_lines == "ctxlog" else ["one"])


@https
def test_a_client_that_leaves_has_one_line(start: Start, http: str) -> None:
    """
    A connection that is cut in the middle of a request gives one completion line.
    """
    server = start(http)
    with server.connect() as connection:
        whole = request("/read", request_id="cut", body=BODY)
        connection.sendall(whole[: len(whole) // 2])
        server.until(lambda one: one["message"] == "started /read")
    server.until(is_completion)
    (line,) = of(server.stop(), "ctxlog.request")
    assert line["requestID"] == "cut"
    assert line["disconnected"] is True
    assert line["level"] == "WARNING"
