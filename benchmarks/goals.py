"""
What a stamped line and a request may cost: the one table of goals.

A goal is missed if the whole interval of its ratio is beyond the limit: at 95 %
confidence, that is no accident of one run. It is reached if the median is within the
limit, and open in between: run longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from ratios import Failed, Median, Samples, ratio

# What is measured together, in turn; `bench.py` says how.
LINE = "one line"
EXCEPTION = "with an exception"
TWO_THREADS = "two threads"
FOUR_THREADS = "four threads"
DISABLED = "a disabled level"
REQUEST = "an empty request, asgi"
COMPLETION = "a completion line"
PER_SECOND = "HTTP, requests/s"
OWN_TIME = "HTTP, the server's own time"

CONSTANT = "stdlib, constant string"
PLAIN = "stdlib, plain text"
PJL = "python-json-logger, orjson"
OURS = "ctxlog, stdlib"
STOCK = "ctxlog, stdlib, stock loggers"
STRUCTLOG = "ctxlog, structlog"
LOGURU = "ctxlog, loguru"
PLAIN_SERVER = "plain text"
CORRELATION_ID = "asgi-correlation-id"
QUIET = "ctxlog, no completion line"
FULL = "ctxlog"
SAME_BYTES = "no route, its bytes in another field"
WITH_ROUTE = "a route"

#: What each group measured, by the names of its rows.
Found = Mapping[str, "Samples | Failed"]


class Goal(NamedTuple):
    """
    A ratio and its limit.

    Attributes:
        group: Where both were measured, in turn.
        ours: The row whose figure is divided.
        theirs: The row that it is divided by.
        limit: What the ratio should be at most.
        aim: What would be better still.
        at_least: Whether more is better; then `limit` is the least.
    """

    group: str
    ours: str
    theirs: str
    limit: float
    aim: float
    at_least: bool = False

    def __str__(self) -> str:
        return f"{self.group}: {self.ours} to {self.theirs}"

    def verdict(self, found: Median) -> str:
        """Return `missed`, `open`, `reached` or `aim reached`."""
        sign = -1 if self.at_least else 1
        best = min(sign * found.low, sign * found.high)
        if best > sign * self.limit:
            return "missed"
        if sign * found.value > sign * self.limit:
            return "open"
        return "aim reached" if sign * found.value <= sign * self.aim else "reached"


GOALS = [
    Goal(LINE, OURS, CONSTANT, 0.50, 0.42),
    Goal(LINE, OURS, PJL, 0.33, 0.27),
    Goal(LINE, OURS, "picologging, plain text", 0.75, 0.65),
    Goal(LINE, OURS, "structguru", 0.45, 0.38),
    Goal(LINE, STRUCTLOG, "structlog, orjson to bytes", 0.52, 0.48),
    Goal(LINE, LOGURU, "loguru, null sink", 1.20, 1.12),
    Goal(EXCEPTION, OURS, CONSTANT, 1.15, 1.05),
    Goal(TWO_THREADS, OURS, CONSTANT, 0.60, 0.50),
    Goal(PER_SECOND, OURS, PLAIN_SERVER, 1.10, 1.20, at_least=True),
    Goal(OWN_TIME, OURS, PLAIN_SERVER, 0.90, 0.80),
    Goal(
        PER_SECOND,
        STRUCTLOG,
        "structlog, contextvars, orjson",
        0.95,
        1.00,
        at_least=True,
    ),
    Goal(REQUEST, QUIET, CORRELATION_ID, 0.9, 0.6),
    Goal(REQUEST, FULL, CORRELATION_ID, 1.6, 1.2),
    Goal(COMPLETION, WITH_ROUTE, SAME_BYTES, 1.05, 1.00),
    Goal(DISABLED, OURS, CONSTANT, 1.05, 1.00),
]


class Outcome(NamedTuple):
    """A goal, what was measured, and the verdict: `-` if nothing was."""

    goal: Goal
    found: Median | Failed
    verdict: str


def judged(
    results: Mapping[str, Found], goals: Iterable[Goal] = GOALS
) -> Iterator[Outcome]:
    """Compare what was measured with the goals."""
    missing = Failed("left out")
    for goal in goals:
        group = results.get(goal.group, {})
        found = ratio(group.get(goal.ours, missing), group.get(goal.theirs, missing))
        verdict = "-" if isinstance(found, Failed) else goal.verdict(found)
        yield Outcome(goal, found, verdict)
