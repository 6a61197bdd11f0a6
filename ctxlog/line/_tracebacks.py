"""
Tracebacks as Python shows them, which an interrupt may stop.

`traceback.format_exception` swallows whatever is raised while it reads the text of an
exception, a time limit that a signal handler raises among it.
"""

from __future__ import annotations

import builtins
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any

from ctxlog._interrupts import handled_signals

_LINKS = (
    "\nThe above exception was the direct cause of the following exception:\n\n",
    "\nDuring handling of the above exception, another exception occurred:\n\n",
)

# Exceptions of which Python shows more than a type and a text: a place in a source, a
# similar name, the exceptions of a group.
_SHOWN_BY_PYTHON: tuple[type[BaseException], ...] = (
    AttributeError,
    ImportError,
    NameError,
    SyntaxError,
)
if sys.version_info >= (3, 11):
    _SHOWN_BY_PYTHON += (builtins.BaseExceptionGroup,)


def format_exception(
    error: BaseException, text_of: Callable[[BaseException], str]
) -> str:
    """
    Return the traceback of `error`, of its cause and of its context.

    Args:
        error: The exception.
        text_of: Returns the text of an exception; may be interrupted.
    """
    chain = list(_chain(error))
    if any(isinstance(one, _SHOWN_BY_PYTHON) or _notes(one) for one, _ in chain):
        return "".join(
            traceback.format_exception(type(error), error, error.__traceback__)
        )
    parts: list[str] = []
    for one, link in reversed(chain):
        if one.__traceback__ is not None:
            parts.append("Traceback (most recent call last):\n")
            parts += _stack(one.__traceback__)
        text = text_of(one)
        name = _name(type(one))
        parts.append(f"{name}: {text}\n" if text else f"{name}\n")
        parts.append(link)
    return "".join(parts)


def _stack(trace: TracebackType) -> list[str]:
    # From 3.13 on Python swallows here, too, what is raised while it looks for the part
    # of a source line that failed. It takes a millisecond: signals wait for its end, if
    # no other thread gets them.
    numbers = handled_signals() if _DEFERS else ()
    if not numbers or threading.get_ident() != threading.main_thread().ident:
        return traceback.format_tb(trace)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        return traceback.format_tb(trace)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_DEFERS = sys.version_info >= (3, 13) and hasattr(signal, "pthread_sigmask")


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield an exception and those that led to it, each with what follows it."""
    link = ""
    following: BaseException | None = error
    seen: set[int] = set()
    while following is not None:
        one = following
        seen.add(id(one))
        yield one, link
        following, link = one.__cause__, _LINKS[0]
        if following is None or id(following) in seen:
            following, link = one.__context__, _LINKS[1]
            if one.__suppress_context__ or id(following) in seen:
                return


def _notes(error: BaseException) -> Any:
    return getattr(error, "__notes__", None)


def _name(kind: type) -> str:
    module = kind.__module__
    if module in ("__main__", "builtins"):
        return kind.__qualname__
    return f"{module if isinstance(module, str) else '<unknown>'}.{kind.__qualname__}"
