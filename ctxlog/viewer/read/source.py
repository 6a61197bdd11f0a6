"""
Files, compressed files and standard input as blocks of whole lines.

Blocks are read, not mapped: a mapped file that shrinks ends the process.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, NamedTuple, cast

from ctxlog.aggregators.split import Joined, Joiner, is_collected, may_have_parts

_BLOCK = 1 << 20
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")

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
        if self._kept is not None or self.name.endswith(_COMPRESSED):
            return None
        try:
            return os.stat(self.name).st_size
        except OSError:
            return None

    @property
    def is_collected(self) -> bool:
        """
        Whether its lines may be split, if `size` is known, so that it has no `parts()`.

        A line may go on after any number of others.
        """
        with open(self.name, "rb") as file:
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
        if self._kept is not None:
            yield from _joined(_in_place(self._kept, 0, None), 0)
        elif self.name.endswith(_COMPRESSED):
            with self._unpacked() as stream:
                yield from _joined(_in_order(stream), 0)
        else:
            with open(self.name, "rb", buffering=0) as file:
                yield from _joined(_in_place(file, begin, end), begin)

    def _unpacked(self) -> IO[bytes]:
        if self.name.endswith(".gz"):
            return cast(IO[bytes], gzip.open(self.name))
        if self.name.endswith(".bz2"):
            return bz2.open(self.name)
        if self.name.endswith(".xz"):
            return lzma.open(self.name)
        from ctxlog.viewer.read import _zstd

        return _zstd.open_file(self.name)

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


def _in_order(stream: IO[bytes]) -> Iterator[Block]:
    position = 0
    parts: list[bytes] = []
    while data := stream.read(_BLOCK):
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
