"""
The summary of a request, read off its lines.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from ctxlog.viewer.recognize.forms import Said, seconds_of
from ctxlog.viewer.recognize.record import Record


@dataclass(slots=True)
class Extent:
    """
    From when to when a request lasts.

    Attributes:
        start: When it began, in seconds since the epoch: with its first line, or with
            what a line says that took some time. None if that is not known.
        end: The time of its last line; None if that is not known.
    """

    start: float | None = None
    end: float | None = None

    def add(self, begin: float, end: float) -> None:
        """
        Take a line into account: when what it speaks of began, and its time.

        NaN stands for a time that is not known.
        """
        if begin != begin or end != end:
            return
        if self.start is None or begin < self.start:
            self.start = begin
        if self.end is None or end > self.end:
            self.end = end

    def merge(self, other: Extent) -> None:
        """Take into account what another one knows."""
        if other.start is not None and other.end is not None:
            self.add(other.start, other.end)

    @property
    def seconds(self) -> float:
        """How long it lasts; 0 if that is not known."""
        if self.start is None or self.end is None:
            return 0.0
        # To the microsecond: a difference of such numbers is never exactly 0.1.
        return round(self.end - self.start, 6)


@dataclass(slots=True)
class About:
    """
    The method, path, route, status and user of a request.

    All but the user are those of the line with a status that took longest: that is the
    line about the request, and not one about a call or a task within it. Of several
    that do not differ in that the last counts. Where no line has a status the last
    method and path count, and so does the last user. The route is that of the same
    line; if it has none, or none has a status, that of the first line with one that
    took longest.
    """

    user: str = ""
    status: str = ""
    route: str = ""
    _route_rank: tuple[bool, float] = (False, -1.0)
    _took: float = -1.0
    _method: str = ""
    _path: str = ""
    _last_method: str = ""
    _last_path: str = ""

    @property
    def method(self) -> str:
        """The method; empty if it is not known."""
        return self._method or self._last_method

    @property
    def path(self) -> str:
        """The path; empty if it is not known."""
        return self._path or self._last_path

    def add(self, record: Record, took: float | None) -> None:
        """Take a line into account, and how many seconds what it speaks of took."""
        self.user = record.user or self.user
        if record.is_bare:
            if record.asks and (path := record.path) is not None and not record.is_call:
                self.ask(record.method, path)
            return
        status, path = record.status, record.path
        took = took or 0.0
        if status is None and path is None:  # as of most lines
            if took or not self.route:
                self._note_route(record.route, False, took)
            return
        if record.is_call:
            return
        self._note_route(record.route, status is not None, took)
        method = record.method
        if status is None:
            self.ask(method, path or "")
            return
        if took >= self._took:
            self._took, self.status = took, str(status)
            self._method, self._path = method or "", path or ""

    def tell(self, user: str, method: str, path: str) -> None:
        """Note what a line says that says nothing of an answer; what is empty, not."""
        self.user = user or self.user
        if path:
            self.ask(method, path)

    def ask(self, method: str | None, path: str) -> None:
        """Note what a line that says nothing of an answer says was asked for."""
        self._last_method = method or self._last_method
        self._last_path = path or self._last_path

    def _note_route(self, route: str | None, is_of_status: bool, took: float) -> None:
        rank, known = (is_of_status, took), self._route_rank
        if route and (rank > known or (is_of_status and rank == known)):
            self.route, self._route_rank = route, rank

    def merge(self, later: About) -> None:
        """Take into account what another one knows, of lines that come later."""
        self.user = later.user or self.user
        self._last_method = later._last_method or self._last_method
        self._last_path = later._last_path or self._last_path
        if later.status and later._took >= self._took:
            self._took, self.status = later._took, later.status
            self._method, self._path = later._method, later._path
        self._note_route(later.route, *later._route_rank)


@dataclass(frozen=True, slots=True)
class Total:
    """
    What was counted, or timed, under one name.

    Attributes:
        count: How often.
        microseconds: How long that took; None of what was only counted.
    """

    count: float
    microseconds: int | None = None

    def plus(self, other: Total) -> Total:
        """Return the sum of two."""
        times = (self.microseconds, other.microseconds)
        known = [time for time in times if time is not None]
        return Total(self.count + other.count, sum(known) if known else None)

    @property
    def milliseconds(self) -> float | None:
        """How many milliseconds it took; None of what was only counted."""
        return None if self.microseconds is None else self.microseconds / 1000


class Totals(dict[str, Total]):
    """The totals of a request, by name: sums over the lines that have some."""

    def read(self, record: Record, counts: Collection[str] | None = None) -> None:
        """
        Take a line into account.

        Args:
            record: The line.
            counts: The names that are meant, also of what was only counted, which looks
                as any other number; None for all that was timed.
        """
        if record.is_call:
            return
        timed = record.totals
        for name, (count, milliseconds) in timed.items():
            if counts is None or name in counts:
                self._add(name, Total(count, round(milliseconds * 1000)))
        for name in counts or ():
            if name not in timed and (found := record.number(name)) is not None:
                self._add(name, Total(found))

    def merge(self, others: Totals) -> None:
        """Take into account what another one knows."""
        for name, total in others.items():
            self._add(name, total)

    def _add(self, name: str, total: Total) -> None:
        self[name] = self[name].plus(total) if name in self else total


#: The totals that ctxlog's adapters sum up.
READY_MADE = ("db", "http", "redis", "grpc")


@dataclass(slots=True)
class Kept:
    """
    Why the lines of a request are there: out of a sample, out of a buffer.

    Attributes:
        rate: How many requests it stands for: 1 unless it is part of a sample.
        buffered: How many of its lines waited in a buffer.
        dropped: How many had no room there.
    """

    rate: float = 1.0
    buffered: int = 0
    dropped: int = 0

    def add(self, record: Record) -> None:
        """Take a line into account."""
        self.rate = max(self.rate, record.sample_rate)
        self.buffered += record.is_buffered
        self.dropped += record.dropped_lines


@dataclass(slots=True)
class Sum:
    """
    What lines of a request say that tell nothing of an answer.

    Attributes:
        lines: How many there are.
        errors: How many of these are errors.
        first: The first time, as it is written.
        last: The last one.
        user: The user of the last line that names one.
        path: The path of the last line that names one.
        method: The method of the last line that names one beside a path.
    """

    lines: int
    errors: int
    first: bytes
    last: bytes
    user: bytes
    path: bytes
    method: bytes


class Sums(dict[bytes, Sum]):
    """Such sums by request."""

    def add(self, lines: Iterable[Said]) -> None:
        """Take lines into account."""
        for time, level, request, user, path, method in lines:
            if not (time and request):
                continue
            known = self.get(request)
            if known is None:
                method = method if path else b""
                self[request] = Sum(1, level >= 40, time, time, user, path, method)
                continue
            known.lines += 1
            known.errors += level >= 40
            if time > known.last:
                known.last = time
            elif time < known.first:
                known.first = time
            known.user = user or known.user
            if path:
                known.path, known.method = path, method or known.method


#: Stands for the id of a request that has none, and one line.
NAMELESS = "-"


class Row:
    """
    The summary of a request, after all its lines have been read.

    Args:
        request: The request's id; `NAMELESS` if it has none.

    Attributes:
        weight: How many requests it stands for, by the completion line that took
            longest: 1 if that line says nothing of a sample.
    """

    __slots__ = (
        *("about", "errors", "extent", "failed", "id", "lines", "totals", "weight"),
        "_weighed",
    )

    def __init__(self, request: str) -> None:
        self.id = request
        self.extent = Extent()
        self.lines = self.errors = 0
        self.failed = False
        self.about = About()
        self.totals = Totals()
        self.weight, self._weighed = 1.0, -1.0

    def add(self, record: Record, counts: Collection[str] = READY_MADE) -> None:
        """
        Take a line into account.

        Args:
            record: The line.
            counts: The names of the totals that are of interest.
        """
        self.lines += 1
        failed = record.failed
        self.errors += failed
        time, took = record.time, record.took
        if time is not None:
            self.extent.add(time - (took or 0.0), time)
        self.failed = self.failed or failed
        self.about.add(record, took)
        if took is not None:
            self.totals.read(record, counts)
            if record.is_completion:
                self._weigh(record.sample_rate, took)

    def tell(self, lines: Sum) -> None:
        """Take into account lines that were summed up."""
        self.lines += lines.lines
        self.errors += lines.errors
        self.failed = self.failed or lines.errors > 0
        user, path = (
            one.decode("utf-8", "replace") for one in (lines.user, lines.path)
        )
        self.about.tell(user, lines.method.decode(), path)
        self.extent.add(seconds_of(lines.first), seconds_of(lines.last))

    def merge(self, later: Row) -> None:
        """Take into account what another one knows, of lines that come later."""
        self.lines += later.lines
        self.errors += later.errors
        self.extent.merge(later.extent)
        self.failed = self.failed or later.failed
        self.about.merge(later.about)
        self.totals.merge(later.totals)
        self._weigh(later.weight, later._weighed)

    def _weigh(self, weight: float, took: float) -> None:
        if took >= self._weighed:
            self.weight, self._weighed = weight, took

    @property
    def duration(self) -> float:
        """How long it took, in milliseconds."""
        return self.extent.seconds * 1000
