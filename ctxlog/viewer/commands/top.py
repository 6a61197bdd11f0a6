"""
`ctxlog top`: a row per request, or per group of them.
"""

from __future__ import annotations

import argparse
import sys

from ctxlog.viewer.commands._options import add_files
from ctxlog.viewer.commands.common import encoded, exit_code, explained, reader_of
from ctxlog.viewer.show.table import groups, rows


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog top`."""
    add_files(parser)
    parser.add_argument(
        "--sort", choices=("duration", "errors", "lines", "start"), default="duration"
    )
    parser.add_argument("--by", choices=("path", "user", "status"))


def run(chosen: argparse.Namespace) -> int:
    """Print a row per request, or per group; return 0 if there were any, 1 if not."""
    reader = reader_of(chosen)
    if chosen.explain:
        return explained("top", reader, chosen)
    found = reader.rows()
    table = (
        groups(found.values(), chosen.by)
        if chosen.by
        else rows(found.values(), chosen.sort)
    )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.buffer.write(encoded("  ".join(cells).rstrip() + "\n"))
    sys.stdout.flush()
    return exit_code("top", reader, len(found))
