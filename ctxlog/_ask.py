"""
Calls of what the application has given as an option. Core.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from ctxlog._interrupts import is_interrupt

_T = TypeVar("_T")


def ask(failure: str, default: _T, fn: Callable[[], _T]) -> _T:
    """
    Return what a callable of the application returns, or *default* if it raises.

    Args:
        failure: The message of the line that is logged then.
        default: The result in that case.
        fn: The callable.
    """
    try:
        return fn()
    except Exception as error:
        # Code of the application raises anything. The request is served all the same.
        # (The logger is not made before: `dictConfig` would disable it, as it does with
        # those that there are when a formatter of ours is imported.)
        if is_interrupt(error):
            raise
        logging.getLogger("ctxlog").exception(failure)
        return default


class Complaints:
    """Warnings about options whose callables return nonsense, each said once."""

    __slots__ = ("_said",)

    def __init__(self) -> None:
        self._said: set[str] = set()

    def returned(self, option: str, value: object, allowed: str) -> None:
        """Say what a callable may return, and that this is something else."""
        if self._is_new(option):
            logging.getLogger("ctxlog").warning(
                "%s returned a %s (expected %s); said once",
                *(option, type(value).__name__, allowed),
            )

    def raised(self, option: str, error: Exception) -> None:
        """Say that a callable raised an exception."""
        if self._is_new(option):
            log = logging.getLogger("ctxlog")
            log.warning("%s failed; said once", option, exc_info=error)

    def _is_new(self, option: str) -> bool:
        if option in self._said:
            return False
        self._said.add(option)
        return True
