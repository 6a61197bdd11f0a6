"""Ratios of figures that were measured in turn, and how far they can be trusted."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

#: The fewest values that the median's interval can be made of.
FEWEST = 6

#: What one row measured: in each round, a new process, the figure of each turn.
Samples = Sequence[Sequence[float]]


class Failed(NamedTuple):
    """What could not be measured here, and why."""

    why: str

    def __str__(self) -> str:
        return f"not measured: {self.why}"


class Median(NamedTuple):
    """A median, and the interval that it lies in with 95 % confidence or more."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Median:
        """
        Return the median of *values* and its interval.

        The interval ends at two of the values: how many of them lie below the true
        median follows the binomial distribution, however they are distributed
        themselves. Of fewer than `FEWEST` values it is less sure than 95 %.
        """
        ordered = sorted(values)
        count = len(ordered)
        outside, tail = 0, 1
        while 2 * tail <= 0.05 * 2**count:
            outside += 1
            tail += math.comb(count, outside)
        outside = max(outside - 1, 0)
        return cls(
            statistics.median(ordered), ordered[outside], ordered[count - 1 - outside]
        )

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f} to {self.high:.2f})"


def ratio(ours: Samples | Failed, theirs: Samples | Failed) -> Median | Failed:
    """
    Return the median over the rounds of each round's median ratio.

    A turn's figure is compared with the other's in the same turn, since the speed of a
    machine drifts. The interval comes from the rounds: what differs from process to
    process (the layout of memory, hashes) is a part of it.
    """
    if isinstance(ours, Failed):
        return ours
    if isinstance(theirs, Failed):
        return theirs
    rounds = [
        statistics.median(a / b for a, b in zip(*pair, strict=False))
        for pair in zip(ours, theirs, strict=True)
    ]
    return Median.of(rounds)


def middle(samples: Samples) -> float:
    """Return the median over the rounds of each round's median."""
    return statistics.median(map(statistics.median, samples))
