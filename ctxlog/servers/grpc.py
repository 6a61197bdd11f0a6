"""
gRPC servers (`grpc.server`, `grpc.aio.server`). Adapter: imports grpcio and core.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote

from ctxlog._kept import Kept
from ctxlog.carrier import spans
from ctxlog.context import get_store, wrap
from ctxlog.context.bodies import apart
from ctxlog.errors import MissingDependencyError
from ctxlog.servers._request import Exchange, RequestOptions, RequestStore

try:
    import grpc
    import grpc.aio
except ModuleNotFoundError as error:
    if error.name != "grpc":
        raise
    raise MissingDependencyError("grpcio", "grpc") from None

__all__ = ["AioServerInterceptor", "ServerInterceptor"]

_Behavior = Callable[..., Any]

_CODES = {code.value[0]: code for code in grpc.StatusCode}

#: Those that are the server's fault: gRPC's own equivalents of a 5xx.
_FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_MARK = "_ctxlog"
_END: Any = object()


class ServerInterceptor(grpc.ServerInterceptor):
    """
    Give every call to a `grpc.server` a store of its own, and a completion line.

    Trusted are the request id and the trace in the metadata only, from the clients that
    *trust* names, and only valid ones; an id that is not is replaced by a new one and
    never logged. The id is echoed in the initial metadata, also of a call that fails.

    Put it first: `grpc.server(pool, interceptors=[ServerInterceptor()])`. Inside
    another one of its kind it does nothing.

    The store is fresh for every call and active in the interceptors further in, in the
    handler, and in each step of its responses up to their end; then it is closed. The
    pool's thread has none in between and afterwards. An exception passes through
    unchanged, for grpc to report; it carries the context, so the report does too. What
    is called when the call is over (`context.add_callback`) says `late` on its lines.

    The completion line's `path` is the full method (`/shop.Orders/Get`), `method` is
    HTTP's, and `status` is the name of the gRPC status code (`OK`, `NOT_FOUND`).

    Args:
        options: Those of the ASGI middleware; `user` is called with the servicer's
            context, `ignore_paths` are full methods. With a *trust* that looks at the
            client's address, lines of interceptors further in have no id, since grpc
            tells the address to the handler only.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(self, **options: Any) -> None:
        self._options = RequestOptions(**options)

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the handler of a call, in a store."""
        if _inside_another():
            return continuation(handler_call_details)
        call = _Call(self._options, handler_call_details)
        try:
            handler = call.step(continuation, handler_call_details)
        except BaseException as error:
            call.finish(error)
            raise
        if handler is None:
            handler = grpc.stream_unary_rpc_method_handler(_not_found)
        return _around(handler, call, _sync_behavior)


class AioServerInterceptor(grpc.aio.ServerInterceptor):
    """
    The same as `ServerInterceptor`, for a `grpc.aio.server`.

    Put it first: `grpc.aio.server(interceptors=[AioServerInterceptor()])`. Handlers may
    be of every kind that grpc knows: coroutines, async generators, those that read and
    write by themselves, and plain functions, which grpc runs in a pool.

    Args:
        options: Those of the ASGI middleware; `user` is called with the servicer's
            context, `ignore_paths` are full methods.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(self, **options: Any) -> None:
        self._options = RequestOptions(**options)

    async def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> Any:
        """Return the handler of a call, in a store."""
        if _inside_another():
            return await continuation(handler_call_details)
        call = _Call(self._options, handler_call_details)
        try:
            handler = await call.step_async(continuation, handler_call_details)
        except BaseException as error:
            call.finish(error)
            raise
        if handler is None:
            handler = grpc.stream_unary_rpc_method_handler(_not_found_async)
        return _around(handler, call, _aio_behavior)


def _inside_another() -> bool:
    store = get_store()
    return isinstance(store, RequestStore) and not store.closed


def _not_found(requests: object, context: Any) -> None:
    """Answer as grpc does where there is no handler."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def _not_found_async(requests: object, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


# One call -----------------------------------------------------------------------


class _Exchange(Exchange):
    """A call, which ends with a status of gRPC's."""

    __slots__ = ("aborted", "cancelled", "code", "echoed", "rpc")

    def __init__(
        self,
        options: RequestOptions,
        method: str,
        metadata: Sequence[tuple[str, Any]],
        client: str | None,
    ) -> None:
        self.aborted = self.cancelled = self.echoed = False
        self.code: object = None
        self.rpc: Any = None
        super().__init__(
            options,
            method="POST",
            path=method,
            client=client,
            values=functools.partial(_metadata_values, metadata),
        )

    def serve(self, context: Any, client: str | None) -> None:
        """Take note of grpc's context, with which the handler begins."""
        self.rpc = context
        self.client = client
        spans.see_span(self.store)  # an interceptor further out begins it by now
        if self._options.user is not None:
            self._user_of = functools.partial(self._options.user, context)

    def finish(self, error: BaseException | None = None) -> None:
        """End the call, by what the handler raised if it did."""
        self.answered()
        # Contexts of grpc.aio do not know; there a cancelled handler is stopped.
        is_active = getattr(self.rpc, "is_active", None)
        if is_active is not None and not is_active():
            self.cancelled = True
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            self.cancelled = True
        if self.aborted or (self.cancelled and _is_cancellation(error)):
            error = None  # it is how grpc stops a handler
        self.end(error)

    def _message(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        return f"{self.method} {self.path} {outcome}", ()  # a method is a route

    def _outcome(self, error: BaseException | None) -> tuple[str | None, str, int]:
        if self.rpc is None and error is None:
            return None, "no response", logging.WARNING
        code = self._code(error)
        if code in _FAULTS or isinstance(error, Exception):
            level = logging.ERROR
        elif code is grpc.StatusCode.OK:
            level = logging.INFO
        else:
            level = logging.WARNING
        return code.name, code.name, level

    def _code(self, error: BaseException | None) -> grpc.StatusCode:
        """The status that the client gets."""
        if self.cancelled and not self.aborted:
            remaining = self.rpc.time_remaining()
            if remaining is not None and remaining <= 0:
                return grpc.StatusCode.DEADLINE_EXCEEDED
            return grpc.StatusCode.CANCELLED
        if isinstance(error, asyncio.CancelledError):
            return grpc.StatusCode.CANCELLED  # in an interceptor
        code = self.code
        if isinstance(code, int):
            code = _CODES.get(code)
        elif code is None:
            code = grpc.StatusCode.OK
        failed = error is not None or self.aborted
        if not isinstance(code, grpc.StatusCode) or (
            failed and code is grpc.StatusCode.OK
        ):
            return grpc.StatusCode.UNKNOWN
        return code


def _is_cancellation(error: BaseException | None) -> bool:
    return isinstance(error, (asyncio.CancelledError, GeneratorExit, grpc.RpcError))


def _metadata_values(metadata: Sequence[tuple[str, Any]], name: str) -> list[str]:
    return [
        value.decode("latin-1") if isinstance(value, bytes) else value
        for key, value in metadata
        if key == name
    ]


def _address(peer: str) -> str | None:
    """The client's address in what grpc calls it: `ipv4:127.0.0.1:50051`."""
    kind, _, address = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    return unquote(address).rpartition(":")[0].strip("[]") or None


class _Call:
    """A call from the interceptors on; it ends with its handler, or without one."""

    __slots__ = ("_begin", "_exchange", "_left")

    def __init__(self, options: RequestOptions, details: Any) -> None:
        metadata = details.invocation_metadata or ()
        self._begin = functools.partial(_Exchange, options, details.method, metadata)
        self._exchange: _Exchange | None = None
        self._left = False
        if not options.asks_for_client:
            self.begin(None)

    def __del__(self) -> None:
        # grpc drops the handler of a call that it refuses, or that is cancelled early.
        if not self._left and not self.over:
            apart(self._drop)

    def _drop(self) -> None:
        exchange = self.begin(None)
        exchange.cancelled = exchange.rpc is not None
        exchange.finish()

    @property
    def begun(self) -> bool:
        """Whether it has an id by now."""
        return self._exchange is not None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self._exchange is not None and self._exchange.store.closed

    def begin(self, client: str | None) -> _Exchange:
        """Open the store, with an id by what is known of the client; once."""
        if self._exchange is None:
            self._exchange = self._begin(client)
        return self._exchange

    def leave(self) -> None:
        """Leave it to another one further in."""
        self._left = True

    def serve(self, context: Any) -> _Exchange:
        """Begin the handler."""
        client = _address(context.peer())
        exchange = self.begin(client)
        exchange.serve(context, client)
        return exchange

    def step(self, fn: Callable[..., Any], *args: Any) -> Any:
        """Call what stands between this and the handler."""
        return fn(*args) if self._exchange is None else self._exchange.step(fn, *args)

    async def step_async(self, fn: Callable[..., Any], *args: Any) -> Any:
        """The same, for what is awaited."""
        if self._exchange is None:
            return await fn(*args)
        return await self._exchange.run(fn, *args)

    def finish(self, error: BaseException | None = None) -> None:
        """End it, by what was raised if something was."""
        self.begin(None).finish(error)


# Contexts -----------------------------------------------------------------------


class _Context:
    """
    grpc's context of a call, as the handler gets it.

    What the handler says about the status is noted on its way to grpc, and the id is
    put into the initial metadata, which can be sent only once.
    """

    __slots__ = ("_context", "_kept")

    def __init__(self, context: Any, exchange: _Exchange) -> None:
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_kept", Kept(exchange))

    @property
    def _exchange(self) -> _Exchange:
        kept: Kept[_Exchange] = self._kept
        return kept.take()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: object) -> None:
        # Interceptors leave things there for the handler.
        setattr(self._context, name, value)

    # For isinstance().
    __class__: Any = property(lambda self: type(self._context))

    def set_code(self, code: Any) -> None:
        self._exchange.code = code
        self._context.set_code(code)

    def _with_id(self, metadata: Any) -> tuple[Any, ...]:
        exchange = self._exchange
        exchange.echoed = True
        given = tuple(metadata or ())
        if not exchange.request_id:
            return given
        name = exchange.header.lower()
        kept = (pair for pair in given if pair[0] != name)
        return (*kept, (name, exchange.request_id))

    def _abort(self, code: Any) -> None:
        self._exchange.code = code
        self._exchange.aborted = True


class _SyncContext(_Context):
    __slots__ = ()

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._context.send_initial_metadata(self._with_id(initial_metadata))

    def send_id(self) -> None:
        """Send the id if no metadata has been sent."""
        if self._exchange.echoed:
            return
        try:
            self.send_initial_metadata(())
        except (ValueError, grpc.RpcError, grpc.aio.BaseError):
            return  # somebody further out has sent some, or the client is gone

    def abort(self, code: Any, details: Any = "", *rest: Any) -> None:
        self.send_id()
        self._abort(code)
        self._context.abort(code, details, *rest)

    def abort_with_status(self, status: Any) -> None:
        self.send_id()
        self._abort(status.code)
        self._context.abort_with_status(status)

    def add_callback(self, callback: Callable[[], None]) -> Any:
        return self._context.add_callback(wrap(callback))


class _AioContext(_Context):
    __slots__ = ()

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._context.send_initial_metadata(self._with_id(initial_metadata))

    async def send_id(self) -> None:
        """Send the id if no metadata has been sent."""
        if self._exchange.echoed:
            return
        try:
            await self.send_initial_metadata(())
        except grpc.aio.BaseError:
            return  # somebody further out has sent some, or the client is gone

    async def write(self, message: Any) -> None:
        await self.send_id()
        await self._context.write(message)

    async def abort(self, code: Any, *details: Any, **more: Any) -> None:
        await self.send_id()
        self._abort(code)
        await self._context.abort(code, *details, **more)

    async def abort_with_status(self, status: Any) -> None:
        await self.send_id()
        self._abort(status.code)
        await self._context.abort_with_status(status)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._context.add_done_callback(wrap(callback))


# Handlers -----------------------------------------------------------------------


def _around(handler: Any, call: _Call, make: Callable[..., _Behavior]) -> Any:
    """A handler of the same kind, whose behaviour runs in the call's store."""
    asked = "stream" if handler.request_streaming else "unary"
    answered = "stream" if handler.response_streaming else "unary"
    kind = f"{asked}_{answered}"
    behavior = getattr(handler, kind)
    if not call.begun and hasattr(behavior, _MARK):
        call.leave()
        return handler
    served = make(call, behavior, handler.response_streaming)
    setattr(served, _MARK, True)
    return getattr(grpc, f"{kind}_rpc_method_handler")(
        served,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _sync_behavior(call: _Call, behavior: _Behavior, streams: bool) -> _Behavior:
    # The name, and the attributes by which grpc chooses a pool.
    @functools.wraps(behavior)
    def serve(request: Any, context: Any, *send: Callable[[Any], None]) -> Any:
        exchange = call.serve(context)
        own = _SyncContext(context, exchange)
        try:
            if send:
                sending = functools.partial(_send, call, own, *send)
                return exchange.step(behavior, request, own, sending)
            response = exchange.step(behavior, request, own)
            if streams:
                return _Responses(call, own, response)
        except BaseException as error:
            own.send_id()
            exchange.finish(error)
            raise
        own.send_id()
        exchange.finish()
        return response

    return serve


def _send(
    call: _Call, context: _SyncContext, send: Callable[[Any], None], response: Any
) -> None:
    """Send a response of a handler that does not hold a thread; None is the end."""
    context.send_id()
    if response is None:
        call.finish()
    send(response)


class _Responses:
    """The responses of a handler, each step of them in the store."""

    __slots__ = ("_call", "_context", "_responses")

    def __init__(self, call: _Call, context: _SyncContext, responses: Any) -> None:
        self._call = call
        self._context = context
        self._responses: Iterator[Any] = call.step(iter, responses)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            response = self._call.step(next, self._responses, _END)
        except BaseException as error:
            self._context.send_id()
            self._call.finish(error)
            raise
        self._context.send_id()
        if response is _END:
            self._call.finish()
            raise StopIteration
        return response

    def __del__(self) -> None:
        # grpc drops what a client that went away does not want any more.
        close = getattr(getattr(self, "_responses", None), "close", None)
        if close is not None and not self._call.over:
            apart(self._call.step, close)


def _aio_behavior(call: _Call, behavior: _Behavior, streams: bool) -> _Behavior:
    if inspect.isasyncgenfunction(behavior):
        return _generator(call, behavior)
    if inspect.iscoroutinefunction(behavior):
        return _coroutine(call, behavior)
    return _sync_behavior(call, behavior, streams)


def _coroutine(call: _Call, behavior: _Behavior) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(behavior)
    async def serve(request: Any, context: Any) -> Any:
        exchange = call.serve(context)
        own = _AioContext(context, exchange)
        try:
            response = await exchange.run(behavior, request, own)
            await own.send_id()
        except BaseException as error:
            await _fail(exchange, own, error)
            raise
        exchange.finish()
        return response

    return serve


def _generator(call: _Call, behavior: _Behavior) -> Callable[..., AsyncIterator[Any]]:
    @functools.wraps(behavior)
    async def serve(request: Any, context: Any) -> AsyncIterator[Any]:
        exchange = call.serve(context)
        own = _AioContext(context, exchange)
        responses = exchange.run(behavior, request, own)
        try:
            async for response in responses:
                await own.send_id()
                yield response
            await own.send_id()
        except BaseException as error:
            # Of a client that went away: it is closed by the event loop.
            await responses.aclose()
            await _fail(exchange, own, error)
            raise
        exchange.finish()

    return serve


async def _fail(
    exchange: _Exchange, context: _AioContext, error: BaseException
) -> None:
    if isinstance(error, Exception):
        await context.send_id()
    exchange.finish(error)
