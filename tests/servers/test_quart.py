"""
Routes of Quart: the rule that matched, with the prefixes of blueprints.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from ctxlog.servers import asgi
from tests.helpers import need
from tests.servers.test_asgi import Lines
from tests.servers.test_asgi import call as call_silently

quart = need("quart")
adapter = need("ctxlog.servers.quart")

LOG = logging.getLogger("shop")


def call(app: Any, **how: Any) -> Any:
    """
    One connection, which is over when it is answered: newer versions wait for that.
    """
    last = ("http.response.body", "websocket.close")
    kind = how.get("kind", "http")

    async def until_answered(scope: Any, receive: Any, send: Any) -> None:
        answered, coming = asyncio.Event(), [True]

        async def receive_once() -> Any:
            if coming:
                coming.clear()
                return await receive()
            await answered.wait()
            return {"type": f"{kind}.disconnect", "code": 1000}

        async def send_all(message: Any) -> None:
            await send(message)
            if message["type"] in last and not message.get("more_body"):
                answered.set()

        await app(scope, receive_once, send_all)

    return call_silently(until_answered, **how)


async def page(**parameters: object) -> str:
    """
    Log a line.
    """
    LOG.info("in the page")
    return "ok"


def sync_page(**parameters: object) -> str:
    """
    Log a line in a thread of Quart's.
    """
    LOG.info("in the page")
    return "ok"


async def room(**parameters: object) -> None:
    """
    Log a line and close the websocket.
    """
    await quart.websocket.accept()
    LOG.info("in the page")


def application(folder: Path) -> Any:
    """
    An application with routes of every kind.
    """
    app = quart.Quart("shop", root_path=str(folder), static_folder=str(folder))
    app.add_url_rule("/orders/<int:number>", "orders", page)
    app.add_url_rule("/files/<path:rest>", "files", sync_page)
    app.add_url_rule("/{literally}/x", "braces", page)
    app.add_url_rule("/tree/", "tree", page)
    app.add_websocket("/rooms/<name>", "rooms", room)
    inner = quart.Blueprint("inner", "inner", url_prefix="/items")
    inner.add_url_rule("/<item>", "item", page)
    outer = quart.Blueprint("outer", "outer", url_prefix="/shops/<shop>")
    outer.register_blueprint(inner)
    app.register_blueprint(outer)
    app.register_blueprint(inner, name="again", url_prefix="/v2")

    @app.before_request
    async def before() -> None:
        LOG.info("before")

    return app


ROUTES = {
    "/orders/7": "/orders/<int:number>",
    "/files/a/b/c": "/files/<path:rest>",
    "/{literally}/x": "/{literally}/x",
    "/shops/acme/items/3": "/shops/<shop>/items/<item>",
    "/v2/3": "/v2/<item>",
    "/orders/seven": None,
    "/nothing": None,
    "/tree": None,  # is redirected
}


@pytest.mark.parametrize("path", ROUTES)
def test_route(lines: Lines, path: str, tmp_path: Path) -> None:
    """
    The completion line and each line of the application have the rule that matched.
    """
    call(asgi.ContextMiddleware(application(tmp_path)), path=path)
    assert lines.completion().get("route") == ROUTES[path]
    assert {one.get("route") for one in lines.of("shop")} == {ROUTES[path]}


def test_route_of_static_files(lines: Lines, tmp_path: Path) -> None:
    """
    Static files have the rule that Quart has made for them.
    """
    app = application(tmp_path)
    call(asgi.ContextMiddleware(app), path=f"/{tmp_path.name}/none.txt")
    line = lines.completion()
    assert line["route"] == f"/{tmp_path.name}/<path:filename>"


@pytest.mark.parametrize(
    ("method", "status", "route"),
    [
        ("DELETE", 405, None),
        ("OPTIONS", 200, "/orders/<int:number>"),
        ("HEAD", 200, "/orders/<int:number>"),
    ],
)
def test_route_of_other_methods(
    lines: Lines, method: str, status: int, route: str | None, tmp_path: Path
) -> None:
    """
    Quart does not tell the rule of a method that is not allowed.
    """
    app = asgi.ContextMiddleware(application(tmp_path))
    call(app, path="/orders/7", method=method)
    line = lines.completion()
    assert (line["status"], line.get("route")) == (status, route)


def test_route_of_a_websocket(lines: Lines, tmp_path: Path) -> None:
    """
    A websocket has the rule of its route.
    """
    call(
        asgi.ContextMiddleware(application(tmp_path)),
        kind="websocket",
        path="/rooms/7",
        scheme="ws",
        subprotocols=[],
        messages=[{"type": "websocket.connect"}],
    )
    assert {one.get("route") for one in lines.load_all()} == {"/rooms/<name>"}


def test_route_of_an_application_that_is_mounted(lines: Lines, tmp_path: Path) -> None:
    """
    A mount of Starlette's comes before the rule of Quart's.
    """
    routing = need("starlette.routing")
    mount = routing.Mount("/shops/{shop}", app=application(tmp_path))
    call(asgi.ContextMiddleware(routing.Router([mount])), path="/shops/acme/orders/7")
    need("ctxlog.servers.starlette").uninstall()
    assert lines.completion()["route"] == "/shops/{shop}/orders/<int:number>"


def test_without_the_hook_there_is_no_route(lines: Lines, tmp_path: Path) -> None:
    """
    `uninstall()` listens to no signal any more.
    """
    app = asgi.ContextMiddleware(application(tmp_path))
    adapter.uninstall()
    call(app, path="/orders/7")
    assert "route" not in lines.completion()
