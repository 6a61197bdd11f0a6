"""
Tornado applications (`tornado.web`). Adapter: imports Tornado and core.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ctxlog._kept import Kept
from ctxlog.context.adapter import lent
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry

with requires("tornado"):
    from tornado import httputil, routing, web

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
            `RequestHandler`, which a completed request has as `request`. Without it
            `current_user` is bound if the request has asked for it. `level` is called
            with the `HTTPServerRequest`, since no handler has been made yet.

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
    rules = _Rules(app)

    @functools.wraps(delegate)
    def get_handler_delegate(
        request: Any, target: Any, target_kwargs: Any = None, *args: Any, **more: Any
    ) -> Any:
        made: Any = delegate(request, target, target_kwargs, *args, **more)
        route = rules.pattern(request, target, target_kwargs)
        # Where it would make the handler; whether that streams its body is decided.
        make = functools.partial(_make, checked, route, made.handler_class)
        made.handler_class = make
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


def _is_installed(app: object) -> bool | None:
    """Return whether an application has the adapter; None for other objects."""
    if not isinstance(app, web.Application):
        return None
    return hasattr(app, _INSTALLED)


class _Rules:
    """
    The rules of an application, by what they lead to.

    Tornado does not tell which of them has matched. What it makes says it, unless
    several rules lead there; then those are asked again.

    Args:
        app: The application.
    """

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._chains: dict[Any, list[tuple[routing.Rule, ...]]] = {}
        self._routers: list[tuple[routing.RuleRouter, int]] = []

    def pattern(self, request: Any, target: object, target_kwargs: Any) -> str | None:
        """
        Return the pattern by which a request has come to a class; None for a 404.

        Args:
            request: The request.
            target: The class.
            target_kwargs: The arguments for it, as the rule has them.
        """
        if any(len(router.rules) != count for router, count in self._routers):
            self._chains = {}
        if not self._chains:
            self._routers = []
            for chain in self._walk(self._app.default_router, ()):
                self._chains.setdefault(chain[-1].target, []).append(chain)
        found = [
            chain
            for chain in self._chains.get(target, ())
            if (chain[-1].target_kwargs or None) is target_kwargs
        ]
        if len(found) > 1:
            found = [chain for chain in found if _matches(chain, request)]
        return _pattern(found[0]) if found else None

    def _walk(
        self, router: routing.RuleRouter, around: tuple[routing.Rule, ...]
    ) -> Iterator[tuple[routing.Rule, ...]]:
        self._routers.append((router, len(router.rules)))
        for rule in router.rules:
            if isinstance(rule.target, routing.RuleRouter):
                yield from self._walk(rule.target, (*around, rule))
            elif isinstance(rule.target, type):
                yield (*around, rule)


def _matches(chain: Iterable[routing.Rule], request: Any) -> bool:
    return all(rule.matcher.match(request) is not None for rule in chain)


def _pattern(chain: tuple[routing.Rule, ...]) -> str | None:
    """Return the pattern of the innermost rule that looks at the path."""
    for rule in reversed(chain):
        regex = getattr(rule.matcher, "regex", None)
        pattern = getattr(regex, "pattern", None)
        if isinstance(pattern, str):
            # Tornado adds the end of a pattern that has none.
            return pattern if pattern.endswith("\\$") else pattern.removesuffix("$")
    return None


def _make(
    options: RequestOptions,
    route: str | None,
    make: Callable[..., web.RequestHandler],
    app: web.Application,
    request: httputil.HTTPServerRequest,
    **kwargs: Any,
) -> Any:
    """Make the handler of a request, as its own class would."""
    serving = _Request(options, request, route)
    return serving.begin(functools.partial(make, app, request, **kwargs))


class _Entry(RequestEntry):
    """The entry of one of Tornado's requests."""

    __slots__ = ("_serving",)

    def __init__(
        self,
        options: RequestOptions,
        request: httputil.HTTPServerRequest,
        serving: _Request,
        route: str | None,
    ) -> None:
        super().__init__(
            options,
            request.method or "",
            request.path or "",
            request.remote_ip,
            options.headers.of_pairs(request.headers.get_all()),
            route=route,
            source=request,
        )
        self._serving: Any = serving
        if request.body:  # a handler that streams it has none
            self.bytes_in = len(request.body)

    def user_reader(self) -> Callable[[], object]:
        read: Callable[[], object] = self._serving.read_user
        return read

    def read_parameters(self) -> tuple[object, ...]:
        found: tuple[object, ...] = self._serving.read_parameters()
        return found

    def read_headers(self) -> Iterable[tuple[str, str]]:
        pairs: Iterable[tuple[str, str]] = self._serving.request.headers.get_all()
        return pairs

    def read_query(self) -> str:
        return str(self._serving.request.query or "")

    def read_scheme(self) -> str:
        return str(self._serving.request.protocol)

    def read_http_version(self) -> str:
        return str(self._serving.request.version).removeprefix("HTTP/")

    def read_request(self) -> object:
        handler: object = self._serving.handler
        return handler


class _Request:
    """
    One request, from the making of its handler until that has ended.

    Attributes:
        handler: Its handler, while there is one.
        request: Tornado's request.
    """

    def __init__(
        self,
        options: RequestOptions,
        request: httputil.HTTPServerRequest,
        route: str | None,
    ) -> None:
        self.handler: Any = None
        self.request: Any = request
        self._release: Any = None
        self._user = options.user or _current_user
        self._finished: asyncio.Future[None] | None = None
        self._entry = _Entry(options, request, self, route)
        self._connection(request.connection)

    def _connection(self, connection: Any) -> None:
        """Put the id on what is written, and see a client that leaves."""
        entry = self._entry
        write_headers = connection.write_headers
        set_close_callback = connection.set_close_callback

        def with_id(
            start: Any, headers: httputil.HTTPHeaders, chunk: Any = None
        ) -> Any:
            entry.note_status(start.code)
            entry.echo(headers)
            if start.code != 101:
                entry.bytes_out = len(chunk or b"")
            # The stream's callbacks in the event loop are not the request's.
            with lent():
                return write_headers(start, headers, chunk)

        def closing(callback: Callable[[], None] | None) -> None:
            def closed() -> None:
                if entry.pending:
                    entry.details["disconnected"] = True
                if callback is not None:
                    entry.step(callback)
                self._finish()

            set_close_callback(None if callback is None else closed)

        write, finish = connection.write, connection.finish

        def counted(chunk: bytes) -> Any:
            entry.bytes_out = (entry.bytes_out or 0) + len(chunk)
            with lent():
                return write(chunk)

        @functools.wraps(finish)
        def lending() -> None:
            with lent():
                finish()

        replaced: dict[str, Any] = {
            "write_headers": with_id,
            "set_close_callback": closing,
            "write": counted,
            "finish": lending,
        }
        vars(connection).update(replaced)

        def release() -> None:
            # Else they would refer to each other until garbage is collected.
            own = vars(connection)
            for name, value in replaced.items():
                if own.get(name) is value:
                    del own[name]

        self._release = release

    def begin(self, make: Callable[[], web.RequestHandler]) -> Any:
        """Make the handler, whose parts will run in the store."""
        try:
            handler: Any = self._entry.step(make)
        except BaseException as error:
            self._entry.end(error)
            raise
        self.handler = handler
        execute, data_received = handler._execute, handler.data_received

        async def in_store(*args: Any, **kwargs: Any) -> None:
            with self._entry:
                await execute(*args, **kwargs)
                if not (handler._auto_finish or handler._finished):
                    # It ends when the application calls its `finish()`.
                    self._finished = asyncio.get_running_loop().create_future()
                    await self._finished
            self._release()
            self.handler = self.request = self._release = self._entry._serving = None
            for name in ("_execute", "data_received", _SERVING):
                delattr(handler, name)

        handler._execute = in_store
        handler.data_received = functools.partial(self._entry.run, data_received)
        setattr(handler, _SERVING, Kept(self))
        return handler

    def answered(self) -> None:
        """Note that the response is complete, or the websocket open."""
        entry = self._entry
        handler = self.handler
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
        handler = self.handler
        if handler is None:
            return ()
        return (*handler.path_args, *handler.path_kwargs.values())

    def read_user(self) -> object:
        """Return the user that the handler knows."""
        return None if self.handler is None else self._user(self.handler)


def _current_user(handler: web.RequestHandler) -> object:
    """Return what `current_user` holds, if the request has asked for it."""
    user = vars(handler).get("_current_user")
    if isinstance(user, bytes):
        user = user.decode("utf-8", "replace")
    return {"id": user} if isinstance(user, (str, int)) and user != "" else user or None
