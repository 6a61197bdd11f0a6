"""
Routes of Falcon, under ASGI and WSGI. Adapter: imports Falcon and core.

Falcon's hook `process_resource` sees neither sinks nor static files, and comes too late
for what runs before it, so the method that finds the responder is wrapped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.servers._environ import mounted
from ctxlog.servers._mounts import note_template
from ctxlog.servers._request import note_route

with requires("falcon"):
    from falcon import App

__all__ = ["install", "uninstall"]

#: Returns the responder, the parameters, the resource and its template.
_Find = Callable[[Any, Any], tuple[Any, Any, Any, "str | None"]]


def _get_responder(find: _Find, app: Any, req: Any) -> Any:
    found = find(app, req)
    responder, _, _, template = found
    if template is None:
        template = _fallback(app, req, responder)
    if template is not None:
        scope = getattr(req, "scope", None)
        if scope is None:
            note_route(mounted(template, req.env))
        else:  # it does not look at `root_path`
            note_template(scope, template, joined=False)
    return found


def _fallback(app: Any, req: Any, responder: object) -> str | None:
    """Return the prefix of static files, or the pattern of a sink; None without one."""
    for matcher, one, is_sink in getattr(app, "_sink_and_static_routes", ()):
        if one is responder and matcher.match(req.path):
            found = getattr(matcher, "pattern" if is_sink else "_prefix", None)
            return found if isinstance(found, str) else None
    return None


_patch = Patch(App, "_get_responder", _get_responder)


def install() -> None:
    """
    Let requests of Falcon learn the route that matched.

    The completion line and every line after the routing have the field `route`: the
    template as it was written, the prefix of static files, or the pattern of a sink. It
    replaces the method `_get_responder` of Falcon's applications. Every
    `ContextMiddleware` of `ctxlog.servers.asgi` and `ctxlog.servers.wsgi` calls it
    where Falcon is imported. Calling it again is a no-op; it lasts until `uninstall()`.
    """
    _patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    _patch.uninstall()
