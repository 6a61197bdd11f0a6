"""
The progress of reading, shown at a terminal.
"""

from __future__ import annotations

import sys
import time

#: Files together smaller than this, in bytes, are read without a progress bar.
LEAST = 64 << 20
_PAUSE = 0.1


class Progress:
    """
    A bar on standard error, if that is a terminal and there is much to read.

    Args:
        total: How many bytes there are to read; None where that is not known.
    """

    def __init__(self, total: int | None) -> None:
        shows = total is not None and total >= LEAST and sys.stderr.isatty()
        self._total = total if shows else None
        self._done = 0
        self._next = 0.0

    def add(self, size: int) -> None:
        """Say that so many more bytes have been read."""
        self._done += size
        now = time.monotonic()
        if self._total is None or now < self._next:
            return
        self._next = now + _PAUSE
        part = min(self._done / self._total, 1.0)
        bar = ("█" * round(part * 30)).ljust(30)
        sys.stderr.write(f"\r[{bar}] {part:4.0%}")
        sys.stderr.flush()

    def end(self) -> None:
        """Take the bar away."""
        if self._total is not None and self._next:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
