"""
The options that choose requests, as several commands take them.
"""

from __future__ import annotations

import argparse
import fnmatch
import re
import time
from collections.abc import Sequence

from ctxlog.viewer.scales import level_number, seconds
from ctxlog.viewer.scan import text_needle
from ctxlog.viewer.search import Criterion, failing

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def duration(text: str) -> float:
    """
    Return the seconds of a duration such as `500ms` or `2s`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 500ms, 2s")
    return float(match[1]) * _UNITS[match[2]]


def _moment(text: str) -> float:
    found = seconds(text)
    if found is not None:
        return found
    try:
        return time.time() - duration(text)
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
    # the longest piece of it that stands for itself
    piece = "" if "[" in text else max(re.split("[*?/]", text), key=len)
    return Criterion(
        lambda record, _: fnmatch.fnmatchcase(record.path or "", text), _needles(piece)
    )


def _criterion_user(text: str) -> Criterion:
    return Criterion(lambda record, _: text in record.users, _needles(text))


def _needles(text: str) -> Sequence[bytes]:
    """What stands on every line that has a value which is printed as *text*."""
    # What is no string in JSON, such as 1e3, is printed otherwise than it is written.
    if not text[:1].isalpha() or text in ("True", "False", "None", "nan", "inf"):
        return ()
    needle = text_needle(text)
    return (needle,) if needle else ()


def _criterion_status(text: str) -> Criterion:
    if not re.fullmatch(r"[1-5](\d\d|xx)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no status such as 404 or 5xx")
    digits = text.replace("x", r"\d")
    form = re.compile(digits)
    written = re.compile(rb'tatus(?:Code|_code)?\\?"\s*:\s*\\?"?' + digits.encode())
    return Criterion(
        lambda record, _: bool(form.fullmatch(str(record.status))), (), (written,)
    )


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
    return Criterion(lambda record, _: str(record.get(name)) == value, _needles(value))


def _criterion_since(text: str) -> Criterion:
    least = _moment(text)
    return Criterion(lambda record, _: (record.time or 0) >= least)


def _criterion_until(text: str) -> Criterion:
    most = _moment(text)
    return Criterion(lambda record, _: record.time is not None and record.time <= most)


def add_source(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what to read."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="- or none: stdin")
    add = parser.add_argument_group("fields of other loggers").add_argument
    add("--id-field", metavar="NAME", help="the field that has the request's id")
    add("--time-field", metavar="NAME", help="the field that has the time")


def add_form(parser: argparse.ArgumentParser) -> argparse._ArgumentGroup:
    """Add the arguments that say how lines are printed; return their group."""
    group = parser.add_argument_group("how they are printed")
    add = group.add_argument
    add("--json", action="store_true", help="the lines as they stand in the file")
    add("--format", metavar="TEMPLATE", help="such as '{timestamp} {message}'")
    return group


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose requests; all that are given must hold."""
    group = parser.add_argument_group("which requests (all that are given must hold)")
    add = group.add_argument

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

    add("-r", "--request", metavar="ID", help="by its id, or how that begins")
    add(
        "--errors",
        action="append_const",
        const=failing,
        dest="criteria",
        help="with an error, or a status of 500 and above",
    )
    add("--slow", metavar="TIME", type=duration, help="that took as long: 500ms")
    many("--status", metavar="CODE", type=_criterion_status, help="404, or 5xx")
    many("--path", metavar="GLOB", type=_criterion_path, help="such as '/orders/*'")
    many("--user", metavar="USER", type=_criterion_user, help="of this user")
    many("--since", metavar="TIME", type=_criterion_since, help="a time, or 10m ago")
    many("--until", metavar="TIME", type=_criterion_until, help="likewise")
    many("--level", metavar="LEVEL", type=_criterion_level, help="as high, or higher")
    many("-g", "--grep", metavar="REGEX", type=_criterion_grep, help="on a line")
    many("--field", metavar="NAME=VALUE", type=_criterion_field, help="of a line")
