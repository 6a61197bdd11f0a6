"""
What requests come to, however they are divided between those who read them.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctxlog.viewer.group.summary import Row, Total
from ctxlog.viewer.group.tables import Groups, Order, Requests
from ctxlog.viewer.show.table import group_object

_ORDERS = st.sampled_from(
    [None, "duration", "errors", "lines", "start", "db", "db.count"]
).map(Order.of)


@st.composite
def _row(draw: st.DrawFn) -> Row:
    """A request without an id, of a few lines."""
    row = Row("-")
    row.extent.start = draw(st.none() | st.integers(0, 3).map(float))
    if row.extent.start is not None:
        row.extent.end = row.extent.start + draw(st.integers(0, 5))
    row.lines = draw(st.integers(1, 3))
    row.errors = draw(st.integers(0, 1))
    row.failed = row.errors > 0
    row.about.status = draw(st.sampled_from(["", "200", "500"]))
    row.weight = draw(st.sampled_from([1.0, 4.0]))
    if draw(st.booleans()):
        times = draw(st.none() | st.integers(0, 9))
        row.totals["db"] = Total(draw(st.integers(0, 3)), times)
    return row


_ROWS = st.lists(_row(), max_size=30)


@given(_ROWS, st.integers(1, 7), _ORDERS, st.booleans())
def test_groups_of_pieces_are_those_of_the_whole(
    rows: list[Row], size: int, order: Order, weighted: bool
) -> None:
    """Each request counts once, whoever has read it, and groups have one order."""

    def made(some: list[Row]) -> Groups:
        table = Groups("status", weighted=weighted)
        for row in some:
            table.add(row)
        return table

    def said(table: Groups) -> list[dict[str, Any]]:
        return [group_object(one, "status", order) for one in table.first(order)]

    whole, merged = made(rows), made([])
    for start in range(0, len(rows), size):
        merged.merge(made(rows[start : start + size]))
    assert said(merged) == said(whole)
    assert merged.number == whole.number == len(rows)
    assert merged.totals == whole.totals
    counted = sum(row.weight if weighted else 1 for row in rows)
    assert sum(one["requests"] for one in said(whole)) == counted


@given(_ROWS, st.integers(1, 5), st.integers(1, 7), _ORDERS)
def test_the_first_requests_are_the_first_of_all(
    rows: list[Row], limit: int, size: int, order: Order
) -> None:
    """Those that are let go on the way would not have been among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ctxlog.viewer.group.tables._MOST_BESIDE", 2)
        merged = Requests(order, limit)
        for start in range(0, len(rows), size):
            part = Requests(order, limit)
            for row in rows[start : start + size]:
                part.add(row)
            merged.merge(part)
    assert merged.first() == order.first(rows)[:limit]
    assert merged.number == len(rows)


def test_of_many_requests_few_are_kept() -> None:
    """Where a number of rows is asked for, memory does not grow with the file."""
    table = Requests(Order(), 3)
    for number in range(50_000):
        row = Row("-")
        row.extent.add(0.0, number / 1000)
        table.add(row)
    assert [row.duration for row in table.first()] == [49_999.0, 49_998.0, 49_997.0]
    assert len(table._rows) < 20_000
