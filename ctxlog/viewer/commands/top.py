"""
`ctxlog top`: a row per request, or per group of them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from functools import partial

from ctxlog.viewer.commands._options import add_choice, add_files, add_limit, add_look
from ctxlog.viewer.commands.common import (
    complain,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.group.tables import Groups, Order, Requests, Table
from ctxlog.viewer.query.criteria import duration
from ctxlog.viewer.show.grid import grid_text
from ctxlog.viewer.show.histogram import Intervals, histogram_text, interval_object
from ctxlog.viewer.show.table import group_object, groups, row_object, rows

_DESCRIPTION = """\
A row per request, or per group of them, with what was counted and timed.

examples:
  ctxlog top app.log                          the slowest requests
  ctxlog top app.log --by route --sort db     the routes that wait longest for databases
  ctxlog top app.log --sort db.count          the requests with the most statements
  ctxlog top app.log --errors --over 1m       when requests failed
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog top`."""
    add_files(parser)
    add_choice(parser)
    group = add_look(parser)
    add_limit(group, "rows")
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = group.add_argument
    add("--json", action="store_true", help="an object of JSON for each row")
    add(
        "--sort",
        metavar="ORDER",
        help="duration, errors, lines, start, or a total: its milliseconds (db), or "
        "its number (db.count)",
    )
    add(
        "--by",
        choices=("route", "path", "user", "status"),
        help="a row per group; paths that differ in an id only are one",
    )
    add(
        "--over",
        metavar="TIME",
        type=duration,
        help="a row per interval of time, such as 1m, with a bar",
    )
    add(
        "--weighted",
        action="store_true",
        help="with --by: count a request of a sample as all that it stands for, where "
        "no other request has a completion line (completion_lines=False)",
    )


def run(chosen: argparse.Namespace) -> int:
    """Print a row per request, or per group; return 0 if there were any, 1 if not."""
    reader = reader_of(chosen)
    if chosen.explain:
        return explained("top", reader, chosen)
    wrong = _wrong(chosen)
    if wrong:
        complain("top", wrong)
        return 2
    order = Order.of(chosen.sort)
    table = reader.table(
        _table(order, chosen),
        order.counts,
        chosen.criteria or [],
        chosen.slow,
        chosen.request or (),
    )
    if order.total and order.total not in table.totals:
        complain("top", f"no line has a total {order.total!r}")
    try:
        text = _text(table, order, chosen)
    except ValueError as error:
        complain("top", f"--over: {error}; a longer time makes fewer")
        return 2
    sys.stdout.buffer.write(encoded(text))
    sys.stdout.flush()
    return exit_code("top", reader, table.number, chosen)


def _table(order: Order, chosen: argparse.Namespace) -> Callable[[], Table]:
    """Return what makes an empty table, also in other processes."""
    if chosen.over is not None:
        return partial(Intervals, chosen.over)
    if chosen.by:
        return partial(Groups, chosen.by, weighted=chosen.weighted)
    return partial(Requests, order, chosen.limit)


def _wrong(chosen: argparse.Namespace) -> str:
    """Return what options do not go together; empty if all do."""
    if chosen.weighted and not chosen.by:
        return "--weighted is about groups: it needs --by"
    if chosen.over is not None and (chosen.by or chosen.sort):
        return "--over is sorted by time: it goes with neither --by nor --sort"
    if chosen.over is not None and chosen.over < 0.001:
        return "--over needs a time such as 1m, and 1ms at least"
    return ""


def _text(table: Table, order: Order, chosen: argparse.Namespace) -> str:
    limit = chosen.limit
    if isinstance(table, Intervals):
        every = table.all()
        # Requests without a time are said, however few rows are wanted.
        shown = [*every[:limit]]
        shown += [one for one in every[len(shown) :] if one.begin is None]
        if chosen.json:
            return _objects([interval_object(one) for one in shown])
        return histogram_text(shown, chosen.look)
    if isinstance(table, Groups):
        some = table.first(order)[:limit]
        if chosen.json:
            return _objects([group_object(one, chosen.by, order) for one in some])
        return grid_text(groups(some, chosen.by, order), chosen.look.width)
    assert isinstance(table, Requests)
    requests = table.first()
    if chosen.json:
        return _objects(map(row_object, requests))
    return grid_text(rows(requests, order, chosen.look.clock), chosen.look.width)


def _objects(found: Iterable[dict[str, object]]) -> str:
    # Escaped, and so is DEL, which JSON leaves: no value drives the terminal.
    texts = (json.dumps(one).replace("\x7f", "\\u007f") for one in found)
    return "".join(f"{text}\n" for text in texts)
