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
