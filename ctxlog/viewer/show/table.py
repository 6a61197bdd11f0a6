"""
Requests and groups of requests as rows of text, and as objects of JSON.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxlog.viewer.group.summary import Row, Total
from ctxlog.viewer.group.tables import Group, Order
from ctxlog.viewer.show.printing import safe, total_text
from ctxlog.viewer.show.times import UTC, Clock

#: What stands for a group of requests that have no such value.
_NONE = "(none)"
_PERCENTS = (50, 95, 99)


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


def groups(found: Sequence[Group], by: str, order: Order) -> list[list[str]]:
    """Return a table of groups."""
    totals = [
        name
        for name in order.counts
        if any(group.total(name) is not None for group in found)
    ]
    table = [[by.upper(), "REQUESTS", "FAILED", "P50", "P95", "P99"]]
    table[0] += [safe(name.upper()) for name in totals]
    for group in found:
        cells = [f"{group.number:.0f}", f"{group.failed / group.number:.1%}"]
        cells += [f"{value:.1f}" for value in group.shares(*_PERCENTS)]
        means = [group.total(name) for name in totals]
        cells += ["" if mean is None else total_text(mean) for mean in means]
        table.append([safe(group.name) or _NONE, *cells])
    return table


def group_object(group: Group, by: str, order: Order) -> dict[str, object]:
    """Return a group as an object of JSON, with the means of its totals."""
    totals = {name: group.total(name) for name in order.counts}
    shares = [round(value, 3) for value in group.shares(*_PERCENTS)]
    return {
        by: group.name or None,
        "requests": round(group.number, 3),
        "failed": round(group.failed, 3),
        **dict(zip(("p50", "p95", "p99"), shares, strict=True)),
        "totals": {
            name: _total_object(one) for name, one in totals.items() if one is not None
        },
    }
