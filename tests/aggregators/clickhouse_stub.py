"""
A ClickHouse that takes rows and answers the SQL that is documented, as far as ctxlog
uses it.

SQLite evaluates it, with ClickHouse's functions. Parameters are read as the engine 26.5
reads them: as fields of TSV.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from ctxlog.aggregators._line import nanoseconds, read
from tests.aggregators.web import Answer, Request, Store
from tests.helpers import need

need("urllib3")
row = need("ctxlog.aggregators.clickhouse")._row

COLUMNS = {
    "timestamp": "DateTime64(6)",
    "level": "LowCardinality(String)",
    "service": "LowCardinality(String)",
    "environment": "LowCardinality(String)",
    "logger": "LowCardinality(String)",
    "request_id": "String",
    "trace_id": "String",
    "message": "String",
    "line": "String",
}
_PARAMETER = re.compile(r"\{(\w+):(String|Int64)\}")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "0": "\0", "b": "\b"}


class ClickHouse(Store):
    """
    The table `logs` with rows.

    Args:
        lines: Lines that it has already.
        columns: The columns of the table.

    Attributes:
        inserts: The queries that have brought rows.
        rows: The rows, of whatever table.
    """

    def __init__(
        self, lines: Iterable[bytes] = (), columns: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        self.columns = columns or COLUMNS
        self.inserts: list[str] = []
        self.rows: list[dict[str, Any]] = [json.loads(row(one)) for one in read(lines)]

    def answer_to(self, request: Request) -> Answer | str:
        """Take rows; answer a query."""
        noted = super().answer_to(request)
        if noted is not self.usual or noted != Answer():
            return noted
        url = urlsplit(request.path)
        assert (request.method, url.path) == ("POST", "/")
        arguments = parse_qs(url.query, keep_blank_values=True)
        if "query" in arguments:
            return self._insert(request.body, arguments)
        assert arguments.pop("default_format") == ["JSONEachRow"]
        try:
            rows = self._found(request.body.decode(), arguments)
        except (ValueError, KeyError, sqlite3.Error) as error:
            return Answer(400, f"Code: 62. DB::Exception: {error!r}".encode())
        return Answer(200, "".join(json.dumps(one) + "\n" for one in rows).encode())

    def _insert(self, body: bytes, arguments: dict[str, list[str]]) -> Answer:
        self.inserts += arguments.pop("query")
        assert arguments == {
            "async_insert": ["1"],
            "wait_for_async_insert": ["1"],
            "input_format_skip_unknown_fields": ["1"],
            "date_time_input_format": ["best_effort"],
        }
        self.rows += [json.loads(line) for line in body.splitlines()]
        return Answer(200)

    def _found(self, sql: str, arguments: Any) -> list[dict[str, Any]]:
        if sql == "DESCRIBE TABLE logs":
            return [{"name": name, "type": of} for name, of in self.columns.items()]
        values: dict[str, Any] = {}

        def parameter(match: re.Match[str]) -> str:
            (written,) = arguments.pop(f"param_{match[1]}")
            values[match[1]] = unescaped(written)
            if match[2] == "Int64":
                values[match[1]] = int(values[match[1]])
            return f":{match[1]}"

        sql = _PARAMETER.sub(parameter, sql)
        if arguments:
            raise ValueError(f"unknown settings: {sorted(arguments)}")
        return self._by_sqlite(sql, values)

    def _by_sqlite(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        connection = sqlite3.connect(":memory:")
        try:
            functions: dict[str, tuple[int, Any]] = {
                "fromUnixTimestamp64Milli": (1, lambda number: number),
                "match": (2, lambda text, form: bool(re.search(form, text))),
                "position": (2, lambda text, part: text.find(part) + 1),
                "startsWith": (2, lambda text, part: text.startswith(part)),
                "toInt64OrNull": (1, lambda t: int(t) if t.isdecimal() else None),
                "toString": (1, str),
            }
            for name, (number, function) in functions.items():
                connection.create_function(name, number, function)
            names = ", ".join(f"`{name}`" for name in self.columns)
            connection.execute(f"CREATE TABLE logs ({names})")
            for one in self.rows:
                cells = [one.get(name, "") for name in self.columns]
                if "timestamp" in self.columns:
                    cells[0] = (nanoseconds(one["timestamp"]) or 0) / 1e6
                marks = ", ".join("?" for _ in cells)
                connection.execute(f"INSERT INTO logs VALUES ({marks})", cells)
            cursor = connection.execute(sql, values)
            found = [column[0] for column in cursor.description]
            return [dict(zip(found, cells, strict=True)) for cells in cursor]
        finally:
            connection.close()


def unescaped(text: str) -> str:
    """
    Return the value of a field of TSV.

    Raises:
        ValueError: if it ends in the middle, as at a tab.
    """
    if re.search(r"[\t\n]", text):
        raise ValueError("isn't parsed completely")
    return _ESCAPE.sub(lambda match: _ESCAPES.get(match[1], match[1]), text)
