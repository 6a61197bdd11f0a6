"""
What `ctxlog ship` says on standard error: what happens, and the totals.
"""

from __future__ import annotations

import os
import sys
import time

from ctxlog.agent._feed import Feed
from ctxlog.agent._lines import Counts
from ctxlog.aggregators import DeniedError, UnavailableError
from ctxlog.terminal import printable

#: The seconds between two reports of how far it is.
PAUSE = 10.0


class Report:
    """
    Says what happens, each thing once: the observer of a `Shipping`.

    Args:
        store: What the store is called.
        counts: What was read.
        feed: What became of it.
        place: What holds the lines that the store does not have.
    """

    def __init__(self, store: str, counts: Counts, feed: Feed, place: str) -> None:
        self._store, self._counts, self._feed = store, counts, feed
        self._place = place
        self._reason = ""
        self._is_away = self._is_denied = False
        self._next = time.monotonic() + PAUSE
        self._last = ""

    # From the loop ------------------------------------------------------------------

    def failed(self, error: UnavailableError, since: float) -> None:
        """Say that the store takes no lines, once; that it denies, once more."""
        denied = isinstance(error, DeniedError)
        if not self._is_away or (denied and not self._is_denied):
            self._is_away = True
            self._is_denied = denied
            say(f"{self._store}: {error}; trying again")

    def settled(self, since: float) -> None:
        """Say that it takes lines again."""
        if self._is_away:
            self._is_away = self._is_denied = False
            say(f"{self._store} takes lines again, after {since:.1f} s")

    def rejected(self, line: bytes, reason: str) -> None:
        """Say why a line was refused, the first time."""
        if not self._reason:
            self._reason = printable(reason)
            say(f"{self._store} refuses a line: {reason}")

    # Totals -------------------------------------------------------------------------

    def progress(self) -> None:
        """Say how far it is, if it is time for that and something has changed."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + PAUSE
        totals = self.totals(self._feed.unsent, self._feed.dropped)
        if totals != self._last:
            self._last = totals
            say(totals)

    def totals(self, unsent: int, dropped: int) -> str:
        """Return the totals in one line: all that are not 0."""
        counts, feed = self._counts, self._feed
        parts = [
            f"read {counts.entries:,} lines ({_size(counts.size)})",
            f"shipped {feed.shipped:,}",
        ]
        if unsent:
            parts.append(f"{self._place} {_size(unsent)}")
        if feed.rejected:
            parts.append(f"rejected {feed.rejected:,} ({self._reason})")
        if dropped:
            parts.append(f"dropped {dropped:,} for want of room")
        for number, what in (
            (feed.retried, "sent again"),
            (counts.texts, "no JSON, sent as messages"),
            (counts.torn, "without their end"),
        ):
            if number:
                parts.append(f"{number:,} {what}")
        return ", ".join(parts)


def say(sentence: str) -> None:
    """Say a sentence on standard error; it may hold what others have written."""
    if sys.stderr is None:
        return
    try:
        # Not by `print`: Python would try again at exit what is left in its buffer.
        os.write(sys.stderr.fileno(), f"ctxlog ship: {printable(sentence)}\n".encode())
    except (OSError, ValueError):  # it is closed, or full
        pass


def _size(number: float) -> str:
    for unit in ("B", "kB", "MB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"
