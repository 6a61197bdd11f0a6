"""
Where a log call stands in the code: the first frame that is no logger's and not ours.

`ctxlog.run(logger.info, "x")` and the like put frames of ours between a logger and the
code that logs; the loggers take those for the caller.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType

_LOGGERS = ("logging", "loguru", "structlog")


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def is_ours(module: object) -> bool:
    """Whether a module, or a logger, with that name is ctxlog's."""
    return str(module).partition(".")[0] == "ctxlog"


def _beyond(frame: FrameType | None, *packages: str) -> FrameType | None:
    while frame is not None and _package(frame) in packages:
        frame = frame.f_back
    return frame


def passed_on(
    path: object, line: object, variable: str, direct: int
) -> FrameType | None:
    """
    Return the frame of a log call that ctxlog has passed on; None for any other call.

    Args:
        path: The file in which the call stands as its logger sees it.
        line: The line there.
        variable: Name of the variable in the logger's method `_log` that says how many
            frames away the place is: `stacklevel` or `depth`.
        direct: Its value where the place is that of the call itself.
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
            return None  # structlog's asynchronous methods log in another thread
        seen = seen.f_back
    if not passed and _package(seen) != "ctxlog":
        return None
    # Counted again, without ours.
    found = _beyond(outer, "ctxlog")
    steps = inner.f_locals.get(variable)
    for _ in range(steps - direct if isinstance(steps, int) else 0):
        found = _beyond(found and found.f_back, "ctxlog")
    return found


def call_stack() -> str:
    """Return the stack of the log call as `logging` shows it."""
    frame = _beyond(sys._getframe(1), "ctxlog", *_LOGGERS)
    lines = traceback.format_stack(frame)
    return "".join(["Stack (most recent call last):\n", *lines]).rstrip("\n")
