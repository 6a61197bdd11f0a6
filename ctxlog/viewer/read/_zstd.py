"""
Files compressed with Zstandard, by the package zstandard.
"""

from __future__ import annotations

from typing import IO

from ctxlog.errors import requires

with requires("zstandard", extra="cli"):
    import zstandard


def open_file(name: str) -> IO[bytes]:
    """
    Open a compressed file for reading.

    Raises:
        OSError: it cannot be opened.
    """
    file: IO[bytes] = zstandard.open(name, "rb")
    return file
