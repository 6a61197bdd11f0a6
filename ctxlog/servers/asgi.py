"""
ASGI servers and applications: Starlette, FastAPI, Litestar, Quart, Django. Adapter.

Speaks the protocol itself (ASGI 3.0, https://asgi.readthedocs.io/) and imports no
framework, only core.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, TypeAlias

from ctxlog._names import get_names
from ctxlog.carrier.ids import is_valid_request_id
from ctxlog.carrier.trace_context import TRACE_HEADERS
from ctxlog.context import detached
from ctxlog.context.adapter import lent
from ctxlog.servers._request import EXPOSE, Exchange, RequestOptions, Trust

__all__ = ["ContextMiddleware", "install", "uninstall"]

_Scope: TypeAlias = MutableMapping[str, Any]
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_log = logging.getLogger("ctxlog")

_MARK = "ctxlog.exchange"
_EXPOSE = EXPOSE.lower().encode()


class ContextMiddleware:
    """
    Give every request and websocket a store of its own, and a completion line.

    Trusted is the request id header only, from the clients that *trust* names, and only
    a valid id; anything else is replaced by a new one and never logged. The id is
    echoed on the response.

    Wrap the application with it: `app = ContextMiddleware(app)`. For Starlette, FastAPI
    and Litestar use `install(app)`: added with `app.add_middleware()` it does not see
    the framework's own 500, which is sent outside of every added middleware and so has
    no id. Inside another one of its kind it does nothing.

    The store is fresh for every request, also on a keep-alive connection, and closed
    when the application returns: after its background tasks. Lines logged later by what
    the request started are marked as late.

    An exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. If nothing has been answered by then and no
    framework is around to do it, the middleware answers 500.

    Args:
        app: The application to wrap.
        request_id_header: Header of the id, in requests and responses.
        accept_headers: Further headers to take an id from, in this order.
        trust: Whose ids are used: True for everybody's, False for nobody's, networks
            such as `10.0.0.0/8`, or a callable that gets the client's address or None.
        generator: Makes a new id; 32 hexadecimal digits unless given.
        validator: Whether an id that came in may be used: at most 128 characters of
            `A-Za-z0-9._~:/+=@-` unless given; None for any that fits into a header.
        user: Called with the ASGI scope when the request has ended; returns the user
            to bind, or None. Without it Starlette's `scope["user"]` is taken.
        ignore_paths: Paths without a completion line: as they are, or with `*`.
        completion_line: Whether to log a line when a request has ended.
        expose_header: Whether scripts of other origins may read the id, by
            `Access-Control-Expose-Headers` on every response.

    Raises:
        ConfigError: an option has a value that it cannot have.
    """

    def __init__(
        self,
        app: _App,
        *,
        request_id_header: str = "X-Request-ID",
        accept_headers: Iterable[str] = ("X-Correlation-ID",),
        trust: Trust = True,
        generator: Callable[[], str] | None = None,
        validator: Callable[[str], bool] | None = is_valid_request_id,
        user: Callable[[_Scope], object] | None = None,
        ignore_paths: Iterable[str] = (),
        completion_line: bool = True,
        expose_header: bool = False,
    ) -> None:
        self.app = app
        self._options = RequestOptions(
            request_id_header=request_id_header,
            accept_headers=accept_headers,
            trust=trust,
            generator=generator,
            validator=validator,
            user=user,
            ignore_paths=ignore_paths,
            completion_line=completion_line,
            expose_header=expose_header,
        )
        names = (*self._options.accepted, *TRACE_HEADERS)
        self._wanted = {name.encode(): name for name in names}

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one connection (ASGI 3.0)."""
        await self.serve(self.app, scope, receive, send)

    async def serve(
        self, app: _App, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        """Serve one connection by *app*, whatever this one was made with."""
        kind = scope["type"]
        if _MARK in scope or kind not in ("http", "websocket", "lifespan"):
            await app(scope, receive, send)
        elif kind == "lifespan":
            # What starts here outlives every request.
            with detached():
                await app(scope, receive, send)
        else:
            await self._serve(app, scope, receive, send)

    def _read(self, headers: Iterable[tuple[bytes, bytes]]) -> dict[str, list[str]]:
        """Collect the values of those headers that are read at all, in one pass."""
        found: dict[str, list[str]] = defaultdict(list)
        wanted = self._wanted
        for key, value in headers:
            name = wanted.get(bytes(key).lower())
            if name is not None:
                found[name].append(bytes(value).decode("latin-1"))
        return found

    async def _serve(
        self, app: _App, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        read_user = self._options.user or _starlette_user
        client = scope.get("client")
        exchange = Exchange(
            self._options,
            method=scope.get("method", "GET"),
            path=scope["path"],
            client=client[0] if client else None,
            values=self._read(scope.get("headers") or ()).__getitem__,
            user_of=functools.partial(read_user, scope),
        )
        exchange.parameters = functools.partial(_path_parameters, scope)
        in_framework = "app" in scope
        # Not the exchange, which knows the scope: that would be a cycle, and every
        # request would wait for the garbage collector.
        scope[_MARK] = True
        # Websockets are told apart by the messages' types.
        responding = _Responding(exchange, receive, send)
        with exchange:
            try:
                await app(scope, responding.receive, responding.send)
            except Exception:
                if exchange.status is None and not in_framework:
                    await responding.fail(scope["type"])
                raise
            if exchange.status is None and not exchange.details.get("disconnected"):
                # The server would say so when the request is over, without its id.
                _log.error("the application returned without starting a response")
                await responding.fail(scope["type"])


class _Responding:
    """The server's two callables, as the application gets them."""

    __slots__ = ("_ending", "_exchange", "_receive", "_send")

    def __init__(self, exchange: Exchange, receive: _Receive, send: _Send) -> None:
        self._exchange = exchange
        self._receive = receive
        self._send = send
        # Whether the last part of the response has been handed to the server. Some
        # close the connection, and say so, before that returns (hypercorn, where the
        # client wants it closed).
        self._ending = False

    async def receive(self) -> _Message:
        # The transport keeps the context that is active when it resumes reading, and
        # would report later garbage on the connection in it.
        with detached():
            message = await self._receive()
        if message["type"] == "http.disconnect":
            if not self._ending:
                self._exchange.details["disconnected"] = True
        elif message["type"] == "websocket.disconnect":
            self._exchange.details[get_names().close_code] = message.get("code", 1005)
        return message

    async def send(self, message: _Message) -> None:
        kind = message["type"]
        exchange = self._exchange
        last = False
        if kind in ("http.response.start", "websocket.http.response.start"):
            exchange.status = message["status"]
            message = self._with_id(message)
        elif kind == "websocket.accept":
            exchange.status = 101
            message = self._with_id(message)
        elif kind == "websocket.close":
            if exchange.status is None:
                exchange.status = 403  # the server refuses the handshake with it
            exchange.details[get_names().close_code] = message.get("code", 1000)
        elif kind in ("http.response.body", "websocket.http.response.body"):
            last = not message.get("more_body", False)
        elif kind in ("http.response.pathsend", "http.response.zerocopysend"):
            last = not message.get("more_body", False)
        self._ending = self._ending or last
        # The server's access line is the request's; what the transport registers is
        # not, nor is the next request on the connection, which may start in here.
        with lent():
            await self._send(message)
        if last:
            exchange.answered()

    def _with_id(self, message: _Message) -> _Message:
        request_id = self._exchange.request_id
        if not request_id:
            return message
        name = self._exchange.header_bytes
        length = len(name)
        headers = [
            (key, value)
            for key, value in message.get("headers") or ()
            if len(key) != length or bytes(key).lower() != name
        ]
        headers.append((name, request_id.encode()))
        if self._exchange.exposes:
            headers = self._exposing(headers)
        return {**message, "headers": headers}

    def _exposing(
        self, headers: list[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        given: list[str] = []
        kept: list[tuple[bytes, bytes]] = []
        for key, value in headers:
            if bytes(key).lower() == _EXPOSE:
                given.append(bytes(value).decode("latin-1"))
            else:
                kept.append((key, value))
        kept.append((_EXPOSE, self._exchange.exposed(given).encode("latin-1")))
        return kept

    async def fail(self, kind: str) -> None:
        if kind == "websocket":
            return  # the server closes the connection as its protocol wants it
        start = {
            "type": "http.response.start",
            "status": 500,
            "headers": [
                (b"content-type", b"text/plain; charset=utf-8"),
                (b"content-length", b"21"),
                (b"connection", b"close"),
            ],
        }
        await self.send(start)
        await self.send(
            {"type": "http.response.body", "body": b"Internal Server Error"}
        )


def _path_parameters(scope: _Scope) -> Iterable[object]:
    """Return what Starlette, FastAPI and Litestar have found in the path."""
    found = scope.get("path_params")
    return found.values() if isinstance(found, dict) else ()


def _starlette_user(scope: _Scope) -> object:
    """Return what Starlette's AuthenticationMiddleware found out, if it did."""
    user = scope.get("user")
    if not getattr(user, "is_authenticated", False):
        return None
    found = {}
    for key, attribute in (("id", "identity"), ("name", "display_name")):
        try:
            value = getattr(user, attribute, None)
        except NotImplementedError:  # Starlette's BaseUser leaves both to subclasses
            continue
        if isinstance(value, (str, int)) and value != "":
            found[key] = value
    return found or None


def install(app: Any, **options: Any) -> None:
    """
    Put a `ContextMiddleware` around a Starlette, FastAPI or Litestar application.

    Outside of every middleware that is or will be added, of tracers' among them, and
    outside of the framework's own error handling: its 404 and its 500 have the
    request's id too, and the application's own handler for 500 keeps its say. The
    object stays what it was, for the framework's own commands and for tracers: it is
    given a subclass of its class. Calling it again is a no-op; it lasts until
    `uninstall(app)`.

    Args:
        app: The application: an object of any class with `async def __call__`.
        options: Those of `ContextMiddleware`.

    Raises:
        TypeError: *app* is not such an object.
        ConfigError: an option has a value that it cannot have.
    """
    kind = type(app)
    wrong = (
        "install() takes an object of Starlette, FastAPI, Litestar or the like, not "
        f"{app!r}; wrap any other with ContextMiddleware(app)"
    )
    if not inspect.iscoroutinefunction(getattr(kind, _CALL, None)):
        raise TypeError(wrong)
    if any(vars(one).get(_MIDDLEWARE) is not None for one in kind.__mro__):
        return
    around = _around(kind, ContextMiddleware(app, **options))
    try:
        app.__class__ = around
    except TypeError:  # of a class in C
        raise TypeError(wrong) from None


def uninstall(app: Any) -> None:
    """Take the middleware away that `install(app)` put around; without one, nothing."""
    kind = type(app)
    for one in kind.__mro__:
        if vars(one).get(_MIDDLEWARE) is None:
            continue
        if one is kind:
            app.__class__ = kind.__base__
        else:  # another library has done the same since
            setattr(one, _MIDDLEWARE, None)


_CALL = "__call__"
_MIDDLEWARE = "_ctxlog_middleware"


def _around(kind: Any, middleware: ContextMiddleware) -> Any:
    """Return a class for one application of *kind*, whose calls are in the store."""

    async def serve(self: Any, scope: _Scope, receive: _Receive, send: _Send) -> None:
        app: _App = getattr(super(made, self), _CALL)
        middleware: ContextMiddleware | None = getattr(made, _MIDDLEWARE)
        if middleware is None:
            await app(scope, receive, send)
        else:
            await middleware.serve(app, scope, receive, send)

    make: Any = type(kind)
    names = ("__module__", "__qualname__", "__doc__")
    members = {name: getattr(kind, name) for name in names}
    members |= {"__slots__": (), _CALL: serve, _MIDDLEWARE: middleware}
    made = make(kind.__name__, (kind,), members)
    return made
