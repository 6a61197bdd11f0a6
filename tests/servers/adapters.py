"""
Every adapter of servers, each with a small application and a real server on a socket.
"""

from __future__ import annotations

import asyncio
import http.client
import itertools
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest

from ctxlog.servers import asgi, wsgi
from tests.helpers import need

#: The headers of a request, some of them twice.
Pairs = list[tuple[str, str]]

#: What the application does for a request. It may raise.
Work = Callable[[], object]


class Serve(Protocol):
    """
    Serves requests one after the other, by one adapter with its options.
    """

    __name__: str

    def __call__(self, requests: list[Pairs], work: Work, **options: Any) -> None: ...


def get(port: int, pairs: Pairs) -> None:
    """
    Send a request to `/orders`, with headers that may come twice.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.putrequest("GET", "/orders")
        for name, value in pairs:
            connection.putheader(name, value)
        connection.endheaders()
        connection.getresponse().read()
    finally:
        connection.close()


async def get_all(port: int, requests: list[Pairs]) -> None:
    for pairs in requests:
        await asyncio.to_thread(get, port, pairs)


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """
        Write no access line to standard error.
        """


def serve_wsgi(app: Any, requests: list[Pairs]) -> None:
    server = make_server("127.0.0.1", 0, app, handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for pairs in requests:
            get(server.server_port, pairs)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def by_wsgi(requests: list[Pairs], work: Work, **options: Any) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        work()
        start_response("200 OK", [])
        return []

    serve_wsgi(wsgi.ContextMiddleware(app, **options), requests)


def by_flask(requests: list[Pairs], work: Work, **options: Any) -> None:
    flask, adapter = need("flask"), need("ctxlog.servers.flask")
    app = flask.Flask("tests")

    @app.get("/orders")  # type: ignore[untyped-decorator]
    def orders() -> str:
        work()
        return ""

    adapter.install(app, **options)
    serve_wsgi(app, requests)


def by_pyramid(requests: list[Pairs], work: Work, **options: Any) -> None:
    configurator = need("pyramid.config").Configurator()
    response, adapter = need("pyramid.response"), need("ctxlog.servers.pyramid")
    configurator.add_route("orders", "/orders")

    def view(request: Any) -> Any:
        work()
        return response.Response("")

    configurator.add_view(view, route_name="orders")
    app = configurator.make_wsgi_app()
    adapter.install(app, **options)
    serve_wsgi(app, requests)


def by_django(requests: list[Pairs], work: Work, **options: Any) -> None:
    need("django")
    from tests.servers.test_django import http as django_http
    from tests.servers.test_django import override, path

    def view(request: Any) -> Any:
        work()
        return django_http.HttpResponse("")

    class Urls:
        urlpatterns = (path("orders", view),)

    handlers = need("django.core.handlers.wsgi")
    with override(CTXLOG=options, ROOT_URLCONF=Urls):
        serve_wsgi(handlers.WSGIHandler(), requests)


def by_asgi(requests: list[Pairs], work: Work, **options: Any) -> None:
    uvicorn = need("uvicorn")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        served = asgi.ContextMiddleware(app, **options)
        config = uvicorn.Config(served, log_config=None, lifespan="off")
        server = uvicorn.Server(config)
        serving = asyncio.ensure_future(server.serve([listener]))
        await get_all(listener.getsockname()[1], requests)
        server.should_exit = True
        await serving
        listener.close()

    asyncio.run(main())


def by_aiohttp(requests: list[Pairs], work: Work, **options: Any) -> None:
    web, utils = need("aiohttp.web"), need("aiohttp.test_utils")
    adapter = need("ctxlog.servers.aiohttp")

    async def handler(request: Any) -> Any:
        work()
        return web.Response()

    async def main() -> None:
        app = web.Application(middlewares=[adapter.middleware(**options)])
        app.router.add_get("/orders", handler)
        async with utils.TestServer(app) as server:
            await get_all(server.port, requests)

    asyncio.run(main())


def by_tornado(requests: list[Pairs], work: Work, **options: Any) -> None:
    web, adapter = need("tornado.web"), need("ctxlog.servers.tornado")

    class Handler(web.RequestHandler):  # type: ignore[misc,name-defined]
        def get(self) -> None:
            work()

    async def main() -> None:
        app = web.Application([("/orders", Handler)])
        adapter.install(app, **options)
        server = app.listen(0, "127.0.0.1")
        (listener,) = server._sockets.values()
        try:
            await get_all(listener.getsockname()[1], requests)
        finally:
            server.stop()
            await server.close_all_connections()

    asyncio.run(main())


_names = itertools.count()


def by_sanic(requests: list[Pairs], work: Work, **options: Any) -> None:
    if sys.platform == "win32":
        pytest.skip("sanic's server is for Unix")
    need("sanic")
    from tests.servers.test_sanic import adapter, sanic, serve

    before, sanic.Sanic.test_mode = sanic.Sanic.test_mode, True
    app = sanic.Sanic(f"levels-{next(_names)}", configure_logging=False)
    try:

        @app.get("/orders")  # type: ignore[untyped-decorator]
        async def orders(request: Any) -> Any:
            work()
            return sanic.text("")

        adapter.install(app, **options)
        serve(app, lambda client, port: get_all(port, requests))
    finally:
        sanic.Sanic.test_mode = before
        sanic.Sanic.unregister_app(app)


def by_websockets(requests: list[Pairs], work: Work, **options: Any) -> None:
    need("websockets.asyncio.server")
    from tests.servers.test_websockets import adapter, client, serve

    async def handler(connection: Any) -> None:
        work()

    async def talk(url: str) -> None:
        for pairs in requests:
            async with client.connect(f"{url}/orders", additional_headers=pairs) as one:
                await one.wait_closed()

    serve(talk, adapter.connection(**options), handler)


def by_grpc(requests: list[Pairs], work: Work, **options: Any) -> None:
    need("grpc")
    from tests.servers.test_grpc import Service, adapter, grpc, handlers

    class Orders(Service):
        def plain(self, request: bytes, context: Any) -> bytes:
            work()
            return request

    with ThreadPoolExecutor(2) as pool:
        interceptor = adapter.ServerInterceptor(**options)
        server = grpc.server(pool, interceptors=[interceptor])
        server.add_generic_rpc_handlers((handlers(Orders()),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        call_all(grpc, port, requests)
        server.stop(None).wait(60)


def by_grpc_aio(requests: list[Pairs], work: Work, **options: Any) -> None:
    need("grpc")
    from tests.servers.test_grpc import AioService, adapter, grpc, handlers

    class Orders(AioService):
        async def plain(self, request: bytes, context: Any) -> bytes:  # type: ignore[override]
            work()
            return request

    async def main() -> None:
        interceptor = adapter.AioServerInterceptor(**options)
        server = grpc.aio.server(interceptors=[interceptor])
        server.add_generic_rpc_handlers((handlers(Orders()),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await asyncio.to_thread(call_all, grpc, port, requests)
        await server.stop(None)

    asyncio.run(main())


def call_all(grpc: Any, port: int, requests: list[Pairs]) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for pairs in requests:
            metadata = tuple((name.lower(), value) for name, value in pairs)
            call = channel.unary_unary("/Shop/plain").future(
                b"", metadata=metadata, timeout=60
            )
            call.exception()  # of a handler that raises: waits for the end


#: Every adapter, and what says the path in what it calls `level` with.
ADAPTERS: dict[Serve, Callable[[Any], str]] = {
    by_asgi: lambda scope: scope["path"],
    by_wsgi: lambda environ: environ["PATH_INFO"],
    by_flask: lambda environ: environ["PATH_INFO"],
    by_pyramid: lambda environ: environ["PATH_INFO"],
    by_django: lambda request: request.path,
    by_aiohttp: lambda request: request.path,
    by_tornado: lambda request: request.path,
    by_sanic: lambda request: request.path,
    by_websockets: lambda connection: connection.request.path,
    by_grpc: lambda details: details.method,
    by_grpc_aio: lambda details: details.method,
}
