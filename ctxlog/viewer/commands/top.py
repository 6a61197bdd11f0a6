"""
`ctxlog top`: a row per request, or per group of them.
"""

from __future__ import annotations

import argparse
import sys

from ctxlog.viewer.commands._options import add_files, add_look
from ctxlog.viewer.commands.common import (
    complain,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.show.table import Order, groups, rows

_DESCRIPTION = """\
A row per request, or per group of them, with what was counted and timed.

examples:
  ctxlog top app.log                          the slowest requests
  ctxlog top app.log --by route --sort db     the routes that wait longest for databases
  ctxlog top app.log --sort db.count          the requests with the most statements
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog top`."""
    add_files(parser)
    add_look(parser)
    parser.description = _DESCRIPTION
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add(
        "--sort",
        metavar="ORDER",
        help="duration, errors, lines, start, or a total: its milliseconds (db), or "
        "its number (db.count)",
    )
    add("--by", choices=("route", "path", "user", "status"), help="a row per group")
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
    if chosen.weighted and not chosen.by:
        complain("top", "--weighted is about groups: it needs --by")
        return 2
    order = Order.of(chosen.sort)
    found = reader.rows(order.counts)
    table = (
        groups(found.values(), chosen.by, order, weighted=chosen.weighted)
        if chosen.by
        else rows(found.values(), order)
    )
    if order.total and not any(order.total in row.totals for row in found.values()):
        complain("top", f"no line has a total {order.total!r}")
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.buffer.write(encoded("  ".join(cells).rstrip() + "\n"))
    sys.stdout.flush()
    return exit_code("top", reader, len(found), chosen)
