"""
The requests, tasks and calls that lines of several services speak of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ctxlog.viewer.group.summary import About, Extent
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.traces import span_key, trace_key

#: How far times that mean the same may be apart, in seconds: lines have rounded ones.
SLACK = 0.002


@dataclass
class Links:
    """
    What lines say of where they belong.

    Attributes:
        traces: The keys of their traces.
        spans: The keys of their spans.
        parent_spans: The keys of the spans around these.
        task: The id of the task.
        parent_task: The id of the task that sent it.
        parent_request: The id of the request that caused it.
    """

    traces: set[str] = field(default_factory=set)
    spans: set[str] = field(default_factory=set)
    parent_spans: set[str] = field(default_factory=set)
    task: str | None = None
    parent_task: str | None = None
    parent_request: str | None = None

    def add(self, record: Record) -> None:
        """Take a line into account."""
        if (trace := record.trace) is not None:
            self.traces.add(trace_key(trace))
        for what, known in (
            ("span", self.spans),
            ("parent span", self.parent_spans),
        ):
            found = _span(record, what)
            if found is not None:
                known.add(found)
        self.parent_task = self.parent_task or record.says("parent task")
        self.parent_request = self.parent_request or record.says("parent request")


def _span(record: Record, what: str) -> str | None:
    found = record.says(what)
    return None if found is None else span_key(found)


@dataclass(eq=False)
class Part:
    """
    A request, a task or a call of another service.

    Attributes:
        kind: `request`, `task` or `call`.
        service: Which service it is of; empty if lines do not say.
        request: The request's id.
        extent: From when to when it lasts.
        about: Its method, path, route, status and user.
        links: What its lines say of where it belongs.
        name: The name of a task, the message of a call; else empty.
        lines: How many lines it has.
        errors: How many of them are errors.
        failed: Whether it has failed.
        caller: The request or task whose call it is; None if it is no call.
        path: The path of a call; empty if it is not known.
        children: What it has sent or called, by when that begins.
        adrift: Whether it names a parent that is not in the files.
        shift: How many seconds its times are shown later than they are, because its
            service's clock differs from that of what caused it.
    """

    kind: str
    service: str
    request: str
    extent: Extent = field(default_factory=Extent)
    about: About = field(default_factory=About)
    links: Links = field(default_factory=Links)
    name: str = ""
    lines: int = 0
    errors: int = 0
    failed: bool = False
    caller: Part | None = None
    path: str = ""
    children: list[Part] = field(default_factory=list)
    adrift: bool = False
    shift: float = 0.0
    _message: str = ""

    @property
    def begin(self) -> float:
        """When it begins, in seconds since the epoch; infinite if that is not known."""
        return float("inf") if self.extent.start is None else self.extent.start

    @property
    def end(self) -> float:
        """When it ends; the least of all times if that is not known."""
        return float("-inf") if self.extent.end is None else self.extent.end

    @property
    def shown_begin(self) -> float:
        """When it begins, by the clock of what has caused it."""
        return self.begin + self.shift

    @property
    def shown(self) -> Extent:
        """From when to when it lasts, by the clock of what has caused it."""
        start, end = self.extent.start, self.extent.end
        if start is None or end is None:
            return Extent()
        return Extent(start + self.shift, end + self.shift)

    @property
    def title(self) -> str:
        """What it is about: a method and a path, the name of a task, or a message."""
        about = self.about
        parts = (about.method, about.path or about.route, about.status)
        found = " ".join(filter(None, parts))
        return self.name or found or self._message or self.request

    def add(self, record: Record) -> None:
        """Take a line into account."""
        if record.span is not None:
            self.extent.add(*record.span)
        self.about.add(record, record.took)
        self.lines += 1
        self._message = self._message or record.message
        self.errors += record.failed
        self.failed = self.failed or record.failed
        self.links.add(record)


def parts_of(records: Iterable[tuple[str, str, Record]]) -> list[Part]:
    """
    Return what lines speak of, without the order of a tree.

    Args:
        records: The request, the service and the record of each line.
    """
    together: dict[tuple[str, str, str | None], list[Record]] = {}
    for request, service, record in records:
        key = (service, request, record.says("task id"))
        together.setdefault(key, []).append(record)
    found: list[Part] = []
    calls: list[Part] = []
    for (service, request, task), lines in together.items():
        kind = "request" if task is None else "task"
        for some in _apart(lines) if task is None else [lines]:
            part = Part(kind, service, request)
            part.links.task = task
            for record in some:
                part.add(record)
                if task is not None and not part.name:
                    part.name = record.says("task") or ""
            found.append(part)
            calls += [_call(record, part) for record in some if record.is_call]
    return [*found, *calls]


def _call(record: Record, caller: Part) -> Part:
    call = Part("call", caller.service, caller.request, name=record.message)
    if record.span is not None:
        call.extent.add(*record.span)
    call.about.status = str(record.status or "")
    call.path = record.path or ""
    call.failed = (record.status or 0) >= 500 or record.level >= 40
    call.caller = caller
    call.links.add(record)
    return call


def _apart(records: Sequence[Record]) -> Sequence[Sequence[Record]]:
    """
    Return the lines of each of the requests that a service has served under one id.

    These are spans, where lines name parents of spans or several end a request; else
    times that lines give, each from its own begin to its own end, one after the other.
    A line of neither is of what was under way last when it was written.
    """
    spans = [_span(record, "span") for record in records]
    parents = {_span(record, "parent span") for record in records}
    kept = {
        span
        for span, record in zip(spans, records, strict=True)
        if span is not None
        and (
            span in parents
            or _span(record, "parent span") not in (None, span)
            or record.is_whole
        )
    }
    if len(kept) > 1:
        numbers = {span: number for number, span in enumerate(sorted(kept))}
        homes = [Extent() for _ in numbers]
        for span, record in zip(spans, records, strict=True):
            if span in kept and record.span is not None:
                homes[numbers[span]].add(*record.span)
    else:
        numbers, homes = {}, _one_after_the_other(records)
        if len(homes) < 2:
            return [records]
    found: list[list[Record]] = [[] for _ in homes]
    for span, record in zip(spans, records, strict=True):
        number = numbers.get(span) if span is not None else None
        found[_home(record, homes) if number is None else number].append(record)
    return [some for some in found if some]


def _one_after_the_other(records: Sequence[Record]) -> list[Extent]:
    """Return from when to when requests last, of which each has a line at its end."""
    homes: list[Extent] = []
    spans = (one.span for one in records if one.is_whole and one.took)
    for begin, end in sorted(span for span in spans if span is not None):
        last = homes[-1].end if homes else None
        if last is None or begin > last - SLACK:
            homes.append(Extent(begin, end))
        else:
            homes[-1].add(begin, end)
    return homes


def _home(record: Record, homes: Sequence[Extent]) -> int:
    """Return the number of what a line belongs to, by its time."""
    span = record.span
    if span is None:
        return 0
    middle = sum(span) / 2

    def rank(number: int) -> tuple[bool, float]:
        start, end = homes[number].start, homes[number].end
        if start is None or end is None:
            return False, float("-inf")
        is_within = start - SLACK <= middle <= end + SLACK
        return is_within, start if start <= middle + SLACK else -start

    return max(range(len(homes)), key=rank)
