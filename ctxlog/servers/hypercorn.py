"""
hypercorn's access lines in another logger than its own. Adapter.

Imports hypercorn and core.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from ctxlog._patch import Patch
from ctxlog.context.reporting import server_store
from ctxlog.errors import requires

with requires("hypercorn"):
    from hypercorn.logging import Logger

__all__ = ["install", "uninstall"]


async def _access(access: Callable[..., Awaitable[None]], /, *args: Any) -> None:
    if not getattr(server_store(), "completes", False):
        await access(*args)


_patch = Patch(Logger, "access", _access)


def install() -> None:
    """
    Leave out hypercorn's access line where ctxlog writes a completion line.

    Quart's `app.run()` and `quart run` let hypercorn write it through the application's
    own logger, where no filter can tell it from the application's lines: each request
    would have two. Replaces `hypercorn.logging.Logger.access`, which is public. Calling
    it again is a no-op; it lasts until `uninstall()`. `configure()` calls it where
    hypercorn is imported and only completion lines are wanted.
    """
    _patch.install()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    _patch.uninstall()
