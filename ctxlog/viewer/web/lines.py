"""
A request and its lines as the pages have them: plain values, to be written as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from ctxlog.viewer.group.collected import LogLine, Request
from ctxlog.viewer.recognize.flat import flat
from ctxlog.viewer.recognize.record import Record
from ctxlog.viewer.show.look import Look
from ctxlog.viewer.show.printing import kept_texts, level_name, total_text
from ctxlog.viewer.show.waterfall import lane_of, service_of

# Deeper members are shown as JSON.
_DEPTH = 6
#: In UTC, with all fields.
_ALL = Look()


class Sheet:
    """
    A request laid out in time, with what other requests of its trace say.

    Args:
        request: The request.
        others: The other requests of its trace.
        look: In which time zone it is shown, and without which fields.
    """

    def __init__(
        self, request: Request, others: Sequence[Request] = (), look: Look = _ALL
    ) -> None:
        self._request, self._look = request, look
        self._requests = [request, *others]
        found: list[tuple[float, int, LogLine]] = []
        for number, one in enumerate(self._requests):
            begin = one.start or 0.0
            for entry in one.entries:
                span = entry.record.span
                # without a time it stays below the line above it
                begin = begin if span is None else span[0]
                found.append((begin, number, entry))
        found.sort(key=lambda item: item[0])
        self._found = found
        spans = [entry.record.span for _, _, entry in found]
        known = [span for span in spans if span is not None]
        self._start = min((begin for begin, _ in known), default=0.0)
        self._end = max((end for _, end in known), default=self._start)

    def head(self) -> dict[str, Any]:
        """Return what is said of the whole: its name, its facts, the requests."""
        request, about = self._request, self._request.about
        return {
            "id": request.id,
            "method": about.method,
            "path": about.path,
            "route": about.route,
            "status": about.status,
            "user": about.user,
            "start": None if request.start is None else request.start * 1000,
            "zero": self._start * 1000,
            "ahead": self._look.clock.offset(self._start) * 1000,
            "took": request.seconds * 1000,
            "length": (self._end - self._start) * 1000,
            "errors": request.errors,
            "lines": len(self._found),
            "kept": kept_texts(request),
            "totals": [[name, total_text(one)] for name, one in request.totals.items()],
            "requests": [one.id for one in self._requests],
        }

    def rows(self, *, raw: bool) -> Iterator[list[Any]]:
        """
        Yield each line, by when it begins.

        A line is: when it begins and how long it took, in milliseconds (no begin if its
        time is not known), its level as a number and a word, whether it makes its
        request one that failed and whether it waited, the number of its request, its
        service and its lane, its message, its fields as names and texts in turn, its
        traceback with the text below it, and the line as it stands in its file.

        Args:
            raw: Whether the last one is there.
        """
        for _, number, entry in self._found:
            record = entry.record
            span = record.span
            begin, took = None, 0.0
            if span is not None:
                begin = round((span[0] - self._start) * 1000, 3)
                took = round((span[1] - span[0]) * 1000, 3)
            below = [line.decode("utf-8", "replace") for line in entry.below]
            stack = record.stack
            if stack and below:
                stack += "\n"
            row = [
                begin,
                took,
                record.level,
                level_name(record.level) or record.level_word[:20],
                int(record.failed) + 2 * int(record.is_buffered),
                number,
                service_of(record, self._look),
                lane_of(record, self._look),
                record.message,
                _texts(record, self._look),
                stack + "".join(below),
            ]
            if raw:
                row.append(entry.line.decode("utf-8", "replace").rstrip("\r\n"))
            yield row


def _texts(record: Record, look: Look) -> list[str]:
    """Return the names and the texts of a line's fields that are shown, in turn."""
    texts: list[str] = []
    for path, value in flat(record.fields, _DEPTH):
        if look.hidden and look.hides(path):
            continue
        texts += (path, value if isinstance(value, str) else _json(value))
    return texts


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return "(too deep to be shown)"


def written(value: object) -> str:
    """
    Return a value as JSON that may stand in a page: nothing in it is markup.

    It is strict JSON: what is no number there is null.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for sign, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(sign, escape)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
