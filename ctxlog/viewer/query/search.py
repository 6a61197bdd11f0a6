"""
Finding the requests asked for, and their lines: bytes first, JSON where they match.

One pass tells which requests are meant, a second one collects their lines. Only lines
that may be meant are parsed, and every parsed line is held against the question again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TypeVar, cast

from ctxlog.aggregators import Condition, Question
from ctxlog.viewer.group.collected import Collected
from ctxlog.viewer.group.sameness import Once
from ctxlog.viewer.group.summary import READY_MADE, Row
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
from ctxlog.viewer.read.store import FAILED, Store
from ctxlog.viewer.recognize.keys import Names, spellings
from ctxlog.viewer.recognize.record import Record

_T = TypeVar("_T")

#: The seconds before `--since` and after `--until` within which a store is asked for
#: the rest of a request.
MARGIN = 3600.0
#: The most ids of one question.
_IDS_AT_ONCE = 100


@dataclass(frozen=True)
class Lines:
    """
    Which lines are looked for.

    Attributes:
        scan: What finds them in files, by their bytes.
        questions: What stores are asked, one after the other.
    """

    scan: Scan
    questions: Sequence[Question] = (Question(),)


class Reader:
    """
    Reads the sources with the user's names, and counts what it could not read.

    Args:
        sources: Files and stores.
        names: The user's names.
        criteria: Criteria whose times limit what stores are asked.

    Attributes:
        unread: How many lines could not be read.
        problems: Which files and stores could not be read, and why.
        is_partial: Whether a store did not give all that it was asked for.
    """

    def __init__(
        self,
        sources: Sequence[Source | Store],
        names: Names,
        criteria: Sequence[Criterion] = (),
    ) -> None:
        self._sources, self.names = sources, names
        self._torn: set[tuple[str, int]] = set()
        self.problems: list[str] = []
        self.is_partial = False
        self.has_stores = any(isinstance(one, Store) for one in sources)
        since = [one.since for one in criteria if one.since is not None]
        until = [one.until for one in criteria if one.until is not None]
        self._within = Question(
            since=max(since) - MARGIN if since else None,
            until=min(until) + MARGIN if until else None,
        )

    @property
    def unread(self) -> int:
        """How many lines could not be read; a line counts once, however often met."""
        return len(self._torn)

    def _found(
        self, lines: Lines, then: Callable[[list[Hit]], _T], *, alone: bool = False
    ) -> Iterator[tuple[Source | Store, _T]]:
        """Yield what *then* makes of the lines that are looked for."""
        sizes = [source.size for source in self._sources]
        known = [size for size in sizes if size is not None]
        progress = Progress(sum(known) if len(known) == len(sizes) else None)
        once = None
        if self.has_stores:
            once = Once(self.names, several=len(self._sources) > 1)
        for source in self._sources:
            try:
                if once is not None:
                    pieces = _new(source, lines, once, then)
                else:
                    processes = 1 if alone else None
                    pieces = found(
                        cast(Source, source), lines.scan, then, processes=processes
                    )
                for read, made in pieces:
                    yield source, made
                    progress.add(read)
            except BROKEN as error:
                self._complain(f"{source.name}: {error.__class__.__name__}: {error}")
            except FAILED as error:
                self._complain(f"{source.name}: {error}")
                self.is_partial = True
        progress.end()

    def _complain(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _hits(self, lines: Lines) -> Iterator[tuple[Hit, Sequence[Record]]]:
        """Yield the lines that are looked for and are objects, with their records."""
        # To hand over every line would take longer than to find it.
        alone = isinstance(lines.scan, Every)
        for source, hits in self._found(lines, _as_they_are, alone=alone):
            for hit in hits:
                records = Record.read(hit.line, self.names)
                if records:
                    yield hit, records
                elif _is_torn(hit):
                    self._torn.add((source.name, hit.position))

    def rows(self, counts: Collection[str] = READY_MADE) -> dict[str, Row]:
        """
        Return what all lines say of their requests, in one pass.

        Args:
            counts: The names of the totals that are of interest.
        """
        rows: dict[str, Row] = {}
        lines = Lines(Every(self.names), [self._within])
        make = _Rows(self.names, counts)
        for source, (found_rows, torn) in self._found(lines, make):
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
        for hit, records in self._hits(self._meant(criteria)):
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

    def candidates(self, criteria: Sequence[Criterion]) -> set[str] | None:
        """
        Return the ids of the requests that may be meant, of files and stores.

        A store is asked for what it can answer: one question after the other, until no
        request is left. The rest is for the caller, who has whole requests then.

        Returns:
            The ids; None if a store can answer nothing, so that all may be meant.
        """
        ids: set[str] | None = None
        for criterion in criteria:
            if criterion.asked and ids != set():
                found = set(self.matching([criterion]))
                ids = found if ids is None else ids & found
        return ids

    def _meant(self, criteria: Sequence[Criterion]) -> Lines:
        """Return the lines for which one of the criteria may hold."""
        conditions = [each for one in criteria for each in one.asked]
        questions = [replace(self._within, conditions=(each,)) for each in conditions]
        if not all(criterion.asked for criterion in criteria):
            questions = [self._within]
        return Lines(_scan(criteria, self.names), questions)

    def _of(self, ids: Iterable[str]) -> list[Question]:
        """Return what a store is asked for the lines of requests."""
        left, questions = iter(sorted(ids)), []
        while some := tuple(islice(left, _IDS_AT_ONCE)):
            condition = Condition("request", "in", some, self._id_names)
            questions.append(replace(self._within, conditions=(condition,)))
        return questions

    def _beginning(self, prefix: str) -> Question:
        return replace(self._within, conditions=beginning(prefix, self.names))

    @property
    def _id_names(self) -> tuple[str, ...]:
        return spellings(self.names.ids)

    def explained(self, prefix: str | None, criteria: Sequence[Criterion]) -> str:
        """
        Return what each store is asked for some requests; files are read as they are.

        Raises:
            UnavailableError: if a store must say what fields it has, and does not.
            RefusedError: if it refuses to.
        """
        asked = [one for one in criteria if one.asked]
        questions = [self._within]
        if prefix is not None:
            questions = [self._beginning(prefix)]
        elif asked:
            questions = [each for one in asked for each in self._meant([one]).questions]
            questions += self._of(["<each request that was found>"])
        texts = []
        for source in self._sources:
            if isinstance(source, Store):
                texts.append(f"{source.name.removesuffix(':')}:")
                texts += [source.explain(question) for question in questions]
            else:
                texts.append(f"{source.name}: read as it is")
        return "\n\n".join(texts) + "\n"

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
            return self._collected(
                Lines(Every(self.names), [self._within]), lambda _: True
            )
        scan = Ids(wanted, self.names) if wanted else Matches([])
        return self._collected(Lines(scan, self._of(wanted)), wanted.__contains__)

    def named(self, prefix: str) -> Collected:
        """Return the lines of the request with this id, else of all that begin so."""
        lines = Lines(
            Matches([text_needle(prefix)], (), self.names), [self._beginning(prefix)]
        )
        collected = self._collected(lines, lambda request: request.startswith(prefix))
        if prefix in collected.ids:
            for other in collected.ids:
                if other != prefix:
                    collected.drop(other)
        return collected

    def _collected(self, lines: Lines, wanted: Callable[[str], bool]) -> Collected:
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


def beginning(prefix: str, names: Names) -> tuple[Condition, ...]:
    """Return what a store is asked for the requests whose ids begin so."""
    if not prefix:
        return ()
    return (Condition("request", "begins", (prefix,), spellings(names.ids)),)


def _new(
    source: Source | Store,
    lines: Lines,
    once: Once,
    then: Callable[[list[Hit]], _T],
) -> Iterator[tuple[int, _T]]:
    """Yield what *then* makes of the lines of a source that no other one had."""
    once.begin()
    stored = isinstance(source, Store)
    for read, hits in _pieces(source, lines):
        new = [hit for hit in hits if once.is_new(hit.line, stored=stored)]
        yield read, then(new)


def _pieces(source: Source | Store, lines: Lines) -> Iterator[tuple[int, list[Hit]]]:
    if isinstance(source, Store):
        for question in lines.questions:
            yield from ((0, hits) for hits in source.hits(question))
    else:
        yield from found(source, lines.scan, _as_they_are)


def _is_torn(hit: Hit) -> bool:
    """Whether a line that could not be read began as an object."""
    return hit.line.lstrip().startswith(b"{")


@dataclass(frozen=True)
class _Rows:
    """Makes rows of lines, and lists those that could not be read."""

    names: Names
    counts: Collection[str] = READY_MADE

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
                row.add(record, self.counts)
        return rows, torn


def _scan(criteria: Sequence[Criterion], names: Names) -> Scan:
    """The lines of a file for which one of the criteria may hold."""
    if not all(criterion.needles or criterion.patterns for criterion in criteria):
        return Every(names)
    return Matches(
        sorted({needle for criterion in criteria for needle in criterion.needles}),
        [pattern for criterion in criteria for pattern in criterion.patterns],
        names,
    )
