"""
ClickHouse: the rows that are inserted, and which errors are about them.

The stub checks an insert; rows were tried with the engine itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from ctxlog.aggregators import RefusedError, UnavailableError, receiver
from ctxlog.errors import ConfigError
from tests.aggregators.clickhouse_stub import ClickHouse
from tests.aggregators.hostile import HOSTILE
from tests.aggregators.lines import line_of
from tests.aggregators.web import Answer, serving
from tests.helpers import ROOT, need

need("urllib3")


@pytest.fixture
def clickhouse() -> Iterator[ClickHouse]:
    with serving(ClickHouse()) as store:
        assert isinstance(store, ClickHouse)
        yield store


def address(clickhouse: ClickHouse, rest: str = "") -> str:
    return f"clickhouse://127.0.0.1:{clickhouse.port}{rest}"


def test_a_row_has_the_columns_and_the_line(clickhouse: ClickHouse) -> None:
    """
    The columns are those of any schema; the line is as it was written.
    """
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    line = line_of("ecs", traceID=trace)

    assert receiver(address(clickhouse)).send([line], 5) == {}

    assert clickhouse.inserts == ["INSERT INTO logs FORMAT JSONEachRow"]
    assert clickhouse.rows == [
        {
            "timestamp": "2026-11-28T09:30:37.250000Z",
            "level": "error",
            "service": "shop",
            "environment": "production",
            "logger": "shop.orders",
            "request_id": "req-A",
            "trace_id": trace,
            "message": "paid é",
            "line": line.decode().rstrip("\n"),
        }
    ]


def test_the_columns_are_those_of_the_table_of_the_docs(
    clickhouse: ClickHouse,
) -> None:
    """
    The page has the table to paste.
    """
    page = (ROOT / "docs/stores/clickhouse.md").read_text(encoding="utf-8")
    columns = re.findall(r"^    ([a-z_]+) +(?:DateTime|Low|String)", page, re.MULTILINE)
    line = line_of(traceID="4bf92f3577b34da6a3ce929d0e0e4736")

    receiver(address(clickhouse)).send([line], 5)

    assert columns == list(clickhouse.rows[0])


def test_hostile_lines_are_rows(clickhouse: ClickHouse) -> None:
    """
    Nothing is refused: a text of any length is a text.
    """
    writer = receiver(address(clickhouse, "/shop.lines"))

    assert writer.send(list(HOSTILE.values()), 5) == {}
    writer.close()

    assert clickhouse.inserts == ["INSERT INTO shop.lines FORMAT JSONEachRow"]
    written = [
        line.decode("utf-8", "replace").rstrip("\n") for line in HOSTILE.values()
    ]
    assert [row.get("line", "") for row in clickhouse.rows] == written
    for row in clickhouse.rows:
        assert all(type(value) is str for value in row.values())


@pytest.mark.parametrize(
    ("status", "text", "error"),
    [
        (400, b"Code: 27. DB::Exception: Cannot parse input", RefusedError),
        (400, b"Code: 117. DB::Exception: Incorrect data", RefusedError),
        # About the query or a setting of the server: no line is wrong.
        (400, b"Code: 62. DB::Exception: Syntax error", UnavailableError),
        (400, b"Code: 36. DB::Exception: Bad arguments", UnavailableError),
        (413, b"request entity too large", RefusedError),
        (403, b"Code: 516. DB::Exception: Authentication failed", UnavailableError),
        (404, b"Code: 60. DB::Exception: Unknown table", UnavailableError),
        (500, b"Code: 252. DB::Exception: Too many parts", UnavailableError),
        (500, b"Code: 241. DB::Exception: Memory limit exceeded", UnavailableError),
    ],
)
def test_errors(
    clickhouse: ClickHouse, status: int, text: bytes, error: type[Exception]
) -> None:
    """
    Only an error about rows makes a batch be halved.
    """
    clickhouse.answers.append(Answer(status, text))

    with pytest.raises(error, match=str(status)):
        receiver(address(clickhouse)).send([line_of()], 5)


@pytest.mark.parametrize("path", ["a.b.c", "logs;drop", "lo gs", "a b", "1a"])
def test_what_is_no_table(path: str) -> None:
    """
    A name is not quoted, so that it must be one.
    """
    with pytest.raises(ConfigError, match="a table"):
        receiver(f"clickhouse://localhost/{path}")


def test_an_unknown_option() -> None:
    """
    A misspelled option is no option.
    """
    with pytest.raises(ConfigError, match="user"):
        receiver("clickhouse://localhost?user=x")
