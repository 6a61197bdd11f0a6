"""
`ctxlog tree`: the requests, tasks and calls of one trace, of all services.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import PurePath

from ctxlog.aggregators import Condition
from ctxlog.viewer.commands._options import add_files, add_look
from ctxlog.viewer.commands.common import (
    ambiguous,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.group.tree import parts_of, tree_of
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.needles import Matches, text_needle
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.keys import WORDS, spellings
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.tree import tree_text

_EXAMPLES = """\
The requests, tasks and calls that belong together, of all services: those with the
id, and all of its trace.

examples:
  ctxlog tree -r 7f3a web.log worker.log payments.log
  ctxlog tree -r 0af7651916cd43dd8448eb211c80319c logs/
"""

# How often a trace may lead to further requests, whose lines name further traces.
_ROUNDS = 4


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog tree`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _EXAMPLES
    add_files(parser)
    add_look(parser)
    parser.add_argument(
        "-r",
        "--request",
        metavar="ID",
        required=True,
        help="how the id of a request of it begins, or of the trace",
    )


def run(chosen: argparse.Namespace) -> int:
    """Print what belongs to a request; return 0, 1 if there is none, 2 if unclear."""
    reader = reader_of(chosen)
    if chosen.explain:
        return explained("tree", reader, chosen)
    with reader.named(chosen.request) as collected:
        if ambiguous("tree", collected, chosen.request):
            return 2
        ids = set(collected.ids)
        traces = {
            trace
            for request in collected
            for entry in request.entries
            if (trace := entry.record.trace) is not None
        }
    # The id may be that of a trace, all of whose requests have ids of their own.
    traces = traces or {chosen.request}
    found = _joined(reader, ids, traces)
    roots = tree_of(parts_of(found))
    if roots:
        width = chosen.look.width or 120
        named = sorted({trace for *_, record in found if (trace := record.trace)})
        text = tree_text(roots, named, width, chosen.look.color)
        sys.stdout.buffer.write(encoded(text))
        sys.stdout.flush()
    return exit_code("tree", reader, len(roots), chosen)


def _joined(
    reader: Reader, ids: set[str], traces: set[str]
) -> Sequence[tuple[str, str, Record]]:
    """Return the lines of requests, and of all that have a trace in common with one."""
    found: list[tuple[str, str, Record]] = []
    asked: set[str] = set()
    for _ in range(_ROUNDS):
        if traces - asked:
            asked |= traces
            ids |= set(reader.matching([_of_traces(traces)]))
        found = list(_lines(reader, ids))
        traces = {trace for *_, record in found if (trace := record.trace) is not None}
        if traces <= asked:
            break
    return found


def _of_traces(traces: set[str]) -> Criterion:
    values, names = tuple(sorted(traces)), spellings(WORDS["trace"])
    return Criterion(
        lambda record, _: record.trace in traces,
        Matches([text_needle(trace) for trace in values]),
        asked=(Condition("trace", "in", values, names),),
    )


def _lines(reader: Reader, ids: set[str]) -> Iterator[tuple[str, str, Record]]:
    for source, one in reader.each():
        name = ""
        if isinstance(source, Source) and source.name != "-":
            # What a line does not say of its service, its file's name does.
            name = PurePath(source.name).name.partition(".")[0]
        with one.collect(ids) as collected:
            for request in collected:
                for entry in request.entries:
                    service = entry.record.says("service") or name
                    yield request.id, service, entry.record
