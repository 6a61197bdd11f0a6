"""
Requests as people read them: a header, then lines with the time since it began.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from ctxlog.viewer.collected import Entry, Request
from ctxlog.viewer.formats import Record, iso

__all__ = [
    "filled",
    "level_name",
    "line_text",
    "paint",
    "request_text",
    "safe",
]

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


def filled(template: str, record: Record) -> str:
    """Return *template* with `{path}` replaced by the line's values."""

    def value(match: re.Match[str]) -> str:
        path = match[1]
        found = record.get(path)
        if found is None and path == "timestamp" and record.time is not None:
            found = iso(record.time)
        if found is None and path in ("message", "level", "request"):
            found = level_name(record) if path == "level" else getattr(record, path)
        return "" if found is None else safe(str(found))

    return _FIELD.sub(value, template)


def level_name(record: Record) -> str:
    """Return the name of a line's level; empty if it has none."""
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
    shown = [paint(header, "1;31" if request.errors else "1", colour)]
    for entry in entries:
        shown.extend(_entry(request, entry, colour))
    return "\n".join(shown) + "\n"


#: Colours of 256 that are told apart on light and on dark.
_HUES = (33, 35, 37, 64, 71, 97, 99, 125, 130, 132, 136, 160, 161, 166, 172, 202)
_SHOWN_ID = 12


def line_text(line: bytes, record: Record | None, colour: bool) -> str:
    """Return one line by itself: its time, level, request and message."""
    if record is None:
        return safe(line.decode("utf-8", "replace").rstrip("\r\n")) + "\n"
    request = record.request or ""
    shown_id = safe(request[:_SHOWN_ID]).ljust(_SHOWN_ID)
    if colour and request:
        hue = _HUES[zlib.crc32(request.encode("utf-8", "replace")) % len(_HUES)]
        shown_id = f"\x1b[38;5;{hue}m{shown_id}\x1b[0m"
    time = "" if record.time is None else iso(record.time)[11:23]
    shown = [f"{time:12}  {_painted_level(record, colour)}  {shown_id}  "]
    shown[0] = f"{shown[0]}{safe(record.message)}".rstrip()
    below = record.stack.splitlines()
    shown.extend(f"{'':12}{safe(text)}".rstrip() for text in below)
    return "\n".join(shown) + "\n"


def _painted_level(record: Record, colour: bool) -> str:
    level = f"{level_name(record):<8}"
    for least, code in _COLOURS:
        if record.level >= least:
            return paint(level, code, colour)
    return level


def _entry(request: Request, entry: Entry, colour: bool) -> list[str]:
    record = entry.record
    time = record.time
    since = ""
    if time is not None and request.start is not None:
        since = f"+{(time - request.start) * 1000:.1f}"
    level = _painted_level(record, colour)
    shown = [f"{since:>10}  {level}  {safe(record.message)}".rstrip()]
    below = record.stack.splitlines()
    below += [line.decode("utf-8", "replace").rstrip("\r\n") for line in entry.below]
    shown.extend(f"{'':12}{safe(line)}".rstrip() for line in below)
    return shown


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def paint(text: str, code: str, colour: bool) -> str:
    """Return text in a colour, given as the code that terminals have for it."""
    return f"\x1b[{code}m{text}\x1b[0m" if colour else text
