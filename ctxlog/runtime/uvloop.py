"""
Crash reports of uvloop's event loop, as `ctxlog.runtime.hooks` has those of asyncio's.
"""

from __future__ import annotations

from ctxlog.errors import MissingDependencyError
from ctxlog.runtime._loops import call_exception_handler
from ctxlog.runtime._patch import Patch

try:
    from uvloop import Loop
except ModuleNotFoundError as error:
    if error.name != "uvloop":
        raise
    raise MissingDependencyError("uvloop", "uvloop") from None

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Stamp what the loop reports with the task or callback that it reports on.

    The loop's exception handler, a custom one too, is called in the context of those.
    Doing it twice changes nothing; it lasts until `uninstall()`.
    """
    _PATCH.install()


def uninstall() -> None:
    """Undo `install()`. Without one nothing happens."""
    _PATCH.uninstall()


_PATCH = Patch(Loop, "call_exception_handler", call_exception_handler)
