"""
aiohttp servers (`aiohttp.web`). Adapter: imports aiohttp and core.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from ctxlog._kept import Kept
from ctxlog._names import get_names
from ctxlog.context import run
from ctxlog.errors import MissingDependencyError
from ctxlog.servers._request import Exchange, RequestOptions

try:
    from aiohttp import web
    from aiohttp.web_log import AccessLogger as _AccessLogger
except ModuleNotFoundError as error:
    if error.name != "aiohttp":
        raise
    raise MissingDependencyError("aiohttp", "aiohttp") from None

__all__ = ["AccessLogger", "middleware"]

_Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

# Newer versions warn of keys that are plain texts.
_MARK: Any = getattr(web, "RequestKey", lambda name, kind: name)("ctxlog.store", Kept)
_DEFAULTS = RequestOptions()


@web.middleware
def middleware(
    request: web.Request | None = None, handler: _Handler | None = None, **options: Any
) -> Any:
    """
    Give every request and websocket a store of its own, and a completion line.

    Put it first: `web.Application(middlewares=[middleware])`, or with options
    `middlewares=[middleware(trust=False)]`. The id is echoed on every response, also
    on streams, websockets and the server's own 500. Inside another one of its kind it
    does nothing.

    The store is fresh for every request, also on a keep-alive connection, and closed
    when the handler returns: before aiohttp sends a response that is not a stream. An
    exception passes through unchanged, for the server to report; it carries the
    context, so the report does too. What the handler started and that goes on says
    `late` on its lines.

    Trusted is the request id header only, from the clients that *trust* names, and
    only a valid id; anything else is replaced by a new one and never logged.

    Args:
        request: Given by aiohttp.
        handler: Given by aiohttp.
        options: Those of the ASGI middleware; `user` is called with the request.

    Raises:
        ConfigError: an option has a value that it cannot have.
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
    user = options.user
    exchange = Exchange(
        options,
        method=request.method,
        path=request.path,
        client=request.remote,
        values=functools.partial(_header_values, request),
        user_of=None if user is None else functools.partial(user, request),
    )
    exchange.parameters = request.match_info.values
    request[_MARK] = Kept(exchange.store)
    _echo(exchange, request)
    with exchange:
        try:
            response = await handler(request)
        except web.HTTPException as answer:
            exchange.status = answer.status
            exchange.echo(answer.headers)
            failure = answer
        else:
            exchange.status = getattr(response, "status", None)
            if isinstance(response, web.WebSocketResponse):
                exchange.details[get_names().close_code] = response.close_code or 1006
            if isinstance(response, web.StreamResponse) and not response.prepared:
                exchange.echo(response.headers)
            return response
    # Raised out here: it is a response, not a failure of the request.
    raise failure


def _echo(exchange: Exchange, request: web.Request) -> None:
    """Put the id on whatever response is sent, also one made outside middlewares."""
    # aiohttp has signals of an application only, and those cannot be added to by now;
    # this is how it sends them for one request.
    signal = request._prepare_hook

    async def prepare(response: web.StreamResponse) -> None:
        await signal(response)
        exchange.status = response.status
        exchange.echo(response.headers)

    vars(request)["_prepare_hook"] = prepare


def _header_values(request: web.Request, name: str) -> list[str]:
    return list(request.headers.getall(name, ()))


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
