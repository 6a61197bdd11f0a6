"""
`ctxlog timeline`: one request as a waterfall.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ctxlog.viewer.commands._options import add_files, add_look
from ctxlog.viewer.commands.common import (
    ambiguous,
    complain,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.group.collected import Request
from ctxlog.viewer.show.waterfall import Waterfall, waterfall_text
from ctxlog.viewer.web.page import html_page


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog timeline`."""
    parser.description = (
        "One request as a waterfall: which service, task and thread wrote a line, and "
        "where the time went."
    )
    add_files(parser)
    add_look(parser)
    add = parser.add_argument
    add("-r", "--request", metavar="ID", required=True, help="how its id begins")
    add("--html", metavar="FILE", help="write a page of its own instead")


def run(chosen: argparse.Namespace) -> int:
    """Print one request as a waterfall; return 0, 1 if there is none, 2 if unclear."""
    reader = reader_of(chosen)
    if chosen.explain:
        return explained("timeline", reader, chosen)
    with reader.named(chosen.request) as collected:
        if ambiguous("timeline", collected, chosen.request):
            return 2
        number = len(collected)
        for request in collected:
            if not _lay_out(request, chosen):
                return 2
    return exit_code("timeline", reader, number, chosen)


def _lay_out(request: Request, chosen: argparse.Namespace) -> bool:
    """Print a request as a waterfall, or write its page; whether that could be done."""
    if chosen.html is not None:
        try:
            Path(chosen.html).write_bytes(encoded(html_page(request, chosen.look)))
        except OSError as error:
            complain("timeline", f"{chosen.html}: {error}")
            return False
        return True
    text = waterfall_text(Waterfall(request, chosen.look))
    sys.stdout.buffer.write(encoded(text))
    sys.stdout.flush()
    return True
