"""
Finding the requests asked for, and their lines: bytes first, JSON where they match.

One pass tells which requests are meant, a second one collects their lines. Only lines
that may be meant are parsed, and every parsed line is held against the question again.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

from ctxlog.aggregators import Condition, Operator, Question
from ctxlog.viewer.group.collected import OUTSIDE, Collected
from ctxlog.viewer.group.sameness import Once
from ctxlog.viewer.group.summary import READY_MADE, Extent, Row, Sums
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.needles import (
    AnyOf,
    Brief,
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
from ctxlog.viewer.read.source import BROKEN, Hit, Run, Source
from ctxlog.viewer.read.store import FAILED, Store
from ctxlog.viewer.recognize.forms import Forms, seconds_of
from ctxlog.viewer.recognize.keys import Names, spellings
from ctxlog.viewer.recognize.record import Record

_T = TypeVar("_T")

#: The seconds before `--since` and after `--until` within which a store is asked for
#: the rest of a request.
MARGIN = 3600.0
#: Of so many bytes a process hands over the lines at once.
_HANDED_OVER = 4 << 20
#: The most ids of one question.
_IDS_AT_ONCE = 100
#: Stands for the id of a request that has none, and one line: by where that is.
_ALONE = "\0%d "


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
            for hit, records in _entries(hits, names, torn):
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
        """
        Return what lines say of their requests, in one pass if all requests are meant.

        Args:
            counts: The names of the totals that are of interest.
            criteria: What must hold, each for any line of a request.
            slow: How many seconds a request takes at least.
            named: What one of names its id, as `is_named` has it; any id if empty.
        """
        if criteria:
            ids = self._matching(criteria, ())
            wanted = {
                one
                for one in ids
                if not named or any(is_named(one, text) for text in named)
            }
            of_them = Lines(Ids(wanted, self.names), self._of(wanted))
            rows = {}
            if wanted:
                rows = self._rows(of_them, _Rows(self.names, counts, wanted))
            if not named:  # lines that are whole requests, and have no id
                make = _Rows(self.names, counts, (), criteria=criteria)
                rows |= self._rows(self._meant(criteria), make, self._alone(criteria))
        elif named:
            rows = self._rows(
                self._named(named), _Rows(self.names, counts, named=named)
            )
        else:
            every = Lines(Briefly(self.names), [self._within])
            rows = self._rows(every, _Rows(self.names, counts))
        if slow is not None:
            return {
                request: row
                for request, row in rows.items()
                if row.extent.seconds >= slow
            }
        return rows

    def _rows(self, lines: Lines, make: _Rows, alone: bool = False) -> dict[str, Row]:
        rows: dict[str, Row] = {}
        for source, (found_rows, torn) in self._found(lines, make, alone=alone):
            for request, row in found_rows.items():
                if request.startswith(_ALONE[0]):  # a line of this source only
                    request += source.name
                known = rows.setdefault(request, row)
                if known is not row:
                    known.merge(row)
            self._note_torn(source, torn)
        return rows

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
        make = _Matching(self.names, criteria, outside)
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
        for source, (found_extents, torn) in self._found(every, _Extents(self.names)):
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
        collected = self._collected(
            lines, lambda request: any(is_named(request, one) for one in wanted)
        )
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
            for told, hits in _briefs(pieces, forms):
                at = 0
                for number, hit in hits.items():
                    if told is not None:
                        collected.keep(told, at, number, wanted)
                    at = number + 1
                    for _, records in _entries([hit], names, torn):
                        requests = [
                            (request, record.span)
                            for record in records
                            if (request := record.request) is not None
                            and wanted(request)
                        ]
                        collected.add(hit, requests)
                        if looks_outside and records:
                            spans = _outside(hit, records, outside)
                            if spans:
                                self._keep_outside(names, hit, spans)
                if told is not None:
                    collected.keep(told, at, len(told.lines), wanted)
            self._note_torn(source, torn)
        return collected


def is_named(request: str, text: str) -> bool:
    """
    Return whether a request's id, or a part of it after a `~`, begins with a text.

    A text with a `*`, which stands for anything, is held against the whole id.
    """
    if "*" in text:
        return request == text or _glob(text).fullmatch(request) is not None
    return request.startswith(text) or f"~{text}" in request


@functools.lru_cache(64)
def _glob(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _outside(
    hit: Hit, records: Sequence[Record], criteria: Sequence[Criterion]
) -> list[tuple[float, float] | None]:
    """Return the spans of the records outside of requests for which all holds."""
    return [
        record.span
        for record in records
        if record.request is None
        and all(one.holds(record, hit.whole) for one in criteria)
    ]


def _with_names(
    then: Callable[[Iterable[Any]], _T], names: Names
) -> Callable[[Iterable[Any]], _T]:
    """Return the same for lines that are read with other names."""
    made: Any = then
    if isinstance(made, (_Matching, _Rows)):
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


def _entries(
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


@dataclass(frozen=True)
class _Extents:
    """Tells how long requests last, and lists lines that could not be read."""

    names: Names

    def __call__(
        self, pieces: Iterable[Hit | Brief]
    ) -> tuple[dict[str, Extent], list[int]]:
        extents: dict[str, Extent] = {}
        torn: list[int] = []
        spans: dict[bytes, tuple[bytes, bytes]] = {}
        for told, hits in _briefs(pieces):
            for written, (first, last) in told.spans().items() if told else ():
                known = spans.get(written, (first, last))
                spans[written] = min(first, known[0]), max(last, known[1])
            for _, records in _entries(hits.values(), self.names, torn):
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


def _briefs(
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
    starts = zip(told.others, told.starts(told.others), strict=True)
    return Brief(
        told,
        {
            number: Hit(run.position + start, told.line(number), [])
            for number, start in starts
        },
    )


class _Made(NamedTuple):
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
class _Matching:
    """Holds lines against criteria, and those of no request against *outside*."""

    names: Names
    criteria: Sequence[Criterion]
    outside: Sequence[Criterion] = ()

    def __call__(self, hits: Iterable[Hit]) -> _Made:
        made = _Made({}, [], [])
        looks_outside = any(one.outside for one in self.outside)
        numbered = list(enumerate(one.holds for one in self.criteria))
        for hit, records in _entries(hits, self.names, made.torn):
            line = hit.whole
            for record in records:
                held = {number for number, holds in numbered if holds(record, line)}
                if held and (request := record.request) is not None:
                    made.held.setdefault(request, set()).update(held)
            if records and looks_outside:
                spans = _outside(hit, records, self.outside)
                if spans:
                    made.outside.append((hit, spans))
        return made


@dataclass(frozen=True)
class _Rows:
    """
    Makes rows of lines, and lists those that could not be read.

    A line about a whole request that has no id, as of an access log, is a row.
    """

    names: Names
    counts: Collection[str] = READY_MADE
    wanted: Collection[str] | None = None
    named: Sequence[str] = ()
    criteria: Sequence[Criterion] = ()

    def _is_named(self, request: str) -> bool:
        return not self.named or any(is_named(request, one) for one in self.named)

    def _is_meant(self, hit: Hit, record: Record, request: str | None) -> bool:
        if self.wanted is None:
            return self._is_named(request or "")
        if request is not None:
            return request in self.wanted and self._is_named(request)
        line = hit.whole
        return bool(self.criteria) and all(
            one.holds(record, line) for one in self.criteria
        )

    def __call__(
        self, pieces: Iterable[Hit | Brief]
    ) -> tuple[dict[str, Row], list[int]]:
        rows: dict[str, Row] = {}
        torn: list[int] = []
        sums = Sums()
        for told, read in _briefs(pieces):
            at, lines = 0, iter(told.said() if told is not None else ())
            for number, hit in read.items():
                sums.add(islice(lines, number - at))
                next(lines, None)
                at = number + 1
                for _, records in _entries([hit], self.names, torn):
                    self._add(rows, hit, records, sums)
            sums.add(lines)
        for request in [*sums]:
            self._settle(rows, request.decode(), sums)
        return rows, torn

    def _add(
        self,
        rows: dict[str, Row],
        hit: Hit,
        records: Sequence[Record],
        sums: Sums,
    ) -> None:
        for record in records:
            request = record.request
            if request is None and not record.is_whole:
                continue
            key = _ALONE % hit.position if request is None else request
            self._settle(rows, key, sums)
            row = rows.get(key)
            if row is None:
                if not self._is_meant(hit, record, request):
                    continue
                row = rows[key] = Row(request or "-")
            row.add(record, self.counts)

    def _settle(self, rows: dict[str, Row], request: str, sums: Sums) -> None:
        """Add the lines of a request that were told briefly up to now."""
        known = sums.pop(request.encode("utf-8", "surrogatepass"), None)
        if known is not None and self._is_named(request):
            rows.setdefault(request, Row(request)).tell(known)


def _scan(criteria: Sequence[Criterion], names: Names) -> Scan:
    """The lines of a file for which one of the criteria may hold."""
    scans = [criterion.scan for criterion in criteria]
    known = [scan for scan in scans if scan is not None]
    return AnyOf(known, names) if len(known) == len(scans) else Every(names)
