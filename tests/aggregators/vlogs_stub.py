"""
A VictoriaLogs that answers the LogsQL that is documented, as far as ctxlog uses it.

What it answers was compared with VictoriaLogs 1.26.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import Line, rfc3339
from tests.aggregators.web import Answer, Request, Store

Row = dict[str, str]
Filter = Callable[[Row], bool]

_TOKEN = re.compile(
    r"""\s*(?: "(?P<text>(?:[^"\\]|\\.)*)" | (?P<word>[\w.]+) | (?P<mark>:=|:~|.) )""",
    re.VERBOSE,
)


class VictoriaLogs(Store):
    """
    The rows of lines, with members of objects as fields with dots, and texts only.

    Args:
        lines: The lines.
        kept: Whether the lines are kept as they were written, too.
    """

    def __init__(self, lines: list[bytes], *, kept: bool = True) -> None:
        super().__init__()
        self.rows = [_row(Line(line), kept) for line in lines]

    def answer_to(self, request: Request) -> Answer | str:
        """Answer a query, or a question for the names of fields."""
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        assert request.method == "POST"
        arguments = {
            name: of[0] for name, of in parse_qs(request.body.decode()).items()
        }
        try:
            found = self._found(arguments)
        except (AssertionError, ValueError) as error:
            return Answer(400, f"cannot parse query: {error!r}".encode())
        if url.path.endswith("/select/logsql/field_names"):
            names = sorted({name for row in found for name in row})
            values = [{"value": name, "hits": 1} for name in names]
            return Answer(200, json.dumps({"values": values}).encode())
        assert url.path.endswith("/select/logsql/query")
        body = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found)
        return Answer(200, body.encode())

    def _found(self, arguments: dict[str, str]) -> list[Row]:
        begin, end = int(arguments.pop("start", 0)), int(arguments.pop("end", 2**63))
        query = _Query(arguments.pop("query"))
        assert not arguments
        rows = [
            row
            for row in self.rows
            if begin <= _nanoseconds(row["_time"]) < end and query.holds(row)
        ]
        if query.descending is not None:
            rows.sort(key=lambda row: row["_time"], reverse=query.descending)
        return rows[: query.limit]


def _row(line: Line, kept: bool) -> Row:
    row = {"_time": rfc3339(line.time or 0), "_stream": "{}", "_msg": line.message}
    if kept:
        row["_line"] = line.text
    for name, value in _flat(line.members, ""):
        if value and name not in ("timestamp", "@timestamp", "message"):
            row[name] = value
    return row


def _flat(value: Any, name: str) -> list[tuple[str, str]]:
    if isinstance(value, dict):
        dotted = [(f"{name}.{key}" if name else key, of) for key, of in value.items()]
        return [one for key, of in dotted for one in _flat(of, key)]
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return [(name, text)]


def _nanoseconds(time: str) -> int:
    found = Line(json.dumps({"timestamp": time}).encode()).time
    assert found is not None
    return found


class _Query:
    """A query: a filter, and what comes of its rows."""

    def __init__(self, text: str) -> None:
        self._tokens = [match for match in _TOKEN.finditer(text.strip())]
        assert "".join(match.group() for match in self._tokens) == text.strip()
        self._at = 0
        self.descending: bool | None = None
        self.limit: int | None = None
        self.holds = self._all()
        while self._at < len(self._tokens):
            self._take("|")
            if self._word() == "sort":
                for part in ("by", "(", "_time"):
                    self._take(part)
                self.descending = self._next() == "desc"
                if self.descending:
                    self._take("desc")
                self._take(")")
            else:
                self.limit = int(self._word())

    def _next(self) -> str:
        if self._at == len(self._tokens):
            return ""
        token = self._tokens[self._at]
        return token["word"] or token["mark"] or ""

    def _take(self, text: str) -> None:
        assert self._next() == text, f"{self._next()} is not {text}"
        self._at += 1

    def _word(self) -> str:
        self._at += 1
        token = self._tokens[self._at - 1]
        if token["text"] is not None:
            return str(json.loads(f'"{token["text"]}"'.replace("\\x7f", "\\u007f")))
        assert token["word"], f"{token.group()} is no word"
        return str(token["word"])

    def _all(self) -> Filter:
        """A sequence of filters, all of which hold."""
        filters = [self._any()]
        while self._next() not in ("", "|", ")", "or"):
            filters.append(self._any())
        return lambda row: all(one(row) for one in filters)

    def _any(self) -> Filter:
        if self._next() == "*":
            self._take("*")
            return lambda row: True
        if self._next() == "!":
            self._take("!")
            inner = self._any()
            return lambda row: not inner(row)
        if self._next() == "(":
            self._take("(")
            filters = [self._all()]
            while self._next() == "or":
                self._take("or")
                filters.append(self._all())
            self._take(")")
            return lambda row: any(one(row) for one in filters)
        return self._compared(self._word())

    def _compared(self, name: str) -> Filter:
        mark = self._next()
        self._at += 1
        if mark == ":~":
            form = re.compile(self._word())
            return lambda row: bool(form.search(row.get(name, "")))
        if mark == ":=":
            value = self._word()
            if self._next() == "*":
                self._take("*")
                return lambda row: row.get(name, "").startswith(value)
            return lambda row: row.get(name, "") == value
        assert mark == ":"
        if self._next() == "in":
            return self._in(name)
        if self._next() == "range":
            self._take("range")
            self._take("[")
            low = int(self._word())
            self._take(",")
            high = int(self._word())
            self._take("]")
            return lambda row: _is_between(row.get(name, ""), low, high)
        assert self._word() == ""
        return lambda row: not row.get(name)

    def _in(self, name: str) -> Filter:
        self._take("in")
        self._take("(")
        values = [self._word()]
        while self._next() == ",":
            self._take(",")
            values.append(self._word())
        self._take(")")
        if values == ["*"]:  # means any value, also in quotes
            return lambda row: True
        return lambda row: row.get(name, "") in values


def _is_between(text: str, low: int, high: int) -> bool:
    return text.isdecimal() and low <= int(text) <= high
