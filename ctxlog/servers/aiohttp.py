"""
aiohttp servers (`aiohttp.web`). Adapter: imports aiohttp and core.
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Collection, Iterable
from types import CodeType
from typing import TYPE_CHECKING, Any, TypeAlias

from ctxlog._kept import Kept
from ctxlog._names import get_names
from ctxlog.context import run
from ctxlog.errors import requires
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry

with requires("aiohttp"):
    from aiohttp import web
    from aiohttp.web_log import AccessLogger as _AccessLogger

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["AccessLogger", "middleware"]

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Newer versions warn of keys that are plain texts.
_MARK: Any = getattr(web, "RequestKey", lambda name, kind: name)("ctxlog.store", Kept)
_DEFAULTS = RequestOptions()
# The code of middlewares that were made with options: all of them have the same.
_CONFIGURED: set[CodeType] = set()


@web.middleware
def middleware(
    request: web.Request | None = None,
    handler: _Handler | None = None,
    **options: Unpack[ServerOptions],
) -> Any:
    """
    Give every request and websocket a store of its own, and a completion line.

    Put it first: `web.Application(middlewares=[middleware])`, or with options
    `middlewares=[middleware(trust=False)]`. The id is echoed on every response, also
    on streams, websockets and the server's own 500. Inside another one of its kind it
    is a no-op.

    The store is fresh for every request, also on a keep-alive connection, and closed
    when the handler returns: before aiohttp sends a response that is not a stream. An
    exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. What the handler started and that goes on says
    `late` on its lines.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that *trust* accepts; any other id is replaced by a new one
    and never logged.

    Args:
        request: Given by aiohttp.
        handler: Given by aiohttp.
        options: The options of all server adapters, see
            `ctxlog.servers.asgi.ContextMiddleware`; `user` and `level` are called with
            the request, and a completed request has it as `request`.

    Raises:
        ConfigError: if an option is invalid.
    """
    if request is not None and handler is not None:
        return _serve(_DEFAULTS, request, handler)
    checked = RequestOptions(**options)

    @web.middleware
    async def configured(request: web.Request, handler: _Handler) -> web.StreamResponse:
        return await _serve(checked, request, handler)

    _CONFIGURED.add(configured.__code__)
    return configured


def _is_installed(app: object) -> bool | None:
    """Return whether an application has the adapter; None for other objects."""
    if not isinstance(app, web.Application):
        return None
    return any(
        one is middleware or getattr(one, "__code__", None) in _CONFIGURED
        for one in app.middlewares
    )


async def _serve(
    options: RequestOptions, request: web.Request, handler: _Handler
) -> web.StreamResponse:
    if _MARK in request:
        return await handler(request)
    entry = _Request(options, request)
    request[_MARK] = Kept(entry.store)
    _echo(entry, request)
    with entry:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            entry.note_status(answer.status)
            entry.echo(answer.headers)
            entry.bytes_out = _size(request, answer)
            failure = answer
        else:
            entry.note_status(getattr(response, "status", None))
            if isinstance(response, web.WebSocketResponse):
                entry.details[get_names().close_code] = response.close_code or 1006
            if isinstance(response, web.StreamResponse) and not response.prepared:
                entry.echo(response.headers)
                entry.bytes_out = _size(request, response)
            return response
        finally:
            if request.content_length is None:  # else it is known without reading
                entry.bytes_in = request.content.total_bytes
    # Raised out here: it is a response, not a failure of the request.
    raise failure


class _Request(RequestEntry):
    """One of aiohttp's requests."""

    __slots__ = ("_request",)

    def __init__(self, options: RequestOptions, request: web.Request) -> None:
        super().__init__(
            options,
            request.method,
            request.path,
            request.remote,
            options.headers.of_pairs(request.headers.items()),
            route=_route(request),
            source=request,
        )
        self._request: Any = request

    def __exit__(self, *ended: Any) -> None:
        super().__exit__(*ended)
        self._request = None  # it knows this

    def user_reader(self) -> Callable[[], object] | None:
        return self._reader_of(self._request)

    def read_parameters(self) -> Collection[object]:
        found: Collection[object] = self._request.match_info.values()
        return found

    def read_headers(self) -> Iterable[tuple[str, str]]:
        pairs: Iterable[tuple[str, str]] = self._request.headers.items()
        return pairs

    def read_query(self) -> str:
        return str(self._request.rel_url.raw_query_string)  # the other is unquoted

    def read_scheme(self) -> str:
        return str(self._request.scheme)

    def read_http_version(self) -> str:
        version = self._request.version
        return f"{version.major}.{version.minor}"

    def read_request(self) -> object:
        return self._request


def _route(request: web.Request) -> str | None:
    """Return the resource that matched; a 404 and a 405 have none."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _size(request: web.Request, response: web.StreamResponse) -> int | None:
    """Return the size of a body that is sent after the handler, if it is known."""
    if request.method == "HEAD" or response.status in (204, 304):
        return 0
    if not isinstance(response, web.Response) or response.compression:
        return None  # a file's, for one
    body = response.body
    if body is None:
        return 0
    return len(body) if isinstance(body, (bytes, bytearray)) else body.size


def _count(entry: RequestEntry, response: web.StreamResponse) -> None:
    """Count the body that a handler writes piece by piece."""
    kind = type(response)
    # The response would know itself.
    known = weakref.ref(response)
    entry.bytes_out = 0

    async def write(data: bytes | bytearray | memoryview) -> None:
        await kind.write(known(), data)  # type: ignore[arg-type]
        sent(data)

    async def write_eof(data: bytes = b"") -> None:
        await kind.write_eof(known(), data)  # type: ignore[arg-type]
        sent(data)

    def sent(data: bytes | bytearray | memoryview) -> None:
        entry.bytes_out = (entry.bytes_out or 0) + memoryview(data).nbytes

    vars(response).update(write=write, write_eof=write_eof)


#: The responses whose bodies are not written by handlers.
_OTHERS = (web.Response, web.FileResponse, web.WebSocketResponse)


def _echo(entry: RequestEntry, request: web.Request) -> None:
    """Put the id on whatever response is sent, also one made outside middlewares."""
    # aiohttp has signals of an application only, and those cannot be added to by now;
    # this is how it sends them for one request.
    before = vars(request).get("_prepare_hook")
    kind: Any = type(request)
    known = weakref.ref(request)  # it would know itself

    async def prepare(response: web.StreamResponse) -> None:
        if before is None:
            await kind._prepare_hook(known(), response)
        else:
            await before(response)
        entry.note_status(response.status)
        entry.echo(response.headers)
        if not isinstance(response, _OTHERS):
            _count(entry, response)

    vars(request)["_prepare_hook"] = prepare


class AccessLogger(_AccessLogger):
    """
    aiohttp's access logger, whose lines have the id of their request.

    For `web.run_app(app, access_log_class=AccessLogger)`. aiohttp logs when the request
    has ended; with the stock class such a line has no id. Where the middleware has
    written its completion line, `configure()` drops this one, unless `access_lines`
    says otherwise.
    """

    def log(
        self, request: web.BaseRequest, response: web.StreamResponse, time: float
    ) -> None:
        """Log one line, in the store of its request if it had one."""
        kept = request.get(_MARK)
        if kept is None:
            super().log(request, response, time)
        else:
            run(kept.take(), super().log, request, response, time)
