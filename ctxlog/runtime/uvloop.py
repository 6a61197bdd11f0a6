"""
Crash reports of uvloop's event loop, as `ctxlog.runtime.hooks` has those of asyncio's.
"""

from __future__ import annotations

from ctxlog._patch import Patch
from ctxlog.errors import requires
from ctxlog.runtime._generators import take_hooks
from ctxlog.runtime._loops import METHODS

with requires("uvloop"):
    from uvloop import Loop

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Stamp what the loop reports with the task or callback that it reports on.

    The loop's exception handler, a custom one too, is called in the context of those;
    unfinished async generators are closed in the context that began them.
    Calling it again is a no-op; it lasts until `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()
    take_hooks()


def uninstall() -> None:
    """Undo `install()`. Without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


_PATCHES = tuple(
    Patch(Loop, name, replacement) for name, replacement in METHODS.items()
)
