"""
Files compressed with Zstandard, by the package zstandard.
"""

from __future__ import annotations

from typing import IO, cast

from ctxlog.errors import requires

with requires("zstandard", extra="cli"):
    import zstandard


def unpacked(file: IO[bytes]) -> IO[bytes]:
    """Return what reads a compressed file that is open, also one of several frames."""
    reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
    return cast("IO[bytes]", reader)
