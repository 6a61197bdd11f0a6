"""
Requests over time, as bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor

from ctxlog.terminal import paint
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import count_text
from ctxlog.viewer.show.times import UTC

#: The most intervals that are shown.
MOST = 2000
#: The most intervals without a request that are shown in a row.
_MOST_EMPTY = 20
_WIDTH = 100


@dataclass
class Interval:
    """
    The requests that begin in one interval.

    Attributes:
        begin: When it begins, in seconds since the epoch; None for the requests whose
            time is not known.
        number: How many requests there are.
        failed: How many of them have failed.
        skipped: How many intervals before it are left out, as they have no requests.
    """

    begin: float | None
    number: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, row: Row) -> None:
        """Count a request."""
        self.number += 1
        self.failed += row.failed


def intervals(rows: Iterable[Row], seconds: float) -> Sequence[Interval]:
    """
    Return the requests by when they begin, also the intervals without any.

    Of many such intervals in a row none is there: one line with a wrong year would make
    millions of them. Requests without a time are the last interval, if there are any.

    Args:
        rows: The requests.
        seconds: How long each interval is.

    Raises:
        ValueError: if these are too many.
    """
    found: dict[int, Interval] = {}
    timeless = Interval(None)
    for row in rows:
        if row.extent.start is None:
            timeless.add(row)
            continue
        place = floor(row.extent.start / seconds)
        found.setdefault(place, Interval(place * seconds)).add(row)
    shown: list[Interval] = []
    places = sorted(found)
    for before, place in zip([*places[:1], *places], places, strict=False):
        empty = range(before + 1, place)
        if len(empty) > _MOST_EMPTY:
            found[place].skipped = len(empty)
        else:
            shown += [Interval(one * seconds) for one in empty]
        shown.append(found[place])
    if len(shown) > MOST:
        raise ValueError(f"{len(shown):,} intervals are too many (at most {MOST})")
    return [*shown, timeless] if timeless.number else shown


def interval_object(one: Interval) -> dict[str, object]:
    """Return an interval as an object of JSON."""
    start = None if one.begin is None else UTC.full(one.begin)
    return {"start": start, "requests": one.number, "failed": one.failed}


def histogram_text(found: Sequence[Interval], look: Look) -> str:
    """Return a row per interval: when it begins, a bar, and how many requests."""
    most = max((one.number for one in found if one.begin is not None), default=0)
    digits = len(str(most))
    room = (look.width or _WIDTH) - len("12:00:00.000") - digits - 20
    room = max(min(room, 60), 10)
    shown, day = [], ""
    for one in found:
        said = f"  {one.failed} failed" if one.failed else ""
        if one.begin is None:
            shown.append(f"without a time: {count_text(one.number, 'request')}{said}")
            continue
        if one.skipped:
            shown.append(f"... {one.skipped:,} intervals without a request left out")
        if look.clock.day(one.begin) != day:
            day = look.clock.day(one.begin)
            shown.append(day)
        size = round(one.number / most * room) if most else 0
        size = max(size, 1) if one.number else 0
        failed = round(size * one.failed / one.number) if one.number else 0
        failed = max(failed, 1) if one.failed else 0
        bar = paint("█" * (size - failed), "36", look.color)
        bar += paint("▓" * failed, "31", look.color)
        time = look.clock.of_day(one.begin).removesuffix(".000")
        shown.append(
            f"{time}  {one.number:>{digits}}  {bar}{' ' * (room - size)}{said}".rstrip()
        )
    return "".join(f"{row}\n" for row in shown)
