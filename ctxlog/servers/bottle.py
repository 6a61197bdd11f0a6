"""
Routes of Bottle. Adapter: imports Bottle and core.

Applications themselves are served by `ctxlog.servers.wsgi.ContextMiddleware`. Bottle's
plugins see neither the routes of applications that are mounted nor those that skip
plugins, so the method of the router is wrapped.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.servers._environ import mounted
from ctxlog.servers._request import note_route

with requires("bottle"):
    from bottle import Route, Router  # type: ignore[import-untyped]

__all__ = ["install", "uninstall"]

#: The key of the route that a WSGI application is mounted at, in the environment.
_MOUNT = "ctxlog.mount"

#: The method of such a route, for Bottle's router.
_PROXY = "PROXY"


def _match(
    match: Callable[..., Any], router: Any, environ: MutableMapping[str, Any]
) -> Any:
    found = match(router, environ)
    target = found[0]
    if isinstance(target, Route):  # else the router is the application's own
        route = mounted(target.rule, environ)
        note_route(route, instead_of=environ.get(_MOUNT))
        if target.method == _PROXY:
            environ[_MOUNT] = route
    return found


_patch = Patch(Router, "match", _match)


def install() -> None:
    """
    Let requests of Bottle learn the route that matched.

    The completion line and every line after the routing have the field `route`: the
    rule as it was written, with the prefixes of mounts before it. It replaces the
    method `match` of Bottle's router. Every `ctxlog.servers.wsgi.ContextMiddleware`
    calls it where Bottle is imported. Calling it again is a no-op; it lasts until
    `uninstall()`.
    """
    _patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    _patch.uninstall()
