"""
The Sanic adapter, with Sanic's own server on a loopback socket, and under ASGI.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.servers.asgi import ContextMiddleware
from tests.helpers import LogEnvironment, need
from tests.servers.serving import completions, garbage_per_request

sanic = need("sanic")
httpx = need("httpx")
websockets = need("websockets.asyncio.client")
adapter = need("ctxlog.servers.sanic")

LOG = logging.getLogger("tests.app")
_names = itertools.count()

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="sanic's server is for Unix"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream, levels={"httpx": "ERROR"})
    yield log_env
    config.unconfigure()


def application() -> Any:
    """
    An application with a handler of each kind.
    """
    app = sanic.Sanic(f"tests-{next(_names)}", configure_logging=False)
    app.ctx.waiting = asyncio.Event()

    @app.on_request
    async def before(request: Any) -> None:
        LOG.info("before")

    @app.on_response
    async def after(request: Any, response: Any) -> None:
        LOG.info("after")

    @app.get("/plain")
    async def plain(request: Any) -> Any:
        await asyncio.sleep(0)
        LOG.info("plain")
        return sanic.text("plain")

    @app.get("/crash")
    async def crash(request: Any) -> Any:
        raise ValueError("broken")

    @app.get("/refused")
    async def refused(request: Any) -> Any:
        raise sanic.exceptions.Forbidden("not you")

    @app.get("/silent")
    async def silent(request: Any) -> None: ...

    @app.get("/stream")
    async def stream(request: Any) -> None:
        response = await request.respond()
        for _ in range(3):
            await response.send("x" * 1000)
            LOG.info("chunk")

    @app.get("/slow")
    async def slow(request: Any) -> None:
        try:
            app.ctx.waiting.set()
            await asyncio.Event().wait()
        finally:
            LOG.info("stopped")

    @app.post("/upload")
    async def upload(request: Any) -> Any:
        return sanic.text(str(len(request.body)))

    @app.websocket("/echo")
    async def echo(request: Any, ws: Any) -> None:
        LOG.info("open")
        async for message in ws:
            LOG.info("got %s", message)
            await ws.send(message)

    return app


@pytest.fixture
def app() -> Any:
    """
    An application with the adapter, which Sanic prepares for each server anew.
    """
    before, sanic.Sanic.test_mode = sanic.Sanic.test_mode, True
    made = application()
    adapter.install(made)
    yield made
    sanic.Sanic.test_mode = before
    sanic.Sanic.unregister_app(made)


def serve(app: Any, talk: Callable[[Any, int], Awaitable[Any]]) -> Any:
    """
    What `talk` returns, which gets a client of a running server, and its port.
    """

    async def main() -> Any:
        app.ctx.waiting = asyncio.Event()
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = await app.create_server(
            sock=listener, return_asyncio_server=True, access_log=True
        )
        await server.startup()
        await server.start_serving()
        url = f"http://127.0.0.1:{port}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=40) as client:
                return await talk(client, port)
        finally:
            server.close()
            await server.wait_closed()

    return asyncio.run(main())


def get(app: Any, path: str, request_id: str = "req-A") -> Any:
    """
    The response to one request.
    """

    async def talk(client: Any, port: int) -> Any:
        return await client.get(path, headers={"X-Request-ID": request_id})

    return serve(app, talk)


def own(lines: LogEnvironment, request_id: str = "req-A") -> list[dict[str, Any]]:
    """
    The lines of one request.
    """
    return [event for event in lines.load_all() if event["requestID"] == request_id]


def completion(lines: LogEnvironment) -> dict[str, Any]:
    """
    The one completion line.
    """
    (line,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    return line


def test_every_part_of_a_request_is_in_the_store(
    app: Any, lines: LogEnvironment
) -> None:
    """Middleware and handler have the id, the completion line is the last, and one."""
    response = get(app, "/plain")
    assert response.headers["X-Request-ID"] == "req-A"
    assert [event["message"] for event in own(lines)] == [
        "before",
        "plain",
        "after",
        "GET /plain 200",
    ]
    line = completion(lines)
    assert (line["method"], line["path"], line["status"]) == ("GET", "/plain", 200)
    assert line["client"] == "127.0.0.1"
    assert not any(event["logger"] == "sanic.access" for event in lines.load_all())


def test_a_crash_is_reported_with_its_request(app: Any, lines: LogEnvironment) -> None:
    """Sanic's report and the 500 have the id; the completion line names the error."""
    response = get(app, "/crash")
    assert (response.status_code, response.headers["X-Request-ID"]) == (500, "req-A")
    (report,) = [e for e in lines.load_all() if e["logger"] == "sanic.error"]
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
    app: Any, lines: LogEnvironment, path: str, status: int
) -> None:
    """An answer by exception, and a path that there is none of, have the id too."""
    response = get(app, path)
    assert (response.status_code, response.headers["X-Request-ID"]) == (status, "req-A")
    line = completion(lines)
    assert (line["level"], line["status"]) == ("WARNING", status)
    assert "error" not in line


def test_a_handler_without_a_response(app: Any, lines: LogEnvironment) -> None:
    """The server's own complaint about it is the request's."""
    assert get(app, "/silent").status_code == 500
    assert completion(lines)["status"] == 500
    assert {
        event["requestID"] for event in lines.load_all() if "exception" in event
    } == {"req-A"}


def test_a_streamed_response(app: Any, lines: LogEnvironment) -> None:
    """Its pieces are of the request, which ends after the last."""
    response = get(app, "/stream")
    assert response.headers["X-Request-ID"] == "req-A"
    messages = [event["message"] for event in own(lines)]
    assert messages == ["before", "after", *["chunk"] * 3, "GET /stream 200"]


def test_a_time_out(app: Any, lines: LogEnvironment) -> None:
    """Sanic stops the handler and answers: all of it is the request's."""
    app.config.RESPONSE_TIMEOUT = 0.2
    response = get(app, "/slow")
    assert (response.status_code, response.headers["X-Request-ID"]) == (503, "req-A")
    assert "stopped" in [event["message"] for event in own(lines)]
    line = completion(lines)
    assert (line["status"], line["level"]) == (503, "ERROR")


def test_a_client_that_leaves(app: Any, lines: LogEnvironment) -> None:
    """The handler is stopped, and the completion line says why."""

    async def talk(client: Any, port: int) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /slow HTTP/1.1\r\nHost: a\r\nX-Request-ID: req-A\r\n\r\n")
        await app.ctx.waiting.wait()
        with completions() as ended:
            writer.close()
            await ended.wait()

    serve(app, talk)
    assert "stopped" in [event["message"] for event in own(lines)]
    line = completion(lines)
    assert line["disconnected"] is True
    assert line["level"] == "WARNING"
    assert "status" not in line


def test_a_websocket_is_one_request(app: Any, lines: LogEnvironment) -> None:
    """The handler of a websocket is in the store of its handshake."""

    async def talk(client: Any, port: int) -> None:
        url = f"ws://127.0.0.1:{port}/echo"
        headers = {"X-Request-ID": "req-A"}
        with completions() as ended:
            async with websockets.connect(url, additional_headers=headers) as ws:
                await ws.send("one")
                assert await ws.recv() == "one"
            await ended.wait()

    serve(app, talk)
    messages = [event["message"] for event in own(lines)]
    assert messages == ["before", "open", "got one", "GET /echo 101"]


def test_requests_at_once_do_not_mix(app: Any, lines: LogEnvironment) -> None:
    """Each of many concurrent requests has its own lines and its own echo."""

    async def talk(client: Any, port: int) -> None:
        ids = [f"req-{number}" for number in range(50)]
        asked = (client.get("/plain", headers={"X-Request-ID": one}) for one in ids)
        responses = await asyncio.gather(*asked)
        assert [one.headers["X-Request-ID"] for one in responses] == ids

    serve(app, talk)
    assert all(len(own(lines, f"req-{number}")) == 4 for number in range(50))


def test_a_connection_that_is_used_again(app: Any, lines: LogEnvironment) -> None:
    """The next request gets an id of its own, after a large body too."""

    async def talk(client: Any, port: int) -> list[str]:
        headers = {"X-Request-ID": "req-A"}
        body = b"x" * 400_000
        first = await client.post("/upload", content=body, headers=headers)
        assert first.text == "400000"
        second = await client.get("/plain")
        return [one.headers["X-Request-ID"] for one in (first, second)]

    first, second = serve(app, talk)
    assert first == "req-A"
    assert len(second) == 32
    assert [event["message"] for event in own(lines, second)][-1] == "GET /plain 200"


@pytest.mark.parametrize("request_id", ["a b", "x" * 200])
def test_an_id_that_is_not_valid_is_replaced(
    app: Any, lines: LogEnvironment, request_id: str
) -> None:
    """It is neither echoed nor logged."""
    response = get(app, "/plain", request_id)
    assert len(response.headers["X-Request-ID"]) == 32
    assert request_id not in str(lines.load_all())


def ask_by_asgi(asgi_app: Any, path: str, method: str = "GET") -> Any:
    """
    The response to one request by ASGI.
    """

    async def main() -> Any:
        received: asyncio.Queue[Any] = asyncio.Queue()
        sent: asyncio.Queue[Any] = asyncio.Queue()
        lifespan = asgi_app({"type": "lifespan"}, received.get, sent.put)
        running = asyncio.create_task(lifespan)
        await received.put({"type": "lifespan.startup"})
        assert (await sent.get())["type"] == "lifespan.startup.complete"
        transport = httpx.ASGITransport(asgi_app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://test"
        ) as client:
            headers = {"X-Request-ID": "req-A"}
            response = await client.request(method, path, headers=headers)
        await received.put({"type": "lifespan.shutdown"})
        await running
        return response

    return asyncio.run(main())


@pytest.mark.parametrize("path", ["/plain", "/crash", "/stream", "/nowhere"])
def test_by_asgi(app: Any, lines: LogEnvironment, path: str) -> None:
    """Under an ASGI server the same holds."""
    app.asgi = True
    response = ask_by_asgi(app, path)
    assert response.headers["X-Request-ID"] == "req-A"
    assert completion(lines)["status"] == response.status_code
    assert {event["requestID"] for event in lines.load_all()} <= {"req-A", "N/A"}


def test_inside_the_asgi_middleware_it_does_nothing(
    app: Any, lines: LogEnvironment
) -> None:
    """Two of them are one request, with one completion line."""
    app.asgi = True
    response = ask_by_asgi(ContextMiddleware(app), "/plain")
    assert response.headers["X-Request-ID"] == "req-A"
    assert completion(lines)["requestID"] == "req-A"


def test_install_twice_is_once_and_uninstall_undoes(
    app: Any, lines: LogEnvironment
) -> None:
    """After `uninstall()` a request has no store; it may be called without effect."""
    kind = type(app)
    adapter.install(app)
    assert type(app) is kind
    adapter.uninstall(app)
    adapter.uninstall(app)
    assert type(app) is sanic.Sanic
    assert "X-Request-ID" not in get(app, "/plain").headers


def test_a_user_of_ones_own(lines: LogEnvironment, app: Any) -> None:
    """`user=` is called with the request."""
    adapter.uninstall(app)
    adapter.install(app, user=lambda request: {"path": request.path})
    get(app, "/plain")
    assert completion(lines)["user"] == {"path": "/plain"}


def test_only_a_sanic_application_is_taken(app: Any) -> None:
    """Anything else is refused, and wrong options are named."""
    with pytest.raises(TypeError, match="Sanic"):
        adapter.install(object())
    adapter.uninstall(app)
    with pytest.raises(ctxlog.ConfigError, match="trust"):
        adapter.install(app, trust=5)


def test_the_asgi_adapter_names_this_one(app: Any) -> None:
    """`asgi.install()`, which Sanic's own server would not notice, is refused."""
    with pytest.raises(TypeError, match=r"use ctxlog\.servers\.sanic\.install\(\)"):
        ctxlog.servers.asgi.install(app)


@pytest.mark.parametrize(
    ("given", "sent"), [("", "X-Request-ID"), ("ETag", "ETag, X-Request-ID")]
)
def test_the_id_is_exposed_to_scripts_where_asked_for(
    app: Any, lines: LogEnvironment, given: str, sent: str
) -> None:
    """`expose_header` appends the header's name to what the application exposes."""
    name = "Access-Control-Expose-Headers"

    @app.get("/")
    async def index(request: Any) -> Any:
        return sanic.text("", headers={name: given} if given else {})

    adapter.uninstall(app)
    adapter.install(app, expose_header=True)
    assert get(app, "/").headers.get_list(name) == [sent]


# Routes -------------------------------------------------------------------------


@pytest.fixture
def routed(tmp_path: Path) -> Iterator[Any]:
    """
    An application with routes of every kind.
    """
    before, sanic.Sanic.test_mode = sanic.Sanic.test_mode, True
    made = sanic.Sanic(f"tests-{next(_names)}", configure_logging=False)
    adapter.install(made)

    async def page(request: Any, **parameters: object) -> Any:
        LOG.info("in the page")
        return sanic.text("page")

    made.add_route(page, "/orders/<number:[0-9]{1,3}>", name="orders")
    made.add_route(page, "/typed/<number:int>", name="typed", methods=["GET", "HEAD"])
    made.add_route(page, "/plain/<token>", name="plain")
    made.add_route(page, "/files/<rest:path>", name="files")
    made.add_route(page, "/", name="root")
    inner = sanic.Blueprint("inner", url_prefix="/items")
    inner.add_route(page, "/<item>", name="item")
    group = sanic.Blueprint.group(inner, url_prefix="/shops/<shop>", version=2)
    made.blueprint(group)
    made.static("/static", str(tmp_path), name="static")

    @made.websocket("/rooms/<name>")
    async def room(request: Any, ws: Any, name: str) -> None:
        LOG.info("in the page")

    yield made
    sanic.Sanic.test_mode = before
    sanic.Sanic.unregister_app(made)


ROUTES = [
    ("GET", "/orders/7", "/orders/<number:[0-9]{1,3}>"),
    ("GET", "/typed/7", "/typed/<number:int>"),
    ("HEAD", "/typed/7", "/typed/<number:int>"),
    ("GET", "/plain/x", "/plain/<token>"),
    ("GET", "/files/a/b/c", "/files/<rest:path>"),
    ("GET", "/", "/"),
    ("GET", "/v2/shops/acme/items/7", "/v2/shops/<shop>/items/<item>"),
    ("GET", "/static/a.txt", "/static/<__file_uri__:path>"),
    ("GET", "/static/none.txt", "/static/<__file_uri__:path>"),
    ("GET", "/orders/seven", None),
    ("GET", "/nothing", None),
    ("DELETE", "/plain/x", None),
]


@pytest.mark.parametrize(("method", "path", "route"), ROUTES)
def test_route(
    routed: Any,
    lines: LogEnvironment,
    method: str,
    path: str,
    route: str | None,
    tmp_path: Path,
) -> None:
    """All lines after the routing have the route; a 404 and a 405 have none."""
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")

    async def talk(client: Any, port: int) -> Any:
        return await client.request(method, path)

    serve(routed, talk)
    assert completion(lines).get("route") == route
    inner = [e for e in lines.load_all() if e["logger"] == "tests.app"]
    assert {event.get("route") for event in inner} <= {route}


@pytest.mark.parametrize("wrap", [lambda app: app, ContextMiddleware])
def test_route_by_asgi(
    routed: Any, lines: LogEnvironment, wrap: Callable[[Any], Any]
) -> None:
    """It is the same under an ASGI server, and in another middleware there."""
    routed.asgi = True
    ask_by_asgi(wrap(routed), "/plain/x")
    line = completion(lines)
    assert (line["route"], line["bytesOut"]) == ("/plain/<token>", 4)


def test_route_of_a_websocket(routed: Any, lines: LogEnvironment) -> None:
    """A websocket has the route, and no size."""

    async def talk(client: Any, port: int) -> None:
        with completions() as ended:
            async with websockets.connect(f"ws://127.0.0.1:{port}/rooms/7"):
                pass
            await ended.wait()

    serve(routed, talk)
    line = completion(lines)
    assert (line["status"], line["route"]) == (101, "/rooms/<name>")
    assert "bytesOut" not in line


def test_uninstall_gives_the_router_back(routed: Any) -> None:
    """Sanic finds routes by itself again."""
    assert "get" in vars(routed.router)
    adapter.uninstall(routed)
    assert "get" not in vars(routed.router)


# The completion line ------------------------------------------------------------


@pytest.fixture
def sized() -> Iterator[Any]:
    """
    An application whose responses have known sizes; the test installs the adapter.
    """
    before, sanic.Sanic.test_mode = sanic.Sanic.test_mode, True
    made = sanic.Sanic(f"tests-{next(_names)}", configure_logging=False)

    @made.route("/text", methods=["GET", "POST", "HEAD"])
    async def text(request: Any) -> Any:
        return sanic.text("ü" * 10)

    @made.get("/pieces")
    async def pieces(request: Any) -> None:
        response = await request.respond()
        await response.send("x" * 1000)
        await response.send(b"y" * 500)
        await response.eof()

    @made.get("/known")
    async def known(request: Any) -> None:
        response = await request.respond(headers={"content-length": "30"})
        await response.send(b"x" * 10)
        await response.send(b"y" * 20)

    @made.get("/nothing")
    async def nothing(request: Any) -> Any:
        return sanic.empty()

    @made.get("/file")
    async def file(request: Any) -> Any:
        return await sanic.response.file_stream(__file__)

    yield made
    sanic.Sanic.test_mode = before
    sanic.Sanic.unregister_app(made)


SIZES = [
    ("GET", "/text", 20),
    ("HEAD", "/text", 0),
    ("GET", "/pieces", 1500),
    ("GET", "/known", 30),
    ("GET", "/nothing", 0),
    ("GET", "/file", Path(__file__).stat().st_size),
]


@pytest.mark.parametrize(("method", "path", "size"), SIZES)
@pytest.mark.parametrize("server", ["sanic", "asgi"])
def test_size_of_the_body(
    sized: Any, lines: LogEnvironment, server: str, method: str, path: str, size: int
) -> None:
    """It is that of the body as it is sent, by either server."""
    adapter.install(sized)

    async def talk(client: Any, port: int) -> Any:
        return await client.request(method, path)

    if server == "sanic":
        serve(sized, talk)
    else:
        sized.asgi = True
        ask_by_asgi(sized, path, method)
    assert completion(lines)["bytesOut"] == size


def test_what_is_asked_for_is_on_the_line(sized: Any, lines: LogEnvironment) -> None:
    """Also a query of 6 kB and a header of 4 kB, which are cut; secrets are hidden."""
    asked_for = (
        *("query", "userAgent", "host", "scheme", "httpVersion", "bytesIn", "ttfbMs"),
        *("header:X-Long", "header:Authorization", "responseHeader:Content-Type"),
    )
    adapter.install(sized, completion_fields=asked_for)
    headers = {
        "X-Long": "h" * 1000 + "i" * 1500,
        "Authorization": "Bearer secret",
        "User-Agent": "test",
    }

    async def talk(client: Any, port: int) -> Any:
        path = f"/text?password=a%26b&name={'n' * 4000}"
        return await client.post(path, headers=headers, content=b"b" * 1000)

    sized.config.REQUEST_MAX_HEADER_SIZE = 2**15
    serve(sized, talk)
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
    assert line["responseHeaders"] == {"Content-Type": "text/plain; charset=utf-8"}
    assert "bytesOut" not in line


def test_rules_of_the_application(sized: Any, lines: LogEnvironment) -> None:
    """They get Sanic's request; a huge result and an error leave one line."""
    seen: list[Any] = []

    def completion_of(completed: Any) -> Any:
        kind = completed.request.headers["x-kind"]
        seen.append((completed.route, completed.status, completed.headers["X-Kind"]))
        if kind == "drop":
            return False
        if kind == "raise":
            raise ValueError("no")
        return {"kind": kind, "huge": "x" * 10_000_000 if kind == "huge" else ""}

    adapter.install(
        sized,
        completion=completion_of,
        completion_level=lambda completed: "DEBUG" if completed.error else None,
        slow=0,
    )
    kinds = ("drop", "raise", "huge", "some")

    async def talk(client: Any, port: int) -> None:
        for kind in kinds:
            await client.get("/text", headers={"X-Kind": kind})

    serve(sized, talk)
    done = [e for e in lines.load_all() if e["logger"] == "ctxlog.request"]
    assert [event.get("kind") for event in done] == [None, "huge", "some"]
    assert all(event["slow"] and event["level"] == "WARNING" for event in done)
    assert seen == [("/text", 200, kind) for kind in kinds]
    reports = [e["message"] for e in lines.load_all() if e["logger"] == "ctxlog"]
    assert reports == ["completion failed"]


@pytest.mark.parametrize("install", [True, False])
def test_a_request_leaves_nothing_to_the_garbage_collector(
    sized: Any, lines: LogEnvironment, install: bool
) -> None:
    """It is as without the adapter: what a client leaves is the same."""
    if install:
        adapter.install(sized)

    async def talk(client: Any, port: int) -> float:
        async def raw() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            head = b"GET /pieces HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            writer.write(head)
            await reader.read()
            writer.close()
            await writer.wait_closed()

        return await garbage_per_request(raw)

    assert serve(sized, talk) < 20
