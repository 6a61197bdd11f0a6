"""
Requests as people read them: a header, then lines with the time since it began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ctxlog.viewer.formats import Record, iso
from ctxlog.viewer.search import Entry

__all__ = ["Request", "filled", "request_text", "safe"]

#: What terminals obey: C0 without tab, DEL, C1, and what turns the reading direction.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_LEVELS = (
    (50, "CRITICAL"),
    (40, "ERROR"),
    (30, "WARNING"),
    (20, "INFO"),
    (10, "DEBUG"),
)
_COLOURS = ((40, "31"), (30, "33"), (20, "32"))
_FIELD = re.compile(r"\{([^{}]+)\}")


def safe(text: str) -> str:
    """Return *text* on one line, with what a terminal would obey escaped."""
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


@dataclass
class Request:
    """
    A request, its lines in the order of time.

    Attributes:
        id: Its id.
        entries: Its lines.
    """

    id: str
    entries: list[Entry]

    def __post_init__(self) -> None:
        times = [entry.record.time for entry in self.entries]
        known = [time for time in times if time is not None]
        self.start = min(known, default=None)
        self.seconds = max(known) - min(known) if known else 0.0
        self.errors = sum(entry.record.level >= 40 for entry in self.entries)
        if len(known) == len(times):  # files that are merged; stable within one
            order = sorted(range(len(times)), key=known.__getitem__)
            self.entries = [self.entries[index] for index in order]

    def last(self, name: str) -> str:
        """Return the last value of a property of its lines; empty if there is none."""
        for entry in reversed(self.entries):
            found = getattr(entry.record, name)
            if found is not None:
                return str(found)
        return ""


def filled(template: str, record: Record) -> str:
    """Return *template* with `{path}` replaced by the line's values."""

    def value(match: re.Match[str]) -> str:
        path = match[1]
        found = record.get(path)
        if found is None and path == "timestamp" and record.time is not None:
            found = iso(record.time)
        if found is None and path in ("message", "level", "request"):
            found = _level(record) if path == "level" else getattr(record, path)
        return "" if found is None else safe(str(found))

    return _FIELD.sub(value, template)


def _level(record: Record) -> str:
    for least, name in _LEVELS:
        if record.level >= least:
            return name
    return ""


def request_text(request: Request, entries: Sequence[Entry], colour: bool) -> str:
    """Return a request's header and the given lines of it."""
    duration = f"{request.seconds * 1000:.1f} ms"
    parts = [
        request.id,
        request.last("method"),
        request.last("path"),
        request.last("status"),
        request.last("user"),
        iso(request.start) if request.start is not None else "",
        duration,
        _count(len(request.entries), "line"),
        _count(request.errors, "error"),
    ]
    header = "  ".join(safe(part) for part in parts if part)
    shown = [_paint(header, "1;31" if request.errors else "1", colour)]
    for entry in entries:
        shown.extend(_entry(request, entry, colour))
    return "\n".join(shown) + "\n"


def _entry(request: Request, entry: Entry, colour: bool) -> list[str]:
    record = entry.record
    time = record.time
    since = ""
    if time is not None and request.start is not None:
        since = f"+{(time - request.start) * 1000:.1f}"
    level = f"{_level(record):<8}"
    for least, code in _COLOURS:
        if record.level >= least:
            level = _paint(level, code, colour)
            break
    shown = [f"{since:>10}  {level}  {safe(record.message)}".rstrip()]
    below = record.stack.splitlines()
    below += [line.decode("utf-8", "replace").rstrip("\r\n") for line in entry.below]
    shown.extend(f"{'':12}{safe(line)}".rstrip() for line in below)
    return shown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _paint(text: str, code: str, colour: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
