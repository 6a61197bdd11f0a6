"""
The Tornado adapter, with Tornado's own server and client on a loopback socket.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from tests.helpers import LogEnvironment, need
from tests.servers.serving import completions, garbage_per_request

web = need("tornado.web")
routing = need("tornado.routing")
websocket = need("tornado.websocket")
httpclient = need("tornado.httpclient")
adapter = need("ctxlog.servers.tornado")

LOG = logging.getLogger("tests.app")


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()


class Plain(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Logs from every part of a handler."""

    def initialize(self) -> None:
        LOG.info("initialize")

    def get_current_user(self) -> str:
        return "alice"

    async def get(self) -> None:
        assert self.current_user
        await asyncio.sleep(0)
        LOG.info("get")
        self.write("plain")

    def on_finish(self) -> None:
        LOG.info("on_finish")


class Crash(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Fails."""

    def get(self) -> None:
        raise ValueError("broken")


class Refused(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Answers with an error."""

    def get(self) -> None:
        raise web.HTTPError(403, "not you")


class Broken(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Cannot even be made."""

    def initialize(self) -> None:
        raise ValueError("broken")


@web.stream_request_body
class Upload(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Takes its body in pieces."""

    def prepare(self) -> None:
        self.size = 0

    async def data_received(self, chunk: bytes) -> None:
        await asyncio.sleep(0)
        self.size += len(chunk)
        LOG.info("chunk")

    def post(self) -> None:
        self.write(str(self.size))


class Endless(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Goes on until its client leaves."""

    left: asyncio.Event

    async def get(self) -> None:
        self.write("x")
        await self.flush()
        await self.left.wait()

    def on_connection_close(self) -> None:
        LOG.info("left")
        self.left.set()


class Manual(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Is finished by a callback."""

    def get(self) -> None:
        self._auto_finish = False
        asyncio.get_running_loop().call_soon(self.later)

    def later(self) -> None:
        LOG.info("later")
        self.finish("done")


class Echo(websocket.WebSocketHandler):  # type: ignore[misc,name-defined]
    """A websocket."""

    def open(self) -> None:
        LOG.info("open")

    def on_message(self, message: str) -> None:
        LOG.info("got %s", message)
        self.write_message(message)

    def on_close(self) -> None:
        LOG.info("close")


HANDLERS = (Plain, Crash, Refused, Broken, Upload, Endless, Manual, Echo)


def serve(
    talk: Callable[[Callable[..., Awaitable[Any]], int], Awaitable[Any]],
    app: Any = None,
    **options: Any,
) -> Any:
    """
    What `talk` returns, which gets a function that asks a running server, and its port.
    """
    if app is None:
        app = web.Application([(f"/{k.__name__.lower()}", k) for k in HANDLERS])
        adapter.install(app, **options)

    async def main() -> Any:
        server = app.listen(0, "127.0.0.1")
        (listener,) = server._sockets.values()
        port = listener.getsockname()[1]
        client = httpclient.AsyncHTTPClient(force_instance=True)

        async def ask(path: str, request_id: str | None = None, **more: Any) -> Any:
            headers = {} if request_id is None else {"X-Request-ID": request_id}
            url = f"http://127.0.0.1:{port}{path}"
            return await client.fetch(url, raise_error=False, headers=headers, **more)

        try:
            return await talk(ask, port)
        finally:
            client.close()
            server.stop()
            await server.close_all_connections()

    return asyncio.run(main())


def ask_once(path: str, request_id: str | None = "req-A", **options: Any) -> Any:
    """The response to one request."""

    async def talk(ask: Any, port: int) -> Any:
        return await ask(path, request_id)

    return serve(talk, **options)


def completion(lines: LogEnvironment) -> dict[str, Any]:
    """The one completion line."""
    (line,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    return line


def test_every_part_of_a_handler_is_in_the_store(lines: LogEnvironment) -> None:
    """All lines of a request have its id, the completion line is the last."""
    response = ask_once("/plain")
    assert response.headers["X-Request-ID"] == "req-A"
    stamped = [e for e in lines.load_all() if e["requestID"] == "req-A"]
    assert [e["message"] for e in stamped] == [
        "initialize",
        "get",
        "on_finish",
        "GET /plain 200",
    ]
    assert all("late" not in event for event in stamped)
    line = completion(lines)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/plain", 200)
    assert line["client"] == "127.0.0.1"
    assert line["durationMs"] > 0


def test_the_user_that_was_asked_for_is_bound(lines: LogEnvironment) -> None:
    """`current_user` is on the completion line if the request has asked for it."""
    ask_once("/plain")
    assert completion(lines)["user"] == {"id": "alice"}


def test_a_user_of_ones_own(lines: LogEnvironment) -> None:
    """`user=` is called with the handler."""
    ask_once("/crash", user=lambda handler: {"path": handler.request.path})
    assert completion(lines)["user"] == {"path": "/crash"}


def test_a_crash_is_reported_with_its_request(lines: LogEnvironment) -> None:
    """Tornado's report and the 500 have the id; the completion line names the error."""
    response = ask_once("/crash")
    assert (response.code, response.headers["X-Request-ID"]) == (500, "req-A")
    (report,) = [e for e in lines.load_all() if e["logger"] == "tornado.application"]
    assert report["requestID"] == "req-A"
    assert report["exception"]["message"] == "broken"
    line = completion(lines)
    assert (line["level"], line["status"], line["error"]) == (
        "ERROR",
        500,
        "ValueError",
    )


@pytest.mark.parametrize(("path", "status"), [("/refused", 403), ("/nowhere", 404)])
def test_an_error_that_is_an_answer(
    lines: LogEnvironment, path: str, status: int
) -> None:
    """An `HTTPError`, and a path that there is none of, have the id too."""
    response = ask_once(path)
    assert (response.code, response.headers["X-Request-ID"]) == (status, "req-A")
    line = completion(lines)
    assert (line["level"], line["status"]) == ("WARNING", status)
    assert "error" not in line


def test_a_handler_that_cannot_be_made(lines: LogEnvironment) -> None:
    """An exception of `initialize()` has a completion line; Tornado hangs up."""
    with pytest.raises(httpclient.HTTPError, match="closed"):
        ask_once("/broken")
    line = completion(lines)
    assert (line["requestID"], line["error"]) == ("req-A", "ValueError")
    assert all(
        event["requestID"] == "req-A"
        for event in lines.load_all()
        if "broken" in str(event.get("exception"))
    )


def test_a_body_in_pieces(lines: LogEnvironment) -> None:
    """`data_received()` runs in the store of its request."""

    async def talk(ask: Any, port: int) -> Any:
        return await ask("/upload", "req-A", method="POST", body=b"x" * 300_000)

    assert serve(talk).body == b"300000"
    chunks = [event for event in lines.load_all() if event["message"] == "chunk"]
    assert {event["requestID"] for event in chunks} == {"req-A"}


def test_a_handler_that_is_finished_later(lines: LogEnvironment) -> None:
    """The request lasts until `finish()` is called."""
    assert ask_once("/manual").body == b"done"
    events = [event for event in lines.load_all() if event["requestID"] == "req-A"]
    assert [event["message"] for event in events] == ["later", "GET /manual 200"]
    assert "late" not in events[0]


def test_a_client_that_leaves(lines: LogEnvironment) -> None:
    """`on_connection_close()` is in the store, and the completion line says so."""

    async def talk(ask: Any, port: int) -> None:
        Endless.left = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: a\r\nX-Request-ID: req-A\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        with completions() as ended:
            writer.close()
            await ended.wait()

    serve(talk)
    (left,) = [event for event in lines.load_all() if event["message"] == "left"]
    assert left["requestID"] == "req-A"
    line = completion(lines)
    assert line["disconnected"] is True
    assert line["level"] == "WARNING"


def test_a_websocket_is_one_request(lines: LogEnvironment) -> None:
    """Its callbacks have the id of its handshake, which has the id too."""

    async def talk(ask: Any, port: int) -> None:
        request = httpclient.HTTPRequest(
            f"ws://127.0.0.1:{port}/echo", headers={"X-Request-ID": "req-A"}
        )
        connection = await websocket.websocket_connect(request)
        assert connection.headers["X-Request-ID"] == "req-A"
        await connection.write_message("one")
        assert await connection.read_message() == "one"
        with completions() as ended:
            connection.close()
            await ended.wait()

    serve(talk)
    events = [event for event in lines.load_all() if event["requestID"] == "req-A"]
    assert [event["message"] for event in events] == [
        "open",
        "got one",
        "close",
        "GET /echo 101",
    ]
    assert all("late" not in event for event in events)


def test_requests_at_once_do_not_mix(lines: LogEnvironment) -> None:
    """Each of many concurrent requests has its own lines."""

    async def talk(ask: Any, port: int) -> None:
        responses = await asyncio.gather(
            *(ask("/plain", f"req-{n}") for n in range(50))
        )
        for number, response in enumerate(responses):
            assert response.headers["X-Request-ID"] == f"req-{number}"

    serve(talk)
    for number in range(50):
        own = [e for e in lines.load_all() if e["requestID"] == f"req-{number}"]
        assert len(own) == 4


def test_a_connection_that_is_used_again(lines: LogEnvironment) -> None:
    """The next request on a connection gets an id of its own."""

    async def talk(ask: Any, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for header in (b"X-Request-ID: req-A\r\n", b"", b"X-Request-ID: req-B\r\n"):
            writer.write(b"GET /plain HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(5)
        writer.close()
        await writer.wait_closed()

    serve(talk)
    ends = [e for e in lines.load_all() if e["logger"] == "ctxlog.request"]
    assert [e["requestID"] for e in ends[::2]] == ["req-A", "req-B"]
    assert len({e["requestID"] for e in ends}) == 3


@pytest.mark.parametrize("request_id", ["a b", "x" * 200, "ä"])
def test_an_id_that_is_not_valid_is_replaced(
    lines: LogEnvironment, request_id: str
) -> None:
    """It is neither echoed nor logged."""
    response = ask_once("/plain", request_id)
    assert len(response.headers["X-Request-ID"]) == 32
    assert request_id not in str(lines.load_all())


def test_an_untrusted_id_is_replaced(lines: LogEnvironment) -> None:
    """With `trust=False` no id of a client is used."""
    assert ask_once("/plain", trust=False).headers["X-Request-ID"] != "req-A"


def test_an_application_that_logs_its_requests_itself(lines: LogEnvironment) -> None:
    """`log_request()` of a subclass is called, in the store."""

    class Own(web.Application):  # type: ignore[misc,name-defined]
        def log_request(self, handler: Any) -> None:
            LOG.info("mine")

    app = Own([("/plain", Plain)])
    adapter.install(app)
    ask_once("/plain", app=app)
    (mine,) = [event for event in lines.load_all() if event["message"] == "mine"]
    assert mine["requestID"] == "req-A"


def test_the_servers_own_line_where_it_is_wanted(log_env: LogEnvironment) -> None:
    """With `access_lines="both"` Tornado's line comes too, with the id."""
    config.configure(format="json", stream=log_env.stream, access_lines="both")
    try:
        ask_once("/plain")
    finally:
        config.unconfigure()
    (access,) = [e for e in log_env.load_all() if e["logger"] == "tornado.access"]
    assert access["requestID"] == "req-A"


def test_install_twice_is_once_and_uninstall_undoes(lines: LogEnvironment) -> None:
    """After `uninstall()` a request has no store; it may be called without effect."""
    app = web.Application([("/plain", Plain)])
    adapter.install(app)
    adapter.install(app)
    ask_once("/plain", app=app)
    assert completion(lines)
    adapter.uninstall(app)
    adapter.uninstall(app)
    assert "X-Request-ID" not in ask_once("/plain", app=app).headers


def test_only_a_tornado_application_is_taken() -> None:
    """Anything else is refused, and wrong options are named."""
    with pytest.raises(TypeError, match="tornado.web.Application"):
        adapter.install(object())
    with pytest.raises(ctxlog.ConfigError, match="trust"):
        adapter.install(web.Application(), trust=5)


# Routes -------------------------------------------------------------------------


class Page(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Logs, whatever the path's parts are."""

    def initialize(self, **arguments: object) -> None:
        pass

    def get(self, *parts: str, **named: str) -> None:
        LOG.info("in the page")

    head = get


class Other(Page):
    """Another page."""


def routed(folder: Path) -> Any:
    """An application with routes of every kind."""
    app = web.Application(
        [
            (r"/orders/([0-9]{1,3})", Page),
            (r"/named/(?P<name>[^/]+)$", Page),
            (r"/cost/\$", Other),
            (r"/kind/a", Page, {"kind": "a"}),
            (r"/kind/b", Page, {"kind": "b"}),
            (routing.PathMatches(re.compile(r"/compiled/(\w+)")), Page),
            (
                r"/shops/.*",
                routing.RuleRouter([routing.Rule(routing.AnyMatches(), Inner())]),
            ),
            (r"/not/here", web.ErrorHandler, {"status_code": 404}),
            web.url(r"/socket/(.+)", Socket),
        ],
        static_path=str(folder),
    )
    app.add_handlers(r"api\.example\.com", [(r"/orders/(.*)", Page)])
    adapter.install(app)
    app.add_handlers(r".*", [(r"/late/(.+)", Page)])
    return app


class Inner(routing.Router):  # type: ignore[misc,name-defined]
    """A router of the application's own, whose rules cannot be seen."""

    def find_handler(self, request: Any, **more: Any) -> Any:
        return None


class Socket(websocket.WebSocketHandler):  # type: ignore[misc,name-defined]
    """A websocket with a part in its path."""

    def open(self, part: str) -> None:
        self.close()


@pytest.mark.parametrize(
    ("method", "path", "status", "route"),
    [
        ("GET", "/orders/7", 200, "/orders/([0-9]{1,3})"),
        ("HEAD", "/orders/7", 200, "/orders/([0-9]{1,3})"),
        ("OPTIONS", "/orders/7", 405, "/orders/([0-9]{1,3})"),
        ("DELETE", "/orders/7", 405, "/orders/([0-9]{1,3})"),
        ("GET", "/named/me", 200, "/named/(?P<name>[^/]+)"),
        ("GET", "/cost/$", 200, r"/cost/\$"),
        ("GET", "/kind/a", 200, "/kind/a"),
        ("GET", "/kind/b", 200, "/kind/b"),
        ("GET", "/compiled/x", 200, r"/compiled/(\w+)"),
        ("GET", "/late/x", 200, "/late/(.+)"),
        ("GET", "/static/a.txt", 200, "/static/(.*)"),
        ("GET", "/static/none.txt", 404, "/static/(.*)"),
        ("GET", "/not/here", 404, "/not/here"),
        ("GET", "/orders/seven", 404, None),
        ("GET", "/shops/any", 404, None),
        ("GET", "/nothing", 404, None),
    ],
)
def test_route(
    lines: LogEnvironment,
    method: str,
    path: str,
    status: int,
    route: str | None,
    tmp_path: Path,
) -> None:
    """All lines have the pattern that matched, which is known before the handler."""
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")

    async def talk(ask: Any, port: int) -> Any:
        return await ask(path, method=method)

    serve(talk, routed(tmp_path))
    line = completion(lines)
    assert (line["status"], line.get("route")) == (status, route)
    inner = [e.get("route") for e in lines.load_all() if e["logger"] == "tests.app"]
    assert set(inner) <= {route}


def test_route_by_host(lines: LogEnvironment, tmp_path: Path) -> None:
    """The rules of a host are those that count there."""

    async def talk(ask: Any, port: int) -> Any:
        url = f"http://127.0.0.1:{port}/orders/7"
        client = httpclient.AsyncHTTPClient()
        return await client.fetch(url, headers={"Host": "api.example.com"})

    serve(talk, routed(tmp_path))
    assert completion(lines)["route"] == "/orders/(.*)"


def test_route_of_nested_routers(lines: LogEnvironment) -> None:
    """The innermost rule that looks at the path has matched all of it."""
    app = web.Application(
        [
            (
                r"/api/.*",
                routing.RuleRouter([routing.Rule(routing.AnyMatches(), Target)]),
            ),
            (r"/v1/.*", [(r"/v1/things/(\d+)", Target)]),
            (r"/other/(.*)", Target),
        ]
    )
    adapter.install(app)

    async def talk(ask: Any, port: int) -> Any:
        for path in ("/v1/things/7", "/v1/nothing", "/other/x"):
            await ask(path)

    serve(talk, app)
    events = [e for e in lines.load_all() if e["logger"] == "ctxlog.request"]
    found = [event.get("route") for event in events]
    assert found == [r"/v1/things/(\d+)", None, "/other/(.*)"]


class Target(Page):
    """The page of nested routers."""


def test_route_of_a_websocket(lines: LogEnvironment, tmp_path: Path) -> None:
    """A websocket has the pattern that matched, and no size."""

    async def talk(ask: Any, port: int) -> None:
        with completions() as ended:
            url = f"ws://127.0.0.1:{port}/socket/7"
            connection = await websocket.websocket_connect(url)
            assert await connection.read_message() is None
            await ended.wait()
            connection.close()

    serve(talk, routed(tmp_path))
    line = completion(lines)
    assert (line["status"], line["route"]) == (101, "/socket/(.+)")
    assert "bytesOut" not in line


# The completion line ------------------------------------------------------------


class Sizes(web.RequestHandler):  # type: ignore[misc,name-defined]
    """Writes in pieces."""

    async def get(self) -> None:
        self.write("x" * 1000)
        await self.flush()
        self.write("y" * 500)

    def head(self) -> None:
        self.set_header("Content-Length", "1500")

    def post(self) -> None:
        self.write("ü")


@pytest.mark.parametrize(("method", "size"), [("GET", 1500), ("HEAD", 0), ("POST", 2)])
def test_size_of_the_body(lines: LogEnvironment, method: str, size: int) -> None:
    """It is that of the pieces together."""
    app = web.Application([("/", Sizes)])
    adapter.install(app)

    async def talk(ask: Any, port: int) -> Any:
        body = b"b" * 70 if method == "POST" else None
        return await ask("/", method=method, body=body)

    serve(talk, app)
    assert completion(lines)["bytesOut"] == size


def test_what_is_asked_for_is_on_the_line(lines: LogEnvironment) -> None:
    """Also a query of 30 kB and a header of 8 kB, which are cut; secrets are hidden."""
    asked_for = (
        *("query", "userAgent", "host", "scheme", "httpVersion", "bytesIn", "ttfbMs"),
        *("header:X-Long", "header:Authorization", "responseHeader:Content-Type"),
    )

    async def talk(ask: Any, port: int) -> Any:
        query = f"password=a%26b&name={'n' * 30_000}"
        headers = {"X-Long": "h" * 8000, "Authorization": "Bearer secret"}
        request = httpclient.HTTPRequest(
            f"http://127.0.0.1:{port}/?{query}",
            method="POST",
            body=b"b" * 1000,
            headers=headers,
            user_agent="test",
        )
        return await httpclient.AsyncHTTPClient().fetch(request)

    app = web.Application([("/", Sizes)])
    adapter.install(app, completion_fields=asked_for)
    serve(talk, app)
    line = completion(lines)
    assert line["query"].startswith("password=[redacted]&name=nnn")
    assert len(line["query"]) < 2100
    assert len(line["headers"]["X-Long"]) < 2100
    assert "secret" not in str(line["headers"])
    assert line["userAgent"] == "test"
    assert line["host"].startswith("127.0.0.1:")
    assert (line["scheme"], line["httpVersion"], line["bytesIn"]) == (
        *("http", "1.1", 1000),
    )
    assert 0 < line["ttfbMs"] <= line["durationMs"]
    assert line["responseHeaders"] == {"Content-Type": "text/html; charset=UTF-8"}
    assert "bytesOut" not in line


def test_rules_of_the_application(lines: LogEnvironment) -> None:
    """They get the handler; a huge result and an error leave one line."""
    seen: list[Any] = []

    def completion_of(completed: Any) -> Any:
        seen.append((completed.route, completed.status, type(completed.request)))
        kind = completed.headers["x-kind"]
        if kind == "drop":
            return False
        if kind == "raise":
            raise ValueError("no")
        return {"kind": kind, "huge": "x" * 10_000_000 if kind == "huge" else ""}

    app = web.Application([(r"/(.*)", Page)])
    adapter.install(
        app,
        completion=completion_of,
        completion_level=lambda completed: "DEBUG" if completed.error else None,
        slow=0,
    )
    kinds = ("drop", "raise", "huge", "some")

    async def talk(ask: Any, port: int) -> Any:
        client = httpclient.AsyncHTTPClient()
        for kind in kinds:
            await client.fetch(f"http://127.0.0.1:{port}/x", headers={"X-Kind": kind})

    serve(talk, app)
    done = [e for e in lines.load_all() if e["logger"] == "ctxlog.request"]
    assert [event.get("kind") for event in done] == [None, "huge", "some"]
    assert all(event["slow"] and event["level"] == "WARNING" for event in done)
    assert seen == [("/(.*)", 200, Page)] * len(kinds)
    reports = [e["message"] for e in lines.load_all() if e["logger"] == "ctxlog"]
    assert reports == ["completion failed"]


@pytest.mark.parametrize("install", [True, False])
def test_a_request_leaves_nothing_to_the_garbage_collector(
    lines: LogEnvironment, install: bool
) -> None:
    """It is as without the adapter: what a client leaves is the same."""
    app = web.Application([("/", Sizes)], log_function=lambda handler: None)
    if install:
        adapter.install(app)

    async def talk(ask: Any, port: int) -> float:
        async def raw() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()

        return await garbage_per_request(raw)

    assert serve(talk, app) < 20
