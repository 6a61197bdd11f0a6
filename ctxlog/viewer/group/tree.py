"""
The requests, tasks and calls of one trace, of all services, as a tree.

Parts are tied by what lines say: a task names the task that sent it, a span its parent.
Where nothing says it, a part belongs to what was under way when it began: to a call of
another service, to the request with the same id, or to one of the same trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from ctxlog.viewer.group.summary import About, Extent
from ctxlog.viewer.recognize.record import Record

# How ids of spans are written: a number in hexadecimal, Datadog's in decimal.
_SPAN = re.compile(r"[0-9A-Fa-f]{8,32}|[0-9]{10,20}")

# How far two clocks may be apart, in seconds, for a part to have begun in another one.
_SLACK = 0.002


def _span(record: Record, what: str) -> str | None:
    found = record.says(what)
    if found is None or not found.strip("0") or not _SPAN.fullmatch(found):
        return None
    return found


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
        name: The name of a task, the message of a call; else empty.
        lines: How many lines it has.
        errors: How many of them are errors.
        failed: Whether it has failed.
        children: What it has sent or called, by when that begins.
        adrift: Whether it names a parent that is not in the files.
    """

    kind: str
    service: str
    request: str
    extent: Extent = field(default_factory=Extent)
    about: About = field(default_factory=About)
    name: str = ""
    lines: int = 0
    errors: int = 0
    failed: bool = False
    children: list[Part] = field(default_factory=list)
    adrift: bool = False
    _message: str = ""
    _task: str | None = None
    _parent_task: str | None = None
    _spans: set[str] = field(default_factory=set)
    _parent_spans: set[str] = field(default_factory=set)
    _traces: set[str] = field(default_factory=set)
    _caller: Part | None = None

    @property
    def begin(self) -> float:
        """When it begins, in seconds since the epoch; infinite if that is not known."""
        return float("inf") if self.extent.start is None else self.extent.start

    @property
    def end(self) -> float:
        """When it ends; the least of all times if that is not known."""
        return float("-inf") if self.extent.end is None else self.extent.end

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
        self._note(record)

    def _note(self, record: Record) -> None:
        trace = record.trace
        span, parent = _span(record, "span"), _span(record, "parent span")
        self._traces |= set(filter(None, [trace]))
        self._spans |= set(filter(None, [span]))
        self._parent_spans |= set(filter(None, [parent]))
        self._parent_task = self._parent_task or record.says("parent task")


def parts_of(records: Iterable[tuple[str, str, Record]]) -> list[Part]:
    """
    Return what lines speak of, without the order of a tree.

    Args:
        records: The request, the service and the record of each line.
    """
    found: dict[tuple[str, str, str | None], Part] = {}
    calls: list[Part] = []
    for request, service, record in records:
        task = record.says("task id")
        part = found.get((service, request, task))
        if part is None:
            kind = "request" if task is None else "task"
            part = found[service, request, task] = Part(kind, service, request)
            part._task = task
        part.add(record)
        if task is not None and not part.name:
            part.name = record.says("task") or ""
        if record.is_call:
            call = Part("call", service, request, name=record.message)
            if record.span is not None:
                call.extent.add(*record.span)
            call.about.status = str(record.status or "")
            call.failed = (record.status or 0) >= 500 or record.level >= 40
            call._caller = part
            call._note(record)
            calls.append(call)
    return [*found.values(), *calls]


def tree_of(parts: Sequence[Part]) -> list[Part]:
    """
    Tie parts together; return those that nothing else is known to have caused.

    Never fails: what would be its own ancestor, by what lines say, is not tied.
    """
    ordered = sorted(parts, key=attrgetter("begin"))
    by_task: dict[str, Part] = {}
    by_span: dict[str, Part] = {}
    for part in ordered:
        part.children, part.adrift = [], False
        if part._task is not None:
            by_task.setdefault(part._task, part)
        for span in part._spans:
            # Of a call and what it calls, the call comes first.
            by_span.setdefault(span, part)
    parents: dict[Part, Part] = {}
    for number, part in enumerate(ordered):
        parent = _named_parent(part, by_task, by_span)
        part.adrift = parent is None and _names_parent(part)
        parent = parent or _likely_parent(part, ordered, number)
        if parent is not None and not _is_below(parent, part, parents):
            parents[part] = parent
    roots = []
    for part in ordered:
        if part in parents:
            parents[part].children.append(part)
        else:
            part.adrift = False
            roots.append(part)
    return roots


def _named_parent(
    part: Part, by_task: dict[str, Part], by_span: dict[str, Part]
) -> Part | None:
    if part._caller is not None:
        return part._caller
    if part._parent_task is not None:
        found = by_task.get(part._parent_task)
        if found is not None and found is not part:
            return found
    for span in sorted(part._parent_spans - part._spans):
        found = by_span.get(span)
        if found is not None and found is not part:
            return found
    return None


def _names_parent(part: Part) -> bool:
    return part._parent_task is not None or bool(part._parent_spans - part._spans)


def _likely_parent(part: Part, ordered: Sequence[Part], number: int) -> Part | None:
    """Return what was under way when a part began, of the same request or trace."""
    earliest = None
    found: Part | None = None
    for other in ordered:
        if other.begin > part.begin + _SLACK:
            break
        if other is part or other._caller is part or not _is_akin(part, other):
            continue
        if other.begin >= part.begin and (other.end, other.kind) <= (
            part.end,
            part.kind,
        ):
            continue  # of two that begin at once the longer one is outside
        if earliest is None and other.kind != "call":
            earliest = other
        is_outside = other.kind != "call" or other.service != part.service
        if is_outside and other.end >= part.begin - _SLACK:
            found = other
    return found or earliest


def _is_akin(part: Part, other: Part) -> bool:
    return part.request == other.request or bool(part._traces & other._traces)


def _is_below(part: Part | None, other: Part, parents: dict[Part, Part]) -> bool:
    """Return whether a part is another one, or is caused by it."""
    while part is not None:
        if part is other:
            return True
        part = parents.get(part)
    return False


def walk(roots: Sequence[Part]) -> Iterable[tuple[Part, Sequence[bool]]]:
    """
    Yield all parts of trees, each before what it has caused.

    With each part comes, for it and for each part above it but the root, whether it is
    the last one of its siblings.
    """
    stack: list[tuple[Part, tuple[bool, ...]]] = [(one, ()) for one in reversed(roots)]
    while stack:
        part, lasts = stack.pop()
        yield part, lasts
        number = len(part.children)
        stack += [
            (child, (*lasts, index == number - 1))
            for index, child in reversed(list(enumerate(part.children)))
        ]
