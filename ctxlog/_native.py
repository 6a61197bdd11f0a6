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


def _begin(work: Callable[..., object], *args: Any) -> None:
    # As `threading.Thread` does it, for debuggers and the like.
    sys.settrace(threading.gettrace())
    sys.setprofile(threading.getprofile())
    Context().run(work, *args)
