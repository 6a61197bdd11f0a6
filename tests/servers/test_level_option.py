"""
`level`, `debug_header` and `debug_token`: a level for one request, in every adapter.

Each adapter is served by a real server, on a loopback socket.
"""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ctxlog
from ctxlog.errors import ConfigError
from ctxlog.servers import asgi
from ctxlog.servers._options import RequestOptions
from tests.helpers import LogEnvironment, need
from tests.servers.adapters import ADAPTERS, Serve
from tests.servers.serving import Response, serving
from tests.servers.test_asgi import Lines, call

LOG = logging.getLogger("tests.app")

TOKEN = "t0p-s3cret-t0ken"
SECRET: dict[str, Any] = {"debug_header": "X-Debug", "debug_token": TOKEN}


#: How many requests run at once.
CLIENTS = 100


def work() -> None:
    LOG.debug("details")
    LOG.info("hello")


@pytest.fixture(params=ADAPTERS, ids=lambda serve: serve.__name__[3:])
def serve(request: pytest.FixtureRequest) -> Serve:
    """
    One adapter.
    """
    found: Serve = request.param
    return found


@pytest.fixture
def written(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged from INFO on, as lines; of clients and servers, nothing.
    """
    others = ("asyncio", "httpx", "uvicorn", "websockets", "sanic", "aiohttp")
    levels = dict.fromkeys(others, "CRITICAL")
    with contextlib.ExitStack() as stack:
        stack.callback(ctxlog.unconfigure)
        ctxlog.configure(format="json", stream=log_env.stream, levels=levels)
        yield log_env


def messages(written: LogEnvironment, request_id: str) -> list[str]:
    """
    What the application logged in one request.
    """
    return [
        one["message"]
        for one in written.load_all()
        if one["logger"] == "tests.app" and one["requestID"] == request_id
    ]


pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:pkg_resources"),  # Pyramid imports it
]


def test_every_adapter_is_here() -> None:
    """
    The fixture has each adapter that takes the options of servers.
    """
    names = {serve.__name__[3:].partition("_")[0] for serve in ADAPTERS}
    assert names == {
        *("asgi", "wsgi", "flask", "pyramid", "django", "aiohttp", "tornado"),
        *("sanic", "websockets", "grpc"),
    }


# In every adapter ---------------------------------------------------------------


def test_a_request_with_the_token_has_the_level_debug(
    serve: Serve, written: LogEnvironment
) -> None:
    """
    Whether its id is trusted or not; a neighbor without the token has the usual level.
    """
    debug = ("X-Debug", TOKEN)
    serve(
        [
            [("X-Request-ID", "req-A")],
            [("X-Request-ID", "req-B"), debug],
            [("X-Request-ID", "req-C")],
        ],
        work,
        **SECRET,
    )
    assert messages(written, "req-A") == ["hello"]
    assert messages(written, "req-B") == ["details", "hello"]
    assert messages(written, "req-C") == ["hello"]
    written.clear()
    serve([[debug]], work, trust=False, **SECRET)
    own = [one for one in written.load_all() if one["logger"] == "tests.app"]
    assert [one["message"] for one in own] == ["details", "hello"]
    assert TOKEN not in written.text()


def test_a_request_with_the_token_is_kept(
    serve: Serve, written: LogEnvironment
) -> None:
    """
    Where requests are sampled, its lines are written at once; a neighbor's are not.
    """
    sampling = ctxlog.Sampling(rate=0.0)
    ctxlog.configure(format="json", stream=written.stream, sampling=sampling)
    debug = ("X-Debug", TOKEN)
    requests = [[("X-Request-ID", "req-A")], [("X-Request-ID", "req-B"), debug]]
    serve(requests, work, **SECRET)
    assert messages(written, "req-A") == []
    assert messages(written, "req-B") == ["details", "hello"]
    own = [one for one in written.load_all() if one["logger"] == "tests.app"]
    assert not any("buffered" in one or "sampleRate" in one for one in own)


def test_other_values_have_no_effect(serve: Serve, written: LogEnvironment) -> None:
    """
    A wrong value, two values, the token with something around it: no line says so.
    """
    wrong = ["", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), f"{TOKEN}, {TOKEN}"]
    requests = [[("X-Debug", value)] for value in wrong]
    requests += [
        [("X-Debug", TOKEN), ("X-Debug", TOKEN)],
        [("X-Debug", TOKEN), ("x-debug", "other")],
        [("X-Debugs", TOKEN)],
    ]
    serve(requests, work, **SECRET)
    lines = written.load_all()
    own = [one["message"] for one in lines if one["logger"] == "tests.app"]
    assert own == ["hello"] * len(requests)
    assert {one["logger"] for one in lines} <= {"tests.app", "ctxlog.request"}
    assert TOKEN not in written.text()


def test_a_callable_chooses_the_level(serve: Serve, written: LogEnvironment) -> None:
    """
    It gets what the adapter documents, once per request, in the request's store.
    """
    path_of, asked = ADAPTERS[serve], []

    def level(source: Any) -> str | None:
        request_id = ctxlog.fields()["requestID"]
        asked.append((request_id, path_of(source)))
        LOG.info("asked")
        return "DEBUG" if request_id == "req-B" else None

    serve([[("X-Request-ID", "req-A")], [("X-Request-ID", "req-B")]], work, level=level)
    path = "/Shop/plain" if "grpc" in serve.__name__ else "/orders"
    assert asked == [("req-A", path), ("req-B", path)]
    assert messages(written, "req-A") == ["asked", "hello"]
    assert messages(written, "req-B") == ["asked", "details", "hello"]


def test_the_level_is_chosen_with_an_id_of_the_application(
    serve: Serve, written: LogEnvironment
) -> None:
    """
    Also where the application's own code decides on the id.
    """
    headers = [("X-Request-ID", "req-A")]
    debug = ("X-Debug", TOKEN)
    options: dict[str, Any] = {"trust": lambda client: True, "validator": None}
    serve([[*headers, debug]], work, **options, **SECRET)
    assert messages(written, "req-A") == ["details", "hello"]
    written.clear()
    serve([headers], work, **options, level=lambda source: logging.DEBUG)
    assert messages(written, "req-A") == ["details", "hello"]


def test_a_higher_level(serve: Serve, written: LogEnvironment) -> None:
    """
    A request may also have less than others.
    """
    serve([[("X-Request-ID", "req-A")]], work, level=lambda source: "WARNING")
    assert messages(written, "req-A") == []


@pytest.mark.parametrize("returned", ["LOUD", True, 3.5, ()])
def test_nonsense_is_said_once(
    serve: Serve, written: LogEnvironment, returned: Any
) -> None:
    """
    The requests have the usual level.
    """
    requests = [[("X-Request-ID", request_id)] for request_id in ("req-A", "req-B")]
    serve(requests, work, level=lambda source: returned)
    (said,) = [one for one in written.load_all() if one["logger"] == "ctxlog"]
    kind = type(returned).__name__
    assert said["message"] == (
        f"level returned a {kind} (expected the number or name of a level); said once"
    )
    assert (said["level"], said["requestID"]) == ("WARNING", "req-A")
    assert messages(written, "req-A") == messages(written, "req-B") == ["hello"]


def test_a_callable_that_raises_is_said_once(
    serve: Serve, written: LogEnvironment
) -> None:
    """
    With its exception, in the first request; all are served.
    """

    def level(source: Any) -> str:
        raise ValueError("broken")

    requests = [[("X-Request-ID", request_id)] for request_id in ("req-A", "req-B")]
    serve(requests, work, level=level)
    (said,) = [one for one in written.load_all() if one["logger"] == "ctxlog"]
    assert said["message"] == "level failed; said once"
    assert (said["level"], said["requestID"]) == ("WARNING", "req-A")
    assert said["exception"]["type"] == "ValueError"
    assert messages(written, "req-A") == messages(written, "req-B") == ["hello"]


def test_the_header_is_shown_to_no_rule(serve: Serve, written: LogEnvironment) -> None:
    """
    `completion` gets the request's headers without it.
    """
    seen: list[bool] = []

    def completion(completed: Any) -> None:
        headers = completed.headers
        seen.append("X-Debug" in headers or TOKEN in headers.values())
        seen.append("X-Request-ID" in headers)

    pairs = [("X-Request-ID", "req-A"), ("X-Debug", TOKEN)]
    serve([pairs], work, completion=completion, **SECRET)
    assert seen == [False, True]


# The rules, by ASGI -------------------------------------------------------------


async def working(scope: Any, receive: Any, send: Any) -> None:
    work()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_the_token_comes_before_the_callable(lines: Lines) -> None:
    """
    `level` is not asked where the token decides.
    """

    def level(source: Any) -> str:
        raise AssertionError("asked")

    app = asgi.ContextMiddleware(working, level=level, **SECRET)
    call(app, headers=[("X-Debug", TOKEN)])
    assert [one["message"] for one in lines.of("tests.app")] == ["details", "hello"]


@pytest.mark.parametrize(
    ("field", "header"),
    [("userAgent", "User-Agent"), ("referer", "Referer"), ("host", "Host")],
)
def test_no_field_shows_the_header(lines: Lines, field: str, header: str) -> None:
    """
    Not even one that is made of the same header.
    """
    app = asgi.ContextMiddleware(
        working, completion_fields=[field], debug_header=header, debug_token=TOKEN
    )
    call(app, headers=[(header, TOKEN)])
    assert [one["message"] for one in lines.of("tests.app")] == ["details", "hello"]
    assert field not in lines.completion()
    assert TOKEN not in lines.text()


@pytest.mark.parametrize("name", ["X-Debug", "x-debug", "X-DEBUG"])
@pytest.mark.parametrize("kind", ["header", "responseHeader"])
def test_the_header_cannot_be_asked_for(name: str, kind: str) -> None:
    """
    The error names both options.
    """
    with pytest.raises(ConfigError) as raised:
        RequestOptions(completion_fields=[f"{kind}:{name}"], **SECRET)
    assert str(raised.value) == (
        f"invalid value for completion_fields: '{kind}:{name}' (expected no header"
        " that is the debug_header: its value is a secret)"
    )
    RequestOptions(completion_fields=[f"{kind}:X-Debug-Level"], **SECRET)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": "DEBUG"}, "level: 'DEBUG' (expected a callable)"),
        (
            {"debug_header": "X-Debug"},
            "debug_token: None (expected a token, with debug_header)",
        ),
        (
            {"debug_token": TOKEN},
            "debug_header: None (expected a header, with debug_token)",
        ),
        *(
            (
                {"debug_header": name, "debug_token": TOKEN},
                f"debug_header: {name!r} (expected the name of a header (RFC 9110,"
                " section 5.1))",
            )
            for name in ("", "X Debug", "X-Debug:", b"X-Debug", 1)
        ),
        *(
            (
                {"debug_header": name, "debug_token": TOKEN},
                f"debug_header: {name!r} (expected a header that nothing else is read"
                " from)",
            )
            for name in (
                "x-request-id",
                "X-Correlation-ID",
                "Traceparent",
                "X-Sample-Rate",
            )
        ),
        *(
            (
                {"debug_header": "X-Debug", "debug_token": token},
                "debug_token: '[redacted]' (expected 16 to 256 printable ASCII"
                " characters, without spaces around)",
            )
            for token in (
                *("", TOKEN[:15], f" {TOKEN}", f"{TOKEN}\n", f"{TOKEN}\xe9", "x" * 257),
                *(TOKEN.encode(), 1234567890123456, lambda: TOKEN),
            )
        ),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    """
    The error says what is allowed, and never the token.
    """
    with pytest.raises(ConfigError) as raised:
        RequestOptions(**options)
    assert str(raised.value) == f"invalid value for {message}"
    assert str(options.get("debug_token") or TOKEN) not in repr(vars(raised.value))


def test_the_token_is_in_no_representation() -> None:
    """
    Neither of the options nor of what they have made.
    """
    options = RequestOptions(**SECRET)
    assert TOKEN not in repr(options)
    assert TOKEN not in "".join(
        repr(value) for value in vars(options).values() if value != TOKEN
    )


TEXTS = st.text(max_size=40) | st.just(TOKEN) | st.text("tT0p-s3cret", max_size=18)


@given(values=st.lists(TEXTS, max_size=3))
def test_only_the_token_alone_has_an_effect(values: list[str]) -> None:
    """
    Whatever a server makes of a header's bytes, lone surrogates included.
    """
    options = RequestOptions(**SECRET)
    headers = options.headers.of_pairs([("X-Debug", value) for value in values])
    assert options.levels.has_token(headers) == (values == [TOKEN])
    assert headers == {}


def test_a_server_that_leaves_surrogates(lines: Lines) -> None:
    """
    A header of bytes that are no text is no token, and no error.
    """
    options = RequestOptions(**SECRET)
    headers = options.headers.of_pairs([("x-debug", "t\udcff")])
    assert not options.levels.has_token(headers)


def test_no_header_is_looked_for_that_nobody_asked_for() -> None:
    """
    Without the option the header is not among those that are read.
    """
    usual, asked = RequestOptions(), RequestOptions(**SECRET)
    pairs = [(b"X-Debug", TOKEN.encode())]
    environ = {"HTTP_X_DEBUG": TOKEN}
    assert usual.headers.of_pairs(pairs) == usual.headers.of_environ(environ) == {}
    assert asked.headers.of_pairs(pairs) == {"x-debug": [TOKEN]}
    assert not usual.levels.asked


# Many at once ---------------------------------------------------------------------

CROWD = f"""
import asyncio, logging, threading
import ctxlog
from ctxlog.servers.asgi import ContextMiddleware

ctxlog.configure(format="json")
log = logging.getLogger("app")
arrived, waiting = [], asyncio.Event()


async def app(scope, receive, send):
    # Nobody goes on before all are there.
    arrived.append(scope)
    if len(arrived) == {CLIENTS}:
        waiting.set()
    await waiting.wait()
    for number in range(3):
        log.debug("details")
        log.info("hello")
        await asyncio.sleep(0)
    await asyncio.to_thread(log.debug, "in a thread")
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b""}})


app = ContextMiddleware(app, debug_header="X-Debug", debug_token="{TOKEN}")
"""


@pytest.mark.real_server
def test_neighbors_have_levels_of_their_own(tmp_path: Path) -> None:
    """
    Requests that run at the same time, of which every fifth has the token: each has
    exactly its lines, those of threads among them.
    """
    need("uvicorn")
    with serving(CROWD, tmp_path, "h11") as server, contextlib.ExitStack() as stack:
        connections = []
        for number in range(CLIENTS):
            connection = stack.enter_context(server.connect())
            token = f"X-Debug: {TOKEN}\r\n" if number % 5 == 0 else ""
            connection.sendall(
                f"GET / HTTP/1.1\r\nHost: shop\r\nX-Request-ID: req-{number}\r\n"
                f"{token}\r\n".encode()
            )
            connections.append(connection)
        assert [Response(one).status for one in connections] == [200] * CLIENTS
        lines = server.stop()
    assert TOKEN.encode() not in b"".join(server.raw)
    found: dict[str, Counter[str]] = {}
    for one in lines:
        if one["logger"] == "app":
            found.setdefault(one["requestID"], Counter())[one["message"]] += 1
    usual = Counter(hello=3)
    loud = usual + Counter({"details": 3, "in a thread": 1})
    assert found == {
        f"req-{number}": usual if number % 5 else loud for number in range(CLIENTS)
    }
