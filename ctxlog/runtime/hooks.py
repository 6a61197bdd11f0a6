"""
Uncaught exceptions become lines, stamped with the request that caused them.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from types import TracebackType
from typing import Any

from ctxlog._imports import ImportHook
from ctxlog._patch import Patch
from ctxlog.context import detached
from ctxlog.context.bodies import apart
from ctxlog.runtime._collecting import CALLBACKS, collecting, forget
from ctxlog.runtime._crash import passed_on, report

__all__ = ["install", "uninstall"]


def install() -> None:
    """
    Log uncaught exceptions of the whole process, through logger `ctxlog.crash`.

    `sys.excepthook`, `threading.excepthook` and `sys.unraisablehook` log; the hooks
    that were there are called as well, but Python's own, which prints the traceback,
    only if no handler took the line. `KeyboardInterrupt` and `SystemExit` are left to
    them. If another library has replaced `sys.excepthook` since and calls no other
    hook, what ended the program is logged when the interpreter exits. Event loops of
    asyncio, as soon as that is imported, call their exception handler in the context of
    the task or callback that they report on, and close async generators that were not
    finished where those were begun. Calling it again is a no-op; it lasts until
    `uninstall()`.
    """
    for patch in _PATCHES:
        patch.install()
    _asyncio.install()
    if CALLBACKS[0] not in gc.callbacks:
        gc.callbacks += CALLBACKS
    atexit.unregister(_report_unseen)
    atexit.register(_report_unseen)


def uninstall() -> None:
    """
    Undo `install()`. Without it, a no-op.

    If another library has put a hook over ours, ours only calls the hook that was
    there before.
    """
    for patch in _PATCHES:
        patch.uninstall()
    _asyncio.uninstall()
    if "ctxlog.runtime._event_loop" in sys.modules:
        import_module("ctxlog.runtime._event_loop").uninstall()
    for callback in CALLBACKS:
        if callback in gc.callbacks:
            gc.callbacks.remove(callback)
    forget()
    atexit.unregister(_report_unseen)


#: The exception that our hook was called with last. An id suffices: the interpreter
#: keeps the exception.
_seen: int | None = None


def _excepthook(
    previous: Callable[..., object],
    kind: type[BaseException],
    error: BaseException,
    traceback: TracebackType | None,
) -> None:
    global _seen
    _seen = id(error)
    written = not passed_on(kind) and report(
        logging.CRITICAL, "Uncaught exception", kind, error, traceback
    )
    if not written or not _only_prints(previous):
        previous(kind, error, traceback)


def _report_unseen() -> None:
    # The interpreter keeps here what it gives to the hook. Typer, Rich and others put
    # hooks of their own over ours that call no other.
    error = getattr(sys, "last_value", None)
    if not isinstance(error, BaseException) or id(error) == _seen:
        return
    if _ended_the_program(error.__traceback__) and not passed_on(type(error)):
        report(
            logging.CRITICAL,
            "Uncaught exception",
            type(error),
            error,
            error.__traceback__,
        )


def _ended_the_program(traceback: TracebackType | None) -> bool:
    # Test runners and interactive interpreters keep there what they have caught.
    if traceback is None or hasattr(sys, "ps1"):
        return False
    outermost = traceback.tb_frame
    return outermost.f_code.co_name in ("<module>", "_run_module_as_main") and (
        outermost.f_globals.get("__name__") in ("__main__", "runpy")
    )


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
    # An object that the collector finalizes is most likely another's; one that lost its
    # last reference is of who dropped it.
    return detached() if collecting() else nullcontext()


def _shown(culprit: object) -> str:
    # By name where it has one: a repr may hold anything, and in a finalizer it may
    # not work any more.
    name = getattr(culprit, "__qualname__", None)
    return name if isinstance(name, str) else object.__repr__(culprit)


_PATCHES = (
    Patch(sys, "excepthook", _excepthook),
    Patch(threading, "excepthook", _threading_excepthook),
    Patch(sys, "unraisablehook", _unraisablehook),
)


def _install_for_loops() -> None:
    import_module("ctxlog.runtime._event_loop").install()


# Not imported for this: that takes longer than all of `configure()`.
_asyncio = ImportHook({"asyncio": _install_for_loops})
