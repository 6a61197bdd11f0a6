"""
Django projects, under WSGI and ASGI. Adapter: imports Django and core.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from ctxlog._ask import ask
from ctxlog._kept import Kept
from ctxlog.errors import ConfigError, requires
from ctxlog.servers._django_db import DatabaseOptions, observe
from ctxlog.servers._environ import headers_of, http_version_of, query_of
from ctxlog.servers._options import RequestOptions, ServerOptions
from ctxlog.servers._request import RequestEntry, note_route
from ctxlog.servers._wsgi_errors import take_errors

with requires("asgiref", extra="django"), requires("django"):
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
    from django.utils.module_loading import (  # type: ignore[import-untyped]
        import_string,
    )

__all__ = ["ContextMiddleware"]

_SETTING = "CTXLOG"

#: The options that may be callables, and are no text otherwise.
_CALLABLES = frozenset(
    {
        *("completion", "completion_level", "generator", "level", "trust", "user"),
        "validator",
    }
)


class ContextMiddleware:
    """
    Give every request to a Django project a store, and a completion line.

    The request id and the trace in a request's headers are used only if they are valid,
    and only from clients that the option `trust` accepts; any other id is replaced by a
    new one and never logged. The id is echoed on the response, also on Django's own 404
    and 500.

    Put it first in `MIDDLEWARE`, as `"ctxlog.servers.django.ContextMiddleware"`. The
    setting `CTXLOG` is a dict of the options of all server adapters, see
    `ctxlog.servers.asgi.ContextMiddleware`; `user` and `level` get Django's request. A
    callable may be given by its dotted path, as `"shop.logs.completion"`: settings can
    import little.

    The store is active in all that runs for the request, in sync and async views, and
    until the response is closed: a streamed body and the signal `request_finished` are
    in it. Without the option `user` the user is `request.user`, if the request has
    loaded it; none is loaded for the sake of a log line.

    Two options are Django's alone. With `db=True` the statements of all connections are
    counted and timed, under `db` on the completion line; with `slow_queries=0.2` each
    that takes as many seconds has a line from the logger `ctxlog.db`, without values.

    Args:
        get_response: The next middleware or the view, given by Django.

    Raises:
        ConfigError: if the setting has an unknown key, or an option is invalid.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        self._options = _options()
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)  # Django looks at it to choose the chain
        # A view middleware that is not of the chain's kind runs in a thread.
        self.process_view = self._routed_async if self._is_async else self._routed

    def __call__(self, request: HttpRequest) -> Any:
        """Serve one request: return the response, or a coroutine that does."""
        if self._is_async:
            return self._serve_async(request)
        entry = self._begin(request)
        try:
            response = entry.step(self.get_response, request)
            _take(entry, response)
            if response.status_code >= 400:
                entry.step(_log_response, request, response)
        except BaseException as error:
            entry.end(error)
            raise
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        entry = self._begin(request)
        try:
            response = await entry.run(self.get_response, request)
            _take(entry, response)
            if response.status_code >= 400:
                # In a thread, as Django does: a handler may send mail.
                log = sync_to_async(_log_response, thread_sensitive=False)
                await entry.run(log, request, response)
        except BaseException as error:
            entry.end(error)
            raise
        return cast(HttpResponseBase, response)

    def _routed(self, request: HttpRequest, *_: object) -> None:
        """Note the route, once Django has found it."""
        match: Any = request.resolver_match
        # No field of that of the root, which is empty, would say that none has matched.
        note_route(match.route or "/")

    async def _routed_async(self, request: HttpRequest, *_: object) -> None:
        self._routed(request)

    def _begin(self, request: HttpRequest) -> _Request:
        entry = _Request(self._options, request)
        # A debugger around Django (runserver_plus) writes its report there.
        take_errors(getattr(request, "environ", {}), entry, Kept(entry.store))
        return entry


def _is_installed() -> bool:
    """Return whether the middleware is in the setting `MIDDLEWARE`."""
    found = (import_string(name) for name in settings.MIDDLEWARE)
    return any(
        isinstance(one, type) and issubclass(one, ContextMiddleware) for one in found
    )


class _Request(RequestEntry):
    """One of Django's requests."""

    __slots__ = ("_request",)

    def __init__(self, options: RequestOptions, request: HttpRequest) -> None:
        super().__init__(
            options,
            request.method or "GET",
            request.path,
            request.META.get("REMOTE_ADDR") or None,
            options.headers.of_environ(request.META),
            source=request,
        )
        self._request: Any = request

    def read_headers(self) -> Iterable[tuple[str, str]]:
        return headers_of(self._request.META)

    def read_query(self) -> str:
        return query_of(self._request.META)

    def read_scheme(self) -> str | None:
        failure = "the scheme of the request could not be read"
        return ask(failure, None, lambda: cast(str, self._request.scheme))

    def read_http_version(self) -> str | None:
        scope = getattr(self._request, "scope", None)  # under ASGI
        if scope is not None:
            return cast("str | None", scope.get("http_version"))
        return http_version_of(self._request.META)

    def read_request(self) -> object:
        return self._request

    def user_reader(self) -> Callable[[], object] | None:
        return self._reader_of(self._request, _loaded_user)

    def follow_body(self, response: Any) -> None:
        """Count the body of a response, and end when it is closed."""
        is_head = self.method == "HEAD"
        length = None
        if not response.streaming:
            # Django makes the body of HEAD, too, and the server sends none of it.
            if self.options.details.bytes_out:
                self.bytes_out = 0 if is_head else len(response.content)
        elif self._is_sent_by_server(response):
            length = 0 if is_head else self.content_length()
        else:
            self.bytes_out = 0
            content = response.streaming_content
            parts = _parts_async if response.is_async else _parts
            response.streaming_content = self.run(parts, self, content)
        response.close = functools.partial(
            self._close_response, response, response.close, length
        )

    def _close_response(
        self, response: Any, close: Callable[[], object], length: int | None
    ) -> None:
        # It knows the response, which would wait for the garbage collector with all
        # of the request. Another library may have wrapped it since.
        ours = getattr(vars(response).get("close"), "func", None)
        if ours == self._close_response:
            del response.close
        self.close(close, length=length)

    def end(self, error: BaseException | None = None) -> None:
        super().end(error)
        self._request = None  # a file that the server closes knows this request

    def _is_sent_by_server(self, response: Any) -> bool:
        # A file, which a server of WSGI may have a quicker way to send.
        is_file = getattr(response, "file_to_stream", None) is not None
        return is_file and "wsgi.file_wrapper" in self._request.META

    def count(self, part: bytes) -> None:
        """Count a part of the body that has been handed to the server."""
        if self.method != "HEAD":
            self.bytes_out = (self.bytes_out or 0) + len(part)

    def read_parameters(self) -> tuple[object, ...]:
        match: Any = self._request.resolver_match
        return () if match is None else (*match.args, *match.kwargs.values())


def _take(entry: _Request, response: Any) -> None:
    """Let the entry follow the response until it is closed."""
    entry.note_status(response.status_code)
    entry.echo(response.headers)
    entry.bind_user()
    entry.follow_body(response)


def _parts(entry: _Request, content: Iterator[bytes]) -> Iterator[bytes]:
    with _answering(entry):
        for part in content:
            entry.count(part)
            yield part


async def _parts_async(
    entry: _Request, content: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    with _answering(entry):
        async for part in content:
            entry.count(part)
            yield part


@contextmanager
def _answering(entry: RequestEntry) -> Iterator[None]:
    """Note how the streaming of a body ended."""
    try:
        yield
    except BaseException as error:
        entry.raised(error)
        raise
    finally:
        entry.answered()


def _log_response(request: HttpRequest, response: HttpResponseBase) -> None:
    # Django logs it where the request's context is no longer active, and only if it
    # has not been logged before. These are its own words.
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
    of_database = DatabaseOptions.__annotations__
    names = [*ServerOptions.__annotations__, *of_database]
    for name in given:
        if name not in names:
            raise ConfigError(_SETTING, name, f"one of: {', '.join(names)}")
    found = {name: _imported(name, given[name]) for name in given}
    options = RequestOptions(**{k: v for k, v in found.items() if k not in of_database})
    observe(**{k: v for k, v in found.items() if k in of_database})
    return options


def _imported(name: str, value: Any) -> Any:
    """Return the value of an option, or the callable that its dotted path names."""
    if name not in _CALLABLES or not isinstance(value, str):
        return value
    try:
        return import_string(value)
    except ImportError as error:
        allowed = f"a callable or its dotted path; {error}"
        raise ConfigError(name, value, allowed) from error


def _loaded_user(request: HttpRequest) -> object:
    """Return `request.user` if the request has loaded it; never ask the database."""
    user: Any = getattr(request, "user", None)
    if isinstance(user, LazyObject) and user._wrapped is empty:
        user = getattr(request, "_acached_user", None)  # what `request.auser()` loaded
    if not getattr(user, "is_authenticated", False):
        return None
    return {"id": user.pk, "name": user.get_username()}
