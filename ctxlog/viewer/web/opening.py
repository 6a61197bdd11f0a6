"""
A request that is opened: read anew, since of most only a summary is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from glob import escape
from itertools import islice
from typing import Any

from ctxlog.viewer.group.collected import OUTSIDE, Collected
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.criteria import Criterion, by_traces
from ctxlog.viewer.query.needles import Every, Matches
from ctxlog.viewer.query.scan import scan
from ctxlog.viewer.read.source import BROKEN, Block, Hit, Source
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.traces import trace_key
from ctxlog.viewer.web.lines import Sheet
from ctxlog.viewer.web.reading import Given, collected_outside
from ctxlog.viewer.web.selection import Wish
from ctxlog.viewer.web.singles import Line, row_of

_ROWS_AT_ONCE = 2000
#: A trace of more requests is shown as far as these.
_MOST_OF_TRACE = 100
#: The last second that a date can name.
_LAST = 253_402_300_799
#: Holds for lines that are listed as outside of requests; it finds none by itself.
_NO_SINGLE = Criterion(lambda record, _: not record.is_whole, Matches([]))


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
    criteria = [wish.criterion() for wish in wishes]
    if given.is_files:
        criteria.append(_NO_SINGLE)
    with collected_outside(given.reader(), criteria) as collected:
        for lines in collected:
            yield from _sheet(Sheet(lines, (), given.look))


def opened_single(given: Given, line: Line) -> Iterator[Any]:
    """
    Yield a request without an id: its head, and its line.

    The head says by which options `ctxlog show` prints the line.
    """
    names = given.names.within(given.files[line.number])
    hit = _hit_of(given, line)
    if hit is None:
        return
    records = [one for one in Record.read(hit.line, names) if one.request is None]
    with Collected(names) as collected:
        collected.begin(names)
        collected.add(hit, [(OUTSIDE, record.span) for record in records])
        request = collected.request(OUTSIDE)
        asked = _asked(request.entries[0].record)
        yield from _sheet(Sheet(request, (), given.look), asked=asked)


def _asked(record: Record) -> list[str]:
    """Return the options by which `ctxlog show` prints a line that has no id."""
    words = [f"--path={escape(record.path or '')}", "--grep=."]
    if record.time is not None and 0 < record.time < _LAST:
        for name, by in (("since", -2e-6), ("until", 2e-6)):
            moment = datetime.fromtimestamp(record.time + by, timezone.utc)
            words.append(f"--{name}={moment:%Y-%m-%dT%H:%M:%S.%fZ}")
    return words


def _sheet(sheet: Sheet, **more: object) -> Iterator[Any]:
    yield {**sheet.head(), **more}
    rows = sheet.rows(raw=True)
    while some := list(islice(rows, _ROWS_AT_ONCE)):
        yield some


def rows_of(given: Given, lines: Iterable[Line]) -> Mapping[Line, Row]:
    """Return what lines say of their requests; nothing of those that are gone."""
    found: dict[Line, Row] = {}
    wanted: dict[int, list[Line]] = {}
    for line in lines:
        wanted.setdefault(line.number, []).append(line)
    for number, some in wanted.items():
        with suppress(*BROKEN):
            source = Source(given.files[number])
            if source.size is not None:
                found |= _sought(given, source, some)
            left = [line for line in some if line not in found]
            if left:
                found |= _met(given, source, left)
    return found


def _sought(given: Given, source: Source, lines: Sequence[Line]) -> dict[Line, Row]:
    """Do so for lines of a file that is no other than it is read."""
    found = {}
    with open(source.name, "rb") as file:
        for line in lines:
            file.seek(line.position)
            row = row_of(Record.read(file.readline(), given.names))
            if row is not None and line.is_said_by(row):
                found[line] = row
    return found


def _met(given: Given, source: Source, lines: Sequence[Line]) -> dict[Line, Row]:
    """Do so for lines of a file that is read from its beginning: it is unpacked."""
    found = {}
    left = sorted(lines, key=lambda line: line.position, reverse=True)
    for block in source.blocks():
        while left and left[-1].position < block.position + block.stop:
            line = left.pop()
            row = row_of(Record.read(_line_of(block, line), given.names))
            if row is not None and line.is_said_by(row):
                found[line] = row
        if not left:
            break
    return found


def _line_of(block: Block, line: Line) -> bytes:
    return next(block.lines(line.position - block.position), (0, b""))[1]


def _hit_of(given: Given, line: Line) -> Hit | None:
    """Return a line with the text below it; None if it is gone."""
    source, every = Source(given.files[line.number]), Every(given.names)
    begins = [line.position, 0] if source.size is not None else [0]
    for begin in begins:
        for _, hits in scan(source, every, begin):
            for hit in hits:
                if hit.position == line.position:
                    row = row_of(Record.read(hit.line, given.names))
                    if line.is_said_by(row):
                        return hit
            if hits and hits[-1].position > line.position:
                break
    return None
