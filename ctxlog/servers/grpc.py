"""
gRPC servers (`grpc.server`, `grpc.aio.server`). Adapter: imports grpcio and core.

An interceptor opens a `CallEntry` and gives the handler another behavior, which runs
the handler's own in the store, with a `CallContext`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

from ctxlog.context import wrap
from ctxlog.context.bodies import apart
from ctxlog.errors import requires
from ctxlog.servers._grpc import (
    Behavior,
    CallContext,
    CallEntry,
    is_inside_another,
    rewrapped,
)
from ctxlog.servers._options import RequestOptions, ServerOptions

with requires("grpc"):
    import grpc
    import grpc.aio

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AioServerInterceptor", "ServerInterceptor"]

_END: Any = object()


class ServerInterceptor(grpc.ServerInterceptor):
    """
    Give every call to a `grpc.server` a store of its own, and a completion line.

    The request id and the trace in the metadata are used only if they are valid, and
    only from clients that *trust* accepts; any other id is replaced by a new one and
    never logged. The id is echoed in the initial metadata, also of a call that fails.

    Put it first: `grpc.server(pool, interceptors=[ServerInterceptor()])`. Inside
    another `ServerInterceptor` it is a no-op.

    The store is fresh for every call and active in the interceptors further in, in the
    handler, and in each step of its responses up to their end; then it is closed. The
    pool's thread has none in between and afterwards. An exception passes through
    unchanged, for grpc to report; it carries the context, so the report does too.
    Callbacks at the end of the call (`context.add_callback`) have `late` on their
    lines.

    The completion line's `path` is the full method (`/shop.Orders/Get`), `method` is
    HTTP's, and `status` is the name of the gRPC status code (`OK`, `NOT_FOUND`).

    Args:
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` is called with the
            servicer's context, which a completed request has as `request`; `level`
            with the `grpc.HandlerCallDetails`; `ignore_paths` are full methods. With a
            *trust* that looks at the client's address, lines of interceptors further in
            have no id and the usual level, since grpc tells the address to the handler
            only.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, **options: Unpack[ServerOptions]) -> None:
        self._options = RequestOptions(**options)

    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the handler of a call, in a store."""
        if is_inside_another():
            return continuation(handler_call_details)
        entry = CallEntry(self._options, handler_call_details)
        try:
            handler = entry.step(continuation, handler_call_details)
        except BaseException as error:
            entry.finish(error)
            raise
        if handler is None:
            handler = grpc.stream_unary_rpc_method_handler(_not_found)
        else:
            entry.found()
        return rewrapped(handler, functools.partial(_sync_behavior, entry))


class AioServerInterceptor(grpc.aio.ServerInterceptor):
    """
    The same as `ServerInterceptor`, for a `grpc.aio.server`.

    Put it first: `grpc.aio.server(interceptors=[AioServerInterceptor()])`. Handlers may
    be of every kind that grpc knows: coroutines, async generators, handlers that read
    and write by themselves, and plain functions, which grpc runs in a pool.

    Args:
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` is called with the
            servicer's context, which a completed request has as `request`; `level`
            with the `grpc.HandlerCallDetails`; `ignore_paths` are full methods.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, **options: Unpack[ServerOptions]) -> None:
        self._options = RequestOptions(**options)

    async def intercept_service(
        self, continuation: Any, handler_call_details: Any
    ) -> Any:
        """Return the handler of a call, in a store."""
        if is_inside_another():
            return await continuation(handler_call_details)
        entry = CallEntry(self._options, handler_call_details)
        try:
            handler = await entry.run(continuation, handler_call_details)
        except BaseException as error:
            entry.finish(error)
            raise
        if handler is None:
            handler = grpc.stream_unary_rpc_method_handler(_not_found_async)
        else:
            entry.found()
        return rewrapped(handler, functools.partial(_aio_behavior, entry))


def _not_found(requests: object, context: Any) -> None:
    """Answer as grpc does where there is no handler."""
    context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


async def _not_found_async(requests: object, context: Any) -> None:
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Method not found!")


# Handlers in threads ------------------------------------------------------------


class _SyncContext(CallContext):
    __slots__ = ()

    def send_initial_metadata(self, initial_metadata: Any) -> None:
        self._context.send_initial_metadata(self._with_id(initial_metadata))

    def send_id(self) -> None:
        """Send the id if no metadata has been sent."""
        if self._entry.echoed:
            return
        try:
            self.send_initial_metadata(())
        except (ValueError, grpc.RpcError, grpc.aio.BaseError):
            return  # metadata has been sent further out, or the client is gone

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


def _sync_behavior(entry: CallEntry, behavior: Behavior, streams: bool) -> Behavior:
    # The name, and the attributes by which grpc chooses a pool.
    @functools.wraps(behavior)
    def serve(request: Any, context: Any, *send: Callable[[Any], None]) -> Any:
        entry.serve(context)
        own = _SyncContext(context, entry)
        try:
            if send:
                sending = functools.partial(_send, entry, own, *send)
                return entry.step(behavior, request, own, sending)
            response = entry.step(behavior, request, own)
            if streams:
                return _Responses(entry, own, response)
        except BaseException as error:
            own.send_id()
            entry.finish(error)
            raise
        own.send_id()
        entry.finish()
        return response

    return serve


def _send(
    entry: CallEntry, context: _SyncContext, send: Callable[[Any], None], response: Any
) -> None:
    """Send a response of a handler that does not hold a thread; None is the end."""
    context.send_id()
    if response is None:
        entry.finish()
    send(response)


class _Responses:
    """The responses of a handler, each step of them in the store."""

    __slots__ = ("_context", "_entry", "_responses")

    def __init__(self, entry: CallEntry, context: _SyncContext, responses: Any) -> None:
        self._entry = entry
        self._context = context
        self._responses: Iterator[Any] = entry.step(iter, responses)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            response = self._entry.step(next, self._responses, _END)
        except BaseException as error:
            self._context.send_id()
            self._entry.finish(error)
            raise
        self._context.send_id()
        if response is _END:
            self._entry.finish()
            raise StopIteration
        return response

    def __del__(self) -> None:
        # grpc drops the responses that a client which went away does not want.
        if not self._entry.store.closed:
            apart(self._drop)

    def _drop(self) -> None:
        close = getattr(getattr(self, "_responses", None), "close", None)
        try:
            if close is not None:
                self._entry.step(close)
        finally:
            self._entry.drop()


# Handlers in an event loop ------------------------------------------------------


class _AioContext(CallContext):
    __slots__ = ()

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._context.send_initial_metadata(self._with_id(initial_metadata))

    async def send_id(self) -> None:
        """Send the id if no metadata has been sent."""
        if self._entry.echoed:
            return
        try:
            await self.send_initial_metadata(())
        except grpc.aio.BaseError:
            return  # metadata has been sent further out, or the client is gone

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

    async def fail(self, error: BaseException) -> None:
        """End the call by an exception."""
        if isinstance(error, Exception):
            await self.send_id()
        self._entry.finish(error)


def _aio_behavior(entry: CallEntry, behavior: Behavior, streams: bool) -> Behavior:
    @functools.wraps(behavior)
    async def answer(request: Any, context: Any) -> Any:
        entry.serve(context)
        own = _AioContext(context, entry)
        try:
            response = await entry.run(behavior, request, own)
            await own.send_id()
        except BaseException as error:
            await own.fail(error)
            raise
        entry.finish()
        return response

    @functools.wraps(behavior)
    async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
        entry.serve(context)
        own = _AioContext(context, entry)
        responses = entry.run(behavior, request, own)
        try:
            async for response in responses:
                await own.send_id()
                yield response
            await own.send_id()
        except BaseException as error:
            # Of a client that went away: it is closed by the event loop.
            await responses.aclose()
            await own.fail(error)
            raise
        entry.finish()

    if inspect.isasyncgenfunction(behavior):
        return stream
    if inspect.iscoroutinefunction(behavior):
        return answer
    return _sync_behavior(entry, behavior, streams)
