"""
Entries that are written over several lines for people, joined into one.

What stands below the first line is part of the entry: its scopes, its fields, even its
level and message. What is no such part, such as a traceback, stays below it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

_CHUNK = 1 << 20
_COLOR = rb"(?:\x1b\[[0-9;]*m)*"
_LEVEL = rb"(?:TRACE|DEBUG|INFO|WARN|ERROR|FATAL)"
_ENDS = b" \t\r\n"


@dataclass(frozen=True)
class _Form:
    """
    How a logger spreads an entry.

    Attributes:
        first: What its first line matches.
        next: What a line below it matches that is part of it.
        last: What the last of these matches.
    """

    first: re.Pattern[bytes]
    next: re.Pattern[bytes]
    last: re.Pattern[bytes]


_LINE = re.compile(rb"[^\n]*\n|[^\n]+")
_NEVER = re.compile(rb"(?!)")
_FORMS = (
    # the console of ASP.NET Core: scopes, and the message
    _Form(
        re.compile(
            rb"(?:[^ \t{].{0,60}?[ m\])])?(?:trce|dbug|info|warn|fail|crit)"
            + _COLOR
            + rb": [A-Z][\w.`+]*\[-?\d+\]\s*$"
        ),
        re.compile(rb" {6}\S"),
        re.compile(rb" {6}(?!=> )"),
    ),
    # Rust's tracing, pretty: where it was written, and the spans
    _Form(
        re.compile(
            rb" {1,2}\S{0,8}\d{4}-\d\d-\d\dT[\d:.]{8,18}Z\S{0,8} +"
            + _COLOR
            + rb" ?"
            + _LEVEL
        ),
        re.compile(rb" {4}" + _COLOR + rb"(?:at|in)\b"),
        _NEVER,
    ),
    # pino-pretty: fields that are one value each
    _Form(
        re.compile(
            rb"\[[^\]]{8,40}\] " + _COLOR + _LEVEL + _COLOR + rb" \([^)]*\d[^)]*\):"
        ),
        re.compile(
            rb" {4}"
            + _COLOR
            + rb"[A-Za-z_]\w*"
            + _COLOR
            + rb': (?:"[^"]*"|[\w.+-]+)\s*$'
        ),
        _NEVER,
    ),
    # java.util.logging: the level and the message
    _Form(
        re.compile(
            rb"[A-Z][a-z]{2} \d\d?, \d{4} \d{1,2}:\d\d:\d\d.{1,3}[AP]M [\w.$]+(?: \S+)?"
            rb"\s*$"
        ),
        re.compile(rb"(?:SEVERE|WARNING|INFO|CONFIG|FINE|FINER|FINEST): "),
        re.compile(rb"[A-Z]"),
    ),
)
#: The beginning of what journalctl -o export prints.
_EXPORT = re.compile(rb"__CURSOR=|__REALTIME_TIMESTAMP=\d+\n_")


def is_spread_for_people(head: bytes) -> bool:
    """
    Return whether a file has entries of several lines that are one.

    Args:
        head: How the file begins.
    """
    lines = head.split(b"\n", 200)
    return _EXPORT.match(head) is not None or any(
        form.next.match(then)
        for first, then in zip(lines, lines[1:], strict=False)
        if (form := _form(first)) is not None
    )


def joined(head: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a stream that begins so, with each entry on one line."""
    lines = _lines(head, stream)
    yield from _exported(lines) if _EXPORT.match(head) else _joined(lines)


def _lines(data: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    while data:
        more = stream.read(_CHUNK)
        end = data.rfind(b"\n") + 1 if more else len(data)
        yield from _LINE.findall(data[:end])
        data = data[end:] + more


def _form(line: bytes) -> _Form | None:
    return next((form for form in _FORMS if form.first.match(line)), None)


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    entry: list[bytes] = []
    form: _Form | None = None
    for line in lines:
        if form is not None and form.next.match(line):
            entry[-1] = entry[-1].rstrip(_ENDS)
            entry.append(b" " + line.lstrip(b" "))
            if form.last.match(line):
                form = None
            continue
        yield b"".join(entry)
        entry, form = [line], _form(line)
    yield b"".join(entry)


def _exported(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the entries of the journal's export format, each as `-o json` has it."""
    entry: dict[str, str] = {}
    for line in lines:
        name, equals, value = line.rstrip(b"\r\n").partition(b"=")
        if name and equals:
            entry[name.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
        elif name:  # a value of several lines, behind its length
            entry[name.decode("utf-8", "replace")] = _long(lines)
        elif entry:
            yield json.dumps(entry).encode() + b"\n"
            entry = {}
    if entry:
        yield json.dumps(entry).encode() + b"\n"


def _long(lines: Iterator[bytes]) -> str:
    """Return a value of so many bytes as the eight before it say."""
    data = next(lines, b"")
    while len(data) < 9 or len(data) <= 8 + int.from_bytes(data[:8], "little"):
        more = next(lines, b"")
        if not more:
            break
        data += more
    return data[8 : 8 + int.from_bytes(data[:8], "little")].decode("utf-8", "replace")
