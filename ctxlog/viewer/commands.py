"""
`ctxlog show` and `ctxlog top`: their arguments, and what they print.
"""

from __future__ import annotations

import argparse
import fnmatch
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence

from ctxlog.errors import MissingDependencyError
from ctxlog.viewer.formats import Names, level_number, seconds
from ctxlog.viewer.printing import Request, filled, request_text, safe
from ctxlog.viewer.reading import Source
from ctxlog.viewer.search import Criterion, Reader, failing
from ctxlog.viewer.table import Row, groups, rows

__all__ = ["add_show", "add_top", "show", "top"]

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EXAMPLES = """\
examples:
  ctxlog show app.log -r 7f3a            one request; a part of its id is enough
  ctxlog show app.log* --errors          every request that failed, whole
  ctxlog show app.log --slow 500ms --path '/orders/*'
  kubectl logs deploy/shop | ctxlog show - --user alice --since 10m
"""


def _duration(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 500ms, 2s")
    return float(match[1]) * _UNITS[match[2]]


def _moment(text: str) -> float:
    found = seconds(text)
    if found is not None:
        return found
    try:
        return time.time() - _duration(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time such as 2026-01-31T12:00:00Z or 10m"
        ) from None


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None


def _criterion_path(text: str) -> Criterion:
    return Criterion(lambda record, _: fnmatch.fnmatchcase(record.path or "", text))


def _criterion_user(text: str) -> Criterion:
    return Criterion(lambda record, _: record.user == text)


def _criterion_status(text: str) -> Criterion:
    if not re.fullmatch(r"[1-5](\d\d|xx)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no status such as 404 or 5xx")
    form = re.compile(text.replace("x", r"\d"))
    return Criterion(lambda record, _: bool(form.fullmatch(str(record.status))))


def _criterion_level(text: str) -> Criterion:
    least = level_number(text)
    if not least:
        raise argparse.ArgumentTypeError(f"{text!r} is no level such as warning")
    return Criterion(lambda record, _: record.level >= least)


def _criterion_grep(text: str) -> Criterion:
    form = _pattern(text)
    return Criterion(lambda _, line: bool(form.search(line.decode("utf-8", "replace"))))


def _criterion_field(text: str) -> Criterion:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return Criterion(lambda record, _: str(record.get(name)) == value)


def _criterion_since(text: str) -> Criterion:
    least = _moment(text)
    return Criterion(lambda record, _: (record.time or 0) >= least)


def _criterion_until(text: str) -> Criterion:
    most = _moment(text)
    return Criterion(lambda record, _: record.time is not None and record.time <= most)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="- or none: stdin")
    add = parser.add_argument_group("fields of other loggers").add_argument
    add("--id-field", metavar="NAME", help="the field that has the request's id")
    add("--time-field", metavar="NAME", help="the field that has the time")


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog show`."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = _EXAMPLES
    _common(parser)
    add = parser.add_argument_group(
        "which requests (all that are given must hold)"
    ).add_argument
    add("-r", "--request", metavar="ID", help="by its id, or how that begins")

    def many(*flags: str, metavar: str, type: object, help: str) -> None:
        parser_type = type if callable(type) else str
        add(
            *flags,
            metavar=metavar,
            type=parser_type,
            help=help,
            action="append",
            dest="criteria",
            default=[],
        )

    add(
        "--errors",
        action="append_const",
        const=failing,
        dest="criteria",
        help="with an error, or a status of 500 and above",
    )
    add("--slow", metavar="TIME", type=_duration, help="that took as long: 500ms")
    many("--status", metavar="CODE", type=_criterion_status, help="404, or 5xx")
    many("--path", metavar="GLOB", type=_criterion_path, help="such as '/orders/*'")
    many("--user", metavar="USER", type=_criterion_user, help="of this user")
    many("--since", metavar="TIME", type=_criterion_since, help="a time, or 10m ago")
    many("--until", metavar="TIME", type=_criterion_until, help="likewise")
    many("--level", metavar="LEVEL", type=_criterion_level, help="as high, or higher")
    many("-g", "--grep", metavar="REGEX", type=_criterion_grep, help="on a line")
    many("--field", metavar="NAME=VALUE", type=_criterion_field, help="of a line")
    add = parser.add_argument_group("how they are printed").add_argument
    add("--lines", action="store_true", help="only the lines that match")
    add("--json", action="store_true", help="the lines as they stand in the file")
    add("--format", metavar="TEMPLATE", help="such as '{timestamp} {message}'")
    add("--no-pager", action="store_true", help="never start $PAGER")


def add_top(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog top`."""
    _common(parser)
    parser.add_argument(
        "--sort", choices=("duration", "errors", "lines", "start"), default="duration"
    )
    parser.add_argument("--by", choices=("path", "user", "status"))


def _reader(chosen: argparse.Namespace) -> Reader:
    names = Names(chosen.id_field, chosen.time_field)
    return Reader([Source(name) for name in chosen.files or ["-"]], names)


def show(chosen: argparse.Namespace) -> int:
    """Print whole requests; return 0 if there were any, 1 if not, 2 for wrong use."""
    reader = _reader(chosen)
    criteria: list[Criterion] = chosen.criteria or []
    wanted: set[str] | None = None
    try:
        if chosen.request is not None:
            wanted = reader.ids(chosen.request)
            if len(wanted) > 1:
                _complain("show", f"{chosen.request} is how several requests begin:")
                for request_id in sorted(wanted)[:20]:
                    print(f"  {safe(request_id)}", file=sys.stderr)
                return 2
        if criteria:
            matching = reader.matching(criteria)
            wanted = matching if wanted is None else wanted & matching
        requests: list[Request] = []
        if wanted is None or wanted:
            found = reader.collect(wanted)
            requests = [Request(name, entries) for name, entries in found.items()]
    except MissingDependencyError as error:
        _complain("show", str(error))
        return 2
    if chosen.slow is not None:
        requests = [one for one in requests if one.seconds >= chosen.slow]
    requests.sort(key=lambda one: one.start or 0.0)
    _print(requests, criteria, chosen)
    failed = _account("show", reader)
    return 2 if failed and not requests else 0 if requests else 1


def _print(
    requests: Sequence[Request],
    criteria: Sequence[Criterion],
    chosen: argparse.Namespace,
) -> None:
    terminal = sys.stdout.isatty()
    colour = terminal and "NO_COLOR" not in os.environ
    pager = os.environ.get("PAGER") if terminal and not chosen.no_pager else None
    process = None
    if pager:
        process = subprocess.Popen(shlex.split(pager), stdin=subprocess.PIPE)
    out = sys.stdout.buffer if process is None else process.stdin
    assert out is not None
    try:
        for number, request in enumerate(requests):
            entries = request.entries
            if chosen.lines and criteria:
                entries = [
                    entry
                    for entry in entries
                    if all(each.holds(entry.record, entry.line) for each in criteria)
                ]
            if chosen.json:
                for entry in entries:
                    out.writelines([entry.line, *entry.below])
                continue
            if chosen.format is not None:
                shown = (filled(chosen.format, entry.record) for entry in entries)
                text = "".join(f"{line}\n" for line in shown)
            else:
                gap = "\n" if number else ""
                text = gap + request_text(request, entries, colour)
            out.write(text.encode("utf-8", "replace"))
        out.flush()
    finally:
        if process is not None:
            out.close()
            process.wait()


def top(chosen: argparse.Namespace) -> int:
    """Print a row per request, or per group; return 0 if there were any, 1 if not."""
    reader = _reader(chosen)
    found: dict[str, Row] = {}
    try:
        for record, _ in reader.records():
            request = record.request
            if request is not None:
                found.setdefault(request, Row(request)).add(record)
    except MissingDependencyError as error:
        _complain("top", str(error))
        return 2
    table = (
        groups(found.values(), chosen.by)
        if chosen.by
        else rows(found.values(), chosen.sort)
    )
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")
    sys.stdout.flush()
    failed = _account("top", reader)
    return 2 if failed and not found else 0 if found else 1


def _account(command: str, reader: Reader) -> bool:
    """Say what could not be read; whether a file was among it."""
    for problem in reader.problems:
        _complain(command, problem)
    if reader.unread:
        noun = "line" if reader.unread == 1 else "lines"
        print(f"{reader.unread} {noun} could not be read", file=sys.stderr)
    return bool(reader.problems)


def _complain(command: str, problem: str) -> None:
    print(f"ctxlog {command}: {safe(problem)}", file=sys.stderr)
