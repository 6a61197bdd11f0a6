"""
ClickHouse: lines as rows of a table, over HTTP.

After ClickHouse's HTTP interface (https://clickhouse.com/docs/interfaces/http), its
format `JSONEachRow` and its asynchronous inserts
(https://clickhouse.com/docs/optimize/asynchronous-inserts), as these pages were in July
2026, and the statuses of its errors (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp at
08f89d9, https://github.com/ClickHouse/ClickHouse). The table that
docs/stores/clickhouse.md shows was tried with the engine 26.5.

A row has few columns that are asked for, and `line`, which is the line as it was
written: fields may have any type there, and a new one needs no column. Columns that the
table does not have are left out.

An insert is asynchronous on the server's side, which makes few parts of many small
batches, and is waited for. A batch that is sent again, since its answer was lost, is
stored twice, unless the table deduplicates: `ctxlog show` shows such lines once.

Read by SQL whose values are parameters, `{p0:String}` and `param_p0=`; the columns are
those that `DESCRIBE TABLE` tells.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ctxlog._json import dumps, loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import LOGGERS, TRACES, Line, read, rfc3339
from ctxlog.aggregators._question import Condition, Question, Reader
from ctxlog.aggregators._rows import (
    for_reading,
    kept,
    needle,
    numbers_pattern,
    printable,
    rebuilt,
)
from ctxlog.aggregators._store import (
    DeniedError,
    Receiver,
    RefusedError,
    UnavailableError,
)

_PORT = 8123
_NAME = re.compile(r"(?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*", re.ASCII)
#: The table, unless the address names another.
_TABLE = "logs"


def _table(address: Address) -> str:
    """
    Return the table that an address names, as `table` or `database.table`.

    Raises:
        ConfigError: if it is no such name.
    """
    name = address.path.strip("/") or _TABLE
    if not _NAME.fullmatch(name):
        raise address.error("a table, as clickhouse://host:8123/database.table")
    return name


# Writing ----------------------------------------------------------------------------

_SETTINGS = {
    "async_insert": "1",
    "wait_for_async_insert": "1",
    "input_format_skip_unknown_fields": "1",
    "date_time_input_format": "best_effort",
}
_CODE = re.compile(rb"Code: (\d+)\.")
# Codes of src/Common/ErrorCodes.cpp that come with 400 and say that a row is wrong:
# CANNOT_PARSE_*, TYPE_MISMATCH (53), INCORRECT_DATA (117),
# VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE (321).
_ABOUT_ROWS = frozenset({6, 25, 26, 27, 38, 41, 53, 72, 117, 321, 376, 441})


def receiver(address: Address) -> Receiver:
    """
    Return the writing side.

    Args:
        address: `clickhouse://host:8123/database.table`;
            `?header=X-ClickHouse-User:NAME&header=X-ClickHouse-Key:$VARIABLE` are the
            credentials.

    Raises:
        ConfigError: if its path is not the name of a table.
    """
    address.check_options(OPTIONS)
    return _Receiver(address)


class _Receiver(Receiver):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(address, _PORT)
        query = f"INSERT INTO {_table(address)} FORMAT JSONEachRow"
        self._path = "/?" + urlencode({"query": query, **_SETTINGS})

    def send(self, lines: Sequence[bytes], timeout: float) -> Mapping[int, str]:
        body = b"".join(_row(line) for line in read(lines))
        try:
            self._client.request("POST", self._path, body, timeout=timeout)
        except RefusedError as error:
            code = _CODE.match(error.answer)
            if code is not None and int(code[1]) not in _ABOUT_ROWS:
                # About the query, a setting or the table: no line is wrong.
                raise DeniedError(str(error)) from None
            raise
        return {}

    def close(self) -> None:
        self._client.close()


def _row(line: Line) -> bytes:
    """Return a line as a row, its newline included."""
    columns = {
        "timestamp": rfc3339(line.when),
        "level": line.level_name,
        "service": line.service,
        "environment": line.environment,
        "logger": line.first(LOGGERS),
        "request_id": line.request_id,
        "trace_id": line.first(TRACES),
        "message": line.message,
        "line": line.text,
    }
    return dumps({name: of for name, of in columns.items() if of}) + b"\n"


# Reading ----------------------------------------------------------------------------

#: The column that has a line as it was written.
_LINE = "line"
_TIMES = ("timestamp", "@timestamp", "time", "ts", "_time")
_TEXTS = re.compile(r"(?:LowCardinality\(|Nullable\()*(?:Fixed)?String\b")
_NUMBERS = re.compile(r"(?:LowCardinality\(|Nullable\()*(?:U?Int|Float)\d+\b")
_MOMENTS = re.compile(r"(?:LowCardinality\(|Nullable\()*DateTime")
#: What a parameter's value cannot have as it is: it is read as a field of TSV.
_ESCAPES = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0", "\b": "\\b"}
)


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: As for `receiver()`.

    Raises:
        ConfigError: if its path is not the name of a table.
    """
    address.check_options(OPTIONS)
    return _Reader(address)


class _Reader(Reader):
    def __init__(self, address: Address) -> None:
        self.name = address.name
        self._client = Client(for_reading(address), _PORT)
        self._table = _table(address)

    def lines(self, question: Question) -> Iterator[bytes]:
        sql, values = self._select(question)
        for row in self._rows(sql, values):
            yield _line(row)

    def explain(self, question: Question) -> str:
        sql, values = self._select(question)
        return "\n".join([sql, *(f"param_{name}={values[name]}" for name in values)])

    def _select(self, question: Question) -> tuple[str, dict[str, str]]:
        found = self._rows(f"DESCRIBE TABLE {self._table}", {})
        try:
            columns = {str(row["name"]): str(row["type"]) for row in found}
        except KeyError:
            raise UnavailableError("its answer is not that of DESCRIBE") from None
        return select(self._table, columns, question)

    def _rows(self, sql: str, values: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        parameters = {
            f"param_{name}": value.translate(_ESCAPES) for name, value in values.items()
        }
        path = "/?" + urlencode({"default_format": "JSONEachRow", **parameters})
        for text in self._client.lines("POST", path, sql.encode()):
            if not text:
                continue
            try:
                row = loads(text)
            except ValueError:
                row = None
            if not isinstance(row, dict) or row.keys() == {"exception"}:
                # An error after the answer has begun is a part of it.
                said = text[:200].decode("utf-8", "replace")
                raise UnavailableError(f"it answers {said}")
            yield row

    def close(self) -> None:
        self._client.close()


def select(
    table: str, columns: Mapping[str, str], question: Question
) -> tuple[str, dict[str, str]]:
    """
    Return the SQL of a question, and the values of its parameters.

    Args:
        table: The table.
        columns: Its columns, with their types.
        question: The question.
    """
    values: dict[str, str] = {}
    where = [_condition(one, columns, values) for one in question.conditions]
    time = next((of for of in _TIMES if _MOMENTS.match(columns.get(of, ""))), None)
    for limit, sign in ((question.since, ">="), (question.until, "<=")):
        if limit is not None and time is not None:
            rounded = math.floor(limit * 1e3) - 1
            if sign == "<=":
                rounded = math.ceil(limit * 1e3) + 1
            moment = f"fromUnixTimestamp64Milli({_parameter(values, rounded)})"
            where.append(f"{_quoted(time)} {sign} {moment}")
    asked = _quoted(_LINE) if _is_kept(columns) else "*"
    sql = f"SELECT {asked} FROM {table}"
    if where:
        sql += "\nWHERE " + "\nAND ".join(where)
    if question.order != "any" and time is not None:
        sql += f"\nORDER BY {_quoted(time)}"
        sql += " DESC" if question.order == "newest" else ""
    if question.limit is not None:
        sql += f"\nLIMIT {question.limit}"
    return sql, values


def _is_kept(columns: Mapping[str, str]) -> bool:
    return bool(_TEXTS.match(columns.get(_LINE, "")))


def _condition(
    condition: Condition, columns: Mapping[str, str], values: dict[str, str]
) -> str:
    texts = [printable(value) for value in condition.values]
    if condition.field == "text":
        found = _contains(_quoted(_LINE), texts, values)
        return found if _is_kept(columns) else "true"
    parts = []
    for name in condition.names:
        if name in columns:
            parts.append(_compared(condition, name, columns[name], texts, values))
        elif name.partition(".")[0] in columns and not _is_kept(columns):
            parts.append("true")  # a part of a column of another type
    if parts:
        return f"({' OR '.join(parts)})"
    if not _is_kept(columns):
        return "false"
    # There is no such column: the text of the line tells roughly.
    line = _quoted(_LINE)
    if condition.operator == "between":
        digits = numbers_pattern(texts[0], texts[1])
        return f"match({line}, {_parameter(values, digits)})"
    needles = [needle(text) for text in texts]
    return _contains(line, needles, values) if all(needles) else "true"


def _compared(
    condition: Condition,
    name: str,
    kind: str,
    texts: list[str],
    values: dict[str, str],
) -> str:
    column = _quoted(name)
    if condition.operator == "between":
        low, high = (_parameter(values, int(text)) for text in texts)
        return f"toInt64OrNull(toString({column})) BETWEEN {low} AND {high}"
    if not _TEXTS.match(kind) and not _NUMBERS.match(kind):
        return "true"  # it may be written in another way than on the line
    if _NUMBERS.match(kind):
        column = f"toString({column})"
    if condition.operator == "contains":
        return _contains(column, texts, values)
    if condition.operator == "begins":
        begins = (f"startsWith({column}, {_parameter(values, one)})" for one in texts)
        return f"({' OR '.join(begins)})"
    if condition.field == "level":
        texts = [*texts, "unknown"]  # for a level that the writing side does not know
    parameters = ", ".join(_parameter(values, one) for one in texts)
    return f"{column} IN ({parameters})"


def _contains(column: str, texts: list[str], values: dict[str, str]) -> str:
    found = (f"position({column}, {_parameter(values, text)}) > 0" for text in texts)
    return f"({' OR '.join(found)})"


def _parameter(values: dict[str, str], value: str | int) -> str:
    name = f"p{len(values)}"
    values[name] = str(value)
    return f"{{{name}:{'Int64' if isinstance(value, int) else 'String'}}}"


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _line(row: dict[str, Any]) -> bytes:
    if row.keys() == {_LINE}:
        return str(row[_LINE]).encode("utf-8", "replace") + b"\n"
    line = kept(row, "message")
    return rebuilt(row) if line is None else line
