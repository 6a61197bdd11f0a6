"""
A trace as a tree: what caused what, in which service, and where the time went.
"""

from __future__ import annotations

from collections.abc import Sequence

from ctxlog.terminal import paint
from ctxlog.viewer.group.parts import Part
from ctxlog.viewer.group.summary import Extent
from ctxlog.viewer.group.tree import walk
from ctxlog.viewer.show.columns import columns, cut, padded
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import count_text, heading, safe
from ctxlog.viewer.show.times import duration_text
from ctxlog.viewer.show.waterfall import bar_text

_NARROWEST = 24


def tree_text(
    roots: Sequence[Part], traces: Sequence[str], width: int, look: Look
) -> str:
    """
    Return trees for a terminal.

    Args:
        roots: The parts at the top.
        traces: The ids of the traces that they are of.
        width: How many columns the terminal has.
        look: In which colors and times it shows them.
    """
    parts = list(walk(roots))
    extent = Extent()
    for part, _ in parts:
        extent.merge(part.shown)
    services = list(dict.fromkeys(part.service for part, _ in parts if part.service))
    times = [_offset(part, extent) for part, _ in parts]
    took = [_took(part) for part, _ in parts]
    titles = [_title(part, lasts) for part, lasts in parts]
    named = [safe(part.service) for part, _ in parts]
    needed = [_widest(column) for column in (times, titles, named, took)]
    widths = _Widths(needed, width)
    shown = [_header(parts, traces, services, extent, look)]
    cells = zip(times, titles, named, took, strict=True)
    for (part, _), row in zip(parts, cells, strict=True):
        bar = _bar(part, extent, widths.bar)
        shown.append(_row(part, row, widths, bar, look.color))
    return "\n".join(shown) + "\n"


def _widest(texts: Sequence[str]) -> int:
    return max(map(columns, texts), default=0)


class _Widths:
    """How many columns each part of a row has, of a terminal of some width."""

    def __init__(self, needed: Sequence[int], width: int) -> None:
        offset, title, service, took = needed
        self.offset, self.took = offset, took
        self.service = min(service, max(width // 6, 8))
        # Between the cells, beside the bar, and the word at the end.
        left = width - offset - took - self.service - len("  " * 5 + "||" + "error")
        self.title = min(title, max(left - max(left // 3, 8), _NARROWEST))
        self.bar = max(min(left - self.title, 60), 8)


def _header(
    parts: Sequence[tuple[Part, Sequence[bool]]],
    traces: Sequence[str],
    services: Sequence[str],
    extent: Extent,
    look: Look,
) -> str:
    found = [part for part, _ in parts]
    lines, errors = (
        sum(one.lines for one in found),
        sum(one.errors for one in found),
    )
    ids = list(dict.fromkeys(one.request for one in found))
    head = [f"trace {one}" for one in traces] or ids
    facts = [
        *head,
        "" if extent.start is None else look.clock.full(extent.start),
        duration_text(extent.seconds),
        count_text(len(services), "service") if services else "",
        count_text(lines, "line"),
        count_text(errors, "error"),
    ]
    return heading(facts, look, failed=any(one.failed for one in found))


def _offset(part: Part, extent: Extent) -> str:
    start = part.shown.start
    if start is None or extent.start is None:
        return ""
    shifted = "~" if part.shift else " "
    return f"{(start - extent.start) * 1000:.1f}{shifted}"


def _took(part: Part) -> str:
    return duration_text(part.extent.seconds) if part.extent.seconds else ""


def _title(part: Part, lasts: Sequence[bool]) -> str:
    branch = "".join("   " if last else "│  " for last in lasts[:-1])
    if lasts:
        branch += "└─ " if lasts[-1] else "├─ "
    mark = {"call": "→ ", "task": "task "}.get(part.kind, "")
    return f"{branch}{'?' if part.adrift else ''}{mark}{safe(part.title)}"


def _row(
    part: Part, cells: Sequence[str], widths: _Widths, bar: str, color: bool
) -> str:
    offset, title, service, took = cells
    title = padded(cut(title, widths.title), widths.title)
    service = padded(cut(service, widths.service), widths.service)
    code = "31" if part.failed else "36"
    shown = [
        offset.rjust(widths.offset),
        paint(title, code, color) if part.failed else title,
        service,
        f"|{paint(bar, code, color)}|",
        took.rjust(widths.took),
        "error" if part.failed else "",
    ]
    rest = "  ".join(cell for cell in shown[1:] if cell)
    return f"{shown[0]} {rest}".rstrip()


def _bar(part: Part, extent: Extent, width: int) -> str:
    start, end = part.shown.start, part.shown.end
    if start is None or end is None or extent.start is None or not extent.seconds:
        return " " * width
    begin = (start - extent.start) / extent.seconds
    last = (end - extent.start) / extent.seconds
    return bar_text(begin, last if part.extent.seconds else begin, width)
