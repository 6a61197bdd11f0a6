"""
The line that reports a crash, shared by all hooks.
"""

from __future__ import annotations

import logging
from types import TracebackType

from ctxlog import _trackers
from ctxlog._interrupts import is_interrupt

_logger = logging.getLogger("ctxlog.crash")


def passed_on(kind: type[BaseException]) -> bool:
    """Whether `kind` ends a program as intended: no crash."""
    return issubclass(kind, (KeyboardInterrupt, SystemExit))


def report(
    level: int,
    message: str,
    kind: type[BaseException],
    error: BaseException | None,
    traceback: TracebackType | None,
) -> bool:
    """
    Log a crash and return whether a handler takes the line. Never raises.

    The line takes its context from the exception, else from where this is called.
    """
    if error is None:  # the interpreter was short of memory
        message = f"{message}: {kind.__name__}"
    try:
        if not _heard(level):
            return False
        _trackers.watch()
        _logger.log(level, message, exc_info=error and (kind, error, traceback))
    except Exception as failure:  # a third-party handler; at the interpreter's end
        if is_interrupt(failure):
            raise
        return False
    return True


def _heard(level: int) -> bool:
    if not _logger.isEnabledFor(level):
        return False
    logger: logging.Logger | None = _logger
    while logger is not None:
        for handler in logger.handlers:
            if level >= handler.level and not isinstance(handler, logging.NullHandler):
                return True
        logger = logger.parent if logger.propagate else None
    return False
