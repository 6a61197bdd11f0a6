"""
Reading for the page, in processes of its own: the server answers whatever is read.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from ctxlog.aggregators import is_address
from ctxlog.viewer.group.collected import Collected
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.criteria import by_traces
from ctxlog.viewer.query.needles import Every
from ctxlog.viewer.query.processes import uninterrupted
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import BROKEN, Block, Hit, Source
from ctxlog.viewer.read.store import FAILED, source_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.traces import trace_key
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.web.lines import Sheet
from ctxlog.viewer.web.outside import Outside
from ctxlog.viewer.web.selection import ERRORS, Wish

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: How many bytes are summed up at once; the first piece is shown that soon.
_PIECE = 4 << 20
_ROWS_AT_ONCE = 2000
#: A trace of more requests is shown as far as these.
_MOST_OF_TRACE = 100


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
        size: How many bytes these lines have.
        older: Whether they are older than all that was read before.
    """

    rows: dict[str, Row]
    outside: Outside
    size: int
    older: bool


def summed_up(hits: Sequence[Hit], names: Names) -> tuple[dict[str, Row], Outside]:
    """Return what lines say of their requests, and the errors outside of requests."""
    rows: dict[str, Row] = {}
    outside = Outside()
    for hit in hits:
        for record in Record.read(hit.line, names):
            request = record.request
            if request is not None:
                row = rows.get(request)
                if row is None:
                    row = rows[request] = Row(request)
                row.add(record)
            elif record.failed:
                outside.add(record)
    return rows, outside


def pieces(given: Given, ends: dict[str, int]) -> Iterator[Piece | str]:
    """
    Yield what all lines say of their requests, the newest lines first.

    Args:
        given: What is read.
        ends: Where files end that are read from their end on; later lines are not read.
    """
    files = [name for name in given.files if not is_address(name)]
    for name in sorted(files, key=_changed, reverse=True):
        source = Source(name)
        try:
            if name in ends and not source.is_collected:
                yield from _from_end(source, ends[name], given.names)
            else:
                for size, hits in scan(source, Every(given.names)):
                    yield Piece(*summed_up(hits, given.names), size, older=False)
        except BROKEN as error:
            yield f"{name}: {error.__class__.__name__}: {error}"
    stores = [name for name in given.files if is_address(name)]
    if stores:
        reader = Given(stores, given.names).reader()
        # a line that is a whole request, and has no id, cannot be opened
        rows = {key: row for key, row in reader.rows().items() if key == row.id}
        with _outside(reader, ERRORS) as collected:
            yield Piece(rows, Outside.of(collected), 0, older=True)
        yield from reader.problems


def _from_end(source: Source, end: int, names: Names) -> Iterator[Piece]:
    ranges = [(begin, stop) for begin, stop in source.parts(_PIECE) if begin < end]
    for begin, stop in reversed(ranges):
        found = scan(source, Every(names), begin, min(stop, end))
        hits = [hit for _, some in found for hit in some]
        yield Piece(*summed_up(hits, names), min(stop, end) - begin, older=True)


def _changed(name: str) -> float:
    try:
        return os.stat(name).st_mtime
    except OSError:
        return 0.0


@contextmanager
def _outside(reader: Reader, wishes: Sequence[Wish]) -> Iterator[Collected]:
    """Collect the lines outside of requests for which all of this holds."""
    for _ in reader.matching([wish.criterion() for wish in wishes]):
        pass
    with reader.outside() as collected:
        yield collected


def matching(
    given: Given, wishes: Sequence[Wish], ends: Mapping[str, int]
) -> Iterator[list[str] | Outside]:
    """
    Yield the ids of requests with lines for which these things hold.

    The lines outside of requests for which all of them hold come last.

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
    with reader.outside() as collected:
        yield Outside.of(collected)


def opened(given: Given, request: str) -> Iterator[Any]:
    """
    Yield a request: first its head, then some of its lines at once.

    Lines that others say about its trace are among them.
    """
    reader = given.reader()
    with reader.collect({request}) as collected:
        if request not in collected.ids:
            return
        entries = collected.request(request).entries
        traces = {trace_key(one.record.trace) for one in entries if one.record.trace}
        ids = {request}
        if traces:
            found = reader.matching([by_traces(traces)])
            ids |= set(islice(found, _MOST_OF_TRACE))
        if ids == {request}:
            yield from _sheet(Sheet(collected.request(request), (), given.look))
            return
    with reader.collect(ids) as collected:
        others = [one for one in collected if one.id != request]
        yield from _sheet(Sheet(collected.request(request), others, given.look))


def opened_outside(given: Given, wishes: Sequence[Wish]) -> Iterator[Any]:
    """Yield the lines outside of requests for which all of this holds, as a request."""
    with _outside(given.reader(), wishes) as collected:
        for lines in collected:
            yield from _sheet(Sheet(lines, (), given.look))


def _sheet(sheet: Sheet) -> Iterator[Any]:
    yield sheet.head()
    rows = sheet.rows(raw=True)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield some


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
