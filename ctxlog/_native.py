"""
Threads and locks of the operating system, in a process of greenlets, too. Core.

gevent and eventlet replace those of Python. A greenlet that computes would keep others
waiting whose work does not depend on it.
"""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

_PATCHING = ("gevent.monkey", "eventlet.patcher")


def original(name: str) -> Any:
    """Return a function of `_thread`, although gevent or eventlet has replaced it."""
    gevent, eventlet = (sys.modules.get(module) for module in _PATCHING)
    if gevent is not None:
        return gevent.get_original("_thread", name)
    if eventlet is not None:
        return getattr(eventlet.original("_thread"), name)
    return getattr(_thread, name)


def start_thread(work: Callable[..., object], *args: Any) -> None:
    """
    Call `work` in a thread that has no context and does not keep the process running.

    Not by `threading`, whose locks a finalizer that logs may hold.

    Raises:
        RuntimeError: if the system, or the interpreter at its end, starts none.
    """
    original("start_new_thread")(_begin, (work, *args))


class AutoResetEvent:
    """
    Wakes one thread: each `set()` ends one `wait()`, be it under way or to come.

    Safe in a signal handler and a finalizer, whatever they interrupt.
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        self._lock = original("allocate_lock")()
        self._lock.acquire()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait so many seconds, by default for ever; return whether it was woken."""
        timeout = -1 if seconds is None else max(seconds, 0.0)
        woken: bool = self._lock.acquire(timeout=min(timeout, threading.TIMEOUT_MAX))
        return woken

    def set(self) -> None:
        """Wake the thread."""
        try:
            self._lock.release()
        except RuntimeError:  # it is about to look anyway
            pass


def _begin(work: Callable[..., object], *args: Any) -> None:
    # As `threading.Thread` does it, for debuggers and the like.
    sys.settrace(threading.gettrace())
    sys.setprofile(threading.getprofile())
    Context().run(work, *args)
