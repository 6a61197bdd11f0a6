"""
Finding the requests asked for, and their lines: bytes first, JSON where they match.

One pass tells which requests are meant, a second one collects their lines. Only lines
that may be meant are parsed, and every parsed line is held against the question again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, TypeVar, cast

from ctxlog.aggregators import Condition, Operator, Question
from ctxlog.viewer.group.collected import OUTSIDE, Collected
from ctxlog.viewer.group.sameness import Once
from ctxlog.viewer.group.summary import READY_MADE, Extent, Row
from ctxlog.viewer.group.tables import Table
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.findings import (
    Extents,
    Matching,
    Rows,
    briefs,
    entries,
    met_outside,
)
from ctxlog.viewer.query.naming import is_meant, is_named
from ctxlog.viewer.query.needles import (
    AnyOf,
    Briefly,
    Every,
    Ids,
    Matches,
    Runs,
    Scan,
    text_needle,
)
from ctxlog.viewer.query.processes import can_fork, found, is_large
from ctxlog.viewer.read.progress import Progress
from ctxlog.viewer.read.source import BROKEN, Hit, Source
from ctxlog.viewer.read.store import FAILED, Store
from ctxlog.viewer.recognize.forms import Forms
from ctxlog.viewer.recognize.keys import Names, spellings
from ctxlog.viewer.recognize.record import Record

_T = TypeVar("_T")
_Table = TypeVar("_Table", bound=Table)

#: The seconds before `--since` and after `--until` within which a store is asked for
#: the rest of a request.
MARGIN = 3600.0
#: Of so many bytes a process hands over the lines at once.
_HANDED_OVER = 4 << 20
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

    scan: Scan | Briefly
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
        self._of_files: dict[str, Names] = {}
        self._torn: set[tuple[str, int]] = set()
        self._outside: Collected | None = None
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
        self, given: Lines, then: Callable[[Iterable[Any]], _T], *, alone: bool = False
    ) -> Iterator[tuple[Source | Store, _T]]:
        """Yield what *then* makes of the lines that are looked for."""
        sizes = [source.size for source in self._sources]
        known = [size for size in sizes if size is not None]
        progress = Progress(sum(known) if len(known) == len(sizes) else None)
        once = None
        if self.has_stores:
            once = Once(self.names, several=len(self._sources) > 1)
        for source in self._sources:
            lines, make = given, then
            names = self._names_for(source)
            if names.of_file:
                make = _with_names(then, names)
                if isinstance(given.scan, AnyOf):
                    lines = replace(given, scan=given.scan.within(names))
            try:
                if once is not None:
                    pieces = _new(source, lines, once, make)
                else:
                    processes = 1 if alone else None
                    pieces = found(
                        cast(Source, source),
                        lines.scan,
                        make,
                        processes=processes,
                        part=_HANDED_OVER if then is _as_they_are else None,
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

    @property
    def files(self) -> Sequence[Source]:
        """The sources that are no stores."""
        return [one for one in self._sources if isinstance(one, Source)]

    def each(self) -> Iterator[tuple[Source | Store, Reader]]:
        """Yield each source, with a reader that counts what it cannot read as this."""
        for source in self._sources:
            one = Reader([source], self.names)
            one._within, one._torn = self._within, self._torn
            one.problems = self.problems
            yield source, one
            self.is_partial |= one.is_partial

    def _names_for(self, source: Source | Store) -> Names:
        if not self.names.services or isinstance(source, Store):
            return self.names
        names = self._of_files.get(source.name)
        if names is None:
            names = self._of_files[source.name] = self.names.within(source.name)
        return names

    def _note_torn(self, source: Source | Store, torn: Iterable[int]) -> None:
        self._torn.update((source.name, position) for position in torn)

    def _complain(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _hits(self, lines: Lines) -> Iterator[tuple[Names, Hit, Sequence[Record]]]:
        """Yield the lines that are looked for and are objects, with their records."""
        for source, hits in self._found(lines, _as_they_are):
            torn: list[int] = []
            names = self._names_for(source)
            for hit, records in entries(hits, names, torn):
                if records:
                    yield names, hit, records
            self._note_torn(source, torn)

    def rows(
        self,
        counts: Collection[str] = READY_MADE,
        criteria: Sequence[Criterion] = (),
        slow: float | None = None,
        named: Sequence[str] = (),
    ) -> dict[str, Row]:
        """Return what lines say of the requests that have ids; as for `table`."""
        return self._summed(Rows(self.names, counts, None, slow), criteria, named)[0]

    def table(
        self,
        make: Callable[[], _Table],
        counts: Collection[str] = READY_MADE,
        criteria: Sequence[Criterion] = (),
        slow: float | None = None,
        named: Sequence[str] = (),
    ) -> _Table:
        """
        Return requests as a table, in one pass if all are meant.

        Args:
            make: What makes an empty table; it can be pickled.
            counts: The names of the totals that are of interest.
            criteria: What must hold, each for any line of a request.
            slow: How many seconds a request takes at least.
            named: What one of names its id, as `is_named` has it; any id if empty.
        """
        of_lines = Rows(self.names, counts, make, slow)
        rows, alone = self._summed(of_lines, criteria, named)
        table = make() if alone is None else cast(_Table, alone)
        for row in rows.values():
            table.add(row)
        return table

    def _summed(
        self, make: Rows, criteria: Sequence[Criterion], named: Sequence[str]
    ) -> tuple[dict[str, Row], Table | None]:
        """Return the rows of requests that have ids, and the table of the others."""
        if criteria:
            ids = self._matching(criteria, ())
            wanted = {one for one in ids if is_meant(one, named)}
            of_them = Lines(Ids(wanted, self.names), self._of(wanted))
            rows: dict[str, Row] = {}
            table = None
            if wanted:
                rows, _ = self._rows(of_them, replace(make, wanted=wanted, table=None))
            if not named and make.table is not None:
                others = replace(make, wanted=(), criteria=criteria)
                _, table = self._rows(
                    self._meant(criteria), others, self._alone(criteria)
                )
        elif named:
            rows, table = self._rows(self._named(named), replace(make, named=named))
        else:
            every = Lines(Briefly(self.names), [self._within])
            rows, table = self._rows(every, make)
        if make.slow is not None:
            rows = {
                request: row
                for request, row in rows.items()
                if row.extent.seconds >= make.slow
            }
        return rows, table

    def _rows(
        self, lines: Lines, make: Rows, alone: bool = False
    ) -> tuple[dict[str, Row], Table | None]:
        rows: dict[str, Row] = {}
        table = None
        for source, (found_rows, some, torn) in self._found(lines, make, alone=alone):
            for request, row in found_rows.items():
                known = rows.setdefault(request, row)
                if known is not row:
                    known.merge(row)
            if table is None:
                table = some
            elif some is not None:
                table.merge(some)
            self._note_torn(source, torn)
        return rows, table

    @staticmethod
    def _alone(criteria: Sequence[Criterion]) -> bool:
        """Whether this process asks criteria: others cannot be given them."""
        return any(one.is_risky for one in criteria) or not can_fork()

    @property
    def is_large(self) -> bool:
        """Whether to read everything takes longer than one waits for a first word."""
        return is_large(sum(source.size or 0 for source in self._sources))

    def matching(self, criteria: Sequence[Criterion]) -> Iterator[str]:
        """
        Yield the ids of requests in which every criterion holds for some line.

        The lines outside of requests for which every criterion holds are kept:
        `outside` has them afterwards.
        """
        yield from self._matching(criteria, criteria)

    def _matching(
        self, criteria: Sequence[Criterion], outside: Sequence[Criterion]
    ) -> Iterator[str]:
        """Do so; all of *outside* must hold for a line outside of requests."""
        missing: dict[str, set[int]] = {}
        make = Matching(self.names, criteria, outside)
        alone = self._alone(criteria)
        for source, made in self._found(self._meant(criteria), make, alone=alone):
            self._note_torn(source, made.torn)
            names = self._names_for(source)
            for hit, records in made.outside:
                self._keep_outside(names, hit, records)
            for request, held in made.held.items():
                left = missing.get(request)
                if left is None:
                    left = missing[request] = set(range(len(criteria)))
                elif not left:
                    continue
                left -= held
                if not left:
                    yield request

    def _keep_outside(
        self, names: Names, hit: Hit, spans: Sequence[tuple[float, float] | None]
    ) -> None:
        if self._outside is None:
            self._outside = Collected(self.names)
        self._outside.begin(names)
        self._outside.add(hit, [(OUTSIDE, span) for span in spans])

    @contextmanager
    def outside(self) -> Iterator[Collected]:
        """Return the lines outside of requests that were met by what was looked for."""
        with self._outside or Collected(self.names) as collected:
            self._outside = None
            yield collected

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
                # Those outside of requests are among the lines of the first question.
                found = set(
                    self._matching([criterion], criteria if ids is None else ())
                )
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

    def _named(self, texts: Sequence[str]) -> Lines:
        """Return the lines on which a request's id is that one of some texts names."""
        needles = [text_needle(max(one.split("*"), key=len)) for one in texts]
        questions = [self._beginning(one) for one in texts]
        return Lines(Matches(needles, (), self.names), questions)

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
        extents: dict[str, Extent] = {}
        every = Lines(Briefly(self.names, "time", "id"), [self._within])
        for source, (found_extents, torn) in self._found(every, Extents(self.names)):
            for request, extent in found_extents.items():
                extents.setdefault(request, Extent()).merge(extent)
            self._note_torn(source, torn)
        for request, extent in extents.items():
            if extent.seconds >= seconds:
                yield request

    def collect(
        self, wanted: set[str] | None, criteria: Sequence[Criterion] = ()
    ) -> Collected:
        """
        Return the lines of requests.

        Args:
            wanted: The requests' ids; every request if None.
            criteria: What holds for lines outside of requests that are kept for
                `outside`, if every request is asked for.
        """
        if wanted is None:
            every = Lines(Runs(self.names), [self._within])
            return self._collected(every, lambda _: True, criteria)
        scan = Ids(wanted, self.names) if wanted else Matches([])
        return self._collected(Lines(scan, self._of(wanted)), wanted.__contains__)

    def named(self, *wanted: str) -> Collected:
        """
        Return the lines of requests.

        Args:
            wanted: The id of each, or what names it, as `is_named` has it. Of several
                requests that begin with a text the one counts alone whose id is the
                text. Where no request is meant these are traces, and all requests of
                them are.
        """
        lines = self._named(wanted)
        collected = self._collected(lines, lambda request: is_meant(request, wanted))
        ids = collected.ids
        if not ids and not self.has_stores:
            return self._traced(lines, wanted)
        for request in ids:
            named = [one for one in wanted if is_named(request, one)]
            if all(one in ids and one != request for one in named):
                collected.drop(request)
        return collected

    def _traced(self, lines: Lines, wanted: Sequence[str]) -> Collected:
        """Return the requests of which a line names one of some traces."""
        requests = {
            request
            for _, _, records in self._hits(lines)
            for record in records
            if (request := record.request) is not None
            and (record.trace or "").startswith(tuple(wanted))
        }
        collected = self.collect(requests)
        collected.is_trace = True
        return collected

    def _collected(
        self,
        lines: Lines,
        wanted: Callable[[str], bool],
        outside: Sequence[Criterion] = (),
    ) -> Collected:
        collected = Collected(self.names)
        looks_outside = any(one.outside for one in outside)
        # To hand over every line would take longer than to find it.
        alone = isinstance(lines.scan, Runs)
        forms = None if self.names.own or looks_outside else Forms("time", "id")
        for source, pieces in self._found(lines, _as_they_are, alone=alone):
            torn: list[int] = []
            names = self._names_for(source)
            collected.begin(names)
            for told, hits in briefs(pieces, forms):
                at = 0
                for number, hit in hits.items():
                    if told is not None:
                        collected.keep(told, at, number, wanted)
                    at = number + 1
                    for _, records in entries([hit], names, torn):
                        requests = [
                            (request, record.span)
                            for record in records
                            if (request := record.request) is not None
                            and wanted(request)
                        ]
                        collected.add(hit, requests)
                        if looks_outside and records:
                            spans = met_outside(hit, records, outside)
                            if spans:
                                self._keep_outside(names, hit, spans)
                if told is not None:
                    collected.keep(told, at, len(told.lines), wanted)
            self._note_torn(source, torn)
        return collected


def _with_names(
    then: Callable[[Iterable[Any]], _T], names: Names
) -> Callable[[Iterable[Any]], _T]:
    """Return the same for lines that are read with other names."""
    made: Any = then
    if isinstance(made, (Matching, Rows)):
        made = replace(made, names=names)
    return cast("Callable[[Iterable[Any]], _T]", made)


def _as_they_are(hits: Iterable[Hit]) -> list[Hit]:
    return [*hits]


def beginning(prefix: str, names: Names) -> tuple[Condition, ...]:
    """Return what a store is asked for the requests that a text names."""
    operator: Operator = "contains" if "*" in prefix else "begins"
    piece = max(prefix.split("*"), key=len)
    if not piece:
        return ()
    return (Condition("request", operator, (piece,), spellings(names.ids)),)


def _new(
    source: Source | Store,
    lines: Lines,
    once: Once,
    then: Callable[[Iterable[Any]], _T],
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
        which = lines.scan
        if isinstance(which, (Briefly, Runs)):  # whether a line is new its bytes tell
            which = Every(which.names)
        yield from found(source, which, _as_they_are)


def _scan(criteria: Sequence[Criterion], names: Names) -> Scan:
    """The lines of a file for which one of the criteria may hold."""
    scans = [criterion.scan for criterion in criteria]
    known = [scan for scan in scans if scan is not None]
    return AnyOf(known, names) if len(known) == len(scans) else Every(names)
