"""
Routes of Bottle: the rule that matched, with the prefixes of mounts.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from ctxlog import config
from ctxlog.servers.wsgi import ContextMiddleware
from tests.helpers import LogEnvironment, need
from tests.servers.test_wsgi import Server

bottle = need("bottle")
adapter = need("ctxlog.servers.bottle")

LOG = logging.getLogger("tests.app")


@pytest.fixture
def lines(log_env: LogEnvironment) -> Iterator[LogEnvironment]:
    """
    All that is logged, as lines.
    """
    config.configure(format="json", stream=log_env.stream)
    yield log_env
    config.unconfigure()
    adapter.uninstall()


def page(**arguments: Any) -> str:
    LOG.info("in the view")
    return "page"


def crash(**arguments: Any) -> str:
    LOG.info("in the view")
    raise bottle.HTTPError(410, "gone")


def plain(environ: Any, start_response: Any) -> list[bytes]:
    LOG.info("in the view")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"page"]


def shop(*rules: str) -> Any:
    """
    An application with these routes.
    """
    app = bottle.Bottle()
    for rule in rules:
        app.route(rule, callback=page)
    return app


def application() -> Any:
    """
    An application with routes of every kind.
    """
    app = shop("/", "/files/<rest:path>", r"/<kind:re:[a-z]{2}\d+>/{{x}}")
    app.route("/orders/<number:int>", ["GET", "POST"], page, skip=True)
    app.route("/crash/<name>", callback=crash)
    app.merge(shop("/merged/<name>"))
    inner = shop("/<item>", "/")
    outer = shop("/items/<item>")
    outer.mount("/deep", inner)  # without a slash: as a WSGI application
    app.mount("/joined/", shop("/items/<item>"))
    app.mount("/outer", outer)
    app.mount("/caf\u00e9", shop("/<item>"))
    app.mount("/plain", plain)
    return app


ROUTES = [
    ("GET", "/", "/"),
    ("GET", "/orders/7", "/orders/<number:int>"),
    ("HEAD", "/orders/7", "/orders/<number:int>"),
    ("GET", "/files/a/b/c", "/files/<rest:path>"),
    ("GET", "/ab7/{{x}}", r"/<kind:re:[a-z]{2}\d+>/{{x}}"),
    ("GET", "/crash/x", "/crash/<name>"),
    ("GET", "/merged/x", "/merged/<name>"),
    ("GET", "/joined/items/7", "/joined/items/<item>"),
    ("GET", "/outer/items/7", "/outer/items/<item>"),
    ("GET", "/outer/deep/7", "/outer/deep/<item>"),
    ("GET", "/outer/deep/", "/outer/deep/"),
    ("GET", "/caf\u00c3\u00a9/7", "/caf\u00e9/<item>"),
    ("GET", "/plain/a/b", "/plain/<:re:.*>"),
    ("GET", "/plain", "/plain"),
    ("DELETE", "/orders/7", None),
    ("GET", "/orders/seven", None),
    ("GET", "/nowhere", None),
]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(("method", "path", "route"), ROUTES)
def test_the_route_is_the_rule_that_matched(
    lines: LogEnvironment, method: str, path: str, route: str | None
) -> None:
    """
    It is on all lines after the routing, as it was written, and absent without one.
    """
    app = ContextMiddleware(application())
    Server(app, REQUEST_METHOD=method, PATH_INFO=path, checked=False).serve()
    routes = [one.get("route") for one in lines.load_all()]
    assert routes
    assert {*routes} == {route}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_path_that_a_mounted_application_does_not_know(lines: LogEnvironment) -> None:
    """
    The route is that of the mount, which is what has matched.
    """
    app = ContextMiddleware(application())
    Server(app, PATH_INFO="/outer/nowhere", checked=False).serve()
    assert lines.load_all()[-1]["route"] == "/outer/<:re:.*>"


def test_a_hook_before_the_routing_has_no_route(lines: LogEnvironment) -> None:
    """
    The field comes with the routing.
    """
    app = shop("/orders/<number:int>")
    app.add_hook("before_request", lambda: LOG.info("before"))
    app.add_hook("after_request", lambda: LOG.info("after"))
    Server(ContextMiddleware(app), PATH_INFO="/orders/7", checked=False).serve()
    rule = "/orders/<number:int>"
    assert [(one["message"], one.get("route")) for one in lines.load_all()] == [
        ("before", None),
        ("in the view", rule),
        ("after", rule),
        ("GET /orders/7 200", rule),
    ]


def test_uninstalling_ends_the_routes(lines: LogEnvironment) -> None:
    """
    Another middleware installs it again.
    """
    app = ContextMiddleware(shop("/<name>"))
    adapter.uninstall()
    Server(app, PATH_INFO="/x", checked=False).serve()
    ContextMiddleware(app)
    Server(app, PATH_INFO="/x", checked=False).serve()
    ends = [one.get("route") for one in lines.load_all() if "status" in one]
    assert ends == [None, "/<name>"]


def test_a_router_of_the_applications_own(lines: LogEnvironment) -> None:
    """
    Bottle's router may be used for other targets than its routes.
    """
    adapter.install()
    router = bottle.Router()
    router.add("/<name>", "GET", "target")
    found = router.match({"REQUEST_METHOD": "GET", "PATH_INFO": "/x"})
    assert found == ("target", {"name": "x"})
