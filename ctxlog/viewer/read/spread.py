"""
Objects that are spread over lines, as `jq .` prints them, or stand in one long array.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

_CHUNK = 1 << 20
#: An object that is longer is given up: its end is likely missing.
_MOST = 64 << 20
_ARRAY = re.compile(rb"\s*\[\s*(?:\{|$)")
_FIRST = re.compile(rb"^[ \t]*\{([ \t\r]*\n)?", re.MULTILINE)
#: Between objects: what an array has there.
_BETWEEN = re.compile(rb"[\s,\[\]]*")
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*("?)|\n[ \t]*\{(?=\s)|[{}]')


def is_spread(head: bytes) -> bool:
    """
    Return whether a file has arrays of objects, or objects of several lines.

    Args:
        head: How the file begins.
    """
    if _ARRAY.match(head):
        return True
    first = _FIRST.search(head)
    return first is not None and first[1] is not None


class Gatherer:
    """
    Puts each object on one line; lines of text between them pass as they are.

    An object whose end is missing becomes a line of its own, which cannot be read: it
    ends where another one begins as it did.
    """

    def __init__(self) -> None:
        self._data = b""
        self._depth = 0
        # Where in the data the object, or else the line, begins; and what is read.
        self._start = self._at = 0
        self._indent = b""

    def add(self, data: bytes) -> Iterator[bytes]:
        """Take the next bytes; yield the lines that are whole now."""
        self._data = self._data[self._start :] + data
        self._at -= self._start
        self._start = 0
        yield from self._lines(is_last=False)
        if len(self._data) - self._start > _MOST:
            yield self._cut(len(self._data))

    def end(self) -> Iterator[bytes]:
        """Yield what is left."""
        yield from self._lines(is_last=True)
        rest = self._data[self._start :]
        if rest.strip(b" \t\r\n,[]"):
            yield self._cut(len(self._data))

    def _lines(self, *, is_last: bool) -> Iterator[bytes]:
        while self._begin() if self._depth == 0 else True:
            if self._depth == 0:
                end = self._data.find(b"\n", self._at) + 1
                if not end:
                    return
                yield self._data[self._start : end]
                self._start = self._at = end
                continue
            found = self._object(is_last=is_last)
            if found is None:
                return
            yield found

    def _begin(self) -> bool:
        """Go on to the next object, or line of text; whether there is any."""
        match = _BETWEEN.match(self._data, self._start)
        at = self._start if match is None else match.end()
        if at == len(self._data):
            return False
        line = self._data.rfind(b"\n", self._start, at) + 1 or self._start
        if self._data[at : at + 1] == b"{":
            self._indent = self._data[line:at]
            self._start, self._at, self._depth = at, at + 1, 1
        else:
            self._start, self._at = line, at
        return True

    def _object(self, *, is_last: bool) -> bytes | None:
        """Read on in an object; return it if it ends, None if more is needed."""
        data = self._data
        for token in _TOKEN.finditer(data, self._at):
            text, end = token[0], token.end()
            if not is_last and end == len(data) and text != b"}":
                return None  # it may go on
            if text == b"}":
                self._depth -= 1
                if not self._depth:
                    return self._cut(end)
            elif text[:1] == b'"':
                if not (token[1] or is_last or data.startswith(b"\n", end)):
                    return None
            elif len(text) > 1 and text[1:-1] == self._indent:
                return self._cut(token.start())
            else:
                self._depth += 1
            self._at = end
        return None

    def _cut(self, end: int) -> bytes:
        """Return what there is up to there, on one line, and begin anew."""
        text = self._data[self._start : end]
        self._start = self._at = end
        self._depth = 0
        return b" ".join(map(bytes.strip, text.splitlines())) + b"\n"


def gathered(head: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a stream that begins so, with each object on one line."""
    gatherer = Gatherer()
    while head:
        yield b"".join(gatherer.add(head))
        head = stream.read(_CHUNK)
    yield b"".join(gatherer.end())
