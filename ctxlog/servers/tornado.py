"""
Tornado applications (`tornado.web`). Adapter: imports Tornado and core.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ctxlog._kept import Kept
from ctxlog.context.adapter import lent
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry

with requires("tornado"):
    from tornado import httputil, web

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["install", "uninstall"]

_INSTALLED = "_ctxlog_installed"
_SERVING = "_ctxlog_serving"


def install(app: web.Application, **options: Unpack[ServerOptions]) -> None:
    """
    Give every request and websocket of an application a store, and a completion line.

    All of a `RequestHandler` runs in the store: `initialize()`, `prepare()`, the
    method, `on_finish()`, a websocket's callbacks. It is fresh for every request, also
    on a keep-alive connection, and closed when the handler has ended. The id is echoed
    on every response, also on errors that Tornado answers itself. Handlers need not
    change; subclasses of `Application` keep their `log_request()`. It lasts until
    `uninstall(app)`; calling it again is a no-op.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged.

    Args:
        app: The application.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` is called with the
            `RequestHandler`. Without it `current_user` is bound if the request has
            asked for it.

    Raises:
        TypeError: if *app* is not a Tornado application.
        ConfigError: if an option is invalid.
    """
    if not isinstance(app, web.Application):
        raise TypeError(f"install() takes a tornado.web.Application, not {app!r}")
    checked = RequestOptions(**options)
    if hasattr(app, _INSTALLED):
        return
    held: Any = app
    delegate, log_request = app.get_handler_delegate, app.log_request

    @functools.wraps(delegate)
    def get_handler_delegate(*args: Any, **kwargs: Any) -> Any:
        made: Any = delegate(*args, **kwargs)
        # Where it would make the handler; whether that streams its body is decided.
        made.handler_class = functools.partial(_make, checked, made.handler_class)
        return made

    @functools.wraps(log_request)
    def log_request_too(handler: web.RequestHandler) -> None:
        log_request(handler)
        serving: Kept[_Request] | None = getattr(handler, _SERVING, None)
        if serving is not None:
            serving.take().answered()

    held.get_handler_delegate = get_handler_delegate
    held.log_request = log_request_too
    setattr(app, _INSTALLED, True)


def uninstall(app: web.Application) -> None:
    """Undo `install(app)`. Without it, a no-op."""
    if hasattr(app, _INSTALLED):
        for name in ("get_handler_delegate", "log_request", _INSTALLED):
            delattr(app, name)


def _make(
    options: RequestOptions,
    make: Callable[..., web.RequestHandler],
    app: web.Application,
    request: httputil.HTTPServerRequest,
    **kwargs: Any,
) -> Any:
    """Make the handler of a request, as its own class would."""
    serving = _Request(options, request)
    return serving.begin(functools.partial(make, app, request, **kwargs))


class _Entry(RequestEntry):
    """The entry of one of Tornado's requests."""

    __slots__ = ("_serving",)

    def __init__(
        self,
        options: RequestOptions,
        request: httputil.HTTPServerRequest,
        serving: _Request,
    ) -> None:
        super().__init__(
            options,
            request.method or "",
            request.path or "",
            request.remote_ip,
            options.headers.of_pairs(request.headers.get_all()),
        )
        self._serving = serving

    def user_reader(self) -> Callable[[], object]:
        return self._serving.read_user

    def read_parameters(self) -> tuple[object, ...]:
        return self._serving.read_parameters()


class _Request:
    """One request, from the making of its handler until that has ended."""

    def __init__(
        self, options: RequestOptions, request: httputil.HTTPServerRequest
    ) -> None:
        self._handler: Any = None
        self._user = options.user or _current_user
        self._finished: asyncio.Future[None] | None = None
        self._entry = _Entry(options, request, self)
        self._connection(request.connection)

    def _connection(self, connection: Any) -> None:
        """Put the id on what is written, and see a client that leaves."""
        entry = self._entry
        write_headers = connection.write_headers
        set_close_callback = connection.set_close_callback

        def with_id(start: Any, headers: httputil.HTTPHeaders, *rest: Any) -> Any:
            entry.echo(headers)
            # The stream's callbacks in the event loop are not the request's.
            with lent():
                return write_headers(start, headers, *rest)

        def closing(callback: Callable[[], None] | None) -> None:
            def closed() -> None:
                if entry.pending:
                    entry.details["disconnected"] = True
                if callback is not None:
                    entry.step(callback)
                self._finish()

            set_close_callback(None if callback is None else closed)

        connection.write_headers = with_id
        connection.set_close_callback = closing
        for name in ("write", "finish"):
            setattr(connection, name, _lending(getattr(connection, name)))

    def begin(self, make: Callable[[], web.RequestHandler]) -> Any:
        """Make the handler, whose parts will run in the store."""
        try:
            handler: Any = self._entry.step(make)
        except BaseException as error:
            self._entry.end(error)
            raise
        self._handler = handler
        execute, data_received = handler._execute, handler.data_received

        async def in_store(*args: Any, **kwargs: Any) -> None:
            with self._entry:
                await execute(*args, **kwargs)
                if not (handler._auto_finish or handler._finished):
                    # It ends when the application calls its `finish()`.
                    self._finished = asyncio.get_running_loop().create_future()
                    await self._finished
            # Else they would refer to each other until garbage is collected.
            self._handler = None
            for name in ("_execute", "data_received", _SERVING):
                delattr(handler, name)

        handler._execute = in_store
        handler.data_received = functools.partial(self._entry.run, data_received)
        setattr(handler, _SERVING, Kept(self))
        return handler

    def answered(self) -> None:
        """Note that the response is complete, or the websocket open."""
        entry = self._entry
        handler = self._handler
        if handler is not None:
            entry.note_status(handler.get_status())
            entry.bind_user()
        if entry.status == 101:
            return
        entry.answered()
        # Tornado answers a failure while it handles it.
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and (entry.status or 0) >= 500:
            entry.details["error"] = type(error).__name__
        self._finish()

    def _finish(self) -> None:
        if self._finished is not None and not self._finished.done():
            self._finished.set_result(None)

    def read_parameters(self) -> tuple[object, ...]:
        """Return the values that Tornado found in the path."""
        handler = self._handler
        if handler is None:
            return ()
        return (*handler.path_args, *handler.path_kwargs.values())

    def read_user(self) -> object:
        """Return the user that the handler knows."""
        return None if self._handler is None else self._user(self._handler)


def _lending(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def lending(*args: Any, **kwargs: Any) -> Any:
        with lent():
            return write(*args, **kwargs)

    return lending


def _current_user(handler: web.RequestHandler) -> object:
    """Return what `current_user` holds, if the request has asked for it."""
    user = vars(handler).get("_current_user")
    if isinstance(user, bytes):
        user = user.decode("utf-8", "replace")
    return {"id": user} if isinstance(user, (str, int)) and user != "" else user or None
