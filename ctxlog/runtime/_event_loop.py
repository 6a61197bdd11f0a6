"""
Event loops of asyncio: what they report, and the async generators that they close.
"""

from __future__ import annotations

from asyncio import BaseEventLoop

from ctxlog._patch import Patch
from ctxlog.runtime._generators import take_hooks
from ctxlog.runtime._loops import METHODS


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
    """Undo `install()`. Without it, a no-op."""
    for patch in _PATCHES:
        patch.uninstall()


_PATCHES = tuple(
    Patch(BaseEventLoop, name, replacement) for name, replacement in METHODS.items()
)
