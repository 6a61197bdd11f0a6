"""
The interceptors of gRPC channels, against a server that keeps what it got.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.context import Store
from ctxlog.context.adapter import Entry, take_totals
from tests.helpers import LIMIT, LogEnvironment, need

grpc = need("grpc")
adapter = need("ctxlog.clients.grpc")

KINDS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


class Service:
    """
    A server with a method of each kind, named by it, and one that refuses.
    """

    def __init__(self) -> None:
        self.metadata: list[list[tuple[str, Any]]] = []
        self.wait: threading.Event | None = None
        self._pool = ThreadPoolExecutor(4)
        self._server = grpc.server(self._pool)
        handlers = {
            kind: getattr(grpc, f"{kind}_rpc_method_handler")(
                self._rows if kind.endswith("stream") else self._one
            )
            for kind in KINDS
        }
        handlers["refused"] = grpc.unary_unary_rpc_method_handler(self._refuse)
        generic = grpc.method_handlers_generic_handler("Shop", handlers)
        self._server.add_generic_rpc_handlers((generic,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        self._server.start()

    def _one(self, request: Any, context: Any) -> bytes:
        self.metadata.append([tuple(one) for one in context.invocation_metadata()])
        assert self.wait is None or self.wait.wait(LIMIT)
        if not isinstance(request, bytes):
            assert list(request) == [b"a", b"b"]
        return b"one"

    def _rows(self, request: Any, context: Any) -> Iterator[bytes]:
        yield self._one(request, context)
        yield b"two"

    def _refuse(self, request: Any, context: Any) -> None:
        context.abort(grpc.StatusCode.NOT_FOUND, "none")

    @property
    def last(self) -> dict[str, Any]:
        """
        What came with the last call.
        """
        pairs = self.metadata[-1]
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    def close(self) -> None:
        """
        Stop it.
        """
        self._server.stop(None).wait(LIMIT)
        self._pool.shutdown()


@pytest.fixture
def service() -> Iterator[Service]:
    """
    A service of each test's own.
    """
    running = Service()
    yield running
    running.close()


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    levels = {"asyncio": "WARNING"}
    config.configure(format="json", stream=log_env.stream, levels=levels)
    yield log_env
    config.unconfigure()


def call_sync(
    target: str, name: str = "unary_unary", metadata: Any = None, **options: Any
) -> Any:
    """
    Call a method, read its responses to the end.
    """
    kind = name if name in KINDS else "unary_unary"
    with grpc.insecure_channel(target) as plain:
        added = adapter.interceptors(target, **options)
        method = getattr(grpc.intercept_channel(plain, *added), kind)(f"/Shop/{name}")
        request = iter([b"a", b"b"]) if kind.startswith("stream") else b"a"
        found = method(request, metadata=metadata, timeout=LIMIT)
        if not kind.endswith("stream"):
            return found
        # Ours is called before, both when there is nothing left to read.
        ended = threading.Event()
        found.add_done_callback(lambda _: ended.set())
        responses = list(found)
        assert ended.wait(LIMIT)
        return responses


def call_aio(
    target: str, name: str = "unary_unary", metadata: Any = None, **options: Any
) -> Any:
    """
    The same by `grpc.aio`.
    """
    kind = name if name in KINDS else "unary_unary"

    async def requests() -> Any:
        yield b"a"
        yield b"b"

    async def call() -> Any:
        added = adapter.aio_interceptors(target, **options)
        async with grpc.aio.insecure_channel(target, interceptors=added) as channel:
            method = getattr(channel, kind)(f"/Shop/{name}")
            request = requests() if kind.startswith("stream") else b"a"
            found = method(request, metadata=metadata, timeout=LIMIT)
            if kind.endswith("stream"):
                return [one async for one in found]
            return await found

    return asyncio.run(call())


both = pytest.mark.parametrize("call", [call_sync, call_aio])


@both
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_call_carries_the_id(
    service: Service, lines: LogEnvironment, call: Any, kind: str
) -> None:
    """
    And the fields that were asked for; one line says how it ended.
    """
    target = f"localhost:{service.port}"
    options = {"hosts": ["localhost"], "fields": ["tenant"], "completion_line": True}
    store = {"requestID": "req-1", "tenant": "t 1", "token": "secret"}

    found = ctxlog.run(store, lambda: call(target, kind, **options))

    assert found == ([b"one", b"two"] if kind.endswith("stream") else b"one")
    assert service.last["x-request-id"] == "req-1"
    assert service.last["baggage"] == "tenant=t%201"
    assert "secret" not in str(service.metadata)
    line = lines.load_json()
    assert line["message"] == f"POST {target}/Shop/{kind} OK"
    assert (line["requestID"], line["status"], line["level"]) == ("req-1", "OK", "INFO")
    assert (line["method"], line["path"]) == ("POST", f"/Shop/{kind}")
    assert line["host"] == target
    assert line["durationMs"] > 0


@both
def test_other_hosts_get_nothing(service: Service, call: Any) -> None:
    """
    The target is not among those that were named.
    """
    target = f"127.0.0.1:{service.port}"
    options = {"hosts": ["localhost", "*.internal"]}
    ctxlog.run({"requestID": "req-1"}, lambda: call(target, **options))
    assert "x-request-id" not in service.last


@both
def test_outside_of_a_context_nothing_is_added(service: Service, call: Any) -> None:
    """
    Nobody's call has no id.
    """
    call(f"127.0.0.1:{service.port}", hosts=["*"])
    assert set(service.last) <= {"user-agent", "accept-encoding"}


@both
def test_metadata_of_the_caller_stays(service: Service, call: Any) -> None:
    """
    Its own id, bytes, and what is in its baggage.
    """
    metadata = (*(("x-request-id", "mine"), ("baggage", "a=1"), ("data-bin", b"\x00")),)
    options = {"hosts": ["*"], "fields": ["tenant"], "metadata": metadata}
    target = f"127.0.0.1:{service.port}"
    ctxlog.run({"requestID": "req-1", "tenant": "t1"}, lambda: call(target, **options))
    assert service.last["x-request-id"] == "mine"
    assert service.last["baggage"] == "a=1,tenant=t1"
    assert service.last["data-bin"] == b"\x00"


@both
def test_a_call_that_fails_is_a_warning(
    service: Service, lines: LogEnvironment, call: Any
) -> None:
    """
    The line names gRPC's status; the caller gets the error as without ctxlog.
    """
    target = f"127.0.0.1:{service.port}"
    options = {"hosts": ["*"], "completion_line": True}

    def refused() -> None:
        with pytest.raises(grpc.RpcError) as caught:
            call(target, "refused", **options)
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    ctxlog.run({"requestID": "req-1"}, refused)
    line = lines.load_json()
    assert line["message"] == f"POST {target}/Shop/refused NOT_FOUND"
    assert (line["level"], line["status"]) == ("WARNING", "NOT_FOUND")
    assert line["requestID"] == "req-1"


def test_a_call_that_nobody_waits_for_has_a_line_in_its_own_context(
    service: Service, lines: LogEnvironment
) -> None:
    """
    It ends in a thread of grpc's.
    """
    target = f"127.0.0.1:{service.port}"
    added = adapter.interceptors(target, hosts=["*"], completion_line=True)
    with grpc.insecure_channel(target) as plain:
        method = grpc.intercept_channel(plain, *added).unary_unary("/Shop/unary_unary")
        service.wait = threading.Event()
        future = ctxlog.run({"requestID": "req-1"}, lambda: method.future(b"a"))
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        service.wait.set()
        assert future.result(LIMIT) == b"one"
        assert ended.wait(LIMIT)
    assert lines.load_json()["requestID"] == "req-1"


@both
@pytest.mark.parametrize("kind", [*KINDS, "refused"])
def test_calls_of_a_request_are_counted_and_timed(
    service: Service, call: Any, kind: str
) -> None:
    """
    Until the call has ended: its number and time are in the request's totals.
    """
    target = f"localhost:{service.port}"
    with Entry(Store()) as store:
        for completion_line in (False, True):
            with contextlib.suppress(grpc.RpcError):
                call(target, kind, hosts=[], completion_line=completion_line)
        totals: Any = take_totals(store)
    assert totals["grpc"]["count"] == 2
    assert totals["grpc"]["ms"] > 0
    assert list(totals) == ["grpc"]


def test_a_call_counts_for_the_request_that_made_it(service: Service) -> None:
    """
    It may end in a thread of grpc's, and while another request is active.
    """
    target = f"127.0.0.1:{service.port}"
    added = adapter.interceptors(target, hosts=[])
    with grpc.insecure_channel(target) as plain:
        method = grpc.intercept_channel(plain, *added).unary_unary("/Shop/unary_unary")
        service.wait = threading.Event()
        with Entry(Store()) as first:
            future = method.future(b"a")
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        with Entry(Store()) as second:
            service.wait.set()
            assert future.result(LIMIT) == b"one"
            assert ended.wait(LIMIT)
            assert take_totals(second) == {}
        totals: Any = take_totals(first)
    assert totals["grpc"]["count"] == 1


class _Endless(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A method that streams until it is cancelled."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def service(self, details: Any) -> Any:
        return grpc.unary_stream_rpc_method_handler(self._rows)

    def _rows(self, request: Any, context: Any) -> Iterator[bytes]:
        context.add_callback(self.cancelled.set)
        yield b"one"
        assert self.cancelled.wait(LIMIT)


def test_a_stream_that_is_dropped_is_cancelled() -> None:
    """
    The request's totals keep no call alive, and count it.
    """
    handler = _Endless()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=(handler,))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        added = adapter.interceptors(target, hosts=[])
        with grpc.insecure_channel(target) as plain, Entry(Store()) as store:
            method = grpc.intercept_channel(plain, *added).unary_stream("/Shop/Rows")
            responses = method(b"a")
            assert next(responses) == b"one"
            del responses
            gc.collect()
            assert handler.cancelled.wait(LIMIT / 2)
            totals: Any = take_totals(store)
        server.stop(None).wait(LIMIT)
    assert totals["grpc"]["count"] == 1


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("payments:50051", "payments:50051"),
        ("payments", "payments"),
        ("dns:///payments:50051", "payments:50051"),
        ("dns://8.8.8.8/payments:50051", "payments:50051"),
        ("dns:payments:50051", "payments:50051"),
        ("ipv4:10.0.0.1:50051", "10.0.0.1:50051"),
        ("ipv6:[::1]:50051", "[::1]:50051"),
        ("[::1]:50051", "[::1]:50051"),
        ("unix:/run/shop", "localhost"),
    ],
)
def test_the_host_is_the_one_in_the_target(target: str, authority: str) -> None:
    """
    However the target is written.
    """
    assert adapter._authority(target) == authority


@pytest.mark.parametrize("make", [adapter.interceptors, adapter.aio_interceptors])
def test_wrong_options_are_named(make: Any) -> None:
    """
    When the interceptors are made, not by the first call.
    """
    with pytest.raises(ctxlog.ConfigError, match="hosts"):
        make("payments:50051", hosts="payments")
    with pytest.raises(ctxlog.ConfigError, match="target"):
        make(None, hosts=["payments"])


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_the_id_and_the_trace_go_from_server_to_server(lines: LogEnvironment) -> None:
    """
    A handler calls another server: both log under one id and one trace.
    """
    servers = need("ctxlog.servers.grpc")
    with ThreadPoolExecutor(4) as pool:

        def serve(handler: Any) -> tuple[Any, str]:
            server = grpc.server(pool, interceptors=[servers.ServerInterceptor()])
            made = {"Ask": grpc.unary_unary_rpc_method_handler(handler)}
            generic = grpc.method_handlers_generic_handler("Shop", made)
            server.add_generic_rpc_handlers((generic,))
            port = server.add_insecure_port("127.0.0.1:0")
            server.start()
            return server, f"127.0.0.1:{port}"

        inner, target = serve(lambda request, context: b"inner")

        def ask(request: bytes, context: Any) -> Any:
            with grpc.insecure_channel(target) as plain:
                added = adapter.interceptors(target, hosts=["127.0.0.1"])
                channel = grpc.intercept_channel(plain, *added)
                return channel.unary_unary("/Shop/Ask")(b"", timeout=LIMIT)

        outer, first = serve(ask)
        parent = f"00-{TRACE}-00f067aa0ba902b7-01"
        metadata = (("x-request-id", "req-1"), ("traceparent", parent))
        with grpc.insecure_channel(first) as channel:
            method = channel.unary_unary("/Shop/Ask")
            assert method(b"", metadata=metadata, timeout=LIMIT) == b"inner"
        for server in (outer, inner):
            server.stop(None).wait(LIMIT)
    events = lines.load_all()
    assert [one["message"] for one in events] == ["POST /Shop/Ask OK"] * 2
    assert {one["requestID"] for one in events} == {"req-1"}
    assert {one["traceID"] for one in events} == {TRACE}
