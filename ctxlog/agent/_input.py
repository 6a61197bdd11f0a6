"""
Where lines come from, in order, with what the store has of them.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence

from ctxlog.agent._state import Position

#: What a line takes in memory beside its bytes.
OVERHEAD = 64


class Input(ABC):
    """
    Lines in order, and how far the store has them.

    One thread takes lines; others bring them.

    Attributes:
        is_at_end: Whether nothing more comes.
        dropped: How many lines there was no room for.
    """

    def __init__(self) -> None:
        self.is_at_end = False
        self.dropped = 0
        self._ends = False
        self._changed = threading.Condition()

    def take(self, most: int, size: int, wait: float) -> Sequence[bytes]:
        """
        Return the next lines, each with its newline; none if none came.

        Args:
            most: The most lines.
            size: The most bytes, unless a single line is longer.
            wait: The most seconds to wait for the first one.
        """
        with self._changed:
            batch = self._gather(most, size)
            if not batch and not self._ends:
                self._changed.wait(wait)
                batch = self._gather(most, size)
            self.is_at_end = self._ends and not batch
            return batch

    @abstractmethod
    def _gather(self, most: int, size: int) -> Sequence[bytes]:
        """Return the lines that are there, as `take` says. The lock is held."""

    def end(self) -> None:
        """Say that nothing more comes."""
        with self._changed:
            self._ends = True
            self._changed.notify()

    @abstractmethod
    def done(self, number: int) -> None:
        """Say that the store has so many more lines, or will never take them."""

    @property
    @abstractmethod
    def unsent(self) -> int:
        """How many bytes the store does not have."""

    def positions(self) -> list[Position]:
        """Return how far the store has each file."""
        return []

    def close(self) -> None:
        """Give back what is held."""
        self.end()


class Memory(Input):
    """
    Lines in memory, within a bound: the new ones are dropped that do not fit.

    Args:
        most: The most bytes.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self._size = 0
        self._lines: deque[bytes] = deque()
        self._taken: deque[bytes] = deque()

    def put(self, lines: Sequence[bytes]) -> None:
        """Take lines."""
        with self._changed:
            for line in lines:
                size = len(line) + OVERHEAD
                if self._size + size > self._most:
                    self.dropped += 1
                else:
                    self._size += size
                    self._lines.append(line)
            self._changed.notify()

    def _gather(self, most: int, size: int) -> list[bytes]:
        batch: list[bytes] = []
        while self._lines and len(batch) < most:
            size -= len(self._lines[0])
            if batch and size < 0:
                break
            batch.append(self._lines.popleft())
        self._taken.extend(batch)
        return batch

    def done(self, number: int) -> None:
        """Give the room of so many lines back."""
        with self._changed:
            for _ in range(number):
                self._size -= len(self._taken.popleft()) + OVERHEAD

    @property
    def unsent(self) -> int:
        """How many bytes the store does not have."""
        with self._changed:
            return self._size - OVERHEAD * (len(self._lines) + len(self._taken))
