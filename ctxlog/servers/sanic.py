"""
Sanic applications, by Sanic's own server or ASGI. Adapter: imports Sanic and core.
"""

from __future__ import annotations

import asyncio
import functools
from typing import Any

from ctxlog._kept import Kept
from ctxlog.context import get_store
from ctxlog.errors import MissingDependencyError
from ctxlog.servers._request import Exchange, RequestOptions, RequestStore

try:
    from sanic import Request, Sanic
    from sanic.http import Stage
except ModuleNotFoundError as error:
    if error.name != "sanic":
        raise
    raise MissingDependencyError("sanic", "sanic") from None

__all__ = ["install", "uninstall"]

_EXCHANGE = "_ctxlog_exchange"


def install(app: Any, **options: Any) -> None:
    """
    Give every request and websocket of an application a store, and a completion line.

    All of it runs in the store: middleware, the handler, error handlers, signals, a
    streamed response. It is fresh for every request, also on a keep-alive connection,
    and closed when the response has been sent. The id is echoed on every response, also
    on errors that Sanic answers itself; not on the handshake of a websocket, whose
    headers Sanic's server leaves to nobody. Call it where the application is made. It
    lasts until `uninstall(app)`; a second time changes nothing. Inside the ASGI
    middleware it does nothing.

    Trusted is the request id header only, from the clients that *trust* names, and
    only a valid id; anything else is replaced by a new one and never logged.

    Args:
        app: The `sanic.Sanic` application.
        options: Those of the ASGI middleware; `user` is called with the request.

    Raises:
        TypeError: *app* is not a Sanic application.
        ConfigError: an option has a value that it cannot have.
    """
    if not isinstance(app, Sanic):
        raise TypeError(f"install() takes a Sanic application, not {app!r}")
    checked = RequestOptions(**options)
    if isinstance(app, _Stamping):
        return
    # An application has slots only, and its methods are what its server calls.
    kind: type = type(app)
    members = {"__slots__": (), "_ctxlog_options": checked, "_ctxlog_kind": kind}
    make: Any = type(kind)
    app.__class__ = make(kind.__name__, (_Stamping, kind), members)


def uninstall(app: Any) -> None:
    """Take away what `install(app)` did; if that was not called, nothing."""
    if isinstance(app, _Stamping):
        app.__class__ = app._ctxlog_kind


class _Stamping:
    """What an application's class gets in front."""

    __slots__ = ()
    _ctxlog_options: RequestOptions
    _ctxlog_kind: type

    async def handle_request(self, request: Request) -> None:
        handle: Any = super().handle_request  # type: ignore[misc]
        if isinstance(get_store(), RequestStore) and request.app.asgi:
            await handle(request)
            return
        exchange = _exchange(self._ctxlog_options, request)
        setattr(request.ctx, _EXCHANGE, Kept(exchange))
        _echo(exchange, request)
        failure: BaseException | None = None
        try:
            await exchange.run(handle, request)
        except BaseException as error:
            lost = getattr(request.conn_info, "lost", False)
            if isinstance(error, asyncio.CancelledError) and lost:
                # Sanic makes a response all the same, which nobody gets.
                _take_status(exchange, request)
                exchange.details["disconnected"] = True
            failure = error
            raise
        finally:
            if not _is_to_be_answered(request, failure):
                _end(exchange, request, failure)

    async def handle_exception(
        self, request: Request, exception: BaseException, run_middleware: bool = True
    ) -> None:
        handle: Any = super().handle_exception  # type: ignore[misc]
        kept: Kept[Exchange] | None = getattr(request.ctx, _EXCHANGE, None)
        exchange = None if kept is None else kept.take()
        if exchange is None or exchange.store.closed:
            await handle(request, exception, run_middleware)
            return
        if not _is_lost(exchange) and getattr(exception, "status_code", 500) >= 500:
            exchange.details["error"] = type(exception).__name__
        if get_store() is exchange.store:
            await handle(request, exception, run_middleware)
            return
        # The server's own call, after a time-out or an answer that failed.
        failure: BaseException | None = None
        try:
            await exchange.run(handle, request, exception, run_middleware)
        except BaseException as error:
            failure = error
            raise
        finally:
            _end(exchange, request, failure)


def _exchange(options: RequestOptions, request: Request) -> Exchange:
    user = options.user
    exchange = Exchange(
        options,
        method=request.method,
        path=request.path,
        client=request.ip or None,
        values=functools.partial(_header_values, request),
        user_of=None if user is None else functools.partial(user, request),
    )
    exchange.parameters = lambda: request.match_info.values()
    return exchange


def _header_values(request: Request, name: str) -> list[str]:
    return list(request.headers.getall(name, ()))


def _is_to_be_answered(request: Request, failure: BaseException | None) -> bool:
    """Whether the server will call `handle_exception()` when it gets this back."""
    stream: Any = request.stream
    if getattr(stream, "stage", None) is not Stage.HANDLER:
        return False
    if failure is None:  # there is no response
        return not getattr(stream, "upgrade_websocket", False) and not request.app.asgi
    if isinstance(failure, asyncio.CancelledError):
        protocol = getattr(stream, "protocol", None)
        return protocol is not None and protocol.transport is not None
    return isinstance(failure, Exception)


def _end(exchange: Exchange, request: Request, failure: BaseException | None) -> None:
    if not _is_lost(exchange):
        _take_status(exchange, request)
        if exchange.status is None and failure is None:
            exchange.status = 101 if request.scheme in ("ws", "wss") else None
    exchange.end(failure)


def _is_lost(exchange: Exchange) -> bool:
    return "disconnected" in exchange.details


def _take_status(exchange: Exchange, request: Request) -> None:
    response = getattr(request.stream, "response", None)
    exchange.status = None if response is None else response.status


def _echo(exchange: Exchange, request: Request) -> None:
    """Put the id on whatever response is sent, also one made by an error handler."""
    stream: Any = request.stream
    # Sanic's server writes the head of a response by this, ASGI connects one by that.
    name = "response_func" if hasattr(stream, "response_func") else "respond"
    write = getattr(stream, name)

    @functools.wraps(write)
    def with_id(*args: Any, **kwargs: Any) -> Any:
        response = stream.response if name == "response_func" else args[0]
        if response is not None:
            exchange.echo(response.headers)
        return write(*args, **kwargs)

    setattr(stream, name, with_id)
