"""
Routes of Quart, by its signals. Adapter: imports Quart and core.
"""

from __future__ import annotations

from typing import Any

from ctxlog.errors import requires
from ctxlog.servers._mounts import note_template

with requires("quart"):
    from quart import request, websocket
    from quart.signals import request_started, websocket_started

__all__ = ["install", "uninstall"]


# Coroutine functions: Quart runs others in a thread.
async def _request_started(app: object, **_: Any) -> None:
    _note(request)


async def _websocket_started(app: object, **_: Any) -> None:
    _note(websocket)


def _note(connection: Any) -> None:
    rule = connection.url_rule
    if rule is not None:
        note_template(connection.scope, rule.rule)


def install() -> None:
    """
    Let requests of Quart learn the route that matched.

    The completion line and every line after the routing have the field `route`: the
    rule as it was written, with the prefixes of blueprints before it. It listens to the
    signals `request_started` and `websocket_started`. Every
    `ctxlog.servers.asgi.ContextMiddleware` calls it where Quart is imported. Calling it
    again is a no-op; it lasts until `uninstall()`.
    """
    request_started.connect(_request_started)
    websocket_started.connect(_websocket_started)


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    request_started.disconnect(_request_started)
    websocket_started.disconnect(_websocket_started)
