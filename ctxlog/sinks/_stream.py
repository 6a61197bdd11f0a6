"""
A stream as a sink: a `LineWriter` that counts. Private to `sinks/`.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import weakref
from typing import Any

from ctxlog.line.writer import LineWriter
from ctxlog.sinks._sink import Sink, Stats


class Counter:
    """Counts lines, from any thread, without a lock for each of them."""

    def __init__(self) -> None:
        # `next()` is one step of the interpreter, which `count += 1` is not.
        self._steps = itertools.count()
        self._asked = 0

    def add(self) -> None:
        """Count one."""
        next(self._steps)

    def total(self) -> int:
        """Return how many were counted."""
        with _lock:
            total = next(self._steps) - self._asked
            self._asked += 1
            return total


class Stream(Sink):
    """
    Writes lines to a stream, as they are written where it is the only place.

    A line that the stream does not take goes to standard error.

    Args:
        stream: A text or binary stream; unless given, `sys.stdout` as it is when a line
            is written.
    """

    def __init__(self, stream: Any = None) -> None:
        self.writer = LineWriter(stream)
        self.name = _name_of(stream)
        self._written = Counter()
        _streams.add(self)

    @property
    def stream(self) -> Any:
        """Where the lines go."""
        return self.writer.stream

    def write(self, line: bytes) -> None:
        """Write one line. Raises nothing but interrupts."""
        self._written.add()
        self.writer.write(line)

    def flush(self, timeout: float) -> int:
        """Write what is left, after interrupts or losses."""
        self.writer.flush()
        return 0

    def stats(self) -> Stats:
        """Return its counts; a line that went to standard error instead is dropped."""
        written, dropped = self._written.total(), self.writer.missed
        return Stats(
            written=written,
            shipped=written - dropped,
            held=0,
            dropped=dropped,
            rejected=0,
            retried=0,
        )

    def renew(self) -> None:
        """In a forked child: count from nothing."""
        self._written = Counter()
        self.writer.missed = 0


_lock = threading.Lock()
_streams: weakref.WeakSet[Stream] = weakref.WeakSet()


def _renew_streams() -> None:
    global _lock
    _lock = threading.Lock()
    for stream in list(_streams):
        stream.renew()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew_streams)


def _name_of(stream: Any) -> str:
    if stream is None or stream is sys.stdout or stream is sys.__stdout__:
        return "stdout"
    if stream is sys.stderr or stream is sys.__stderr__:
        return "stderr"
    return str(getattr(stream, "name", type(stream).__name__))
