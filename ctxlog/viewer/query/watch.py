"""
The choice of lines of growing files to print, and the time to print them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from ctxlog.viewer.group.summary import Extent
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.naming import is_meant
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record

#: How many bytes of lines are held back at most; the oldest requests go first.
MOST_HELD = 64 << 20


@dataclass(frozen=True)
class Shown:
    """
    A line to print.

    Attributes:
        line: Its own bytes.
        record: The record that it holds; None if it is not JSON.
    """

    line: bytes
    record: Record | None


def in_order(lines: Sequence[Shown]) -> Sequence[Shown]:
    """
    Return lines in the order of time, as they came if the time of one is not known.

    What is not JSON stays below the line above it.
    """
    times: list[float] = []
    for shown in lines:
        time = times[-1] if shown.record is None and times else None
        if shown.record is not None:
            time = shown.record.time
        if time is None:
            return lines
        times.append(time)
    order = sorted(range(len(times)), key=times.__getitem__)
    return [lines[index] for index in order]


@dataclass
class _Held:
    """A request whose lines are held back."""

    missing: list[Criterion]
    lines: list[Shown] = field(default_factory=list)
    size: int = 0
    extent: Extent = field(default_factory=Extent)


class Watch:
    """
    Decides which lines are printed, and when.

    Without criteria every line is, at once. With some, the lines of a request are held
    back until each of them holds for one; then they are let go, and further ones follow
    at once. A line outside of requests is printed if all of them hold for it, and are
    about such lines. What is no entry belongs to the one above it in its file.

    Args:
        names: The user's names of fields.
        criteria: All that must hold for a request.
        wanted: How its id begins, or a part of it after a `~`; any of several.
        slow: How many seconds it takes at least.
        most_held: How many bytes are held back at most.
    """

    def __init__(
        self,
        names: Names,
        criteria: Sequence[Criterion],
        *,
        wanted: Sequence[str] = (),
        slow: float | None = None,
        most_held: int = MOST_HELD,
    ) -> None:
        self._names = names
        self._of_files: dict[str, Names] = {}
        self._criteria = list(criteria)
        self._wanted = wanted
        self._slow = slow
        self._most_held = most_held
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._size = 0
        # Of late: one that was let go, or has been dropped, is begun anew.
        self._let_go: OrderedDict[str, None] = OrderedDict()
        self._above: dict[str, str | None] = {}
        self._outside: dict[str, bool] = {}

    @property
    def _chooses(self) -> bool:
        return bool(self._criteria or self._wanted) or self._slow is not None

    def add(self, name: str, line: bytes) -> list[Shown]:
        """Take a line of a file; return what is to be printed now."""
        names = self._of_files.get(name)
        if names is None:
            names = self._of_files[name] = self._names.within(name)
        records = Record.read(line, names) or (None,)
        return [one for record in records for one in self._add(name, line, record)]

    def _add(self, name: str, line: bytes, record: Record | None) -> list[Shown]:
        shown = Shown(line, record)
        if not self._chooses:
            return [shown]
        if record is not None:
            self._above[name] = record.request
        request = self._above.get(name)
        if request is None:
            return self._add_outside(name, shown)
        if not is_meant(request, self._wanted):
            return []
        if request in self._let_go:
            self._let_go.move_to_end(request)
            return [shown]
        return self._hold(request, shown)

    def _add_outside(self, name: str, shown: Shown) -> list[Shown]:
        """Take a line of no request: errors of a start, such as those that end it."""
        record = shown.record
        if record is not None:
            self._outside[name] = (
                not self._wanted
                and self._slow is None
                and any(one.outside for one in self._criteria)
                and all(one.holds(record, shown.line) for one in self._criteria)
            )
        return [shown] if self._outside.get(name) else []

    def _hold(self, request: str, shown: Shown) -> list[Shown]:
        held = self._held.get(request)
        if held is None:
            held = self._held[request] = _Held(list(self._criteria))
        self._held.move_to_end(request)
        held.lines.append(shown)
        held.size += len(shown.line)
        self._size += len(shown.line)
        record = shown.record
        if record is not None:
            held.missing = [
                one for one in held.missing if not one.holds(record, shown.line)
            ]
            if record.span is not None:  # lines of a buffer are earlier than others
                held.extent.add(*record.span)
        is_slow = self._slow is None or held.extent.seconds >= self._slow
        if held.missing or not is_slow:
            self._drop()
            return []
        del self._held[request]
        self._size -= held.size
        self._let_go[request] = None
        if len(self._let_go) > 10_000:
            self._let_go.popitem(last=False)
        return held.lines

    def _drop(self) -> None:
        while self._size > self._most_held and len(self._held) > 1:
            _, held = self._held.popitem(last=False)
            self._size -= held.size
