"""
Event loops report on behalf of tasks and callbacks: in the context of those.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from contextvars import Context
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog.context import detached
from ctxlog.context.adapter import lent
from ctxlog.context.bodies import apart
from ctxlog.runtime._collecting import collecting
from ctxlog.runtime._generators import abandoned, begun, close_left


def call_exception_handler(
    previous: Callable[..., None], loop: Any, context: dict[str, Any]
) -> None:
    """Call the loop's method of this name in the context that the report is about."""
    # Also tasks that are collected report.
    apart(_call, previous, loop, context)


def _call(previous: Callable[..., None], loop: Any, context: dict[str, Any]) -> None:
    with _place(context):
        previous(loop, context)


def _place(report: dict[str, Any]) -> AbstractContextManager[None]:
    for name in ("task", "future", "handle"):
        culprit = report.get(name)
        if culprit is not None:
            return lent(_context_of(culprit) or Context())
    return detached() if collecting() else nullcontext()


def _context_of(culprit: Any) -> Context | None:
    try:
        return _context(culprit)
    except Exception as error:  # a third-party task or handle
        if is_interrupt(error):
            raise
        return None


def _context(culprit: Any) -> Context | None:
    if hasattr(culprit, "get_context"):
        found = culprit.get_context()
    elif hasattr(culprit, "_context"):
        found = culprit._context
    elif isinstance(culprit, asyncio.Task) or not isinstance(culprit, asyncio.Future):
        # Tasks of Python 3.10 and 3.11 and uvloop's handles do not tell, but refer to
        # their own context first; a task's others are those of its callbacks. A bare
        # future has only such.
        contexts = (one for one in gc.get_referents(culprit) if type(one) is Context)
        found = next(contexts, None)
    else:
        found = None
    return found if isinstance(found, Context) else None


#: The methods of a class of event loops that are patched, and their replacements.
METHODS: dict[str, Callable[..., Any]] = {
    "call_exception_handler": call_exception_handler,
    "_asyncgen_firstiter_hook": begun,
    "_asyncgen_finalizer_hook": abandoned,
    "shutdown_asyncgens": close_left,
}
