"""
Directories of log files, where a file is meant.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from ctxlog.viewer.read.source import first_byte, is_made, why_it_cannot_grow

# What has a zero byte here is no text.
_HEAD = 1024


def files_of(names: Iterable[str]) -> Iterator[str]:
    """
    Yield names of files, with those of the files in a directory instead of its own.

    These are all files below it that are text, or compressed, in the order of their
    names; hidden ones are left out.
    """
    for name in names:
        if os.path.isdir(name):
            yield from filter(_is_readable, _below(name))
        else:
            yield name


class Growing:
    """
    The files of directories that may grow: text, also such as appears later.

    What is compressed does not grow by lines, UTF-16 is not followed, and of an empty
    file it is not known yet whether it is text; files that cannot be read are left out.

    Args:
        folders: The names of the directories.
    """

    def __init__(self, folders: Iterable[str]) -> None:
        self._folders = list(folders)
        self._known: set[str] = set()
        # Their sizes when it was seen that they are no text.
        self._others: dict[str, int] = {}

    def new(self) -> Iterator[str]:
        """Yield the names of the files that were not there the last time."""
        for folder in self._folders:
            for path in _below(folder):
                if path not in self._known and self._is_text(path):
                    self._known.add(path)
                    yield path

    def _is_text(self, path: str) -> bool:
        try:
            size = os.stat(path).st_size
            if not size or self._others.get(path) == size:
                return False
            head = _head(path)
        except OSError:
            return False
        if b"\0" in head or why_it_cannot_grow(head):
            self._others[path] = size
            return False
        return True


def _below(name: str) -> Iterator[str]:
    for folder, folders, files in os.walk(name):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for file in sorted(files):
            path = os.path.join(folder, file)
            # neither a pipe nor a socket
            if not file.startswith(".") and os.path.isfile(path):
                yield path


def _head(path: str) -> bytes:
    with open(path, "rb") as file:
        file.seek(first_byte(file))
        return file.read(_HEAD)


def _is_readable(path: str) -> bool:
    try:
        head = _head(path)
    except OSError:
        return True  # that it cannot be read is told with the others
    return is_made(head) or b"\0" not in head
