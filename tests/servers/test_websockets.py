"""
The adapter for `websockets`, with its own server and client on a loopback socket.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.context import get_store
from tests.helpers import LogEnvironment, need

websockets = need("websockets")
server = need("websockets.asyncio.server")
client = need("websockets.asyncio.client")
adapter = need("ctxlog.servers.websockets")

LOG = logging.getLogger("tests.app")
ID = {"X-Request-ID": "req-1"}


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    levels = {"websockets.client": "CRITICAL"}
    config.configure(format="json", stream=log_env.stream, levels=levels)
    yield log_env
    config.unconfigure()


async def handle(connection: Any) -> None:
    """
    Answer messages; some of them are asked for.
    """
    async for message in connection:
        LOG.info("got %s", message)
        if message == "crash":
            raise ValueError("broken")
        if message == "user":
            ctxlog.bind(user={"id": "u-1"})
        if message == "thread":
            await asyncio.to_thread(LOG.info, "thread")
        await connection.send(message)


def serve(
    talk: Any,
    connection: Any = adapter.ContextConnection,
    handler: Any = handle,
    **options: Any,
) -> Any:
    """
    What `talk` returns, which gets a running server's address.
    """

    async def main() -> Any:
        options.setdefault("create_connection", connection)
        async with server.serve(handler, "127.0.0.1", 0, **options) as running:
            return await talk(f"ws://127.0.0.1:{running.sockets[0].getsockname()[1]}")

    return asyncio.run(main())


def of_requests(lines: LogEnvironment) -> list[dict[str, Any]]:
    """
    The lines that are not about the server itself.
    """
    own = ("server listening", "server clos")
    return [one for one in lines.load_all() if not one["message"].startswith(own)]


def test_the_close_code_is_spelled_as_chosen(lines: LogEnvironment) -> None:
    """
    `case="snake"` holds for what the adapter adds to the completion line.
    """

    async def talk(url: str) -> None:
        async with client.connect(url, additional_headers=ID):
            pass

    config.configure(format="json", stream=lines.stream, case="snake")
    serve(talk)
    (done,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert (done["close_code"], done["request_id"]) == (1000, "req-1")
    assert {"duration_ms", "elapsed_ms"} <= done.keys()


def test_every_line_of_a_connection_has_the_id(lines: LogEnvironment) -> None:
    """
    The application's, the server's and those of threads; the handshake echoes it.
    """

    async def talk(url: str) -> Any:
        headers = {"X-Request-ID": "req-1"}
        async with client.connect(f"{url}/a?secret", additional_headers=headers) as ws:
            for message in ("user", "thread"):
                await ws.send(message)
                assert await ws.recv() == message
            return ws.response.headers.get_all("X-Request-ID")

    assert serve(talk) == ["req-1"]
    events = of_requests(lines)
    messages = [one["message"] for one in events]
    # Versions before 17 do not say when it is closed.
    assert [one for one in messages if one != "connection closed"] == [
        *("connection open", "got user", "got thread", "thread", "GET /a 101"),
    ]
    assert {one["requestID"] for one in events} == {"req-1"}
    assert not any("late" in one or "websocket" in one for one in events)
    done = events[-1]
    assert (done["method"], done["path"], done["status"]) == ("GET", "/a", 101)
    assert (done["closeCode"], done["client"]) == (1000, "127.0.0.1")
    assert (done["level"], done["user"]) == ("INFO", {"id": "u-1"})


def test_a_handler_that_fails_is_reported_with_the_id(lines: LogEnvironment) -> None:
    """
    By the server's own line, before the completion line.
    """

    async def talk(url: str) -> Any:
        async with client.connect(url, additional_headers=ID) as ws:
            await ws.send("crash")
            await ws.wait_closed()
            return ws.close_code

    assert serve(talk) == 1011
    events = of_requests(lines)
    assert {one["requestID"] for one in events} == {"req-1"}
    done = events[-1]
    (report,) = [one for one in events if "exception" in one]
    assert done["message"] == "GET / 101"
    assert (done["level"], done["error"]) == ("ERROR", "ValueError")
    assert done["closeCode"] == 1011
    assert report["message"] == "connection handler failed"
    assert report["exception"]["message"] == "broken"
    assert "late" not in report


def test_a_client_that_goes_away_is_no_error(lines: LogEnvironment) -> None:
    """
    Without a closing handshake: one completion line, a warning.
    """

    async def talk(url: str) -> None:
        gone = asyncio.Event()
        running.append(gone)
        ws = await client.connect(url, additional_headers=ID)
        await ws.send("hello")
        assert await ws.recv() == "hello"
        ws.transport.abort()
        await asyncio.wait_for(gone.wait(), 20)

    running: list[asyncio.Event] = []

    async def watched(connection: Any) -> None:
        try:
            await handle(connection)
        finally:
            running[0].set()

    serve(talk, handler=watched)
    events = of_requests(lines)
    assert {one["requestID"] for one in events} == {"req-1"}
    (done,) = [one for one in events if one["logger"] == "ctxlog.request"]
    assert (done["level"], done["closeCode"]) == ("WARNING", 1006)
    assert done["disconnected"] is True
    assert "error" not in done


def test_concurrent_connections_are_not_mixed(lines: LogEnvironment) -> None:
    """
    Each of many at once has its own id on its own lines; all others have none.
    """

    async def one(url: str, number: int) -> None:
        headers = {"X-Request-ID": f"r{number}"}
        async with client.connect(url, additional_headers=headers) as ws:
            for _ in range(3):
                await ws.send(f"r{number}")
                await ws.recv()

    async def talk(url: str) -> Any:
        await asyncio.gather(*(one(url, number) for number in range(50)))
        return get_store()

    assert serve(talk) is None
    own = [one for one in of_requests(lines) if one["message"].startswith("got ")]
    assert len(own) == 150
    assert all(one["message"] == f"got {one['requestID']}" for one in own)


def refuse(connection: Any, request: Any) -> Any:
    """
    Answer with a plain response.
    """
    LOG.info("refused")
    return connection.respond(403, "no\n")


async def fail(connection: Any, request: Any) -> Any:
    """
    Fail before the handshake.
    """
    await asyncio.sleep(0)
    raise ValueError("broken")


def fail_late(connection: Any, request: Any, response: Any) -> Any:
    """
    Fail after the handshake has been accepted.
    """
    raise ValueError("broken")


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ({"process_request": refuse}, 403, "refused"),
        # Versions before 17 say "opening handshake".
        ({"process_request": fail}, 500, " failed"),
        ({"process_response": fail_late}, 500, " failed"),
        ({"origins": ["https://shop"]}, 403, "connection rejected (403 Forbidden)"),
    ],
)
def test_a_refused_handshake_has_the_id(
    lines: LogEnvironment, options: Any, status: int, message: str
) -> None:
    """
    On the response, on every line, and on the completion line.
    """

    async def talk(url: str) -> Any:
        with pytest.raises(websockets.InvalidStatus) as caught:
            await client.connect(url, additional_headers=ID)
        response = caught.value.response
        return response.status_code, response.headers.get_all("X-Request-ID")

    assert serve(talk, **options) == (status, ["req-1"])
    events = of_requests(lines)
    assert {one["requestID"] for one in events} == {"req-1"}
    messages = [one["message"] for one in events]
    assert any(one.endswith(message) for one in messages)
    assert messages[-1] == f"GET / {status}"
    assert "closeCode" not in events[-1]


def test_what_is_no_request_has_no_store(lines: LogEnvironment) -> None:
    """
    Half a request, and something else than HTTP: the server answers on.
    """

    async def talk(url: str) -> Any:
        host, _, port = url.removeprefix("ws://").partition(":")
        for data in (b"GET / HT", b"\x00\x01\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(data)
            writer.write_eof()
            await reader.read()
            writer.close()
        async with client.connect(url, additional_headers=ID) as ws:
            return ws.response.headers["X-Request-ID"]

    assert serve(talk) == "req-1"
    done = [one for one in of_requests(lines) if one["logger"] == "ctxlog.request"]
    assert [one["message"] for one in done] == ["GET / 101"]


def test_a_handshake_that_takes_too_long_has_a_completion_line(
    lines: LogEnvironment,
) -> None:
    """
    `open_timeout` stops what checks the request.
    """

    async def check(connection: Any, request: Any) -> Any:
        try:
            await asyncio.Event().wait()
        finally:
            LOG.info("stopped")

    async def talk(url: str) -> None:
        with pytest.raises((OSError, websockets.InvalidMessage)):
            await client.connect(url, additional_headers=ID)

    serve(talk, process_request=check, open_timeout=1)
    events = of_requests(lines)
    assert {one["requestID"] for one in events} == {"req-1"}
    messages = [one["message"] for one in events]
    assert messages[0] == "stopped"
    assert "GET / cancelled" in messages


def test_the_options_are_those_of_all_servers(lines: LogEnvironment) -> None:
    """
    The user is the one that `basic_auth()` has checked; wrong options are named.
    """
    credentials = ("alice", "secret")
    mine = adapter.connection(request_id_header="X-Trace", trust=["127.0.0.0/8"])

    async def talk(url: str) -> Any:
        url = url.replace("ws://", "ws://alice:secret@")
        async with client.connect(url, additional_headers={"X-Trace": "t-1"}) as ws:
            return ws.response.headers["X-Trace"]

    checked = server.basic_auth("shop", credentials)
    assert serve(talk, mine, process_request=checked) == "t-1"
    (done,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert (done["requestID"], done["user"]) == ("t-1", {"name": "alice"})
    with pytest.raises(ctxlog.ConfigError, match="trust"):
        adapter.connection(trust="everybody")


# Routes and the completion line -------------------------------------------------


def completion(lines: LogEnvironment) -> dict[str, Any]:
    """
    The one completion line.
    """
    (line,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    return line


def visit(
    path: str, *, headers: Any = ID, routing: bool = False, **options: Any
) -> Any:
    """
    Open a connection and close it; the status of the handshake.
    """

    async def talk(url: str) -> int:
        try:
            async with client.connect(url + path, additional_headers=headers):
                return 101
        except websockets.exceptions.InvalidStatus as refused:
            return int(refused.response.status_code)

    if not routing:
        return serve(talk, handler=silent, **options)

    async def main() -> Any:
        werkzeug = need("werkzeug.routing")
        urls = werkzeug.Map(
            [
                werkzeug.Rule("/rooms/<int:number>", endpoint=silent),
                werkzeug.Rule("/{braces}/<path:rest>", endpoint=silent),
            ]
        )
        route = need("websockets.asyncio.router").route
        made = options.pop("create_connection", adapter.ContextConnection)
        async with route(urls, "127.0.0.1", 0, create_connection=made) as running:
            port = running.sockets[0].getsockname()[1]
            return await talk(f"ws://127.0.0.1:{port}")

    return asyncio.run(main())


async def silent(connection: Any, **parameters: object) -> None:
    """
    Log a line.
    """
    LOG.info("in the handler")


@pytest.mark.parametrize(
    ("path", "status", "route"),
    [
        ("/rooms/7?a=b", 101, "/rooms/<int:number>"),
        ("/{braces}/a/b", 101, "/{braces}/<path:rest>"),
        ("/rooms/seven", 404, None),
        ("/nothing", 404, None),
    ],
)
def test_route_of_a_router(
    lines: LogEnvironment, path: str, status: int, route: str | None
) -> None:
    """
    The rule that matched; where nothing did, none.
    """
    assert visit(path, routing=True) == status
    line = completion(lines)
    assert (line["status"], line.get("route")) == (status, route)
    inner = [one["route"] for one in lines.load_all() if one["logger"] == "tests.app"]
    assert inner == ([route] if route else [])


def test_without_a_router_there_is_no_route(lines: LogEnvironment) -> None:
    """
    A path is not a route, and a websocket has no size.
    """
    visit("/rooms/7")
    assert "route" not in completion(lines)
    assert "bytesOut" not in completion(lines)


def test_a_refused_handshake_has_a_size(lines: LogEnvironment) -> None:
    """
    It is answered with a body.
    """

    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(403, "not you")

    assert visit("/", process_request=refuse) == 403
    assert completion(lines)["bytesOut"] == len("not you")


def test_what_is_asked_for_is_on_the_line(lines: LogEnvironment) -> None:
    """
    Also a query of 6 kB and a header of 4 kB, which are cut; secrets are hidden.
    """
    asked_for = (
        *("query", "userAgent", "host", "scheme", "httpVersion", "bytesIn", "ttfbMs"),
        *("header:X-Long", "header:Authorization", "responseHeader:Upgrade"),
    )
    headers = {"X-Long": "h" * 4000, "Authorization": "Bearer secret"}
    visit(
        f"/?password=a%26b&name={'n' * 6000}",
        headers=headers,
        create_connection=adapter.connection(completion_fields=asked_for),
    )
    line = completion(lines)
    assert line["query"].startswith("password=[redacted]&name=nnn")
    assert len(line["query"]) < 2100
    assert len(line["headers"]["X-Long"]) < 2100
    assert "secret" not in str(line["headers"])
    assert line["userAgent"].startswith("Python/")
    assert line["host"].startswith("127.0.0.1:")
    assert (line["scheme"], line["httpVersion"]) == ("ws", "1.1")
    assert 0 < line["ttfbMs"] <= line["durationMs"]
    assert line["responseHeaders"] == {"Upgrade": "websocket"}


@pytest.mark.parametrize("kind", ["drop", "raise", "huge", "some"])
def test_rules_of_the_application(lines: LogEnvironment, kind: str) -> None:
    """
    They get the connection; a huge result and an error leave one line.
    """
    seen: list[Any] = []

    def completion_of(completed: Any) -> Any:
        found = completed.request.request.headers["X-Kind"]
        seen.append((completed.path, completed.status, found))
        if kind == "drop":
            return False
        if kind == "raise":
            raise ValueError("no")
        return {"kind": kind, "huge": "x" * 10_000_000 if kind == "huge" else ""}

    made = adapter.connection(
        completion=completion_of,
        completion_level=lambda completed: "DEBUG" if completed.error else None,
        slow=0,
    )
    visit("/a?b", headers={"X-Kind": kind}, create_connection=made)
    assert seen == [("/a", 101, kind)]
    done = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert len(done) == (kind != "drop")
    for line in done:
        assert (line["slow"], line["level"]) == (True, "WARNING")
        assert line.get("kind") == (None if kind == "raise" else kind)
    reports = [e["message"] for e in lines.load_all() if e["logger"] == "ctxlog"]
    assert reports == (["completion failed"] if kind == "raise" else [])
