"""
Routes of Starlette and FastAPI. Adapter: imports Starlette and core.

Neither has a hook for a route that matched, so the method that serves one is wrapped.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.servers._mounts import enter_mount, note_template

with requires("starlette"):
    from starlette.routing import Mount, Route, WebSocketRoute

__all__ = ["install", "uninstall"]

_Handle = Callable[..., Awaitable[None]]


def _route(handle: _Handle, route: Any, scope: Any, *args: Any) -> Awaitable[None]:
    note_template(scope, _path(route, scope))
    return handle(route, scope, *args)


def _mount(handle: _Handle, mount: Any, scope: Any, *args: Any) -> Awaitable[None]:
    # Files, or an application whose routes cannot be seen, have no routes.
    enter_mount(scope, mount.path, is_route=not mount.routes)
    return handle(mount, scope, *args)


def _path(route: Any, scope: Any) -> str:
    """Return the path of a route, with the prefix that FastAPI included it under."""
    # FastAPI keeps a route of an included router as it was, and serves it by this.
    fastapi = scope.get("fastapi")
    included = None
    if isinstance(fastapi, dict):
        included = fastapi.get("effective_route_context")
    if included is not None and getattr(included, "original_route", None) is route:
        return str(included.path)
    return str(route.path)


_PATCHES = [
    Patch(Route, "handle", _route),
    Patch(WebSocketRoute, "handle", _route),
    Patch(Mount, "handle", _mount),
]


def _patches() -> list[Patch]:
    """Return the patches, that of FastAPI's routes among them once it is imported."""
    kind = getattr(sys.modules.get("fastapi.routing"), "APIRoute", None)
    # A method of its own, which does not always call Starlette's.
    if kind is not None and "handle" in vars(kind) and len(_PATCHES) == 3:
        _PATCHES.append(Patch(kind, "handle", _route))
    return _PATCHES


def install() -> None:
    """
    Let requests of Starlette and FastAPI learn the route that matched.

    The completion line and every line after the routing have the field `route`: the
    template as it was written, with those of mounts before it. It replaces the method
    `handle` of Starlette's routes and mounts, and of FastAPI's routes. Every
    `ctxlog.servers.asgi.ContextMiddleware` calls it where Starlette is imported.
    Calling it again is a no-op; it lasts until `uninstall()`.
    """
    for patch in _patches():
        patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()
