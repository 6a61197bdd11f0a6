"""
The Django adapter, through Django's own handlers and test clients.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import warnings
import weakref
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from wsgiref.util import FileWrapper

import pytest

import ctxlog
from ctxlog import config
from ctxlog.errors import ConfigError
from ctxlog.line.redact import REDACTED
from tests.helpers import LogEnvironment, need
from tests.servers.test_wsgi import Server

django = need("django")
settings = need("django.conf").settings
if not settings.configured:
    settings.configure(
        SECRET_KEY="only a test",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["ctxlog.servers.django.ContextMiddleware"],
        LOGGING_CONFIG=None,
    )
    django.setup()

exceptions = need("django.core.exceptions")
http = need("django.http")
path = need("django.urls").path
override = need("django.test.utils").override_settings
testing = need("django.test")
functional = need("django.utils.functional")
ContextMiddleware = need("ctxlog.servers.django").ContextMiddleware

LOG = logging.getLogger("tests.app")


def view(request: Any, name: str) -> Any:
    LOG.info("in the view")
    match name:
        case "missing":
            raise http.Http404
        case "denied":
            raise exceptions.PermissionDenied
        case "suspicious":
            raise exceptions.SuspiciousOperation("odd")
        case "crash":
            raise ValueError("broken")
        case "teapot":
            return http.HttpResponse("tea", status=418)
        case "stream":
            return http.StreamingHttpResponse(rows())
        case "file":
            return http.FileResponse(Path(__file__).open("rb"))
        case _:
            return http.HttpResponse("page")


def rows() -> Iterator[str]:
    try:
        LOG.info("row 0")
        yield "0"
        LOG.info("row 1")
        yield "1"
    finally:
        LOG.info("rows closed")


async def view_async(request: Any, name: str) -> Any:
    await asyncio.sleep(0)
    LOG.info("in the view")
    if name == "crash":
        raise ValueError("broken")
    if name == "stream":
        return http.StreamingHttpResponse(rows_async())
    if name == "missing":
        raise http.Http404
    return http.HttpResponse("page")


async def rows_async() -> AsyncIterator[str]:
    LOG.info("row 0")
    yield "0"
    await asyncio.sleep(0)
    LOG.info("row 1")
    yield "1"


def page(request: Any, **arguments: Any) -> Any:
    LOG.info("in the view")
    return http.HttpResponse("page")


async def page_async(request: Any, **arguments: Any) -> Any:
    LOG.info("in the view")
    return http.HttpResponse("page")


urls = need("django.urls")
shop = [
    path("", page),
    path("orders/<int:number>/", page),
    path("async/orders/<int:number>/", page_async),
    urls.re_path(
        r"^(?P<kind>[a-z]{2})/(\d+)$", lambda request, *args, **kwargs: page(request)
    ),
]
urlpatterns = [
    path("", page),
    urls.path("shop/<slug:shop>/", urls.include((shop, "shop"))),
    urls.re_path(r"^v(?P<version>\d+)/", urls.include([path("{x}/<path:rest>", page)])),
    path("<str:name>", view),
    path("async/<str:name>", view_async),
    *need("django.conf.urls.i18n").i18n_patterns(path("about/<str:name>/", page)),
]


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    with override(ROOT_URLCONF=__name__):
        yield log_env
    config.unconfigure()


def ask(url: str, **more: Any) -> Any:
    """
    The response of a WSGI request with the id `req-1`, read and closed.
    """
    client = testing.Client(raise_request_exception=False)
    response = client.get(url, headers={"X-Request-ID": "req-1"}, **more)
    response.getvalue()
    response.close()
    return response


def ask_async(url: str) -> Any:
    """
    The same under ASGI.
    """

    async def main() -> Any:
        client = testing.AsyncClient(raise_request_exception=False)
        response = await client.get(url, headers={"X-Request-ID": "req-1"})
        if response.streaming:
            assert [part async for part in response] == [b"0", b"1"]
        response.close()
        return response

    return asyncio.run(main())


def messages(lines: LogEnvironment) -> list[str]:
    """
    The messages, after a look at the ids: all are of the one request.
    """
    events = [one for one in lines.load_all() if one["logger"] != "asyncio"]
    assert {one["requestID"] for one in events} == {"req-1"}
    assert not any("late" in one or "request" in one for one in events)
    return [one["message"] for one in events]


@pytest.mark.parametrize("serve", [ask, ask_async])
@pytest.mark.parametrize("url", ["/page", "/async/page"])
def test_sync_and_async_views(lines: LogEnvironment, serve: Any, url: str) -> None:
    """
    Under WSGI and ASGI the lines of either kind of view have the id that is echoed.
    """
    response = serve(f"{url}?token=hush")
    assert response.headers["X-Request-ID"] == "req-1"
    assert messages(lines) == ["in the view", f"GET {url} 200"]
    assert "hush" not in lines.text()
    assert ctxlog.get_store() is None


@pytest.mark.parametrize("serve", [ask, ask_async])
@pytest.mark.parametrize(
    ("name", "status", "said"),
    [
        ("missing", 404, "Not Found: /missing"),
        ("denied", 403, "Forbidden (Permission denied): /denied"),
        ("suspicious", 400, "odd"),
        ("crash", 500, "Internal Server Error: /crash"),
        ("teapot", 418, "I'm a Teapot: /teapot"),
    ],
)
def test_what_django_says_of_a_failure(
    lines: LogEnvironment, serve: Any, name: str, status: int, said: str
) -> None:
    """
    Django's own line about a 4xx or 5xx is there once, with the request's id.
    """
    response = serve(f"/{name}")
    assert response.status_code == status
    assert response.headers["X-Request-ID"] == "req-1"
    seen = messages(lines)
    expected = ["in the view", said, f"GET /{name} {status}"]
    assert seen[-1] == expected[-1]
    assert [one for one in seen if one in expected] == expected


@pytest.mark.parametrize(
    ("serve", "url"), [(ask, "/stream"), (ask_async, "/async/stream")]
)
def test_a_stream_is_in_the_store(lines: LogEnvironment, serve: Any, url: str) -> None:
    """
    A streamed body runs in the store; the completion line comes after it.
    """
    serve(url)
    seen = messages(lines)
    assert seen[:3] == ["in the view", "row 0", "row 1"]
    assert seen[-1] == f"GET {url} 200"


def test_a_stream_that_is_closed_early(lines: LogEnvironment) -> None:
    """
    Closing a response before its end is a disconnect; its clean-up has the store.
    """
    request = testing.RequestFactory().get("/stream", headers={"X-Request-ID": "req-1"})
    response = ContextMiddleware(lambda request: view(request, "stream"))(request)
    next(iter(response))
    response.close()
    assert messages(lines) == ["in the view", "row 0", "rows closed", "GET /stream 200"]
    assert lines.load_all()[-1]["disconnected"] is True


def test_an_error_that_passes_through(lines: LogEnvironment) -> None:
    """
    An error that Django does not answer ends the request and remembers it.
    """

    def broken(request: Any) -> Any:
        raise ValueError("broken")

    async def broken_async(request: Any) -> Any:
        raise ValueError("broken")

    request = testing.RequestFactory().get("/x", headers={"X-Request-ID": "req-1"})
    with pytest.raises(ValueError, match="broken"):
        ContextMiddleware(broken)(request)
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(ContextMiddleware(broken_async)(request))
    assert messages(lines) == ["GET /x 500"] * 2


def test_the_report_of_a_debugger_around_django_is_a_line(
    lines: LogEnvironment,
) -> None:
    """
    With the id and the exception, as `runserver_plus` has werkzeug's.
    """
    debugger = need("werkzeug.debug").DebuggedApplication
    client = need("werkzeug.test").Client
    request_of = need("django.core.handlers.wsgi").WSGIRequest

    def broken(request: Any) -> Any:
        raise ValueError("broken")

    def app(environ: Any, start_response: Any) -> Any:
        return ContextMiddleware(broken)(request_of(environ))

    headers = {"X-Request-ID": "req-1"}
    client(debugger(app)).get("/x", headers=headers, buffered=True)
    (report,) = [one for one in lines.load_all() if one["logger"] == "wsgi.errors"]
    assert (report["requestID"], report["level"]) == ("req-1", "ERROR")
    assert report["exception"]["message"] == "broken"


class User(SimpleNamespace):
    """
    What Django's user models offer.
    """

    is_authenticated = True
    pk = 7

    def get_username(self) -> str:
        return "alice"


def test_the_user_is_taken_if_it_was_loaded(lines: LogEnvironment) -> None:
    """
    `request.user` is on the completion line if something has looked at it before.
    """
    asked: list[int] = []

    def load() -> User:
        asked.append(1)
        return User()

    def serve(request: Any, touch: str) -> Any:
        request.user = functional.SimpleLazyObject(load)
        if touch == "user":
            assert request.user.pk == 7
        elif touch == "auser":
            request._acached_user = User()
        elif touch == "login":
            request.user = User()
        return http.HttpResponse("page")

    users = {}
    for touch in ("", "user", "auser", "login"):
        request = testing.RequestFactory().get("/page")
        middleware = ContextMiddleware(lambda request, t=touch: serve(request, t))
        middleware(request).close()
        users[touch] = lines.load_all()[-1].get("user")
    alice = {"id": 7, "name": "alice"}
    assert users == {"": None, "user": alice, "auser": alice, "login": alice}
    assert len(asked) == 1


def test_the_setting_has_the_options(lines: LogEnvironment) -> None:
    """
    The keys of the setting `CTXLOG` are the options.
    """
    options = {"request_id_header": "X-Trace", "user": lambda request: request.path}
    with override(CTXLOG=options):
        response = testing.Client().get("/page", headers={"X-Trace": "trace-1"})
        response.close()
    assert response.headers["X-Trace"] == "trace-1"
    assert lines.load_all()[-1]["user"] == "/page"


@pytest.mark.parametrize(
    ("setting", "said"),
    [({"trsut": True}, "trsut"), ({"trust": 7}, "trust"), ([], "CTXLOG")],
)
def test_a_wrong_setting_is_named(setting: Any, said: str) -> None:
    """
    An unknown key, and a value that an option cannot have, are refused.
    """
    with override(CTXLOG=setting), pytest.raises(ConfigError, match=said):
        ContextMiddleware(lambda request: http.HttpResponse())


# The route ------------------------------------------------------------------------

ROUTES = [
    ("/", "/"),  # Django's is empty
    ("/shop/a-b/", "shop/<slug:shop>/"),
    ("/shop/a-b/orders/7/", "shop/<slug:shop>/orders/<int:number>/"),
    ("/shop/a-b/async/orders/7/", "shop/<slug:shop>/async/orders/<int:number>/"),
    ("/shop/a-b/de/7", r"shop/<slug:shop>/(?P<kind>[a-z]{2})/(\d+)$"),
    ("/v2/{x}/a/b", r"^v(?P<version>\d+)/{x}/<path:rest>"),
    ("/de/about/us/", "de/about/<str:name>/"),
    ("/missing", "<str:name>"),
    ("/crash", "<str:name>"),
    ("/async/missing", "async/<str:name>"),
    ("/async/page", "async/<str:name>"),
    ("/no/where", None),
]


@pytest.mark.parametrize("serve", [ask, ask_async])
@pytest.mark.parametrize(("url", "route"), ROUTES)
def test_the_route_is_what_django_says(
    lines: LogEnvironment, serve: Any, url: str, route: str | None
) -> None:
    """
    It is on all lines after the routing, as Django has it, and absent without one.
    """
    chain = [
        "ctxlog.servers.django.ContextMiddleware",
        "django.middleware.locale.LocaleMiddleware",
    ]
    with override(MIDDLEWARE=chain, LANGUAGE_CODE="de", USE_I18N=True):
        serve(url)
    found = [one for one in lines.load_all() if one["logger"] != "asyncio"]
    assert {one.get("route") for one in found} == {route}


def test_a_view_of_another_kind_runs_in_the_thread_that_it_would(
    lines: LogEnvironment,
) -> None:
    """
    Under ASGI learning the route costs no change of threads.
    """
    middleware = ContextMiddleware(view_async)
    assert asyncio.iscoroutinefunction(middleware.process_view)
    assert not asyncio.iscoroutinefunction(ContextMiddleware(view).process_view)


# The completion line --------------------------------------------------------------


@pytest.mark.parametrize("serve", [ask, ask_async])
@pytest.mark.parametrize(
    ("url", "size"), [("/page", 4), ("/", 4), ("/teapot", 3), ("/async/stream", 2)]
)
def test_the_size_of_the_response(
    lines: LogEnvironment, serve: Any, url: str, size: int
) -> None:
    """
    `bytesOut` is what the server was given.
    """
    if serve is ask and "async" in url:
        url = "/stream"
    serve(url)
    assert lines.load_all()[-1]["bytesOut"] == size


def wsgi(url: str, method: str = "GET", **environ: Any) -> None:
    """
    Serve a request as a server does, with a wrapper for files.
    """
    handler = need("django.core.handlers.wsgi").WSGIHandler()
    Server(
        handler,
        PATH_INFO=url,
        REQUEST_METHOD=method,
        checked=False,
        **environ,
    ).serve()


@pytest.mark.parametrize("wrapper", [{}, {"wsgi.file_wrapper": FileWrapper}])
def test_the_size_of_a_file(lines: LogEnvironment, wrapper: Any) -> None:
    """
    A file that the server sends has the size that the response promises; HEAD none.
    """
    wsgi("/file", **wrapper)
    wsgi("/file", "HEAD", **wrapper)
    wsgi("/page", "HEAD", **wrapper)
    sizes = [one["bytesOut"] for one in lines.load_all() if "status" in one]
    assert sizes == [Path(__file__).stat().st_size, 0, 0]


def test_a_file_under_asgi(lines: LogEnvironment) -> None:
    """
    Its parts are counted.
    """

    async def main() -> None:
        client = testing.AsyncClient()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Django says that it reads it at once
            response = await client.get("/file")
            assert b"".join([part async for part in response])
        response.close()

    asyncio.run(main())
    assert lines.load_all()[-1]["bytesOut"] == Path(__file__).stat().st_size


FIELDS = (
    *("query", "userAgent", "referer", "host", "scheme", "httpVersion", "bytesIn"),
    *("bytesOut", "ttfbMs", "header:X-Tenant", "responseHeader:Content-Type"),
)


@pytest.mark.parametrize("kind", [testing.Client, testing.AsyncClient])
def test_all_fields_of_a_completion_line(lines: LogEnvironment, kind: Any) -> None:
    """
    Under WSGI and ASGI alike.
    """
    headers = {
        "User-Agent": "curl/8",
        "Referer": "https://a:b@shop.example/?token=hush",
        "X-Tenant": "acme",
    }
    if kind is testing.Client:
        headers["Host"] = "testserver"  # the other one sends it anyway
    with override(CTXLOG={"completion_fields": FIELDS}):
        answer = kind().post("/page?a=1&token=hush", {"b": 2}, headers=headers)
        if asyncio.iscoroutine(answer):

            async def main() -> Any:
                return await answer

            answer = asyncio.run(main())
        answer.close()
    line = lines.load_all()[-1]
    assert line["query"] == f"a=1&token={REDACTED}"
    assert (line["userAgent"], line["host"]) == ("curl/8", "testserver")
    assert line["referer"] == f"https://shop.example/?token={REDACTED}"
    assert line["scheme"] == "http"
    assert line["httpVersion"] in ("1.1", "2")
    assert line["bytesIn"] > 0
    assert line["bytesOut"] == 4
    assert 0 <= line["ttfbMs"] <= line["durationMs"]
    assert line["headers"] == {"X-Tenant": "acme"}
    assert line["responseHeaders"] == {"Content-Type": "text/html; charset=utf-8"}


def completion(completed: Any) -> dict[str, object]:
    """
    A rule that the setting names by its dotted path.
    """
    return {"view": completed.request.resolver_match.func.__name__}


def test_a_callable_may_be_named_by_its_path(lines: LogEnvironment) -> None:
    """
    `completion` and its like are objects or dotted paths.
    """
    for given in (completion, f"{__name__}.completion"):
        with override(CTXLOG={"completion": given, "slow": 0}):
            ask("/page")
        line = lines.load_all()[-1]
        assert (line["view"], line["level"], line["slow"]) == ("view", "WARNING", True)


@pytest.mark.parametrize("given", ["no.such.module", f"{__name__}.nothing", "x"])
def test_a_wrong_path_is_named(given: str) -> None:
    """
    The server does not start, and the error has the option and the path.
    """
    with (
        override(CTXLOG={"completion": given}),
        pytest.raises(ConfigError, match=f"completion.*{given}"),
    ):
        ContextMiddleware(lambda request: http.HttpResponse())


def test_rules_that_drop_or_fail(lines: LogEnvironment) -> None:
    """
    False leaves the line out; one that raises costs the fields only, and is said.
    """
    with override(CTXLOG={"completion": lambda done: False}):
        ask("/page")
    assert [one["message"] for one in lines.load_all()] == ["in the view"]
    with override(CTXLOG={"completion": lambda done: 1 / 0}):
        ask("/page")
    *_, report, line = lines.load_all()
    assert report["message"] == "completion failed"
    assert (line["message"], line["requestID"]) == ("GET /page 200", "req-1")


@pytest.mark.parametrize("url", ["/page", "/stream", "/file"])
@pytest.mark.parametrize("wrapper", [{}, {"wsgi.file_wrapper": FileWrapper}])
def test_a_request_is_gone_when_it_has_ended(
    lines: LogEnvironment, url: str, wrapper: Any
) -> None:
    """
    It does not wait for the garbage collector.
    """
    if sys.version_info < (3, 11):
        pytest.skip("Django alone leaves it to the collector there")
    kept: list[Any] = []

    def remember(done: Any) -> dict[str, object]:
        kept.append(weakref.ref(done.request))
        return {"kind": type(done.request).__name__}

    with override(CTXLOG={"completion": remember, "completion_fields": FIELDS}):
        wsgi(url, **wrapper)  # Django makes things that it keeps
        gc.collect()
        gc.disable()
        try:
            wsgi(url, **wrapper)
            assert [one() for one in kept] == [None, None]
        finally:
            gc.enable()
    assert lines.load_all()[-1]["kind"] == "WSGIRequest"
