"""
Routes of Starlette and FastAPI: the template that matched, mounts and routers joined.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import ctxlog
from ctxlog.servers import asgi
from tests.helpers import need
from tests.servers.test_asgi import Lines, call

applications = need("starlette.applications")
base = need("starlette.middleware.base")
responses = need("starlette.responses")
routing = need("starlette.routing")
staticfiles = need("starlette.staticfiles")
starlette = need("ctxlog.servers.starlette")

LOG = logging.getLogger("shop")


def page(request: Any) -> Any:
    """
    Log a line, in a thread.
    """
    LOG.info("in the page")
    return responses.PlainTextResponse("ok")


async def room(socket: Any) -> None:
    """
    Log a line and close the websocket.
    """
    await socket.accept()
    LOG.info("in the page")
    await socket.close()


async def raw(scope: Any, receive: Any, send: Any) -> None:
    """
    An ASGI application without routes.
    """
    LOG.info("in the page")
    await responses.PlainTextResponse("ok")(scope, receive, send)


async def unseen(scope: Any, receive: Any, send: Any) -> None:
    """
    Another one, around one with routes that cannot be seen from outside.
    """
    await applications.Starlette(routes=[routing.Route("/deep/{name}", page)])(
        scope, receive, send
    )


class Passing(base.BaseHTTPMiddleware):  # type: ignore[misc,name-defined]
    """
    A middleware of the framework's own kind.
    """

    async def dispatch(self, request: Any, call_next: Any) -> Any:
        return await call_next(request)


def application(folder: Path) -> Any:
    """
    An application with routes of every kind.
    """
    app = applications.Starlette(
        routes=[
            routing.Route("/", page),
            routing.Route("/orders/{number:int}", page),
            routing.Route("/files/{rest:path}", page),
            routing.Route("/{{literally}}/x", page),
            routing.Mount(
                "/shops/{shop}",
                routes=[
                    routing.Route("/", page),
                    routing.Mount("/v1", routing.Router([routing.Route("/{a}", page)])),
                ],
            ),
            routing.Mount(
                "/app",
                app=applications.Starlette(routes=[routing.Route("/x/{y}", page)]),
            ),
            routing.Mount("/static", app=staticfiles.StaticFiles(directory=folder)),
            routing.Mount("/raw/{kind}", app=raw),
            routing.Mount("/unseen", app=unseen),
            routing.WebSocketRoute("/rooms/{room}", room),
            routing.Host(
                "api.example.com",
                app=routing.Router([routing.Route("/hosted/{id}", page)]),
            ),
        ]
    )
    app.add_middleware(Passing)
    return app


ROUTES = {
    "/": "/",
    "/orders/7": "/orders/{number:int}",
    "/files/a/b/c": "/files/{rest:path}",
    "/shops/acme/": "/shops/{shop}/",
    "/shops/acme/v1/7": "/shops/{shop}/v1/{a}",
    "/app/x/7": "/app/x/{y}",
    "/static/a.txt": "/static",
    "/static/none.txt": "/static",
    "/raw/a/anything/at/all": "/raw/{kind}",
    "/unseen/deep/me": "/unseen/deep/{name}",
    "/orders/seven": None,
    "/nothing": None,
    "/app/nothing": None,
    "/shops/acme/v1": None,
}


@pytest.mark.parametrize("path", ROUTES)
def test_route_of_starlette(lines: Lines, path: str, tmp_path: Path) -> None:
    """
    The completion line and the page's own line have the template that matched.
    """
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    app = application(tmp_path)
    asgi.install(app)
    call(app, path=path)
    expected = ROUTES[path]
    assert lines.completion().get("route") == expected
    inner = [one.get("route") for one in lines.of("shop")]
    assert inner in ([], [expected])


def test_route_of_a_websocket(lines: Lines, tmp_path: Path) -> None:
    """
    A websocket has the template of its route.
    """
    app = application(tmp_path)
    asgi.install(app)
    call(
        app, kind="websocket", path="/rooms/7", messages=[{"type": "websocket.connect"}]
    )
    assert {one["route"] for one in lines.load_all()} == {"/rooms/{room}"}


def test_route_of_a_host(lines: Lines, tmp_path: Path) -> None:
    """
    A route that is chosen by the host has its own template.
    """
    app = application(tmp_path)
    asgi.install(app)
    call(app, path="/hosted/7", headers=[("host", "api.example.com")])
    assert lines.completion()["route"] == "/hosted/{id}"


def test_route_of_a_method_that_is_not_allowed(lines: Lines, tmp_path: Path) -> None:
    """
    A 405 has the route that matched but for the method.
    """
    app = application(tmp_path)
    asgi.install(app)
    call(app, path="/orders/7", method="DELETE")
    line = lines.completion()
    assert (line["status"], line["route"]) == (405, "/orders/{number:int}")


def test_lines_before_the_routing_have_no_route(lines: Lines) -> None:
    """
    A middleware's line has the route once the framework has found it.
    """

    class Around(base.BaseHTTPMiddleware):  # type: ignore[misc,name-defined]
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            LOG.info("before")
            response = await call_next(request)
            LOG.info("after")
            return response

    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    app.add_middleware(Around)
    asgi.install(app)
    call(app, path="/orders/7")
    found = {one["message"]: one.get("route") for one in lines.of("shop")}
    route = "/orders/{number}"
    assert found == {"before": None, "in the page": route, "after": route}


def test_a_route_that_the_application_has_bound_stays(lines: Lines) -> None:
    """
    A field `route` of the application's own is not replaced.
    """

    class Around(base.BaseHTTPMiddleware):  # type: ignore[misc,name-defined]
        async def dispatch(self, request: Any, call_next: Any) -> Any:
            ctxlog.bind(route="A12")
            return await call_next(request)

    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    app.add_middleware(Around)
    asgi.install(app)
    call(app, path="/orders/7")
    assert lines.completion()["route"] == "A12"


def test_the_route_is_the_requests_also_within_a_nested_store(lines: Lines) -> None:
    """
    A middleware that runs the application in a store of its own hides no route.
    """

    class Around:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, *connection: Any) -> None:
            await ctxlog.run({"part": "inner"}, self.app, *connection)

    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    app.add_middleware(Around)
    asgi.install(app)
    call(app, path="/orders/7")
    assert lines.completion()["route"] == "/orders/{number}"


def test_a_middleware_around_the_application_is_enough(lines: Lines) -> None:
    """
    `ContextMiddleware(app)` learns the route as `install(app)` does.
    """
    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    call(asgi.ContextMiddleware(app), path="/orders/7")
    assert lines.completion()["route"] == "/orders/{number}"


def test_without_the_hook_there_is_no_route(lines: Lines) -> None:
    """
    `uninstall()` gives Starlette's methods back.
    """
    original = routing.Route.handle
    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    asgi.install(app)
    assert routing.Route.handle is not original
    starlette.uninstall()
    assert routing.Route.handle is original
    call(app, path="/orders/7")
    assert "route" not in lines.completion()


FASTAPI_ROUTES = {
    "/orders/7": "/orders/{number}",
    "/orders/seven": "/orders/{number}",
    "/api/v1/shops/acme/items/3": "/api/v1/shops/{shop}/items/{item}",
    "/api/v2/items/3": "/api/v2/items/{item}",
    "/sub/acme/things/9": "/sub/{tenant}/things/{thing}",
    "/sub/acme/nothing": None,
    "/docs": "/docs",
    "/api/v1/nothing": None,
    "/nothing": None,
}


def fastapi_application() -> Any:
    """
    An application of FastAPI with a router that is included twice, and a mounted one.
    """
    fastapi: Any = need("fastapi")
    app = fastapi.FastAPI()
    items = fastapi.APIRouter(prefix="/items")
    shops = fastapi.APIRouter(prefix="/v1")
    sub = fastapi.FastAPI()

    async def answer() -> str:
        LOG.info("in the page")
        return "ok"

    def numbered(number: int) -> str:
        LOG.info("in the page")
        return "ok"

    app.get("/orders/{number}")(numbered)
    items.get("/{item}")(answer)
    sub.get("/things/{thing}")(answer)
    shops.include_router(items, prefix="/shops/{shop}")
    app.include_router(shops, prefix="/api")
    app.include_router(items, prefix="/api/v2")
    app.mount("/sub/{tenant}", sub)
    return app


@pytest.mark.parametrize("path", FASTAPI_ROUTES)
def test_route_of_fastapi(lines: Lines, path: str) -> None:
    """
    Prefixes of routers and mounts are part of the template.
    """
    app = fastapi_application()
    asgi.install(app)
    call(app, path=path)
    assert lines.completion().get("route") == FASTAPI_ROUTES[path]
    assert {one.get("route") for one in lines.of("shop")} <= {FASTAPI_ROUTES[path]}


@pytest.mark.parametrize("first", ["theirs", "ours"])
def test_route_beside_a_wrapper_of_another_library(lines: Lines, first: str) -> None:
    """
    A tracer that wraps the same method works, whichever came first and leaves first.
    """
    wrapt = need("wrapt")
    seen: list[str] = []
    original = routing.Route.handle

    def wrapper(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        seen.append(instance.path)
        return wrapped(*args, **kwargs)

    def wrap() -> None:
        wrapt.wrap_function_wrapper("starlette.routing", "Route.handle", wrapper)

    app = applications.Starlette(routes=[routing.Route("/orders/{number}", page)])
    try:
        if first == "theirs":
            wrap()
            asgi.install(app)
        else:
            asgi.install(app)
            wrap()
        call(app, path="/orders/7")
        assert seen == ["/orders/{number}"]
        assert lines.completion()["route"] == "/orders/{number}"
    finally:
        starlette.uninstall()
        routing.Route.handle = original
