"""
A stream or a sink that is written to by a thread, so that no log call waits for it.
"""

from __future__ import annotations

import select
import sys
import time
from typing import Any

from ctxlog._interrupts import is_interrupt
from ctxlog._sizes import size_of
from ctxlog.sinks._accounts import Accounts
from ctxlog.sinks._buffer import Buffer, Feed, apart, handing_on, seconds_to_wait
from ctxlog.sinks._sink import Sink, Stats
from ctxlog.sinks._stream import Stream

# The most lines and bytes that the thread takes at once, and how long it waits for the
# next one: waking it for each of many lines would slow the caller.
_LINES, _BYTES, _LINGER = 1_000, 1_000_000, 0.005

# Saying what was lost may wait for the same reader.
_SAYING = 0.2


class Background(Sink):
    """
    Writes lines to a stream or a sink in a thread: log calls do not wait for it.

    A pipe whose reader sleeps, a terminal that is stopped, a slow disk: lines are held
    meanwhile, in at most *max_bytes* of memory, and a call waits no longer than *wait*.
    What does not fit is dropped and counted, and said by a line of the logger
    `ctxlog.sinks`. A process that is killed loses what is held.

    Args:
        to: A stream, or another sink; `sys.stdout` as it is unless given.
        max_bytes: The most memory that lines take: `16MB`, or a number of bytes.
        wait: The most seconds that a call waits for room. Once one has waited in vain,
            no further call waits until lines have left.
        on_full: `wait` for room before a line is dropped, or `drop` it at once.

    Raises:
        ConfigError: if an option is invalid.
    """

    def __init__(
        self,
        to: Any = None,
        *,
        max_bytes: int | str = "16MB",
        wait: float = 0.02,
        on_full: str = "wait",
    ) -> None:
        size = size_of("max_bytes", max_bytes)
        self._to = to if isinstance(to, Sink) else Stream(to)
        self.name = self._to.name
        self._buffer = Buffer(self._write, size, seconds_to_wait(on_full, wait))
        self._accounts = Accounts(self, self._buffer, "it takes none")

    @property
    def stream(self) -> Any:
        """The stream that it writes to; None without one."""
        return getattr(self._to, "stream", None)

    def write(self, line: bytes) -> None:
        """Take one line. Never waits longer than it was told to, nor raises."""
        self._buffer.put(line)

    def flush(self, timeout: float) -> int:
        """Wait until the lines are written; return the number of those still held."""
        end = time.monotonic() + timeout
        held = self._buffer.flush(timeout)
        # A stream that is stuck would hold this thread up, too.
        return held or self._to.flush(max(end - time.monotonic(), 0.0))

    def close(self, timeout: float) -> int:
        """Wait until the lines are written, and end the thread; return what is not."""
        end = time.monotonic() + timeout
        count = self._buffer.close(timeout)
        # Standard error may be the same pipe.
        if not apart(lambda: self._accounts.given_up(count), _SAYING):
            if _is_writable(sys.stderr):
                self._accounts.given_up(count)
        return count or self._to.close(max(end - time.monotonic(), 0.0))

    def stats(self) -> Stats:
        """Return what became of the lines."""
        return self._buffer.stats()

    def _write(self, feed: Feed) -> None:
        while (lines := feed.take(_LINES, _BYTES, _LINGER)) is not None:
            with handing_on():
                for line in lines:
                    feed.settle(**self._outcome(line))
            self._accounts.settled(0.0)

    def _outcome(self, line: bytes) -> dict[str, int]:
        try:
            self._to.write(line)
        except Exception as error:
            # A third-party sink may raise anything.
            if is_interrupt(error):
                raise
            self._accounts.rejected(line, f"{type(error).__name__}: {error}")
            return {"rejected": 1}
        return {"shipped": 1}


def _is_writable(stream: Any) -> bool:
    try:
        return bool(select.select((), (stream,), (), 0)[1])
    except (OSError, TypeError, ValueError):  # a file, no stream at all, Windows
        return True
