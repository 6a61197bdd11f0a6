"""
Bytes that are kept until they are asked for: beyond some size on disk.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from io import BytesIO
from typing import IO

_IN_MEMORY = 32 << 20
#: So many bytes are read at once: most lines have fewer.
_USUAL = 1 << 10


class Storage:
    """
    Bytes one after the other. They are gone with `close()`, and with the process.

    Attributes:
        end: How many there are.
    """

    def __init__(self) -> None:
        self.end = 0
        self._file: IO[bytes] = BytesIO()
        self._is_at_end = self._is_flushed = True
        # Of a file on disk, if what was written there can be read in place.
        self._descriptor: int | None = None

    def close(self) -> None:
        """Take the bytes away."""
        self._file.close()

    def write(self, data: bytes) -> None:
        """
        Keep bytes behind those that there are.

        Raises:
            OSError: the disk is full.
        """
        if not self._is_at_end:
            self._file.seek(self.end)
            self._is_at_end = True
        self._file.write(data)
        self.end += len(data)
        self._is_flushed = False
        if self.end > _IN_MEMORY and isinstance(self._file, BytesIO):
            # imported here: most files are small
            import tempfile

            with self._file as memory:
                self._file = tempfile.TemporaryFile()
                self._file.write(memory.getbuffer())
            self._descriptor = self._file.fileno() if _pread else None

    def read(self, begin: int, size: int) -> bytes:
        """Return so many bytes from *begin* on, or all that there are."""
        if _pread is None or self._descriptor is None:
            return self._at(begin).read(size)
        if not self._is_flushed:
            self._file.flush()
            self._is_flushed = True
        return _pread(self._descriptor, size, begin)

    def line(self, begin: int) -> bytes:
        """Return the line that begins there, with its end."""
        if self._descriptor is None:
            return self._at(begin).readline()
        size = _USUAL
        while True:
            data = self.read(begin, size)
            end = data.find(b"\n") + 1
            if end or len(data) < size:
                return data[: end or None]
            size *= 8

    def _at(self, begin: int) -> IO[bytes]:
        self._is_at_end = False
        self._file.seek(begin)
        return self._file


# Reads without a place that writing goes on from; not on Windows.
_pread: Callable[[int, int, int], bytes] | None = getattr(os, "pread", None)
