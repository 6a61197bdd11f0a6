"""
What is read, and kept until the store has it: standard input, or files.
"""

from __future__ import annotations

import contextlib
import glob
import os
import resource
import stat
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from ctxlog.agent._files import COMPRESSED, Files
from ctxlog.agent._input import Input, Memory
from ctxlog.agent._lines import Counts, Lines
from ctxlog.agent._pipe import Pipe
from ctxlog.agent._report import say
from ctxlog.agent._spill import Spill
from ctxlog.agent._state import Position, State, StateError

#: The seconds between two looks at files, and between two saves of their positions.
_SCAN, _SAVE = 0.2, 1.0


class Job(Protocol):
    """
    Reads lines for the loop.

    Attributes:
        counts: What was read.
        place: What to call the lines that the store does not have.
    """

    counts: Counts
    place: str

    @property
    def has_failed(self) -> bool:
        """Whether something could not be read that will not be tried again."""
        ...

    @property
    def input(self) -> Input:
        """Where the loop gets lines."""
        ...

    def start(self) -> None:
        """Begin to read."""

    def tick(self, now: float) -> None:
        """Do what is due; called ten times a second."""

    def stop(self, until: float) -> None:
        """Read no more, or only until a time."""

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        ...

    def finish(self) -> None:
        """Keep what is to be kept."""

    def close(self) -> None:
        """Give back what is held."""


class _Saved:
    """Positions in a directory, saved if they change."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._last: list[Position] = []
        self._next = 0.0
        self._failed = False

    def is_due(self, now: float) -> bool:
        """Whether it is time to save them."""
        return now >= self._next

    def save(self, positions: Iterable[Position], now: float) -> None:
        """Save them if they have changed."""
        self._next = now + _SAVE
        found = list(positions)
        if found == self._last:
            return
        try:
            self.state.save(found)
        except OSError as error:
            if not self._failed:
                say(
                    f"{self.state.folder}: {error.strerror}; after a restart, lines "
                    "will be sent again"
                )
            self._failed = True
        else:
            self._last, self._failed = found, False


class PipeJob:
    """
    Standard input, kept in memory or in a directory.

    Args:
        most_memory: The most bytes to keep in memory.
        folder: The directory to keep lines in; None for memory.
        most_spill: The most bytes to keep there.
        copies: Whether everything goes to standard output as well.
        convert: What to make of each line.

    Raises:
        StateError: if the directory, or standard input, cannot be used.
    """

    def __init__(
        self,
        most_memory: int,
        folder: str | None,
        most_spill: int,
        *,
        copies: bool,
        convert: Callable[[bytes], bytes] | None,
    ) -> None:
        if sys.stdin is None:  # `<&-`
            raise StateError("standard input is closed")
        self.counts = Counts()
        self._saved: _Saved | None = None
        kept: Memory | Spill
        if folder is None:
            kept, self.place = Memory(most_memory), "held"
        else:
            self._saved = _Saved(State(folder))
            kept = Spill(self._saved.state, most_spill, say)
            self.place = f"in {folder}"
            if kept.found:
                say(f"{folder}: {kept.found:,} bytes of an earlier run are sent first")
        self._kept = kept
        copy = sys.stdout.fileno() if copies and sys.stdout is not None else None
        lines = Lines(self.counts, convert)
        self._pipe = Pipe(sys.stdin.fileno(), kept.put, lines, copy=copy, say=say)
        self._until: float | None = None
        self._has_ended = False

    has_failed = False

    @property
    def input(self) -> Input:
        """Where the loop gets lines."""
        return self._kept

    def start(self) -> None:
        """Begin to read."""
        self._pipe.start()

    def tick(self, now: float) -> None:
        """Take note of the end of standard input; save how far the store is."""
        if self._until is not None and now >= self._until and not self._pipe.has_ended:
            self._pipe.stop()
        if self._pipe.has_ended and not self._has_ended:
            self._has_ended = True
            self._kept.end()
        if self._saved is not None and self._saved.is_due(now):
            self._save(now)

    def _save(self, now: float) -> None:
        if self._saved is not None and isinstance(self._kept, Spill):
            self._saved.save(self._kept.positions(), now)

    def stop(self, until: float) -> None:
        """Read until a time, or the end."""
        self._until = until

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        return self._has_ended

    def finish(self) -> None:
        """Save how far the store is."""
        if not self._pipe.has_ended:
            self._pipe.stop()
        self._save(0.0)

    def close(self) -> None:
        """Give back what is held."""
        self._pipe.close()
        if self._saved is not None and isinstance(self._kept, Spill):
            self._kept.close()
            self._saved.state.close()


class FilesJob:
    """
    Files, which keep their lines themselves.

    Args:
        names: Their names, and patterns.
        folder: The directory in which positions are saved; None for nowhere.
        from_end: Whether to leave out what new files have by now.
        follow: Whether to wait for what is written later.
        convert: What to make of each line.

    Raises:
        StateError: if the directory, or a file, cannot be used.
    """

    place = "left"

    def __init__(
        self,
        names: Sequence[str],
        folder: str | None,
        *,
        from_end: bool,
        follow: bool,
        convert: Callable[[bytes], bytes] | None,
    ) -> None:
        for name in names:
            _check(name, follow)
        _allow_many_files()
        self._saved = _Saved(State(folder)) if folder is not None else None
        saved = self._saved.state.load() if self._saved is not None else []
        self._files = Files(
            names,
            saved=saved,
            from_end=from_end,
            follow=follow,
            keeps=folder is not None,
            convert=convert,
            say=say,
        )
        self.counts = self._files.counts
        self._once = not follow
        self._follows = follow
        self._next = 0.0
        self._stopped = False
        self._save(0.0)

    @property
    def has_failed(self) -> bool:
        """Whether something could not be read that will not be tried again."""
        return self._once and bool(self._files.problems)

    @property
    def input(self) -> Input:
        """Where the loop gets lines."""
        return self._files

    def start(self) -> None:
        """Begin to read: the loop does."""

    def tick(self, now: float) -> None:
        """Look which files there are, and save how far they were sent."""
        if self._follows and now >= self._next:
            self._next = now + _SCAN
            self._files.scan()
        if self._saved is not None:
            if self._saved.is_due(now) or self._files.has_news:
                self._save(now)

    def _save(self, now: float) -> None:
        if self._saved is not None:
            self._saved.save(self._files.positions(), now)

    def stop(self, until: float) -> None:
        """Read what is there now: the rest is for the next time."""
        self._stopped, self._follows = True, False
        self._files.stop()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        return self._stopped or self._files.is_at_end

    def finish(self) -> None:
        """Save how far the files were sent."""
        self._save(0.0)

    def close(self) -> None:
        """Give back what is held."""
        self._files.close()
        if self._saved is not None:
            self._saved.state.close()


def _check(name: str, follow: bool) -> None:
    """Refuse a name of which nothing can come."""
    if glob.has_magic(name):
        if not follow and not glob.glob(name, recursive=True):
            raise StateError(f"{name}: no file is called so")
        return
    if name.endswith(COMPRESSED) and not name.endswith(".gz"):
        raise StateError(f"{name}: of compressed files only .gz can be sent")
    try:
        mode = os.stat(name).st_mode
        if stat.S_ISDIR(mode):
            raise StateError(f"{name}: is a directory; name files, or '{name}/*.log'")
        if not stat.S_ISREG(mode):
            raise StateError(f"{name}: is no regular file; `ctxlog ship -` reads pipes")
        os.close(os.open(name, os.O_RDONLY | os.O_CLOEXEC))
    except FileNotFoundError as error:
        if not follow:
            raise StateError(f"{name}: {error.strerror}") from None
    except OSError as error:
        raise StateError(f"{name}: {error.strerror}") from None


def _allow_many_files() -> None:
    """Files stay open: raise the limit as far as it goes without asking anybody."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # "unlimited" may be too much
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
