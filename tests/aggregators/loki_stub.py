"""
A Loki that answers the LogQL that is documented, as far as ctxlog uses it.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import Line
from tests.aggregators.web import Answer, Request, Store

_STRING = r'"((?:[^"\\]|\\.)*)"'
_SELECTOR = re.compile(r"\{(\w+)(=~|=)" + _STRING + r"\}")
_FILTER = re.compile(r"\s*(\|=|\|~|\| \w+=~) " + _STRING + r"|\s*(\| \w+=~)" + _STRING)


class Loki(Store):
    """
    The streams of lines, of their services and levels.

    Args:
        lines: The lines.
    """

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__()
        self.entries = []
        for line in map(Line, lines):
            labels = {"service": line.service or "", "level": line.level_name}
            self.entries.append((line.time or 0, labels, line.text))

    def answer_to(self, request: Request) -> Answer | str:
        """Answer a query of a range of time."""
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        assert (request.method, url.path) == ("GET", "/loki/api/v1/query_range")
        arguments = {name: of[0] for name, of in parse_qs(url.query).items()}
        try:
            return Answer(200, json.dumps(self._found(arguments)).encode())
        except (AssertionError, ValueError) as error:
            return Answer(400, f"parse error: {error!r}".encode())

    def _found(self, arguments: dict[str, str]) -> dict[str, Any]:
        begin, end = int(arguments["start"]), int(arguments["end"])
        limit = int(arguments["limit"])
        assert limit <= 5000, "max entries limit per query exceeded"
        assert end - begin <= 721 * 3600 * 10**9, "the query time range exceeds"
        entries = [
            entry
            for entry in self.entries
            if begin <= entry[0] < end and holds(arguments["query"], *entry[1:])
        ]
        backward = arguments["direction"] == "backward"
        entries.sort(key=lambda entry: entry[0], reverse=backward)
        streams: dict[str, list[list[str]]] = defaultdict(list)
        for time, labels, line in entries[:limit]:
            streams[json.dumps(labels)].append([str(time), line])
        result = [
            {"stream": json.loads(labels), "values": values}
            for labels, values in streams.items()
        ]
        return {
            "status": "success",
            "data": {"resultType": "streams", "result": result},
        }


def holds(query: str, labels: dict[str, str], line: str) -> bool:
    """Return whether a query finds a line."""
    selector = _SELECTOR.match(query)
    assert selector, "no selector"
    name, how, text = selector.groups()
    found = _matches(how, _text(text), labels.get(name, ""), whole=True)
    at = selector.end()
    while at < len(query):
        part = _FILTER.match(query, at)
        assert part, f"unexpected {query[at:]}"
        at = part.end()
        mark, text = part[1] or part[3], _text(part[2] if part[1] else part[4])
        if mark.startswith("| "):
            label = labels.get(mark[2:-2], "")
            found = found and _matches("=~", text, label, whole=True)
        else:
            found = found and _matches(mark[1:], text, line, whole=False)
    return found


def _text(literal: str) -> str:
    return str(json.loads('"' + literal.replace("\\x7f", "\\u007f") + '"'))


def _matches(how: str, text: str, value: str, *, whole: bool) -> bool:
    if how == "=":
        return value == text if whole else text in value
    form = re.compile(text)
    return bool(form.fullmatch(value) if whole else form.search(value))
