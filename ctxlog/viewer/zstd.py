"""
Files compressed with Zstandard, by the package zstandard.
"""

from __future__ import annotations

from typing import IO

from ctxlog.errors import MissingDependencyError

try:
    import zstandard
except ModuleNotFoundError as error:
    if error.name != "zstandard":
        raise
    raise MissingDependencyError("zstandard", "cli") from None


def open_file(name: str) -> IO[bytes]:
    """
    Open a compressed file for reading.

    Raises:
        OSError: it cannot be opened.
    """
    file: IO[bytes] = zstandard.open(name, "rb")
    return file
