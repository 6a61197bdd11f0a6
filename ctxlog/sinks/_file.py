"""
A file that may be renamed or removed at any time. Private to `sinks/`.
"""

from __future__ import annotations

import io
import os
import threading
import time

from ctxlog.sinks._fan import report
from ctxlog.sinks._stream import Stream

# A look costs half of a line. Nothing reads a file to its end, and removes it, sooner
# after it was renamed.
_INTERVAL = 0.001


class File(Stream):
    """
    Appends lines to a file, each by one write, and never rotates it itself.

    It looks before a line, at most once a millisecond, whether the path still names the
    file that is open. One that was renamed, removed or replaced is opened anew, so that
    a program such as logrotate may move it away, or truncate it, without a signal.
    Several processes may write to one file: lines stay whole.

    A line that cannot be written (a full disk, a folder that is gone) goes to standard
    error.

    Args:
        path: The file. It and its folders are created if they are missing.

    Raises:
        OSError: if the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # The working directory may change.
        self._path = os.path.abspath(path)
        self._file = self._opened()
        self._identity = _identity_of(self._file)
        super().__init__(self._file)
        self.name = f"file:{os.fspath(path)}"
        self._look_again = 0.0
        self._failed = False

    def write(self, line: bytes) -> None:
        """Write one line. Raises nothing but interrupts."""
        self._written.add()
        now = time.monotonic()
        if now < self._look_again or self._is_open():
            self.writer.write(line)
        else:
            self.writer.rescue(line)

    def close(self, timeout: float) -> int:
        """Close the file; the next line opens it again."""
        self.writer.flush()
        with _lock:
            self._look_again = 0.0
            self._file.close()
        return 0

    def _is_open(self) -> bool:
        """Open the file that the path names, unless it is; return whether it is."""
        try:
            found = os.stat(self._path)
            here = (found.st_dev, found.st_ino) == self._identity
        except (FileNotFoundError, NotADirectoryError):
            here = False
        except OSError:
            # A process that gave up its rights may not look, but may write.
            here = True
        if not here or self._file.closed:
            try:
                self._reopen()
            except OSError as error:
                self._look_again = 0.0
                if not self._failed:
                    self._failed = True
                    reason = error.strerror or type(error).__name__
                    report(self, f"{self.name} cannot be opened: {reason}")
                return False
        self._failed = False
        self._look_again = time.monotonic() + _INTERVAL
        return True

    def _opened(self) -> io.FileIO:
        try:
            return io.FileIO(self._path, "ab")
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), exist_ok=True)
            return io.FileIO(self._path, "ab")

    def _reopen(self) -> None:
        with _lock:
            file = self._opened()
            if self._file.closed:
                self._file, self._identity = file, _identity_of(file)
                self.writer.turn_to(file)
                return
            with file:
                # Under the same number: other threads may be about to write to it.
                if self.writer.reopen(file.fileno()):
                    self._identity = _identity_of(file)


def _identity_of(file: io.FileIO) -> tuple[int, int]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino


# Files are opened one after the other: a file and its identity change together.
_lock = threading.RLock()


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):  # pragma: no branch (all but Windows)
    os.register_at_fork(after_in_child=_renew)
