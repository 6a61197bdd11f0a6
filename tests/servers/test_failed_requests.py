"""
What a request's end decides about its buffered lines, in every adapter.

Each adapter is served by a real server, on a loopback socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

import ctxlog
from ctxlog.servers import asgi, wsgi
from tests.helpers import LogEnvironment, need
from tests.servers.adapters import ADAPTERS, Serve
from tests.servers.test_asgi import answering, call

LOG = logging.getLogger("tests.app")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:pkg_resources"),  # Pyramid imports it
]

#: Loggers of clients and servers, which have lines of their own about a failure.
OTHERS = (
    *("asyncio", "httpx", "uvicorn", "websockets", "sanic", "aiohttp", "tornado"),
    *("django", "grpc", "wsgi.errors", "tests.wsgi", "concurrent"),
)


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
    All that is logged from INFO on, and the buffered lines that a failure lets go: no
    line does, since none is at CRITICAL.
    """
    with contextlib.ExitStack() as stack:
        stack.callback(ctxlog.unconfigure)
        ctxlog.configure(
            format="json",
            stream=log_env.stream,
            buffer=ctxlog.Buffer(flush_level="CRITICAL"),
            levels=dict.fromkeys(OTHERS, "CRITICAL"),
            hooks=False,
        )
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


def of_app(written: LogEnvironment) -> list[dict[str, Any]]:
    """
    What the application logged.
    """
    return [one for one in written.load_all() if one["logger"] == "tests.app"]


def crash() -> None:
    LOG.debug("details")
    LOG.info("hello")
    if ctxlog.fields()["requestID"] == "req-B":
        raise ValueError("broken")


REQUESTS = [[("X-Request-ID", f"req-{name}")] for name in "ABC"]


@pytest.mark.parametrize("completes", [True, False])
def test_a_failed_request_lets_its_lines_go(
    serve: Serve, written: LogEnvironment, completes: bool
) -> None:
    """
    Whether it has a completion line or not; those of its neighbors are dropped.
    """
    serve(REQUESTS, crash, completion_line=completes)
    assert messages(written, "req-A") == ["hello"]
    assert messages(written, "req-B") == ["hello", "details"]
    assert messages(written, "req-C") == ["hello"]
    lines = [one for one in written.load_all() if one["requestID"] == "req-B"]
    (details,) = [one for one in lines if one["message"] == "details"]
    assert details["buffered"] is True
    completion = [one for one in lines if one["logger"] == "ctxlog.request"]
    assert len(completion) == completes
    # The lines come before it.
    assert not completes or lines.index(details) < lines.index(completion[0])


# What a failure is, by ASGI ------------------------------------------------------


def lets_go(written: LogEnvironment, app: Any, **options: Any) -> bool:
    """
    Whether the end of one request lets its buffered line go.
    """

    async def logging_app(scope: Any, receive: Any, send: Any) -> None:
        LOG.debug("details")
        await app(scope, receive, send)

    messages = options.pop("messages", ({"type": "http.request"},))
    call(asgi.ContextMiddleware(logging_app, **options), messages=messages)
    return any(one["message"] == "details" for one in written.load_all())


async def leaving(scope: Any, receive: Any, send: Any) -> None:
    """
    Notice that the client has left, and give up.
    """
    await receive()
    assert (await receive())["type"] == "http.disconnect"


async def cancelled(scope: Any, receive: Any, send: Any) -> None:
    """
    Be cancelled, as by a server that shuts down.
    """
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("status", "expected"), [(200, False), (404, False), (500, True), (503, True)]
)
def test_a_status_of_500_and_above_is_a_failure(
    written: LogEnvironment, status: int, expected: bool
) -> None:
    """
    Without any exception, too.
    """
    assert lets_go(written, answering(status)) is expected


def test_a_client_that_leaves_is_no_failure(written: LogEnvironment) -> None:
    """
    It is the client's decision.
    """
    messages = [{"type": "http.request"}, {"type": "http.disconnect"}]
    assert not lets_go(written, leaving, messages=messages)


def test_a_cancelled_request_is_no_failure(written: LogEnvironment) -> None:
    """
    What ends it is no error of its own.
    """
    with pytest.raises(asyncio.CancelledError):
        lets_go(written, cancelled)
    assert not any(one["message"] == "details" for one in written.load_all())


def test_the_level_of_the_completion_line_counts(log_env: LogEnvironment) -> None:
    """
    As that of any other line; where the application drops the line, it does not.
    """
    ctxlog.configure(
        format="json", stream=log_env.stream, buffer=ctxlog.Buffer(flush_level="ERROR")
    )
    try:
        level: dict[str, Any] = {"completion_level": lambda completed: "ERROR"}
        dropped = {**level, "completion": lambda completed: False}
        assert not lets_go(log_env, answering(200))
        assert not lets_go(log_env, answering(200), **dropped)
        assert lets_go(log_env, answering(200), **level)
    finally:
        ctxlog.unconfigure()


@pytest.mark.parametrize("completes", [True, False])
def test_a_slow_request_lets_its_lines_go(
    log_env: LogEnvironment, completes: bool
) -> None:
    """
    From `flush_slower_than` on.
    """
    try:
        for limit, expected in ((3600, False), (0, True)):
            buffer = ctxlog.Buffer(flush_slower_than=limit)
            ctxlog.configure(format="json", stream=log_env.stream, buffer=buffer)
            found = lets_go(log_env, answering(200), completion_line=completes)
            assert found is expected
    finally:
        ctxlog.unconfigure()


# Ends of other kinds --------------------------------------------------------------


@pytest.mark.parametrize("where", ["call", "body", "close"])
@pytest.mark.parametrize("completes", [True, False])
def test_a_wsgi_application_that_fails_anywhere(
    written: LogEnvironment, where: str, completes: bool
) -> None:
    """
    In its call, in its body, in the body's `close()`.
    """

    class Body:
        def __iter__(self) -> Iterator[bytes]:
            yield b""
            if where == "body":
                raise ValueError("broken")

        def close(self) -> None:
            if where == "close":
                raise ValueError("broken")

    def app(environ: Any, start_response: Any) -> Any:
        LOG.debug("details")
        if where == "call":
            raise ValueError("broken")
        start_response("200 OK", [])
        return Body()

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    middleware = wsgi.ContextMiddleware(app, completion_line=completes)
    with pytest.raises(ValueError, match="broken"):
        with contextlib.closing(
            middleware(environ, lambda *_: lambda data: None)  # type: ignore[type-var]
        ) as body:
            list(body)
    assert [one["message"] for one in of_app(written)] == ["details"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [("OK", False), ("NOT_FOUND", False), ("UNAVAILABLE", True), ("INTERNAL", True)],
)
def test_codes_of_grpc(written: LogEnvironment, code: str, expected: bool) -> None:
    """
    Those that are the server's fault.
    """
    grpc = need("grpc")
    from tests.servers.test_grpc import Client, Service, adapter, served_sync

    def set_code(self: Any, request: bytes, context: Any) -> bytes:
        LOG.debug("details")
        context.set_code(getattr(grpc.StatusCode, code))
        return b""

    def talk(client: Client) -> Any:
        return client.outcome("coded", b"")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Service, "coded", set_code)
        assert served_sync(talk, adapter.ServerInterceptor()) == (["req-1"], code)
    assert bool(of_app(written)) is expected
