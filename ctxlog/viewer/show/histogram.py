"""
Requests over time, as bars.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor

from ctxlog.terminal import paint
from ctxlog.viewer.group.summary import Row
from ctxlog.viewer.group.tables import Table
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

    def merge(self, later: Interval) -> None:
        """Count the requests of another one that is the same interval."""
        self.number += later.number
        self.failed += later.failed


class Intervals(Table):
    """
    Requests by when they begin.

    Args:
        seconds: How long each interval is.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds
        self._found: dict[int, Interval] = {}
        self._timeless = Interval(None)

    def _add(self, row: Row) -> None:
        start = row.extent.start
        if start is None:
            self._timeless.add(row)
        else:
            self._at(floor(start / self._seconds)).add(row)

    def _merge(self, later: Intervals) -> None:
        self._timeless.merge(later._timeless)
        for place, one in later._found.items():
            self._at(place).merge(one)

    def _at(self, place: int) -> Interval:
        return self._found.setdefault(place, Interval(place * self._seconds))

    def all(self) -> Sequence[Interval]:
        """
        Return the intervals in order, also those without a request.

        Of many such intervals in a row none is there: one line with a wrong year would
        make millions of them. Requests without a time are the last interval, if there
        are any.

        Raises:
            ValueError: if these are too many.
        """
        shown: list[Interval] = []
        places = sorted(self._found)
        for before, place in zip([*places[:1], *places], places, strict=False):
            empty, one = range(before + 1, place), self._found[place]
            if len(empty) > _MOST_EMPTY:
                one = replace(one, skipped=len(empty))
            else:
                shown += [Interval(number * self._seconds) for number in empty]
            shown.append(one)
        if len(shown) > MOST:
            raise ValueError(f"{len(shown):,} intervals are too many (at most {MOST})")
        return [*shown, self._timeless] if self._timeless.number else shown


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
