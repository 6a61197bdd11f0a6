"""
Routes of Falcon: the template that matched, of sinks and static files too.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from ctxlog.servers import asgi, wsgi
from tests.helpers import need
from tests.servers.test_asgi import Lines, call
from tests.servers.test_wsgi import Server

falcon = need("falcon")
falcon_asgi = need("falcon.asgi")
adapter = need("ctxlog.servers.falcon")

LOG = logging.getLogger("shop")


class Resource:
    """
    A resource that logs a line.
    """

    async def on_get(self, request: Any, response: Any, **parameters: object) -> None:
        LOG.info("in the page")

    async def on_websocket(self, request: Any, socket: Any, **found: object) -> None:
        await socket.accept()
        LOG.info("in the page")


async def sink(request: Any, response: Any, **parameters: object) -> None:
    """
    Answer whatever no route is for.
    """
    LOG.info("in the page")


class Before:
    """
    A middleware that logs before and after the routing.
    """

    async def process_request(self, request: Any, response: Any) -> None:
        LOG.info("before")

    async def process_resource(self, *found: object) -> None:
        LOG.info("after")


def application(folder: Path) -> Any:
    """
    An application with routes of every kind.
    """
    app = falcon_asgi.App(middleware=[Before()])
    app.add_route("/orders/{number:int}", Resource())
    app.add_route("/files/{rest:path}", Resource())
    app.add_route("/{shop}.{kind}/x", Resource())
    app.add_sink(sink, r"/sink/(?P<number>\d{1,3})")
    app.add_sink(sink, "/caught")
    app.add_static_route("/static", str(folder))
    return app


ROUTES = {
    "/orders/7": "/orders/{number:int}",
    "/files/a/b/c": "/files/{rest:path}",
    "/acme.de/x": "/{shop}.{kind}/x",
    "/sink/12": r"/sink/(?P<number>\d{1,3})",
    "/caught/what/ever": "/caught",
    "/static/a.txt": "/static/",
    "/static/none.txt": "/static/",
    "/orders/seven": None,
    "/nothing": None,
}


@pytest.mark.parametrize("path", ROUTES)
def test_route(lines: Lines, path: str, tmp_path: Path) -> None:
    """
    The completion line and each line after the routing have the template that matched.
    """
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    call(asgi.ContextMiddleware(application(tmp_path)), path=path)
    expected = ROUTES[path]
    assert lines.completion().get("route") == expected
    found = {one["message"]: one.get("route") for one in lines.of("shop")}
    assert found.pop("before") is None
    assert set(found.values()) <= {expected}


@pytest.mark.parametrize(
    ("method", "status"), [("DELETE", 405), ("OPTIONS", 200), ("HEAD", 405)]
)
def test_route_of_other_methods(
    lines: Lines, method: str, status: int, tmp_path: Path
) -> None:
    """
    A method that the resource does not have has the route of its path.
    """
    app = asgi.ContextMiddleware(application(tmp_path))
    call(app, path="/orders/7", method=method)
    line = lines.completion()
    assert (line["status"], line["route"]) == (status, "/orders/{number:int}")


def test_route_of_a_websocket(lines: Lines, tmp_path: Path) -> None:
    """
    A websocket has the template of its route.
    """
    call(
        asgi.ContextMiddleware(application(tmp_path)),
        kind="websocket",
        path="/orders/7",
        messages=[{"type": "websocket.connect"}],
    )
    assert {one.get("route") for one in lines.load_all()} == {"/orders/{number:int}"}


def test_route_of_an_application_that_is_mounted(lines: Lines) -> None:
    """
    Falcon matches the whole path also in a mount of Starlette's.
    """
    routing = need("starlette.routing")
    app = falcon_asgi.App()
    app.add_route("/shops/{shop}/orders/{number:int}", Resource())
    router = routing.Router([routing.Mount("/shops/{name}", app=app)])
    call(asgi.ContextMiddleware(router), path="/shops/acme/orders/7")
    need("ctxlog.servers.starlette").uninstall()
    assert lines.completion()["route"] == "/shops/{shop}/orders/{number:int}"


def test_without_the_hook_there_is_no_route(lines: Lines, tmp_path: Path) -> None:
    """
    `uninstall()` gives Falcon's method back.
    """
    original = vars(falcon.App)["_get_responder"]
    app = asgi.ContextMiddleware(application(tmp_path))
    assert vars(falcon.App)["_get_responder"] is not original
    adapter.uninstall()
    assert vars(falcon.App)["_get_responder"] is original
    call(app, path="/orders/7")
    assert "route" not in lines.completion()


# Under WSGI -----------------------------------------------------------------------


class SyncResource:
    """
    A resource that logs a line.
    """

    def on_get(self, request: Any, response: Any, **parameters: object) -> None:
        LOG.info("in the page")


def wsgi_application(folder: Path) -> Any:
    """
    The same routes under WSGI.
    """
    app = falcon.App()
    app.add_route("/orders/{number:int}", SyncResource())
    app.add_route("/files/{rest:path}", SyncResource())
    app.add_route("/{shop}.{kind}/x", SyncResource())

    def caught(request: Any, response: Any, **parameters: object) -> None:
        LOG.info("in the page")

    app.add_sink(caught, r"/sink/(?P<number>\d{1,3})")
    app.add_sink(caught, "/caught")
    app.add_static_route("/static", str(folder))
    return app


@pytest.mark.parametrize("mount", ["", "/api"])
@pytest.mark.parametrize("path", ROUTES)
def test_route_under_wsgi(lines: Lines, path: str, mount: str, tmp_path: Path) -> None:
    """
    The template comes after the prefix that the server has taken off the path.
    """
    (tmp_path / "a.txt").write_text("a", encoding="utf-8")
    app = wsgi.ContextMiddleware(wsgi_application(tmp_path))
    Server(app, PATH_INFO=path, SCRIPT_NAME=mount, checked=False).serve()
    route = ROUTES[path]
    expected = None if route is None else mount + route
    assert {one.get("route") for one in lines.load_all()} == {expected}
