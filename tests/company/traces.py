"""
Run by `test_traces.py`: one framework, one tracer and ctxlog in one process.

    python tests/company/traces.py FRAMEWORK ORDER

Serves requests in memory or on a loopback socket, prints ctxlog's lines, and at last
one JSON array of the spans that were made: `[[kind, traceID, spanID], ...]`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import ctxlog

LOG = logging.getLogger("shop")

#: The paths: a handler that logs, one that does not, one that fails.
PATHS = ("/talks", "/silent", "/crash")

Step = Callable[[], object]


def behave(path: str) -> str:
    """Do as a handler does for a path."""
    if path == "/crash":
        raise ValueError("broken")
    if path == "/talks":
        LOG.info("handling")
        with trace.get_tracer("shop").start_as_current_span("inner"):
            LOG.info("within a span of the application's")
    return "done"


def in_order(order: str, ours: Step, theirs: Step) -> None:
    """Install both."""
    for step in (ours, theirs) if order == "ours-first" else (theirs, ours):
        step()


# ASGI ---------------------------------------------------------------------------


def ask_by_asgi(app: Any) -> None:
    """Ask for every path."""
    import httpx

    async def main() -> None:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as web:
            for path in PATHS:
                await web.get(path, headers={"X-Request-ID": path})

    asyncio.run(main())


def fastapi(order: str) -> None:
    """FastAPI, each application instrumented."""
    from fastapi import FastAPI
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor

    from ctxlog.servers import asgi

    app = FastAPI()

    @app.get("/{name}")
    async def get(name: str) -> str:
        return behave(f"/{name}")

    in_order(
        order,
        lambda: asgi.install(app),
        lambda: FastAPIInstrumentor.instrument_app(app),
    )
    ask_by_asgi(app)


def starlette(order: str) -> None:
    """Starlette, each application instrumented."""
    from opentelemetry.instrumentation.starlette import StarletteInstrumentor
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from ctxlog.servers import asgi

    async def get(request: Any) -> Any:
        return PlainTextResponse(behave(request.url.path))

    app = Starlette(routes=[Route("/{name}", get)])
    in_order(
        order,
        lambda: asgi.install(app),
        lambda: StarletteInstrumentor.instrument_app(app),
    )
    ask_by_asgi(app)


def asgi(order: str) -> None:
    """An ASGI application in two middlewares, the first one outside."""
    from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

    from ctxlog.servers.asgi import ContextMiddleware

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = behave(scope["path"]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    if order == "ours-first":
        ask_by_asgi(ContextMiddleware(OpenTelemetryMiddleware(app)))
    else:
        ask_by_asgi(OpenTelemetryMiddleware(ContextMiddleware(app)))


# WSGI ---------------------------------------------------------------------------


def ask_by_wsgi(app: Any) -> None:
    """Ask for every path, as a server does."""
    from wsgiref.util import setup_testing_defaults

    for path in PATHS:
        environ: dict[str, Any] = {"HTTP_X_REQUEST_ID": path, "PATH_INFO": path}
        setup_testing_defaults(environ)
        environ["SERVER_SOFTWARE"] = "WSGIServer"
        try:
            body = app(environ, lambda *started: lambda data: None)
            for _ in body:
                pass
            getattr(body, "close", lambda: None)()
        except ValueError:
            pass


def wsgi(order: str) -> None:
    """A WSGI application in two middlewares, the first one outside."""
    from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware

    from ctxlog.servers.wsgi import ContextMiddleware

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        body = behave(environ["PATH_INFO"]).encode()
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [body]

    if order == "ours-first":
        ask_by_wsgi(ContextMiddleware(OpenTelemetryMiddleware(app)))
    else:
        ask_by_wsgi(OpenTelemetryMiddleware(ContextMiddleware(app)))


def flask(order: str) -> None:
    """Flask, each application instrumented."""
    from flask import Flask
    from opentelemetry.instrumentation.flask import FlaskInstrumentor

    from ctxlog.servers.flask import init_app

    app = Flask("shop")
    app.add_url_rule("/<name>", view_func=lambda name: behave(f"/{name}"))
    in_order(
        order, lambda: init_app(app), lambda: FlaskInstrumentor().instrument_app(app)
    )
    ask_by_wsgi(app)


def django(order: str) -> None:
    """Django, whose tracer adds a middleware to the settings."""
    import django
    from django.conf import settings
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpResponse
    from django.urls import path
    from opentelemetry.instrumentation.django import DjangoInstrumentor

    settings.configure(
        SECRET_KEY="only a test",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["ctxlog.servers.django.ContextMiddleware"],
        LOGGING_CONFIG=None,
    )
    module: Any = sys.modules[__name__]
    module.urlpatterns = [
        path("<name>", lambda request, name: HttpResponse(behave(f"/{name}")))
    ]
    in_order(order, django.setup, lambda: DjangoInstrumentor().instrument())
    ask_by_wsgi(get_wsgi_application())


# Servers of their own -----------------------------------------------------------


async def ask_by_http(port: int) -> None:
    """Ask for every path."""
    import httpx

    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web:
        for path in PATHS:
            await web.get(path, headers={"X-Request-ID": path})


def aiohttp(order: str) -> None:
    """aiohttp, whose tracer replaces the class of applications."""
    from aiohttp import web
    from opentelemetry.instrumentation.aiohttp_server import (
        AioHttpServerInstrumentor,
        create_aiohttp_middleware,
    )

    from ctxlog.servers.aiohttp import AccessLogger, middleware

    application = web.Application
    AioHttpServerInstrumentor().instrument()

    async def get(request: Any) -> Any:
        return web.Response(text=behave(request.path))

    async def main() -> None:
        if order == "ours-first":
            theirs = create_aiohttp_middleware(trace.get_tracer_provider())
            app = application(middlewares=[middleware, theirs])
        else:
            app = web.Application(middlewares=[middleware])
        app.router.add_get("/{name}", get)
        runner = web.AppRunner(app, access_log_class=AccessLogger)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await ask_by_http(runner.addresses[0][1])
        await runner.cleanup()

    asyncio.run(main())


def tornado(order: str) -> None:
    """Tornado, whose tracer replaces methods of handlers."""
    from opentelemetry.instrumentation.tornado import TornadoInstrumentor
    from tornado import web

    from ctxlog.servers.tornado import install

    class Handler(web.RequestHandler):
        def get(self, name: str) -> None:
            self.write(behave(f"/{name}"))

    app = web.Application([("/(.*)", Handler)])
    in_order(order, lambda: install(app), lambda: TornadoInstrumentor().instrument())

    async def main() -> None:
        server = app.listen(0, "127.0.0.1")
        (listener,) = server._sockets.values()
        await ask_by_http(listener.getsockname()[1])
        server.stop()
        await server.close_all_connections()

    asyncio.run(main())


def grpc(order: str) -> None:
    """gRPC, with the interceptors in both orders."""
    from concurrent import futures

    import grpc
    from opentelemetry.instrumentation.grpc import server_interceptor

    from ctxlog.servers.grpc import ServerInterceptor

    def respond(request: bytes, context: Any) -> bytes:
        return behave(dict(context.invocation_metadata())["x-request-id"]).encode()

    handler = grpc.method_handlers_generic_handler(
        "Shop", {"Get": grpc.unary_unary_rpc_method_handler(respond)}
    )
    ours, theirs = ServerInterceptor(), server_interceptor()
    both = [ours, theirs] if order == "ours-first" else [theirs, ours]
    server = grpc.server(futures.ThreadPoolExecutor(1), interceptors=both)
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for path in PATHS:
            try:
                channel.unary_unary("/Shop/Get")(
                    b"", metadata=[("x-request-id", path)], timeout=30
                )
            except grpc.RpcError:
                pass
    server.stop(None).wait()


def celery(order: str) -> None:
    """Celery, whose tracer listens to its signals."""
    from celery import Celery
    from opentelemetry.instrumentation.celery import CeleryInstrumentor

    from ctxlog.tasks.celery import install

    app = Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.task_always_eager = True
    in_order(order, lambda: install(app), lambda: CeleryInstrumentor().instrument())
    task = app.task(behave, name="behave")
    for path in PATHS:
        ctxlog.run({"requestID": path}, task.apply_async, (path,))


def main() -> None:
    framework, order = sys.argv[1:]
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    ctxlog.configure(format="json", levels={"httpx": "WARNING", "asyncio": "WARNING"})
    globals()[framework](order)
    spans = [
        [span.kind.name, f"{at.trace_id:032x}", f"{at.span_id:016x}"]
        for span in exporter.get_finished_spans()
        if (at := span.context) is not None
    ]
    sys.stdout.write(json.dumps(spans) + "\n")


if __name__ == "__main__":
    main()
