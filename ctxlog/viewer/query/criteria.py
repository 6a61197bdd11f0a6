"""
The questions about lines by which requests are chosen.
"""

from __future__ import annotations

import argparse
import fnmatch
import math
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timezone, tzinfo

from ctxlog.aggregators import Condition, Operator
from ctxlog.viewer.query.moments import EXAMPLES, length, moment
from ctxlog.viewer.query.needles import Matches, Plain, Shown, text_needle, with_text
from ctxlog.viewer.query.patterns import Pattern
from ctxlog.viewer.recognize import in_bytes
from ctxlog.viewer.recognize.keys import SPELLINGS, in_stores, spellings
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.scales import level_number, level_texts
from ctxlog.viewer.recognize.traces import trace_key, trace_pieces


@dataclass(frozen=True)
class Criterion:
    """
    A question about a line.

    Attributes:
        holds: Whether a line is meant: a record, and its bytes with the text below it.
        scan: What finds the lines of a file that may be meant; None if all may be.
        asked: Conditions, one of which holds for every line that is meant: what a
            store is asked. Without any, every line of the store may be meant.
        since: The least time of a line that is meant.
        until: The greatest time of a line that is meant.
        outside: Whether lines that belong to no request are looked at, too.
        is_risky: Whether it may have to be stopped: other processes do not ask it.
        label: The question as it was asked on the command line.
    """

    holds: Callable[[Record, bytes], bool]
    scan: Matches | Shown | Plain | None = None
    asked: Sequence[Condition] = ()
    since: float | None = None
    until: float | None = None
    outside: bool = False
    is_risky: bool = False
    label: str = ""


def _condition(field: str, operator: Operator, *values: str) -> Condition:
    return Condition(field, operator, values, SPELLINGS.get(field, ()))


#: Lines that make their request one that failed.
failing = Criterion(
    lambda record, _line: record.failed,
    Plain(40, patterns=in_bytes.failing()),
    (
        _condition("level", "in", *level_texts(40)),
        _condition("status", "between", "500", "599"),
    ),
    outside=True,
    label="--errors",
)


def duration(text: str) -> float:
    """
    Return the seconds of a duration such as `500ms` or `1m30s`.

    Raises:
        argparse.ArgumentTypeError: it is none.
    """
    found = length(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration such as 500ms, 2s")
    return found


def _moment(text: str, zone: tzinfo | None) -> float:
    found = moment(text, zone)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as {EXAMPLES}")
    return found


def id_pattern(text: str) -> re.Pattern[str]:
    """
    Return a pattern whose first group is a request's id.

    Raises:
        argparse.ArgumentTypeError: it is none, or has no group.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    if not pattern.groups:
        raise argparse.ArgumentTypeError(
            f"{text!r} has no group that is the id, such as '(req-[^ ]+)'"
        )
    return pattern


def by_traces(keys: Collection[str]) -> Criterion:
    """
    Return whether a line is of one of some traces.

    Args:
        keys: The traces, as `trace_key()` has them.
    """
    pieces = [piece for key in sorted(keys) for piece in trace_pieces(key)]
    values = tuple(sorted({*keys, *pieces}))
    return Criterion(
        lambda record, _: record.trace is not None and trace_key(record.trace) in keys,
        Matches(list(map(text_needle, pieces))),
        (Condition("trace", "contains", values, in_stores("trace")),),
    )


def by_path(text: str) -> Criterion:
    # the longest piece of it that stands for itself
    piece = "" if "[" in text else max(re.split("[*?/]", text), key=len)
    asked: tuple[Condition, ...] = ()
    if piece == text and text:
        asked = (_condition("path", "in", text),)
    elif piece and text.startswith(piece):
        asked = (_condition("path", "begins", piece),)
    elif piece:
        asked = (_condition("path", "contains", piece),)
    return Criterion(
        lambda record, _: fnmatch.fnmatchcase(record.path or "", text),
        _printed(piece),
        asked=asked,
    )


def by_route(text: str) -> Criterion:
    asked: tuple[Condition, ...] = ()
    # That of lograge is two fields: a controller and an action.
    scan = with_text(max(text.split("#"), key=len))
    if text in _WORDS_PRINTED or re.fullmatch(r"-?[\d.]+(e[+-]?\d+)?", text):
        scan = None  # of another type, and printed otherwise than it is written
    if _is_asked(text) and "#" not in text:
        asked = (_condition("route", "in", text),)
    return Criterion(
        lambda record, _: record.route == text,
        scan,
        asked,
    )


def by_user(text: str) -> Criterion:
    return Criterion(
        lambda record, _: text in record.users,
        _printed(text),
        asked=(_condition("user", "in", text),) if _is_asked(text) else (),
    )


#: What Python prints of values that JSON writes otherwise.
_WORDS_PRINTED = frozenset({"True", "False", "None", "nan", "inf", "-inf"})


def _is_asked(text: str) -> bool:
    """
    Return whether a store has a value that is printed as *text* as the same text.

    Fractions, lists and objects are written in more than one way, and so are `true` and
    `null`.
    """
    if text == "" or text in _WORDS_PRINTED:
        return False
    return text[0] not in "[{" and not re.fullmatch(r"-?\d+\.\d+|-?[\d.]+e.+", text)


def _printed(text: str) -> Matches | None:
    """Return what finds the lines that have a value which is printed as *text*."""
    # A number such as 1e3 is printed otherwise than it is written.
    if re.fullmatch(r"-?\d{1,15}", text):
        return with_text(text)
    if not text[:1].isalpha() or text in _WORDS_PRINTED:
        return None
    return with_text(text)


def by_status(text: str) -> Criterion:
    if not re.fullmatch(r"[1-5](\d\d|xx)", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no status such as 404 or 5xx")
    digits = text.replace("x", r"\d")
    condition = (
        _condition("status", "between", f"{text[0]}00", f"{text[0]}99")
        if "x" in text
        else _condition("status", "in", text)
    )
    form = re.compile(digits)
    written = tuple(map(re.compile, in_bytes.status(digits.encode())))
    return Criterion(
        lambda record, _: bool(form.fullmatch(str(record.status))),
        Matches((), written),
        (condition,),
    )


def by_level(text: str) -> Criterion:
    least = level_number(text)
    if not least:
        raise argparse.ArgumentTypeError(f"{text!r} is no level such as warning")
    return Criterion(
        lambda record, _: record.level >= least,
        Plain(least),
        asked=(_condition("level", "in", *level_texts(least)),),
        outside=True,
    )


def by_grep(text: str) -> Criterion:
    """Return whether a pattern is in what is shown of a line."""
    try:
        pattern = Pattern(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
    plain = bool(text) and not re.search(r"[][\\^$.|?*+(){}=\ufffd]", text)

    def holds(record: Record, line: bytes) -> bool:
        _, _, below = line.rstrip(b"\r\n").partition(b"\n")
        return pattern.matches(record, below.decode("utf-8", "replace"))

    return Criterion(
        holds,
        Shown.of(pattern.pieces, folded=pattern.folded),
        (_condition("text", "contains", text),) if plain else (),
        outside=True,
        is_risky=pattern.is_risky,
    )


def by_field(text: str) -> Criterion:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    if name == "route":  # wherever a schema has it
        return by_route(value)
    asked: tuple[Condition, ...] = ()
    if _is_asked(value):
        asked = (Condition(name, "in", (value,), spellings([name])),)
    return Criterion(
        lambda record, _: str(record.get(name)) == value, _printed(value), asked=asked
    )


def by_since(text: str, zone: tzinfo | None = timezone.utc) -> Criterion:
    least = _moment(text, zone)
    return Criterion(
        lambda record, _: (record.time or 0) >= least,
        Plain(within=(least, math.inf)),
        since=least,
    )


def by_until(text: str, zone: tzinfo | None = timezone.utc) -> Criterion:
    most = _moment(text, zone)
    return Criterion(
        lambda record, _: record.time is not None and record.time <= most,
        Plain(within=(-math.inf, most)),
        until=most,
    )
