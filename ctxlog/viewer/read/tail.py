"""
Files as they grow: through rotation and truncation, and before they are there.
"""

from __future__ import annotations

import heapq
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from math import inf
from operator import itemgetter
from typing import IO

from ctxlog.aggregators.split import Joiner
from ctxlog.viewer.read.store import StoreTail

_PAUSE = 0.1
_BLOCK = 1 << 20


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
) -> Iterator[tuple[str, bytes]]:
    """
    Yield lines as they are written, each with the name of its file or store.

    What several have written since the last look comes in the order of its times.
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
    try:
        while True:
            new = [_named(tail.name, tail.read()) for tail in tails]
            new += [_named("-", _taken(typed))] if open_input else []
            if several:
                new = [_timed(lines, time_of) for lines in new]
            merged = heapq.merge(*new, key=itemgetter(0)) if several else new[0]
            yield from ((name, line) for _, name, line in merged)
            _pause.wait(_PAUSE)
    finally:
        for tail in tails:
            tail.close()


_pause = threading.Event()


def _named(name: str, lines: Iterator[bytes]) -> Iterator[tuple[float, str, bytes]]:
    return ((0.0, name, line) for line in lines)


def _timed(
    lines: Iterator[tuple[float, str, bytes]],
    time_of: Callable[[bytes], float | None],
) -> Iterator[tuple[float, str, bytes]]:
    """Yield lines of one file with times that never go back: they keep their order."""
    latest = -inf
    for _, name, line in lines:
        time = time_of(line)
        if time is not None:
            latest = max(latest, time)
        yield latest, name, line


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
