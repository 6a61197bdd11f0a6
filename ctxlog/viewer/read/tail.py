"""
Files as they grow: through rotation and truncation, and before they are there.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
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
    names: Sequence[str], stores: Sequence[StoreTail] = (), *, from_start: bool
) -> Iterator[tuple[str, bytes]]:
    """
    Yield lines as they are written, each with the name of its file or store.

    Ends when standard input does, if that is all there is to read; else never.

    Args:
        names: The files; `-` is standard input.
        stores: The stores.
        from_start: Whether to begin with what the files have by now.

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
    try:
        while True:
            for tail in tails:
                yield from ((tail.name, line) for line in tail.read())
            while not typed.empty():
                line = typed.get()
                if line is not None:
                    yield "-", line
            _pause.wait(_PAUSE)
    finally:
        for tail in tails:
            tail.close()


_pause = threading.Event()


def _typed() -> Iterator[bytes]:
    """Yield the lines of standard input."""
    joiner = Joiner()
    for line in sys.stdin.buffer:
        yield from (one.line for one in joiner.add(line))
    yield from (one.line for one in joiner.end())


def _type(typed: queue.SimpleQueue[bytes | None]) -> None:
    for line in _typed():
        typed.put(line)
