"""
Requests as rows, and as groups of rows, in one pass and without their lines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf

from ctxlog.viewer.group.paths import template_of
from ctxlog.viewer.group.summary import READY_MADE, Row, Total
from ctxlog.viewer.show.printing import safe, total_text
from ctxlog.viewer.show.times import UTC, Clock

_NUMBERS: dict[str, Callable[[Row], float]] = {
    "duration": lambda row: row.duration,
    "errors": lambda row: row.errors,
    "lines": lambda row: row.lines,
    "start": lambda row: row.extent.start or 0.0,
}

#: What stands for a group of requests that have no such value.
_NONE = "(none)"


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


def ordered(requests: Iterable[Row], order: Order) -> list[Row]:
    """Return requests, the largest first; the earliest for `start`."""
    total, number = order.total, _NUMBERS.get(order.by or "duration")
    return sorted(
        requests,
        key=number or (lambda row: order.value(row.totals.get(total or ""))),
        reverse=order.by != "start",
    )


def rows(found: Sequence[Row], order: Order, clock: Clock) -> list[list[str]]:
    """Return a table of requests, with times as *clock* writes them."""
    totals = [name for name in order.counts if any(name in row.totals for row in found)]
    routed = any(row.about.route for row in found)
    table = [["REQUEST", "START", "MS", "LINES", "ERRORS", "STATUS", "USER", "PATH"]]
    table[0] += ["ROUTE"] if routed else []
    table[0] += [safe(name.upper()) for name in totals]
    for row in found:
        start = row.extent.start
        begun = "" if start is None else clock.full(start)
        numbers = [f"{row.duration:.1f}", str(row.lines), str(row.errors)]
        about = row.about
        texts = [about.status, about.user, about.path]
        texts += [about.route] if routed else []
        sums = [
            total_text(row.totals[name]) if name in row.totals else ""
            for name in totals
        ]
        table.append([safe(row.id), begun, *numbers, *map(safe, texts), *sums])
    return table


def row_object(row: Row) -> dict[str, object]:
    """Return a request as an object of JSON; what is not known is left out."""
    about, start = row.about, row.extent.start
    said = {
        "request": row.id,
        "start": None if start is None else UTC.full(start),
        "durationMs": round(row.duration, 3),
        "lines": row.lines,
        "errors": row.errors,
        "failed": int(row.failed),
        "method": about.method,
        "path": about.path,
        "route": about.route,
        "status": int(about.status) if about.status else None,
        "user": about.user,
        "totals": {name: _total_object(one) for name, one in row.totals.items()},
    }
    return {name: value for name, value in said.items() if value not in _NOTHING}


def _total_object(total: Total) -> dict[str, float]:
    found = {"count": total.count}
    if total.milliseconds is not None:
        found["ms"] = total.milliseconds
    return found


_NOTHING: Sequence[object] = (None, "", {})


class Group:
    """
    Requests with the same value.

    Args:
        name: The value.
        rows: The requests, each with how often it counts.
    """

    def __init__(self, name: str, rows: Sequence[tuple[Row, float]]) -> None:
        self.name, self.rows = name, rows
        self.number = sum(weight for _, weight in rows)
        durations = sorted((row.duration, weight) for row, weight in rows)
        self.shares = _shares(durations, self.number, (50, 95, 99))
        self.failed = self.mean(lambda row: row.failed)

    def mean(self, of: Callable[[Row], float]) -> float:
        """Return the mean of a number of each request."""
        return sum(of(row) * weight for row, weight in self.rows) / self.number

    def total(self, name: str) -> Total | None:
        """Return the mean of a total over all requests of the group."""
        found = [
            (row.totals[name], weight)
            for row, weight in self.rows
            if name in row.totals
        ]
        if not found:
            return None
        count = sum(one.count * weight for one, weight in found) / self.number
        times = [
            one.microseconds * weight
            for one, weight in found
            if one.microseconds is not None
        ]
        return Total(count, round(sum(times) / self.number) if times else None)

    def value(self, order: Order) -> float:
        """Return what groups are sorted by: what their row shows."""
        if order.by is None:
            return self.number
        if order.total is not None:
            return order.value(self.total(order.total))
        if order.by == "duration":
            return self.shares[1]
        if order.by == "start":
            return -min(_NUMBERS["start"](row) for row, _ in self.rows)
        return self.failed if order.by == "errors" else self.mean(_NUMBERS[order.by])


def grouped(
    requests: Iterable[Row], by: str, order: Order, *, weighted: bool = False
) -> list[Group]:
    """
    Return groups of requests with the same value of *by*.

    The largest first: by the number of requests; or by the 95th percentile of the
    duration, by the share of failed requests, or by the mean of what is asked for.

    Args:
        requests: The requests.
        by: The name of the value. Paths are the same that differ in an id only.
        order: By what groups are sorted.
        weighted: Whether a request of a sample counts as all for which its completion
            line stands.
    """
    members: dict[str, list[tuple[Row, float]]] = {}
    for row in requests:
        name = getattr(row.about, by)
        name = template_of(name) if by == "path" else name
        members.setdefault(name, []).append((row, row.weight if weighted else 1))
    found = [Group(name, group) for name, group in members.items()]
    found.sort(key=lambda group: group.value(order), reverse=True)
    return found


def groups(found: Sequence[Group], by: str, order: Order) -> list[list[str]]:
    """Return a table of groups."""
    totals = [
        name
        for name in order.counts
        if any(name in row.totals for group in found for row, _ in group.rows)
    ]
    table = [[by.upper(), "REQUESTS", "FAILED", "P50", "P95", "P99"]]
    table[0] += [safe(name.upper()) for name in totals]
    for group in found:
        cells = [f"{group.number:.0f}", f"{group.failed:.1%}"]
        cells += [f"{value:.1f}" for value in group.shares]
        means = [group.total(name) for name in totals]
        cells += ["" if mean is None else total_text(mean) for mean in means]
        table.append([safe(group.name) or _NONE, *cells])
    return table


def group_object(group: Group, by: str, order: Order) -> dict[str, object]:
    """Return a group as an object of JSON, with the means of its totals."""
    failed = sum(weight for row, weight in group.rows if row.failed)
    totals = {name: group.total(name) for name in order.counts}
    shares = [round(value, 3) for value in group.shares]
    return {
        by: group.name or None,
        "requests": round(group.number, 3),
        "failed": round(failed, 3),
        **dict(zip(("p50", "p95", "p99"), shares, strict=True)),
        "totals": {
            name: _total_object(one) for name, one in totals.items() if one is not None
        },
    }


def _shares(
    ordered: Sequence[tuple[float, float]], number: float, percents: Iterable[int]
) -> list[float]:
    """
    Return percentiles: for each the least value that this share does not exceed.

    Args:
        ordered: The values in their order, each with how often it counts.
        number: How often all of them count.
        percents: The shares.
    """
    ends = list(accumulate(weight for _, weight in ordered))
    last = len(ordered) - 1
    return [
        ordered[min(bisect_left(ends, number * percent / 100), last)][0]
        for percent in percents
    ]
