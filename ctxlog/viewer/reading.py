"""
Files, compressed files and standard input as blocks of whole lines.

Blocks are read, not mapped: a mapped file that shrinks ends the process.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, cast

__all__ = ["BROKEN", "Source", "lines"]

_BLOCK = 4 << 20

#: What reading a damaged or vanished file raises.
BROKEN = (OSError, EOFError, lzma.LZMAError)


class Source:
    """
    One file, or standard input, that can be read more than once.

    Args:
        name: The file's name; `-` is standard input, kept in a temporary file.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._kept: IO[bytes] | None = None
        if name == "-":
            self._kept = tempfile.TemporaryFile()
            shutil.copyfileobj(sys.stdin.buffer, self._kept)

    def _open(self) -> IO[bytes]:
        if self._kept is not None:
            self._kept.seek(0)
            return self._kept
        if self.name.endswith(".gz"):
            return cast(IO[bytes], gzip.open(self.name))
        if self.name.endswith(".bz2"):
            return bz2.open(self.name)
        if self.name.endswith(".xz"):
            return lzma.open(self.name)
        if self.name.endswith(".zst"):
            from ctxlog.viewer import zstd

            return zstd.open_file(self.name)
        return open(self.name, "rb")

    def blocks(self) -> Iterator[bytes]:
        """
        Yield the file in blocks that end where a line does.

        Raises:
            OSError: the file cannot be read, or is damaged.
            MissingDependencyError: it needs a package that is not installed.
        """
        file = self._open()
        try:
            parts: list[bytes] = []
            while block := file.read(_BLOCK):
                end = block.rfind(b"\n") + 1
                if not end:  # a line longer than a block
                    parts.append(block)
                    continue
                yield b"".join([*parts, block[:end]])
                parts = [block[end:]]
            rest = b"".join(parts)
            if rest:
                yield rest
        finally:
            if file is not self._kept:
                file.close()


def lines(block: bytes, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a block from *start* on, with where the next one begins."""
    while start < len(block):
        end = block.find(b"\n", start) + 1 or len(block)
        yield end, block[start:end]
        start = end
