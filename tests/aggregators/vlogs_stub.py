"""
A VictoriaLogs that takes rows and answers the LogsQL that is documented, as far as
ctxlog uses it.

What it leaves out and what it answers was compared with VictoriaLogs 1.26.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import Line, read
from tests.aggregators.web import Answer, Request, Store
from tests.helpers import need

need("urllib3")
_vlogs = need("ctxlog.aggregators.vlogs")
_INSERT, _row = _vlogs._INSERT, _vlogs._row

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
        lines: Lines that it has already.
        kept: Whether those are kept as they were written, too.

    Attributes:
        rows: What is stored.
    """

    def __init__(self, lines: Iterable[bytes] = (), *, kept: bool = True) -> None:
        super().__init__()
        self.rows: list[Row] = []
        rows = filter(None, map(_row, read(lines)))
        self._insert(b"".join(rows), urlsplit(_INSERT).query)
        if not kept:
            for row in self.rows:
                del row["_line"]

    def answer_to(self, request: Request) -> Answer | str:
        """Take rows; answer a query, or a question for the names of fields."""
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        assert request.method == "POST"
        if url.path == "/insert/jsonline":
            if "Content-Type" in request.headers:
                self._insert(request.body, url.query)
            return Answer(200)
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

    def _insert(self, body: bytes, query: str) -> None:
        arguments = {key: of[0].split(",") for key, of in parse_qs(query).items()}
        for line in body.split(b"\n"):
            # The reader's buffer holds the line and its end.
            if line and len(line) < 256 * 1024:
                self._add(line, arguments)

    def _add(self, line: bytes, arguments: dict[str, list[str]]) -> None:
        row = json.loads(line)
        assert isinstance(row, dict)
        if _depth(row) > 300:
            return
        fields = dict(_flat("", row))
        if len(fields) > 1_000 or any(len(name.encode()) > 128 for name in fields):
            return
        for name in arguments["_time_field"]:
            if fields.get(name):
                fields["_time"] = fields[name]
                break
        else:
            raise AssertionError("a row without a time")
        for name in arguments["_msg_field"]:
            if fields.get(name):
                fields["_msg"] = fields.pop(name)
                break
        for name in arguments["ignore_fields"]:
            fields.pop(name, None)
        stream = {
            name: fields[name] for name in arguments["_stream_fields"] if name in fields
        }
        fields["_stream"] = json.dumps(stream)
        self.rows.append(fields)

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


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level:
        depth += 1
        inner: list[Any] = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one
        level = [of for of in inner if isinstance(of, (dict, list))]
    return depth


def _flat(prefix: str, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield fields with their values as texts; one that is empty is none."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(f"{prefix}{name}.", value)
        elif value is not None and value != "":
            text = value if isinstance(value, str) else _dumps(value)
            yield prefix + name, text


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


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
