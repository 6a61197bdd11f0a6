"""
Requests over time, as bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

from ctxlog.terminal import paint
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.show.look import Look

#: The most intervals that are shown.
MOST = 2000
_WIDTH = 100


@dataclass
class Interval:
    """
    The requests that begin in one interval.

    Attributes:
        begin: When it begins, in seconds since the epoch.
        number: How many requests there are.
        failed: How many of them have failed.
    """

    begin: float
    number: int = 0
    failed: int = 0


def intervals(rows: Iterable[Row], seconds: float) -> Sequence[Interval]:
    """
    Return the requests by when they begin, also the intervals without any.

    Args:
        rows: The requests; those without a time are left out.
        seconds: How long each interval is.

    Raises:
        ValueError: if these are too many.
    """
    found: dict[int, Interval] = {}
    for row in rows:
        if row.extent.start is None:
            continue
        place = floor(row.extent.start / seconds)
        interval = found.setdefault(place, Interval(place * seconds))
        interval.number += 1
        interval.failed += row.failed
    if not found:
        return []
    first, last = min(found), max(found)
    if last - first >= MOST:
        raise ValueError(
            f"{last - first + 1:,} intervals are too many (at most {MOST})"
        )
    return [
        found.get(place) or Interval(place * seconds)
        for place in range(first, last + 1)
    ]


def interval_object(one: Interval) -> dict[str, object]:
    """Return an interval as an object of JSON."""
    return {"start": iso(one.begin), "requests": one.number, "failed": one.failed}


def histogram_text(found: Sequence[Interval], look: Look) -> str:
    """Return a row per interval: when it begins, a bar, and how many requests."""
    most = max((one.number for one in found), default=0)
    digits = len(str(most))
    room = (look.width or _WIDTH) - len("12:00:00.000") - digits - 20
    room = max(min(room, 60), 10)
    shown, day = [], ""
    for one in found:
        if look.clock.day(one.begin) != day:
            day = look.clock.day(one.begin)
            shown.append(day)
        size = round(one.number / most * room) if most else 0
        size = max(size, 1) if one.number else 0
        failed = round(size * one.failed / one.number) if one.number else 0
        failed = max(failed, 1) if one.failed else 0
        bar = paint("█" * (size - failed), "36", look.color)
        bar += paint("▓" * failed, "31", look.color)
        said = f"  {one.failed} failed" if one.failed else ""
        time = look.clock.of_day(one.begin).removesuffix(".000")
        shown.append(
            f"{time}  {one.number:>{digits}}  {bar}{' ' * (room - size)}{said}".rstrip()
        )
    return "".join(f"{row}\n" for row in shown)
