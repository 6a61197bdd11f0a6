"""
`ctxlog follow`: lines as they are written.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from functools import partial

from ctxlog.aggregators import Question, is_address
from ctxlog.viewer.commands._options import add_choice, add_files, add_form
from ctxlog.viewer.commands.common import (
    complain,
    encoded,
    explained,
    names_of,
    reader_of,
    say_why,
)
from ctxlog.viewer.query.search import beginning
from ctxlog.viewer.query.watch import Watch, in_order
from ctxlog.viewer.read.source import why_it_cannot_grow
from ctxlog.viewer.read.store import FAILED, Store
from ctxlog.viewer.read.tail import followed
from ctxlog.viewer.recognize.keys import Names
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.printing import LinePrinter, filled


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `ctxlog follow`."""
    parser.description = (
        "Print lines as they are written, like tail -F: through rotation and "
        "truncation, and of files that appear later. With options that choose "
        "requests, the lines of a request are held back until all of them hold."
    )
    add_files(parser)
    add_choice(parser)
    add = add_form(parser).add_argument
    add("--all", action="store_true", help="begin with what the files have by now")


def run(chosen: argparse.Namespace) -> int:
    """Print lines as they are written, until it is stopped; return 0."""
    names = names_of(chosen)
    if chosen.explain:
        return explained("follow", reader_of(chosen), chosen)
    given = chosen.files or ["-"]
    wanted: list[str] = chosen.request or []
    # Of several the store is asked for everything.
    question = Question(beginning(wanted[0] if len(wanted) == 1 else "", names))
    stores = [
        Store(name).tail(question, partial(complain, "follow"), from_start=chosen.all)
        for name in given
        if is_address(name)
    ]
    files = [name for name in given if not is_address(name)]
    for name in files:
        problem = _problem(name)
        if problem:
            complain("follow", f"{name}: {problem}")
            return 2
    try:
        lines = followed(
            files,
            stores,
            from_start=chosen.all,
            time_of=partial(_time_of, names),
        )
        if not _print(lines, names, chosen):
            say_why("follow", chosen)
    except FAILED as error:
        complain("follow", str(error))
        return 2
    return 0


def _problem(name: str) -> str:
    """Return why a file cannot be followed; empty if it can, or is not there yet."""
    if name == "-" or not os.path.isfile(name):
        return ""
    with open(name, "rb") as file:
        return why_it_cannot_grow(file.read(8))


def _time_of(names: Names, line: bytes) -> float | None:
    times = (record.time for record in Record.read(line, names))
    return next((time for time in times if time is not None), None)


def _print(
    lines: Iterator[tuple[str, bytes]], names: Names, chosen: argparse.Namespace
) -> bool:
    """Print lines as they come; return whether there were any."""
    watch = Watch(
        names, chosen.criteria or [], wanted=chosen.request or (), slow=chosen.slow
    )
    out = sys.stdout.buffer
    printer = LinePrinter(chosen.look)
    printed: bytes | None = None  # a batch is one line
    any_shown = False
    for name, line in lines:
        found = watch.add(name, line)
        any_shown = any_shown or bool(found)
        for shown in found if chosen.json else in_order(found):
            if chosen.json:
                if shown.line is not printed:
                    out.write(shown.line)
                printed = shown.line
            elif chosen.format is not None and shown.record is not None:
                out.write(encoded(filled(chosen.format, shown.record) + "\n"))
            else:
                out.write(encoded(printer.text(shown.line, shown.record)))
        out.flush()
    return any_shown
