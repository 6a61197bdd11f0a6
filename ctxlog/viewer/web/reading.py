"""
Reading for the page, in processes of its own: the server answers whatever is read.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ctxlog.aggregators import is_address
from ctxlog.viewer.group.collected import Collected
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.criteria import Criterion, failing
from ctxlog.viewer.query.needles import AnyOf, Every, Scan
from ctxlog.viewer.query.processes import uninterrupted
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import BROKEN, Block, Hit, Source
from ctxlog.viewer.read.store import FAILED, source_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.web.outside import Outside
from ctxlog.viewer.web.selection import Wish
from ctxlog.viewer.web.singles import NONE, Single, Singles, place_of

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: How many bytes are summed up at once; the first piece is shown that soon.
_PIECE = 4 << 20


@dataclass(frozen=True)
class Given:
    """
    What the page is about.

    Attributes:
        files: The names of files, and the addresses of stores.
        names: The user's own names of fields.
        look: In which time zone lines are shown, and without which fields.
        options: What `ctxlog show` is given for the same.
    """

    files: Sequence[str]
    names: Names
    look: Look = Look()
    options: Sequence[str] = ()

    @property
    def is_files(self) -> bool:
        """Whether there is no store."""
        return not any(map(is_address, self.files))

    def reader(self, ends: Mapping[str, int] | None = None) -> Reader:
        """
        Return what reads all of it.

        Args:
            ends: Where files end whose later lines are not read.
        """
        known = ends or {}
        sources = [
            _Known(name, known[name]) if name in known else source_of(name)
            for name in self.files
        ]
        return Reader(sources, self.names)


class _Known(Source):
    """A file as far as it was known; later lines are looked at as they come."""

    def __init__(self, name: str, end: int) -> None:
        super().__init__(name)
        self._end = end

    @property
    def size(self) -> int | None:
        """How many bytes are read."""
        size = super().size
        return None if size is None else min(size, self._end)

    def blocks(self, begin: int = 0, end: int | None = None) -> Iterator[Block]:
        """Yield its blocks."""
        return super().blocks(begin, self._end if end is None else min(end, self._end))

    def parts(self, size: int) -> Iterator[tuple[int, int]]:
        """Yield its ranges."""
        for begin, end in super().parts(size):
            if begin < self._end:
                yield begin, min(end, self._end)


@dataclass(frozen=True)
class Piece:
    """
    What some lines say of their requests.

    Attributes:
        rows: A row for each of these requests.
        outside: The errors among them that are outside of requests.
        singles: The requests that have no id, so that a line is all of each.
        size: How many bytes these lines have.
        older: Whether they are older than all that was read before.
    """

    rows: dict[str, Row]
    outside: Outside
    singles: Singles
    size: int
    older: bool


def summed_up(
    hits: Iterable[Hit], names: Names, number: int | None
) -> tuple[dict[str, Row], Outside, Singles]:
    """
    Return what lines say of their requests, and the errors outside of requests.

    Args:
        hits: The lines.
        names: The user's names.
        number: That of their file; None if no request without an id is listed.
    """
    rows: dict[str, Row] = {}
    outside = Outside()
    singles: list[Single] = []
    for hit in hits:
        whole: list[Record] = []
        for record in Record.read(hit.line, names):
            request = record.request
            if request is not None:
                row = rows.get(request)
                if row is None:
                    row = rows[request] = Row(request)
                row.add(record)
            elif number is not None and record.is_whole:
                whole.append(record)
            elif record.failed:
                outside.add(record)
        if number is not None and whole:
            singles.append(Single.of(place_of(number, hit.position), whole))
    return rows, outside, Singles.of(singles)


def pieces(given: Given, ends: dict[str, int]) -> Iterator[Piece | str]:
    """
    Yield what all lines say of their requests, the newest lines first.

    Args:
        given: What is read.
        ends: Where files end that are read from their end on; later lines are not read.
    """
    for number, source in _latest(given):
        number_of_singles = number if given.is_files else None
        try:
            for size, hits, older in _backwards(source, ends, Every(given.names)):
                made = summed_up(hits, given.names, number_of_singles)
                yield Piece(*made, size, older)
        except BROKEN as error:
            yield f"{source.name}: {error.__class__.__name__}: {error}"
    stores = [name for name in given.files if is_address(name)]
    if stores:
        reader = Given(stores, given.names).reader()
        rows = reader.rows()  # a request without an id could not be opened
        with collected_outside(reader, [failing]) as collected:
            yield Piece(rows, Outside.of(collected), NONE, 0, older=True)
        yield from reader.problems


def _latest(given: Given) -> list[tuple[int, Source]]:
    """Return the files by their numbers, the one first that was written last."""
    files = [(n, name) for n, name in enumerate(given.files) if not is_address(name)]
    files.sort(key=lambda item: _changed(item[1]), reverse=True)
    return [(number, Source(name)) for number, name in files]


def _backwards(
    source: Source, ends: Mapping[str, int], lines: Scan
) -> Iterator[tuple[int, list[Hit], bool]]:
    """
    Yield the lines of a file that are looked for, the newest first if it may grow.

    They come as often as some bytes have been read: how many, the lines, and whether
    these are older than those that have come.
    """
    end = ends.get(source.name)
    if end is None or source.is_collected:
        for size, hits in scan(source, lines):
            yield size, hits, False
        return
    ranges = [(begin, stop) for begin, stop in source.parts(_PIECE) if begin < end]
    for begin, stop in reversed(ranges):
        found = scan(source, lines, begin, min(stop, end))
        hits = [hit for _, some in found for hit in some]
        yield min(stop, end) - begin, hits, True


def _changed(name: str) -> float:
    try:
        return os.stat(name).st_mtime
    except OSError:
        return 0.0


@contextmanager
def collected_outside(
    reader: Reader, criteria: Sequence[Criterion]
) -> Iterator[Collected]:
    """Collect the lines outside of requests for which all of this holds."""
    for _ in reader.matching(criteria):
        pass
    with reader.outside() as collected:
        yield collected


def matching(
    given: Given, wishes: Sequence[Wish], ends: Mapping[str, int]
) -> Iterator[list[str]]:
    """
    Yield the ids of requests with lines for which these things hold.

    Args:
        given: What is read.
        wishes: What must hold.
        ends: Where files end that may grow; later lines are not read.
    """
    reader = given.reader(ends)
    found = reader.matching([wish.criterion() for wish in wishes])
    at_once = 1 if reader.is_large else 100
    while some := list(islice(found, at_once)):
        yield some


def beside(
    given: Given, wishes: Sequence[Wish], ends: Mapping[str, int]
) -> Iterator[tuple[Outside, Singles]]:
    """
    Yield the lines without a request's id for which all of these things hold.

    Args:
        given: What is read.
        wishes: What must hold.
        ends: Where files end that may grow; later lines are not read.
    """
    criteria = [wish.criterion() for wish in wishes]
    if not given.is_files:
        with collected_outside(given.reader(ends), criteria) as collected:
            yield Outside.of(collected), NONE
        return
    for number, source in _latest(given):
        names = given.names.within(source.name)
        scans = [one.scan for one in criteria if one.scan is not None]
        lines = AnyOf(scans[:1], names).within(names) if scans else Every(names)
        with suppress(*BROKEN):  # who sums up the lines says so
            for _, hits, _ in _backwards(source, ends, lines):
                yield sorted_out(hits, names, number, criteria)


def sorted_out(
    hits: Iterable[Hit],
    names: Names,
    number: int | None,
    criteria: Sequence[Criterion],
) -> tuple[Outside, Singles]:
    """
    Return what lines without a request's id are for which all criteria hold.

    Args:
        hits: Lines.
        names: The user's names.
        number: That of their file; None if no request without an id is listed.
        criteria: What must hold.
    """
    outside = Outside()
    singles: list[Single] = []
    for hit in hits:
        whole: list[Record] = []
        is_meant = False
        for record in Record.read(hit.line, names):
            if record.request is not None:
                continue
            held = all(one.holds(record, hit.whole) for one in criteria)
            if number is not None and record.is_whole:
                whole.append(record)
                is_meant |= held
            elif held:
                outside.add(record)
        if number is not None and is_meant:
            singles.append(Single.of(place_of(number, hit.position), whole))
    return outside, Singles.of(singles)


class Job:
    """
    A process that reads, and what it yields.

    Args:
        work: A function of a module, which yields values that can be pickled.
        arguments: Its arguments.
    """

    def __init__(self, work: Callable[..., Iterator[Any]], *arguments: object) -> None:
        # The server has threads, so that a fork of it may never get on.
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        self._process = context.Process(target=_work, args=(sender, work, arguments))
        with sender, uninterrupted(context):
            self._process.start()

    def results(self) -> Iterator[Any]:
        """
        Yield what it yields.

        Raises:
            OSError: if it has failed.
        """
        while True:
            try:
                made, problem = self._receiver.recv()
            except (EOFError, OSError):
                return
            if problem:
                raise OSError(problem)
            yield made

    def end(self) -> None:
        """End it, whatever it does."""
        self._process.terminate()
        self._process.join()
        self._receiver.close()


def _work(
    sender: Connection,
    work: Callable[..., Iterator[Any]],
    arguments: Sequence[object],
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the server is told, too
    try:
        for made in work(*arguments):
            sender.send((made, None))
    except BrokenPipeError:
        return
    except (*BROKEN, *FAILED) as error:
        sender.send((None, str(error)))
