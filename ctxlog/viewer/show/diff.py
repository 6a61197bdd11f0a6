"""
What one request did that another one did not, as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, groupby, repeat
from operator import attrgetter

from ctxlog.terminal import paint
from ctxlog.viewer.group.alignment import Pair
from ctxlog.viewer.group.collected import Request
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import (
    header,
    level_name,
    safe,
    shown_fields,
    since,
    value_text,
)
from ctxlog.viewer.show.times import duration_text
from ctxlog.viewer.show.wrapping import Rows

_CODES = {"-": "31", "+": "32", "~": "33"}
#: The most steps without a difference that are shown in a row.
_MOST_EQUAL = 3
#: The columns before a message, and the fewest that are worth being wrapped.
_INDENT, _LEAST_ROOM = 33, 20


def diff_text(
    first: Request, second: Request, pairs: Iterable[Pair], look: Look
) -> str:
    """
    Return both requests as one list of steps.

    Before each step stands `-` if only the first request has it, `+` if only the second
    has, `~` if a value differs; then the milliseconds at which each came to it. Of many
    steps in a row without a difference it is said how many there are.
    """
    narrower = replace(look, width=look.width and look.width - 2)
    shown = [
        f"{mark} {header(one, [duration_text(one.seconds)], narrower)}"
        for mark, one in (("-", first), ("+", second))
    ]
    steps = (_without(pair, look) for pair in pairs)
    for differs, run in groupby(steps, key=attrgetter("differs")):
        number, rows = 0, []
        for number, pair in enumerate(run, 1):
            if differs or number <= _MOST_EQUAL:
                rows += _row(first, second, pair, look)
        if not differs and number > _MOST_EQUAL:
            rows = [f"  ... {number:,} equal lines"]
        shown += rows
    return "\n".join(shown) + "\n"


def _without(pair: Pair, look: Look) -> Pair:
    """Return a step without the values that are hidden."""
    kept = {
        name: values for name, values in pair.changed.items() if not look.hides(name)
    }
    return Pair(pair.first, pair.second, kept)


def _row(first: Request, second: Request, pair: Pair, look: Look) -> list[str]:
    line = pair.second or pair.first
    assert line is not None
    mark = " "
    if pair.second is None:
        mark = "-"
    elif pair.first is None:
        mark = "+"
    elif pair.changed:
        mark = "~"
    sides = ((first, pair.first), (second, pair.second))
    times = " ".join(
        f"{since(one, line.record) if line else '':>9}" for one, line in sides
    )
    text = [safe(line.record.message)]
    if mark in "+-":
        text += [
            f"{safe(name)}={safe(value_text(value))}"
            for name, value in shown_fields(line.record, look).items()
        ]
    for name, values in pair.changed.items():
        if name == "message":
            text[0] = " → ".join(safe(str(value)) for value in values)
            continue
        if name == "level":
            before, after = (level_name(int(str(value))) for value in values)
            values = (before, after)
        texts = (
            "(none)" if value is None else safe(value_text(value)) for value in values
        )
        text.append(f"{safe(name)}={' → '.join(texts)}")
    head = f"{mark} {times}  {level_name(line.record.level):<8}  "
    rows = [
        f"{margin}{row}".rstrip()
        for row, margin in zip(
            _in_rows(text, look), chain([head], repeat(" " * len(head))), strict=False
        )
    ]
    if mark != " ":
        rows = [paint(row, _CODES[mark], look.color) for row in rows]
    if mark in "+-":
        rows += [f"{mark} {'':20}{safe(one)}" for one in line.record.stack.splitlines()]
    return rows


def _in_rows(texts: Sequence[str], look: Look) -> list[str]:
    """Return a step's message and values, wrapped below each other at a terminal."""
    room = None if look.width is None else look.width - _INDENT
    if room is None or room < _LEAST_ROOM:
        return ["  ".join(texts)]
    message, *values = texts
    rows = Rows(room, color=False)
    for word in message.expandtabs(4).split(" "):
        rows.add(" ", (word, ""))
    for value in values:
        rows.add("  ", (value, ""))
    return rows.rows
