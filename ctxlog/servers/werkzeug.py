"""
werkzeug's debugger, as `flask run --debug` has it. Adapter: imports werkzeug and core.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.servers._wsgi import ContextMiddleware

with requires("werkzeug"):
    from werkzeug.debug import DebuggedApplication

__all__ = ["install", "uninstall"]


def _debug(
    debug: Callable[..., Iterable[bytes]],
    debugger: Any,
    environ: Any,
    start_response: Any,
    /,
) -> Iterable[bytes]:
    """Serve a request by the debugger, in the middleware of its application."""
    middleware = _middleware_of(debugger.app)
    app = functools.partial(debug, debugger)
    if middleware is None:
        return app(environ, start_response)
    return middleware.serve(app, environ, start_response)


def _middleware_of(app: Any) -> ContextMiddleware | None:
    """Return the application's middleware, for Flask from its extensions."""
    known = getattr(app, "extensions", None)
    found = known.get("ctxlog") if isinstance(known, dict) else app
    return found if isinstance(found, ContextMiddleware) else None


_patch = Patch(DebuggedApplication, "__call__", _debug)


def install() -> None:
    """
    Let werkzeug's debugger answer within the request.

    The debugger stands around the application, and so around its middleware: without
    this, the page that it shows for an exception has no id, and adds an access line to
    the completion line. Replaces `DebuggedApplication.__call__`, which is WSGI's.
    Calling it again is a no-op; it lasts until `uninstall()`. `configure(hooks=True)`,
    the default, calls it where werkzeug's debugger is imported.
    """
    _patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    _patch.uninstall()
