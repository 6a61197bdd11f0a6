"""
What outlives a run: how far each file has been sent, in a directory of one's own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

#: A file is known by so many of its first bytes.
HEAD = 1024

_VERSION = 1


class StateError(Exception):
    """The directory cannot be used; says why in one sentence."""


@dataclass(frozen=True)
class Position:
    """
    How far one file has been sent.

    Attributes:
        name: The name that it was found under first.
        path: Where it was seen last.
        device: The device that it is on.
        inode: Its number there; another file may get it once this one is removed.
        offset: The bytes that the store has, all of them.
        head: How many of its first bytes `digest` is about.
        digest: What is left of them: logs are nobody else's business.
    """

    name: str
    path: str
    device: int
    inode: int
    offset: int
    head: int
    digest: str


def digest(head: bytes) -> str:
    """Return what identifies the first bytes of a file."""
    return hashlib.blake2b(head, digest_size=16).hexdigest()


class State:
    """
    A directory that one process uses at a time.

    Args:
        folder: The directory; it is made if there is none.

    Raises:
        StateError: if it cannot be used, or another process uses it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)
        self._file = self.folder / "positions.json"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = self.folder / "lock"
            self._lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{folder}: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            problem = f"{folder}: another `ctxlog ship` uses this directory"
            raise StateError(problem) from None

    def load(self) -> list[Position]:
        """
        Return what was saved last; nothing the first time.

        Raises:
            StateError: if it cannot be read.
        """
        try:
            saved = json.loads(self._file.read_bytes())
            if saved["version"] != _VERSION:
                raise ValueError(f"version {saved['version']}")
            return [Position(**one) for one in saved["files"]]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, KeyError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise StateError(
                f"{self._file} cannot be read ({why}); "
                "without it everything is sent again"
            ) from None

    def save(self, positions: Iterable[Position]) -> None:
        """
        Replace what was saved, by all or nothing.

        Raises:
            OSError: if it cannot be written; what was saved before is still there.
        """
        content = {"version": _VERSION, "files": [asdict(one) for one in positions]}
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(json.dumps(content, indent=1).encode())
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._file)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let another process use the directory."""
        os.close(self._lock)
