"""
One file, as it is followed: which one it is, and its lines from an offset on.
"""

from __future__ import annotations

import gzip
import os
import stat
import time
import zlib
from collections import deque
from dataclasses import dataclass
from typing import IO, cast

from ctxlog.agent._state import HEAD, Position, digest

#: A line that is longer goes in pieces.
LONGEST = 4 << 20

_BLOCK = 256 << 10

#: Fewer first bytes identify no file: two logs may begin with the same few.
LEAST_HEAD = 64


class Content:
    """
    The bytes of a file, plain or unpacked.

    Args:
        path: Its name.
        descriptor: An open one of the file, which is closed with this.

    Raises:
        OSError: it cannot be opened, or is no file.
    """

    def __init__(self, path: str, descriptor: int | None = None) -> None:
        if descriptor is None:
            # Not to wait for the writer of a pipe.
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        self._file = descriptor
        self._packed: IO[bytes] | None = None
        self._unpacked: IO[bytes] | None = None
        if not stat.S_ISREG(self.stat().st_mode):
            os.close(descriptor)
            raise OSError(0, "is no file")
        if path.endswith(".gz"):
            self._packed = os.fdopen(os.dup(descriptor), "rb")
            self._unpacked = cast("IO[bytes]", gzip.GzipFile(fileobj=self._packed))

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed, so that nothing more is written to it."""
        return self._unpacked is not None

    def stat(self) -> os.stat_result:
        """Return what the system says of the file."""
        return os.fstat(self._file)

    def size(self) -> int:
        """Return how many bytes can be read; compressed, where reading has to stop."""
        return 1 << 62 if self.is_packed else self.stat().st_size

    def read(self, size: int, place: int) -> bytes:
        """
        Return so many bytes from a place on, fewer at the end.

        Raises:
            OSError: it cannot be read.
        """
        if self._unpacked is None:
            return os.pread(self._file, size, place)
        try:
            self._unpacked.seek(place)
            return self._unpacked.read(size)
        except (EOFError, zlib.error) as error:  # it is being written, or damaged
            raise OSError(0, str(error)) from None

    def again(self) -> Content:
        """Return another object of the same file."""
        return Content("", os.dup(self._file))

    def close(self) -> None:
        """Close the file."""
        for opened in (self._unpacked, self._packed):
            if opened is not None:
                opened.close()
        os.close(self._file)


class Followed:
    """
    What one file has, from an offset on, and later what its copy has.

    Attributes:
        name: The name that it was found under first: the same for all that take its
            place there.
        path: Where it was seen last.
        content: Its bytes.
        offset: Up to where it has been read.
        sent: Up to where the store has it.
        is_truncated: Whether other bytes have taken the place of these.
        is_replaced: Whether that has been seen to.
        is_listed: Whether a name that is looked for leads to it.
        is_over: Whether nothing more is read of it.
        is_known: Whether a position was asked for since its first bytes grew.
    """

    def __init__(self, name: str, path: str, content: Content) -> None:
        self.name, self.path, self.content = name, path, content
        self.offset = self.sent = 0
        self.is_truncated = self.is_replaced = self.is_over = False
        self.is_listed = True
        self.is_known = False
        self._head = b""
        self._limit: int | None = None
        self._size, self._changed = -1, time.monotonic()
        self.look()

    # Which file it is -------------------------------------------------------------

    @property
    def key(self) -> tuple[int, int]:
        """Its device and its inode."""
        found = self.content.stat()
        return found.st_dev, found.st_ino

    @property
    def idle(self) -> float:
        """For how many seconds nothing was written to it, as far as was looked."""
        return time.monotonic() - self._changed

    def look(self) -> None:
        """See whether it still has the same bytes; learn more of the first ones."""
        if self.is_truncated or (self.content.is_packed and self._head):
            return  # what is compressed stays, and to go back in it takes long
        size = self.content.size()
        head = self.content.read(HEAD, 0)
        if size < self.offset or not head.startswith(self._head):
            self.is_truncated = True
            return
        if len(head) > len(self._head):
            self.is_known = False
        self._head = head
        if size != self._size:
            self._size, self._changed = size, time.monotonic()

    def position(self) -> Position:
        """Return what finds this place again."""
        device, inode = self.key
        head = self._head
        self.is_known = True
        return Position(
            self.name, self.path, device, inode, self.sent, len(head), digest(head)
        )

    def has(self, saved: Position) -> bool:
        """Tell whether a position is one of this content."""
        head = self._head[: saved.head]
        if len(head) < saved.head or digest(head) != saved.digest:
            return False
        if self.content.is_packed:
            return not saved.offset or bool(self.content.read(1, saved.offset - 1))
        return self.content.size() >= saved.offset

    def begins_as(self, other: Followed) -> bool:
        """Tell whether the first bytes are another file's, and enough to say so."""
        known = min(len(self._head), len(other._head))
        return known >= LEAST_HEAD and self._head[:known] == other._head[:known]

    def resume(self, offset: int) -> None:
        """Begin at an offset."""
        self.offset = self.sent = offset

    def skip(self) -> None:
        """Begin after the whole lines that are there."""
        place = self.content.size()
        while place > 0:
            begin = max(place - 65_536, 0)
            newline = self.content.read(place - begin, begin).rfind(b"\n")
            if newline >= 0:
                place = begin + newline + 1
                break
            place = begin
        self.resume(place)

    def is_continued_by(self, other: Followed) -> bool:
        """Tell whether another file has all that was read of this one, and the rest."""
        return other.has(
            Position("", "", 0, 0, self.offset, len(self._head), digest(self._head))
        )

    def move(self, other: Followed) -> None:
        """Go on in another file, which has the same bytes."""
        self.content.close()
        self.path, self.content = other.path, other.content
        self.is_truncated = self.is_replaced = self.is_listed = False
        self._size, self._changed = -1, time.monotonic()

    # Reading ----------------------------------------------------------------------

    @property
    def end(self) -> int:
        """Where it ends, as far as it is to be read."""
        size = self.content.size()
        return size if self._limit is None else min(size, self._limit)

    @property
    def unsent(self) -> int:
        """How many bytes of whole lines the store does not have, as far as is known."""
        if self.is_truncated or self.is_over or self.content.is_packed:
            return self.offset - self.sent
        size = self.content.size()
        if 0 < size - self.offset < LONGEST:  # it may be half a line
            data = self.content.read(size - self.offset, self.offset)
            size = self.offset + data.rfind(b"\n") + 1
        return max(size - self.sent, 0)

    @property
    def has_ended(self) -> bool:
        """Whether it has no name any more, and the store has all of it."""
        return not self.content.stat().st_nlink and not self.unsent

    def limit(self) -> None:
        """Take what is there now for the whole file."""
        self._limit = self.content.size()

    def read(self, most: int, size: int, *, first: bool = True) -> list[bytes] | None:
        """
        Return the next whole lines as they stand there; none if there are none.

        Args:
            most: The most lines.
            size: The most bytes.
            first: Whether one line may be longer; None is returned if it must not be,
                and is.

        Raises:
            OSError: it cannot be read.
        """
        if self.is_truncated:
            return []
        if most <= 0 or (size <= 0 and not first):
            return None
        for want in (min(size, _BLOCK), min(size, LONGEST), LONGEST):
            if want > size and not first:
                return None
            data = self._read(want)
            stop = data.rfind(b"\n") + 1
            if stop or len(data) < want:
                break
        else:
            self.offset += len(data)
            return [data + b"\n"]
        if len(data) > size:
            stop = data.find(b"\n") + 1
        self.look()
        if not stop or self.is_truncated:  # meanwhile: then these are others
            return []
        *lines, rest = data[:stop].split(b"\n", most)
        self.offset += stop - len(rest)
        return [line + b"\n" for line in lines]

    def _read(self, size: int) -> bytes:
        return self.content.read(min(size, max(self.end - self.offset, 0)), self.offset)

    def rest(self) -> bytes:
        """
        Return what follows the last newline.

        Raises:
            OSError: it cannot be read.
        """
        return b"" if self.is_truncated else self._read(LONGEST)


@dataclass
class _Part:
    """Lines of one file: how many are in flight, and up to where they go there."""

    number: int
    followed: Followed
    place: int


class InFlight:
    """Lines that were given to the loop, and that the store does not have, in order."""

    def __init__(self) -> None:
        self._parts: deque[_Part] = deque()

    def add(self, number: int, followed: Followed, place: int) -> None:
        """
        Add lines of a file.

        Args:
            number: How many. None are needed to go on to a place.
            followed: The file.
            place: Up to where the store has it once it has these.
        """
        self._parts.append(_Part(number, followed, place))
        self.done(0)

    def done(self, number: int) -> None:
        """Take note that the store has so many more lines."""
        parts = self._parts
        while parts and parts[0].number <= number:
            part = parts.popleft()
            part.followed.sent = part.place
            number -= part.number
        if parts:
            parts[0].number -= number

    def has(self, followed: Followed) -> bool:
        """Tell whether lines of a file are among them."""
        return any(part.followed is followed for part in self._parts)
