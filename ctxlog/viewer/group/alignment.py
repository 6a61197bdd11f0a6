"""
Two requests side by side: which steps they have in common, and where they differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from ctxlog.viewer.group.collected import LogLine
from ctxlog.viewer.recognize.flat import flat
from ctxlog.viewer.recognize.record import Record

# What differs between requests that do the same: numbers, ids, quoted values.
_VALUES = re.compile(
    r"'[^']*'|\"[^\"]*\"|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|"
    r"\b(?=[0-9a-zA-Z_-]*\d)[0-9a-zA-Z_-]+\b"
)
# Longer requests are aligned by what is rare in them.
_MOST_EXACT = 4000
# A duration differs if it is so many times as long, and by so many seconds.
_RATIO, _LEAST = 2.0, 0.01
# How deep the members of objects are compared one by one.
_DEEPEST = 8


@dataclass(frozen=True)
class Pair:
    """
    A step of both requests, or of one.

    Attributes:
        first: The line of the first request; None if it has none.
        second: The line of the second request; None if it has none.
        changed: The values that differ, by their names: of the first, of the second.
    """

    first: LogLine | None
    second: LogLine | None
    changed: Mapping[str, tuple[object, object]] = field(default_factory=dict)

    @property
    def differs(self) -> bool:
        """Whether only one has the step, or a value of it differs."""
        return self.first is None or self.second is None or bool(self.changed)


def step_of(record: Record) -> tuple[str, str]:
    """Return what a line is about: its logger, and its message without values."""
    return record.says("logger") or "", _VALUES.sub("{}", record.message)


def aligned(first: Sequence[LogLine], second: Sequence[LogLine]) -> Iterator[Pair]:
    """
    Yield the steps of two requests in order, the same ones together.

    Args:
        first: The lines of one request, by time.
        second: Those of the other.
    """
    steps = [[step_of(line.record) for line in lines] for lines in (first, second)]
    exact = len(first) + len(second) <= _MOST_EXACT
    matcher = SequenceMatcher(None, steps[0], steps[1], autojunk=not exact)
    for kind, begin, end, other_begin, other_end in matcher.get_opcodes():
        mine, others = first[begin:end], second[other_begin:other_end]
        if kind == "equal":
            for one, other in zip(mine, others, strict=True):
                yield Pair(one, other, _changed(one.record, other.record))
            continue
        yield from (Pair(one, None) for one in mine)
        yield from (Pair(None, other) for other in others)


def _changed(
    first: Record, second: Record
) -> dict[str, tuple[object | None, object | None]]:
    found: dict[str, tuple[Any, Any]] = {}
    if first.message != second.message:
        found["message"] = (first.message, second.message)
    if first.level != second.level:
        found["level"] = (first.level, second.level)
    ids = _ids(first) | _ids(second)
    one, other = (dict(flat(each.fields, _DEEPEST)) for each in (first, second))
    took = [record.took for record in (first, second)]
    for name in dict.fromkeys([*one, *other]):
        values = one.get(name), other.get(name)
        if values[0] == values[1] or ids.issuperset(map(str, values)):
            continue
        if _are_durations(values, took) and not _is_longer(*took):
            continue
        found[name] = values
    return found


def _ids(record: Record) -> set[str]:
    """Return what tells requests apart that do the same."""
    says = ("id", "trace", "span", "parent span", "task id", "parent task")
    return {text for what in says if (text := record.says(what)) is not None}


def _are_durations(values: Sequence[object], took: Sequence[float | None]) -> bool:
    return all(
        isinstance(value, (int, float))
        and seconds is not None
        and any(abs(value * unit - seconds) < 1e-9 for unit in (1, 1e-3, 1e-6, 1e-9))
        for value, seconds in zip(values, took, strict=True)
    )


def _is_longer(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return True
    low, high = sorted((one, other))
    return high - low >= _LEAST and high >= low * _RATIO
