"""
The end of uvicorn's processes. Adapter: imports uvicorn and core.

When uvicorn has shut down, it raises the signal again that has stopped it. SIGTERM then
kills the process, so that neither `atexit` nor a hook of gunicorn is called.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ctxlog import _endings
from ctxlog._patch import Patch
from ctxlog.errors import requires

with requires("uvicorn"):
    from uvicorn.server import Server

__all__ = ["install", "uninstall"]


async def _shutdown(
    shutdown: Callable[..., Awaitable[None]], /, *args: Any, **kwargs: Any
) -> None:
    try:
        await shutdown(*args, **kwargs)
    finally:
        _endings.end()


_patch = Patch(Server, "shutdown", _shutdown)


def install() -> None:
    """
    Let sinks ship what they hold when uvicorn has shut down.

    With `--workers`, and in gunicorn's workers that run uvicorn, too. The last lines of
    all requests are among them, and uvicorn's own, which come after. Replaces
    `uvicorn.Server.shutdown`, which is public. Calling it again is a no-op; it lasts
    until `uninstall()`. `configure(hooks=True)`, the default, calls it where uvicorn's
    server is imported.
    """
    _patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    _patch.uninstall()
