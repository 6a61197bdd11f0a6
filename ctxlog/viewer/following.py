"""
Files as they grow: through rotation and truncation, and before they are there.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from ctxlog.viewer.formats import Names, Record
from ctxlog.viewer.search import Criterion

_PAUSE = 0.1
_BLOCK = 1 << 20

#: How many bytes of lines are held back at most; the oldest requests go first.
MOST_HELD = 64 << 20


class Tail:
    """
    One file, read as it grows.

    Args:
        name: The file's name; it need not be there yet.
        from_start: Whether to begin with what it has by now; of a file that appears
            later, or takes the place of another, everything is read anyway.
    """

    def __init__(self, name: str, *, from_start: bool) -> None:
        self.name = name
        self._rest = b""
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
            # What is left without a newline will never get one.
            if self._rest:
                yield self._rest
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
                yield line + b"\n"

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


def followed(names: Sequence[str], *, from_start: bool) -> Iterator[tuple[str, bytes]]:
    """
    Yield lines as they are written, each with the name of its file.

    Ends when standard input does, if that is all there is to read; else never.

    Args:
        names: The files; `-` is standard input.
        from_start: Whether to begin with what the files have by now.
    """
    tails = [Tail(name, from_start=from_start) for name in names if name != "-"]
    typed: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    open_input = "-" in names
    if open_input and not tails:
        yield from (("-", line) for line in sys.stdin.buffer)
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


def _type(typed: queue.SimpleQueue[bytes | None]) -> None:
    for line in sys.stdin.buffer:
        typed.put(line)


@dataclass(frozen=True)
class Shown:
    """
    A line to print.

    Attributes:
        line: Its own bytes.
        record: What it says; None if it is not JSON.
    """

    line: bytes
    record: Record | None


@dataclass
class _Held:
    """A request whose lines are held back."""

    missing: list[Criterion]
    lines: list[Shown] = field(default_factory=list)
    size: int = 0
    start: float | None = None


class Watch:
    """
    Decides which lines are printed, and when.

    Without criteria every line is, at once. With some, the lines of a request are held
    back until each of them holds for one; then they are let go, and further ones follow
    at once. What is not JSON belongs to the line above it in its file.

    Args:
        names: The user's names of fields.
        criteria: All that must hold for a request.
        prefix: How its id begins.
        slow: How many seconds it takes at least.
        most_held: How many bytes are held back at most.
    """

    def __init__(
        self,
        names: Names,
        criteria: Sequence[Criterion],
        *,
        prefix: str | None = None,
        slow: float | None = None,
        most_held: int = MOST_HELD,
    ) -> None:
        self._names = names
        self._criteria = list(criteria)
        self._prefix = prefix
        self._slow = slow
        self._most_held = most_held
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._size = 0
        # Of late: one that was let go, or has been dropped, is begun anew.
        self._let_go: OrderedDict[str, None] = OrderedDict()
        self._above: dict[str, str | None] = {}

    @property
    def _chooses(self) -> bool:
        return (
            bool(self._criteria) or self._prefix is not None or self._slow is not None
        )

    def add(self, name: str, line: bytes) -> list[Shown]:
        """Take a line of a file; return what is to be printed now."""
        records = Record.read(line, self._names) or (None,)
        return [one for record in records for one in self._add(name, line, record)]

    def _add(self, name: str, line: bytes, record: Record | None) -> list[Shown]:
        shown = Shown(line, record)
        if not self._chooses:
            return [shown]
        if record is not None:
            self._above[name] = record.request
        request = self._above.get(name)
        if request is None or not request.startswith(self._prefix or ""):
            return []
        if request in self._let_go:
            self._let_go.move_to_end(request)
            return [shown]
        return self._hold(request, shown)

    def _hold(self, request: str, shown: Shown) -> list[Shown]:
        held = self._held.get(request)
        if held is None:
            held = self._held[request] = _Held(list(self._criteria))
        self._held.move_to_end(request)
        held.lines.append(shown)
        held.size += len(shown.line)
        self._size += len(shown.line)
        record = shown.record
        if record is not None:
            held.missing = [
                one for one in held.missing if not one.holds(record, shown.line)
            ]
            if held.start is None and record.span is not None:
                held.start, _ = record.span
        if held.missing or not self._is_slow(held, record):
            self._drop()
            return []
        del self._held[request]
        self._size -= held.size
        self._let_go[request] = None
        if len(self._let_go) > 10_000:
            self._let_go.popitem(last=False)
        return held.lines

    def _is_slow(self, held: _Held, record: Record | None) -> bool:
        if self._slow is None:
            return True
        if record is None or record.time is None or held.start is None:
            return False
        took = record.time - held.start
        return max(took, record.took or 0.0) >= self._slow

    def _drop(self) -> None:
        while self._size > self._most_held and len(self._held) > 1:
            _, held = self._held.popitem(last=False)
            self._size -= held.size
