"""
FastAPI under uvicorn, with the middleware installed or added; clients that leave.

One server per way to set it up serves the whole module: every test has its own ids.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Iterator

import pytest

from tests.helpers import need
from tests.servers.serving import (
    Event,
    Response,
    Server,
    is_completion,
    is_crash,
    request,
    serving,
)

need("fastapi", "httpx")

import httpx  # noqa: E402 (after the guard)

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(sys.platform == "win32", reason="ends the server with a signal"),
]

APP = """
import asyncio
import logging
import os

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware, install
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, Request
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("app")
app = FastAPI()
inner = FastAPI()


def asked(connection):
    return connection.headers.get("x-marker", "")


def say(connection, text):
    # The marker is the request's own word, whatever the context says.
    log.info(text, extra={"asked": asked(connection)})


class Around(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        say(request, "before")
        response = await call_next(request)
        say(request, "after")
        return response


def sync_user(request: Request):
    ctxlog.bind(user={"id": asked(request)})


async def async_user(request: Request):
    await asyncio.sleep(0)
    ctxlog.bind(user={"id": asked(request)})


def sync_yield_user(request: Request):
    ctxlog.bind(user={"id": asked(request)})
    yield
    say(request, "cleaned up")


async def async_yield_user(request: Request):
    await asyncio.sleep(0)
    ctxlog.bind(user={"id": asked(request)})
    with ctxlog.scope(dependency="open"):
        yield
    say(request, "cleaned up")


@app.get("/sync", dependencies=[Depends(sync_user)])
def sync(request: Request):
    say(request, "endpoint")


@app.get("/async", dependencies=[Depends(async_user)])
async def async_(request: Request):
    say(request, "endpoint")
    await asyncio.sleep(0.01)
    say(request, "endpoint")


@app.get("/yield-sync", dependencies=[Depends(sync_yield_user)])
async def yield_sync(request: Request):
    say(request, "endpoint")


@app.get("/yield-async", dependencies=[Depends(async_yield_user)])
def yield_async(request: Request):
    say(request, "endpoint")


@app.get("/background", dependencies=[Depends(sync_user)])
async def background(request: Request, tasks: BackgroundTasks):
    async def later():
        await asyncio.sleep(0.01)
        say(request, "task")

    tasks.add_task(say, request, "task")
    tasks.add_task(later)


@app.get("/stream-async", dependencies=[Depends(async_user)])
async def stream_async(request: Request):
    async def body():
        for number in range(3):
            say(request, "chunk")
            await asyncio.sleep(0)
            yield str(number)

    return StreamingResponse(body())


@app.get("/stream-sync", dependencies=[Depends(async_user)])
async def stream_sync(request: Request):
    def body():
        for number in range(3):
            say(request, "chunk")
            yield str(number)

    return StreamingResponse(body())


@app.get("/denied", dependencies=[Depends(async_user)])
async def denied(request: Request):
    say(request, "endpoint")
    raise HTTPException(403, "no")


@app.get("/crash", dependencies=[Depends(async_user)])
async def crash(request: Request):
    say(request, "endpoint")
    raise ValueError("broken")


@app.exception_handler(Exception)
async def on_error(request: Request, error: Exception):
    say(request, "handler")
    return PlainTextResponse("the application's own", 500)


@inner.get("/inside", dependencies=[Depends(sync_user)])
def inside(request: Request):
    say(request, "endpoint")


app.mount("/sub", inner)


@app.get("/endless", dependencies=[Depends(async_user)])
async def endless(request: Request):
    async def body():
        say(request, "chunk")
        while True:
            yield "x" * 1000
            await asyncio.sleep(0.01)

    return StreamingResponse(body())


@app.get("/until-it-leaves", dependencies=[Depends(async_user)])
async def until_it_leaves(request: Request):
    say(request, "endpoint")
    while (await request.receive())["type"] != "http.disconnect":
        pass


@app.get("/for-ever", dependencies=[Depends(async_user)])
async def for_ever(request: Request):
    say(request, "endpoint")
    await asyncio.Event().wait()


app.add_middleware(Around)
if os.environ["APP_SETUP"] == "install":
    install(app)
else:
    app.add_middleware(ContextMiddleware)
"""

#: The lines logged for each path, and the status.
OK = ["before", "endpoint", "after"]
PATHS: dict[str, tuple[list[str], int]] = {
    "/sync": (OK, 200),
    "/async": (["before", "endpoint", "endpoint", "after"], 200),
    "/yield-sync": ([*OK, "cleaned up"], 200),
    "/yield-async": ([*OK, "cleaned up"], 200),
    "/background": (["before", "after", "task", "task"], 200),
    "/stream-async": (["before", "after", "chunk", "chunk", "chunk"], 200),
    "/stream-sync": (["before", "after", "chunk", "chunk", "chunk"], 200),
    "/denied": (OK, 403),
    "/sub/inside": (OK, 200),
}
LEVELS = {200: "INFO", 403: "WARNING", 500: "ERROR"}


@pytest.fixture(
    scope="module",
    params=[("h11", "install"), ("httptools", "install"), ("httptools", "add")],
    ids="-".join,
)
def setup(request: pytest.FixtureRequest) -> tuple[str, str]:
    """
    Which parser the server has, and how the middleware was put around.
    """
    http, way = request.param
    need(http)
    return http, way


@pytest.fixture(scope="module")
def server(
    setup: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """
    The server of all tests of one set-up.
    """
    http, way = setup
    folder = tmp_path_factory.mktemp("served")
    with serving(APP, folder, http, APP_SETUP=way) as server:
        yield server


def new_id() -> str:
    return uuid.uuid4().hex


def lines_of(server: Server, request_id: str) -> list[Event]:
    """
    The lines of a request whose last one has been written: the completion line.
    """
    server.until(lambda one: is_completion(one) and one["requestID"] == request_id)
    return [one for one in server.events() if one["requestID"] == request_id]


def completion_of(lines: list[Event]) -> Event:
    (line,) = (one for one in lines if is_completion(one))
    return line


def asked_lines(lines: list[Event]) -> list[Event]:
    return [one for one in lines if one["logger"] == "app"]


def test_no_two_requests_mix(server: Server) -> None:
    """
    Of 90 requests at once, every line has the id and user of its own, and none lacks.
    """
    wanted = [(path, new_id()) for path in PATHS for _ in range(10)]

    async def everyone() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=len(wanted))
        base = f"http://127.0.0.1:{server.port}"
        async with httpx.AsyncClient(
            base_url=base, limits=limits, timeout=40, trust_env=False
        ) as client:
            asked = (
                client.get(path, headers={"X-Request-ID": name, "X-Marker": name})
                for path, name in wanted
            )
            return await asyncio.gather(*asked)

    responses = asyncio.run(everyone())
    for (path, name), response in zip(wanted, responses, strict=True):
        messages, status = PATHS[path]
        assert response.status_code == status
        assert response.headers.get_list("x-request-id") == [name]
        own = lines_of(server, name)
        said = asked_lines(own)
        # A dependency may clean up before or after the outer middleware goes on.
        assert sorted(one["message"] for one in said) == sorted(messages), path
        assert {one["asked"] for one in said} == {name}
        line = completion_of(own)
        assert line is own[-1]
        assert line["message"] == f"GET {path} {status}"
        assert (line["method"], line["path"]) == ("GET", path)
        assert (line["status"], line["level"]) == (status, LEVELS[status])
        assert line["client"] == "127.0.0.1"
        assert line["durationMs"] > 0
        assert line["user"] == {"id": name}
        assert len(own) == len(said) + 1
    mine = {name for _, name in wanted}
    foreign = [
        one
        for one in server.events()
        if one.get("asked") in mine and one["requestID"] != one["asked"]
    ]
    assert foreign == []


def test_a_crash_is_told_in_one_request(server: Server, setup: tuple[str, str]) -> None:
    """
    The handler's line, the completion line and the server's crash report have one id.
    """
    name = new_id()
    with server.connect() as connection:
        connection.sendall(request("/crash", request_id=name, marker=name))
        response = Response(connection)
    assert (response.status, response.body) == (500, b"the application's own")
    server.until(lambda one: is_crash(one) and one["requestID"] == name)
    own = lines_of(server, name)
    # Added, it is inside of the framework's error handling; installed, around it.
    installed = setup[1] == "install"
    assert (response.headers.get("x-request-id") == name) is installed
    said = [one["message"] for one in asked_lines(own)]
    assert said[:2] == ["before", "endpoint"]
    assert ("handler" in said) is installed
    line = completion_of(own)
    assert (line["status"], line["level"]) == (500, "ERROR")
    assert line["error"] == "ValueError"
    (crash,) = filter(is_crash, own)
    assert crash["exception"]["type"] == "ValueError"
    for one in (line, crash):
        assert one["user"] == {"id": name}
        assert "late" not in one


@pytest.mark.parametrize(
    ("path", "seen"), [("/endless", "chunk"), ("/until-it-leaves", "endpoint")]
)
def test_a_client_that_leaves_has_one_line(
    server: Server, path: str, seen: str
) -> None:
    """
    A client that goes away, during the response or before, gives one completion line.
    """
    name = new_id()
    with server.connect() as connection:
        connection.sendall(request(path, request_id=name, marker=name))
        server.until(lambda one: one["message"] == seen and one["asked"] == name)
    own = lines_of(server, name)
    line = completion_of(own)
    assert line["disconnected"] is True
    assert line["level"] == "WARNING"
    assert line["user"] == {"id": name}
    assert {one["asked"] for one in asked_lines(own)} == {name}


def test_requests_that_a_shutdown_cancels_have_one_line_each(
    setup: tuple[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """
    A server that is stopped cancels what runs: each request says so, once.
    """
    http, way = setup
    folder = tmp_path_factory.mktemp("cancelled")
    names = [new_id() for _ in range(3)]
    with serving(
        APP, folder, http, "--timeout-graceful-shutdown", "0", APP_SETUP=way
    ) as server:
        connections = [server.connect() for _ in names]
        for name, connection in zip(names, connections, strict=True):
            connection.sendall(request("/for-ever", request_id=name, marker=name))
        server.until(lambda one: one["message"] == "endpoint", count=len(names))
        events = server.stop()
        for connection in connections:
            connection.close()
    for name in names:
        own = [one for one in events if one["requestID"] == name]
        line = completion_of(own)
        assert line["user"] == {"id": name}
        assert (line["level"], line["message"]) == (
            "WARNING",
            "GET /for-ever cancelled",
        )
        assert {one["asked"] for one in asked_lines(own)} == {name}
