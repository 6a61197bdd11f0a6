"""
What every sink can do. Private to `sinks/`, which exports it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypedDict


class Stats(TypedDict):
    """
    What became of a sink's lines: numbers of lines, since the process began.

    `written` is the sum of `shipped`, `held`, `dropped` and `rejected`.

    Attributes:
        written: Given to the sink.
        shipped: Taken by the file, the pipe or the store.
        held: In memory, on their way.
        dropped: Given up: there was no room for them, or no time at the end.
        rejected: Refused by the store, each for a reason that sending it again would
            not change.
        retried: Sent again, because the store did not answer or was busy; a line counts
            each time.
    """

    written: int
    shipped: int
    held: int
    dropped: int
    rejected: int
    retried: int


class Sink(ABC):
    """
    A place that lines go to; all loggers share it.

    Ours are in `ctxlog.sinks`. To write one, derive from this class and define
    `write()`; then give it to `configure(to=[...])`.

    Attributes:
        name: What lines and errors call it; without credentials.
    """

    name: str = "sink"

    @abstractmethod
    def write(self, line: bytes) -> None:
        """
        Take one line, its newline included. From any thread, without raising.

        A sink that was closed takes lines again: a log call may come at any time.
        """

    def flush(self, timeout: float) -> int:
        """
        Wait until the lines that were taken so far are where they go.

        Args:
            timeout: The most seconds to wait. With 0 it asks a thread to go on and
                returns at once: so several sinks are flushed at the same time.

        Returns:
            The number of lines that are still held.
        """
        del timeout
        return 0

    def close(self, timeout: float) -> int:
        """
        Flush, then give back the thread, the file or the connection.

        Args:
            timeout: The most seconds to wait.

        Returns:
            The number of lines that were given up.
        """
        return self.flush(timeout)

    def stats(self) -> Stats:
        """Return what became of its lines."""
        return Stats(written=0, shipped=0, held=0, dropped=0, rejected=0, retried=0)
