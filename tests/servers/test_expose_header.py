"""
`expose_header`: whether scripts of other origins may read the id, in every adapter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from ctxlog.errors import ConfigError
from ctxlog.servers import asgi, wsgi
from tests.helpers import need

EXPOSE = "Access-Control-Expose-Headers"

#: Asks an application that sends the value of `EXPOSE`, with the options of ctxlog.
Ask = Callable[..., list[str]]


def by_asgi(given: str | None, **options: Any) -> list[str]:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        headers = [] if given is None else [(EXPOSE.encode(), given.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(asgi.ContextMiddleware(app, **options)(scope, send, send))  # type: ignore[arg-type]
    return [
        value.decode()
        for key, value in sent[0]["headers"]
        if key.decode().lower() == EXPOSE.lower()
    ]


def by_wsgi(given: str | None, **options: Any) -> list[str]:
    sent: list[tuple[str, str]] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [] if given is None else [(EXPOSE, given)])
        return []

    def start_response(status: str, headers: Any, *more: Any) -> None:
        sent.extend(headers)

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    wsgi.ContextMiddleware(app, **options)(environ, start_response).close()  # type: ignore[attr-defined]
    return [value for key, value in sent if key == EXPOSE]


def by_flask(given: str | None, **options: Any) -> list[str]:
    flask, adapter = need("flask"), need("ctxlog.servers.flask")
    app = flask.Flask("tests")
    app.add_url_rule("/", view_func=lambda: ("", {EXPOSE: given} if given else {}))
    adapter.init_app(app, **options)
    found: list[str] = app.test_client().get("/").headers.getlist(EXPOSE)
    return found


def by_django(given: str | None, **options: Any) -> list[str]:
    need("django")
    from tests.servers.test_django import ContextMiddleware, http, override, testing

    def respond(request: Any) -> Any:
        return http.HttpResponse("", headers={EXPOSE: given} if given else {})

    with override(CTXLOG=options):
        response = ContextMiddleware(respond)(testing.RequestFactory().get("/"))
    response.close()
    return [response[EXPOSE]] if EXPOSE in response else []


def by_aiohttp(given: str | None, **options: Any) -> list[str]:
    web, utils = need("aiohttp.web"), need("aiohttp.test_utils")
    adapter = need("ctxlog.servers.aiohttp")

    async def handler(request: Any) -> Any:
        return web.Response(headers={EXPOSE: given} if given else {})

    async def main() -> list[str]:
        app = web.Application(middlewares=[adapter.middleware(**options)])
        app.router.add_get("/", handler)
        async with utils.TestClient(utils.TestServer(app)) as client:
            response = await client.get("/")
            found: list[str] = response.headers.getall(EXPOSE, [])
            return found

    return asyncio.run(main())


def by_tornado(given: str | None, **options: Any) -> list[str]:
    web, testing = need("tornado.web"), need("tornado.httpclient")
    adapter = need("ctxlog.servers.tornado")

    class Handler(web.RequestHandler):  # type: ignore[misc,name-defined]
        def get(self) -> None:
            if given is not None:
                self.set_header(EXPOSE, given)

    async def main() -> list[str]:
        app = web.Application([("/", Handler)])
        adapter.install(app, **options)
        server = app.listen(0, "127.0.0.1")
        (listener,) = server._sockets.values()
        client = testing.AsyncHTTPClient(force_instance=True)
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            found: list[str] = (await client.fetch(url)).headers.get_list(EXPOSE)
            return found
        finally:
            client.close()
            server.stop()
            await server.close_all_connections()

    return asyncio.run(main())


@pytest.fixture(
    params=[by_asgi, by_wsgi, by_flask, by_django, by_aiohttp, by_tornado],
    ids=lambda ask: ask.__name__[3:],
)
def ask(request: pytest.FixtureRequest) -> Ask:
    """
    One adapter.
    """
    found: Ask = request.param
    return found


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def test_nothing_is_exposed_unless_asked_for(ask: Ask) -> None:
    """
    By default the application's own value is left as it is.
    """
    assert ask(None) == []
    assert ask("ETag") == ["ETag"]


def test_the_header_of_the_id_is_exposed(ask: Ask) -> None:
    """
    With the option, scripts may read the header that the id is echoed in.
    """
    assert ask(None, expose_header=True) == ["X-Request-ID"]
    asked = ask(None, expose_header=True, request_id_header="X-Trace")
    assert asked == ["X-Trace"]


def test_the_header_is_appended_once(ask: Ask) -> None:
    """
    What the application exposes stays; what is there in any case is not repeated.
    """
    assert ask("ETag", expose_header=True) == ["ETag, X-Request-ID"]
    assert ask("x-request-id, ETag", expose_header=True) == ["x-request-id, ETag"]


def test_the_option_is_checked() -> None:
    """
    Anything but a truth value is an error that names the option.
    """
    with pytest.raises(ConfigError, match="expose_header"):
        by_wsgi(None, expose_header="yes")
