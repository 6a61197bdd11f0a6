"""
The aiohttp adapter, with aiohttp's own server and client on a loopback socket.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from tests.helpers import LogEnvironment, need
from tests.servers.serving import garbage_per_request

aiohttp = need("aiohttp")
web = need("aiohttp.web")
yarl = need("yarl")
adapter = need("ctxlog.servers.aiohttp")

LOG = logging.getLogger("tests.app")


pytestmark = pytest.mark.filterwarnings("ignore::aiohttp.web.NotAppKeyWarning")


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()


async def plain(request: Any) -> Any:
    await asyncio.sleep(0)
    LOG.info("in %s", request.query_string)
    return web.Response(text="plain")


async def crash(request: Any) -> Any:
    raise ValueError("broken")


async def stream(request: Any) -> Any:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"row")
    return response


async def background(request: Any) -> Any:
    ctxlog.bind(user={"id": "u-1"})
    token = request.query_string

    async def later() -> None:
        await asyncio.sleep(0)
        LOG.info("later %s", token)

    task = asyncio.get_running_loop().create_task(later())
    request.app["tasks"].append(task)
    await asyncio.to_thread(LOG.info, "thread %s", token)
    await asyncio.get_running_loop().run_in_executor(None, LOG.info, "pool %s", token)
    return web.Response(text=str(len(await request.read())))


async def refused(request: Any) -> Any:
    raise web.HTTPForbidden


async def slow(request: Any) -> Any:
    try:
        request.app["waiting"].set()
        await asyncio.Event().wait()
    finally:
        LOG.info("stopped")


async def socket(request: Any) -> Any:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        LOG.info("got %s", message.data)
        await response.send_str(message.data)
    return response


HANDLERS = (plain, crash, stream, background, refused, slow, socket)


def serve(talk: Any, middleware: Any = adapter.middleware, **options: Any) -> Any:
    """
    What `talk` returns, which gets a client session of a running server.
    """

    takes_app = talk.__code__.co_argcount == 2

    async def main() -> Any:
        app = web.Application(middlewares=[middleware], client_max_size=2**20)
        app["tasks"], app["waiting"] = [], asyncio.Event()
        for handler in HANDLERS:
            app.router.add_post(f"/{handler.__name__}", handler)
            app.router.add_get(f"/{handler.__name__}", handler)
        options.setdefault("access_log_class", adapter.AccessLogger)
        runner = web.AppRunner(app, **options)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(url) as session:
                return await talk(session, app) if takes_app else await talk(session)
        finally:
            await runner.cleanup()

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *[("/plain", 200), ("/stream", 200), ("/crash", 500), ("/none", 404)],
        ("/refused", 403),
    ],
)
def test_every_response_and_line_has_the_id(
    lines: LogEnvironment, path: str, status: int
) -> None:
    """
    The id is echoed and on every line; one line says how the request ended.
    """

    async def talk(session: Any) -> Any:
        async with session.get(path, headers={"X-Request-ID": "req-1"}) as response:
            await response.read()
            return response.status, response.headers.getall("X-Request-ID")

    assert serve(talk) == (status, ["req-1"])
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    assert len([one for one in events if one.get("status") == status]) == 1
    crashes = [one for one in events if one["logger"] == "aiohttp.server"]
    assert len(crashes) == (path == "/crash")


def test_concurrent_requests_are_not_mixed(lines: LogEnvironment) -> None:
    """
    Each of many requests at once has its own id on its own lines.
    """

    async def one(session: Any, number: int) -> None:
        headers = {"X-Request-ID": f"r{number}"}
        async with session.get(f"/plain?r{number}", headers=headers) as response:
            await response.read()

    async def talk(session: Any) -> None:
        await asyncio.gather(*(one(session, number) for number in range(200)))

    serve(talk)
    events = [one for one in lines.load_all() if one["message"].startswith("in ")]
    assert len(events) == 200
    assert all(one["message"] == f"in {one['requestID']}" for one in events)


def test_a_kept_connection_shares_nothing(lines: LogEnvironment) -> None:
    """
    400 kB in one request, then one without an id: the second has nothing of the first.
    """

    async def talk(session: Any, app: Any) -> Any:
        headers = {"X-Request-ID": "req-1"}
        url = "/background?first"
        async with session.post(url, data=b"x" * 400_000, headers=headers) as response:
            assert await response.text() == "400000"
        await asyncio.gather(*app["tasks"])
        async with session.get("/plain?second") as response:
            return response.headers["X-Request-ID"]

    second = serve(talk)
    events = lines.load_all()
    assert len(second) == 32
    first = [one for one in events if one["message"].endswith(" first")]
    assert {one["message"] for one in first} == {
        "thread first",
        "pool first",
        "later first",
    }
    assert {one["requestID"] for one in first} == {"req-1"}
    mine = [one for one in events if one["requestID"] == second]
    assert [one["message"] for one in mine] == ["in second", "GET /plain 200"]
    assert not any("user" in one for one in mine)
    (done,) = [one for one in events if one["message"] == "POST /background 200"]
    assert done["user"] == {"id": "u-1"}
    assert (done["method"], done["path"], done["client"]) == (
        *("POST", "/background", "127.0.0.1"),
    )


def test_a_websocket_is_one_request(lines: LogEnvironment) -> None:
    """
    The id is on the handshake; one completion line comes when it is closed.
    """

    async def talk(session: Any) -> Any:
        headers = {"X-Request-ID": "req-1"}
        async with session.ws_connect("/socket", method="POST", headers=headers) as ws:
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
            return ws._response.headers["X-Request-ID"]

    assert serve(talk) == "req-1"
    events = lines.load_all()
    assert [one["message"] for one in events] == ["got hello", "POST /socket 101"]
    assert {one["requestID"] for one in events} == {"req-1"}
    assert events[-1]["closeCode"] == 1000


def test_the_close_code_is_spelled_as_chosen(lines: LogEnvironment) -> None:
    """
    `case="snake"` holds for what the adapter adds to the completion line.
    """

    async def talk(session: Any) -> None:
        async with session.ws_connect("/socket", method="POST"):
            pass

    config.configure(format="json", stream=lines.stream, case="snake")
    serve(talk)
    done = lines.load_all()[-1]
    assert done["close_code"] == 1000
    assert {"request_id", "duration_ms", "elapsed_ms"} <= done.keys()


def test_a_request_that_is_cancelled_has_one_line(lines: LogEnvironment) -> None:
    """
    A client that leaves, where aiohttp is told to cancel handlers.
    """

    async def talk(session: Any, app: Any) -> None:
        headers = {"X-Request-ID": "req-1"}
        asked = asyncio.ensure_future(session.get("/slow", headers=headers))
        await app["waiting"].wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)

    serve(talk, handler_cancellation=True)
    events = lines.load_all()
    assert [one["message"] for one in events] == ["stopped", "GET /slow cancelled"]
    assert {one["requestID"] for one in events} == {"req-1"}


def test_the_options_are_those_of_all_servers(lines: LogEnvironment) -> None:
    """
    Called with options it returns a middleware that has them; wrong ones are named.
    """
    mine = adapter.middleware(
        request_id_header="X-Trace", user=lambda request: request.query_string
    )

    async def talk(session: Any) -> Any:
        async with session.get("/plain?me", headers={"X-Trace": "t-1"}) as response:
            return response.headers["X-Trace"]

    assert serve(talk, mine) == "t-1"
    (done,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert (done["requestID"], done["user"]) == ("t-1", "me")
    with pytest.raises(ctxlog.ConfigError, match="trust"):
        adapter.middleware(trust="everybody")


@pytest.mark.parametrize(
    ("access_lines", "loggers"),
    [
        ("ctxlog", ["ctxlog.request"]),
        ("server", ["aiohttp.access"]),
        ("both", ["ctxlog.request", "aiohttp.access"]),
    ],
)
def test_one_access_line_or_the_one_that_is_wanted(
    log_env: LogEnvironment, access_lines: str, loggers: list[str]
) -> None:
    """
    Each with the request's id.
    """
    config.configure(format="json", stream=log_env.stream, access_lines=access_lines)

    async def talk(session: Any) -> None:
        async with session.get("/plain?x", headers={"X-Request-ID": "a"}) as response:
            await response.read()

    serve(talk)
    config.unconfigure()
    events = [one for one in log_env.load_all() if one["logger"] != "tests.app"]
    assert [one["logger"] for one in events] == loggers
    assert {one["requestID"] for one in events} == {"a"}


def test_within_another_of_its_kind_it_does_nothing(lines: LogEnvironment) -> None:
    """
    One request, one store, one completion line.
    """

    @web.middleware
    async def twice(request: Any, handler: Any) -> Any:
        async def inner(request: Any) -> Any:
            return await adapter.middleware(request, handler)

        return await adapter.middleware(request, inner)

    async def talk(session: Any) -> None:
        async with session.get("/plain?x") as response:
            await response.read()

    serve(talk, twice)
    done = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert len(done) == 1


# Routes -------------------------------------------------------------------------


def ask(app: Any, *requests: Any, **options: Any) -> None:
    """
    Send requests, each a method and a path, to a server of an application.
    """

    async def main() -> None:
        runner = web.AppRunner(app, **options)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession(url) as session:
                for method, path, *more in requests:
                    arguments = more[0] if more else {}
                    async with session.request(method, path, **arguments) as response:
                        await response.read()
        finally:
            await runner.cleanup()

    asyncio.run(main())


def routed(folder: Path, *middlewares: Any) -> Any:
    """
    An application with routes of every kind.
    """
    app = web.Application(middlewares=middlewares)
    app.router.add_get("/", plain)
    app.router.add_get("/orders/{number:[0-9]{1,3}}", plain)
    app.router.add_get("/files/{rest:.*}", plain)
    app.router.add_static("/static", folder)
    app.router.add_get("/socket/{room}", socket)
    sub = web.Application()
    sub.router.add_get("/items/{item}", plain)
    inner = web.Application()
    inner.router.add_get("/deep/{name}", plain)
    sub.add_subapp("/inner/", inner)
    app.add_subapp("/shops/", sub)
    return app


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/", "/"),
        ("GET", "/orders/7", "/orders/{number}"),
        ("HEAD", "/orders/7", "/orders/{number}"),
        ("GET", "/files/a/b/c", "/files/{rest}"),
        ("GET", "/static/a.txt", "/static"),
        ("GET", "/static/none.txt", "/static"),
        ("GET", "/shops/items/7", "/shops/items/{item}"),
        ("GET", "/shops/inner/deep/7", "/shops/inner/deep/{name}"),
        ("GET", "/orders/seven", None),
        ("GET", "/nothing", None),
        ("GET", "/shops/nothing", None),
        ("DELETE", "/orders/7", None),
        ("OPTIONS", "/orders/7", None),
    ],
)
def test_route(
    lines: LogEnvironment, method: str, path: str, route: str | None, tmp_path: Path
) -> None:
    """
    All lines have the resource that matched; a 404 and a 405 have none.
    """
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    ask(routed(tmp_path, adapter.middleware), (method, path))
    events = [one for one in lines.load_all() if one["logger"] != "aiohttp.access"]
    assert {one.get("route") for one in events} == {route}


def test_route_of_a_websocket(lines: LogEnvironment, tmp_path: Path) -> None:
    """
    A websocket has the resource that matched, and no size.
    """

    async def main() -> None:
        runner = web.AppRunner(routed(tmp_path, adapter.middleware))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(url) as session:
            async with session.ws_connect("/socket/7"):
                pass
        await runner.cleanup()

    asyncio.run(main())
    (done,) = completions_of(lines)
    assert (done["status"], done["route"]) == (101, "/socket/{room}")
    assert "bytesOut" not in done


# The completion line ------------------------------------------------------------


def completions_of(lines: LogEnvironment) -> list[dict[str, Any]]:
    """
    The completion lines.
    """
    return [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]


async def streamed(request: Any) -> Any:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x" * 1000)
    await response.write(memoryview(bytearray(500)))
    await response.write_eof(b"y")
    return response


async def packed(request: Any) -> Any:
    response = web.Response(text="x" * 5000)
    response.enable_compression()
    return response


async def payload(request: Any) -> Any:
    return web.Response(body=io.BytesIO(b"z" * 70))


async def file(request: Any) -> Any:
    return web.FileResponse(__file__)


async def nothing(request: Any) -> Any:
    return web.Response(status=204)


@pytest.mark.parametrize(
    ("handler", "method", "size"),
    [
        (plain, "GET", 5),
        (plain, "HEAD", 0),
        (streamed, "GET", 1501),
        (payload, "GET", 70),
        (nothing, "GET", 0),
        (refused, "GET", len("403: Forbidden")),
        (packed, "GET", None),
        (file, "GET", None),
    ],
)
def test_size_of_the_body(
    lines: LogEnvironment, handler: Any, method: str, size: int | None
) -> None:
    """
    It is that of the body as it is sent; absent if that is found out afterwards.
    """
    app = web.Application(middlewares=[adapter.middleware])
    app.router.add_get("/", handler)
    ask(app, (method, "/"))
    (done,) = completions_of(lines)
    assert done.get("bytesOut") == size


def test_what_is_asked_for_is_on_the_line(lines: LogEnvironment) -> None:
    """
    Also a query of 1 MB and a header of 8 kB, which are cut; secrets are hidden.
    """
    asked_for = (
        *("query", "userAgent", "host", "scheme", "httpVersion", "bytesIn", "ttfbMs"),
        *("header:X-Long", "header:Authorization", "responseHeader:Content-Type"),
    )
    app = web.Application(
        middlewares=[adapter.middleware(completion_fields=asked_for)],
        client_max_size=2**21,
    )
    app.router.add_post("/", background)
    app["tasks"] = []
    query = f"password=a%26b&name={'n' * 2**20}"
    headers = {
        "X-Long": "h" * 8000,
        "Authorization": "Bearer secret",
        "User-Agent": "test",
    }

    async def body() -> Any:
        yield b"b" * 1000

    sent = {"headers": headers, "data": body()}
    limits = {"max_line_size": 2**21, "max_field_size": 2**14}
    ask(app, ("POST", yarl.URL(f"/?{query}", encoded=True), sent), **limits)
    (done,) = completions_of(lines)
    assert done["query"].startswith("password=[redacted]&name=nnn")
    assert len(done["query"]) < 2100
    assert len(done["headers"]["X-Long"]) < 2100
    assert "secret" not in str(done["headers"]["Authorization"])
    assert done["userAgent"] == "test"
    assert done["host"].startswith("127.0.0.1:")
    assert (done["scheme"], done["httpVersion"], done["bytesIn"]) == (
        *("http", "1.1", 1000),
    )
    assert 0 < done["ttfbMs"] <= done["durationMs"]
    assert done["responseHeaders"] == {"Content-Type": "text/plain; charset=utf-8"}
    assert "bytesOut" not in done


def test_rules_of_the_application(lines: LogEnvironment) -> None:
    """
    They get aiohttp's request; a huge result and an error leave one line.
    """
    seen: list[Any] = []

    def completion(completed: Any) -> Any:
        seen.append((completed.route, completed.status, completed.headers["x-kind"]))
        kind = completed.request.headers["X-Kind"]
        if kind == "drop":
            return False
        if kind == "raise":
            raise ValueError("no")
        return {"kind": kind, "huge": "x" * 10_000_000 if kind == "huge" else ""}

    rules = {
        "completion": completion,
        "completion_level": lambda completed: "WARNING" if completed.error else None,
        "slow": 0,
    }
    app = web.Application(middlewares=[adapter.middleware(**rules)])
    app.router.add_get("/{handler}", plain)
    kinds = ("drop", "raise", "huge", "some")
    ask(app, *[("GET", "/x", {"headers": {"X-Kind": kind}}) for kind in kinds])
    done = completions_of(lines)
    assert [one.get("kind") for one in done] == [None, "huge", "some"]
    assert {one["level"] for one in done} == {"WARNING"}
    assert all(one["slow"] is True for one in done)
    assert seen == [("/{handler}", 200, kind) for kind in kinds]
    reports = [one for one in lines.load_all() if one["logger"] == "ctxlog"]
    assert [one["message"] for one in reports] == ["completion failed"]


@pytest.mark.parametrize("middlewares", [[adapter.middleware], []])
def test_a_request_leaves_nothing_to_the_garbage_collector(
    lines: LogEnvironment, middlewares: list[Any]
) -> None:
    """
    It is as without the middleware: what a client leaves is the same.
    """

    async def main() -> float:
        app = web.Application(middlewares=middlewares)
        app.router.add_get("/", streamed)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]

        async def raw() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
            await reader.read()
            writer.close()
            await writer.wait_closed()

        try:
            return await garbage_per_request(raw)
        finally:
            await runner.cleanup()

    assert asyncio.run(main()) < 20
