"""
Finding the requests asked for, and their lines: bytes first, JSON where they match.

One pass tells which requests are meant, a second one collects their lines. Only lines
that may be meant are parsed, and every parsed line is held against the question again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from ctxlog.viewer.group.collected import Collected
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.scan import (
    Every,
    Ids,
    Matches,
    Scan,
    found,
    is_large,
    text_needle,
)
from ctxlog.viewer.read.progress import Progress
from ctxlog.viewer.read.source import BROKEN, Hit, Source
from ctxlog.viewer.recognize.record import Names, Record

_T = TypeVar("_T")


class Reader:
    """
    Reads the sources with the user's names, and counts what it could not read.

    Attributes:
        unread: How many lines could not be read.
        problems: Which files could not be read, and why.
    """

    def __init__(self, sources: Sequence[Source], names: Names) -> None:
        self._sources, self.names = sources, names
        self._torn: set[tuple[str, int]] = set()
        self.problems: list[str] = []

    @property
    def unread(self) -> int:
        """How many lines could not be read; a line counts once, however often met."""
        return len(self._torn)

    def _found(
        self, lines: Scan, then: Callable[[list[Hit]], _T], *, alone: bool = False
    ) -> Iterator[tuple[Source, _T]]:
        """Yield what *then* makes of the lines that are looked for."""
        sizes = [source.size for source in self._sources]
        known = [size for size in sizes if size is not None]
        progress = Progress(sum(known) if len(known) == len(sizes) else None)
        for source in self._sources:
            processes = 1 if alone else None
            try:
                for read, made in found(source, lines, then, processes=processes):
                    yield source, made
                    progress.add(read)
            except BROKEN as error:
                problem = f"{source.name}: {error.__class__.__name__}: {error}"
                if problem not in self.problems:
                    self.problems.append(problem)
        progress.end()

    def _hits(self, lines: Scan) -> Iterator[tuple[Hit, Sequence[Record]]]:
        """Yield the lines that are looked for and are objects, with their records."""
        # To hand over every line would take longer than to find it.
        alone = isinstance(lines, Every)
        for source, hits in self._found(lines, _as_they_are, alone=alone):
            for hit in hits:
                records = Record.read(hit.line, self.names)
                if records:
                    yield hit, records
                elif _is_torn(hit):
                    self._torn.add((source.name, hit.position))

    def rows(self) -> dict[str, Row]:
        """Return what all lines say of their requests, in one pass."""
        rows: dict[str, Row] = {}
        for source, (found_rows, torn) in self._found(Every(), _Rows(self.names)):
            for request, row in found_rows.items():
                known = rows.setdefault(request, row)
                if known is not row:
                    known.merge(row)
            self._torn.update((source.name, position) for position in torn)
        return rows

    @property
    def is_large(self) -> bool:
        """Whether to read everything takes longer than one waits for a first word."""
        return is_large(sum(source.size or 0 for source in self._sources))

    def matching(self, criteria: Sequence[Criterion]) -> Iterator[str]:
        """Yield the ids of requests in which every criterion holds for some line."""
        matching: list[set[str]] = [set() for _ in criteria]
        for hit, records in self._hits(_lines(criteria)):
            for record in records:
                request = record.request
                if request is None:
                    continue
                newly = False
                for criterion, ids in zip(criteria, matching, strict=True):
                    if request not in ids and criterion.holds(record, hit.line):
                        ids.add(request)
                        newly = True
                if newly and all(request in ids for ids in matching):
                    yield request

    def lasting(self, seconds: float) -> Iterator[str]:
        """Yield the ids of requests that took so long, or longer."""
        for request, row in self.rows().items():
            if row.extent.seconds >= seconds:
                yield request

    def collect(self, wanted: set[str] | None) -> Collected:
        """
        Return the lines of requests.

        Args:
            wanted: The requests' ids; every request if None.
        """
        if wanted is None:
            return self._collected(Every(), lambda _: True)
        lines = Ids(wanted, self.names.ids) if wanted else Matches([])
        return self._collected(lines, wanted.__contains__)

    def named(self, prefix: str) -> Collected:
        """Return the lines of the request with this id, else of all that begin so."""
        lines = Matches([text_needle(prefix)])
        collected = self._collected(lines, lambda request: request.startswith(prefix))
        if prefix in collected.ids:
            for other in collected.ids:
                if other != prefix:
                    collected.drop(other)
        return collected

    def _collected(self, lines: Scan, wanted: Callable[[str], bool]) -> Collected:
        collected = Collected(self.names)
        for hit, records in self._hits(lines):
            requests = [
                (request, record.span)
                for record in records
                if (request := record.request) is not None and wanted(request)
            ]
            collected.add(hit, requests)
        return collected


def _as_they_are(hits: list[Hit]) -> list[Hit]:
    return hits


def _is_torn(hit: Hit) -> bool:
    """Whether a line that could not be read began as an object."""
    return hit.line.lstrip().startswith(b"{")


@dataclass(frozen=True)
class _Rows:
    """Makes rows of lines, and lists those that could not be read."""

    names: Names

    def __call__(self, hits: list[Hit]) -> tuple[dict[str, Row], list[int]]:
        rows: dict[str, Row] = {}
        torn = []
        for hit in hits:
            records = Record.read(hit.line, self.names)
            if not records and _is_torn(hit):
                torn.append(hit.position)
            for record in records:
                request = record.request
                if request is None:
                    continue
                row = rows.get(request)
                if row is None:
                    row = rows[request] = Row(request)
                row.add(record)
        return rows, torn


def _lines(criteria: Iterable[Criterion]) -> Scan:
    """The lines for which one of the criteria may hold."""
    criteria = list(criteria)
    if not all(criterion.needles or criterion.patterns for criterion in criteria):
        return Every()
    return Matches(
        sorted({needle for criterion in criteria for needle in criterion.needles}),
        [pattern for criterion in criteria for pattern in criterion.patterns],
    )
