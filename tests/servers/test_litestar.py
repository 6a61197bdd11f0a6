"""
Routes of Litestar: the path template that matched, with those of controllers, routers.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ctxlog.servers import asgi
from tests.helpers import need
from tests.servers.test_asgi import Lines, call

litestar = need("litestar")
connection = need("litestar.connection")
static_files = need("litestar.static_files")
adapter = need("ctxlog.servers.litestar")

LOG = logging.getLogger("shop")


async def page() -> str:
    """
    Log a line.
    """
    LOG.info("in the page")
    return "ok"


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
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def guard(one: Any, handler: Any) -> None:
    """
    Let everybody in.
    """
    LOG.info("in a guard")


def application(folder: Path) -> Any:
    """
    An application with routes of every kind.
    """
    room.__annotations__["socket"] = litestar.WebSocket
    orders = litestar.Router(
        "/orders", route_handlers=[litestar.get("/{number:int}")(page)]
    )
    api = litestar.Router(
        "/api/{tenant:str}",
        route_handlers=[
            orders,
            litestar.get(["/twice/{a:str}", "/again/{b:str}"])(page),
        ],
    )
    mount = litestar.asgi("/raw", is_mount=True, copy_scope=True)(raw)
    guarded = litestar.asgi("/guarded", is_mount=True, copy_scope=True, guards=[guard])
    return litestar.Litestar(
        [
            api,
            litestar.get("/plain")(page),
            litestar.get("/files/{rest:path}")(page),
            litestar.Router("/sub", route_handlers=[mount, guarded(raw)]),
            litestar.websocket("/rooms/{name:str}")(room),
            static_files.create_static_files_router("/static", [folder]),
        ],
        logging_config=None,
        openapi_config=None,
    )


ROUTES = {
    "/api/acme/orders/7": "/api/{tenant}/orders/{number}",
    "/api/acme/twice/x": "/api/{tenant}/twice/{a}",
    "/api/acme/again/x": "/api/{tenant}/again/{b}",
    "/plain": "/plain",
    "/plain/": "/plain",
    "/files/a/b/c": "/files/{rest}",
    "/sub/raw/a/b": "/sub/raw",
    "/sub/guarded/a/b": "/sub/guarded",
    "/static/a.txt": "/static/{file_path}",
    "/static/none.txt": "/static/{file_path}",
    "/api/acme/orders/seven": None,
    "/nothing": None,
}


@pytest.mark.parametrize("path", ROUTES)
def test_route(lines: Lines, path: str, tmp_path: Path) -> None:
    """
    The completion line and the page's own line have the template that matched.
    """
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    call(asgi.ContextMiddleware(application(tmp_path)), path=path, extensions={})
    assert lines.completion().get("route") == ROUTES[path]
    assert {one.get("route") for one in lines.of("shop")} <= {ROUTES[path]}


@pytest.mark.parametrize(
    ("method", "status", "route"),
    [("DELETE", 405, None), ("OPTIONS", 204, "/plain"), ("HEAD", 405, None)],
)
def test_route_of_other_methods(
    lines: Lines, method: str, status: int, route: str | None, tmp_path: Path
) -> None:
    """
    Litestar does not tell the template of a method that is not allowed.
    """
    app = asgi.ContextMiddleware(application(tmp_path))
    call(app, path="/plain", method=method)
    line = lines.completion()
    assert (line["status"], line.get("route")) == (status, route)


def test_route_of_a_websocket(lines: Lines, tmp_path: Path) -> None:
    """
    A websocket has the template of its route.
    """
    app = application(tmp_path)
    asgi.install(app)
    call(
        app,
        kind="websocket",
        path="/rooms/7",
        messages=[{"type": "websocket.connect"}],
    )
    assert {one.get("route") for one in lines.load_all()} == {"/rooms/{name}"}


def test_without_the_hook_there_is_no_route(lines: Lines, tmp_path: Path) -> None:
    """
    `uninstall()` gives Litestar's methods back.
    """
    original = connection.ASGIConnection.__init__
    app = asgi.ContextMiddleware(application(tmp_path))
    assert connection.ASGIConnection.__init__ is not original
    adapter.uninstall()
    assert connection.ASGIConnection.__init__ is original
    call(app, path="/plain")
    assert "route" not in lines.completion()
