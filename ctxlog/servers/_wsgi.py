"""
The WSGI middleware (PEP 3333), for the adapters of this folder.

`ContextMiddleware` opens a `_Request` and calls the application with the
`start_response` of that; its result becomes a `_Body`, which ends the request.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ctxlog._interrupts import is_interrupt
from ctxlog._kept import Kept
from ctxlog.context import Store
from ctxlog.context.bodies import apart
from ctxlog.servers._environ import decoded, headers_of, http_version_of, query_of
from ctxlog.servers._frameworks import follow_routes
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import EXPOSE, RequestEntry
from ctxlog.servers._wsgi_errors import report, reports_itself, take_errors

if TYPE_CHECKING:
    from typing_extensions import Unpack

_Environ: TypeAlias = MutableMapping[str, Any]
_StartResponse: TypeAlias = Callable[..., Any]
_App: TypeAlias = Callable[[Any, Any], Iterable[bytes]]
_UserReader: TypeAlias = Callable[[_Environ], "Callable[[], object] | None"]

_MARK = "ctxlog.store"

#: Set by middleware around this one that shows an error itself: werkzeug's debugger.
_ERRORS_WANTED = (
    "werkzeug.debug.preserve_context",
    "x-wsgiorg.throw_errors",
    "paste.throw_errors",
)

_END: Any = object()

#: Bodies whose iteration runs no code of the application.
_PLAIN = (list, tuple)


class ContextMiddleware:
    """
    Give every request a store of its own, and a completion line.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged. The id is echoed on the response.

    Wrap the application with it, outside of everything else:
    `app = ContextMiddleware(app)`. Inside another `ContextMiddleware` it is a no-op.

    The store is fresh for every request and active while the application runs: in its
    call, in each step of its body, and in the body's `close()`. In between, and after
    it, the server's thread has none. The completion line comes with `close()`; its
    duration ends with the body.

    Text that the application writes to `wsgi.errors` becomes lines of the request: some
    frameworks report exceptions there, past logging.

    An exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. If the server only prints it (`wsgiref`), the
    middleware logs it. If nothing has been sent by then, the middleware answers 500,
    with the id, unless a debugger around it shows the exception. Servers close the
    connection then.

    Args:
        app: The application to wrap.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`. `user` and `level` are called
            with the WSGI environment; without `user`, `REMOTE_USER` is bound.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(self, app: _App, **options: Unpack[ServerOptions]) -> None:
        self.app = app
        self._options = RequestOptions(**options)
        follow_routes()

    def __call__(
        self, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Serve one request (PEP 3333)."""
        return self.serve(self.app, environ, start_response)

    def serve(
        self, app: _App, environ: _Environ, start_response: _StartResponse
    ) -> Iterable[bytes]:
        """Serve one request by *app* instead of the application that was wrapped."""
        around = environ.get(_MARK)
        if around is not None and not around.take().closed:
            return app(environ, start_response)
        options, reader = self._options, self._user_reader
        request = _Request(options, environ, start_response, reader)
        # Not the request: it refers to the environment.
        kept: Kept[Store] = Kept(request.store)
        environ[_MARK] = kept
        take_errors(environ, request, kept)
        try:
            result = request.step(app, environ, request.start)
            if _is_file(result, environ) and _end_with(result, request):
                return result
            body = _SizedBody if hasattr(result, "__len__") else _Body
            return body(request, result)
        except BaseException as error:
            request.fail(error)
            request.end(error)
            raise

    def _user_reader(self, environ: _Environ) -> Callable[[], object] | None:
        """Return what reads the user at the end of a request; None without a user."""
        read = self._options.user
        if read is None:
            return remote_user_reader(environ)
        return functools.partial(read, environ)


class _Request(RequestEntry):
    """One request, with the server's `start_response` as the application gets it."""

    __slots__ = ("_begun", "_environ", "_server_starts", "_user_reader", "is_head")

    def __init__(
        self,
        options: RequestOptions,
        environ: _Environ,
        start_response: _StartResponse,
        user_reader: _UserReader,
    ) -> None:
        super().__init__(
            options,
            environ.get("REQUEST_METHOD", "GET"),
            _path(environ),
            environ.get("REMOTE_ADDR") or None,
            options.headers.of_environ(environ),
            source=environ,
        )
        self._environ = environ
        self._server_starts = start_response
        self._user_reader = user_reader
        self._begun = False
        self.is_head = self.method == "HEAD"

    def start(self, status: Any, headers: Any, exc_info: Any = None, /) -> Any:
        """Start the response, with the id (PEP 3333)."""
        headers = self._with_id(headers)
        more = () if exc_info is None else (exc_info,)
        # The server refuses what it cannot send, so the status is known after this.
        write = self._server_starts(status, headers, *more)
        self._begun = True
        self.response_headers = headers
        self.note_status(_status(status))
        self.bytes_out = 0
        if self.options.details.bytes_out:
            return functools.partial(self._write, write)
        return write

    def _write(self, write: Callable[[bytes], object], data: bytes, /) -> object:
        result = write(data)
        self.count(data)
        return result

    def count(self, data: object) -> None:
        """Count what has been handed to the server as a part of the body."""
        # A server refuses anything but bytes. It sends none of them for HEAD.
        if isinstance(data, (bytes, bytearray)) and not self.is_head:
            self.bytes_out = (self.bytes_out or 0) + len(data)

    def _with_id(self, headers: Any) -> Any:
        request_id, options = self.echoed_id(), self.options
        if not request_id:
            return headers
        name = options.request_id_header
        headers = _without(name, headers)
        headers.append((name, request_id))
        if options.expose_header:
            lower = EXPOSE.lower()
            given = [value for key, value in headers if key.lower() == lower]
            headers = [
                *_without(EXPOSE, headers),
                (EXPOSE, options.exposed(given)),
            ]
        return headers

    def fail(self, error: BaseException, *, begun: bool = False) -> None:
        """
        Log an error of the application if the server does not, and answer 500.

        Args:
            error: The error.
            begun: Whether a part of the body has been sent: no answer is possible then.
        """
        environ = self._environ
        if not isinstance(error, Exception) or any(map(environ.get, _ERRORS_WANTED)):
            return
        if not reports_itself(environ):
            self.step(report, error)
        if not begun:
            self._answer(error)

    def _answer(self, error: Exception) -> None:
        body = b"Internal Server Error"
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
        ]
        info = (type(error), error, error.__traceback__) if self._begun else None
        try:
            write = self.start("500 Internal Server Error", headers, info)
            write(b"" if self.is_head else body)
        except Exception as failure:
            # The server raises anything: its headers are on their way already, or the
            # client is gone. It reports the application's error, which is raised again.
            if is_interrupt(failure):
                raise

    def read_headers(self) -> Iterable[tuple[str, str]]:
        return headers_of(self._environ)

    def read_query(self) -> str:
        return query_of(self._environ)

    def read_scheme(self) -> str | None:
        return self._environ.get("wsgi.url_scheme")

    def read_http_version(self) -> str | None:
        return http_version_of(self._environ)

    def read_request(self) -> object:
        return super().read_request() or self._environ

    def user_reader(self) -> Callable[[], object] | None:
        return self._user_reader(self._environ)


class _Body:
    """The application's body, each step of it in the store."""

    __slots__ = (
        "_begun",
        "_chunks",
        "_close",
        "_exhausted",
        "_open",
        "_plain",
        "_request",
    )

    def __init__(self, request: _Request, result: Iterable[bytes]) -> None:
        self._open = False
        self._request = request
        self._plain = type(result) in _PLAIN
        self._chunks: Iterator[bytes] = (
            iter(result) if self._plain else request.step(iter, result)
        )
        self._close: Any = getattr(result, "close", None)
        self._begun = self._exhausted = False
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        chunk: bytes
        try:
            if self._plain:
                chunk = next(self._chunks, _END)
            else:
                chunk = self._request.step(next, self._chunks, _END)
        except BaseException as error:
            self._exhausted = True
            self._request.fail(error, begun=self._begun)
            self._request.raised(error)
            raise
        if chunk is _END:
            self._exhausted = True
            self._request.answered()
            raise StopIteration
        self._begun = True
        self._request.count(chunk)
        return chunk

    def close(self) -> None:
        if self._open:
            self._open = False
            unfinished = not (self._exhausted or self._request.is_head)
            close = None if self._close is None else self._close_result
            self._request.close(close, unfinished=unfinished)

    def _close_result(self) -> None:
        try:
            self._close()
        except BaseException as error:
            self._request.fail(error, begun=True)
            raise

    def __del__(self) -> None:
        # A server that forgets to close loses no line by it.
        if self._open:
            apart(self._request.end)


class _SizedBody(_Body):
    """A body whose length is known: servers take the content's length from it."""

    __slots__ = ("_size",)

    def __init__(self, request: _Request, result: Any) -> None:
        super().__init__(request, result)
        self._size: int = len(result) if self._plain else request.step(len, result)

    def __len__(self) -> int:
        return self._size


def _is_file(result: object, environ: _Environ) -> bool:
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(wrapper, type) and isinstance(result, wrapper)


def _end_with(result: Any, request: _Request) -> bool:
    """Let `close()` of a file that the server sends by itself end the request."""
    close = getattr(result, "close", None)
    length = None if request.is_head else request.content_length()
    try:
        result.close = functools.partial(request.close, close, length=length)
    except AttributeError:  # it takes no attribute: iterate over the file then
        return False
    if not request.is_head:
        request.bytes_out = None  # nothing of it is seen here
    return True


def _without(name: str, headers: Any) -> list[Any]:
    lower = name.lower()
    kept = []
    for pair in headers:
        if str(pair[0]).lower() != lower:
            kept.append(pair)
    return kept


def _status(status: Any) -> int | None:
    """Return the number in a status line, or None if there is no valid one."""
    try:
        number = int(status.split(None, 1)[0])
    except (AttributeError, IndexError, ValueError):
        return None
    return number if 100 <= number <= 999 else None


def _path(environ: _Environ) -> str:
    return decoded(environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")) or "/"


def remote_user_reader(environ: _Environ) -> Callable[[], object] | None:
    """Return what reads the user that a server, or a middleware, authenticated."""
    if environ.get("REMOTE_USER"):
        return functools.partial(_remote_user, environ)
    return None


def _remote_user(environ: _Environ) -> object:
    return {"name": decoded(environ["REMOTE_USER"])}
