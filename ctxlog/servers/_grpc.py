"""
One call to a gRPC server: what `grpc.server` and `grpc.aio.server` have in common.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from ctxlog._kept import Kept
from ctxlog.carrier import spans
from ctxlog.context import get_store
from ctxlog.context.bodies import apart
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions
from ctxlog.servers._request import RequestEntry, RequestStore

with requires("grpc"):
    import grpc

Behavior = Callable[..., Any]

_CODES = {code.value[0]: code for code in grpc.StatusCode}

#: The status codes that are the server's fault: gRPC's equivalents of a 5xx.
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

_STOPPED = (asyncio.CancelledError, GeneratorExit)


class CallEntry(RequestEntry):
    """
    A call from the interceptors on, which ends with a status of gRPC's.

    The id is chosen at once, or when the handler begins: grpc tells the client's
    address no earlier, and `trust` may ask for it.

    Args:
        options: The adapter's options.
        details: The `grpc.HandlerCallDetails`.

    Attributes:
        aborted: Whether the handler has aborted the call.
        code: The status code that the handler has set.
        echoed: Whether the initial metadata has been sent.
    """

    __slots__ = ("_cancelled", "_details", "_rpc", "aborted", "code", "echoed")

    def __init__(self, options: RequestOptions, details: Any) -> None:
        self.aborted = self.echoed = self._cancelled = False
        self.code: object = None
        self._rpc: Any = None
        self._details = details
        super().__init__(
            options,
            "POST",
            details.method,
            None,
            options.headers.of_pairs(details.invocation_metadata or ()),
            identify=not options.needs_client,
            source=details,
        )

    def __del__(self) -> None:
        # grpc drops the handler of a call that it refuses, or that is cancelled early.
        if not self.store.closed:
            apart(self.drop)

    def drop(self) -> None:
        """End a call that grpc has dropped."""
        self._cancelled = self._rpc is not None
        self.finish()

    def found(self) -> None:
        """Note that there is a handler: the method is the route."""
        self.store.enter_route(self.path)

    def serve(self, context: Any) -> None:
        """Begin the handler, with grpc's context of the call."""
        self._rpc = context
        self.client = address_of(context.peer())
        self._identify_late()
        spans.see_span(self.store)  # an interceptor further out begins it by now

    def finish(self, error: BaseException | None = None) -> None:
        """End the call, by the exception of its handler if there is one."""
        self._identify_late()
        self.answered()
        # Contexts of grpc.aio do not know; there a cancelled handler is stopped.
        is_active = getattr(self._rpc, "is_active", None)
        if is_active is not None and not is_active():
            self._cancelled = True
        if isinstance(error, _STOPPED):
            self._cancelled = True
        # How grpc stops a handler is no error.
        is_stop = self._cancelled and isinstance(error, (*_STOPPED, grpc.RpcError))
        self.end(None if self.aborted or is_stop else error)

    def user_reader(self) -> Callable[[], object] | None:
        return None if self._rpc is None else self._reader_of(self._rpc)

    def read_headers(self) -> Iterable[tuple[str, str | bytes]]:
        metadata: Iterable[tuple[str, str | bytes]] = self._details.invocation_metadata
        return metadata or ()

    def read_http_version(self) -> str:
        return "2"

    def read_request(self) -> object:
        return self._rpc

    def _identify_late(self) -> None:
        if not self._chosen_id and not self.store.closed:
            self.identify()
            if self.options.levels.asked:
                self.choose_level(self._details)

    def message(self, outcome: str) -> tuple[str, tuple[str, ...]]:
        return f"{self.method} {self.path} {outcome}", ()  # a method is a route

    def outcome(self, error: BaseException | None) -> tuple[str | None, str, int]:
        if self._rpc is None and error is None:
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
        if self._cancelled and not self.aborted and self._rpc is not None:
            remaining = self._rpc.time_remaining()
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


class CallContext:
    """
    grpc's context of a call, as the handler gets it.

    The status that the handler sets is noted on its way to grpc, and the id is put into
    the initial metadata, which can be sent only once.
    """

    __slots__ = ("_context", "_kept")

    def __init__(self, context: Any, entry: CallEntry) -> None:
        object.__setattr__(self, "_context", context)
        object.__setattr__(self, "_kept", Kept(entry))

    @property
    def _entry(self) -> CallEntry:
        kept: Kept[CallEntry] = self._kept
        return kept.take()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: object) -> None:
        # Interceptors leave things there for the handler.
        setattr(self._context, name, value)

    # For isinstance().
    __class__: Any = property(lambda self: type(self._context))

    def set_code(self, code: Any) -> None:
        self._entry.code = code
        self._context.set_code(code)

    def _with_id(self, metadata: Any) -> tuple[Any, ...]:
        entry = self._entry
        entry.echoed = True
        entry.note_status(None)  # it has begun; its status comes at the end
        sent = tuple(metadata or ())
        request_id = entry.echoed_id()
        if request_id:
            name = entry.options.request_id_header.lower()
            kept = (pair for pair in sent if pair[0] != name)
            sent = (*kept, (name, request_id))
        entry.response_headers = sent
        return sent

    def _abort(self, code: Any) -> None:
        self._entry.code = code
        self._entry.aborted = True


def is_inside_another() -> bool:
    """Return whether another interceptor of ctxlog's has opened a store."""
    store = get_store()
    return isinstance(store, RequestStore) and not store.closed


def rewrapped(handler: Any, wrap: Callable[[Behavior, bool], Behavior]) -> Any:
    """
    Return a handler of the same kind, with another behavior.

    Args:
        handler: The handler.
        wrap: Returns the behavior, given the handler's own and whether it streams
            responses.
    """
    requests = "stream" if handler.request_streaming else "unary"
    responses = "stream" if handler.response_streaming else "unary"
    kind = f"{requests}_{responses}"
    return getattr(grpc, f"{kind}_rpc_method_handler")(
        wrap(getattr(handler, kind), handler.response_streaming),
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def address_of(peer: str) -> str | None:
    """Return the client's address in grpc's name of it: `ipv4:127.0.0.1:50051`."""
    kind, _, address = peer.partition(":")
    if kind not in ("ipv4", "ipv6"):
        return None
    return unquote(address).rpartition(":")[0].strip("[]") or None
