"""
The ASGI middleware: driven by hand, and under a real uvicorn.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.servers.asgi import ContextMiddleware, install, uninstall
from tests.helpers import LogEnvironment, clean_environment, load_line, need


@pytest.fixture
def lines() -> Iterator[LogEnvironment]:
    """
    The lines of ctxlog's own loggers, in memory.
    """
    environment = LogEnvironment("ctxlog")
    handler = ctxlog.LineHandler(environment.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    environment.use(handler)
    yield environment
    environment.close()


class Client:
    """
    A server in miniature: calls an application as ASGI says.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.sent: list[Any] = []
        self.incoming: list[Any] = [{"type": "http.request"}]
        self.captured: list[contextvars.Context] = []
        self.received_in: list[Any] = []

    async def receive(self) -> Any:
        self.received_in.append(ctxlog.get_store())
        return self.incoming.pop(0)

    async def send(self, message: Any) -> None:
        self.captured.append(contextvars.copy_context())
        self.captured[-1].run(ctxlog.get_store)
        self.sent.append((message, ctxlog.fields()))

    def get(
        self, path: str = "/orders/7", *headers: tuple[str, str], **scope: Any
    ) -> None:
        scope = {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": b"token=secret",
            "client": ("127.0.0.1", 1234),
            "headers": [
                (name.lower().encode(), value.encode("latin-1"))
                for name, value in headers
            ],
            **scope,
        }
        asyncio.run(self.app(scope, self.receive, self.send))

    @property
    def echoed(self) -> list[str]:
        (start, *_), _ = next(
            ([m], f) for m, f in self.sent if m["type"] == "http.response.start"
        )
        return [v.decode() for k, v in start["headers"] if k == b"x-request-id"]


def answering(status: int = 200, **bound: Any) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        ctxlog.bind(**bound)
        await receive()
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body", "body": b"x"})

    return app


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("bad")


@pytest.mark.parametrize(
    ("status", "level"), [(200, "INFO"), (404, "WARNING"), (503, "ERROR")]
)
def test_one_completion_line_per_request(
    lines: LogEnvironment, status: int, level: str
) -> None:
    """
    It has method, path, status, duration, client and what was bound late; no query.
    """
    Client(ContextMiddleware(answering(status, user="u"))).get()

    line = lines.load_json()
    assert line["logger"] == "ctxlog.request"
    assert line["message"] == f"GET /orders/7 {status}"
    assert (line["level"], line["status"]) == (level, status)
    assert (line["method"], line["path"]) == ("GET", "/orders/7")
    assert (line["client"], line["user"]) == ("127.0.0.1", "u")
    assert line["durationMs"] >= 0
    assert "secret" not in lines.text()


@pytest.mark.parametrize(
    "headers",
    [
        [("X-Request-ID", "x" * 10_000)],
        [("X-Request-ID", "a\x00b")],
        [("X-Request-ID", "a\r\nSet-Cookie: x")],
        [("X-Request-ID", '"><script>')],
        [("X-Request-ID", "caf\xe9")],
        [("X-Request-ID", "one-id"), ("X-Request-ID", "another-id")],
    ],
    ids=["long", "control", "line break", "html", "non-latin", "two"],
)
def test_an_id_that_is_not_usable_is_replaced(
    lines: LogEnvironment, headers: list[tuple[str, str]]
) -> None:
    """
    A new id is made, and a warning says so without the value.
    """
    client = Client(ContextMiddleware(answering()))

    client.get("/", *headers)

    assert re.fullmatch("[0-9a-f]{32}", client.echoed[0])
    warning, completion = lines.load_all()
    assert warning["level"] == "WARNING"
    assert headers[0][1] not in warning["message"]
    assert completion["requestID"] == client.echoed[0]


@pytest.mark.parametrize(
    ("options", "headers", "expected"),
    [
        ({}, [("X-Request-ID", "abc-1")], "abc-1"),
        ({}, [("X-Correlation-ID", "cor-1")], "cor-1"),
        ({"request_id_header": "Trace"}, [("trace", "t-1")], None),
        ({"trust": False, "generator": lambda: "new"}, [("X-Request-ID", "a")], "new"),
        ({"trust": ["127.0.0.0/8"]}, [("X-Request-ID", "a")], "a"),
        ({"trust": lambda client: client == "127.0.0.1"}, [("X-Request-ID", "a")], "a"),
        (
            {"trust": ["10.0.0.0/8"], "generator": lambda: "new"},
            [("X-Request-ID", "a")],
            "new",
        ),
        ({"validator": None}, [("X-Request-ID", "with space")], "with space"),
    ],
    ids=["own", "correlation", "header", "nobody", "network", "callable", "far", "any"],
)
def test_whose_id_is_used(
    lines: LogEnvironment,
    options: dict[str, Any],
    headers: list[tuple[str, str]],
    expected: str | None,
) -> None:
    """
    The options decide from which header and from whom an id is taken.
    """
    client = Client(ContextMiddleware(answering(), **options))

    client.get("/", *headers)

    if expected is None:  # echoed under the header's own name
        start = client.sent[0][0]
        assert (b"trace", b"t-1") in start["headers"]
    else:
        assert client.echoed == [expected]


@pytest.mark.parametrize(
    "options",
    [
        {"generator": lambda: 1 / 0},
        {"generator": lambda: "a\nb"},
        {"validator": lambda value: 1 / 0},
        {"trust": lambda client: 1 / 0},
    ],
    ids=["generator raises", "generator unsafe", "validator raises", "trust raises"],
)
def test_a_failing_option_costs_no_request(
    lines: LogEnvironment, options: dict[str, Any]
) -> None:
    """
    A callable that fails is reported, and the request gets an id of ours.
    """
    client = Client(ContextMiddleware(answering(), **options))
    headers = [] if "generator" in options else [("X-Request-ID", "abc")]

    client.get("/", *headers)

    assert re.fullmatch("[0-9a-f]{32}", client.echoed[0])
    assert len(lines.lines()) >= 2


@pytest.mark.parametrize(
    "options",
    [
        {"request_id_header": "a b"},
        {"accept_headers": "X-Id"},
        {"trust": ["not a network"]},
        {"trust": 3},
        {"generator": 3},
        {"ignore_paths": [3]},
        {"completion_line": "yes"},
    ],
    ids=str,
)
def test_a_wrong_option_is_named_at_once(options: dict[str, Any]) -> None:
    """
    Not by the first request, but where the middleware is made.
    """
    (name, _), *_ = options.items()

    with pytest.raises(ctxlog.ConfigError, match=name):
        ContextMiddleware(answering(), **options)


def test_a_failure_is_reported_with_its_request(lines: LogEnvironment) -> None:
    """
    The exception passes through, the client gets a 500 with the id, one line says so.
    """
    client = Client(ContextMiddleware(failing))

    with pytest.raises(ValueError, match="bad") as caught:
        client.get("/", ("X-Request-ID", "req-A"))
    logging.getLogger("ctxlog.x").error("crashed", exc_info=caught.value)

    completion, crash = lines.load_all()
    assert client.echoed == ["req-A"]
    assert (completion["status"], completion["error"]) == (500, "ValueError")
    assert (completion["level"], crash["requestID"]) == ("ERROR", "req-A")
    assert "late" not in crash


def test_a_cancelled_request_has_its_line(lines: LogEnvironment) -> None:
    """
    Cancellation is a warning without a status.
    """

    async def hang(scope: Any, receive: Any, send: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        Client(ContextMiddleware(hang)).get()

    assert lines.load_json()["message"] == "GET /orders/7 cancelled"


def test_a_client_that_went_away_is_on_the_line(lines: LogEnvironment) -> None:
    """
    A disconnect before the answer was complete.
    """
    client = Client(ContextMiddleware(answering()))
    client.incoming = [{"type": "http.disconnect"}]

    client.get()

    line = lines.load_json()
    assert (line["disconnected"], line["level"]) == (True, "WARNING")


def test_no_line_for_ignored_paths_and_none_at_all(lines: LogEnvironment) -> None:
    """
    Health checks and whoever wants no completion lines.
    """
    quiet = ContextMiddleware(answering(), ignore_paths=["/health", "/static/*"])
    for path in ("/health", "/static/a.css", "/shown"):
        Client(quiet).get(path)
    Client(ContextMiddleware(answering(), completion_line=False)).get()

    assert lines.load_json()["path"] == "/shown"


def test_the_server_has_the_context_only_while_it_answers(
    lines: LogEnvironment,
) -> None:
    """
    `receive` runs without, `send` with it; what `send` captured has nothing later.
    """
    client = Client(ContextMiddleware(answering()))

    client.get("/", ("X-Request-ID", "req-A"))

    assert client.received_in == [None]
    assert [found["requestID"] for _, found in client.sent] == ["req-A", "req-A"]
    assert [context.run(ctxlog.fields) for context in client.captured] == [{}, {}]


def test_every_request_has_a_store_of_its_own(lines: LogEnvironment) -> None:
    """
    Also with the same id, and also when it starts in another request's context.
    """
    stores: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        stores.append(ctxlog.get_store())
        ctxlog.bind(number=len(stores))
        await answering()(scope, receive, send)

    wrapped = ContextMiddleware(app)
    for _ in range(2):
        ctxlog.run(
            {"requestID": "outer", "secret_of": "outer"},
            Client(wrapped).get,
            "/",
            ("X-Request-ID", "same"),
        )

    assert stores[0] is not stores[1]
    assert [dict(store) for store in stores] == [
        {"requestID": "same", "number": number} for number in (1, 2)
    ]
    assert all(store.closed for store in stores)


def test_the_user_is_read_when_the_request_ends(lines: LogEnvironment) -> None:
    """
    From Starlette's scope, from a callable, or not at all; a failing one costs nothing.
    """

    class User:
        is_authenticated = True
        display_name = "Alice"

        @property
        def identity(self) -> str:
            raise NotImplementedError

    Client(ContextMiddleware(answering())).get(user=User())
    Client(ContextMiddleware(answering(), user=lambda scope: "callable")).get()
    Client(ContextMiddleware(answering(), user=lambda scope: 1 / 0)).get()
    Client(ContextMiddleware(answering(user="bound"))).get(user=User())

    seen = [line for line in lines.load_all() if line["logger"] == "ctxlog.request"]
    assert [line.get("user") for line in seen] == [
        *({"name": "Alice"}, "callable", None, "bound")
    ]


def test_websockets_have_a_store_and_a_line(lines: LogEnvironment) -> None:
    """
    Accepted, refused and failed ones.
    """

    def app(*messages: dict[str, Any]) -> Any:
        async def talk(scope: Any, receive: Any, send: Any) -> None:
            for message in messages:
                await send(message)
            if not messages:
                raise ValueError("bad")
            await receive()

        return talk

    accept, close = {"type": "websocket.accept"}, {"type": "websocket.close"}
    clients = [Client(ContextMiddleware(app(*m))) for m in ((accept,), (close,))]
    for client in clients:
        client.incoming = [{"type": "websocket.disconnect", "code": 1001}]
        client.get("/ws", ("X-Request-ID", "w"), type="websocket")
    with pytest.raises(ValueError, match="bad"):
        Client(ContextMiddleware(app())).get("/ws", type="websocket")

    accepted, refused, failed = lines.load_all()
    assert (accepted["status"], accepted["closeCode"]) == (101, 1001)
    assert clients[0].sent[0][0]["headers"] == [(b"x-request-id", b"w")]
    assert (refused["status"], refused["level"]) == (403, "WARNING")
    assert (failed["level"], failed["error"]) == ("ERROR", "ValueError")


def test_twice_is_once_and_lifespan_has_no_context(lines: LogEnvironment) -> None:
    """
    An inner middleware passes through; what the application starts outlives requests.
    """
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(ctxlog.get_store())
        if scope["type"] == "http":
            await answering()(scope, receive, send)

    wrapped = ContextMiddleware(ContextMiddleware(app))
    Client(wrapped).get()
    ctxlog.run({}, Client(wrapped).get, type="lifespan")

    assert len(lines.lines()) == 1
    assert seen[1] is None


def test_install_covers_the_frameworks_own_500(lines: LogEnvironment) -> None:
    """
    Starlette's 500 and the application's handler for it carry the id.
    """
    need("starlette")
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def broken(request: Any) -> Any:
        raise ValueError("bad")

    async def handler(request: Any, error: Exception) -> Any:
        return PlainTextResponse("sorry", status_code=500)

    for handlers in ({}, {500: handler}):
        app = Starlette(routes=[Route("/", broken)], exception_handlers=handlers)
        install(app)
        install(app)
        client = Client(app)
        with pytest.raises(ValueError, match="bad"):
            client.get("/", ("X-Request-ID", "req-A"))
        assert client.echoed == ["req-A"]
        assert (client.sent[1][0]["body"] == b"sorry") == bool(handlers)
        uninstall(app)
        uninstall(app)
        client = Client(app)
        with pytest.raises(ValueError, match="bad"):
            client.get("/")
        assert client.echoed == []


def test_install_takes_starlette_only() -> None:
    """
    Anything else is told what to do.
    """
    with pytest.raises(TypeError, match=r"ContextMiddleware\(app\)"):
        install(answering())


PROGRAM = """
import asyncio, logging
import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("app")

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    ctxlog.bind(size=size)
    log.info("body read")
    if scope["path"] == "/fail":
        raise ValueError("bad")
    await asyncio.sleep(0)
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

app = ContextMiddleware(app)
"""


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_connection_that_is_used_again_shares_nothing(
    tmp_path: Path, http: str
) -> None:
    """
    400 kB, then a failing request without an id, then garbage: three strangers.
    """
    need("uvicorn", http)
    (tmp_path / "program.py").write_text(PROGRAM)
    server = subprocess.Popen(
        [
            *(sys.executable, "-Im", "uvicorn", "program:app", "--loop", "asyncio"),
            *("--http", http, "--app-dir", str(tmp_path)),
            *("--host", "127.0.0.1", "--port", "0"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=clean_environment(),
    )
    assert server.stdout is not None
    found = None
    while found is None:
        text = server.stdout.readline()
        assert text, "uvicorn did not start"
        found = re.search(r"http://127\.0\.0\.1:(\d+)", text)
    try:
        address = ("127.0.0.1", int(found[1]))
        head = "POST /first HTTP/1.1\r\nHost: x\r\nX-Request-ID: req-A\r\n"
        body = b"x" * 400_000
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            connection.sendall(body)
            answer = b""
            while not answer.endswith(b"ok"):
                answer += connection.recv(4096)
            assert b"x-request-id: req-A" in answer
            connection.sendall(b"GET /fail HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while chunk := connection.recv(4096):
                answer += chunk
            assert b" 500 " in answer.partition(b"\r\n")[0]
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
            connection.sendall(body)
            answer = b""
            while not answer.endswith(b"ok"):
                answer += connection.recv(4096)
            connection.sendall(b"\x00garbage\r\n\r\n")
            while connection.recv(4096):
                pass
    finally:
        server.terminate()
        output, _ = server.communicate(timeout=30)

    lines = [load_line(text) for text in output.splitlines()]
    own = {line["requestID"] for line in lines} - {"N/A", "req-A"}
    (second,) = own
    messages = [line["message"] for line in lines if line["requestID"] == second]
    assert messages == ["body read", "GET /fail 500", "Exception in ASGI application"]
    assert all(line["size"] == 0 for line in lines if line["requestID"] == second)
    first = [line["message"] for line in lines if line["requestID"] == "req-A"]
    assert first == ["body read", "POST /first 200"] * 2
    garbage = [line for line in lines if line["message"].startswith("Invalid HTTP")]
    assert [line["requestID"] for line in garbage] == ["N/A"]


def test_a_thousand_tasks_never_share_a_field() -> None:
    """
    1,000 interleaved tasks with random waits: no line has a foreign id.
    """
    import random

    environment = LogEnvironment("thousand")
    handler = ctxlog.LineHandler(environment.stream)
    handler.setFormatter(ctxlog.JsonFormatter())
    environment.use(handler)
    chance = random.Random(7)

    async def work(number: int) -> None:
        for step in range(3):
            for _ in range(chance.randrange(4)):
                await asyncio.sleep(0)
            with ctxlog.scope(step=step):
                environment.logger.info("%d %d", number, step)

    async def main() -> None:
        await asyncio.gather(
            *(ctxlog.run({"requestID": f"r{n}"}, work, n) for n in range(1_000))
        )

    asyncio.run(main())
    environment.close()
    lines = environment.load_all()

    assert len(lines) == 3_000
    assert all(
        line["message"] == f"{line['requestID'][1:]} {line['step']}" for line in lines
    )
