"""
Requests that have no id, so that one line is all that is known of each.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress
from math import inf
from operator import itemgetter
from typing import NamedTuple

from ctxlog.viewer.group.summary import NAMELESS, Extent, Row
from ctxlog.viewer.recognize.record import Record

#: Of a place so many bits say where in its file a line begins.
_BITS = 44


def row_of(records: Iterable[Record]) -> Row | None:
    """Return what a line says of a request without an id; None if of none."""
    row = None
    for record in records:
        if record.request is None and record.is_whole:
            row = row or Row(NAMELESS)
            row.add(record)
    return row


class Single(NamedTuple):
    """
    What is kept of such a request.

    Attributes:
        start: When it began, in seconds since the epoch; minus infinity if that is not
            known.
        took: How many seconds it took.
        place: Where its line is, by `place_of()`.
        failed: Whether it failed.
    """

    start: float
    took: float
    place: int
    failed: bool

    @classmethod
    def of(cls, place: int, records: Iterable[Record]) -> Single:
        """Return that of a line, given what it says of such a request."""
        extent, failed = Extent(), False
        for record in records:
            failed = failed or record.failed
            time = record.time
            if time is not None:
                extent.add(time - (record.took or 0.0), time)
        start = -inf if extent.start is None else extent.start
        return cls(start, extent.seconds, place, failed)


def place_of(number: int, position: int) -> int:
    """Return a number for where a line begins: in which file, and at which byte."""
    return number << _BITS | position


class Line(NamedTuple):
    """
    Where the line of such a request is, and when the request began.

    Attributes:
        start: In seconds since the epoch; minus infinity if that is not known.
        place: By `place_of()`.
    """

    start: float
    place: int

    @property
    def number(self) -> int:
        """The number of its file."""
        return self.place >> _BITS

    @property
    def position(self) -> int:
        """Where it begins there, in bytes."""
        return self.place & (1 << _BITS) - 1

    @property
    def name(self) -> str:
        """What names it in an address."""
        return f"{self.number}-{self.position}-{self.start!r}"

    @classmethod
    def named(cls, name: str) -> Line:
        """
        Return the line that a name names.

        Raises:
            ValueError: if it is no such name.
        """
        number, position, start = name.split("-", 2)
        return cls(float(start), place_of(int(number), int(position)))

    def is_said_by(self, row: Row | None) -> bool:
        """Whether this is what its line says: another file may be in its place."""
        if row is None:
            return False
        start = row.extent.start
        return self.start == (-inf if start is None else start)


class Singles:
    """
    Such requests by when they began: a few numbers for each. They never change.

    Args:
        starts: When each began, in seconds since the epoch.
        tooks: How many seconds each took.
        places: Where their lines are, by `place_of()`.
        failed: Whether each failed, as 0 or 1.
    """

    __slots__ = ("_failed", "_places", "_starts", "_tooks")

    def __init__(
        self,
        starts: array[float],
        tooks: array[float],
        places: array[int],
        failed: bytes,
    ) -> None:
        self._starts, self._tooks = starts, tooks
        self._places, self._failed = places, failed

    @classmethod
    def of(cls, some: Iterable[Single]) -> Singles:
        """Return them in their order."""
        order = sorted(some, key=itemgetter(0))
        return cls(
            array("d", (one.start for one in order)),
            array("d", (one.took for one in order)),
            array("Q", (one.place for one in order)),
            bytes(one.failed for one in order),
        )

    def __len__(self) -> int:
        """How many there are."""
        return len(self._starts)

    @property
    def failed(self) -> int:
        """How many of them failed."""
        return self._failed.count(1)

    @property
    def span(self) -> tuple[float, float] | None:
        """When the first and the last of them began; None if that is not known."""
        first = bisect_right(self._starts, -inf)
        if first == len(self):
            return None
        return self._starts[first], self._starts[-1]

    def merged(self, other: Singles) -> Singles:
        """Return these and others."""
        if not (self and other):
            return self or other
        first = bisect_left(self._starts, other._starts[0])
        stop = bisect_right(self._starts, other._starts[-1])
        between = self._part(first, stop)
        if other._places[0] < self._places[0]:  # of one moment the first comes first
            between = other._beside(between)
        else:
            between = between._beside(other)
        order = sorted(range(len(between)), key=between._starts.__getitem__)
        mixed = Singles(
            array("d", map(between._starts.__getitem__, order)),
            array("d", map(between._tooks.__getitem__, order)),
            array("Q", map(between._places.__getitem__, order)),
            bytes(map(between._failed.__getitem__, order)),
        )
        return self._part(0, first)._beside(mixed)._beside(self._part(stop, len(self)))

    def without(self, number: int) -> Singles:
        """Return those whose lines are not in a file."""
        return self._only([place >> _BITS != number for place in self._places])

    def those(self, *, failed: bool, slow: float | None) -> Singles:
        """
        Return those that are chosen.

        Args:
            failed: Whether only those that failed are.
            slow: How many seconds they take at least; None if any.
        """
        found = self._only(self._failed) if failed else self
        if slow is not None:
            found = found._only([took >= slow for took in found._tooks])
        return found

    def within(self, since: float | None, until: float | None) -> Singles:
        """Return those of which some part lies within a time."""
        if since is None and until is None:
            return self
        stop = len(self) if until is None else bisect_right(self._starts, until)
        known = bisect_right(self._starts, -inf)
        if since is None:
            return self._part(known, stop)
        first = min(bisect_left(self._starts, since), stop)
        earlier = self._part(0, first)
        ends = zip(earlier._starts, earlier._tooks, strict=True)
        lasting = earlier._only([start + took >= since for start, took in ends])
        return lasting._beside(self._part(first, stop))

    def newest(self, most: int) -> list[Line]:
        """Return so many of them at most, the newest first."""
        first = max(len(self) - most, 0)
        found = zip(self._starts[first:], self._places[first:], strict=True)
        return [Line(*one) for one in found][::-1]

    def counted(self, edges: Sequence[float]) -> list[tuple[int, int]]:
        """Return how many began between two edges each, and how many of them failed."""
        at = [bisect_left(self._starts, edge) for edge in edges]
        return [
            (stop - first, self._failed.count(1, first, stop))
            for first, stop in zip(at, at[1:], strict=False)
        ]

    def _part(self, first: int, stop: int) -> Singles:
        return Singles(
            self._starts[first:stop],
            self._tooks[first:stop],
            self._places[first:stop],
            self._failed[first:stop],
        )

    def _only(self, meant: Sequence[int]) -> Singles:
        return Singles(
            array("d", compress(self._starts, meant)),
            array("d", compress(self._tooks, meant)),
            array("Q", compress(self._places, meant)),
            bytes(compress(self._failed, meant)),
        )

    def _beside(self, later: Singles) -> Singles:
        return Singles(
            self._starts + later._starts,
            self._tooks + later._tooks,
            self._places + later._places,
            self._failed + later._failed,
        )


#: None of them.
NONE = Singles(array("d"), array("d"), array("Q"), b"")
