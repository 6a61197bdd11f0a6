"""
`ctxlog diff`: what one request did that another one did not.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from ctxlog.viewer.commands._options import add_files, add_look
from ctxlog.viewer.commands.common import (
    ambiguous,
    encoded,
    exit_code,
    reader_of,
)
from ctxlog.viewer.group.alignment import aligned
from ctxlog.viewer.group.collected import Request
from ctxlog.viewer.show.diff import diff_text

_EXAMPLES = """\
Two requests step by step: the same steps side by side, values that differ, and what
only one of them did.

examples:
  ctxlog diff 7f3a 9b2c app.log       a request that worked, and one that failed
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog diff`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _EXAMPLES
    parser.add_argument("first", metavar="A", help="how the id of one begins")
    parser.add_argument("second", metavar="B", help="how the id of the other begins")
    add_files(parser)
    add_look(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print how two requests differ; return 0, 1 if one is missing, 2 if unclear."""
    reader = reader_of(chosen)
    found: list[Request] = []
    with ExitStack() as stack:
        for wanted in (chosen.first, chosen.second):
            collected = stack.enter_context(reader.named(wanted))
            if ambiguous("diff", collected, wanted):
                return 2
            if not len(collected):
                chosen.request = wanted
                return exit_code("diff", reader, 0, chosen)
            found += list(collected)[:1]
        first, second = found
        pairs = aligned(first.entries, second.entries)
        text = diff_text(first, second, pairs, chosen.look)
    sys.stdout.buffer.write(encoded(text))
    sys.stdout.flush()
    return exit_code("diff", reader, 1, chosen)
