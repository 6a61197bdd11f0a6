"""
`ctxlog tree`: the requests, tasks and calls of one trace, of all services.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from ctxlog.aggregators import Condition, Operator
from ctxlog.viewer.commands._options import add_files, add_look
from ctxlog.viewer.commands.common import (
    ambiguous,
    encoded,
    exit_code,
    explained,
    reader_of,
)
from ctxlog.viewer.group.parts import parts_of
from ctxlog.viewer.group.tree import tree_of
from ctxlog.viewer.query.criteria import Criterion
from ctxlog.viewer.query.needles import Matches, text_needle
from ctxlog.viewer.query.search import Reader
from ctxlog.viewer.read.source import Source
from ctxlog.viewer.recognize.keys import in_stores
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.traces import trace_key, trace_pieces
from ctxlog.viewer.show.tree import tree_text

_EXAMPLES = """\
The requests, tasks and calls that belong together, of all services: those with the
id, and all of its trace.

examples:
  ctxlog tree -r 7f3a web.log worker.log payments.log
  ctxlog tree -r 0af7651916cd43dd8448eb211c80319c logs/
"""

# How often what was found may lead to more.
_ROUNDS = 8
# Of more ids the lines are looked for that name any.
_FEW = 8
# Ids that each process counts from one on: pino's, Fastify's.
_COUNTED = re.compile(r"(?:req-)?[0-9a-z]{1,6}")
# Where names of what caused a task or a request stand, in every spelling.
_PARENTS = re.compile(rb"(?i)parent[-_.]?(?:task|job|request)")


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
        known = _Known(requests=set(collected.ids))
        for request in collected:
            for entry in request.entries:
                named = entry.record.trace or ""
                if not collected.is_trace or named.startswith(chosen.request):
                    known.add(entry.record)
    # The id may be that of a trace, all of whose requests have ids of their own.
    if not known.traces:
        known.traces.add(trace_key(chosen.request))
    found = _joined(reader, known)
    roots = tree_of(parts_of(found))
    if roots:
        width = chosen.look.width or 120
        traces = {trace for *_, record in found if (trace := record.trace)}
        # Of the forms of one trace the longest says the most.
        forms = {trace_key(text): text for text in sorted(sorted(traces), key=len)}
        text = tree_text(roots, sorted(forms.values()), width, chosen.look)
        sys.stdout.buffer.write(encoded(text))
        sys.stdout.flush()
    return exit_code("tree", reader, len(roots), chosen)


@dataclass
class _Known:
    """The ids of what belongs together: of traces as keys, of requests and tasks."""

    traces: set[str] = field(default_factory=set)
    requests: set[str] = field(default_factory=set)
    tasks: set[str] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Take a line into account that belongs to it."""
        if (trace := record.trace) is not None:
            self.traces.add(trace_key(trace))
        if (task := record.says("task id")) is not None:
            self.tasks.add(task)
        if (parent := record.says("parent task")) is not None:
            self.tasks.add(parent)
        if (request := record.says("parent request")) is not None:
            self.requests.add(request)

    @property
    def size(self) -> int:
        """How many there are: it never gets smaller."""
        return len(self.traces) + len(self.requests) + len(self.tasks)

    def has(self, record: Record) -> bool:
        """Return whether a line names one of them."""
        trace = record.trace
        return (
            (trace is not None and trace_key(trace) in self.traces)
            or record.says("task id") in self.tasks
            or record.says("parent task") in self.tasks
            or record.says("parent request") in self.requests
        )

    @property
    def question(self) -> Criterion:
        """What is asked about lines to find more of it."""
        pieces = [piece for key in sorted(self.traces) for piece in trace_pieces(key)]
        ids = sorted(self.tasks | self.requests)
        few = ids if len(ids) <= _FEW else []
        asked = [_condition("trace", sorted({*self.traces, *pieces}), "contains")]
        if self.tasks:
            asked.append(_condition("parent task", sorted(self.tasks)))
            asked.append(_condition("task id", sorted(self.tasks)))
        if self.requests:
            asked.append(_condition("parent request", sorted(self.requests)))
        return Criterion(
            lambda record, _: self.has(record),
            Matches(
                list(map(text_needle, [*pieces, *few])),
                [_PARENTS] if len(few) < len(ids) else [],
            ),
            asked=asked,
        )


def _condition(what: str, values: Sequence[str], how: Operator = "in") -> Condition:
    return Condition(what, how, tuple(values), in_stores(what))


def _joined(reader: Reader, known: _Known) -> Sequence[tuple[str, str, Record]]:
    """Return the lines of requests, and of all that they lead to."""
    found: list[tuple[str, str, Record]] = []
    for _ in range(_ROUNDS):
        before = known.size
        known.requests |= set(reader.matching([known.question]))
        found = _of_trace(list(_lines(reader, known.requests)), known)
        for *_, record in found:
            known.add(record)
        if known.size == before:
            break
    return found


def _of_trace(
    found: Sequence[tuple[str, str, Record]], known: _Known
) -> list[tuple[str, str, Record]]:
    """Return lines without those of other processes that count up to the same id."""
    traces = [record.trace for *_, record in found]
    keys = [None if trace is None else trace_key(trace) for trace in traces]
    tied = {
        (request, service)
        for (request, service, _), key in zip(found, keys, strict=True)
        if key in known.traces
    }
    counted = {request for request, _ in tied if _COUNTED.fullmatch(request)}
    kept = []
    for line, key in zip(found, keys, strict=True):
        request, service, _ = line
        is_known = key in known.traces or request not in counted
        if key is None and not is_known:
            is_known = not request.isdigit() or (request, service) in tied
        if is_known:
            kept.append(line)
    return kept


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
