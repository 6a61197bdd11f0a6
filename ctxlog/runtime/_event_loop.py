"""
Event loops of asyncio: what they report, and the async generators that they close.
"""

from __future__ import annotations

from asyncio import BaseEventLoop

from ctxlog._patch import Patch
from ctxlog.runtime._generators import abandoned, begun, close_left, take_hooks
from ctxlog.runtime._loops import call_exception_handler


def install() -> None:
    """
    Stamp what a loop reports with the task or callback that it reports on.

    The loop's exception handler, a custom one too, is called in the context of those;
    async generators that were not finished are closed where they were begun. Part of
    `ctxlog.runtime.hooks`, which calls it once asyncio is imported.
    """
    for patch in _PATCHES:
        patch.install()
    take_hooks()


def uninstall() -> None:
    """Undo `install()`. Without one, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


_PATCHES = (
    Patch(BaseEventLoop, "call_exception_handler", call_exception_handler),
    Patch(BaseEventLoop, "_asyncgen_firstiter_hook", begun),
    Patch(BaseEventLoop, "_asyncgen_finalizer_hook", abandoned),
    Patch(BaseEventLoop, "shutdown_asyncgens", close_left),
)
