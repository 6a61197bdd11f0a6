"""
The WSGI middleware, for the adapters of this folder.

Speaks the protocol itself (PEP 3333) and imports core only.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, TypeAlias

from ctxlog._interrupts import is_interrupt
from ctxlog._kept import Kept
from ctxlog.carrier.ids import is_valid_request_id
from ctxlog.context.bodies import apart
from ctxlog.servers._request import EXPOSE, Exchange, RequestOptions, Trust
from ctxlog.servers._wsgi_errors import ErrorStream, report, reports_itself

_Environ: TypeAlias = MutableMapping[str, Any]
_StartResponse: TypeAlias = Callable[..., Any]
_App: TypeAlias = Callable[[Any, Any], Iterable[bytes]]

_MARK = "ctxlog.store"
_ERRORS = "wsgi.errors"
_EXPOSE = EXPOSE.lower()

#: Set by what is around us and shows an error itself, as werkzeug's debugger does.
_ERRORS_WANTED = (
    "werkzeug.debug.preserve_context",
    "x-wsgiorg.throw_errors",
    "paste.throw_errors",
)

_END: Any = object()


class ContextMiddleware:
    """
    Give every request a store of its own, and a completion line.

    Trusted is the request id header only, from the clients that *trust* names, and
    only a valid id; anything else is replaced by a new one and never logged. The id is
    echoed on the response.

    Wrap the application with it, outside of everything else:
    `app = ContextMiddleware(app)`. Inside another one of its kind it does nothing.

    The store is fresh for every request and active while the application runs: in its
    call, in each step of its body, and in the body's `close()`. In between, and after
    it, the server's thread has none. The completion line comes with `close()`; its
    duration ends with the body.

    What the application writes to `wsgi.errors` becomes lines of the request: some
    frameworks report exceptions there, past logging.

    An exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. Where the server only prints it (`wsgiref`), the
    middleware logs it. If nothing has been sent by then, the middleware
    answers 500, with the id, unless a debugger around it wants to. Servers close the
    connection then.

    Args:
        app: The application to wrap.
        request_id_header: Header of the id, in requests and responses.
        accept_headers: Further headers to take an id from, in this order.
        trust: Whose ids are used: True for everybody's, False for nobody's, networks
            such as `10.0.0.0/8`, or a callable that gets the client's address or None.
        generator: Makes a new id; 32 hexadecimal digits unless given.
        validator: Whether an id that came in may be used: at most 128 characters of
            `A-Za-z0-9._~:/+=@-` unless given; None for any that fits into a header.
        user: Called with the WSGI environment when the request has ended; returns the
            user to bind, or None. Without it `REMOTE_USER` is taken.
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
        user: Callable[[_Environ], object] | None = None,
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

    def __call__(
        self, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        return self.serve(self.app, environ, start_response)

    def serve(
        self, app: _App, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Serve one request by *app*, whatever this one was made with."""
        around = environ.get(_MARK)
        if around is not None and not around.take().closed:
            return app(environ, start_response)
        read_user = self._options.user or _remote_user
        exchange = Exchange(
            self._options,
            method=environ.get("REQUEST_METHOD", "GET"),
            path=_path(environ),
            client=environ.get("REMOTE_ADDR") or None,
            values=functools.partial(_header_values, environ),
            user_of=functools.partial(read_user, environ),
        )
        # Not the exchange: it refers to the environment.
        environ[_MARK] = Kept(exchange.store)
        stream = environ.get(_ERRORS)
        if stream is not None:
            environ[_ERRORS] = errors = ErrorStream(stream, exchange.store)
            exchange.ending = errors.end
        return _Responding(exchange, environ, start_response).respond(app)


class _Responding:
    """The server's `start_response`, as the application gets it."""

    __slots__ = ("_environ", "_exchange", "_server_starts", "_started", "is_head")

    def __init__(
        self, exchange: Exchange, environ: _Environ, start_response: _StartResponse
    ) -> None:
        self._exchange = exchange
        self._environ = environ
        self._server_starts = start_response
        self._started = False
        self.is_head = exchange.method == "HEAD"

    def respond(self, app: _App) -> Iterable[bytes]:
        exchange, environ = self._exchange, self._environ
        try:
            result = exchange.step(app, environ, self.start)
            if _is_file(result, environ) and _watch(exchange, result):
                return result
            body = _SizedBody if hasattr(result, "__len__") else _Body
            return body(exchange, result, self)
        except BaseException as error:
            self.report(error)
            self.fail(error)
            exchange.end(error)
            raise

    def start(self, status: Any, headers: Any, exc_info: Any = None, /) -> Any:
        headers = self._with_id(headers)
        more = () if exc_info is None else (exc_info,)
        # The server refuses what it cannot send, so the status is known after this.
        write = self._server_starts(status, headers, *more)
        self._started = True
        self._exchange.status = _status(status)
        return write

    def _with_id(self, headers: Any) -> Any:
        request_id = self._exchange.request_id
        if not request_id:
            return headers
        name = self._exchange.header
        lower = name.lower()
        kept = [pair for pair in headers if str(pair[0]).lower() != lower]
        kept.append((name, request_id))
        if self._exchange.exposes:
            given = [value for key, value in kept if key.lower() == _EXPOSE]
            kept = [pair for pair in kept if pair[0].lower() != _EXPOSE]
            kept.append((EXPOSE, self._exchange.exposed(given)))
        return kept

    def _shown_around(self) -> bool:
        return any(self._environ.get(key) for key in _ERRORS_WANTED)

    def report(self, error: BaseException) -> None:
        """Log the application's error where the server does not."""
        if not isinstance(error, Exception) or self._shown_around():
            return
        if not reports_itself(self._environ):
            self._exchange.step(report, error)

    def fail(self, error: BaseException) -> None:
        """Answer 500, with the id, for an application that has sent nothing yet."""
        if not isinstance(error, Exception) or self._shown_around():
            return
        body = b"Internal Server Error"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        info = (type(error), error, error.__traceback__) if self._started else None
        try:
            write = self.start("500 Internal Server Error", headers, info)
            write(b"" if self.is_head else body)
        except Exception as failure:
            if is_interrupt(failure):
                raise
            # The headers are on their way already, or the client is gone. What the
            # server reports is the application's error, which is raised again.
            return


class _Body:
    """The application's body, each step of it in the store."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_close",
        "_exchange",
        "_exhausted",
        "_open",
        "_responding",
    )

    def __init__(
        self, exchange: Exchange, result: Iterable[bytes], responding: _Responding
    ) -> None:
        self._open = False
        self._exchange = exchange
        self._responding = responding
        self._chunks: Iterator[bytes] = exchange.step(iter, result)
        self._close: Any = getattr(result, "close", None)
        self._begun = self._exhausted = False
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            chunk: bytes = self._exchange.step(next, self._chunks, _END)
        except BaseException as error:
            self._exhausted = True
            self._responding.report(error)
            if not self._begun:
                self._responding.fail(error)
            self._exchange.raised(error)
            raise
        if chunk is _END:
            self._exhausted = True
            self._exchange.answered()
            raise StopIteration
        self._begun = True
        return chunk

    def close(self) -> None:
        if self._open:
            self._open = False
            unfinished = not (self._exhausted or self._responding.is_head)
            close = None if self._close is None else self._closing
            self._exchange.close(close, unfinished=unfinished)

    def _closing(self) -> None:
        try:
            self._close()
        except BaseException as error:
            self._responding.report(error)
            raise

    def __del__(self) -> None:
        # A server that forgets to close loses no line by it.
        if self._open:
            apart(self._exchange.end)


class _SizedBody(_Body):
    """A body whose length is known, from which servers tell the content's length."""

    __slots__ = ("_size",)

    def __init__(
        self, exchange: Exchange, result: Any, responding: _Responding
    ) -> None:
        super().__init__(exchange, result, responding)
        self._size: int = exchange.step(len, result)

    def __len__(self) -> int:
        return self._size


def _is_file(result: object, environ: _Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(result, wrapper)


def _watch(exchange: Exchange, result: Any) -> bool:
    """Let `close()` of a file that the server sends by itself end the exchange."""
    close = getattr(result, "close", None)
    try:
        result.close = functools.partial(exchange.close, close)
    except AttributeError:  # it takes none: the server iterates over the file then
        return False
    return True


def _status(status: Any) -> int | None:
    """The number in a status line; None where there is no valid one."""
    try:
        number = int(status.split(None, 1)[0])
    except (AttributeError, IndexError, ValueError):
        return None
    return number if 100 <= number <= 999 else None


def _text(value: str) -> str:
    """What an environment's value means: it is bytes, shown as Latin-1."""
    try:
        return value.encode("latin-1").decode("utf-8", "replace")
    except UnicodeEncodeError:
        return value


def _path(environ: _Environ) -> str:
    return _text(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"


def _header_values(environ: _Environ, name: str) -> list[str]:
    # Of a header that came twice servers make one, with a comma: not a valid id.
    value = environ.get("HTTP_" + name.upper().replace("-", "_"))
    return [] if value is None else [value]


def _remote_user(environ: _Environ) -> object:
    """Return whom the server, or a middleware further in, has authenticated."""
    name = environ.get("REMOTE_USER")
    return {"name": _text(name)} if name else None
