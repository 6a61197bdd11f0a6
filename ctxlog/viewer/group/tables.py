"""
What requests come to, one after the other: rows, or groups of them.

A request that is one line alone, as in access logs, is given to a table as soon as it
is read, and only what the table keeps of it is held in memory.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Any, TypeVar

from ctxlog.viewer.group.paths import template_of
from ctxlog.viewer.group.summary import READY_MADE, Row, Total

_Table = TypeVar("_Table", bound="Table")

_NUMBERS: dict[str, Callable[[Row], float]] = {
    "duration": lambda row: row.duration,
    "errors": lambda row: row.errors,
    "lines": lambda row: row.lines,
    "start": lambda row: row.extent.start or 0.0,
}
#: Rows that are no longer among the first are let go when there are so many of them.
_MOST_BESIDE = 10_000


@dataclass(frozen=True)
class Order:
    """
    By what rows are sorted.

    Attributes:
        by: `duration`, `errors`, `lines`, `start`, the name of a total, or None for the
            usual order.
        of_count: Whether a total is sorted by its count, not by its milliseconds.
    """

    by: str | None = None
    of_count: bool = False

    @classmethod
    def of(cls, text: str | None) -> Order:
        """Return the order that `--sort` means: `db.count` is that of a count."""
        if text is None or text in _NUMBERS:
            return cls(text)
        name = text.removesuffix(".count")
        return cls(name or text, of_count=name not in ("", text))

    @property
    def total(self) -> str | None:
        """The name of the total that rows are sorted by, if they are."""
        return None if self.by is None or self.by in _NUMBERS else self.by

    @property
    def counts(self) -> Sequence[str]:
        """The names of the totals that are shown."""
        return tuple(dict.fromkeys((*READY_MADE, *filter(None, [self.total]))))

    def value(self, total: Total | None) -> float:
        """Return what a total is sorted by."""
        if total is None:
            return -inf
        if self.of_count or total.microseconds is None:
            return total.count
        return total.microseconds

    def first(self, requests: Iterable[Row]) -> list[Row]:
        """Return requests, the largest first, and first of equals the earliest."""
        total, number = self.total, _NUMBERS.get(self.by or "duration")
        return sorted(
            sorted(requests, key=begun),
            key=number or (lambda row: self.value(row.totals.get(total or ""))),
            reverse=self.by != "start",
        )


def begun(row: Row) -> tuple[bool, float, str]:
    """Return the key that puts the request first which began first."""
    start = row.extent.start
    return start is None, start or 0.0, row.id


class Table(ABC):
    """
    What is made of requests.

    Attributes:
        number: How many requests there are.
        totals: The names of the totals that some of them have.
    """

    def __init__(self) -> None:
        self.number = 0
        self.totals: set[str] = set()

    def add(self, row: Row) -> None:
        """Take a request into account, after all its lines have been read."""
        self.number += 1
        self.totals.update(row.totals)
        self._add(row)

    def merge(self: _Table, later: _Table) -> None:
        """Take into account what another table of the same kind has."""
        self.number += later.number
        self.totals |= later.totals
        self._merge(later)

    @abstractmethod
    def _add(self, row: Row) -> None: ...

    @abstractmethod
    def _merge(self, later: Any) -> None: ...


class Requests(Table):
    """
    The requests themselves.

    Args:
        order: By what they are sorted.
        limit: How many of them are wanted; None for all.
    """

    def __init__(self, order: Order, limit: int | None = None) -> None:
        super().__init__()
        self._order, self._limit = order, limit
        self._rows: list[Row] = []

    def _add(self, row: Row) -> None:
        self._rows.append(row)
        if self._limit is not None and len(self._rows) > self._limit + _MOST_BESIDE:
            self._rows = self.first()

    def _merge(self, later: Requests) -> None:
        for row in later._rows:
            self._add(row)

    def first(self) -> list[Row]:
        """Return those that are wanted, in their order."""
        return self._order.first(self._rows)[: self._limit]


class Group:
    """
    Requests with the same value.

    Attributes:
        name: The value.
        number: How many there are, each as often as it counts.
        failed: How many of these have failed.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        # Whole numbers unless weights are none.
        self.number: float = 0
        self.failed: float = 0
        self._lines: float = 0
        self._begun: tuple[bool, float, str] = (True, inf, "")
        self._start = inf
        # How often each counts; logs round them, so that of many few differ.
        self._durations: dict[float, float] = {}
        self._totals: dict[str, tuple[float, float | None]] = {}

    def add(self, row: Row, weight: float) -> None:
        """Take a request into account, and how often it counts."""
        self.number += weight
        self.failed += row.failed * weight
        self._lines += row.lines * weight
        self._begun = min(self._begun, begun(row))
        self._start = min(self._start, _NUMBERS["start"](row))
        self._last(row.duration, weight)
        for name, one in row.totals.items():
            times = one.microseconds
            self._sum(
                name, one.count * weight, None if times is None else times * weight
            )

    def merge(self, later: Group) -> None:
        """Take into account what another one has."""
        self.number += later.number
        self.failed += later.failed
        self._lines += later._lines
        self._begun = min(self._begun, later._begun)
        self._start = min(self._start, later._start)
        for duration, weight in later._durations.items():
            self._last(duration, weight)
        for name, (count, times) in later._totals.items():
            self._sum(name, count, times)

    def _last(self, duration: float, weight: float) -> None:
        self._durations[duration] = self._durations.get(duration, 0) + weight

    def _sum(self, name: str, count: float, times: float | None) -> None:
        counted, timed = self._totals.get(name, (0.0, None))
        if times is not None:
            timed = (timed or 0.0) + times
        self._totals[name] = counted + count, timed

    @property
    def place(self) -> tuple[object, ...]:
        """What sorts groups of which none is larger: by their earliest requests."""
        return (*self._begun, self.name)

    def shares(self, *percents: int) -> list[float]:
        """
        Return percentiles of the durations, in milliseconds.

        That is the least duration that this share does not exceed.
        """
        ordered = sorted(self._durations)
        ends = list(accumulate(map(self._durations.__getitem__, ordered)))
        last = len(ordered) - 1
        return [
            ordered[min(bisect_left(ends, self.number * percent / 100), last)]
            for percent in percents
        ]

    def total(self, name: str) -> Total | None:
        """Return the mean of a total over all requests of the group."""
        if name not in self._totals:
            return None
        count, times = self._totals[name]
        return Total(
            count / self.number, None if times is None else round(times / self.number)
        )

    def value(self, order: Order) -> float:
        """Return what groups are sorted by: what their row shows."""
        if order.by is None:
            return self.number
        if order.total is not None:
            return order.value(self.total(order.total))
        if order.by == "duration":
            return self.shares(95)[0]
        if order.by == "start":
            return -self._start
        return (self.failed if order.by == "errors" else self._lines) / self.number


class Groups(Table):
    """
    Groups of requests with the same value of something.

    Args:
        by: The name of the value. Paths are the same that differ in an id only.
        weighted: Whether a request of a sample counts as all for which its completion
            line stands.
    """

    def __init__(self, by: str, *, weighted: bool = False) -> None:
        super().__init__()
        self.by = by
        self._weighted = weighted
        self._groups: dict[str, Group] = {}

    def _add(self, row: Row) -> None:
        name = getattr(row.about, self.by)
        name = template_of(name) if self.by == "path" else name
        self._group(name).add(row, row.weight if self._weighted else 1)

    def _merge(self, later: Groups) -> None:
        for name, group in later._groups.items():
            self._group(name).merge(group)

    def _group(self, name: str) -> Group:
        group = self._groups.get(name)
        if group is None:
            group = self._groups[name] = Group(name)
        return group

    def first(self, order: Order) -> list[Group]:
        """
        Return the groups, the largest first.

        That is by the number of requests; or by the 95th percentile of the duration, by
        the share of failed requests, or by the mean of what is asked for.

        Args:
            order: By what they are sorted.
        """
        found = sorted(self._groups.values(), key=lambda group: group.place)
        found.sort(key=lambda group: group.value(order), reverse=True)
        return found
