"""
What is read, and kept until the store has it: standard input, or files.
"""

from __future__ import annotations

import contextlib
import glob
import os
import stat
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from ctxlog.agent._files import COMPRESSED, Files
from ctxlog.agent._input import Input, Memory
from ctxlog.agent._lines import Counts, Lines
from ctxlog.agent._pipe import Pipe
from ctxlog.agent._report import say
from ctxlog.agent._spill import Spill
from ctxlog.agent._state import Position, State, StateError

#: The seconds between two looks at files, and between two saves of positions.
_SCAN, _SAVE = 0.2, 1.0


class Job(ABC):
    """
    Reads lines for the loop, and saves how far the store has them.

    Args:
        kept: The lines: the `input` of the loop.
        counts: What was read.
        place: What to call the lines that the store does not have.
        state: Where positions are saved; None for nowhere.
    """

    def __init__(
        self, kept: Input, counts: Counts, place: str, state: State | None
    ) -> None:
        self.input, self.counts, self.place = kept, counts, place
        self._state = state
        self._saved: list[Position] = []
        self._next_save = 0.0
        self._save_failed = False

    @property
    @abstractmethod
    def has_ended(self) -> bool:
        """Whether nothing more is read."""

    @property
    def has_failed(self) -> bool:
        """Whether something could not be read that will not be tried again."""
        return False

    @abstractmethod
    def start(self) -> None:
        """Begin to read."""

    def tick(self, now: float) -> None:
        """Do what is due; called ten times a second."""
        if now >= self._next_save:
            self._next_save = now + _SAVE
            self.save()

    @abstractmethod
    def stop(self, until: float) -> None:
        """Read no more, or only until a time."""

    def finish(self) -> None:
        """Read nothing more, and save how far the store is."""
        self.save()

    def save(self) -> None:
        """Save how far the store is, if that has changed."""
        found = self.input.positions()
        if self._state is None or found == self._saved:
            return
        try:
            self._state.save(found)
        except OSError as error:
            if not self._save_failed:
                say(
                    f"{self._state.folder}: {error.strerror}; after a restart, lines "
                    "will be sent again"
                )
            self._save_failed = True
        else:
            self._saved, self._save_failed = found, False

    def close(self) -> None:
        """Give back what is held."""
        self.input.close()
        if self._state is not None:
            self._state.close()


class PipeJob(Job):
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
        state: State | None = None
        kept: Memory | Spill
        if folder is None:
            kept, place = Memory(most_memory), "held"
        else:
            state = State(folder)
            kept, place = Spill(state, most_spill, say), f"in {folder}"
            if kept.found:
                say(f"{folder}: {kept.found:,} bytes of an earlier run are sent first")
        super().__init__(kept, Counts(), place, state)
        copy = sys.stdout.fileno() if copies and sys.stdout is not None else None
        lines = Lines(self.counts, convert)
        self._pipe = Pipe(sys.stdin.fileno(), kept, lines, copy=copy, say=say)
        self._until: float | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        return self._pipe.has_ended

    def start(self) -> None:
        """Begin to read."""
        self._pipe.start()

    def tick(self, now: float) -> None:
        """End the reading when it is time; save how far the store is."""
        if self._until is not None and now >= self._until:
            self._pipe.stop()
        super().tick(now)

    def stop(self, until: float) -> None:
        """Read until a time, or the end."""
        self._until = until

    def finish(self) -> None:
        """Read nothing more, and save how far the store is."""
        self._pipe.stop()
        super().finish()

    def close(self) -> None:
        """Give back what is held."""
        self._pipe.close()
        super().close()


class FilesJob(Job):
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
        state = State(folder) if folder is not None else None
        self._files = Files(
            names,
            saved=state.load() if state is not None else (),
            from_end=from_end,
            follow=follow,
            keeps=state is not None,
            convert=convert,
            say=say,
        )
        super().__init__(self._files, self._files.counts, "left", state)
        self._once = not follow
        self._stopped = False
        self._next_scan = 0.0
        self.save()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is read."""
        return self._stopped or self._files.is_at_end

    @property
    def has_failed(self) -> bool:
        """Whether something could not be read that will not be tried again."""
        return self._once and bool(self._files.problems)

    def start(self) -> None:
        """Begin to read: the loop does."""

    def tick(self, now: float) -> None:
        """Look which files there are, and save how far they were sent."""
        if not (self._once or self._stopped) and now >= self._next_scan:
            self._next_scan = now + _SCAN
            self._files.scan()
        if self._files.has_news:
            self.save()
        super().tick(now)

    def stop(self, until: float) -> None:
        """Read what is there now: the rest is for the next time."""
        self._stopped = True
        self._files.stop()


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
    except OSError as error:
        if follow and isinstance(error, FileNotFoundError):
            return
        raise StateError(f"{name}: {error.strerror}") from None


def _allow_many_files() -> None:
    """Files stay open: raise the limit as far as it goes without asking anybody."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # "unlimited" may be too much
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
