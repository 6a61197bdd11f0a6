"""
Requests as people read them: a header, then lines with the time since it began.
"""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from math import isfinite
from typing import Any

from ctxlog.terminal import hue, paint
from ctxlog.viewer.group.collected import OUTSIDE, LogLine, Request
from ctxlog.viewer.group.summary import Total
from ctxlog.viewer.recognize.facts import Facts
from ctxlog.viewer.recognize.flat import flat
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.recognize.scales import iso
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.times import duration_text
from ctxlog.viewer.show.wrapping import in_rows, joined

#: Control characters of terminals: C0 without tab, DEL, C1, and marks of direction.
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
_COLORS = ((40, "31"), (30, "33"), (20, "32"))
_FIELD = re.compile(r"\{([^{}]+)\}")


def safe(text: str) -> str:
    """Return *text* on one line, with what a terminal would obey escaped."""
    if text.isprintable():  # most is, and to ask is cheap
        return text
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def filled(template: str, record: Record) -> str:
    """Return *template* with `{path}` replaced by the line's values."""

    def value(match: re.Match[str]) -> str:
        path = match[1]
        found = record.get(path)
        if found is None and path == "timestamp" and record.time is not None:
            found = iso(record.time)
        if found is None and path in ("message", "level", "request"):
            found = getattr(record, path)
            found = level_name(found) if path == "level" else found
        return "" if found is None else safe(str(found))

    return _FIELD.sub(value, template)


def level_name(level: int) -> str:
    """Return the name of a level; empty if there is none."""
    for least, name in _LEVELS:
        if level >= least:
            return name
    return ""


def header(request: Request, facts: Sequence[str], look: Look) -> str:
    """Return the line about the whole of a request: what it is about, and facts."""
    about = request.about
    name = "outside of requests" if request.id == OUTSIDE else request.id
    parts = [name, about.method, about.path, about.status, about.user, *facts]
    return heading(parts, look, failed=request.errors > 0)


def heading(parts: Iterable[str], look: Look, *, failed: bool) -> str:
    """Return facts as a line, or as the rows that a terminal needs for it."""
    rows = joined([safe(part) for part in parts if part], look.width)
    code = "1;31" if failed else "1"
    return "\n".join(paint(row, code, look.color) for row in rows)


def total_text(total: Total) -> str:
    """Return how often something was done, and how many milliseconds that took."""
    count = f"{total.count:.1f}".removesuffix(".0")
    if total.milliseconds is None:
        return count
    return f"{count}x {total.milliseconds:.1f}"


def kept_texts(request: Request) -> list[str]:
    """Return what is to be said of a request of a sample, and of lines that waited."""
    kept = request.kept
    rate = f"{kept.rate:.1f}".removesuffix(".0")
    facts = [f"sampled 1/{rate}"] if kept.rate > 1 else []
    facts += [f"{kept.buffered} buffered"] if kept.buffered else []
    return facts + (
        [f"{count_text(kept.dropped, 'line')} dropped"] if kept.dropped else []
    )


def waited(record: Record) -> str:
    """Return the mark of a line that waited in a buffer; a blank for any other."""
    return "~" if record.is_buffered else " "


def legend(request: Request) -> list[str]:
    """Return the facts about a request that are not in every log."""
    facts, route = kept_texts(request), request.about.route
    facts += [f"route {route}"] if route and route != request.about.path else []
    totals = [
        f"{name} {total_text(total)} ms" for name, total in request.totals.items()
    ]
    return facts + ([", ".join(totals)] if totals else [])


def request_text(request: Request, entries: Iterable[LogLine], look: Look) -> str:
    """Return a request's header and the given lines of it."""
    return "".join(request_texts(request, entries, look))


def request_texts(
    request: Request, entries: Iterable[LogLine], look: Look
) -> Iterator[str]:
    """Yield the same, a line of the log at once: there may be many."""
    facts = [
        look.clock.full(request.start) if request.start is not None else "",
        duration_text(request.seconds),
        count_text(len(request.entries), "line"),
        count_text(request.errors, "error"),
        *legend(request),
    ]
    yield f"{header(request, facts, look)}\n"
    above = Above(look)
    day = "" if request.start is None else look.clock.day(request.start)
    for entry in entries:
        told = entry.facts
        time = entry.record.time if told is None else told.time
        if time is not None and (today := look.clock.day(time)) != day:
            day = today
            yield f"{day}\n"
        since, news = _since(request, time), above.news(entry)
        if told is not None and not (news or entry.below or look.width):
            yield f"{_head(told, since, look)}{safe(told.message)}".rstrip() + "\n"
        else:
            yield "\n".join(_entry(entry, since, news, look)) + "\n"


_LONGEST_LEVEL = 16
# How deep objects are shown as `a.b`, and what is left of a row that is wrapped.
_DEEPEST, _LEAST_ROOM = 8, 20
_MARKED = ("buffered", "_buffered")
_SHOWN_ID = 12
_MOST_ABOVE = 10_000
_LONG = 16_384
#: Texts that need no quotes to be told from what is beside them.
_BARE = re.compile(r'[^\s"={}\[\]]+')


class LinePrinter:
    """
    Makes text of lines that come one by one: time, level, request, message, fields.

    A field that the request's line before had, too, is not repeated, unless that line
    was very long. The date stands above the first line of another day.

    Args:
        look: How lines look.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._day = ""
        # Of the requests that were seen last.
        self._above: OrderedDict[str | None, Mapping[str, Any]] = OrderedDict()

    def text(self, line: bytes, record: Record | None) -> str:
        """Return the text of a line, given what it says, if it is an entry."""
        if record is None:
            return safe(line.decode("utf-8", "replace").rstrip("\r\n")) + "\n"
        look = self._look
        request, fields = record.request, record.fields
        news = _news(record, fields, self._above.pop(request, {}), look)
        self._above[request] = fields if len(line) <= _LONG else {}
        if len(self._above) > _MOST_ABOVE:
            self._above.popitem(last=False)
        shown_id = safe((request or "")[:_SHOWN_ID]).ljust(_SHOWN_ID)
        if request:
            shown_id = paint(shown_id, hue(request), look.color)
        day, time = self._day, ""
        if record.time is not None:
            day, time = look.clock.day(record.time), look.clock.of_day(record.time)
        shown = [day] if self._day not in ("", day) else []
        self._day = day
        level = _painted_level(record, look.color)
        head = f"{time:12}{waited(record)} {level}  {shown_id}  "
        shown += _under(head, 24 + _SHOWN_ID + 2, record.message, news, look)
        below = record.stack.splitlines()
        shown.extend(f"{'':12}{safe(text)}".rstrip() for text in below)
        return "\n".join(shown) + "\n"


def shown_fields(record: Record, look: Look) -> Mapping[str, Any]:
    """Return a line's fields that are shown: `a.b` where a value is an object."""
    return _shown(record, dict(flat(record.fields, _DEEPEST)), look)


def _shown(record: Record, fields: Mapping[str, Any], look: Look) -> Mapping[str, Any]:
    """Return fields without those that are hidden, or are shown as a mark."""
    if record.is_buffered:
        fields = {name: fields[name] for name in fields if name not in _MARKED}
    if look.hidden:
        fields = {name: fields[name] for name in fields if not look.hides(name)}
    return fields


def _news(
    record: Record, fields: Mapping[str, Any], above: Mapping[str, Any], look: Look
) -> Sequence[tuple[str, str]]:
    """
    Return the names and texts of the fields that differ from the line above.

    Args:
        record: The line.
        fields: Its fields.
        above: Those of the line above.
        look: How lines look.
    """
    new = {
        name: value
        for name, value in fields.items()
        if name not in above or above[name] != value
    }
    if any(type(value) is dict for value in new.values()):
        known = {name: above[name] for name in new if name in above}
        before = dict(flat(known, _DEEPEST))
        new = {
            name: value
            for name, value in flat(new, _DEEPEST)
            if name not in before or before[name] != value
        }
    return [
        (safe(name), safe(value_text(value)))
        for name, value in _shown(record, new, look).items()
    ]


class Above:
    """
    Tells which fields of a request's lines differ from those of the line above.

    Args:
        look: How lines look.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._line: LogLine | None = None

    def news(self, entry: LogLine) -> Sequence[tuple[str, str]]:
        """Return the names and texts of the fields of the next line that are new."""
        above, self._line = self._line, entry
        facts, known = entry.facts, None if above is None else above.facts
        if facts is not None and known is not None:
            if known.names is facts.names and known.values == facts.values:
                return ()
            return self._differing(
                facts, dict(zip(known.names, known.values, strict=True))
            )
        if facts is not None and above is None:
            return self._differing(facts, {})
        record = entry.record
        before = {} if above is None else above.record.fields
        return _news(record, record.fields, before, self._look)

    def _differing(
        self, facts: Facts, above: Mapping[str, bytes]
    ) -> list[tuple[str, str]]:
        """Return the same of a line whose form tells what is shown of it."""
        new = []
        for name, written in zip(facts.names, facts.values, strict=True):
            other = above.get(name)
            if written == other:
                continue
            value = _read(written)
            if other is not None and _read(other) == value:
                continue  # it is only written otherwise
            if not (self._look.hidden and self._look.hides(name)):
                new.append((safe(name), safe(value_text(value))))
        return new


def _read(written: bytes) -> object:
    """Return a value; as it is written, if that is no JSON."""
    try:
        return json.loads(written)
    except ValueError:
        return written.decode("utf-8", "replace")


def value_text(value: object) -> str:
    """Return a value as text: as JSON, unless it is a single word."""
    if type(value) is int or (type(value) is float and isfinite(value)):
        return repr(value)
    if isinstance(value, str) and _BARE.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _under(
    head: str,
    indent: int,
    message: str,
    news: Sequence[tuple[str, str]],
    look: Look,
) -> list[str]:
    """
    Return a line's message and fields after *head*, wrapped below each other.

    Args:
        head: What stands before, in colors.
        indent: How many columns that has.
        message: The message.
        news: The names and texts of its fields.
        look: How lines look.
    """
    room = None if look.width is None else look.width - indent
    if room is not None and room < _LEAST_ROOM:
        room = None
    if room is None:
        (row,) = in_rows(safe(message), news, None, look.color)
        return [f"{head}{row}".rstrip()]
    rows = in_rows(safe(message), news, room, look.color)
    margins = [head, *[" " * indent] * (len(rows) - 1)]
    return [
        f"{margin}{row}".rstrip() for margin, row in zip(margins, rows, strict=True)
    ]


def _painted_level(record: Record, color: bool) -> str:
    level = record.level
    # A word that is not known is shown as it is, and so are the finest levels.
    return _painted(level, "" if level >= 10 else record.level_word, color)


@lru_cache(256)
def _painted(level: int, word: str, color: bool) -> str:
    name = f"{level_name(level) or safe(word)[:_LONGEST_LEVEL]:<8}"
    if color:
        for least, code in _COLORS:
            if level >= least:
                return paint(name, code, color)
    return name


def _head(facts: Facts, since: str, look: Look) -> str:
    return f"{since:>10}  {_painted(facts.level, '', look.color)}  "


def _entry(
    entry: LogLine, since: str, news: Sequence[tuple[str, str]], look: Look
) -> list[str]:
    facts = entry.facts
    if facts is not None:
        head, stack = _head(facts, since, look), ""
        shown = _under(head, 22, facts.message, news, look)
    else:
        record = entry.record
        head = f"{since:>10}{waited(record)} {_painted_level(record, look.color)}  "
        shown, stack = _under(head, 22, record.message, news, look), record.stack
    if stack or entry.below:
        below = stack.splitlines()
        below += [
            line.decode("utf-8", "replace").rstrip("\r\n") for line in entry.below
        ]
        shown.extend(f"{'':12}{safe(line)}".rstrip() for line in below)
    return shown


def since(request: Request, record: Record) -> str:
    """Return how long after a request's begin a line was written, in milliseconds."""
    return _since(request, record.time)


def _since(request: Request, time: float | None) -> str:
    if time is None or request.start is None:
        return ""
    return f"+{(time - request.start) * 1000:.1f}"


def count_text(number: int, noun: str) -> str:
    """Return how many there are of something."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
