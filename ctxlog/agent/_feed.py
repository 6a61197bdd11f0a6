"""
An input as the sending loop takes it, and what became of its lines.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from ctxlog.agent._input import Input

_PAUSE = 0.5


class Feed:
    """
    The source of a `Shipping`, over an input.

    Args:
        given: The input.

    Attributes:
        shipped: How many lines the store has taken.
        rejected: How many it has refused.
        retried: How many were sent again; a line counts each time.
        progress: When the store last took lines, or this began, by `time.monotonic()`.
        deadline: When to be done, by `time.monotonic()`; None as long as lines come.
    """

    def __init__(self, given: Input) -> None:
        self.shipped = self.rejected = self.retried = 0
        self.progress = time.monotonic()
        self.deadline: float | None = None
        self._input = given
        self._changed = threading.Condition()

    @property
    def unsent(self) -> int:
        """How many bytes the store does not have. It may have to look at files."""
        return self._input.unsent

    @property
    def dropped(self) -> int:
        """How many lines there was no room for."""
        return self._input.dropped

    def end(self, deadline: float) -> None:
        """Say when to be done."""
        with self._changed:
            self.deadline = deadline
            self._changed.notify_all()

    def take(
        self, max_lines: int, max_bytes: int, linger: float
    ) -> Sequence[bytes] | None:
        """Return the next lines; None if there will be none, or no time is left."""
        if self.within(1.0) <= 0:
            return None
        lines = list(self._input.take(max_lines, max_bytes, _PAUSE))
        if not lines:
            return None if self._input.is_at_end else []
        max_bytes -= sum(map(len, lines))
        until = time.monotonic() + linger
        while len(lines) < max_lines and max_bytes > 0 and self.deadline is None:
            left = until - time.monotonic()
            if left <= 0:
                break
            more = self._input.take(max_lines - len(lines), max_bytes, left)
            if not more and self._input.is_at_end:
                break
            lines += more
            max_bytes -= sum(map(len, more))
        return lines

    def settle(self, *, shipped: int = 0, rejected: int = 0) -> None:
        """Take note of what became of the first of the lines that are not settled."""
        self.shipped += shipped
        self.rejected += rejected
        self.progress = time.monotonic()
        self._input.done(shipped + rejected)

    def retry(self, count: int) -> None:
        """Take note that so many lines will be sent again."""
        self.retried += count

    def pause(self, seconds: float, firm: bool = False) -> None:
        """Wait, but not over the deadline; if it is not firm, less when that is set."""
        until = time.monotonic() + seconds
        with self._changed:
            before = self.deadline
            while True:
                left = self.within(until - time.monotonic())
                if left <= 0 or (self.deadline != before and not firm):
                    return
                self._changed.wait(left)

    def within(self, seconds: float) -> float:
        """Return so many seconds, or less if the deadline comes before."""
        if self.deadline is None:
            return seconds
        return min(seconds, self.deadline - time.monotonic())
