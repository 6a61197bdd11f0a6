"""
Where a log call stands in the code: the first frame that is no logger's and not ours.
"""

from __future__ import annotations

import sys
import traceback
from types import FrameType

__all__ = ["call_stack", "caller", "is_between"]

_BETWEEN = frozenset({"ctxlog", "logging", "loguru", "structlog"})


def is_between(module: object) -> bool:
    """Whether *module* stands between a log call and the record: its name, or None."""
    return isinstance(module, str) and module.partition(".")[0] in _BETWEEN


def caller(frame: FrameType | None = None) -> FrameType | None:
    """Return the first frame, from *frame* or this one outwards, that logs; or None."""
    found: FrameType | None = frame or sys._getframe(1)
    while found is not None and is_between(found.f_globals.get("__name__")):
        found = found.f_back
    return found


def call_stack() -> str:
    """Return the stack of the log call as `logging` shows it."""
    lines = traceback.format_stack(caller(sys._getframe(1)))
    return "".join(["Stack (most recent call last):\n", *lines]).rstrip("\n")
