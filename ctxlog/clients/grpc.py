"""
Calls by gRPC. Adapter: imports grpcio and core.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ctxlog.clients._call import Call, CallOptions, ClientOptions
from ctxlog.context import wrap
from ctxlog.errors import ConfigError, requires

with requires("grpc"):
    import grpc
    import grpc.aio

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["aio_interceptors", "interceptors"]

_DETAILS = ("method", "timeout", "metadata", "credentials", "wait_for_ready")


def interceptors(target: str, **options: Unpack[ClientOptions]) -> list[Any]:
    """
    Return interceptors that add the active context to the calls of a channel.

    For `grpc.intercept_channel(channel, *interceptors(target, hosts=[...]))`. Every
    call gets `x-request-id` and, inside a trace, `traceparent` in its metadata, if the
    host of *target* is one of *hosts*. Metadata that the caller has set stays.

    Args:
        target: The target of the channel: `payments:50051`, `dns:///payments:50051`.
        hosts: The hosts that get the metadata: names (`payments`), with `*` for any
            part of one (`*.internal`), and with a port to mean only that.
        fields: The names of further fields to send, as `baggage`.
        completion_line: Log a line when a call has ended, from the logger
            `ctxlog.client`, to any host: `status` is the name of the gRPC status code.

    Within a request every call is counted and timed, until it has ended, under `grpc`
    on the request's completion line.

    Raises:
        ConfigError: if an option is invalid.
    """
    return [_Interceptor(target, options)]


def aio_interceptors(target: str, **options: Unpack[ClientOptions]) -> list[Any]:
    """
    The same as `interceptors()`, for channels of `grpc.aio`.

    For `grpc.aio.insecure_channel(target, interceptors=aio_interceptors(target,
    hosts=[...]))`.

    Args:
        target: The target of the channel.
        options: The options of `interceptors()`.

    Raises:
        ConfigError: if an option is invalid.
    """
    kinds = (_UnaryUnary, _UnaryStream, _StreamUnary, _StreamStream)
    return [kind(target, options) for kind in kinds]


class _Call(Call):
    """A call, which ends with a status of gRPC's."""

    __slots__ = ()

    total = "grpc"

    def end_with(self, code: grpc.StatusCode) -> None:
        """Log how the call has ended."""
        level = logging.INFO if code is grpc.StatusCode.OK else logging.WARNING
        self._complete(level, code.name, {"status": code.name})

    def with_context(self, metadata: Iterable[tuple[str, Any]] | None) -> list[Any]:
        """Return the metadata with the context."""
        given = list(metadata or ())
        # Values of names that end so are bytes, and not ours.
        before = {k: v for k, v in given if not k.endswith("-bin")}
        headers = dict(before)
        self.inject(headers)
        # Names in metadata are in lower case, else grpc refuses the call.
        added = {k.lower(): v for k, v in headers.items() if before.get(k) != v}
        kept = [(key, value) for key, value in given if key not in added]
        return [*kept, *added.items()]


class _Calls:
    """The calls of a channel."""

    def __init__(self, target: str, options: ClientOptions) -> None:
        self.options = CallOptions(**options)
        if not isinstance(target, str):
            raise ConfigError("target", target, "the target of a channel, a string")
        self._url = f"grpc://{_authority(target)}"

    def begin(self, method: str) -> _Call:
        """Return a call that begins now."""
        return _Call(self.options, "POST", self._url + method)


def _authority(target: str) -> str:
    """Return host and port of a target (https://grpc.github.io/grpc/core/md_doc_naming.html)."""
    scheme, colon, rest = target.partition(":")
    if colon and rest.startswith("//"):
        return rest[2:].partition("/")[2]
    if scheme in ("ipv4", "ipv6", "dns"):
        return rest.lstrip("/")
    return "localhost" if scheme in ("unix", "unix-abstract") else target


class _Interceptor(
    _Calls,
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Adds the context to the calls of a channel, of every kind."""

    def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        call = self.begin(details.method)
        names = (*_DETAILS, "compression")
        found = {name: getattr(details, name, None) for name in names}
        found["metadata"] = call.with_context(found["metadata"])
        try:
            outcome = continuation(SimpleNamespace(**found), request)
        except BaseException:
            call.answered()
            raise
        if not _is_to_end(outcome, call.answered):
            call.answered()
        if self.options.completion_line:
            # grpc's thread, which calls it, has no context.
            outcome.add_done_callback(wrap(functools.partial(_end, call)))
        return outcome

    intercept_unary_unary: Any = _intercept
    intercept_unary_stream: Any = _intercept
    intercept_stream_unary: Any = _intercept
    intercept_stream_stream: Any = _intercept


def _is_to_end(outcome: Any, then: Callable[[], None]) -> bool:
    """Have a callback called at the end of a call; return whether it is under way."""
    if not isinstance(outcome, grpc.RpcContext):
        return False
    try:
        # One that refers to no call: a stream that the caller drops is cancelled only
        # if nothing else has it.
        return bool(outcome.add_callback(then))
    except NotImplementedError:  # an error of a call that has ended
        return False


def _end(call: _Call, outcome: Any) -> None:
    call.end_with(outcome.code())


class _AioInterceptor(_Calls):
    """Adds the context to the calls of a channel of `grpc.aio`, of one kind."""

    def __init__(self, target: str, options: ClientOptions) -> None:
        super().__init__(target, options)
        self._ending: set[asyncio.Task[None]] = set()

    async def _intercept(self, continuation: Any, details: Any, request: Any) -> Any:
        method = details.method
        call = self.begin(method.decode() if isinstance(method, bytes) else method)
        found: dict[str, Any] = {
            name: getattr(details, name, None) for name in _DETAILS
        }
        metadata = call.with_context(found["metadata"])
        found["metadata"] = grpc.aio.Metadata(*metadata)
        try:
            answered = await continuation(grpc.aio.ClientCallDetails(**found), request)
        except BaseException:
            call.answered()
            raise
        # As above: the callback does not keep the call from being dropped.
        if isinstance(answered, grpc.aio.Call) and not answered.done():
            answered.add_done_callback(lambda _: call.answered())
        else:
            call.answered()
        if self.options.completion_line:
            task = asyncio.create_task(_end_async(call, answered))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)
        return answered


async def _end_async(call: _Call, answered: Any) -> None:
    call.end_with(await answered.code())


class _UnaryUnary(_AioInterceptor, grpc.aio.UnaryUnaryClientInterceptor):
    intercept_unary_unary: Any = _AioInterceptor._intercept


class _UnaryStream(_AioInterceptor, grpc.aio.UnaryStreamClientInterceptor):
    intercept_unary_stream: Any = _AioInterceptor._intercept


class _StreamUnary(_AioInterceptor, grpc.aio.StreamUnaryClientInterceptor):
    intercept_stream_unary: Any = _AioInterceptor._intercept


class _StreamStream(_AioInterceptor, grpc.aio.StreamStreamClientInterceptor):
    intercept_stream_stream: Any = _AioInterceptor._intercept
