"""
Lines of standard input on a disk, until the store has them.

Every line is written there before it is sent, so that nothing is lost if this process
is killed: the next one goes on where the store stopped. What the system has not written
to the disk itself survives the process, but no power failure.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from ctxlog.agent._followed import Content, Followed, InFlight
from ctxlog.agent._input import Input
from ctxlog.agent._state import Position, State

_MOST_SEGMENT = 16 << 20

#: The name of a segment: its number.
_SEGMENT = re.compile(r"[0-9]{16}\.lines")


class Spill(Input):
    """
    Lines in files of a directory, within a bound: new lines are dropped without room.

    Args:
        state: The directory, which has what an earlier run left.
        most: The most bytes that the files have together.
        say: Takes a sentence about what cannot be done.

    Attributes:
        found: How many bytes an earlier run left.
    """

    def __init__(
        self, state: State, most: int, say: Callable[[str], object] = print
    ) -> None:
        super().__init__()
        self._folder, self._most, self._say = state.folder, most, say
        self._segment = min(_MOST_SEGMENT, max(most // 8, 1))
        self._failed = False
        self._writer: int | None = None
        self._written = 0
        #: What is left, by segment: the last may still be written to.
        self._segments: deque[Followed] = deque()
        self._in_flight = InFlight()
        # Of these names only: others are another program's.
        paths = sorted(
            path for path in self._folder.iterdir() if _SEGMENT.fullmatch(path.name)
        )
        saved = {position.path: position for position in state.load()}
        #: Of files, if the directory is that of a `--position` as well.
        self._others = [
            saved[one] for one in saved if not _SEGMENT.fullmatch(Path(one).name)
        ]
        self._number = int(paths[-1].stem) if paths else 0
        for path in map(str, paths):
            segment = Followed(path, path, Content(path))
            if path in saved and segment.has(saved[path]):
                segment.resume(saved[path].offset)
            self._segments.append(segment)
        self.found = self.unsent
        self._size = sum(segment.content.size() for segment in self._segments)

    # Standard input -------------------------------------------------------------

    def put(self, lines: Sequence[bytes]) -> None:
        """Take lines."""
        data = b"".join(lines)
        if not data:
            return
        with self._changed:
            if self._size + len(data) > self._most and len(lines) > 1:
                for line in lines:
                    self.put([line])
                return
            if self._size + len(data) > self._most or not self._write(data):
                self.dropped += len(lines)
                return
            self._size += len(data)
            self._written += len(data)
            self._changed.notify()

    def _write(self, data: bytes) -> bool:
        """Write whole lines, or nothing."""
        try:
            if self._writer is None or self._written >= self._segment:
                self._begin()
            assert self._writer is not None
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._writer, rest) :]
        except OSError as error:
            if self._writer is not None:
                os.ftruncate(self._writer, self._written)
            if not self._failed:
                self._failed = True
                self._say(f"{self._folder}: {error.strerror}; lines are dropped")
            return False
        self._failed = False
        return True

    def _begin(self) -> None:
        """Begin another segment."""
        path = str(self._folder / f"{self._number + 1:016}.lines")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        writer = os.open(path, flags, 0o600)
        segment = Followed(path, path, Content(path))
        if self._writer is not None:
            os.close(self._writer)
        self._number += 1
        self._writer, self._written = writer, 0
        self._segments.append(segment)

    # The loop -------------------------------------------------------------------

    def _gather(self, most: int, size: int) -> list[bytes]:
        batch: list[bytes] = []
        for segment in self._segments:
            try:
                while lines := self._read(segment, most, size, batch):
                    size -= sum(map(len, lines))
                    batch += lines
                    self._in_flight.add(len(lines), segment, segment.offset)
            except OSError as error:
                self._say(f"{segment.path}: {error.strerror}")
                break
            if lines is None:
                break
        return batch

    def _read(
        self, segment: Followed, most: int, size: int, batch: Sequence[bytes]
    ) -> list[bytes] | None:
        lines = segment.read(most - len(batch), size, first=not batch)
        if lines == [] and not self._is_open(segment):
            # The end of one that was killed while it wrote.
            rest = segment.rest()
            segment.offset += len(rest)
            return [rest + b"\n"] if rest else []
        return lines

    def _is_open(self, segment: Followed) -> bool:
        return self._writer is not None and segment is self._segments[-1]

    def done(self, number: int) -> None:
        """Remove the segments of which the store has all by now."""
        with self._changed:
            self._in_flight.done(number)
            while self._segments and self._is_sent(self._segments[0]):
                self._remove(self._segments.popleft())

    def _is_sent(self, segment: Followed) -> bool:
        return not self._is_open(segment) and not segment.unsent

    def _remove(self, segment: Followed) -> None:
        self._size -= segment.content.size()
        segment.content.close()
        Path(segment.path).unlink(missing_ok=True)

    # What is known of it ----------------------------------------------------------

    @property
    def unsent(self) -> int:
        """How many bytes the store does not have."""
        with self._changed:
            return sum(segment.unsent for segment in self._segments)

    def positions(self) -> list[Position]:
        """Return how far the store has each file."""
        with self._changed:
            found = [segment.position() for segment in self._segments]
            return [*self._others, *found]

    def close(self) -> None:
        """Close the files; remove those of which the store has all."""
        with self._changed:
            if self._writer is not None:
                os.close(self._writer)
                self._writer = None
            for segment in self._segments:
                if segment.unsent:
                    segment.content.close()
                else:
                    self._remove(segment)
            self._segments.clear()
