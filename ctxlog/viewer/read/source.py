"""
Files, compressed files and standard input as blocks of whole lines.

Compressed files, UTF-16 and UTF-32 are known by their content, so under any name and on
standard input.

Blocks are read, not mapped: a mapped file that shrinks ends the process.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import IO, NamedTuple, cast

from ctxlog.aggregators.split import Joined, Joiner, is_collected, may_have_parts
from ctxlog.viewer.read.joined import is_spread_for_people, joined
from ctxlog.viewer.read.spread import gathered, is_spread

_BLOCK = 1 << 20
#: What some programs write before UTF-8.
MARK = codecs.BOM_UTF8
#: How files in wider encodings begin. A mark of UTF-32 begins as one of UTF-16 does.
_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
#: How other files begin that are no UTF-8, and by what they are read as such.
_MADE: Sequence[tuple[bytes, Callable[[IO[bytes]], IO[bytes]]]] = (
    (b"\x1f\x8b", lambda file: cast(IO[bytes], gzip.GzipFile(fileobj=file))),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\0", lzma.open),
    (b"\x28\xb5\x2f\xfd", lambda file: _unzstd(file)),
    *((mark, lambda file: file) for mark in _WIDE),
)
_HEAD = 64 << 10

#: The exceptions of reading a damaged or vanished file.
BROKEN = (OSError, EOFError, lzma.LZMAError)


@dataclass(frozen=True)
class Block:
    """
    A piece of a source: whole lines, and maybe the beginning of the next one.

    The rest after the whole lines comes again with the next block: cutting it off would
    copy the block.

    Attributes:
        position: Where in the source it begins, in bytes.
        data: Its bytes.
        stop: Where in `data` the whole lines end.
        torn: Where the lines begin whose end a collector never wrote.
    """

    position: int
    data: bytes
    stop: int
    torn: Sequence[int] = ()

    def lines(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield the whole lines from *start* on, each with where it begins."""
        while start < self.stop:
            end = self.data.find(b"\n", start, self.stop) + 1 or self.stop
            yield start, self.data[start:end]
            start = end


class Hit(NamedTuple):
    """
    A line that was looked for.

    Attributes:
        position: Where in its source it begins, in bytes.
        line: Its bytes.
        below: The lines that follow it and are no entries.
    """

    position: int
    line: bytes
    below: list[bytes]

    @property
    def whole(self) -> bytes:
        """Its bytes, and those of what stands below it."""
        return b"".join([self.line, *self.below]) if self.below else self.line


class Run(NamedTuple):
    """
    Lines that follow each other, each with its end, and nothing stands below them.

    Attributes:
        position: Where in their source the first begins, in bytes.
        data: Their bytes.
    """

    position: int
    data: bytes

    def hits(self) -> Iterator[Hit]:
        """Yield each line."""
        position = self.position
        for line in io.BytesIO(self.data):
            yield Hit(position, line, [])
            position += len(line)


class Source:
    """
    One file, or standard input, that can be read more than once.

    Args:
        name: The file's name; `-` is standard input. That, and any pipe, is kept in a
            temporary file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: IO[bytes] | None = None
        if name == "-":
            self._keep(sys.stdin.buffer)
        elif _is_pipe(name):
            with open(name, "rb") as pipe:
                self._keep(pipe)

    def _keep(self, stream: IO[bytes]) -> None:
        self._kept = tempfile.TemporaryFile(buffering=0)
        shutil.copyfileobj(stream, self._kept)

    @property
    def size(self) -> int | None:
        """How many bytes `blocks()` reads; None where that is not known."""
        if self._kept is not None or self._is_made:
            return None
        try:
            return os.stat(self.name).st_size
        except OSError:
            return None

    @cached_property
    def _is_made(self) -> bool:
        """Whether what is read is made of what the file has, by its beginning."""
        try:
            with self._opened() as file:
                head = file.read(_HEAD)
        except OSError:
            return False
        if _unpacks(head) is not None:
            return True
        head = head.removeprefix(MARK)
        return is_spread(head) or is_spread_for_people(head)

    def _opened(self) -> IO[bytes]:
        if self._kept is None:
            return open(self.name, "rb", buffering=0)
        self._kept.seek(0)
        return open(os.dup(self._kept.fileno()), "rb", buffering=0)

    @property
    def is_collected(self) -> bool:
        """
        Whether its lines may be split, if `size` is known, so that it has no `parts()`.

        A line may go on after any number of others.
        """
        with open(self.name, "rb") as file:
            file.seek(first_byte(file))
            return is_collected(file.readline())

    def blocks(self, begin: int = 0, end: int | None = None) -> Iterator[Block]:
        """
        Yield the source in blocks, with the lines joined that a collector has split.

        Args:
            begin: The byte to begin at, where a line does; 0 unless `size` is known.
            end: The byte before which to end, where a line does; None for all.

        Raises:
            OSError: the file cannot be read, or is damaged.
            MissingDependencyError: it needs a package that is not installed.
        """
        is_made = self._is_made
        with self._opened() as file:
            if not is_made:
                if begin == 0:
                    begin = file.seek(first_byte(file))
                    begin += len(MARK) if file.read(len(MARK)) == MARK else 0
                yield from _joined(_in_place(file, begin, end), begin)
                return
            unpack = _unpacks(file.read(_HEAD))
            file.seek(0)
            with _narrowed(file if unpack is None else unpack(file)) as stream:
                yield from _joined(_in_order(_whole_lines(stream)), 0)

    def parts(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield ranges for `blocks()` of about *size* bytes, if `size` is known."""
        with open(self.name, "rb") as file:
            whole = os.fstat(file.fileno()).st_size
            begin = 0
            while begin < whole:
                file.seek(begin + size)
                file.readline()
                end = file.tell() if begin + size < whole else whole
                yield begin, end
                begin = end


def _is_pipe(name: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(name).st_mode)
    except OSError:
        return False


def first_byte(file: IO[bytes]) -> int:
    """
    Return where what a file has begins: after zeros, if it begins with such.

    So does a file that was cut to nothing while its writer went on where it was.
    """
    position = 0
    while data := file.read(_HEAD):
        rest = data.lstrip(b"\0")
        if rest:
            return position + len(data) - len(rest)
        position += len(data)
    return position


def _in_place(file: IO[bytes], begin: int, end: int | None) -> Iterator[Block]:
    size = _BLOCK
    while end is None or begin < end:
        file.seek(begin)
        data = file.read(size if end is None else min(size, end - begin))
        if not data:
            return
        stop = data.rfind(b"\n") + 1
        if not stop and len(data) == size:  # a line longer than a block
            size *= 2
            continue
        stop = stop or len(data)
        yield Block(begin, data, stop)
        begin += stop
        size = _BLOCK


def _unpacks(head: bytes) -> Callable[[IO[bytes]], IO[bytes]] | None:
    """Return what reads a file that begins so as UTF-8; None if none is needed."""
    return next((read for begin, read in _MADE if head.startswith(begin)), None)


def _unzstd(file: IO[bytes]) -> IO[bytes]:
    from ctxlog.viewer.read import _zstd

    return _zstd.unpacked(file)


def _narrowed(file: IO[bytes]) -> IO[bytes]:
    """Return what reads a stream as UTF-8, if its mark says that it is wider."""
    stream = io.BufferedReader(cast(io.RawIOBase, file))
    encoding = _encoding(stream.peek(4))
    if encoding is None:
        return stream
    return cast(IO[bytes], codecs.EncodedFile(stream, "utf-8", encoding, "replace"))


def _encoding(head: bytes) -> str | None:
    """Return the encoding that the mark of such a file says; None if it is UTF-8."""
    return next((name for mark, name in _WIDE.items() if head.startswith(mark)), None)


def is_made(head: bytes) -> bool:
    """Return whether a file that begins so is compressed, or wider than UTF-8."""
    return _unpacks(head) is not None


def why_it_cannot_grow(head: bytes) -> str:
    """Return why a file that begins so is not followed; empty if it is."""
    encoding = _encoding(head)
    if encoding is not None:
        return f"{encoding}; convert it with iconv -f {encoding} -t UTF-8"
    return "compressed, so that it does not grow" if _unpacks(head) else ""


def _whole_lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a stream, with each object, or entry, on one line."""
    head = stream.read(_HEAD).removeprefix(MARK)
    if is_spread(head):
        yield from gathered(head, stream)
        return
    if is_spread_for_people(head):
        yield from joined(head, stream)
        return
    while head:
        yield head
        head = stream.read(_BLOCK)


def _in_order(pieces: Iterator[bytes]) -> Iterator[Block]:
    position = 0
    parts: list[bytes] = []
    for data in pieces:
        parts.append(data)
        if b"\n" not in data:
            continue
        data = b"".join(parts)
        stop = data.rfind(b"\n") + 1
        yield Block(position, data, stop)
        position += stop
        parts = [data[stop:]]
    rest = b"".join(parts)
    if rest:
        yield Block(position, rest, len(rest))


def _joined(blocks: Iterator[Block], position: int) -> Iterator[Block]:
    """
    Join the lines of blocks that are split.

    Args:
        blocks: The blocks as they were read.
        position: Where the first begins. Joined lines are shorter than their parts, so
            that positions are those of the source without the splits.
    """
    joiner = Joiner()
    for block in blocks:
        if joiner.held_from is None and not may_have_parts(block.data):
            yield Block(position, block.data, block.stop)
            position += block.stop
            continue
        lines = [one for _, line in block.lines() for one in joiner.add(line)]
        yield _block(position, lines)
        position += sum(len(one.line) for one in lines)
    if joiner.held_from is not None:
        yield _block(position, joiner.end())


def _block(position: int, lines: Sequence[Joined]) -> Block:
    """Return a block of lines."""
    torn, size = [], 0
    for one in lines:
        if one.torn:
            torn.append(size)
        size += len(one.line)
    return Block(position, b"".join(one.line for one in lines), size, torn)
