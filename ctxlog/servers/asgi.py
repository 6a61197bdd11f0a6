"""
ASGI servers and applications: Starlette, FastAPI, Litestar, Quart, Falcon. Adapter.

Speaks the protocol itself (ASGI 3.0, https://asgi.readthedocs.io/) and imports no
framework. `ContextMiddleware` opens a `_Request` and calls the application with the
`receive` and `send` of that.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ctxlog import _endings
from ctxlog._names import get_names
from ctxlog.context import detached
from ctxlog.context.adapter import lent
from ctxlog.servers._frameworks import follow_routes
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import EXPOSE, RequestEntry
from ctxlog.servers._subclass import (
    middleware_class,
    middleware_of,
    put_middleware,
    take_middleware,
)

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["ContextMiddleware", "install", "uninstall"]

_Scope: TypeAlias = MutableMapping[str, Any]
_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]
_App: TypeAlias = Callable[[_Scope, _Receive, _Send], Awaitable[None]]
_Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

_log = logging.getLogger("ctxlog")

_MARK = "ctxlog.entry"

#: The messages that begin a response.
_START = frozenset({"http.response.start", "websocket.http.response.start"})

#: The messages that may be the last of a response.
_BODY = frozenset(
    {
        "http.response.body",
        "http.response.pathsend",
        "http.response.zerocopysend",
        "websocket.http.response.body",
    }
)

#: Those of them that name a file instead of bringing its bytes.
_FILES = frozenset({"http.response.pathsend", "http.response.zerocopysend"})


class ContextMiddleware:
    """
    Give every request and websocket a store of its own, and a completion line.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged. The id is echoed on the response.

    Wrap the application with it: `app = ContextMiddleware(app)`. For Starlette, FastAPI
    and Litestar use `install(app)`: added with `app.add_middleware()` it does not see
    the framework's own 500, which is sent outside of every added middleware and so has
    no id. Inside another `ContextMiddleware` it is a no-op.

    The store is fresh for every request, also on a keep-alive connection, and closed
    when the application returns: after its background tasks. Lines logged later by what
    the request started are marked as late. When the application has shut down, as its
    lifespan says, sinks ship what they hold before the server is told.

    An exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. If nothing has been answered by then and no
    framework is around to do it, the middleware answers 500.

    Args:
        app: The application to wrap.
        request_id_header: The header of the id, in requests and responses; by default
            `X-Request-ID`.
        accept_headers: Further headers to take an id from, in this order; by default
            `X-Correlation-ID`.
        trust: Whose ids are used: True (the default) for those of all clients, False
            for those of none, networks such as `10.0.0.0/8`, or a callable that gets
            the client's address or None.
        generator: Makes a new id; by default 32 hexadecimal digits.
        validator: Decides if an id from a client is used; by default, if it has at most
            128 characters of `A-Za-z0-9._~:/+=@-`. None for every id that fits into a
            header.
        user: Called with the ASGI scope when the request has ended; returns the user
            to bind, or None. Without it Starlette's `scope["user"]` is bound.
        ignore_paths: Paths without a completion line; `*` stands for any characters.
        completion_line: Log a line when a request has ended; by default True.
        completion_fields: Which further fields that line has, of `query`, `userAgent`,
            `referer`, `host`, `scheme`, `httpVersion`, `bytesIn`, `bytesOut`, `ttfbMs`,
            `header:NAME` and `responseHeader:NAME`; by default `bytesOut`.
        completion: Called with the `ctxlog.completion.Completed` request; returns
            further fields of that line, None for none, or False for no line.
        completion_level: Called with the same; returns the line's level, as a number or
            a name, or None for the usual one.
        slow: From this duration on, in seconds, the line says `slow` and is at least a
            warning.
        expose_header: Let scripts of other origins read the id: the header is named in
            `Access-Control-Expose-Headers` on every response. By default False.
        level: Called with the ASGI scope when the request begins; returns the level of
            its lines, as a number or a name, or None for the usual one.
        debug_header: A header by which a request has the level DEBUG, if its value is
            *debug_token*; *level* is not asked then. No line ever shows the header.
        debug_token: The value, a secret of 16 to 256 printable ASCII characters. It is
            compared in constant time, whatever *trust* says.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, app: _App, **options: Unpack[ServerOptions]) -> None:
        self.app = app
        self._options = RequestOptions(**options)
        follow_routes()

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Serve one connection (ASGI 3.0)."""
        await self.serve(self.app, scope, receive, send)

    async def serve(
        self, app: _App, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        """Serve one connection by *app* instead of the application that was wrapped."""
        kind = scope["type"]
        if _MARK in scope or kind not in ("http", "websocket", "lifespan"):
            await app(scope, receive, send)
            return
        if kind == "lifespan":
            follow_routes()  # the application may have imported a framework since
            # Tasks that start here outlive every request.
            with detached():
                await app(scope, receive, functools.partial(_send_lifespan, send))
            return
        request = _Request(self._options, scope, receive, send)
        in_framework = "app" in scope
        # Not the request, which knows the scope: that would be a cycle, and every
        # request would wait for the garbage collector.
        scope[_MARK] = True
        with request:
            try:
                await app(scope, request.receive, request.send)
            except Exception:
                # The application raises anything. It is answered and raised again.
                if request.status is None and not in_framework:
                    await request.fail()
                raise
            if request.status is None and not request.details.get("disconnected"):
                # The server would say so when the request is over, without its id.
                _log.error("the application returned without starting a response")
                await request.fail()


async def _send_lifespan(send: _Send, message: _Message) -> None:
    # The application has shut down. The server may end the process once it knows.
    if message["type"].startswith("lifespan.shutdown."):
        _endings.end()
    await send(message)


class _Request(RequestEntry):
    """
    One connection, with the server's `receive` and `send` as the application gets them.
    """

    __slots__ = ("_ending", "_receive", "_scope", "_send")

    def __init__(
        self, options: RequestOptions, scope: _Scope, receive: _Receive, send: _Send
    ) -> None:
        client = scope.get("client")
        RequestEntry.__init__(
            self,
            options,
            scope.get("method", "GET"),
            scope["path"],
            client[0] if client else None,
            options.headers.of_pairs(scope.get("headers") or ()),
            source=scope,
        )
        self._scope = scope
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
        if message["type"] == "http.request":
            body = message.get("body", b"")
            size = len(body) if type(body) is bytes else _size(body)
            self.bytes_in = (self.bytes_in or 0) + size
        elif message["type"] == "http.disconnect":
            if not self._ending:
                self.details["disconnected"] = True
        elif message["type"] == "websocket.disconnect":
            self.details[get_names().close_code] = message.get("code", 1005)
        return message

    async def send(self, message: _Message) -> None:
        kind = message["type"]
        last = False
        if kind in _START:
            self.note_status(message["status"])
            message = self._with_id(message)
            self.response_headers = message.get("headers")
            self.bytes_out = 0
        elif kind in _BODY:
            if self.bytes_out is not None and self.method != "HEAD":
                if kind in _FILES:  # the server reads it
                    self.bytes_out = self.content_length()
                else:
                    body = message.get("body", b"")
                    self.bytes_out += len(body) if type(body) is bytes else _size(body)
            last = not message.get("more_body", False)
            self._ending = self._ending or last
        elif kind == "websocket.accept":
            self.note_status(101)
            message = self._with_id(message)
            self.response_headers = message.get("headers")
        elif kind == "websocket.close":
            if self.status is None:
                self.note_status(403)  # the server refuses the handshake with it
            self.details[get_names().close_code] = message.get("code", 1000)
        # The server's access line is the request's; what the transport registers is
        # not, nor is the next request on the connection, which may start in here.
        block = lent()
        try:
            block.open()
            await self._send(message)
        finally:
            block.close()
        if last:
            self.answered()

    def _with_id(self, message: _Message) -> _Message:
        request_id = self.echoed_id()
        if not request_id:
            return message
        options = self.options
        name = options.header_bytes
        headers = _without(name, message.get("headers") or ())
        headers.append((name, request_id.encode()))
        if options.expose_header:
            expose = EXPOSE.lower().encode()
            given = [
                bytes(v).decode("latin-1") for k, v in headers if k.lower() == expose
            ]
            headers = _without(expose, headers)
            headers.append((expose, options.exposed(given).encode("latin-1")))
        return {**message, "headers": headers}

    async def fail(self) -> None:
        """Answer 500, with the id, for an application that has not answered."""
        if self._scope["type"] == "websocket":
            return  # the server closes the connection as its protocol wants it
        body = b"Internal Server Error"
        headers = [
            (b"content-type", b"text/plain; charset=utf-8"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        start = {"type": "http.response.start", "status": 500, "headers": headers}
        await self.send(start)
        await self.send({"type": "http.response.body", "body": body})

    def read_headers(self) -> _Headers:
        return self._scope.get("headers") or ()

    def read_query(self) -> str:
        query = self._scope.get("query_string") or b""
        return query if isinstance(query, str) else bytes(query).decode("latin-1")

    def read_scheme(self) -> str | None:
        return self._scope.get("scheme")

    def read_http_version(self) -> str | None:
        return self._scope.get("http_version")

    def read_request(self) -> object:
        return self._scope

    def user_reader(self) -> Callable[[], object] | None:
        scope = self._scope
        return self._reader_of(scope, _starlette_user if "user" in scope else None)

    def read_parameters(self) -> Collection[object]:
        # Of Starlette, FastAPI and Litestar.
        found = self._scope.get("path_params")
        return found.values() if isinstance(found, dict) else ()


def _size(body: object) -> int:
    """Return the size of a body of another type than most have."""
    if isinstance(body, (bytes, bytearray)):
        return len(body)
    # Of anything else the server says what is wrong with it.
    return body.nbytes if isinstance(body, memoryview) else 0


def _without(name: bytes, headers: _Headers) -> list[tuple[bytes, bytes]]:
    length = len(name)
    kept = []
    for key, value in headers:
        if len(key) != length or bytes(key).lower() != name:
            kept.append((key, value))
    return kept


def _starlette_user(scope: _Scope) -> object:
    """Return the user that Starlette's AuthenticationMiddleware found, if any."""
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


def install(app: Any, **options: Unpack[ServerOptions]) -> None:
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
        options: The options of `ContextMiddleware`.

    Raises:
        TypeError: if *app* is not such an object, or is an application of Sanic, whose
            own server never calls it: use `ctxlog.servers.sanic.install`.
        ConfigError: if an option is invalid.
    """
    kind = type(app)
    if any(
        f"{one.__module__}.{one.__name__}" == "sanic.app.Sanic" for one in kind.__mro__
    ):
        raise TypeError(f"use ctxlog.servers.sanic.install() for {app!r}")
    wrong = (
        "install() takes an object of Starlette, FastAPI, Litestar or the like, not "
        f"{app!r}; wrap any other with ContextMiddleware(app)"
    )
    if not inspect.iscoroutinefunction(getattr(kind, "__call__", None)):  # noqa: B004
        raise TypeError(wrong)
    middleware = ContextMiddleware(app, **options)
    try:
        put_middleware(app, middleware, _make_call)
    except TypeError:  # of a class in C
        raise TypeError(wrong) from None


def _is_installed(app: object) -> bool:
    """Return whether an application has the middleware: put on it, or around it."""
    around = isinstance(app, ContextMiddleware)
    return around or middleware_of(middleware_class(type(app))) is not None


def uninstall(app: Any) -> None:
    """Take away the middleware of `install(app)`. Without it, a no-op."""
    take_middleware(app)


def _make_call(owner: Any) -> Callable[..., Awaitable[None]]:
    """Return the `__call__` of applications that `install()` is called for."""

    async def call(self: Any, scope: _Scope, receive: _Receive, send: _Send) -> None:
        app: _App = super(owner, self).__call__
        middleware = middleware_of(owner)
        if middleware is None:
            await app(scope, receive, send)
        else:
            await middleware.serve(app, scope, receive, send)

    return call
