"""
ClickHouse: lines as rows of a table, over HTTP.

After ClickHouse 25's HTTP interface (docs/en/interfaces/http.md), its format
`JSONEachRow` and its asynchronous inserts (docs/en/optimize/asynchronous-inserts), and
the statuses of its errors (src/Server/HTTP/exceptionCodeToHTTPStatus.cpp,
https://github.com/ClickHouse/ClickHouse). The table that docs/stores/clickhouse.md
shows was tried with the engine 26.5.

A row has few columns that are asked for, and `line`, which is the line as it was
written: fields may have any type there, and a new one needs no column. Columns that the
table does not have are left out.

An insert is asynchronous on the server's side, which makes few parts of many small
batches, and is waited for. A batch that is sent again, since its answer was lost, is
stored twice, unless the table deduplicates: `ctxlog show` shows such lines once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from ctxlog._json import dumps
from ctxlog.aggregators._address import Address
from ctxlog.aggregators._http import OPTIONS, Client
from ctxlog.aggregators._line import LOGGERS, TRACES, Line, read, rfc3339
from ctxlog.aggregators._store import Receiver, RefusedError, UnavailableError

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
# Codes of src/Common/ErrorCodes.cpp that say that a row is wrong: CANNOT_PARSE_*,
# TYPE_MISMATCH, VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE, INCORRECT_DATA.
_ABOUT_ROWS = frozenset({6, 25, 26, 27, 38, 41, 53, 69, 72, 117})


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
                # About the query, a setting or the server: no line is wrong.
                raise UnavailableError(str(error)) from None
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
