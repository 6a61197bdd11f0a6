"""
Routes of Litestar. Adapter: imports Litestar and core.

Litestar has no hook for a route that matched, and holds the methods that serve one from
its start on. What is wrapped are the first calls that those make.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.servers._mounts import note_template
from ctxlog.servers._request import note_route

with requires("litestar"):
    from litestar.connection import ASGIConnection
    from litestar.handlers import ASGIRouteHandler

__all__ = ["install", "uninstall"]


def _make_connection(
    make: Callable[..., None], connection: Any, scope: Any, *args: Any, **kwargs: Any
) -> None:
    template = scope.get("path_template")
    if template and not isinstance(scope.get("route_handler"), ASGIRouteHandler):
        note_template(scope, template)
    make(connection, scope, *args, **kwargs)


def _resolve_guards(resolve: Callable[..., Any], handler: Any) -> Any:
    # `path_template` of the scope is not that of a mount.
    path = _path_of(handler)
    if path is not None:  # else the handler is being registered
        note_route(path)
    return resolve(handler)


def _path_of(handler: Any) -> str | None:
    """Return the path under which an application has a handler of its own kind."""
    for route in getattr(handler.ownership_layers[0], "routes", ()):
        if getattr(route, "route_handler", None) is handler:
            return str(route.path)
    return None


_PATCHES = (
    Patch(ASGIConnection, "__init__", _make_connection),
    Patch(ASGIRouteHandler, "resolve_guards", _resolve_guards),
)


def install() -> None:
    """
    Let requests of Litestar learn the route that matched.

    The completion line and the lines from where Litestar makes the request on have the
    field `route`: the path template, with those of controllers and routers before it,
    or the path of a mounted application. It replaces the methods `__init__` of
    Litestar's connections and `resolve_guards` of handlers for mounted applications.
    Every `ctxlog.servers.asgi.ContextMiddleware` calls it where Litestar is imported.
    Calling it again is a no-op; it lasts until `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()
