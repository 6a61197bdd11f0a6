"""
Exceptions that nobody caught become lines, stamped with the request that caused them.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from asyncio import BaseEventLoop
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Any

from ctxlog.context import lent_from
from ctxlog.isolate import apart
from ctxlog.patch import Patch
from ctxlog.runtime._crash import passed_on, report
from ctxlog.runtime._generators import abandoned, begun, close_left, take_hooks
from ctxlog.runtime._loops import call_exception_handler, collected, collecting

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Log what nobody caught, in the whole process, through logger `ctxlog.crash`.

    `sys.excepthook`, `threading.excepthook` and `sys.unraisablehook` log; the hooks
    that were there are called as well, but Python's own, which prints the traceback,
    only if no handler took the line. `KeyboardInterrupt` and `SystemExit` are left to
    them. Event loops call their exception handler in the context of the task or
    callback that they report on, and close async generators that nobody finished where
    those were begun. Doing it twice changes nothing; it lasts until
    `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()
    take_hooks()
    if collected not in gc.callbacks:
        gc.callbacks.append(collected)


def uninstall() -> None:
    """
    Undo `install()`. Without one nothing happens.

    Where somebody else has put a hook over ours, ours only hands through to the one
    that was there before.
    """
    for patch in _PATCHES:
        patch.uninstall()
    if collected in gc.callbacks:
        gc.callbacks.remove(collected)


def _excepthook(
    previous: Callable[..., object],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    written = not passed_on(kind) and report(
        logging.CRITICAL, "Uncaught exception", kind, error, traceback
    )
    if not written or not _only_prints(previous):
        previous(kind, error, traceback)


# Hooks that print the same as Python's own, in programs that did not ask for them: the
# backport of exception groups to Python 3.10, and the command `sanic`.
_PRINTERS = ("exceptiongroup._formatting", "tracerite.hooks")


def _only_prints(hook: Callable[..., object]) -> bool:
    if hook in (sys.__excepthook__, threading.__excepthook__):
        return True
    return getattr(hook, "__module__", "") in _PRINTERS


def _threading_excepthook(
    previous: Callable[..., object], args: threading.ExceptHookArgs
) -> None:
    name = "" if args.thread is None else f" {args.thread.name}"
    written = not passed_on(args.exc_type) and report(
        logging.ERROR,
        f"Uncaught exception in thread{name}",
        args.exc_type,
        args.exc_value,
        args.exc_traceback,
    )
    if not written or not _only_prints(previous):
        previous(args)


def _unraisablehook(previous: Callable[..., object], args: Any) -> None:
    apart(_report_unraisable, previous, args)


def _report_unraisable(previous: Callable[..., object], args: Any) -> None:
    written = False
    if not passed_on(args.exc_type):
        with _place_of_finalizers():
            written = report(
                logging.ERROR,
                f"{args.err_msg or 'Exception ignored in'}: {_shown(args.object)}",
                args.exc_type,
                args.exc_value,
                args.exc_traceback,
            )
    if not written or previous is not sys.__unraisablehook__:
        previous(args)


def _place_of_finalizers() -> AbstractContextManager[None]:
    # What the garbage collector finalizes is another's, most likely; what lost its
    # last reference is of who dropped it.
    return lent_from(None) if collecting() else nullcontext()


def _shown(culprit: object) -> str:
    # By name where it has one: a repr may hold anything, and in a finalizer it may
    # not work any more.
    name = getattr(culprit, "__qualname__", None)
    return name if isinstance(name, str) else object.__repr__(culprit)


_PATCHES = (
    Patch(sys, "excepthook", _excepthook),
    Patch(threading, "excepthook", _threading_excepthook),
    Patch(sys, "unraisablehook", _unraisablehook),
    Patch(BaseEventLoop, "call_exception_handler", call_exception_handler),
    Patch(BaseEventLoop, "_asyncgen_firstiter_hook", begun),
    Patch(BaseEventLoop, "_asyncgen_finalizer_hook", abandoned),
    Patch(BaseEventLoop, "shutdown_asyncgens", close_left),
)
