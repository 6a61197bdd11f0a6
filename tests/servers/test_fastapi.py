"""
FastAPI under uvicorn: every line that a request causes has its id, whatever runs it.

One server process serves all tests of one HTTP implementation. Each line of a
request has the request's own token in its message: the truth, without ctxlog.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers import need
from tests.servers.serving import Event, Response, Server, is_completion, serving

need("fastapi", "uvicorn", "httptools", "h11", "websockets")

pytestmark = [
    pytest.mark.real_server,
    pytest.mark.skipif(sys.platform == "win32", reason="ends the server with a signal"),
]

APP = """
import asyncio
import concurrent.futures
import logging
import threading
import time

import ctxlog
import ctxlog.servers.asgi
from fastapi import BackgroundTasks, Depends, FastAPI, HTTPException, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("app")
app = FastAPI()
pool = concurrent.futures.ThreadPoolExecutor(2)


class Timing(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        log.info("before %s", request.headers["x-token"])
        response = await call_next(request)
        log.info("after %s", request.headers["x-token"])
        return response


app.add_middleware(Timing)
ctxlog.servers.asgi.install(app)


@app.exception_handler(KeyError)
async def answer_key_error(request, error):
    log.info("handler %s", request.headers["x-token"])
    return PlainTextResponse("no such key", status_code=418)


def late_user(token: str) -> str:
    ctxlog.bind(user={"id": token})
    log.info("dependency %s", token)
    return token


async def late_user_async(token: str) -> str:
    await asyncio.sleep(0)
    ctxlog.bind(user={"id": token})
    log.info("dependency %s", token)
    return token


def late_user_yield(token: str):
    ctxlog.bind(user={"id": token})
    log.info("dependency %s", token)
    yield token
    log.info("cleanup %s", token)


async def late_user_yield_async(token: str):
    ctxlog.bind(user={"id": token})
    log.info("dependency %s", token)
    yield token
    log.info("cleanup %s", token)


@app.get("/sync")
def sync(token: str = Depends(late_user)):
    log.info("handler %s", token)


@app.get("/async")
async def asynchronous(token: str = Depends(late_user_async)):
    await asyncio.sleep(0.001)
    log.info("handler %s", token)


@app.get("/yield")
def yielding(token: str = Depends(late_user_yield)):
    log.info("handler %s", token)


@app.get("/yield-async")
async def yielding_async(token: str = Depends(late_user_yield_async)):
    log.info("handler %s", token)


@app.get("/threads")
async def threads(token: str):
    thread = threading.Thread(target=log.info, args=("thread %s", token))
    thread.start()
    thread.join()
    pool.submit(log.info, "pool %s", token).result()
    await asyncio.get_running_loop().run_in_executor(pool, log.info, "loop %s", token)
    await asyncio.to_thread(log.info, "to_thread %s", token)


@app.get("/background")
async def background(token: str, tasks: BackgroundTasks):
    async def later():
        log.info("background %s", token)

    tasks.add_task(later)
    tasks.add_task(log.info, "background, sync %s", token)
    when_over(ctxlog.get_store(), token)


def when_over(store, token):
    # Again and again: how late a request ends is up to the machine.
    if store.closed:
        log.info("timer %s", token)
    else:
        asyncio.get_running_loop().call_later(0.001, when_over, store, token)


@app.get("/stream")
async def stream(token: str):
    async def body():
        for number in range(3):
            log.info("chunk %s", token)
            await asyncio.sleep(0)
            yield b"x"

    return StreamingResponse(body())


@app.get("/http-error")
async def http_error(token: str):
    log.info("handler %s", token)
    raise HTTPException(404)


@app.get("/handled")
async def handled(token: str):
    raise KeyError(token)


@app.get("/crash")
async def crash(token: str):
    log.info("handler %s", token)
    raise ValueError(token)


@app.get("/crash-sync")
def crash_sync(token: str):
    log.info("handler %s", token)
    raise ValueError(token)


@app.websocket("/socket")
async def websocket(socket: WebSocket, token: str):
    await socket.accept()
    async for text in socket.iter_text():
        log.info("%s %s", text, token)
        await socket.send_text(text)


sub = FastAPI()


@sub.get("/inner")
def inner(token: str):
    log.info("mounted %s", token)


app.mount("/sub", sub)
"""


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """
    One uvicorn with the application, for all tests.
    """
    folder = tmp_path_factory.mktemp(request.param)
    with serving(APP, folder, request.param) as started:
        yield started


def head(path: str, token: str, *more: str) -> bytes:
    """
    A request that has its token where the application looks for it.
    """
    lines = [f"GET {path}?token={token} HTTP/1.1", "Host: localhost"]
    return "\r\n".join([*lines, f"X-Token: {token}", *more, "", ""]).encode()


def ask(server: Server, path: str, token: str, *more: str) -> Response:
    """
    Send one request on a connection of its own.
    """
    with server.connect() as connection:
        connection.sendall(head(path, token, *more))
        return Response(connection)


def of_token(server: Server, token: str) -> list[Event]:
    """
    The lines so far that speak of a token, or carry it.
    """
    return [one for one in server.events() if token in str(one)]


EXPECTED = {
    "/sync": ["dependency", "handler"],
    "/async": ["dependency", "handler"],
    "/yield": ["dependency", "handler", "cleanup"],
    "/yield-async": ["dependency", "handler", "cleanup"],
    "/threads": ["thread", "pool", "loop", "to_thread"],
    "/background": ["background", "background, sync", "timer"],
    "/stream": ["chunk", "chunk", "chunk"],
    "/http-error": ["handler"],
    "/handled": ["handler"],
    "/crash": ["handler"],
    "/crash-sync": ["handler"],
    "/sub/inner": ["mounted"],
}
STATUS = {"/http-error": 404, "/handled": 418, "/crash": 500, "/crash-sync": 500}


@pytest.mark.parametrize("path", EXPECTED)
def test_every_line_of_concurrent_requests_has_its_own_id(
    server: Server, path: str
) -> None:
    """
    Twenty at once: the application's lines, the completion line and the crash report.
    """
    tokens = [uuid.uuid4().hex for _ in range(20)]

    async def one(token: str) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        more = (f"X-Request-ID: {token}", "Connection: close")
        writer.write(head(path, token, *more))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    async def everyone() -> list[bytes]:
        return await asyncio.gather(*map(one, tokens))

    answers = asyncio.run(everyone())
    crashes = path.startswith("/crash")
    wanted = [*EXPECTED[path], "before", *(() if crashes else ("after",))]
    each = len(wanted) + 1 + crashes
    server.until(lambda line: line["requestID"] in tokens, count=each * len(tokens))
    for token, answer in zip(tokens, answers, strict=True):
        status = STATUS.get(path, 200)
        assert answer.startswith(f"HTTP/1.1 {status} ".encode())
        assert answer.lower().count(b"x-request-id: " + token.encode()) == 1
        lines = of_token(server, token)
        assert {line["requestID"] for line in lines} == {token}
        own = [line for line in lines if line["logger"] == "app"]
        assert sorted(line["message"] for line in own) == sorted(
            f"{what} {token}" for what in wanted
        )
        (done,) = filter(is_completion, lines)
        assert (done["method"], done["path"], done["status"]) == ("GET", path, status)
        assert done["client"] == "127.0.0.1"
        assert done["durationMs"] >= 0
        if "dependency" in wanted:
            assert done["user"] == {"id": token}
        reports = [line for line in lines if line["logger"] == "uvicorn.error"]
        assert [line["exception"]["type"] for line in reports] == (
            ["ValueError"] * crashes
        )


def test_a_line_after_the_response_is_late(server: Server) -> None:
    """
    A timer that outlives its request is still the request's, and says so.
    """
    token = uuid.uuid4().hex
    ask(server, "/background", token)
    line = server.until(lambda line: line["message"] == f"timer {token}")
    assert line["late"] is True


def test_a_websocket_is_one_request(server: Server) -> None:
    """
    Its lines have one id, and one completion line comes when it is closed.
    """
    from websockets.sync.client import connect

    token = uuid.uuid4().hex
    address = f"ws://127.0.0.1:{server.port}/socket?token={token}"
    with connect(address, additional_headers={"X-Request-ID": token}) as client:
        assert client.response is not None
        assert client.response.headers["X-Request-ID"] == token
        for text in ("one", "two"):
            client.send(text)
            assert client.recv() == text
    done = server.until(lambda line: is_completion(line) and line["requestID"] == token)
    assert (done["path"], done["status"]) == ("/socket", 101)
    own = [line for line in of_token(server, token) if line["logger"] == "app"]
    assert [line["message"] for line in own] == [f"one {token}", f"two {token}"]
    assert {line["requestID"] for line in own} == {token}


BAD = {
    "10 kB": "x" * 10_000,
    "quotes": 'a"b',
    "HTML": "<script>alert(1)</script>",
    "spaces": "a b",
    "non-latin": "\u0436\u0436",
    "latin-1": "\xe4\xf6",
    "empty": "",
}


@pytest.mark.parametrize("kind", BAD)
def test_an_id_that_is_not_valid_is_replaced(server: Server, kind: str) -> None:
    """
    By a new one, which the response has; the value that came in is on no line.
    """
    token, bad = uuid.uuid4().hex, BAD[kind]
    encoding = "latin-1" if kind == "latin-1" else "utf-8"
    request = head("/async", token, f"X-Request-ID: {bad}@@")
    request = request.replace(f"{bad}@@".encode(), bad.encode(encoding))
    with server.connect() as connection:
        connection.sendall(request)
        response = Response(connection)
    given = response.headers["x-request-id"]
    assert len(given) == 32
    server.until(lambda line: is_completion(line) and line["requestID"] == given)
    lines = of_token(server, token)
    assert {line["requestID"] for line in lines} == {given}
    if bad.strip():
        assert bad not in str(server.events())
        warnings = [one for one in server.events() if one["requestID"] == given]
        assert [one["level"] for one in warnings].count("WARNING") == 1


def test_two_ids_are_none(server: Server) -> None:
    """
    Somebody on the way added one: neither is trusted.
    """
    token = uuid.uuid4().hex
    response = ask(server, "/async", token, "X-Request-ID: a1", "X-Request-ID: b2")
    assert response.headers["x-request-id"] not in ("a1", "b2")


def test_an_id_that_repeats_is_two_requests(server: Server) -> None:
    """
    Two requests may have one id; nothing else of the first is on the second's lines.
    """
    shared = uuid.uuid4().hex
    for path in ("/sync", "/http-error"):
        ask(server, path, f"{path[1:]}-{shared}", f"X-Request-ID: {shared}")
    server.until(
        lambda line: is_completion(line) and line["requestID"] == shared, count=2
    )
    first, second = (
        line
        for line in server.events()
        if is_completion(line) and line["requestID"] == shared
    )
    assert "user" in first
    assert "user" not in second


def test_half_a_request_and_garbage_are_nobodys(server: Server) -> None:
    """
    A connection that breaks off, or speaks no HTTP, leaves the server as it was.
    """
    token = uuid.uuid4().hex
    with server.connect() as connection:
        connection.sendall(b"POST /async HTTP/1.1\r\nHost: x\r\nContent-Len")
    with server.connect() as connection:
        connection.sendall(b"\x00\x01\x02 garbage\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    assert ask(server, "/async", token).status == 200
    found: list[Any] = [
        line for line in server.events() if "Invalid HTTP" in line["message"]
    ]
    assert [line["requestID"] for line in found] == ["N/A"] * len(found)
