"""
What an empty request costs under each adapter, beside other middleware.

`python benchmarks/middleware.py` prints Markdown; names of groups (`asgi`, `wsgi`,
`flask`, `django`, `a completion line`) choose some. An application that does nothing is
called in process, bare and under each middleware. All ways of a group take turns in one
process, in short blocks that begin elsewhere each time, so a machine whose speed drifts
is as unfair to one as to the other. Times are the process's own; ratios are made of
blocks of the same turn. The median is printed with the interval that it lies in with 95
% confidence.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import logging
import os
import platform
import statistics
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from goals import COMPLETION, FULL, GOALS, QUIET, REQUEST, SAME_BYTES, WITH_ROUTE
from goals import CORRELATION_ID as PEER
from ratios import Median

import ctxlog

#: What a browser sends through a proxy; none of them is an id.
HEADERS = {
    "host": "shop.example.com",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox",
    "accept": "application/json, text/plain, */*",
    "accept-language": "en-US,en;q=0.5",
    "accept-encoding": "gzip, deflate, br",
    "authorization": "Bearer 3f0c2a9d5b7e4c1f8a6d2e9b0c4f7a13",
    "x-forwarded-for": "203.0.113.7",
    "connection": "keep-alive",
}
METHOD, PATH, CLIENT = "GET", "/health", "203.0.113.7"

Block = Callable[[int], float]


class Way(NamedTuple):
    """
    One way to serve an empty request.

    Attributes:
        name: What stands around the application.
        block: Serves so many requests; returns the nanoseconds that it took.
    """

    name: str
    block: Block


BARE = "the application alone"


def repeated(request: Callable[[], object]) -> Block:
    def block(times: int) -> float:
        started = time.process_time_ns()
        for _ in range(times):
            request()
        return time.process_time_ns() - started

    return block


def bind_structlog() -> None:
    """The middleware of structlog's documentation: an id for the lines, no more."""
    import structlog

    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=uuid.uuid4().hex)


# ASGI ---------------------------------------------------------------------------


class AsgiApp:
    """The smallest ASGI application."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def asgi_block(app: Any, client: str = CLIENT) -> Block:
    headers = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    fixed = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1"},
        **{"method": METHOD, "scheme": "http", "root_path": "", "query_string": b""},
        **{"path": PATH, "raw_path": PATH.encode(), "client": (client, 50_000)},
        "server": ("10.0.0.1", 8000),
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        pass

    def request() -> None:
        coroutine = app({**fixed, "headers": headers.copy()}, receive, send)
        with contextlib.suppress(StopIteration):
            coroutine.send(None)
            raise AssertionError("the application waits")

    return repeated(request)


def asgi() -> Iterator[Way]:
    from asgi_correlation_id import CorrelationIdMiddleware
    from starlette_context.middleware import RawContextMiddleware
    from starlette_context.plugins import RequestIdPlugin

    import ctxlog.servers.asgi

    class StructlogMiddleware:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            bind_structlog()
            await self.app(scope, receive, send)

    def installed(**options: Any) -> Any:
        app = AsgiApp()
        ctxlog.servers.asgi.install(app, **options)
        return app

    ways = {
        BARE: AsgiApp(),
        "a minimal middleware, structlog": StructlogMiddleware(AsgiApp()),
        PEER: CorrelationIdMiddleware(AsgiApp()),
        "starlette-context": RawContextMiddleware(AsgiApp(), [RequestIdPlugin()]),
        QUIET: installed(completion_line=False),
        FULL: installed(),
    }
    for name, app in ways.items():
        yield Way(name, asgi_block(app))


# The completion line ------------------------------------------------------------

ROUTE = "/orders/{number}"
NO_ROUTE = "no route"


def completion() -> Iterator[Way]:
    """A request with one line at its end, and what further fields of that cost."""
    from ctxlog.servers._request import note_route
    from ctxlog.servers.asgi import ContextMiddleware

    def route() -> None:
        note_route(ROUTE)

    def totals() -> None:
        route()
        ctxlog.count("rows", 12)
        with ctxlog.timed("render"):
            pass

    def nothing() -> None:
        pass

    answer = AsgiApp()

    def served(work: Callable[[], object], **options: Any) -> Any:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            work()
            await answer(scope, receive, send)

        return ContextMiddleware(app, **options)

    longer = CLIENT + "-" * len(f'"route":"{ROUTE}",')
    fields = "query userAgent referer host scheme httpVersion bytesIn bytesOut ttfbMs"
    every = [*fields.split(), "header:X-Forwarded-For"]
    yield Way(BARE, asgi_block(answer))
    none: dict[str, Any] = {"completion_fields": ()}
    yield Way(NO_ROUTE, asgi_block(served(nothing, **none)))
    yield Way(SAME_BYTES, asgi_block(served(nothing, **none), longer))
    yield Way(WITH_ROUTE, asgi_block(served(route, **none)))
    yield Way("a route and `bytesOut`, the default", asgi_block(served(route)))
    app = served(route, completion_fields=every)
    yield Way("a route and all fields that can be asked for", asgi_block(app))
    yield Way(
        "a route, a `count()` and a `timed()`", asgi_block(served(totals, **none))
    )
    app = served(route, completion=lambda _: None, slow=60.0, **none)
    yield Way("a route, `completion=` and `slow=`", asgi_block(app))


# WSGI, Flask --------------------------------------------------------------------


def wsgi_app(environ: Any, start_response: Any) -> list[bytes]:
    """The smallest WSGI application."""
    start_response("200 OK", [])
    return [b""]


def environment() -> dict[str, Any]:
    names = {f"HTTP_{name.upper().replace('-', '_')}": name for name in HEADERS}
    return {
        **{key: HEADERS[name] for key, name in names.items()},
        **{"REQUEST_METHOD": METHOD, "SCRIPT_NAME": "", "PATH_INFO": PATH},
        **{"QUERY_STRING": "", "SERVER_NAME": "10.0.0.1", "SERVER_PORT": "8000"},
        **{"SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": CLIENT},
        **{"wsgi.version": (1, 0), "wsgi.url_scheme": "http"},
        **{"wsgi.input": open(os.devnull, "rb"), "wsgi.errors": open(os.devnull, "w")},
        **{"wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False},
    }


def wsgi_block(app: Any, after: Callable[[], object] | None = None) -> Block:
    fixed = environment()

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        pass

    def request() -> None:
        body = app(fixed.copy(), start_response)
        for _ in body:
            pass
        close = getattr(body, "close", None)
        if close is not None:
            close()
        if after is not None:
            after()

    return repeated(request)


def structlog_wsgi(app: Any) -> Any:
    def middleware(environ: Any, start_response: Any) -> Any:
        bind_structlog()
        return app(environ, start_response)

    return middleware


def wsgi() -> Iterator[Way]:
    from ctxlog.servers.wsgi import ContextMiddleware

    yield Way(BARE, wsgi_block(wsgi_app))
    yield Way("a minimal middleware, structlog", wsgi_block(structlog_wsgi(wsgi_app)))
    yield Way(QUIET, wsgi_block(ContextMiddleware(wsgi_app, completion_line=False)))
    yield Way(FULL, wsgi_block(ContextMiddleware(wsgi_app)))


def flask() -> Iterator[Way]:
    import flask

    import ctxlog.servers.flask

    def made(prepare: Callable[[flask.Flask], object] = lambda app: None) -> Block:
        app = flask.Flask("shop")
        app.add_url_rule(PATH, "health", lambda: "")
        prepare(app)
        return wsgi_block(app)

    def quiet(app: flask.Flask) -> None:
        ctxlog.servers.flask.install(app, completion_line=False)

    def minimal(app: flask.Flask) -> None:
        app.before_request(bind_structlog)

    yield Way(BARE, made())
    yield Way("a minimal hook, structlog", made(minimal))
    yield Way(QUIET, made(quiet))
    yield Way(FULL, made(ctxlog.servers.flask.install))


# Django -------------------------------------------------------------------------


def structlog_django(get_response: Any) -> Any:
    def middleware(request: Any) -> Any:
        bind_structlog()
        return get_response(request)

    return middleware


def django() -> Iterator[Way]:
    import django
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.http import HttpResponse
    from django.urls import path

    urls = type("urls", (), {"urlpatterns": []})
    urls.urlpatterns.append(path(PATH[1:], lambda request: HttpResponse()))
    settings.configure(
        ALLOWED_HOSTS=["*"],
        INSTALLED_APPS=["django_guid"],
        LOGGING_CONFIG=None,
        MIDDLEWARE=[],
        ROOT_URLCONF=urls,
    )
    django.setup()
    from django.core.signals import request_finished
    from django_guid.signals import clear_guid

    # It says something about each request in INFO, which would be a line of ctxlog's.
    logging.getLogger("django_guid").setLevel(logging.WARNING)
    # Its own requests alone pay for its signal.
    assert request_finished.disconnect(clear_guid)

    def made(*middleware: str, after: Any = None, **options: Any) -> Block:
        settings.MIDDLEWARE, settings.CTXLOG = middleware, options
        return wsgi_block(WSGIHandler(), after)

    ours = "ctxlog.servers.django.ContextMiddleware"
    minimal = f"{__name__}.structlog_django"
    yield Way(BARE, made())
    yield Way("a minimal middleware, structlog", made(minimal))
    guid = "django_guid.middleware.guid_middleware"
    yield Way("django-guid", made(guid, after=lambda: clear_guid(None)))
    yield Way(QUIET, made(ours, completion_line=False))
    yield Way(FULL, made(ours))


# Measuring ----------------------------------------------------------------------

GROUPS: dict[str, Callable[[], Iterator[Way]]] = {
    "asgi": asgi,
    "wsgi": wsgi,
    "flask": flask,
    "django": django,
    COMPLETION: completion,
}


def measured(ways: Sequence[Way], turns: int, requests: int) -> dict[str, list[float]]:
    """Return the microseconds per request of each way, in each turn."""
    found: dict[str, list[float]] = {way.name: [] for way in ways}
    for way in ways:
        way.block(2 * requests)
    gc.collect()
    gc.freeze()
    for turn in range(turns):
        for place in range(len(ways)):
            way = ways[(turn + place) % len(ways)]
            gc.collect()  # of what the way before has left
            found[way.name].append(way.block(requests) / requests / 1000)
    gc.unfreeze()
    return found


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Median:
    return Median.of([a / b for a, b in zip(ours, theirs, strict=True)])


def group_report(name: str, turns: int, requests: int) -> Iterator[str]:
    yield f"\n#### {name}\n"
    ways = list(GROUPS[name]())
    found = measured(ways, turns, requests)
    base = next(name for name in (PEER, SAME_BYTES, BARE) if name in found)
    yield f"| middleware | µs per request | of it added | ratio to {base} |"
    yield "|---|---|---|---|"
    for way, times in found.items():
        added = [a - b for a, b in zip(times, found[BARE], strict=True)]
        cells = f"{statistics.median(times):.1f} | {statistics.median(added):.1f}"
        yield f"| {way} | {cells} | {ratio(times, found[base])} |"
    for goal in GOALS:
        if (
            goal.group in (REQUEST, COMPLETION)
            and goal.ours in found
            and goal.theirs in found
        ):
            verdict = goal.verdict(ratio(found[goal.ours], found[goal.theirs]))
            yield f"\n{goal.ours}, at most {goal.limit} of {goal.theirs}: {verdict}."


def report(groups: Sequence[str], turns: int, requests: int) -> Iterator[str]:
    sink = open(os.devnull, "w")
    ctxlog.configure(stream=sink, format="json", loggers=["stdlib"])
    yield "### An empty request\n"
    yield f"{platform.python_implementation()} {platform.python_version()},"
    yield f"{len(HEADERS)} headers, none of them an id; {turns} turns of"
    yield f"{requests} requests in one process; the completion line goes through stdlib"
    yield "`logging` to the null device. Ratios are of whole requests: medians, with"
    yield "the interval that they lie in with 95 % confidence."
    for name in groups:
        try:
            yield from group_report(name, turns, requests)
        except ImportError as error:
            yield f"Not measured: {error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("groups", nargs="*", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--turns", type=int, default=60)
    parser.add_argument("--requests", type=int, default=300)
    chosen = parser.parse_args()
    unknown = set(chosen.groups) - set(GROUPS)
    if unknown:
        parser.error(f"no group of requests: {', '.join(sorted(unknown))}")
    groups = chosen.groups or list(GROUPS)
    for line in report(groups, chosen.turns, chosen.requests):
        print(line, flush=True)


if __name__ == "__main__":
    main()
