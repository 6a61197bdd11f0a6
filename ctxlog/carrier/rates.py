"""
How many requests one stands for, as one process tells the next.

Requests are sampled where they begin. What was decided about one goes along with its
calls and tasks, so that the next process keeps its part: 10 for one of a tenth of all
requests, 1 for one that is kept for a reason. Nothing goes along before that.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from ctxlog.context.adapter import View

#: The header of HTTP calls.
RATE_HEADER = "X-Sample-Rate"

_MAX = 1e9
_TEXT = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,17})?", re.ASCII)


def outgoing_rate(view: View) -> int | float | None:
    """Return how many requests that of a view stands for; None if that is not known."""
    lines = view.lines
    return None if lines is None else lines.outgoing(view)


def received_rate(values: Collection[str]) -> float | None:
    """Return the number in the values of a header; None without one that is valid."""
    if len(values) != 1:
        return None
    (text,) = values
    return checked_rate(float(text)) if _TEXT.fullmatch(text) else None


def checked_rate(value: object) -> float | None:
    """Return a number of requests; None if a value is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not 1 <= value <= _MAX:
        return None
    # A whole number is written as one, on lines and for the next process.
    return value if value % 1 else int(value)
