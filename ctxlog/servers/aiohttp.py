"""
aiohttp servers (`aiohttp.web`). Adapter: imports aiohttp and core.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
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
            `ctxlog.servers.asgi.ContextMiddleware`; `user` is called with the request.

    Raises:
        ConfigError: if an option is invalid.
    """
    if request is not None and handler is not None:
        return _serve(_DEFAULTS, request, handler)
    checked = RequestOptions(**options)

    @web.middleware
    async def configured(request: web.Request, handler: _Handler) -> web.StreamResponse:
        return await _serve(checked, request, handler)

    return configured


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
            failure = answer
        else:
            entry.note_status(getattr(response, "status", None))
            if isinstance(response, web.WebSocketResponse):
                entry.details[get_names().close_code] = response.close_code or 1006
            if isinstance(response, web.StreamResponse) and not response.prepared:
                entry.echo(response.headers)
            return response
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
        )
        self._request = request

    def user_reader(self) -> Callable[[], object] | None:
        return self._reader_of(self._request)

    def read_parameters(self) -> Collection[object]:
        return self._request.match_info.values()


def _echo(entry: RequestEntry, request: web.Request) -> None:
    """Put the id on whatever response is sent, also one made outside middlewares."""
    # aiohttp has signals of an application only, and those cannot be added to by now;
    # this is how it sends them for one request.
    signal = request._prepare_hook

    async def prepare(response: web.StreamResponse) -> None:
        await signal(response)
        entry.note_status(response.status)
        entry.echo(response.headers)

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
