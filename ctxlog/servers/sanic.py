"""
Sanic applications, by Sanic's own server or ASGI. Adapter: imports Sanic and core.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

from ctxlog._kept import Kept
from ctxlog._patch import Patch
from ctxlog.context import get_store
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry, RequestStore, note_route
from ctxlog.servers._subclass import give_subclass, take_subclass

with requires("sanic"):
    from sanic import Request, Sanic
    from sanic.http import Stage

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["install", "uninstall"]

_ENTRY = "_ctxlog_entry"


def install(app: Any, **options: Unpack[ServerOptions]) -> None:
    """
    Give every request and websocket of an application a store, and a completion line.

    All of it runs in the store: middleware, the handler, error handlers, signals, a
    streamed response. It is fresh for every request, also on a keep-alive connection,
    and closed when the response has been sent. The id is echoed on every response, also
    on errors that Sanic answers itself; not on the handshake of a websocket, whose
    headers Sanic's server does not let anyone change. Call it where the application is
    made. It lasts until `uninstall(app)`; calling it again is a no-op. Inside the ASGI
    middleware it is a no-op, too.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged.

    Args:
        app: The `sanic.Sanic` application.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` and `level` are called with
            the request, and a completed request has it as `request`.

    Raises:
        TypeError: if *app* is not a Sanic application.
        ConfigError: if an option is invalid.
    """
    if not isinstance(app, Sanic):
        raise TypeError(f"install() takes a Sanic application, not {app!r}")
    checked = RequestOptions(**options)
    if not isinstance(app, _Stamping):
        # A signal cannot be taken back, and would make every request slower.
        routing = Patch(app.router, "get", _route)
        # An application has slots only, and its methods are what its server calls.
        give_subclass(app, _Stamping, _ctxlog_options=checked, _ctxlog_routing=routing)
        routing.install()


def uninstall(app: Any) -> None:
    """Undo `install(app)`. Without it, a no-op."""
    if isinstance(app, _Stamping):
        app._ctxlog_routing.uninstall()
        take_subclass(app)


def _is_installed(app: object) -> bool | None:
    """Return whether an application has the adapter; None for other objects."""
    if not isinstance(app, Sanic):
        return None
    return isinstance(app, _Stamping)


def _route(get: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    found = get(*args, **kwargs)
    note_route(f"/{found[0].raw_path}")
    return found


class _Stamping:
    """The mixin of an application whose requests are in a store."""

    __slots__ = ()
    _ctxlog_options: RequestOptions
    _ctxlog_routing: Patch

    async def handle_request(self, request: Request) -> None:
        handle: Any = super().handle_request  # type: ignore[misc]
        if isinstance(get_store(), RequestStore) and request.app.asgi:
            await handle(request)
            return
        entry = _Request(self._ctxlog_options, request)
        setattr(request.ctx, _ENTRY, Kept(entry))
        _echo(entry, request)
        failure: BaseException | None = None
        try:
            await entry.run(handle, request)
        except BaseException as error:
            lost = getattr(request.conn_info, "lost", False)
            if isinstance(error, asyncio.CancelledError) and lost:
                # Sanic makes a response all the same, which is not sent.
                _take_status(entry, request)
                entry.details["disconnected"] = True
            failure = error
            raise
        finally:
            if not _is_to_be_answered(request, failure):
                _end(entry, request, failure)

    async def handle_exception(
        self, request: Request, exception: BaseException, run_middleware: bool = True
    ) -> None:
        handle: Any = super().handle_exception  # type: ignore[misc]
        kept: Kept[RequestEntry] | None = getattr(request.ctx, _ENTRY, None)
        entry = None if kept is None else kept.take()
        if entry is None or entry.store.closed:
            await handle(request, exception, run_middleware)
            return
        if not _is_lost(entry) and getattr(exception, "status_code", 500) >= 500:
            entry.details["error"] = type(exception).__name__
        if get_store() is entry.store:
            await handle(request, exception, run_middleware)
            return
        # The server's own call, after a time-out or an answer that failed.
        failure: BaseException | None = None
        try:
            await entry.run(handle, request, exception, run_middleware)
        except BaseException as error:
            failure = error
            raise
        finally:
            _end(entry, request, failure)


class _Request(RequestEntry):
    """One of Sanic's requests."""

    __slots__ = ("_request",)

    def __init__(self, options: RequestOptions, request: Request) -> None:
        super().__init__(
            options,
            request.method,
            request.path,
            request.ip or None,
            options.headers.of_pairs(request.headers.items()),
            source=request,
        )
        self._request: Any = request

    def end(self, error: BaseException | None = None) -> None:
        super().end(error)
        self._request = None  # it knows this

    def user_reader(self) -> Callable[[], object] | None:
        return self._reader_of(self._request)

    def read_parameters(self) -> Collection[object]:
        found: dict[str, object] = self._request.match_info
        return found.values()

    def read_headers(self) -> Iterable[tuple[str, str]]:
        headers: Any = self._request.headers
        pairs: Iterable[tuple[str, str]] = headers.items()
        return pairs

    def read_query(self) -> str:
        return str(self._request.query_string)

    def read_scheme(self) -> str:
        return str(self._request.scheme)

    def read_http_version(self) -> str:
        return str(self._request.version)

    def read_request(self) -> object:
        return self._request


def _is_to_be_answered(request: Request, failure: BaseException | None) -> bool:
    """Return whether the server will call `handle_exception()` after this."""
    stream: Any = request.stream
    if getattr(stream, "stage", None) is not Stage.HANDLER:
        return False
    if failure is None:  # there is no response
        return not getattr(stream, "upgrade_websocket", False) and not request.app.asgi
    if isinstance(failure, asyncio.CancelledError):
        protocol = getattr(stream, "protocol", None)
        return protocol is not None and protocol.transport is not None
    return isinstance(failure, Exception)


def _end(entry: RequestEntry, request: Request, failure: BaseException | None) -> None:
    if request.body:  # a handler that streams it has none
        entry.bytes_in = len(request.body)
    if not _is_lost(entry):
        _take_status(entry, request)
        if entry.status is None and failure is None:
            entry.note_status(101 if request.scheme in ("ws", "wss") else None)
    entry.end(failure)


def _is_lost(entry: RequestEntry) -> bool:
    return "disconnected" in entry.details


def _take_status(entry: RequestEntry, request: Request) -> None:
    response = getattr(request.stream, "response", None)
    entry.note_status(None if response is None else response.status)


def _echo(entry: RequestEntry, request: Request) -> None:
    """Put the id on whatever response is sent, also one made by an error handler."""
    if hasattr(request.stream, "response_func"):
        _watch_http1(entry, request.stream)
    else:
        _watch_stream(entry, request, request.stream)


def _watch_http1(entry: RequestEntry, stream: Any) -> None:
    """See the functions by which Sanic's server writes a response, one by one."""
    write = stream.response_func

    @functools.wraps(write)
    async def write_head(data: bytes, end_stream: bool) -> None:
        response: Any = stream.response
        if response is not None:
            _begin(entry)
            entry.echo(response.headers)
        await write(data, end_stream)
        if stream.head_only or stream.response.status in (204, 304):
            entry.bytes_out = 0
            return
        entry.bytes_out = stream.response_size
        if stream.response_func is not None:
            stream.response_func = functools.partial(write_more, stream.response_func)

    async def write_more(write: Any, data: bytes, end_stream: bool) -> None:
        await write(data, end_stream)
        entry.bytes_out = (entry.bytes_out or 0) + len(data)

    stream.response_func = write_head


def _watch_stream(entry: RequestEntry, request: Request, stream: Any) -> None:
    """See what Sanic gives to an ASGI server: a response, and its parts."""
    respond = stream.respond
    kind = type(stream)
    known = weakref.ref(stream)  # it would know itself

    @functools.wraps(respond)
    def with_id(response: Any) -> Any:
        _begin(entry)
        entry.echo(response.headers)
        return respond(response)

    async def send(data: Any, end_stream: bool) -> None:
        this: Any = known()
        size = len(data or b"")
        if this.stage is Stage.HANDLER:
            size += len(getattr(this.response, "body", None) or b"")
        await kind.send(this, data, end_stream)
        if entry.method != "HEAD":
            entry.bytes_out = (entry.bytes_out or 0) + size
        elif entry.bytes_out is None:
            entry.bytes_out = 0

    stream.respond = with_id
    if request.app.asgi:  # else it is HTTP/3
        stream.send = send


def _begin(entry: RequestEntry) -> None:
    # The status is taken at the end: it may not be sent.
    entry.note_status(entry.status)
