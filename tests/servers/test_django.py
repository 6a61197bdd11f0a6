"""
The Django adapter, through Django's own handlers and test clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

import ctxlog
from ctxlog import config
from ctxlog.errors import ConfigError
from tests.helpers import LogEnvironment, need

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
    return http.HttpResponse("page")


async def rows_async() -> AsyncIterator[str]:
    LOG.info("row 0")
    yield "0"
    await asyncio.sleep(0)
    LOG.info("row 1")
    yield "1"


urlpatterns = [path("<str:name>", view), path("async/<str:name>", view_async)]


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
