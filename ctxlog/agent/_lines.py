"""
Entries of files and pipes as lines to send: joined, without what a collector added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import NamedTuple

from ctxlog._json import dumps, loads
from ctxlog.aggregators.split import Joiner, is_collected, unwrapped


class Given(NamedTuple):
    """
    Lines to send.

    Attributes:
        lines: The lines, each with its newline.
        place: The offset of what has not become a line yet.
    """

    lines: list[bytes]
    place: int


@dataclass
class Counts:
    """
    What was read.

    Attributes:
        entries: How many lines, as they stand in files and pipes.
        size: How many bytes they have.
        texts: How many were no JSON; a store gets them as messages.
        torn: How many lack their end, since a collector has split them.
    """

    entries: int = 0
    size: int = 0
    texts: int = 0
    torn: int = 0


class Lines:
    """
    What one file or pipe has, as lines to send. An empty line is none.

    Args:
        counts: Where to count.
        convert: What to make of each line; nothing unless given.
    """

    def __init__(
        self, counts: Counts, convert: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._counts = counts
        self._convert = convert
        self._joiner = Joiner()

    def add(self, entries: Sequence[bytes], place: int) -> Given:
        """
        Take entries, each with its newline, of which the first begins at an offset.
        """
        size = sum(map(len, entries))
        end = place + size
        self._counts.entries += len(entries)
        self._counts.size += size
        if self._joiner.held_from is None and not is_collected(entries[0]):
            lines = [entry for entry in entries if entry != b"\n"]
            self._counts.texts += sum(not line.startswith(b"{") for line in lines)
            return Given(self._converted(lines), end)
        lines = []
        for entry in entries:
            for line, torn in self._joiner.add(entry, place):
                self._counts.torn += torn
                lines += self._line(line)
            place += len(entry)
        held = self._joiner.held_from
        return Given(self._converted(lines), end if held is None else held)

    def end(self, place: int) -> Given:
        """Give up waiting for the ends of lines that have been split."""
        lines: list[bytes] = []
        for line, _ in self._joiner.end():
            self._counts.torn += 1
            lines += self._line(line)
        return Given(self._converted(lines), place)

    def _converted(self, lines: list[bytes]) -> list[bytes]:
        convert = self._convert
        return lines if convert is None else [convert(line) for line in lines]

    def _line(self, entry: bytes) -> Sequence[bytes]:
        line = unwrapped(entry)
        if line.startswith(b"{"):
            return (line,)
        if line.isspace():
            return ()
        self._counts.texts += 1
        when = _time(entry)
        if when is None:
            return (line,)
        text = line.removesuffix(b"\n").decode("utf-8", "replace")
        return (dumps({"timestamp": when, "message": text}) + b"\n",)


def _time(entry: bytes) -> str | None:
    """Return when a collector took an entry, which the text within does not say."""
    if not entry.startswith(b"{"):
        first = entry.partition(b" ")[0].decode("ascii", "replace")
        return first if first[:1].isdigit() and "T" in first else None
    try:
        members = loads(entry)
        if "time" in members:
            return str(members["time"])
        seconds = int(members["__REALTIME_TIMESTAMP"]) / 1e6
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat()
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None
