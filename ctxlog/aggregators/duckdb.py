"""
DuckDB: lines in the tables of a database file, by SQL. Read only.

After DuckDB 2.0's SQL and its Python client (https://duckdb.org/docs). A table of lines
is what `CREATE TABLE logs AS SELECT * FROM read_json('app.log')` makes: a column for
each key of the lines with a type of its own, objects as structs, times as timestamps.
What was null on a line cannot be told from what was not there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from ctxlog._json import loads
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._question import LINE_FIELD, Condition, Question, Reader
from ctxlog.aggregators._rows import kept, needle, printable, rebuilt
from ctxlog.aggregators._store import RefusedError, UnavailableError
from ctxlog.errors import requires

with requires("duckdb"):
    import duckdb

_AT_ONCE = 1000
#: A question downloads nothing.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false"
}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d+))?(?:([+-])(\d\d)(?::(\d\d))?)?"
)
_TIMES = ("timestamp", "@timestamp", "time", "ts")
#: A table with one of these columns is one of lines.
_OF_LINES = frozenset({*_TIMES, LINE_FIELD, "resourceLogs"})
_BATCH = "resourceLogs"
_NUMBERS = frozenset(
    "tinyint smallint integer bigint hugeint utinyint usmallint uinteger ubigint "
    "uhugeint float double decimal".split()
)


class _Table(NamedTuple):
    """A table: its name as SQL writes it, and the types of its columns."""

    name: str
    columns: Mapping[str, Any]


def reader(address: Address) -> Reader:
    """
    Return the reading side.

    Args:
        address: `duckdb:FILE`, or `duckdb:FILE?table=NAME`; without a name all tables
            are read that have a column for the time of a line.

    Raises:
        ConfigError: if an option is invalid.
    """
    file, mark, options = address.path.partition("?")
    found = parse_qs(options, keep_blank_values=True)
    if not file or set(found) - {"table"} or (mark and not found):
        raise address.error("duckdb:FILE or duckdb:FILE?table=NAME")
    return _Reader(address.name, file, found.get("table", [None])[0])


class _Reader(Reader):
    def __init__(self, name: str, file: str, table: str | None) -> None:
        self.name, self._file, self._table = name, file, table

    def lines(self, question: Question) -> Iterator[bytes]:
        with self._connected() as connection:
            left = question.limit
            for table in self._tables(connection):
                sql, values = select(table.name, table.columns, question)
                rows = _executed(connection, sql, values)
                types = table.columns
                while some := _fetched(rows):
                    for (row,) in some[:left]:
                        yield _line(loads(row), types)
                    if left is not None:
                        left = max(left - len(some), 0)

    def explain(self, question: Question) -> str:
        with self._connected() as connection:
            texts = []
            for table in self._tables(connection):
                sql, values = select(table.name, table.columns, question)
                texts.append(f"{sql}\n{values}" if values else sql)
        return "\n\n".join(texts)

    def _connected(self) -> duckdb.DuckDBPyConnection:
        if not os.path.exists(self._file):
            raise UnavailableError("there is no such file")
        try:
            connection = duckdb.connect(self._file, read_only=True, config=_CONFIG)
            # It draws one on standard output where it takes Python for a shell.
            connection.execute("SET enable_progress_bar = false")
            return connection
        except (duckdb.Error, RuntimeError) as error:
            raise UnavailableError(_reason(error)) from None

    def _tables(self, connection: duckdb.DuckDBPyConnection) -> list[_Table]:
        if self._table is not None:
            return [_described(connection, _quoted(self._table))]
        found = _executed(
            connection,
            "SELECT table_schema, table_name FROM information_schema.tables "
            "WHERE table_catalog = current_catalog() ORDER BY ALL",
            {},
        ).fetchall()
        tables = [
            _described(connection, f"{_quoted(schema)}.{_quoted(name)}")
            for schema, name in found
        ]
        of_lines = [table for table in tables if _OF_LINES & table.columns.keys()]
        if not of_lines:
            names = ", ".join(name for _, name in found) or "none"
            raise RefusedError(
                f"it has no table of lines, such as read_json() makes; tables: {names}"
            )
        return of_lines


def _described(connection: duckdb.DuckDBPyConnection, table: str) -> _Table:
    found = _executed(connection, f"SELECT * FROM {table} LIMIT 0", {})
    described: Any = found.description
    return _Table(table, {column[0]: column[1] for column in described})


def _executed(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Mapping[str, Any]
) -> duckdb.DuckDBPyConnection:
    try:
        return connection.execute(sql, dict(values))
    except duckdb.Error as error:
        raise RefusedError(_reason(error)) from None


def _fetched(rows: duckdb.DuckDBPyConnection) -> list[Any]:
    try:
        some: list[Any] = rows.fetchmany(_AT_ONCE)
    except duckdb.Error as error:
        raise UnavailableError(_reason(error)) from None
    return some


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0]


# SQL --------------------------------------------------------------------------------


def select(
    table: str, columns: Mapping[str, Any], question: Question
) -> tuple[str, dict[str, Any]]:
    """
    Return the SQL of a question, and the values of its parameters.

    Args:
        table: The table, as SQL writes it.
        columns: Its columns, with their types.
        question: The question.
    """
    values: dict[str, Any] = {}
    where = [_condition(one, columns, values) for one in question.conditions]
    time = _time(columns)
    for limit, sign in ((question.since, ">="), (question.until, "<=")):
        if limit is not None and time is not None:
            margin = -0.001 if sign == ">=" else 0.001
            parameter = _parameter(values, limit + margin)
            where.append(f"({time} {sign} {parameter} OR {time} IS NULL)")
    sql = f"SELECT CAST(to_json(line) AS VARCHAR) FROM {table} AS line"
    if where:
        sql += "\nWHERE " + "\nAND ".join(where)
    if question.order != "any" and time is not None:
        sql += f"\nORDER BY {time}" + (" DESC" if question.order == "newest" else "")
    if question.limit is not None:
        sql += f"\nLIMIT {question.limit}"
    return sql, values


def _condition(
    condition: Condition, columns: Mapping[str, Any], values: dict[str, Any]
) -> str:
    texts = [printable(value) for value in condition.values]
    if condition.field == "text":
        if LINE_FIELD not in columns:
            return "true"  # the line as a text is only here
        return _contains(_quoted(LINE_FIELD), texts, values)
    parts: list[str] = []
    for name in condition.names:
        found = _at(name, columns)
        if found is not None:
            parts.append(_compared(condition, *found, texts, values))
    for name in (_BATCH, LINE_FIELD):  # whatever stands within
        if name in columns and not (name == LINE_FIELD and parts):
            needles = [needle(text) for text in texts]
            if condition.operator == "between" or not all(needles):
                return "true"
            column = f"CAST(to_json({_quoted(name)}) AS VARCHAR)"
            parts.append(_contains(column, needles, values))
    return f"({' OR '.join(parts)})" if parts else "false"


def _compared(
    condition: Condition,
    column: str,
    type_id: str,
    texts: list[str],
    values: dict[str, Any],
) -> str:
    if condition.operator == "between":
        low, high = (_parameter(values, int(text)) for text in texts)
        return f"TRY_CAST({column} AS BIGINT) BETWEEN {low} AND {high}"
    if type_id != "varchar" and type_id not in _NUMBERS and type_id != "json":
        return f"{column} IS NOT NULL"  # it may be written in another way than here
    text = f"CAST({column} AS VARCHAR)"
    if condition.operator == "contains":
        return _contains(text, texts, values)
    if condition.operator == "begins":
        begins = (f"starts_with({text}, {_parameter(values, one)})" for one in texts)
        return f"({' OR '.join(begins)})"
    parameters = ", ".join(_parameter(values, one) for one in texts)
    return f"{text} IN ({parameters})"


def _contains(column: str, texts: list[str], values: dict[str, Any]) -> str:
    found = (f"contains({column}, {_parameter(values, text)})" for text in texts)
    return f"({' OR '.join(found)})"


def _parameter(values: dict[str, Any], value: Any) -> str:
    name = f"p{len(values)}"
    values[name] = value
    return f"${name}"


def _at(path: str, columns: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what has the value at a path, and its type; None if nothing has."""
    if path in columns:
        return f"line.{_quoted(path)}", _id(columns[path])
    head, dot, rest = path.partition(".")
    while dot:
        if head in columns:
            column, kind = f"line.{_quoted(head)}", columns[head]
            while rest and _id(kind) == "struct":
                members = dict(kind.children)
                inner = next((one for one in _beginnings(rest) if one in members), None)
                if inner is None:
                    return None
                column = f"struct_extract({column}, {_text(inner)})"
                kind, rest = members[inner], rest[len(inner) + 1 :]
            if not rest:
                return column, _id(kind)
            if _id(kind) in ("json", "map"):
                return column, "nested"
            return None
        more, dot, rest = rest.partition(".")
        head = f"{head}.{more}"
    return None


def _beginnings(path: str) -> Iterator[str]:
    parts = path.split(".")
    return (".".join(parts[:end]) for end in range(len(parts), 0, -1))


def _id(kind: Any) -> str:
    return "json" if str(kind) == "JSON" else str(kind.id)


def _time(columns: Mapping[str, Any]) -> str | None:
    """Return what has a line's time in seconds; None if there is no such column."""
    for name in _TIMES:
        kind = _id(columns[name]) if name in columns else ""
        column = f"line.{_quoted(name)}"
        if kind.startswith("timestamp"):
            return f"epoch({column})"
        if kind in _NUMBERS:
            scales = " ".join(
                f"WHEN {column} >= {least} THEN {column} / {scale}"
                for least, scale in (("1e17", "1e9"), ("1e14", "1e6"), ("1e11", "1e3"))
            )
            return f"CASE {scales} ELSE {column} END"
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


# Lines ------------------------------------------------------------------------------


def _line(row: dict[str, Any], columns: Mapping[str, Any]) -> bytes:
    line = kept(row, "")
    return rebuilt(_written(row, columns)) if line is None else line


def _written(row: dict[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with its times as ctxlog writes them."""
    return {name: _value(value, kinds[name]) for name, value in row.items()}


def _value(value: Any, kind: Any) -> Any:
    if value is None:
        return None
    type_id = _id(kind)
    if type_id.startswith("timestamp") and isinstance(value, str):
        return _as_written(value)
    if type_id == "struct" and isinstance(value, dict):
        return _written(value, dict(kind.children))
    if type_id == "list" and isinstance(value, list):
        inner = dict(kind.children)["child"]
        return [_value(one, inner) for one in value]
    return value


def _as_written(time: str) -> str:
    """Return a time as ctxlog writes it: in UTC, with microseconds."""
    match = _TIME.fullmatch(time)
    if match is None:  # infinity, or a year of five digits
        return time
    day, clock, part, sign, hours, minutes = match.groups()
    moment = datetime.fromisoformat(f"{day}T{clock}")
    if sign:  # with its extension for time zones DuckDB prints the local time
        ahead = timedelta(hours=int(hours), minutes=int(minutes or 0))
        moment -= ahead if sign == "+" else -ahead
    return f"{moment.isoformat()}.{(part or '').ljust(6, '0')}Z"
