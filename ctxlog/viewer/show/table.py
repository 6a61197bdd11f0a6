"""
Requests as rows, and as groups of rows, in one pass and without their lines.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.show.printing import safe


def rows(requests: Iterable[Row], sort: str) -> list[list[str]]:
    """Return a table of requests, the largest first; the earliest for `start`."""
    if sort == "start":
        order = sorted(requests, key=lambda row: row.extent.start or 0.0)
    else:
        order = sorted(requests, key=lambda row: getattr(row, sort), reverse=True)
    table = [["REQUEST", "START", "MS", "LINES", "ERRORS", "STATUS", "USER", "PATH"]]
    for row in order:
        start = "" if row.extent.start is None else iso(row.extent.start)
        numbers = [f"{row.duration:.1f}", str(row.lines), str(row.errors)]
        about = row.about
        texts = [safe(text) for text in (about.status, about.user, about.path)]
        table.append([safe(row.id), start, *numbers, *texts])
    return table


def groups(requests: Iterable[Row], by: str) -> list[list[str]]:
    """Return a table of groups with the same value of *by*, the largest first."""
    members: dict[str, list[Row]] = {}
    for row in requests:
        members.setdefault(getattr(row.about, by), []).append(row)
    table = [[by.upper(), "REQUESTS", "FAILED", "P50", "P95", "P99"]]
    for name, group in sorted(members.items(), key=lambda item: -len(item[1])):
        durations = sorted(row.duration for row in group)
        shares = [_share(durations, share) for share in (50, 95, 99)]
        failed = sum(row.failed for row in group) / len(group)
        cells = [f"{value:.1f}" for value in shares]
        table.append([safe(name) or "-", str(len(group)), f"{failed:.1%}", *cells])
    return table


def _share(ordered: list[float], percent: int) -> float:
    # the least value that this share of all does not exceed
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]
