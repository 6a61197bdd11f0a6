"""
Directories of log files, where a file is meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

# What has a zero byte here is no text; compressed files begin with these bytes.
_HEAD = 1024
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")


def files_of(names: Iterable[str]) -> Iterator[str]:
    """
    Yield names of files, with those of the files in a directory instead of its own.

    These are all files below it that are text or compressed, in the order of their
    names; hidden ones are left out.
    """
    for name in names:
        if not os.path.isdir(name):
            yield name
            continue
        for folder, folders, files in os.walk(name):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            for file in sorted(files):
                path = os.path.join(folder, file)
                if not file.startswith(".") and _is_text(path):
                    yield path


def _is_text(path: str) -> bool:
    if not os.path.isfile(path):  # a pipe or a socket
        return False
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return True  # that it cannot be read is told with the others
    return head.startswith(_PACKED) or b"\0" not in head
