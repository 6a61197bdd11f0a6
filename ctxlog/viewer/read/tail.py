"""
Files as they grow: through rotation and truncation, and before they are there.
"""

from __future__ import annotations

import heapq
import os
import queue
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import count
from math import inf
from typing import IO

from ctxlog.aggregators.split import Joiner
from ctxlog.viewer.read.store import StoreTail

_PAUSE = 0.1
_BLOCK = 1 << 20
# So many lines wait at most for those of other files.
_MOST_HELD = 10_000


class Tail:
    """
    One file, read as it grows, with the lines joined that a collector has split.

    Args:
        name: The file's name; it need not be there yet.
        from_start: Whether to begin with what it has by now; of a file that appears
            later, or takes the place of another, everything is read anyway.
    """

    def __init__(self, name: str, *, from_start: bool) -> None:
        self.name = name
        self._rest = b""
        self._joiner = Joiner()
        self._file: IO[bytes] | None = self._opened()
        if self._file is not None and not from_start:
            self._file.seek(0, os.SEEK_END)

    def _opened(self) -> IO[bytes] | None:
        try:
            return open(self.name, "rb")
        except FileNotFoundError:
            return None

    def read(self) -> Iterator[bytes]:
        """Yield the lines that have been written since the last time."""
        if self._file is None:
            self._file = self._opened()
        while self._file is not None:
            yield from self._grown(self._file)
            if not self._replaced(self._file):
                return
            # A rest without a newline will never get one.
            if self._rest:
                yield from self._joined(self._rest)
            self._rest = b""
            self._file.close()
            self._file = self._opened()

    def _grown(self, file: IO[bytes]) -> Iterator[bytes]:
        if os.fstat(file.fileno()).st_size < file.tell():
            file.seek(0)
            self._rest = b""
        while block := file.read(_BLOCK):
            *whole, self._rest = (self._rest + block).split(b"\n")
            for line in whole:
                yield from self._joined(line + b"\n")

    def _joined(self, line: bytes) -> Iterator[bytes]:
        # Its parts may be on both sides of a rotation.
        return (one.line for one in self._joiner.add(line))

    def _replaced(self, file: IO[bytes]) -> bool:
        try:
            there = os.stat(self.name)
        except FileNotFoundError:
            return False
        return not os.path.samestat(there, os.fstat(file.fileno()))

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def followed(
    names: Sequence[str],
    stores: Sequence[StoreTail] = (),
    *,
    from_start: bool,
    time_of: Callable[[bytes], float | None],
) -> Generator[tuple[str, bytes], None, None]:
    """
    Yield lines as they are written, each with the name of its file or store.

    What several have written comes in the order of its times: each line waits for one
    more look at the others, which may have written an earlier one meanwhile.

    Ends when standard input does, if that is all there is to read; else never.

    Args:
        names: The files; `-` is standard input.
        stores: The stores.
        from_start: Whether to begin with what the files have by now.
        time_of: Returns the time of a line, in seconds since the epoch; None if it has
            none, and stays with the line above it.

    Raises:
        UnavailableError: if a store does not answer the first time.
        RefusedError: if a store refuses what it is asked.
    """
    tails: list[Tail | StoreTail] = [*stores]
    tails += [Tail(name, from_start=from_start) for name in names if name != "-"]
    typed: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    open_input = "-" in names
    if open_input and not tails:
        yield from (("-", line) for line in _typed())
        return
    if open_input:
        threading.Thread(target=_type, args=(typed,), daemon=True).start()
    several = len(tails) + open_input > 1
    merged = _Merged(time_of)
    try:
        while True:
            new = [(tail.name, tail.read()) for tail in tails]
            new += [("-", _taken(typed))] if open_input else []
            if several:
                yield from merged.look(new)
            else:
                yield from ((name, line) for name, lines in new for line in lines)
            _pause.wait(_PAUSE)
    finally:
        for tail in tails:
            tail.close()


_pause = threading.Event()


class _Merged:
    """
    The lines of several files in the order of their times, as far as they are known.

    Args:
        time_of: Returns the time of a line; None if it has none.
    """

    def __init__(self, time_of: Callable[[bytes], float | None]) -> None:
        self._time_of = time_of
        self._latest: dict[int, float] = {}
        self._numbers = count()
        # By time; of lines at the same time those of a file stay together.
        self._held: list[tuple[float, int, int, str, bytes]] = []

    def look(
        self, new: Sequence[tuple[str, Iterator[bytes]]]
    ) -> Iterator[tuple[str, bytes]]:
        """Yield what waited for this look, and what is earlier; hold the rest back."""
        held = self._held
        last = max(held, default=None)
        # One file after the other is read as far as it is needed: they may be large.
        timed = (self._timed(index, *one) for index, one in enumerate(new))
        for line in heapq.merge(*timed):
            heapq.heappush(held, line)
            if len(held) > _MOST_HELD:
                yield heapq.heappop(held)[3:]
        while last is not None and held and held[0] <= last:
            yield heapq.heappop(held)[3:]

    def _timed(
        self, index: int, name: str, lines: Iterator[bytes]
    ) -> Iterator[tuple[float, int, int, str, bytes]]:
        """Yield lines of one file with times that never go back: they stay in order."""
        for line in lines:
            latest, time = self._latest.get(index, -inf), self._time_of(line)
            self._latest[index] = latest if time is None else max(latest, time)
            yield self._latest[index], index, next(self._numbers), name, line


def _taken(typed: queue.SimpleQueue[bytes | None]) -> Iterator[bytes]:
    while not typed.empty():
        line = typed.get()
        if line is not None:
            yield line


def _typed() -> Iterator[bytes]:
    """Yield the lines of standard input."""
    joiner = Joiner()
    for line in sys.stdin.buffer:
        yield from (one.line for one in joiner.add(line))
    yield from (one.line for one in joiner.end())


def _type(typed: queue.SimpleQueue[bytes | None]) -> None:
    for line in _typed():
        typed.put(line)
