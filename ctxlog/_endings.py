"""
The end of a process, before which held lines are shipped. Core: standard library only.

Besides `atexit`, since servers and workers leave that out: they end by a signal that is
raised again, or by `os._exit` in a process of a pool. So adapters call `end()` at the
last hook that their library has. Sinks say here what ships their lines, and others what
is to be written before: adapters need import none of them.
"""

from __future__ import annotations

import atexit
import math
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

#: An ending that has had no hook and no line for so many seconds is over: the process
#: goes on, as a program of tests does after each of its servers.
_PAUSE = 10.0

#: Runs after what other libraries do at the end of a process of `multiprocessing`,
#: whose own priorities are from -5 to 100.
_PRIORITY = -100

_ship: Callable[[float, bool], object] | None = None
#: Called before lines are shipped: each of them may write some.
_before: list[Callable[[], object]] = []
_seconds = 2.0
#: The seconds that the ending under way may still wait, and when it was last heard of.
_left = 0.0
_heard = 0.0
#: The threads that ship: sinks may log about what they do.
_shipping: set[int] = set()


def on_end(ship: Callable[[float, bool], object] | None, seconds: float = 2.0) -> None:
    """
    Have held lines shipped before this process ends, and each process forked from it.

    Args:
        ship: Called with the most seconds that it may take to ship what is held, and
            whether the process ends; if so, gives up and reports what is left. Does not
            raise. None if nothing is held from now on.
        seconds: The most seconds that an ending waits.
    """
    global _ship, _seconds
    _ship, _seconds = ship, seconds
    atexit.unregister(end)
    if ship is not None or _before:
        atexit.register(end)
        _watch_process()


def before_end(say: Callable[[], object]) -> None:
    """
    Call a function before this process ends, and each process forked from it.

    Args:
        say: Writes lines that would be missed. Does not raise. Asking for the same
            again is a no-op.
    """
    if say not in _before:
        _before.append(say)
    atexit.unregister(end)
    atexit.register(end)
    _watch_process()


def not_before_end(say: Callable[[], object]) -> None:
    """Undo `before_end()`. Without it, a no-op."""
    with suppress(ValueError):
        _before.remove(say)


def end() -> None:
    """
    Ship what is held: the process is about to end. Free if nothing holds lines.

    An ending may have several hooks, one after the other. They share the time: where
    the store is dead, only the first one waits. A process may go on all the same.

    The handler of a signal that comes meanwhile may raise, as a server's does whose
    processes are all told to end by a terminal, and then by their parent. What is held
    is shipped before its exception goes on.
    """
    if threading.get_ident() in _shipping:
        return
    try:
        _finish()
    except BaseException:
        _finish()
        raise


def _finish() -> None:
    _say()
    if _ship is not None:
        _spend_time()


def _say() -> None:
    for say in list(_before):
        say()


def _spend_time() -> None:
    """Ship what is held in the time that is left, and take note of how much that is."""
    global _left, _heard
    if not _is_under_way():
        _left = _seconds
    begun = _heard = time.monotonic()
    try:
        _call(_left, True)
    finally:
        _heard = time.monotonic()
        _left = max(0.0, _left - (_heard - begun))


def pause(seconds: float = math.inf) -> None:
    """
    Ship what is held: the process may be frozen. Free if nothing holds lines.

    Args:
        seconds: The most seconds to wait; never more than an ending.
    """
    _say()
    if _ship is not None:
        _call(min(_seconds, seconds), False)


def note_line() -> None:
    """
    Ship a line that was written just now if the process ends: it may be its last.

    A server says last that it has ended. Of the main thread only: a sink's own thread
    cannot wait for itself.
    """
    if not _heard or not _is_under_way():
        return
    if threading.current_thread() is threading.main_thread():
        end()


def _call(seconds: float, ends: bool) -> None:
    thread = threading.get_ident()
    if _ship is None or thread in _shipping:
        return
    _shipping.add(thread)
    try:
        _ship(seconds, ends)
    finally:
        _shipping.discard(thread)


def _is_under_way() -> bool:
    return bool(_heard) and time.monotonic() - _heard < _PAUSE


#: Whether `multiprocessing` has been told, and its finalizer in this process.
_told = False
_finalizer: Any = None


def _watch_process() -> None:
    """Let `multiprocessing` end a process of its own, which it does by `os._exit`."""
    global _told
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return
    if not _told:
        _told = True
        # A process that is forked forgets all finalizers first, then calls these.
        util.register_after_fork(end, _finalize)
    _finalize(end)


def _finalize(_: object) -> None:
    global _finalizer
    if _finalizer is None or not _finalizer.still_active():
        util = sys.modules["multiprocessing.util"]
        _finalizer = util.Finalize(None, _end_child, exitpriority=_PRIORITY)


def _end_child() -> None:
    # The finalizers of the main process are run by `atexit`, as `end()` is.
    if sys.modules["multiprocessing.process"].parent_process() is not None:
        end()


def _renew() -> None:
    """In a forked child: the parent's ending is not its own."""
    global _heard
    _heard = 0.0
    _shipping.clear()
    if _ship is not None or _before:
        _watch_process()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew)
