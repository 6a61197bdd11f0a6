"""
What lines say about a question, made in the process that found them.

All of it can be pickled, as what it makes can.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ctxlog.viewer.group.summary import NAMELESS, READY_MADE, Extent, Row, Sums
from ctxlog.viewer.group.tables import Table
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.naming import is_meant
from ctxlog.viewer.query.needles import Brief
from ctxlog.viewer.read.source import Hit, Run
from ctxlog.viewer.recognize.forms import Forms, seconds_of
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record


@dataclass(frozen=True)
class Extents:
    """Tells how long requests last, and lists lines that could not be read."""

    names: Names

    def __call__(
        self, pieces: Iterable[Hit | Brief]
    ) -> tuple[dict[str, Extent], list[int]]:
        extents: dict[str, Extent] = {}
        torn: list[int] = []
        spans: dict[bytes, tuple[bytes, bytes]] = {}
        for told, hits in briefs(pieces):
            for written, (first, last) in told.spans().items() if told else ():
                known = spans.get(written, (first, last))
                spans[written] = min(first, known[0]), max(last, known[1])
            for _, records in entries(hits.values(), self.names, torn):
                for record in records:
                    request, span = record.request, record.span
                    if request is not None:
                        extent = extents.setdefault(request, Extent())
                        if span is not None:
                            extent.add(*span)
        for written, (first, last) in spans.items():
            extent = extents.setdefault(written.decode(), Extent())
            extent.add(seconds_of(first), seconds_of(last))
        return extents, torn


class Made(NamedTuple):
    """
    What lines say about some questions.

    Attributes:
        held: By request the numbers of the questions that hold.
        outside: Lines outside of requests, and the spans of their records.
        torn: Where lines begin that could not be read.
    """

    held: dict[str, set[int]]
    outside: list[tuple[Hit, list[tuple[float, float] | None]]]
    torn: list[int]


@dataclass(frozen=True)
class Matching:
    """Holds lines against criteria, and those of no request against *outside*."""

    names: Names
    criteria: Sequence[Criterion]
    outside: Sequence[Criterion] = ()

    def __call__(self, hits: Iterable[Hit]) -> Made:
        made = Made({}, [], [])
        looks_outside = any(one.outside for one in self.outside)
        numbered = list(enumerate(one.holds for one in self.criteria))
        for hit, records in entries(hits, self.names, made.torn):
            line = hit.whole
            for record in records:
                held = {number for number, holds in numbered if holds(record, line)}
                if held and (request := record.request) is not None:
                    made.held.setdefault(request, set()).update(held)
            if records and looks_outside:
                spans = met_outside(hit, records, self.outside)
                if spans:
                    made.outside.append((hit, spans))
        return made


@dataclass(frozen=True)
class Rows:
    """
    Makes rows of lines, and lists those that could not be read.

    A line about a whole request that has no id, as of an access log, is a row of its
    own, which a table takes.

    Attributes:
        names: The user's names.
        counts: The names of the totals that are of interest.
        table: What makes the table; None if there is to be none.
        slow: How many seconds a request of the table takes at least; None for any.
        wanted: The ids that are meant; None for all.
        named: What one of names the id, if there are any.
        criteria: What must hold for a line without an id if ids are wanted.
    """

    names: Names
    counts: Collection[str] = READY_MADE
    table: Callable[[], Table] | None = None
    slow: float | None = None
    wanted: Collection[str] | None = None
    named: Sequence[str] = ()
    criteria: Sequence[Criterion] = ()

    def _is_meant(self, request: str) -> bool:
        is_wanted = self.wanted is None or request in self.wanted
        return is_wanted and is_meant(request, self.named)

    def _is_meant_alone(self, hit: Hit, record: Record) -> bool:
        if self.wanted is None:
            return not self.named
        line = hit.whole
        return bool(self.criteria) and all(
            one.holds(record, line) for one in self.criteria
        )

    def __call__(
        self, pieces: Iterable[Hit | Brief]
    ) -> tuple[dict[str, Row], Table | None, list[int]]:
        rows: dict[str, Row] = {}
        table = self.table() if self.table is not None else None
        torn: list[int] = []
        sums = Sums()
        for told, read in briefs(pieces):
            at, lines = 0, iter(told.said() if told is not None else ())
            for number, hit in read.items():
                sums.add(islice(lines, number - at))
                next(lines, None)
                at = number + 1
                for _, records in entries([hit], self.names, torn):
                    alone = self._add(rows, hit, records, sums)
                    if table is not None and alone is not None:
                        table.add(alone)
            sums.add(lines)
        for request in [*sums]:
            self._settle(rows, request.decode(), sums)
        return rows, table, torn

    def _add(
        self,
        rows: dict[str, Row],
        hit: Hit,
        records: Sequence[Record],
        sums: Sums,
    ) -> Row | None:
        """Add a line to the rows of its requests; return the row that it is alone."""
        alone: Row | None = None
        for record in records:
            request = record.request
            if request is not None:
                self._settle(rows, request, sums)
                row = rows.get(request)
                if row is None:
                    if not self._is_meant(request):
                        continue
                    row = rows[request] = Row(request)
                row.add(record, self.counts)
            elif self.table is not None and record.is_whole:
                if alone is None:
                    if not self._is_meant_alone(hit, record):
                        continue
                    alone = Row(NAMELESS)
                alone.add(record, self.counts)
        if alone is None or alone.extent.seconds < (self.slow or 0.0):
            return None
        return alone

    def _settle(self, rows: dict[str, Row], request: str, sums: Sums) -> None:
        """Add the lines of a request that were told briefly up to now."""
        known = sums.pop(request.encode("utf-8", "surrogatepass"), None)
        if known is not None and is_meant(request, self.named):
            rows.setdefault(request, Row(request)).tell(known)


def briefs(
    pieces: Iterable[Hit | Run | Brief], forms: Forms | None = None
) -> Iterator[Brief]:
    """
    Yield what lines say in brief.

    Args:
        pieces: The lines, or what they say.
        forms: What tells what most lines say; None if all are to be read.
    """
    hits: list[Hit] = []
    for one in pieces:
        if isinstance(one, Hit):
            hits.append(one)
            continue
        if hits:
            yield _brief(hits, forms)
            hits = []
        yield _run_brief(one, forms) if isinstance(one, Run) else one
    if hits:
        yield _brief(hits, forms)


def _brief(hits: Sequence[Hit], forms: Forms | None) -> Brief:
    told = None
    if forms is not None:
        data = b"".join([hit.line for hit in hits])
        if data.count(b"\n") == len(hits):  # each has one, its end
            told = forms.told(data, len(data))
    if told is None:
        return Brief(None, dict(enumerate(hits)))
    read = {*told.others, *(number for number, hit in enumerate(hits) if hit.below)}
    return Brief(told, {number: hits[number] for number in sorted(read)})


def _run_brief(run: Run, forms: Forms | None) -> Brief:
    told = forms.told(run.data, len(run.data)) if forms is not None else None
    if told is None:
        return Brief(None, dict(enumerate(run.hits())))
    read = {
        number: Hit(run.position + start, line, [])
        for number, start, line in told.unread()
    }
    return Brief(told, read)


def entries(
    hits: Iterable[Hit], names: Names, torn: list[int]
) -> Iterator[tuple[Hit, Sequence[Record]]]:
    """
    Yield lines with their records.

    Args:
        hits: The lines.
        names: The user's names.
        torn: Takes where lines begin that could not be read, and began as an object.
    """
    for hit in hits:
        records = Record.read(hit.line, names)
        if not records and hit.line.lstrip().startswith(b"{"):
            torn.append(hit.position)
        yield hit, records


def met_outside(
    hit: Hit, records: Sequence[Record], criteria: Sequence[Criterion]
) -> list[tuple[float, float] | None]:
    """Return the spans of the records outside of requests for which all holds."""
    return [
        record.span
        for record in records
        if record.request is None
        and all(one.holds(record, hit.whole) for one in criteria)
    ]
