"""
Files as they grow: through rotation and truncation, and before they are there.
"""

from __future__ import annotations

import heapq
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from itertools import count
from math import inf
from typing import IO, TypeAlias

from ctxlog.aggregators.split import Joiner
from ctxlog.viewer.read.directory import Growing
from ctxlog.viewer.read.source import MARK
from ctxlog.viewer.read.store import StoreTail

_PAUSE = 0.1
# Seconds after which directories are looked at again.
_LOOK = 1.0
_BLOCK = 1 << 20
# So many lines wait at most for those of other files.
_MOST_HELD = 10_000


#: By device and inode how far files were read, and how they begin.
Seen: TypeAlias = dict[tuple[int, int], tuple[int, bytes]]
_HEAD = 256


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


class Tail:
    """
    One file, read as it grows, with the lines joined that a collector has split.

    Args:
        name: The file's name; it need not be there yet.
        from_start: Whether to begin with what it has by now; of a file that appears
            later, or takes the place of another, everything is read anyway.
        seen: How far each file was read, also by others: what was renamed is not read
            again under its new name.
    """

    def __init__(
        self,
        name: str,
        *,
        from_start: bool,
        seen: Seen | None = None,
    ) -> None:
        self.name = name
        self._seen: Seen = {} if seen is None else seen
        self._rest = b""
        self._joiner = Joiner()
        self._file: IO[bytes] | None = self._opened()
        if self._file is not None and not from_start:
            there = os.fstat(self._file.fileno())
            head = self._file.read(min(_HEAD, there.st_size))
            self._seen.setdefault(_identity(there), (there.st_size, head))

    def _opened(self) -> IO[bytes] | None:
        try:
            file = open(self.name, "rb")
        except FileNotFoundError:
            return None
        # A new file may have the number of one that was deleted.
        identity = _identity(os.fstat(file.fileno()))
        _, head = self._seen.get(identity, (0, b""))
        if file.read(len(head)) != head:
            del self._seen[identity]
        file.seek(0)
        return file

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
        there = os.fstat(file.fileno())
        identity = _identity(there)
        begin, head = self._seen.get(identity, (0, b""))
        if there.st_size < begin:
            begin, head = self._seen[identity] = 0, b""
            self._rest = b""
        file.seek(begin)
        while block := file.read(_BLOCK):
            if not head:
                head, block = block[:_HEAD], block.removeprefix(MARK)
            self._seen[identity] = file.tell(), head
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
        names: The files; `-` is standard input; of a directory all files that are
            text, also those that appear later.
        stores: The stores.
        from_start: Whether to begin with what the files have by now.
        time_of: Returns the time of a line, in seconds since the epoch; None if it has
            none, and stays with the line above it.

    Raises:
        UnavailableError: if a store does not answer the first time.
        RefusedError: if a store refuses what it is asked.
    """
    seen: Seen = {}
    opened = partial(Tail, seen=seen)
    folders = Growing(filter(os.path.isdir, names))
    has_folders = any(map(os.path.isdir, names))
    files = [name for name in names if name != "-" and not os.path.isdir(name)]
    tails: list[Tail | StoreTail] = [*stores]
    tails += [opened(name, from_start=from_start) for name in (*files, *folders.new())]
    look = time.monotonic() + _LOOK
    typed: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    open_input = "-" in names
    if open_input and not tails and not has_folders:
        yield from (("-", line) for line in _typed())
        return
    if open_input:
        threading.Thread(target=_type, args=(typed,), daemon=True).start()
    several = len(tails) + open_input > 1 or has_folders
    merged = _Merged(time_of)
    try:
        while True:
            if has_folders and time.monotonic() >= look:
                known = {tail.name for tail in tails}
                tails += [
                    opened(name, from_start=_unrotated(name) not in known)
                    for name in folders.new()
                ]
                look = time.monotonic() + _LOOK
            new = [("-", _taken(typed))] if open_input else []
            new += [(tail.name, tail.read()) for tail in tails]
            if several:
                yield from merged.look(new)
            else:
                yield from ((name, line) for name, lines in new for line in lines)
            _pause.wait(_PAUSE)
    finally:
        for tail in tails:
            tail.close()


_pause = threading.Event()


def _unrotated(name: str) -> str:
    """Return which file is kept under a name, if it is as of one that was rotated."""
    return re.sub(r"[.-]\d[\dT._-]*$", "", name)


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
