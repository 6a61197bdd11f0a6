"""
Requests as rows, and as groups of rows, in one pass and without their lines.
"""

from __future__ import annotations

from collections.abc import Iterable

from ctxlog.viewer.about import About
from ctxlog.viewer.formats import Record
from ctxlog.viewer.printing import safe
from ctxlog.viewer.scales import iso

__all__ = ["Row", "groups", "rows"]


class Row:
    """What is known of a request once its lines have gone by."""

    __slots__ = ("about", "end", "errors", "failed", "id", "lines", "start")

    def __init__(self, request: str) -> None:
        self.id = request
        self.start: float | None = None
        self.end: float | None = None
        self.lines = self.errors = 0
        self.failed = False
        self.about = About()

    def add(self, record: Record) -> None:
        """Take a line into account."""
        self.lines += 1
        is_error = record.level >= 40
        self.errors += is_error
        span = record.span
        if span is not None:
            begin, end = span
            self.start = begin if self.start is None else min(self.start, begin)
            self.end = end if self.end is None else max(self.end, end)
        self.failed = self.failed or is_error or record.says_failed
        self.about.add(record)

    def merge(self, later: Row) -> None:
        """Take into account what another one knows, of lines that come later."""
        self.lines += later.lines
        self.errors += later.errors
        starts = [row.start for row in (self, later) if row.start is not None]
        ends = [row.end for row in (self, later) if row.end is not None]
        self.start, self.end = min(starts, default=None), max(ends, default=None)
        self.failed = self.failed or later.failed
        self.about.merge(later.about)

    @property
    def seconds(self) -> float:
        """How long it took: as `Request.seconds`."""
        if self.start is None or self.end is None:
            return 0.0
        return self.end - self.start

    @property
    def duration(self) -> float:
        """The same in milliseconds."""
        return self.seconds * 1000


def rows(requests: Iterable[Row], sort: str) -> list[list[str]]:
    """Return a table of requests, the largest first; the earliest for `start`."""
    if sort == "start":
        order = sorted(requests, key=lambda row: row.start or 0.0)
    else:
        order = sorted(requests, key=lambda row: getattr(row, sort), reverse=True)
    table = [["REQUEST", "START", "MS", "LINES", "ERRORS", "STATUS", "USER", "PATH"]]
    for row in order:
        start = "" if row.start is None else iso(row.start)
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
