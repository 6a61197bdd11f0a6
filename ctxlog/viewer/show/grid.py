"""
A table as text: cells below each other, numbers at the right of their column.

What a terminal has no room for is made shorter, in this order: ids, which are found by
how they begin; the date, if it is the same in all rows; names; then whole columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ctxlog.viewer.show.columns import columns, cut_within, padded

_GAP = "  "
_NUMBERS = {"MS", "LINES", "ERRORS", "REQUESTS", "FAILED", "P50", "P95", "P99"}
#: What may be cut, how far, and what is left out at last, the least important first.
_SHOWN_ID, _LEAST_NAME = 12, 10
_NAMES = ("PATH", "ROUTE", "USER")
_LEAST_IMPORTANT = ("LINES", "USER", "STATUS", "START", "PATH")


@dataclass(frozen=True)
class Column:
    """The title of a column, and its cells."""

    title: str
    cells: Sequence[str]

    @property
    def size(self) -> int:
        """How many columns of a terminal it takes."""
        return max(map(columns, (self.title, *self.cells)))


def grid_text(table: Sequence[Sequence[str]], width: int | None) -> str:
    """
    Return a table as text.

    Args:
        table: The rows; the first one has the titles.
        width: How many columns the terminal has; None if nothing is made shorter.
    """
    found = [Column(title, cells) for title, *cells in zip(*table, strict=True)]
    if width is not None:
        found = _fitted(found, width)
    shown = []
    for column in found:
        size, right = column.size, column.title in _NUMBERS
        texts = (column.title, *column.cells)
        shown.append([padded(text, size, right=right) for text in texts])
    rows = zip(*shown, strict=True)
    return "".join(_GAP.join(row).rstrip() + "\n" for row in rows)


def _fitted(found: list[Column], width: int) -> list[Column]:
    """Return columns that a terminal has room for, as far as that is possible."""
    for step in (_with_short_ids, _with_one_date):
        if _over(found, width) > 0:
            found = [step(column) for column in found]
    titles = [column.title for column in found]
    if _over(found, width) > 0 and "ROUTE" in titles[1:]:
        # A path says little more than its route.
        found = [one for one in found if one.title != "PATH"]
    found = _with_short_names(found, _over(found, width))
    for title in _LEAST_IMPORTANT:
        if _over(found, width) > 0:
            # The first column is what a row is about.
            found = found[:1] + [one for one in found[1:] if one.title != title]
    return found


def _with_short_ids(column: Column) -> Column:
    if column.title != "REQUEST":
        return column
    return replace(column, cells=[cell[:_SHOWN_ID] for cell in column.cells])


def _with_one_date(column: Column) -> Column:
    """Return the column of times with the date as its title, if all have the same."""
    days = {cell.partition("T")[0] for cell in column.cells if cell}
    if column.title != "START" or len(days) != 1:
        return column
    (day,) = days
    return Column(day, [cell.partition("T")[2] for cell in column.cells])


def _with_short_names(found: list[Column], over: int) -> list[Column]:
    """Return columns whose longest names are cut, the longest first."""
    sizes = {
        number: column.size
        for number, column in enumerate(found)
        if column.title in _NAMES
    }
    while over > 0 and any(size > _LEAST_NAME for size in sizes.values()):
        longest = max(sizes, key=lambda number: sizes[number])
        sizes[longest] -= 1
        over -= 1
    return [
        replace(
            column, cells=[cut_within(cell, sizes[number]) for cell in column.cells]
        )
        if number in sizes
        else column
        for number, column in enumerate(found)
    ]


def _over(found: Sequence[Column], width: int) -> int:
    """Return how many columns the table has that the terminal has not."""
    return sum(one.size + len(_GAP) for one in found) - len(_GAP) - width
