"""
The caller of a log call: the first frame outside of loggers and ctxlog.

`ctxlog.run({}, logger.info, "x")` puts ctxlog's frames between a logger and the code
that logs, and the loggers take those for the caller. Private to `loggers/`.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType

_LOGGERS = ("logging", "loguru", "structlog")


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def is_ours(module: object) -> bool:
    """Return whether a module, or a logger, with that name is ctxlog's."""
    return str(module).partition(".")[0] == "ctxlog"


def _beyond(frame: FrameType | None, *packages: str) -> FrameType | None:
    while frame is not None and _package(frame) in packages:
        frame = frame.f_back
    return frame


def passed_on(
    path: object, line: object, variable: str, direct: int
) -> FrameType | None:
    """
    Return the caller's frame if ctxlog has passed the log call on, else None.

    Args:
        path: The file of the caller that the logger has found.
        line: The line there.
        variable: The variable of the logger's method `_log` that counts how many frames
            to go up: `stacklevel` or `depth`.
        direct: Its value if no frame is skipped.
    """
    inner: FrameType | None = sys._getframe(1)
    while inner is not None and not (
        inner.f_code.co_name == "_log" and _package(inner) in _LOGGERS
    ):
        inner = inner.f_back
    outer = _beyond(inner, *_LOGGERS)
    if inner is None or outer is None:
        return None
    passed, seen = False, outer
    while seen.f_lineno != line or seen.f_code.co_filename != path:
        passed = passed or _package(seen) == "ctxlog"
        if seen.f_back is None:
            # structlog's asynchronous methods log in another thread.
            return None
        seen = seen.f_back
    if not passed and _package(seen) != "ctxlog":
        return None
    # Go up again, without counting ctxlog's frames.
    found = _beyond(outer, "ctxlog")
    steps = inner.f_locals.get(variable)
    for _ in range(steps - direct if isinstance(steps, int) else 0):
        found = _beyond(found and found.f_back, "ctxlog")
    return found


def call_stack() -> str:
    """Return the stack of the log call, as `logging` shows it."""
    frame = _beyond(sys._getframe(1), "ctxlog", *_LOGGERS)
    lines = traceback.format_stack(frame)
    return "".join(["Stack (most recent call last):\n", *lines]).rstrip("\n")
