"""
Files as they grow, through rotation: every line once, and how far the store has them.

A file is known by its device, inode and first bytes, never by its name. So a file that
was renamed goes on where it was, a new one with the number of a removed one begins at
its beginning, and the copy that `copytruncate` makes goes on where the original was.

A file stays open for as long as it is followed: what is written to it before it is
removed can be read afterwards. A file needs no other buffer: only the position waits.
"""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import glob
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from ctxlog._json import loads
from ctxlog.agent._followed import LEAST_HEAD, Content, Followed, InFlight
from ctxlog.agent._input import Input
from ctxlog.agent._lines import Counts, Lines
from ctxlog.agent._state import Position

#: Ends of names of files that are compressed; with a pattern they are passed over.
COMPRESSED = (".gz", ".bz2", ".xz", ".zst")

#: A file that was renamed or removed is followed until nothing has been written to it
#: for so many seconds: programs write on until they are told to open the new one.
PATIENCE = 60.0

_Of = TypeVar("_Of")


class Files(Input):
    """
    The lines of files, in order for each name.

    A file that is renamed is read to its end before what has taken its place.

    Args:
        names: Names of files, and patterns: `*`, `?`, `[...]`, `**`.
        saved: The positions of an earlier run.
        from_end: Whether to leave out what files have that were never seen before,
            when this begins.
        follow: Whether to wait for what is written later.
        keeps: Whether there is a next time, for half a line.
        convert: What to make of each line.
        say: Takes a sentence about what cannot be done.

    Attributes:
        names: What was given.
        counts: What was read.
        problems: What was said of files that cannot be read.
    """

    def __init__(
        self,
        names: Sequence[str],
        *,
        saved: Iterable[Position] = (),
        from_end: bool = False,
        follow: bool = True,
        keeps: bool = False,
        convert: Callable[[bytes], bytes] | None = None,
        say: Callable[[str], object] = print,
    ) -> None:
        super().__init__()
        self.names = names
        self.counts = Counts()
        self.problems: set[str] = set()
        self._ends, self._keeps, self._say = not follow, keeps, say
        self._convert = convert
        #: By name, in the order of the files that had it.
        self._all: dict[str, list[Followed]] = {}
        self._in_flight = InFlight()
        self._turn = 0
        self._lines: dict[Followed, Lines] = {}
        #: Of files that are not asked for this time.
        self._others: list[Position] = []
        for position in saved:
            self._restore(position)
        self._scan(from_end=from_end)
        if not follow:
            for followed in self._each():
                followed.limit()

    # Which files there are --------------------------------------------------------

    def _each(self) -> Iterator[Followed]:
        for group in list(self._all.values()):
            yield from list(group)

    def _add(self, followed: Followed) -> None:
        self._all.setdefault(followed.name, []).append(followed)

    def _restore(self, saved: Position) -> None:
        """Find the file of a position, whatever it is called now."""
        if not any(_matches(saved.name, pattern) for pattern in self.names):
            self._others.append(saved)
            return
        found: Followed | None = None
        for path in _relatives(saved):
            other = self._open(saved.name, path, quiet=True)
            if other is None:
                continue
            same = other.key == (saved.device, saved.inode)
            known = same or (found is None and saved.head >= LEAST_HEAD)
            if known and _attempt(other.has, saved):
                if found is not None:
                    found.content.close()
                found = other
                if same:
                    break
            else:
                other.content.close()
        if found is not None:
            found.resume(saved.offset)
            found.is_listed = False
            self._add(found)
        elif saved.offset:
            self._say(
                f"{saved.path}: the file that was sent up to byte {saved.offset} is "
                "gone, and with it whatever was written there after that"
            )

    def _open(self, name: str, path: str, *, quiet: bool = False) -> Followed | None:
        content: Content | None = None
        try:
            content = Content(path)
            return Followed(name, path, content)
        except OSError as error:
            if content is not None:
                content.close()
            if error.errno == errno.EMFILE:
                self._complain("ulimit -n", error)  # once, not for each file
            elif not quiet and not isinstance(error, FileNotFoundError):
                self._complain(path, error)
            return None

    def _complain(self, path: str, error: OSError) -> None:
        problem = f"{path}: {error.strerror or error}"
        if problem not in self.problems:
            self.problems.add(problem)
            self._say(problem)

    def scan(self) -> None:
        """Look which files there are now, and open those that are new."""
        with self._changed:
            self._scan()
            if any(followed.offset < followed.end for followed in self._each()):
                self._changed.notify()

    def _scan(self, *, from_end: bool = False) -> None:
        for followed in self._each():
            try:
                followed.look()
            except OSError as error:
                self._complain(followed.path, error)
            if followed.is_truncated and not followed.is_replaced:
                self._replace(followed)
            followed.is_listed = False
        known = {followed.key: followed for followed in self._current()}
        for path, found in self._listed():
            here = known.get((found.st_dev, found.st_ino))
            if here is None:
                here = self._begin(path, from_end=from_end)
                if here is None:
                    continue
                known[here.key] = here
            here.path, here.is_listed = path, True
        for followed in self._each():
            self._let_go(followed)

    def _current(self) -> Iterator[Followed]:
        return (one for one in self._each() if not one.is_truncated)

    def _listed(self) -> Iterator[tuple[str, os.stat_result]]:
        """Return what is called so now; of a pattern, what was written to last ends."""
        for name in self.names:
            is_pattern = glob.has_magic(name)
            found = []
            for path in glob.glob(name, recursive=True) if is_pattern else [name]:
                with contextlib.suppress(OSError):
                    found.append((path, os.stat(path)))
            if is_pattern:
                found = [one for one in found if _is_log(*one)]
                found.sort(key=lambda one: one[1].st_mtime)
            yield from found

    def _begin(self, path: str, *, from_end: bool) -> Followed | None:
        new = self._open(path, path)
        if new is None:
            return None
        if any(_is_copy(new, other) for other in self._current()):
            # The copy of one that is not truncated yet: its lines come from there.
            new.content.close()
            return None
        if from_end:
            new.skip()
        self._add(new)
        return new

    def _replace(self, followed: Followed) -> None:
        """Follow what has taken the place of truncated bytes, and find their copy."""
        new = Followed(followed.name, followed.path, followed.content.again())
        followed.is_replaced = True
        group = self._all[followed.name]
        group.insert(group.index(followed) + 1, new)
        known = {one.key for one in self._current()}
        for path in _relatives(followed.position()):
            found = self._open(followed.name, path, quiet=True)
            if found is None:
                continue
            if found.key not in known and _attempt(followed.is_continued_by, found):
                followed.move(found)
                return
            found.content.close()

    def _let_go(self, followed: Followed) -> None:
        """Forget a file that has no name any more once the store has all of it."""
        if followed.is_listed and not followed.is_replaced:
            return
        if followed.is_over and not self._in_flight.has(followed):
            group = self._all[followed.name]
            group.remove(followed)
            if not group:
                del self._all[followed.name]
            followed.content.close()
            self._lines.pop(followed, None)

    # The loop ---------------------------------------------------------------------

    def _gather(self, most: int, size: int) -> list[bytes]:
        batch: list[bytes] = []
        groups = list(self._all.values())
        self._turn += 1
        for number in range(len(groups)):
            for followed in list(groups[(self._turn + number) % len(groups)]):
                try:
                    while not followed.is_over:
                        left = size - sum(map(len, batch))
                        room = most - len(batch), left
                        entries = followed.read(*room, first=not batch)
                        if entries is None:
                            return batch
                        if not entries:
                            self._finish(followed, batch)
                            break
                        self._give(followed, batch, entries)
                except OSError as error:
                    self._complain(followed.path, error)
        return batch

    def _give(
        self, followed: Followed, batch: list[bytes], entries: Sequence[bytes]
    ) -> None:
        """Add a file's next entries to a batch; without any, what they left over."""
        made = self._lines.setdefault(followed, Lines(self.counts, self._convert))
        place = followed.offset - sum(map(len, entries))
        given = made.add(entries, place) if entries else made.end(place)
        batch += given.lines
        self._in_flight.add(len(given.lines), followed, given.place)

    def _finish(self, followed: Followed, batch: list[bytes]) -> None:
        """Take what is left of a file in which nothing more is expected."""
        ends = not followed.is_listed and followed.idle > PATIENCE
        ends = ends or followed.content.is_packed or followed.is_replaced
        rest = followed.rest() if ends or self._ends else b""
        if self._ends:
            # It may be half a line, the rest of which is for the next time.
            ends = ends or not self._keeps or _is_whole(rest)
        if not ends:
            return
        followed.is_over = True
        if rest:
            followed.offset += len(rest)
            self._give(followed, batch, [rest + b"\n"])
        self._give(followed, batch, [])

    def done(self, number: int) -> None:
        """Move the positions on behind so many more lines."""
        with self._changed:
            self._in_flight.done(number)

    # What is known of it ----------------------------------------------------------

    @property
    def unsent(self) -> int:
        """How many bytes of the files the store does not have."""
        with self._changed:
            return sum(followed.unsent for followed in self._each())

    def stop(self) -> None:
        """Read to where the files end now, and no further."""
        with self._changed:
            self._scan()
            for followed in self._each():
                followed.limit()
            self.end()

    @property
    def has_news(self) -> bool:
        """
        Whether a file is new, or more is known of it since positions were asked for.

        Save them soon: who starts with the old ones may not find it again.
        """
        with self._changed:
            return not all(one.is_known or one.has_ended for one in self._each())

    def positions(self) -> list[Position]:
        """Return how far the store has each file."""
        with self._changed:
            found = (one.position() for one in self._each() if not one.has_ended)
            return [*self._others, *found]

    def close(self) -> None:
        """Close the files."""
        with self._changed:
            for followed in self._each():
                followed.content.close()
            self._all.clear()


def _is_log(path: str, found: os.stat_result) -> bool:
    return stat.S_ISREG(found.st_mode) and not path.endswith(COMPRESSED)


def _attempt(has: Callable[[_Of], bool], other: _Of) -> bool:
    try:
        return has(other)
    except OSError:  # a compressed file that is damaged
        return False


def _matches(name: str, pattern: str) -> bool:
    return name == pattern or (
        glob.has_magic(pattern) and fnmatch.fnmatchcase(name, pattern)
    )


def _stem(name: str) -> str:
    """Return what the names of a log's rotated files begin with."""
    name = os.path.basename(name)
    return name[: name.find(".", 1)] if "." in name[1:] else name


def _is_copy(new: Followed, other: Followed) -> bool:
    """Tell whether a file is the copy of another one that is there as well."""
    same = os.path.dirname(new.path) == os.path.dirname(other.name)
    named = os.path.basename(new.path).startswith(_stem(other.name))
    return same and named and new.begins_as(other)


def _relatives(saved: Position) -> list[str]:
    """Return the names that a file may have now: first its own, then its inode's."""
    folder, stem = os.path.dirname(saved.path), _stem(saved.name)
    same: list[str] = []
    named: list[str] = []
    try:
        with os.scandir(folder or ".") as entries:
            for entry in entries:
                path = os.path.join(folder, entry.name)
                if path == saved.path:
                    continue
                if entry.inode() == saved.inode:
                    same.append(path)
                elif entry.name.startswith(stem):
                    named.append(path)
    except OSError:
        pass
    return [saved.path, *same, *sorted(named)]


def _is_whole(line: bytes) -> bool:
    """Tell whether a line without a newline is whole all the same."""
    try:
        return isinstance(loads(line), dict)
    except (ValueError, RecursionError):
        return False
