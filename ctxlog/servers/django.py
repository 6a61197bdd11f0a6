"""
Django projects, under WSGI and ASGI. Adapter: imports Django and core.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, cast

from ctxlog.errors import ConfigError, MissingDependencyError
from ctxlog.servers._request import Exchange, RequestOptions
from ctxlog.servers._wsgi_errors import ErrorStream

try:
    from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
    from django.conf import settings  # type: ignore[import-untyped]
    from django.http import HttpRequest  # type: ignore[import-untyped]
    from django.http.response import (  # type: ignore[import-untyped]
        HttpResponseBase,
    )
    from django.utils.functional import (  # type: ignore[import-untyped]
        LazyObject,
        empty,
    )
    from django.utils.log import log_response  # type: ignore[import-untyped]
except ModuleNotFoundError as error:
    if error.name not in ("asgiref", "django"):
        raise
    raise MissingDependencyError("django", "django") from None

__all__ = ["ContextMiddleware"]

_SETTING = "CTXLOG"
_OPTIONS = inspect.signature(RequestOptions).parameters


class ContextMiddleware:
    """
    Give every request to a Django project a store, and a completion line.

    Trusted is the request id header only, from the clients that the option `trust`
    names, and only a valid id; anything else is replaced by a new one and never logged.
    The id is echoed on the response, also on Django's own 404 and 500.

    Put it first in `MIDDLEWARE`, as `"ctxlog.servers.django.ContextMiddleware"`. Its
    options are the keys of the setting `CTXLOG`, a dict: those of the WSGI middleware
    (`request_id_header`, `accept_headers`, `trust`, `generator`, `validator`,
    `ignore_paths`, `completion_line`, `expose_header`); `user` is called with Django's
    request.

    The store is active in all that runs for the request, in sync and async views, and
    until the response is closed: a streamed body and the signal `request_finished` are
    in it. Without the option `user` the user is `request.user`, if the request has
    loaded it; none is loaded for the sake of a log line.

    Args:
        get_response: What comes next, given by Django.

    Raises:
        ConfigError: the setting has an unknown key, or an option a value that it
            cannot have.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._options = _options()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)  # Django looks at it to choose the chain

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request: returns the response, or a coroutine that does."""
        if self._is_async:
            return self._serve_async(request)
        exchange = self._begin(request)
        try:
            response = exchange.step(self.get_response, request)
            self._take(exchange, response)
            if response.status_code >= 400:
                exchange.step(_log_response, request, response)
        except BaseException as error:
            exchange.end(error)
            raise
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._begin(request)
        try:
            response = await exchange.run(self.get_response, request)
            self._take(exchange, response)
            if response.status_code >= 400:
                # In a thread, as Django does: a handler may send mail.
                log = sync_to_async(_log_response, thread_sensitive=False)
                await exchange.run(log, request, response)
        except BaseException as error:
            exchange.end(error)
            raise
        return cast(HttpResponseBase, response)

    def _begin(self, request: HttpRequest) -> Exchange:
        read_user = self._options.user or _loaded_user
        exchange = Exchange(
            self._options,
            method=request.method or "GET",
            path=request.path,
            client=request.META.get("REMOTE_ADDR") or None,
            values=functools.partial(_header_values, request),
            user_of=functools.partial(read_user, request),
        )
        exchange.parameters = functools.partial(_path_parameters, request)
        _take_errors(exchange, getattr(request, "environ", {}))
        return exchange

    def _take(self, exchange: Exchange, response: Any) -> None:
        """Let the exchange follow the response until it is closed."""
        exchange.status = response.status_code
        exchange.echo(response.headers)
        exchange.bind_user()
        # A file is left to the server, which may have a quicker way to send it.
        if response.streaming and getattr(response, "file_to_stream", None) is None:
            content = response.streaming_content
            parts = _parts_async if response.is_async else _parts
            response.streaming_content = exchange.run(parts, exchange, content)
        response.close = functools.partial(exchange.close, response.close)


def _parts(exchange: Exchange, content: Iterator[bytes]) -> Iterator[bytes]:
    with _watched(exchange):
        yield from content


async def _parts_async(
    exchange: Exchange, content: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    with _watched(exchange):
        async for part in content:
            yield part


def _take_errors(exchange: Exchange, environ: dict[str, Any]) -> None:
    # The report of a debugger around Django (runserver_plus) goes there.
    stream = environ.get("wsgi.errors")
    if stream is not None:
        environ["wsgi.errors"] = errors = ErrorStream(stream, exchange.store)
        exchange.ending = errors.end


class _watched:
    """Notes how the streaming of a body ended."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        self._exchange.answered()
        if error is not None:
            self._exchange.raised(error)


def _log_response(request: HttpRequest, response: HttpResponseBase) -> None:
    # Django logs it where the request's context is not active any more, and only if
    # nobody has before. These are its own words.
    log_response(
        "%s: %s",
        response.reason_phrase,
        request.path,
        response=response,
        request=request,
    )


def _options() -> RequestOptions:
    given = getattr(settings, _SETTING, {})
    if not isinstance(given, Mapping):
        raise ConfigError(_SETTING, given, "a dict of options")
    for name in given:
        if name not in _OPTIONS:
            allowed = f"one of: {', '.join(_OPTIONS)}"
            raise ConfigError(_SETTING, name, allowed)
    return RequestOptions(**given)


def _header_values(request: HttpRequest, name: str) -> list[str]:
    # Of a header that came twice servers make one, with a comma: not a valid id.
    value = request.META.get("HTTP_" + name.upper().replace("-", "_"))
    return [] if value is None else [value]


def _path_parameters(request: HttpRequest) -> tuple[object, ...]:
    """Return what Django has found in the path."""
    match: Any = request.resolver_match
    return () if match is None else (*match.args, *match.kwargs.values())


def _loaded_user(request: HttpRequest) -> object:
    """Return `request.user` if the request has loaded it; never asks the database."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user._wrapped is empty:
        user = getattr(request, "_acached_user", None)  # what `request.auser()` loaded
    if not getattr(user, "is_authenticated", False):
        return None
    return {"id": user.pk, "name": user.get_username()}
