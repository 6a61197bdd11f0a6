"""
Files that may grow while they are looked at.
"""

from __future__ import annotations

import os

from ctxlog.viewer.query.needles import NAMES, Every
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.read.source import Hit, Source
from ctxlog.viewer.recognize.record import Record

#: A last line without an end is whole if it is the same for so many pauses.
_STILL = 4
#: And if it has no more bytes than these.
_LONGEST = 1 << 20


class Grown:
    """
    A file that may grow.

    Attributes:
        end: Where its whole lines end that are known.
        turns: How often another file was in its place, or it was cut.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.grows = Source(name).size is not None
        self._identity = self._found()
        self._rest, self._looks, self._is_open = b"", 0, False
        self.turns = 0
        self.end = self._whole_end(0) if self.grows else 0

    def _found(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.name)
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def news(self, every: Every) -> list[Hit]:
        """Return the lines since the last time, also of a file in its place."""
        identity = self._found()
        if identity is None:
            return []
        if identity != self._identity or os.path.getsize(self.name) < self.end:
            self._identity, self.end, self._is_open = identity, 0, False
            self.turns += 1
        if os.path.getsize(self.name) == self.end:
            return []
        if self._is_open and not self._skip_rest():
            return []
        begin, self.end = self.end, self._whole_end(self.end)
        if self.end == begin:
            return []
        found = scan(Source(self.name), every, begin, self.end)
        return [hit for _, hits in found for hit in hits]

    def _whole_end(self, begin: int) -> int:
        """
        Return where the lines end that are whole.

        The last one may have no end of its own. It is whole if it is an object, or
        stays as it is for a while: more of it may be on its way.
        """
        end = _lines_end(self.name, begin)
        with open(self.name, "rb") as file:
            file.seek(end)
            rest = file.read(_LONGEST + 1)
        if rest != self._rest:
            self._rest, self._looks = rest, 0
        self._looks += 1
        if not rest or len(rest) > _LONGEST:
            return end
        if not (Record.read(rest, NAMES) if rest[:1] == b"{" else self._looks > _STILL):
            return end
        self._is_open = True
        return end + len(rest)

    def _skip_rest(self) -> bool:
        """Pass over what is added to a line that is known; whether that has an end."""
        with open(self.name, "rb") as file:
            file.seek(self.end)
            rest = file.readline(_LONGEST)
        self.end += len(rest)
        self._is_open = not rest.endswith(b"\n")
        return not self._is_open


def _lines_end(name: str, begin: int) -> int:
    """Return where the last whole line of a file ends."""
    with open(name, "rb") as file:
        at = file.seek(0, os.SEEK_END)
        while at > begin:
            size = min(1 << 16, at - begin)
            file.seek(at - size)
            found = file.read(size).rfind(b"\n")
            if found >= 0:
                return at - size + found + 1
            at -= size
    return begin
