"""
The gRPC adapter, with grpc's own servers and channels on loopback sockets.

The services are of bytes, so that nothing has to be generated.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.context import get_store
from tests.helpers import LIMIT, LogEnvironment, need

grpc = need("grpc")
adapter = need("ctxlog.servers.grpc")
_grpc = need("ctxlog.servers._grpc")

LOG = logging.getLogger("tests.app")
ID = (("x-request-id", "req-1"),)


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()


class Gates:
    """
    Where handlers and tests wait for each other.
    """

    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.ended = threading.Event()
        self.go_on = threading.Event()


class Service:
    """
    Handlers of all kinds, that read and write bytes.
    """

    def __init__(self) -> None:
        self.gates = Gates()

    def plain(self, request: bytes, context: Any) -> bytes:
        LOG.info("in %s", request.decode())
        return request

    def rows(self, request: bytes, context: Any) -> Iterator[bytes]:
        try:
            for number in range(3):
                LOG.info("row %s", number)
                yield b"row"
        finally:
            LOG.info("closed")

    def collect(self, requests: Iterator[bytes], context: Any) -> bytes:
        got = b"".join(requests)
        LOG.info("got %s", got.decode())
        return got

    def chat(self, requests: Iterator[bytes], context: Any) -> Iterator[bytes]:
        for request in requests:
            LOG.info("heard %s", request.decode())
            yield request

    def crash(self, request: bytes, context: Any) -> bytes:
        LOG.info("started")
        raise ValueError("broken")

    def crash_rows(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield b"row"
        raise ValueError("broken")

    def refuse(self, request: bytes, context: Any) -> bytes:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        raise AssertionError("abort() raises")

    def refuse_rows(self, request: bytes, context: Any) -> Iterator[bytes]:
        yield b"row"
        context.abort(grpc.StatusCode.NOT_FOUND, "no such order")

    def coded(self, request: bytes, context: Any) -> bytes:
        context.set_code(grpc.StatusCode.DATA_LOSS)
        context.set_details("torn")
        return b""

    def own_metadata(self, request: bytes, context: Any) -> bytes:
        context.send_initial_metadata((("shop", "A"), ("x-request-id", "forged")))
        return b""

    def user(self, request: bytes, context: Any) -> bytes:
        ctxlog.bind(user={"id": request.decode()})
        return b""

    def endless(self, request: bytes, context: Any) -> Iterator[bytes]:
        try:
            while True:
                yield b"row"
                self.gates.go_on.wait(LIMIT)
        finally:
            LOG.info("closed")
            self.gates.ended.set()

    def slow(self, request: bytes, context: Any) -> bytes:
        self.gates.arrived.set()
        assert context.add_callback(self.gates.go_on.set)
        assert self.gates.go_on.wait(LIMIT)
        LOG.info("went on")
        return b""


class AioService(Service):
    """
    The same, as coroutines and async generators.
    """

    async def plain(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        await asyncio.sleep(0)
        LOG.info("in %s", request.decode())
        return request

    async def rows(self, request: bytes, context: Any) -> Any:  # type: ignore[override]
        try:
            for number in range(3):
                LOG.info("row %s", number)
                yield b"row"
        finally:
            LOG.info("closed")

    async def collect(self, requests: Any, context: Any) -> bytes:  # type: ignore[override]
        got = b"".join([one async for one in requests])
        LOG.info("got %s", got.decode())
        return got

    async def chat(self, requests: Any, context: Any) -> None:  # type: ignore[override]
        while (request := await context.read()) is not grpc.aio.EOF:
            LOG.info("heard %s", request.decode())
            await context.write(request)

    async def crash(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        LOG.info("started")
        raise ValueError("broken")

    async def crash_rows(self, request: bytes, context: Any) -> Any:  # type: ignore[override]
        yield b"row"
        raise ValueError("broken")

    async def refuse(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        raise AssertionError("abort() raises")

    async def refuse_rows(self, request: bytes, context: Any) -> Any:  # type: ignore[override]
        yield b"row"
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such order")

    async def own_metadata(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        metadata = (("shop", "A"), ("x-request-id", "forged"))
        await context.send_initial_metadata(metadata)
        return b""

    async def endless(self, request: bytes, context: Any) -> Any:  # type: ignore[override]
        try:
            while True:
                yield b"row"
                await asyncio.Event().wait()
        finally:
            LOG.info("closed")
            self.gates.ended.set()

    async def slow(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
        self.gates.arrived.set()
        context.add_done_callback(lambda _: self.gates.ended.set())
        try:
            await asyncio.Event().wait()
        finally:
            LOG.info("stopped")
        return b""


KINDS = {
    "rows": "unary_stream",
    "crash_rows": "unary_stream",
    "refuse_rows": "unary_stream",
    "endless": "unary_stream",
    "collect": "stream_unary",
    "chat": "stream_stream",
}
METHODS = [name for name in vars(Service) if not name.startswith("_")]


def handlers(service: Service) -> Any:
    """
    What grpc serves.
    """
    made = {}
    for name in METHODS:
        make = getattr(grpc, f"{KINDS.get(name, 'unary_unary')}_rpc_method_handler")
        made[name] = make(getattr(service, name))
    return grpc.method_handlers_generic_handler("Shop", made)


class Client:
    """
    A channel to a server, and calls of its methods.
    """

    def __init__(self, channel: Any, service: Service) -> None:
        self.channel = channel
        self.gates = service.gates

    def method(self, name: str) -> Any:
        """
        Return what calls the method.
        """
        return getattr(self.channel, KINDS.get(name, "unary_unary"))(f"/Shop/{name}")

    def outcome(self, name: str, argument: Any, metadata: Any = ID) -> tuple[Any, str]:
        """
        Call a method, read all that it answers; return the ids echoed and the status.
        """
        if name in ("collect", "chat"):
            argument = iter([argument, argument])
        if KINDS.get(name, "").endswith("_stream"):
            call = self.method(name)(argument, metadata=metadata, timeout=LIMIT)
        else:
            call = self.method(name).future(argument, metadata=metadata, timeout=LIMIT)
        initial = call.initial_metadata()
        try:
            if KINDS.get(name, "").endswith("_stream"):
                list(call)
            else:
                call.result()
        except grpc.RpcError:
            pass
        ids = [value for key, value in initial if key == "x-request-id"]
        return ids, call.code().name


def served_sync(
    talk: Callable[[Client], Any], *interceptors: Any, workers: int = 8, **options: Any
) -> Any:
    """
    What `talk` returns, which gets a client of a running `grpc.server`.
    """
    service = Service()
    with ThreadPoolExecutor(workers) as pool:
        server = grpc.server(pool, interceptors=interceptors, **options)
        server.add_generic_rpc_handlers((handlers(service),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                return talk(Client(channel, service))
        finally:
            service.gates.go_on.set()
            server.stop(None).wait(LIMIT)


def served_aio(
    talk: Callable[[Client], Any],
    *interceptors: Any,
    service: Service | None = None,
    **options: Any,
) -> Any:
    """
    What `talk` returns, which gets, in a thread, a client of a `grpc.aio.server`.
    """
    served = service or AioService()

    async def main() -> Any:
        server = grpc.aio.server(interceptors=interceptors, **options)
        server.add_generic_rpc_handlers((handlers(served),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()

        def call() -> Any:
            with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
                return talk(Client(channel, served))

        try:
            return await asyncio.to_thread(call)
        finally:
            served.gates.go_on.set()
            await server.stop(None)
            # grpc does not wait for those that have answered.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=LIMIT)

    return asyncio.run(main())


def served_aio_by_threads(talk: Any, *interceptors: Any, **options: Any) -> Any:
    """
    A `grpc.aio.server` whose handlers are plain functions.
    """
    with ThreadPoolExecutor(4) as pool:
        options.update(service=Service(), migration_thread_pool=pool)
        return served_aio(talk, *interceptors, **options)


def interceptor(served: Any, **options: Any) -> Any:
    """
    The interceptor for a kind of server.
    """
    if served is served_sync:
        return adapter.ServerInterceptor(**options)
    return adapter.AioServerInterceptor(**options)


both = pytest.mark.parametrize("served", [served_sync, served_aio])
every = pytest.mark.parametrize(
    "served", [served_sync, served_aio, served_aio_by_threads]
)

OUTCOMES = {
    "plain": ("OK", "INFO", ["in a"]),
    "rows": ("OK", "INFO", ["row 0", "row 1", "row 2", "closed"]),
    "collect": ("OK", "INFO", ["got aa"]),
    "chat": ("OK", "INFO", ["heard a", "heard a"]),
    "crash": ("UNKNOWN", "ERROR", ["started"]),
    "crash_rows": ("UNKNOWN", "ERROR", []),
    "refuse": ("NOT_FOUND", "WARNING", []),
    "refuse_rows": ("NOT_FOUND", "WARNING", []),
    "coded": ("DATA_LOSS", "ERROR", []),
    "user": ("OK", "INFO", []),
    "own_metadata": ("OK", "INFO", []),
}


@every
@pytest.mark.parametrize("name", OUTCOMES)
def test_every_line_has_the_id_which_is_echoed(
    lines: LogEnvironment, served: Any, name: str
) -> None:
    """
    All kinds of calls, those that fail included; one line says how the call ended.
    """
    status, level, messages = OUTCOMES[name]

    echoed, code = served(
        lambda client: client.outcome(name, b"a"), interceptor(served)
    )

    assert (echoed, code) == (["req-1"], status)
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    assert not any("late" in one for one in events)
    own = [one["message"] for one in events if one["logger"] == "tests.app"]
    assert own == messages
    (done,) = [one for one in events if one["logger"] == "ctxlog.request"]
    assert done["message"] == f"POST /Shop/{name} {status}"
    assert (done["method"], done["path"]) == ("POST", f"/Shop/{name}")
    assert (done["status"], done["level"]) == (status, level)
    assert done["client"] == "127.0.0.1"
    assert done["durationMs"] >= 0
    assert done.get("user") == ({"id": "a"} if name == "user" else None)
    crashes = [one for one in events if one["logger"].startswith("grpc.")]
    assert len(crashes) == name.startswith("crash")
    for crash in crashes:
        assert crash["exception"]["type"] == "ValueError"
        assert done["error"] == "ValueError"


@both
def test_the_application_s_own_metadata_goes_along(
    lines: LogEnvironment, served: Any
) -> None:
    """
    Initial metadata can be sent once only: the id is added to what the handler sends.
    """

    def talk(client: Client) -> Any:
        call = client.method("own_metadata").future(b"a", metadata=ID, timeout=LIMIT)
        return dict(call.initial_metadata())

    found = served(talk, interceptor(served))
    assert (found["shop"], found["x-request-id"]) == ("A", "req-1")


@every
def test_concurrent_calls_are_not_mixed(lines: LogEnvironment, served: Any) -> None:
    """
    Each of many calls at once has its own id on its own lines, in threads used again.
    """

    def talk(client: Client) -> None:
        calls = [
            client.method("plain").future(
                str(number).encode(),
                metadata=(("x-request-id", f"r{number}"),),
                timeout=LIMIT,
            )
            for number in range(200)
        ]
        for call in calls:
            call.result()

    served(talk, interceptor(served))
    own = [one for one in lines.load_all() if one["message"].startswith("in ")]
    assert len(own) == 200
    assert all(one["requestID"] == f"r{one['message'][3:]}" for one in own)


@both
def test_the_next_call_has_nothing_of_the_last(
    lines: LogEnvironment, served: Any
) -> None:
    """
    A call without an id, in the same thread or loop, gets a new one and no user.
    """

    def talk(client: Client) -> Any:
        client.outcome("user", b"u-1")
        return client.outcome("plain", b"second", metadata=None)

    options = {"workers": 1} if served is served_sync else {}
    (second,), _ = served(talk, interceptor(served), **options)
    assert len(second) == 32
    mine = [one for one in lines.load_all() if one["requestID"] == second]
    assert [one["message"] for one in mine] == ["in second", "POST /Shop/plain OK"]
    assert not any("user" in one for one in mine)


def test_the_pool_s_thread_has_no_store_afterwards(lines: LogEnvironment) -> None:
    """
    The next work of the application's pool has no request.
    """
    service = Service()
    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool, interceptors=[adapter.ServerInterceptor()])
        server.add_generic_rpc_handlers((handlers(service),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert Client(channel, service).outcome("rows", b"") == (["req-1"], "OK")
        assert pool.submit(get_store).result(LIMIT) is None
        server.stop(None).wait(LIMIT)


@both
def test_a_client_that_goes_away_ends_a_stream(
    lines: LogEnvironment, served: Any
) -> None:
    """
    The generator is closed in the store; the completion line says CANCELLED.
    """

    def talk(client: Client) -> None:
        call = client.method("endless")(b"", metadata=ID)
        assert next(call) == b"row"
        call.cancel()
        client.gates.go_on.set()
        assert client.gates.ended.wait(LIMIT)

    served(talk, interceptor(served))
    events = lines.load_all()
    assert [one["message"] for one in events] == [
        "closed",
        "POST /Shop/endless CANCELLED",
    ]
    assert {one["requestID"] for one in events} == {"req-1"}
    assert events[-1]["level"] == "WARNING"
    assert "error" not in events[-1]


def test_a_client_that_cancels_a_plain_function_waits_for_nobody(
    lines: LogEnvironment,
) -> None:
    """
    A thread goes on after the call is over; its completion line says CANCELLED.
    """

    def talk(client: Client) -> None:
        call = client.method("slow").future(b"", metadata=ID)
        assert client.gates.arrived.wait(LIMIT)
        call.cancel()
        assert client.gates.go_on.wait(LIMIT)

    served_sync(talk, adapter.ServerInterceptor())
    assert [(one["message"], one["requestID"]) for one in lines.load_all()] == [
        ("went on", "req-1"),
        ("POST /Shop/slow CANCELLED", "req-1"),
    ]


def test_a_client_that_cancels_a_coroutine_stops_it(lines: LogEnvironment) -> None:
    """
    What the coroutine does about it has the id.
    """

    def talk(client: Client) -> None:
        call = client.method("slow").future(b"", metadata=ID)
        assert client.gates.arrived.wait(LIMIT)
        call.cancel()
        assert client.gates.ended.wait(LIMIT)

    served_aio(talk, adapter.AioServerInterceptor())
    assert [(one["message"], one["requestID"]) for one in lines.load_all()] == [
        ("stopped", "req-1"),
        ("POST /Shop/slow CANCELLED", "req-1"),
    ]


def test_a_deadline_that_has_passed_is_named(lines: LogEnvironment) -> None:
    """
    The handler went on after the client's deadline.
    """

    def talk(client: Client) -> Any:
        call = client.method("slow").future(b"", metadata=ID, timeout=1)
        # The handler is let go when grpc tells it that the call is over.
        assert client.gates.go_on.wait(LIMIT)
        return call.code().name

    assert served_sync(talk, adapter.ServerInterceptor()) == "DEADLINE_EXCEEDED"
    done = lines.load_all()[-1]
    assert done["status"] in ("DEADLINE_EXCEEDED", "CANCELLED")
    assert done["durationMs"] >= 100


@every
def test_an_unknown_method_is_answered_as_by_grpc(
    lines: LogEnvironment, served: Any
) -> None:
    """
    The status is grpc's, with the id and a completion line.
    """

    def talk(client: Client) -> Any:
        call = client.method("none").future(b"", metadata=ID, timeout=LIMIT)
        ids = [v for k, v in call.initial_metadata() if k == "x-request-id"]
        return ids, call.code().name, call.details()

    assert served(talk, interceptor(served)) == (
        ["req-1"],
        "UNIMPLEMENTED",
        "Method not found!",
    )
    done = lines.load_json()
    assert done["message"] == "POST /Shop/none UNIMPLEMENTED"
    assert done["requestID"] == "req-1"


class Inner(grpc.ServerInterceptor):  # type: ignore[misc]
    """
    An interceptor of the application, further in.
    """

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        LOG.info("intercepted")
        if details.method == "/Shop/crash":
            raise ValueError("intercepted")
        return continuation(details)


class AioInner(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """
    The same.
    """

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        await asyncio.sleep(0)
        LOG.info("intercepted")
        if details.method == "/Shop/crash":
            raise ValueError("intercepted")
        return await continuation(details)


def inner(served: Any) -> Any:
    """
    The application's interceptor for a kind of server.
    """
    return Inner() if served is served_sync else AioInner()


@both
def test_interceptors_further_in_are_in_the_store(
    lines: LogEnvironment, served: Any
) -> None:
    """
    Their lines have the id; if one fails, the completion line and the report come too.
    """

    def talk(client: Client) -> Any:
        return client.outcome("plain", b"a")[1], client.outcome("crash", b"a")[1]

    statuses = served(talk, interceptor(served), inner(served))

    assert statuses == ("OK", "UNKNOWN")
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    messages = [one["message"] for one in events]
    assert messages[:5] == [
        "intercepted",
        "in a",
        "POST /Shop/plain OK",
        "intercepted",
        "POST /Shop/crash UNKNOWN",
    ]
    assert "ValueError" in messages[5] or "Exception servicing" in messages[5]


@both
def test_whom_to_trust_may_depend_on_the_address(
    lines: LogEnvironment, served: Any
) -> None:
    """
    Which grpc tells to the handler only: lines of interceptors have no id then.
    """
    trusted = interceptor(served, trust=["127.0.0.0/8"])
    assert served(
        lambda client: client.outcome("plain", b"a"), trusted, inner(served)
    ) == (["req-1"], "OK")
    assert [one["requestID"] for one in lines.load_all()] == [
        *("N/A", "req-1", "req-1"),
    ]
    foreign = interceptor(served, trust=["10.0.0.0/8"])
    ids, status = served(lambda client: client.outcome("crash", b"a"), foreign)
    assert status == "UNKNOWN"
    assert ids != ["req-1"]


@both
@pytest.mark.parametrize("trust", [True, ["127.0.0.1"]])
def test_within_another_of_its_kind_it_does_nothing(
    lines: LogEnvironment, served: Any, trust: Any
) -> None:
    """
    One call, one store, one completion line.
    """
    twice = [interceptor(served, trust=trust), interceptor(served, trust=trust)]
    assert served(lambda client: client.outcome("rows", b"a"), *twice) == (
        *(["req-1"], "OK"),
    )
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    assert [one["message"] for one in events].count("POST /Shop/rows OK") == 1


@both
def test_the_options_are_those_of_all_servers(
    lines: LogEnvironment, served: Any
) -> None:
    """
    The user is asked with grpc's context; wrong options are named.
    """
    mine = interceptor(
        served,
        request_id_header="X-Trace",
        user=lambda context: dict(context.invocation_metadata())["user"],
        ignore_paths=["/Shop/rows"],
    )
    metadata = (("x-trace", "t-1"), ("user", "me"))

    def talk(client: Client) -> Any:
        client.outcome("rows", b"", metadata)
        call = client.method("plain").future(b"a", metadata=metadata, timeout=LIMIT)
        return dict(call.initial_metadata())["x-trace"]

    assert served(talk, mine) == "t-1"
    (done,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert (done["requestID"], done["user"]) == ("t-1", "me")
    with pytest.raises(ctxlog.ConfigError, match="trust"):
        interceptor(served, trust="everybody")


@both
@pytest.mark.parametrize("trust", [True, ["127.0.0.1"]])
def test_a_refused_call_has_a_completion_line(
    lines: LogEnvironment, served: Any, trust: Any
) -> None:
    """
    Over `maximum_concurrent_rpcs` grpc drops the handler and answers by itself.
    """

    def talk(client: Client) -> Any:
        held = client.method("slow").future(b"", metadata=(("x-request-id", "held"),))
        assert client.gates.arrived.wait(LIMIT)
        status = client.outcome("plain", b"a")[1]
        held.cancel()
        return status

    mine = interceptor(served, trust=trust)
    status = served(talk, mine, maximum_concurrent_rpcs=1)
    assert status == "RESOURCE_EXHAUSTED"
    done = [one for one in lines.load_all() if one.get("path") == "/Shop/plain"]
    assert [one["message"] for one in done] == ["POST /Shop/plain no response"]
    # Nobody has learned whose call it was.
    assert (done[0]["requestID"] == "req-1") == (trust is True)


@both
def test_an_interceptor_that_fails_before_the_address_is_known(
    lines: LogEnvironment, served: Any
) -> None:
    """
    The completion line and the report have one id, which is new.
    """
    mine = interceptor(served, trust=["127.0.0.1"])
    _, status = served(lambda client: client.outcome("crash", b""), mine, inner(served))
    assert status == "UNKNOWN"
    intercepted, *events = lines.load_all()
    assert intercepted["requestID"] == "N/A"
    assert "has been replaced" in events[0]["message"]
    assert events[1]["message"] == "POST /Shop/crash UNKNOWN"
    assert events[2]["exception"]["message"] == "intercepted"
    (found,) = {one["requestID"] for one in events}
    assert len(found) == 32


class Status(grpc.Status):  # type: ignore[misc]
    """
    What `abort_with_status()` takes.
    """

    code = grpc.StatusCode.ABORTED
    details = "later"
    trailing_metadata = (("retry", "1"),)


@both
@pytest.mark.parametrize(
    ("code", "name", "level"),
    [
        (Status(), "ABORTED", "WARNING"),
        (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "ERROR"),
        (grpc.StatusCode.OK, "OK", "INFO"),
    ],
)
def test_the_status_is_what_the_handler_says(
    lines: LogEnvironment,
    served: Any,
    monkeypatch: pytest.MonkeyPatch,
    code: Any,
    name: str,
    level: str,
) -> None:
    """
    By a status of its own, or by a code.
    """

    def user(self: Any, request: bytes, context: Any) -> bytes:
        if isinstance(code, Status):
            context.abort_with_status(code)
        context.set_code(code)
        return b""

    async def aio_user(self: Any, request: bytes, context: Any) -> bytes:
        if isinstance(code, Status):
            await context.abort_with_status(code)
        context.set_code(code)
        return b""

    monkeypatch.setattr(Service, "user", user)
    monkeypatch.setattr(AioService, "user", aio_user)
    found = served(lambda client: client.outcome("user", b""), interceptor(served))
    assert found == (["req-1"], name)
    done = lines.load_all()[-1]
    assert (done["status"], done["level"]) == (name, level)
    assert "error" not in done


class Outer(grpc.ServerInterceptor):  # type: ignore[misc]
    """
    An interceptor further out, which sends metadata by itself.
    """

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = continuation(details)

        def serve(request: bytes, context: Any) -> Any:
            context.send_initial_metadata((("outer", "1"),))
            return handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(serve)


class AioOuter(grpc.aio.ServerInterceptor):  # type: ignore[misc]
    """
    The same.
    """

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)

        async def serve(request: bytes, context: Any) -> Any:
            await context.send_initial_metadata((("outer", "1"),))
            return await handler.unary_unary(request, context)

        return grpc.unary_unary_rpc_method_handler(serve)


@both
def test_metadata_that_was_sent_further_out_is_no_error(
    lines: LogEnvironment, served: Any
) -> None:
    """
    There is no second time: the id is on the lines, and the call succeeds.
    """
    outer = Outer() if served is served_sync else AioOuter()
    found = served(
        lambda client: client.outcome("plain", b"a"), outer, interceptor(served)
    )
    assert found == ([], "OK")
    assert {one["requestID"] for one in lines.load_all()} == {"req-1"}


class UnprintableError(Exception):
    """
    An exception that fails when it is looked at, and holds no attributes.
    """

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_an_exception_that_cannot_be_printed_is_reported_with_the_id(
    lines: LogEnvironment,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """
    No line is lost, and the server answers on.
    """

    def crash(self: Any, request: bytes, context: Any) -> bytes:
        raise UnprintableError

    monkeypatch.setattr(Service, "crash", crash)

    def talk(client: Client) -> Any:
        return client.outcome("crash", b"a")[1], client.outcome("plain", b"a")[1]

    assert served_sync(talk, adapter.ServerInterceptor()) == ("UNKNOWN", "OK")
    events = lines.load_all()
    assert {one["requestID"] for one in events} == {"req-1"}
    reports = [one for one in events if one["logger"] == "grpc._server"]
    assert reports[-1]["message"] == "Calling application raised unprintable Exception!"


def test_handlers_that_hold_no_thread_end_when_they_say_so(
    lines: LogEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    grpc's health service sends its responses by a callback: None is the end.
    """

    def rows(self: Any, request: bytes, context: Any, send: Any) -> None:
        LOG.info("started")
        send(b"row")
        send(None)

    rows.experimental_non_blocking = True  # type: ignore[attr-defined]
    monkeypatch.setattr(Service, "rows", rows)

    def talk(client: Client) -> Any:
        return client.outcome("rows", b"a")

    assert served_sync(talk, adapter.ServerInterceptor()) == (["req-1"], "OK")
    assert [(one["message"], one["requestID"]) for one in lines.load_all()] == [
        ("started", "req-1"),
        ("POST /Shop/rows OK", "req-1"),
    ]


@every
def test_the_context_is_as_without_it(
    lines: LogEnvironment, served: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It is of grpc's class, knows what grpc's knows, and calls back in the store.
    """
    seen = []

    def user(self: Any, request: bytes, context: Any) -> bytes:
        seen.append(context.peer())
        if isinstance(context, grpc.ServicerContext):
            context.answer = 42  # what interceptors do
            seen.append(context.answer)
        if hasattr(context, "add_callback"):
            context.add_callback(lambda: LOG.info("called back"))
        return b""

    async def aio_user(self: Any, request: bytes, context: Any) -> bytes:
        context.add_done_callback(lambda _: LOG.info("called back"))
        return user(self, request, context)

    monkeypatch.setattr(Service, "user", user)
    monkeypatch.setattr(AioService, "user", aio_user)

    assert served(lambda client: client.outcome("user", b""), interceptor(served)) == (
        *(["req-1"], "OK"),
    )
    assert seen[0].startswith("ipv4:127.0.0.1:")
    assert seen[1:] == ([42] if served is served_sync else [])
    events = {one["message"]: one for one in lines.load_all()}
    assert events["called back"]["requestID"] == "req-1"


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:10.1.2.3:50051", "10.1.2.3"),
        ("ipv6:%5B2001:db8::1%5D:50051", "2001:db8::1"),
        ("ipv6:[::1]:50051", "::1"),
        ("unix:/run/shop", None),
        ("ipv4:", None),
        ("", None),
    ],
)
def test_the_client_is_the_address_in_the_peer(peer: str, address: str | None) -> None:
    """
    Without port, brackets and what grpc quotes; None where there is none.
    """
    assert _grpc.address_of(peer) == address


# The route and the completion line ----------------------------------------------


def completion(lines: LogEnvironment) -> dict[str, Any]:
    """
    The one completion line.
    """
    (line,) = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    return line


@every
@pytest.mark.parametrize("name", ["plain", "rows", "crash", "refuse"])
def test_the_route_is_the_method(lines: LogEnvironment, served: Any, name: str) -> None:
    """
    It is on all lines of the handler, and of grpc about it.
    """
    served(lambda client: client.outcome(name, b"a"), interceptor(served))
    assert {one.get("route") for one in lines.load_all()} == {f"/Shop/{name}"}
    assert "bytesOut" not in completion(lines)


@both
@pytest.mark.parametrize("path", ["/Shop/none", "/None/plain", "/x/{a}/(b)"])
def test_an_unknown_method_is_no_route(
    lines: LogEnvironment, served: Any, path: str
) -> None:
    """
    Names that clients make up are never groups.
    """

    def talk(client: Client) -> str:
        call = client.channel.unary_unary(path).future(b"", timeout=LIMIT)
        return str(call.code().name)

    assert served(talk, interceptor(served)) == "UNIMPLEMENTED"
    line = completion(lines)
    assert (line["status"], line.get("route")) == ("UNIMPLEMENTED", None)


@every
def test_what_is_asked_for_is_on_the_line(lines: LogEnvironment, served: Any) -> None:
    """
    Metadata are the headers; they are cut, and secrets are hidden.
    """
    asked_for = (
        *("query", "userAgent", "httpVersion", "ttfbMs", "header:x-long"),
        *("header:authorization", "responseHeader:x-request-id", "scheme"),
    )
    metadata = (
        ("x-long", "h" * 4000),
        ("authorization", "Bearer secret"),
        ("x-request-id", "req-1"),
    )
    served(
        lambda client: client.outcome("rows", b"a", metadata),
        interceptor(served, completion_fields=asked_for),
    )
    line = completion(lines)
    assert len(line["headers"]["x-long"]) < 2100
    assert "secret" not in str(line["headers"])
    assert line["responseHeaders"] == {"x-request-id": "req-1"}
    assert line["userAgent"].startswith("grpc-python")
    assert line["httpVersion"] == "2"
    assert 0 < line["ttfbMs"] <= line["durationMs"]
    assert not {"query", "scheme"} & line.keys()


@every
@pytest.mark.parametrize("kind", ["drop", "raise", "huge", "some"])
def test_rules_of_the_application(
    lines: LogEnvironment, served: Any, kind: str
) -> None:
    """
    They get grpc's context; a huge result and an error leave one line.
    """
    seen: list[Any] = []

    def completion_of(completed: Any) -> Any:
        metadata = dict(completed.request.invocation_metadata())
        seen.append((completed.route, completed.status, metadata["x-request-id"]))
        if kind == "drop":
            return False
        if kind == "raise":
            raise ValueError("no")
        return {"kind": kind, "huge": "x" * 10_000_000 if kind == "huge" else ""}

    rules = {
        "completion": completion_of,
        "completion_level": lambda one: "DEBUG" if one.status == "OK" else None,
        "slow": 0,
    }
    served(lambda client: client.outcome("refuse", b"a"), interceptor(served, **rules))
    assert seen == [("/Shop/refuse", "NOT_FOUND", "req-1")]
    done = [one for one in lines.load_all() if one["logger"] == "ctxlog.request"]
    assert len(done) == (kind != "drop")
    for line in done:
        assert (line["slow"], line["level"]) == (True, "WARNING")
        assert line.get("kind") == (None if kind == "raise" else kind)
    reports = [e["message"] for e in lines.load_all() if e["logger"] == "ctxlog"]
    assert reports == (["completion failed"] if kind == "raise" else [])
